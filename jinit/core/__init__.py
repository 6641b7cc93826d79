"""Numbers: random bits, fused draws and Haar matrices. Knows nothing of networks; imports jax and numpy only."""
