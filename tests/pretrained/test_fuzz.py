"""Mutated checkpoints: each is refused, or read exactly as the format's own library reads it."""

import io
import json
import struct
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import h5py
import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from flax import serialization
from pretrained.written import HAS_TORCH

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import open_source

if HAS_TORCH:
    import torch

# What headers are made of, and what breaks code that trusts them.
TOKENS = [
    *(b"0", b"-1", b"1", b"24", b"4294967296", b"9223372036854775808", b"1e400", b"NaN", b"0.5"),
    *(b"null", b"true", b'""', b"{}", b"[]", b"[[", b"}}", b'"x":', b'"dtype"', b'"shape"'),
    *(b'"F32"', b'"F64"', b'"BF16"', b'"BOOL"', b'"data_offsets"', b'"__metadata__"', b","),
    *(b"'descr'", b"'<f8'", b"'|O'", b"'<V2'", b"(3,)", b"True", b"float32", b"bfloat16", b"bool"),
    *(b"\0", b"\xff" * 4, b"\xff" * 8, b"\0\0\0\x80", b"\x80", b"\xc7", b"\xc9", b"\xdf", b"\x93"),
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"../", b"/", b"\\u0000", b"\\ud800"),
]


class Mutator:
    """Changes of bytes as damage and malice make them, of a fixed seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._kinds = [self.flip, self.write, self.cut, self.insert, self.delete, self.repeat]

    def __call__(self, content: bytes) -> bytes:
        for _ in range(1 + int(self._random.random() < 0.3)):
            content = self._kinds[self._random.integers(len(self._kinds))](content)
        return content

    def place(self, content: bytes) -> int:
        """A place in the content, more often near its beginning, where headers are."""
        end = len(content) if self._random.random() < 0.4 else min(len(content), 256)
        return int(self._random.integers(end)) if end else 0

    def flip(self, content: bytes) -> bytes:
        place = self.place(content)
        return self._put(content, place, 1, bytes([content[place] ^ 1 << self._below(8)]))

    def write(self, content: bytes) -> bytes:
        token = TOKENS[self._below(len(TOKENS))]
        return self._put(content, self.place(content), len(token), token)

    def cut(self, content: bytes) -> bytes:
        return content[: max(1, self.place(content))]

    def insert(self, content: bytes) -> bytes:
        return self._put(content, self.place(content), 0, TOKENS[self._below(len(TOKENS))])

    def delete(self, content: bytes) -> bytes:
        return self._put(content, self.place(content), 1 + self._below(8), b"") or b"\0"

    def repeat(self, content: bytes) -> bytes:
        place, length = self.place(content), 1 + self._below(64)
        return self._put(content, place, 0, content[place : place + length])

    def _below(self, end: int) -> int:
        return int(self._random.integers(end))

    @staticmethod
    def _put(content: bytes, place: int, length: int, new: bytes) -> bytes:
        return content[:place] + new + content[place + length :]


# --- Formats, each with a library that says what a file holds -------------------------------


GENERATOR = np.random.default_rng(0)
TENSORS = {
    "a/kernel": GENERATOR.random((3, 2), dtype=np.float32),
    "brain": GENERATOR.random(4).astype(ml_dtypes.bfloat16),
    "flags": np.array([True, False, True]),
    "steps": np.asarray(7, np.int64),
}


def safetensors_file() -> bytes:
    return safetensors.numpy.save(TENSORS, {"format": "np"})


def read_safetensors(content: bytes) -> dict[str, bytes]:
    return {name: bytes(each["data"]) for name, each in safetensors.deserialize(content)}


def safetensors_reframed(mutate: Callable[[bytes], bytes]) -> bytes:
    """A mutated header whose length is right, so that it is the header that is at fault."""
    content = safetensors_file()
    (length,) = struct.unpack("<Q", content[:8])
    header = mutate(content[8 : 8 + length])
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def npz_file() -> bytes:
    file = io.BytesIO()
    np.savez(file, **TENSORS)
    return file.getvalue()


def deflated_file() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **TENSORS)
    return file.getvalue()


def read_npz(content: bytes) -> dict[str, bytes]:
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        return {name: as_bytes(loaded[name]) for name in loaded.files}


def npy_file() -> bytes:
    file = io.BytesIO()
    np.save(file, TENSORS["a/kernel"].T)
    return file.getvalue()


def read_npy(content: bytes) -> dict[str, bytes]:
    return {"fuzzed": as_bytes(np.load(io.BytesIO(content), allow_pickle=False))}


def msgpack_file() -> bytes:
    nested = {"a": {"kernel": TENSORS["a/kernel"]}, "count": 3, "text": "none"}
    return serialization.msgpack_serialize({**nested, **dict(list(TENSORS.items())[1:])})


def read_msgpack(content: bytes) -> dict[str, bytes]:
    return dict(arrays_in(serialization.msgpack_restore(content), ""))


def arrays_in(node, path: str) -> Iterator[tuple[str, bytes]]:
    if isinstance(node, (np.ndarray, np.generic)):
        yield path, as_bytes(np.asarray(node))
    elif isinstance(node, dict):
        for key, value in node.items():
            key = key.decode() if isinstance(key, bytes) else key
            yield from arrays_in(value, f"{path}/{key}" if path else str(key))
    elif isinstance(node, list):
        yield from arrays_in({str(i): value for i, value in enumerate(node)}, path)


def as_bytes(value: np.ndarray) -> bytes:
    native = value.astype(value.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(native).tobytes()


class Format(NamedTuple):
    """How a sound file is made, and how the format's own library reads one."""

    content: bytes
    read: Callable[[bytes], dict[str, bytes]]


