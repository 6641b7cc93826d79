"""Checkpoints written: each format's own library reads them, and no failure leaves a trace."""

import itertools
import sys
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import serialization

from jinit.pretrained.converting import Converted, convert
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.extras import MissingPackageError
from jinit.pretrained.sources import open_source

GENERATOR = np.random.default_rng(0)
KERNEL = GENERATOR.normal(size=(4, 6)).astype(np.float32)
TREE = {
    "block": {"kernel": KERNEL, "brain": KERNEL.astype(ml_dtypes.bfloat16), "t": KERNEL.T},
    "flags": np.array([True, False]),
    "steps": np.asarray(7, np.int64),
    "big": np.arange(5, dtype=">i4"),
}
FORMATS = ("model.safetensors", "model.npz", "model.msgpack", "model.orbax", "directory")


def assert_holds(source, expected):
    """The tensors of another source, to the bit."""
    assert set(source) == set(expected)
    for name, spec in expected.items():
        assert source[name].shape == spec.shape
        assert source[name].dtype == spec.dtype.newbyteorder("=")
        values = expected.read(name).astype(source[name].dtype)
        assert source.read(name).tobytes() == np.ascontiguousarray(values).tobytes()


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """One checkpoint of each format."""
    directory = tmp_path_factory.mktemp("converted")
    for name in FORMATS:
        convert(TREE, directory / name)
    return {name: directory / name for name in FORMATS}


@pytest.mark.parametrize(("first", "second"), [*itertools.product(FORMATS[:-1], repeat=2)])
def test_from_each_to_each(first, second, paths, tmp_path):
    made = convert(paths[first], tmp_path / second)
    assert made == Converted(
        str(tmp_path / second), second.split(".")[1], 6, 96 + 48 + 96 + 2 + 8 + 20
    )
    with open_source(tmp_path / second) as found:
        assert_holds(found, open_source(TREE))


def test_safetensors_reads_it(paths):
    loaded = safetensors.numpy.load_file(paths["model.safetensors"])
    for name, value in {"block/kernel": KERNEL, "block/t": KERNEL.T}.items():
        assert np.array_equal(loaded[name], value)
    assert loaded["block/brain"].dtype == ml_dtypes.bfloat16
    assert np.array_equal(loaded["big"], np.arange(5, dtype=np.int32))


def test_safetensors_lies_aligned(tmp_path):
    odd = {"a": np.ones(3, np.uint8), "b": np.ones(1), "c": np.ones(1, np.float16)}
    convert(odd, tmp_path / "m.safetensors")
    with open_source(tmp_path / "m.safetensors") as source:
        assert list(source) == ["b", "c", "a"]
        assert source._data % 8 == 0


def test_metadata_is_kept(tmp_path):
    safetensors.numpy.save_file({"x": KERNEL}, tmp_path / "a.safetensors", {"format": "pt"})
    convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    with open_source(tmp_path / "b.safetensors") as source:
        assert source.metadata == {"format": "pt"}


def test_flax_reads_it(paths):
    restored = serialization.msgpack_restore(paths["model.msgpack"].read_bytes())
    assert np.array_equal(restored["block"]["kernel"], KERNEL)
    assert restored["block"]["brain"].dtype == ml_dtypes.bfloat16
    assert np.array_equal(restored["flags"], [True, False])


def test_flax_reads_arrays_in_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("jinit.pretrained.writers.msgpack.LONGEST_CHUNK", 30)
    convert(TREE, tmp_path / "m.msgpack")
    content = (tmp_path / "m.msgpack").read_bytes()
    assert content.count(b"__msgpack_chunked_array__") == 3  # those of more than 30 bytes
    restored = serialization.msgpack_restore(content)
    assert np.array_equal(restored["block"]["t"], KERNEL.T)
    with open_source(tmp_path / "m.msgpack") as found:
        assert_holds(found, open_source(TREE))


def test_numpy_reads_it(paths):
    with np.load(paths["model.npz"]) as loaded:
        assert np.array_equal(loaded["block/t"], KERNEL.T)
        assert loaded["block/brain"].tobytes() == TREE["block"]["brain"].tobytes()


def test_orbax_reads_it(paths):
    import warnings

    import orbax.checkpoint as ocp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
            restored = reader.restore(paths["model.orbax"])
    assert np.array_equal(restored["block"]["kernel"], KERNEL)


