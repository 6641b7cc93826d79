"""Numbers: random bits, fused draws, Haar matrices. Knows nothing of networks.

May import: jax and numpy only.
"""
