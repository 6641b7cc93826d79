"""MXNet: `mxnet.initializer`."""

from jinit.frameworks.mxnet.elementwise import (
    Constant,
    MSRAPrelu,
    Normal,
    One,
    Uniform,
    Xavier,
    Zero,
)
from jinit.frameworks.mxnet.rules import Load, Mixed
from jinit.frameworks.mxnet.structured import Bilinear, LSTMBias, Orthogonal

__all__ = [
    "Bilinear",
    "Constant",
    "LSTMBias",
    "Load",
    "MSRAPrelu",
    "Mixed",
    "Normal",
    "One",
    "Orthogonal",
    "Uniform",
    "Xavier",
    "Zero",
]
