"""Tensors of PyTorch as arrays: their specs, and their values or windows of these.

May import: numpy, and of `jinit.pretrained` binary, dtypes, errors, sources; torch within
functions, where there is a tensor already.
"""

from typing import Any

import numpy as np

from jinit.pretrained.binary import aligned_empty
from jinit.pretrained.dtypes import DTYPES, JAX_ONLY
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Array, TensorSpec, Window

__all__ = ["tensor_spec", "tensor_values"]


def tensor_spec(tensor: Any, file: str, name: str) -> TensorSpec:
    """Shape and dtype of a tensor.

    Raises:
        jinit.pretrained.CheckpointError: it is none of plain numbers, one after the other.
    """
    layout = str(tensor.layout).removeprefix("torch.")
    if layout != "strided" or tensor.is_quantized or tensor.is_nested:
        kind = "quantized" if tensor.is_quantized else "nested" if tensor.is_nested else layout
        raise CheckpointError(file, f"is {kind}; make it dense before it is saved", name)
    if tensor.is_meta:
        raise CheckpointError(file, "has no values, being on the meta device", name)
    dtype = DTYPES.get(str(tensor.dtype).removeprefix("torch."))
    if dtype is None:
        raise CheckpointError(file, f"has dtype {tensor.dtype}, which JAX lacks", name)
    spec = TensorSpec(tuple(tensor.shape), dtype)
    stored = tensor.untyped_storage().nbytes()
    if spec.nbytes > stored:
        reason = f"is {spec} made of {stored:,} bytes, repeated; call .contiguous() and save it"
        raise CheckpointError(file, reason, name)
    return spec


def tensor_values(tensor: Any, dtype: np.dtype[Any], window: Window | None) -> Array:
    """The values of a tensor, or of a window of it, in memory of their own."""
    import torch

    part = tensor.detach() if window is None else tensor.detach()[window]
    part = part.resolve_conj().resolve_neg().cpu()
    values = aligned_empty(tuple(part.shape), dtype)
    if dtype.name in JAX_ONLY:  # whose bits NumPy takes for integers
        bits = (np.uint8, torch.uint8) if dtype.itemsize == 1 else (np.int16, torch.int16)
        np.copyto(values.view(bits[0]), part.view(bits[1]).numpy())
    else:
        np.copyto(values, part.numpy())
    return values
