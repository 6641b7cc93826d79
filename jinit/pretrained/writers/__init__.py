"""Checkpoints written: one file a format, tensor by tensor where the format allows."""
