"""What to do where a tensor and its leaf differ in shape: one idea a file."""

from jinit.pretrained.adapters.adapter import Adapter
from jinit.pretrained.adapters.channels import fit_channels
from jinit.pretrained.adapters.factors import low_rank
from jinit.pretrained.adapters.kernel_size import resize_kernel
from jinit.pretrained.adapters.positions import resize_positions
from jinit.pretrained.adapters.rows import grow_rows
from jinit.pretrained.adapters.selection import select_units
from jinit.pretrained.adapters.widening import widen, widened_units

__all__ = [
    "Adapter",
    "fit_channels",
    "grow_rows",
    "low_rank",
    "resize_kernel",
    "resize_positions",
    "select_units",
    "widen",
    "widened_units",
]
