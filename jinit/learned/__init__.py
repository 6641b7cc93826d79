"""Initialization by learning: a scale for each leaf, learned before training begins."""