@pytest.mark.parametrize("name", ["m.safetensors", "m.npz", "m.msgpack"])
def test_tensors_are_written_one_by_one(name, tmp_path):
    values = np.zeros(1 << 20, np.float32)
    convert({f"t{i}": values for i in range(4)}, tmp_path / "a.safetensors")
    tracemalloc.start()
    try:
        convert(tmp_path / "a.safetensors", tmp_path / name, overwrite=True)
        assert tracemalloc.get_traced_memory()[1] < 2 * values.nbytes + (2 << 20)
    finally:
        tracemalloc.stop()


# --- Names and formats ----------------------------------------------------------------------


def test_the_format_can_be_named(tmp_path):
    assert convert(TREE, tmp_path / "m.ckpt", format="npz").format == "npz"
    with pytest.raises(ValueError, match=r"'m\.ckpt' has suffix '\.ckpt', which is no format that"):
        convert(TREE, tmp_path / "m.ckpt", overwrite=True)
    with pytest.raises(ValueError, match=r"`format` \(='npy'\) must be one of 'msgpack', 'npz'"):
        convert(TREE, tmp_path / "m", format="npy")


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_there_stays(name, paths, tmp_path):
    convert({"old": KERNEL}, tmp_path / name)
    with pytest.raises(FileExistsError, match=rf"there is something at '.*{name}'; choose another"):
        convert(TREE, tmp_path / name)
    with open_source(tmp_path / name) as source:
        assert list(source) == ["old"]
    convert(tmp_path / name, tmp_path / name, overwrite=True)  # from itself
    convert(TREE, tmp_path / name, overwrite=True)
    with open_source(tmp_path / name) as source:
        assert_holds(source, open_source(TREE))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no directory '.*nowhere'; create it"):
        convert(TREE, tmp_path / "nowhere" / "m.npz")


FLOAT8 = {"x": np.ones(2, ml_dtypes.float8_e4m3fn)}


@pytest.mark.parametrize(
    ("tree", "name", "message"),
    [
        (FLOAT8, "m.npz", "'x' is float8_e4m3fn, which npz cannot hold; cast it first"),
        ({"x": np.ones(2, complex)}, "m.safetensors", "'x' is complex128, which safetensors can"),
        ({"../x": KERNEL}, "m.npz", r"'\.\./x' cannot be a member's name in an archive"),
        ({"/x": KERNEL}, "m.npz", "'/x' cannot be a member's name in an archive"),
        ({"a.b": KERNEL, "a": {"b": KERNEL}}, "m.orbax", "by the same name as tensor 'a(.|/)b'"),
        ({"x": np.ones((0, 3))}, "m.orbax", r"'x' is float64\[0,3\], which Orbax cannot hold"),
    ],
)
def test_what_a_format_cannot_hold(tree, name, message, tmp_path):
    with pytest.raises(CheckpointError, match=f"dict in memory: tensor .*{message}"):
        convert(tree, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_tensor_within_a_tensor(tmp_path):
    safetensors.numpy.save_file({"a": KERNEL, "a/b": KERNEL}, tmp_path / "m.safetensors")
    message = "tensor 'a/b' would lie within tensor 'a'|tensor 'a' has its name from a group"
    for name in ("m.msgpack", "m.orbax"):
        with pytest.raises(CheckpointError, match=message):
            convert(tmp_path / "m.safetensors", tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_source_leaves_nothing(paths, tmp_path):
    content = bytearray(paths["model.npz"].read_bytes())
    place = content.index(KERNEL.tobytes())
    content[place] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match="'block/kernel' is a damaged zip archive: Bad CRC"):
        convert(tmp_path / "a.npz", tmp_path / "b.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_what_was_written_is_looked_at(tmp_path, monkeypatch):
    def write_npz(source, file, done):
        np.savez(file, other=KERNEL)

    monkeypatch.setattr("jinit.pretrained.writers.npz.write_npz", write_npz)
    with pytest.raises(CheckpointError, match="is not what dict in memory is; it was not kept"):
        convert(TREE, tmp_path / "m.npz")
    assert not list(tmp_path.iterdir())


def test_orbax_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    message = r"writing Orbax checkpoints needs orbax-checkpoint, .* \"jinit\[pretrained\]\""
    with pytest.raises(MissingPackageError, match=message):
        convert(TREE, tmp_path / "m.orbax")
