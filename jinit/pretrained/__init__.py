"""Weights that already exist: checkpoints of any framework, read and loaded tensor by tensor."""

from jinit.pretrained import adapters
from jinit.pretrained.adapters import (
    Adapter,
    fit_channels,
    grow_rows,
    low_rank,
    resize_kernel,
    resize_positions,
    select_units,
    widen,
    widened_units,
)
from jinit.pretrained.converting import Converted, convert
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.exporting import export, flax_to_torch
from jinit.pretrained.inspection import Inspection, TensorReport, inspect
from jinit.pretrained.loading import load
from jinit.pretrained.operations import flip, part, reshape, transpose
from jinit.pretrained.report import LoadError, LoadReport, LoadRow
from jinit.pretrained.sources import Source, TensorSpec, open_source
from jinit.pretrained.suggesting import Suggestion, Suggestions, suggest
from jinit.pretrained.torch_matching import torch_to_flax

__all__ = [
    "Adapter",
    "CheckpointError",
    "Converted",
    "Inspection",
    "LoadError",
    "LoadReport",
    "LoadRow",
    "Source",
    "Suggestion",
    "Suggestions",
    "TensorReport",
    "TensorSpec",
    "adapters",
    "convert",
    "export",
    "fit_channels",
    "flax_to_torch",
    "flip",
    "grow_rows",
    "inspect",
    "load",
    "low_rank",
    "open_source",
    "part",
    "reshape",
    "resize_kernel",
    "resize_positions",
    "select_units",
    "suggest",
    "torch_to_flax",
    "transpose",
    "widen",
    "widened_units",
]
