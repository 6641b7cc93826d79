"""One set of tensors, written in every format by the library that the format is of."""

import importlib.util
import json
import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
GENERATOR = np.random.default_rng(0)


def tensors() -> dict[str, np.ndarray]:
    """Tensors by names of which no format makes more than names."""
    kernel = GENERATOR.normal(size=(6, 8, 5)).astype(np.float32)
    return {
        "kernel": kernel,
        "half": kernel.astype(np.float16),
        "brain": kernel[0].astype(ml_dtypes.bfloat16),
        "flags": kernel[1] > 0,
        "steps": np.asarray(7, np.int64),
        "wide": kernel[:, 0].astype(np.float64),
        "bytes": np.arange(16, dtype=np.uint8).reshape(4, 4),
    }


def write_safetensors(path: Path, content: dict[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    save_file(content, path, metadata={"format": "np"})


def write_shards(path: Path, content: dict[str, np.ndarray]) -> None:
    """An index and two files of safetensors."""
    names = sorted(content)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        write_safetensors(path.parent / file, {name: content[name] for name in part})
    index = {name: file for file, part in parts.items() for name in part}
    path.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": index}))


def write_npz(path: Path, content: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez(file, **content)


def write_compressed(path: Path, content: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **content)


def write_flax(path: Path, content: dict[str, np.ndarray]) -> None:
    from flax import serialization

    path.write_bytes(serialization.to_bytes({**content, "text": "no array", "count": 3}))


def write_hdf5(path: Path, content: dict[str, np.ndarray]) -> None:
    """As Keras does: bfloat16 as two bytes, and an attribute that says so."""
    import h5py

    with h5py.File(path, "w") as file:
        for name, value in content.items():
            dataset = file.create_dataset(name, data=value)
            if value.dtype == ml_dtypes.bfloat16:
                dataset.attrs["dtype"] = "bfloat16"
        file["text"] = "no array"


def as_torch(value: np.ndarray):
    import torch

    if value.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(value.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(value.copy())


def write_torch(path: Path, content: dict[str, np.ndarray], *, zipped: bool = True) -> None:
    import torch

    state = {name: as_torch(value) for name, value in content.items()}
    torch.save({**state, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)


def write_legacy_torch(path: Path, content: dict[str, np.ndarray]) -> None:
    write_torch(path, content, zipped=False)


def write_orbax(path: Path, content: dict[str, np.ndarray], *, use_ocdbt: bool = True) -> None:
    import orbax.checkpoint as ocp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=use_ocdbt)) as writer:
            writer.save(path, args=ocp.args.PyTreeSave(content))


# By the name of the file, what writes it and how its format is called.
WRITERS = {
    "model.safetensors": (write_safetensors, "safetensors"),
    "model.safetensors.index.json": (write_shards, "2 files"),
    "model.npz": (write_npz, "npz"),
    "small.npz": (write_compressed, "npz"),
    "model.msgpack": (write_flax, "msgpack"),
    "model.weights.h5": (write_hdf5, "hdf5"),
    "orbax": (write_orbax, "orbax"),
}
if HAS_TORCH:
    WRITERS |= {"model.pt": (write_torch, "torch"), "old.pth": (write_legacy_torch, "torch")}


def write_all(directory: Path, content: dict[str, np.ndarray]) -> dict[str, Path]:
    """Every format's checkpoint, each in a directory of its own, by its name."""
    paths = {}
    for name, (write, _) in WRITERS.items():
        place = directory / name.replace(".", "_")
        place.mkdir()
        write(place / name, content)
        paths[name] = place / name
    return paths
