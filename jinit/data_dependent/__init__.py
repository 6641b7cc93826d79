"""Weights fitted to a batch of data as it passes through the model."""
