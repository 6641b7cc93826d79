"""Roles guessed from names, for parameters whose layer is not known.

May import: the standard library, `jinit.axes`, and of `jinit.model.targets` uses.

Names say what a vector is, and that a matrix is a kernel; nothing but its layer says how a kernel
of three axes or more is used. Those stay unknown.
"""

import re
from collections.abc import Mapping

from jinit.axes import Shape
from jinit.model.targets.uses import DENSE, DENSE_OUT_FIRST, UNKNOWN, Use, embedding_use

__all__ = ["guess_use"]

_BIAS = {"b", "bias"}
_NORM_BIAS = {"beta", "offset"}
_NORM_SCALE = {"gamma", "scale"}
_SCALE = {"gain", "layer_scale", "logit_scale", "negative_slope", "temperature"}
_KERNEL = {"kernel", "w", "weight", "weights"}
_EMBEDDING = re.compile(r"wte|wpe|(.*_)?embed(ding)?s?(_table)?|(.*_)?posemb")
_MATRIX = re.compile(r"(.*_)?(kernel|weights?|w|proj)\d*|w\w{1,2}|w_\w+")


def guess_use(name: str, shape: Shape, siblings: Mapping[str, Shape]) -> Use:
    """What a parameter of this name is used for, in a layer with these other parameters.

    Args:
        name: the last name of its path.
        shape: its shape in one layer, without stacked axes.
        siblings: shapes of the layer's other parameters, by name.

    >>> from jinit.model.targets.roles import guess_use
    >>> guess_use("bias", (64,), {"scale": (64,)}).role
    'norm_bias'
    >>> guess_use("kernel", (3, 3, 64, 128), {}).role
    'unknown'
    """
    name = name.lower()
    others = {other.lower(): other_shape for other, other_shape in siblings.items()}
    role = _vector_role(name, shape, others)
    return _matrix_use(name, shape) if role is None else Use(role)


def _vector_role(name: str, shape: Shape, others: Mapping[str, Shape]) -> str | None:
    """The role of what is added or multiplied element by element, or None."""
    if name in _NORM_BIAS:
        return "norm_bias"
    if name in _BIAS or (name.endswith("_bias") and len(shape) == 1):
        return "norm_bias" if _is_norm(others) else "bias"
    if name in _SCALE or (name in _NORM_SCALE and (not shape or _KERNEL & others.keys())):
        return "scale"
    if name in _NORM_SCALE or (name == "weight" and len(shape) == 1):
        return "norm_scale"
    return None


def _is_norm(others: Mapping[str, Shape]) -> bool:
    """Whether a layer with these parameters beside a bias is a normalization."""
    if _KERNEL & {name for name, shape in others.items() if len(shape) > 1}:
        return False
    return bool(_NORM_SCALE & others.keys()) or len(others.get("weight", ())) == 1


def _matrix_use(name: str, shape: Shape) -> Use:
    if _EMBEDDING.fullmatch(name):
        return embedding_use(shape)
    if len(shape) != 2:
        return UNKNOWN
    if name in ("lora_a", "lora_b"):
        return DENSE._replace(role=name)
    if name in ("weight_ih", "weight_hh"):  # named by torch and Equinox, whose rows are outputs
        return DENSE_OUT_FIRST._replace(role="recurrent" if name.endswith("hh") else "dense")
    if name == "w_h":
        return DENSE._replace(role="recurrent")
    return DENSE if _MATRIX.fullmatch(name) else UNKNOWN
