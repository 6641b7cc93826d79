"""Reading a model's own program: what becomes of each of its parameters."""