def hdf5_file() -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made["a/kernel"] = TENSORS["a/kernel"]
        made.create_dataset("packed", data=np.arange(400.0).reshape(20, 20), compression="gzip")
        made["text"] = "none"
    return file.getvalue()


def read_hdf5(content: bytes) -> dict[str, bytes]:
    with tempfile.NamedTemporaryFile() as copy:  # in memory, another driver would read it
        copy.write(content)
        copy.flush()
        with h5py.File(copy.name) as file:
            return dict(datasets_in(file, ""))


def datasets_in(group, path: str) -> Iterator[tuple[str, bytes]]:
    for key, node in group.items():
        if isinstance(node, h5py.Group):
            yield from datasets_in(node, f"{path}{key}/")
        elif node.dtype.kind in "biufc":
            yield path + key, as_bytes(np.asarray(node[()]))


def torch_file() -> bytes:
    file = io.BytesIO()
    torch.save({"a": {"kernel": torch.arange(6.0).reshape(3, 2)}, "epoch": 3}, file)
    return file.getvalue()


def read_torch(content: bytes) -> dict[str, bytes]:
    loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return dict(arrays_in(jax.tree.map(as_numpy, loaded), ""))


def as_numpy(leaf):
    return leaf.numpy() if isinstance(leaf, torch.Tensor) else None


FORMATS = {
    "safetensors": Format(safetensors_file(), read_safetensors),
    "npz": Format(npz_file(), read_npz),
    "deflated": Format(deflated_file(), read_npz),
    "npy": Format(npy_file(), read_npy),
    "msgpack": Format(msgpack_file(), read_msgpack),
}
# Read by their own libraries, which take longer to say no.
BORROWED = {"hdf5": Format(hdf5_file(), read_hdf5)}
if HAS_TORCH:
    BORROWED["torch"] = Format(torch_file(), read_torch)


@pytest.fixture
def file(tmp_path):
    """A file that is written anew for each mutation; to make it anew would take longer."""
    with open(tmp_path / "fuzzed", "w+b", buffering=0) as opened:
        yield opened


def outcome(file, content: bytes, read: Callable[[bytes], dict[str, bytes]]) -> str:
    """What becomes of a file: "refused", or "read", and then to the bit as its library reads it."""
    file.seek(0)
    file.write(content)
    file.truncate()
    try:
        with open_source(file.name) as source:
            found = {name: (source[name], source.read(name)) for name in source}
    except CheckpointError:
        return "refused"
    for spec, values in found.values():
        assert (values.shape, values.dtype) == (spec.shape, spec.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = read(content)
    assert {name: as_bytes(values) for name, (_, values) in found.items()} == expected
    return "read"


def run(file, formats: dict[str, Format], count: int, seed: int) -> dict[str, Counter]:
    """Outcomes by format, of so many mutations of each."""
    mutate = Mutator(seed)
    outcomes: dict[str, Counter] = {name: Counter() for name in formats}
    for name, (content, read) in formats.items():
        for _ in range(count):
            outcomes[name][outcome(file, mutate(content), read)] += 1
    return outcomes


def run_headers(file, count: int, seed: int) -> dict[str, Counter]:
    """The same of safetensors whose header alone is at fault."""
    mutate, counted = Mutator(seed), Counter()
    for _ in range(count):
        counted[outcome(file, safetensors_reframed(mutate), read_safetensors)] += 1
    return {"headers": counted}


def assert_both_happen(outcomes: dict[str, Counter], count: int) -> None:
    for name, counted in outcomes.items():
        assert counted.total() == count, name
        assert counted["refused"] > count * 0.2, (name, counted)
        assert counted["read"] > count * 0.001, (name, counted)


@pytest.mark.parametrize("name", [*FORMATS, *BORROWED])
def test_sound_files_are_read(name, file):
    assert outcome(file, *(FORMATS | BORROWED)[name]) == "read"


def test_some_mutations(file):
    count = 700
    assert_both_happen(run(file, FORMATS, count, seed=0), count)
    assert_both_happen(run_headers(file, count, seed=0), count)


@pytest.mark.slow
def test_100_000_mutations(file):
    count = 17_000  # of each of six
    assert_both_happen(run(file, FORMATS, count, seed=1), count)
    assert_both_happen(run_headers(file, count, seed=1), count)


@pytest.mark.slow
def test_mutations_of_what_other_libraries_read(file):
    count = 1000
    assert_both_happen(run(file, BORROWED, count, seed=2), count)


def test_the_comparison_can_fail(file):
    content = FORMATS["safetensors"].content
    other = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(AssertionError):
        outcome(file, content, lambda _: read_safetensors(other))


INDEX = {"metadata": {"total_size": 9}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}


def test_mutated_indices(file, tmp_path):
    """An index names only files beside it, whatever is in it."""
    for name in ("a", "b"):
        safetensors.numpy.save_file({name: np.ones(2)}, tmp_path / f"{name}.safetensors")
    mutate, counted = Mutator(2), Counter()
    for _ in range(1000):
        file.seek(0)
        file.write(mutate(json.dumps(INDEX).encode()))
        file.truncate()
        try:
            with open_source(file.name) as source:
                assert set(source) == {"a", "b"}
                counted["read"] += 1
        except CheckpointError:
            counted["refused"] += 1
    assert counted["read"] > 30
    assert counted["refused"] > 150
