"""Checkpoints read: every format against the library that wrote it, whole and in windows."""

import json
import os
import shutil
import sys
import threading
import tracemalloc

import equinox as eqx
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import linen as nn
from flax import nnx
from pretrained.written import (
    HAS_TORCH,
    WRITERS,
    as_torch,
    needs_torch,
    tensors,
    write_all,
    write_orbax,
    write_safetensors,
)

from jinit.pretrained.binary import aligned_empty
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.extras import MissingPackageError
from jinit.pretrained.sources import Source, TensorSpec, open_source

if HAS_TORCH:
    import torch

CONTENT = tensors()
SHARDED = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("checkpoints"), CONTENT)


every_format = pytest.mark.parametrize("name", WRITERS)


def assert_same(found, expected):
    """Equal to the bit, NaN or not."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.ascontiguousarray(found).tobytes() == np.ascontiguousarray(expected).tobytes()


def window_of(generator, shape):
    """A window at random: of some axes, of none, of nothing."""
    edges = [sorted(generator.integers(0, n + 1, 2)) for n in shape]
    cuts = [slice(int(a), int(b)) if generator.random() < 0.7 else slice(None) for a, b in edges]
    return tuple(cuts[: generator.integers(0, len(shape) + 1)])


# --- Every format ---------------------------------------------------------------------------


@every_format
def test_reads_what_was_written(name, paths):
    with open_source(paths[name]) as source:
        assert set(source) == set(CONTENT)
        for tensor, value in CONTENT.items():
            assert source[tensor] == TensorSpec(value.shape, value.dtype)
            assert_same(source.read(tensor), value)


@every_format
def test_reads_windows(name, paths):
    generator = np.random.default_rng(1)
    with open_source(paths[name]) as source:
        for tensor in ("kernel", "brain", "flags", "steps"):
            for _ in range(25):
                window = window_of(generator, CONTENT[tensor].shape)
                assert_same(source.read(tensor, window), CONTENT[tensor][window])


@every_format
def test_values_are_for_jax_to_use_in_place(name, paths):
    with open_source(paths[name]) as source:
        values = source.read("kernel")
        window = source.read("kernel", (slice(1, 3),))
    assert not values.flags.writeable
    assert not window.flags.writeable
    assert jax.device_put(values).unsafe_buffer_pointer() == values.ctypes.data
    assert jax.device_put(window).unsafe_buffer_pointer() == window.ctypes.data


@every_format
def test_says_what_it_is(name, paths):
    with open_source(paths[name]) as source:
        assert source.description == f"{name} ({WRITERS[name][1]})"
        assert repr(source) == f"<Source: {source.description}, 7 tensors>"
        assert source.nbytes == sum(value.nbytes for value in CONTENT.values())
        lines = str(source).splitlines()
        assert lines[-1] == f"{source.description}: 7 tensors, 1.8 KiB"
        (row,) = [line.split() for line in lines if line.startswith("kernel")]
        assert row == ["kernel", "6x8x5", "float32", "960", "B"]
        assert "<td" in source._repr_html_()


@pytest.mark.parametrize("name", [n for n in WRITERS if n not in ("orbax", SHARDED)])
def test_the_content_counts_and_not_the_name(name, paths, tmp_path):
    for suffix in (".safetensors", ".npz", ".bin", ""):
        other = tmp_path / f"renamed{suffix}"
        shutil.copy(paths[name], other)
        if suffix == ".safetensors" and WRITERS[name][1] == "torch":
            with pytest.raises(CheckpointError, match=r"by its content; rename it to \.pt"):
                open_source(other)
            continue
        with open_source(other) as source:
            assert_same(source.read("kernel"), CONTENT["kernel"])


@pytest.mark.parametrize(
    ("error", "window", "message"),
    [
        (ValueError, (slice(None),) * 4, "has 4 slices; 'kernel' has 3 axes"),
        (ValueError, (slice(0, 6, 2),), "'kernel' has a step of 2; windows have steps of 1"),
        (ValueError, (slice(None, None, -1),), "has a step of -1"),
    ],
)
def test_windows_that_are_none(error, window, message, paths):
    with open_source(paths["model.npz"]) as source, pytest.raises(error, match=message):
        source.read("kernel", window)


@every_format
def test_a_name_that_is_not_there(name, paths):
    with open_source(paths[name]) as source:
        assert "kernels" not in source
        with pytest.raises(KeyError, match=r"'kernels' is no tensor of .* did you mean 'kernel'"):
            source.read("kernels")


# --- Lazily ---------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch):
    """Bytes of each read of a file."""
    counted = []
    preadv = os.preadv

    def counting(descriptor, buffers, offset):
        count = preadv(descriptor, buffers, offset)
        counted.append(count)
        return count

    monkeypatch.setattr(os, "preadv", counting)
    return counted


def test_a_tensor_is_read_alone(tmp_path, reads):
    write_safetensors(tmp_path / "m.safetensors", {f"t{i}": CONTENT["kernel"] for i in range(9)})
    with open_source(tmp_path / "m.safetensors") as source:
        header = sum(reads)
        assert header < 2000
        source.read("t3")
        assert sum(reads) - header == CONTENT["kernel"].nbytes


@pytest.mark.parametrize("name", ["model.safetensors", "model.msgpack"])
def test_shards_read_each_byte_once(name, paths, reads):
    mesh = jax.make_mesh((2,), ("x",))
    sharding = jax.NamedSharding(mesh, jax.P("x"))
    with open_source(paths[name]) as source:
        before = sum(reads)
        value = jax.make_array_from_callback(
            (6, 8, 5), sharding, lambda index: source.read("kernel", index)
        )
        jax.block_until_ready(value)
        assert sum(reads) - before == CONTENT["kernel"].nbytes
    assert_same(np.asarray(value), CONTENT["kernel"])


@pytest.mark.parametrize("name", ["model.safetensors", "model.msgpack"])
def test_memory_is_that_of_the_tensor(name, tmp_path):
    values = np.zeros((1 << 20,), np.float32)
    WRITERS[name][0](tmp_path / name, {f"t{i}": values for i in range(4)})
    tracemalloc.start()
    try:
        with open_source(tmp_path / name) as source:
            assert tracemalloc.get_traced_memory()[1] < 1 << 20  # opened, and nothing read
            for tensor in source:
                source.read(tensor)
            assert tracemalloc.get_traced_memory()[1] < values.nbytes + (1 << 20)
    finally:
        tracemalloc.stop()


def test_a_whole_tensor_is_decoded_once_for_its_windows(tmp_path, monkeypatch):
    WRITERS["small.npz"][0](tmp_path / "m.npz", {"a": CONTENT["kernel"], "b": CONTENT["half"]})
    with open_source(tmp_path / "m.npz") as source:
        decoded = []
        whole = source._whole
        monkeypatch.setattr(source, "_whole", lambda name: decoded.append(name) or whole(name))
        for tensor in ("a", "b"):
            for row in range(6):
                source.read(tensor, (slice(row, row + 1),))
        assert decoded == ["a", "b"]


def test_threads_read_at_once(paths):
    with open_source(paths["model.safetensors"]) as source:
        wrong = []

        def read(column):
            for _ in range(50):
                window = (slice(None), slice(column, column + 1))
                if not np.array_equal(source.read("kernel", window), CONTENT["kernel"][window]):
                    wrong.append(column)

        threads = [threading.Thread(target=read, args=(column,)) for column in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_reads_without_preadv(paths, monkeypatch):
    monkeypatch.delattr(os, "preadv")
    with open_source(paths["model.safetensors"]) as source:
        for tensor, value in CONTENT.items():
            assert_same(source.read(tensor), value)


@pytest.mark.parametrize("window", [None, (slice(None), slice(1, 3))])
def test_a_file_cut_off_after_it_was_opened(window, paths, tmp_path):
    shutil.copy(paths["model.safetensors"], tmp_path / "m.safetensors")
    with open_source(tmp_path / "m.safetensors") as source:
        os.truncate(tmp_path / "m.safetensors", 700)
        with pytest.raises(CheckpointError, match=r"was cut off at|has been cut off since"):
            source.read("half", window)


# --- Details of formats ---------------------------------------------------------------------


def test_safetensors_has_the_file_s_order_and_metadata(paths):
    with open_source(paths["model.safetensors"]) as source:
        order = sorted(CONTENT, key=lambda name: (-CONTENT[name].dtype.itemsize, name))
        assert [source[name].dtype.itemsize for name in source] == [
            CONTENT[name].dtype.itemsize for name in order
        ]
        assert source.metadata == {"format": "np"}


DTYPES = {
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu"},
    **{"F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "C64": "complex64"},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"},
}


@pytest.mark.parametrize("name", DTYPES)
def test_safetensors_of_every_dtype(name, tmp_path):
    bits = np.arange(1, 25, dtype=np.uint8)
    value = bits.view(getattr(ml_dtypes, DTYPES[name], None) or np.dtype(DTYPES[name]))
    header = {"x": {"dtype": name, "shape": [len(value)], "data_offsets": [0, 24]}}
    content = json.dumps(header).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(content).to_bytes(8, "little") + content + bits.tobytes())
    with open_source(path) as source:
        assert_same(source.read("x"), value)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">i8", "<c16", "|b1"])
def test_npy_in_any_order(order, dtype, tmp_path):
    value = np.asarray(np.arange(24).reshape(2, 3, 4) % 5, dtype=dtype, order=order)
    np.save(tmp_path / "table.npy", value)
    np.savez(tmp_path / "table.npz", table=value)
    native = value.astype(value.dtype.newbyteorder("="))
    for file in ("table.npy", "table.npz"):
        with open_source(tmp_path / file) as source:
            assert list(source) == ["table"]
            assert_same(source.read("table"), native)
            cut = (slice(0, 2), slice(1, 3), slice(2, 4))
            assert_same(source.read("table", cut), native[cut])


def test_flax_arrays_in_chunks(tmp_path, monkeypatch):
    from flax import serialization

    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 100)
    content = {"layer": {"kernel": CONTENT["kernel"], "steps": CONTENT["steps"]}}
    (tmp_path / "m.msgpack").write_bytes(serialization.msgpack_serialize(content))
    with open_source(tmp_path / "m.msgpack") as source:
        assert list(source) == ["layer/kernel", "layer/steps"]
        assert_same(source.read("layer/kernel"), CONTENT["kernel"])
        cut = (slice(2, 4), slice(None), slice(1, 2))
        assert_same(source.read("layer/kernel", cut), CONTENT["kernel"][cut])


def test_flax_scalars_and_lists(tmp_path):
    from flax import serialization

    content = {"a": [np.float32(2), np.arange(3)], "z": 1 + 2j, "n": {"i": -7, "f": 1.5, "x": None}}
    (tmp_path / "m.msgpack").write_bytes(serialization.msgpack_serialize(content))
    with open_source(tmp_path / "m.msgpack") as source:
        assert list(source) == ["a/0", "a/1"]
        assert_same(source.read("a/0"), np.asarray(2, np.float32))


@needs_torch
def test_torch_of_nested_dicts(tmp_path):
    linear = torch.nn.Linear(3, 2)
    state = {"model": linear.state_dict(), "moments": [torch.zeros(2), (torch.ones(1).half(),)]}
    torch.save(state, tmp_path / "m.pt")
    with open_source(tmp_path / "m.pt") as source:
        assert list(source) == ["model/weight", "model/bias", "moments/0", "moments/1/0"]
        assert_same(source.read("model/weight"), linear.weight.detach().numpy())


@needs_torch
def test_torch_views_and_8_bits(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    small = base.to(torch.float8_e5m2)
    torch.save({"t": base.T, "part": base[1:3, ::2], "small": small}, tmp_path / "m.pt")
    with open_source(tmp_path / "m.pt") as source:
        assert_same(source.read("t", (slice(1, 3),)), base.T[1:3].numpy())
        assert_same(source.read("part"), base[1:3, ::2].numpy())
        expected = base.numpy().astype(ml_dtypes.float8_e5m2)
        assert_same(source.read("small"), expected)


def test_orbax_managers_steps_and_lists(tmp_path):
    tree = {"a.b": {"c": CONTENT["kernel"]}, "list": [CONTENT["wide"], {"x": CONTENT["brain"]}]}
    for step in (3, 12):
        write_orbax(tmp_path / "run" / str(step) / "default", tree)
    with open_source(tmp_path / "run" / "12") as source:
        assert set(source) == {"a.b/c", "list/0", "list/1/x"}
        assert_same(source.read("list/1/x"), CONTENT["brain"])
        assert_same(source.read("a.b/c", (slice(1, 2),)), CONTENT["kernel"][1:2])
    write_orbax(tmp_path / "run" / "3" / "ema", tree)
    with pytest.raises(CheckpointError, match=r"3: holds trees; open one of them, such as .*ema"):
        open_source(tmp_path / "run" / "3")


def test_directories(paths, tmp_path):
    with open_source(paths["model.npz"].parent) as source:
        assert source.description == "model.npz (npz)"
    with open_source(paths["model.safetensors.index.json"].parent) as source:
        assert source.description == "model.safetensors.index.json (2 files)"
    with pytest.raises(CheckpointError, match="has no checkpoint in it; formats are safetensors"):
        open_source(tmp_path)
    for name in ("a.npz", "b.npz"):
        shutil.copy(paths["model.npz"], tmp_path / name)
    with pytest.raises(
        CheckpointError, match=r"has several checkpoints; open one of a\.npz, b\.npz"
    ):
        open_source(tmp_path)


@pytest.mark.slow
def test_keras_itself(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = [keras.layers.Dense(3), keras.layers.Dense(2, dtype="bfloat16")]
        model = keras.Sequential([keras.layers.Input((4,)), *layers])
        model.save_weights(tmp_path / "m.weights.h5")
        expected = [np.asarray(keras.ops.convert_to_numpy(w)) for w in model.weights]
        model.save(tmp_path / "m.keras")
    with open_source(tmp_path / "m.weights.h5") as source:
        names = [f"layers/{layer}/vars/{i}" for layer in ("dense", "dense_1") for i in (0, 1)]
        assert list(source) == names
        for name, value in zip(names, expected, strict=True):
            assert_same(source.read(name), value)
    with pytest.raises(CheckpointError, match=r"is a \.keras archive; unzip it"):
        open_source(tmp_path / "m.keras")


# --- What is in memory ----------------------------------------------------------------------


def test_trees_nested_and_flat():
    nested = {"a": {"kernel": CONTENT["kernel"], "list": [CONTENT["brain"], jnp.ones(2)]}}
    source = open_source(nested)
    assert list(source) == ["a/kernel", "a/list/0", "a/list/1"]
    assert_same(source.read("a/list/0", (slice(1, 2),)), CONTENT["brain"][1:2])
    assert list(open_source({"a/kernel": CONTENT["kernel"]})) == ["a/kernel"]
    assert open_source(source) is source
    assert source.description == "dict in memory"


class Normed(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.BatchNorm(use_running_average=False)(nn.Dense(3)(x))


def test_linen_variables():
    variables = Normed().init(jax.random.key(0), jnp.zeros((2, 4)))
    source = open_source(variables)
    assert set(source) == {
        *("Dense_0/kernel", "Dense_0/bias", "BatchNorm_0/scale", "BatchNorm_0/bias"),
        *("batch_stats/BatchNorm_0/mean", "batch_stats/BatchNorm_0/var"),
    }
    kernel = variables["params"]["Dense_0"]["kernel"]
    assert_same(source.read("Dense_0/kernel"), np.asarray(kernel))


def test_nnx_and_equinox_modules():
    linear = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    for target in (linear, nnx.state(linear)):
        source = open_source(target)
        assert set(source) == {"kernel", "bias"}
        assert_same(source.read("kernel"), np.asarray(linear.kernel[...]))
    layer = eqx.nn.Linear(4, 3, key=jax.random.key(0))
    assert_same(open_source(layer).read("weight"), np.asarray(layer.weight))


@needs_torch
def test_torch_modules_and_state_dicts():
    model = torch.nn.BatchNorm1d(3)
    for target in (model, model.state_dict()):
        source = open_source(target)
        assert list(source) == list(model.state_dict())
        assert_same(source.read("running_var"), np.ones(3, np.float32))
    assert_same(open_source({"x": as_torch(CONTENT["brain"])}).read("x"), CONTENT["brain"])


@pytest.mark.parametrize(
    ("error", "tree", "message"),
    [
        (TypeError, {"a": "text"}, "'a' .* is of type str; leaves must be arrays"),
        (TypeError, {"a": jax.ShapeDtypeStruct((2,), "float32")}, "'a' is a shape without values"),
        (ValueError, {"a": {"b": np.ones(1)}, "a/b": np.ones(1)}, "two leaves are called 'a/b'"),
    ],
)
def test_trees_that_hold_no_weights(error, tree, message):
    with pytest.raises(error, match=message):
        open_source(tree)


@needs_torch
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.ones(2).to_sparse(), "tensor 'w' is sparse_coo; make it"),
        (lambda: torch.ones(2, device="meta"), "tensor 'w' has no values, being"),
        (lambda: torch.ones(1).expand(4), r"is float32\[4\] made of 4 bytes"),
    ],
)
def test_tensors_of_torch_that_hold_no_weights(make, message):
    with pytest.raises(CheckpointError, match=message):
        open_source({"w": make()})


def test_a_traced_tree():
    with pytest.raises(TypeError, match="'a' is traced and has no values yet"):
        jax.jit(lambda tree: open_source(tree).nbytes)({"a": jnp.ones(2)})


# --- The border -----------------------------------------------------------------------------


class Liar(Source):
    """A source that reads something else than it announces."""

    def __init__(self, spec, values):
        super().__init__({"x": spec}, "liar")
        self._values = values

    def _read(self, name, window):
        if self._values is None:
            raise MemoryError
        return self._values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3, np.float32), r"holds float32\[3\], where float32\[2\] is announced"),
        (np.zeros(2, np.float64), r"holds float64\[2\], where float32\[2\] is announced"),
        (None, "needs 8 bytes, more memory than there is"),
    ],
)
def test_what_is_read_is_what_was_announced(values, message):
    liar = Liar(TensorSpec((2,), np.dtype("float32")), values)
    with pytest.raises(CheckpointError, match=f"liar: tensor 'x' {message}"):
        liar.read("x")


def test_more_memory_than_there_is_is_not_promised():
    with pytest.raises(MemoryError):
        aligned_empty((1 << 48,), np.dtype(np.uint8))
    assert aligned_empty((3, 0), np.dtype(np.float32)).shape == (3, 0)


@pytest.mark.parametrize(
    ("name", "module", "message"),
    [
        ("model.weights.h5", "h5py", r"needs h5py, .* pip install \"jinit\[pretrained\]\""),
        pytest.param(
            "model.pt",
            "torch",
            "needs torch, which is not installed; pip install torch",
            marks=needs_torch,
        ),
        ("orbax", "tensorstore", r"needs tensorstore, .* \"jinit\[pretrained\]\""),
    ],
)
def test_missing_packages(name, module, message, paths, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=message):
        open_source(paths[name])


def test_what_opens_needs_no_package(paths):
    """safetensors, npz, npy and msgpack are read by jinit alone."""
    torch = ("torch",) if HAS_TORCH else ()
    for name in ("safetensors", "flax", "msgpack", "h5py", "orbax", *torch):
        assert name in sys.modules or __import__(name)
    assert safetensors.numpy
    import subprocess

    files = [str(paths[name]) for name in ("model.safetensors", "model.npz", "model.msgpack")]
    code = (
        "import sys; from jinit.pretrained.sources import open_source\n"
        f"for file in {files!r}: open_source(file).read('kernel')\n"
        "print({'safetensors', 'flax', 'msgpack', 'torch', 'h5py', 'orbax'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "set()", done.stderr


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*nowhere'"):
        open_source(tmp_path / "nowhere")
