"""Caffe: its fillers, by function or from the text of a prototxt."""

from jinit.frameworks.caffe.fillers import (
    bilinear,
    constant,
    gaussian,
    msra,
    positive_unitball,
    uniform,
    xavier,
)
from jinit.frameworks.caffe.prototxt import from_prototxt

__all__ = [
    "bilinear",
    "constant",
    "from_prototxt",
    "gaussian",
    "msra",
    "positive_unitball",
    "uniform",
    "xavier",
]
