"""Tensors of PyTorch as arrays: their specs, and their values or windows of these.

May import: jax, numpy, and of `jinit.pretrained` binary, errors, sources; torch within functions,
where there is a tensor already.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jinit.pretrained.binary import aligned_empty
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Array, TensorSpec, Window

__all__ = ["tensor_spec", "tensor_values"]

# By the names of torch, which are those of NumPy and JAX too.
_NUMPY = (
    "bool uint8 int8 int16 uint16 float16 int32 uint32 float32 complex64 int64 uint64 float64 "
    "complex128"
)
_JAX = "bfloat16 float8_e5m2 float8_e4m3fn float8_e4m3fnuz float8_e5m2fnuz"
_DTYPES = {name: np.dtype(name) for name in _NUMPY.split()} | {
    name: np.dtype(getattr(jnp, name)) for name in _JAX.split()
}


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
    dtype = _DTYPES.get(str(tensor.dtype).removeprefix("torch."))
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
    if dtype.name in _JAX.split():  # whose bits NumPy takes for integers
        bits = (np.uint8, torch.uint8) if dtype.itemsize == 1 else (np.int16, torch.int16)
        np.copyto(values.view(bits[0]), part.view(bits[1]).numpy())
    else:
        np.copyto(values, part.numpy())
    return values
