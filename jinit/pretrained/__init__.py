"""Weights that already exist: checkpoints of any framework, read tensor by tensor."""

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Source, TensorSpec, open_source

__all__ = ["CheckpointError", "Source", "TensorSpec", "open_source"]
