"""PyTorch's `.pt`, `.pth` and `.bin`: tensors in dicts, read by torch without running any code.

May import: the standard library, and of `jinit.pretrained` errors, sources, and npz, torch_tensors;
torch within functions.
"""

import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.formats.npz import open_zip
from jinit.pretrained.formats.torch_tensors import tensor_spec, tensor_values
from jinit.pretrained.sources import Array, Source, Window

__all__ = ["TorchSource"]

_DEEPEST = 64


class TorchSource(Source):
    """One file of PyTorch's; what is no tensor in it is left out.

    Files since torch 1.6 are mapped, so that only what is read takes memory; older ones are
    loaded as a whole.
    """

    fresh = True

    def __init__(self, path: str) -> None:
        self._tensors = _tensors(_loaded(path), path)
        specs = {name: tensor_spec(tensor, path, name) for name, tensor in self._tensors.items()}
        super().__init__(specs, f"{Path(path).name} (torch)")

    def _read(self, name: str, window: Window | None) -> Array:
        return tensor_values(self._tensors[name], self[name].dtype, window)

    def close(self) -> None:
        """Let go of the tensors, and so of the file."""
        self._tensors = {}


def _loaded(path: str) -> Any:
    """What torch reads of a file without unpickling anything but tensors and their containers."""
    import torch

    if path.endswith(".safetensors"):  # torch goes by this name, whatever the content
        raise CheckpointError(path, "is a file of PyTorch's by its content; rename it to .pt")
    mapped = zipfile.is_zipfile(path)
    if mapped:
        open_zip(path).close()  # which checks it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of content that is refused or left out anyway
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises whatever the content makes go wrong
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            path, f"is not what torch.load(weights_only=True) reads: {first}"
        ) from error


def _tensors(content: Any, path: str) -> dict[str, Any]:
    """The tensors by their names."""
    import torch

    found: dict[str, Any] = {}
    for name, leaf in _named(content, (), path):
        if isinstance(leaf, torch.Tensor):
            if name in found:
                raise CheckpointError(path, "is there twice", name)
            found[name] = leaf
    return found


def _named(node: Any, parts: tuple[str, ...], path: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested dicts and lists, each with its path."""
    if len(parts) > _DEEPEST:
        raise CheckpointError(path, f"is nested more than {_DEEPEST} deep")
    if isinstance(node, Mapping):
        items = list(node.items())
    elif isinstance(node, (list, tuple)):
        items = list(enumerate(node))
    else:
        yield "/".join(parts), node
        return
    for key, value in items:
        yield from _named(value, (*parts, str(key)), path)
