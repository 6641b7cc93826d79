"""Loading onto several devices: the same values, and every byte read once."""

import math
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from safetensors.numpy import save_file

import jinit
from jinit.pretrained import part, reshape, transpose
from jinit.pretrained.sources import Source, TensorSpec

MESH = Mesh(np.array(jax.devices()[:8]).reshape(4, 2), ("data", "model"))


def leaf(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.dtype("float32"))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Counted(Source):
    """Tensors in memory that count the bytes, and remember the largest piece, that is read."""

    def __init__(self, tensors):
        self.tensors, self.nbytes_read, self.largest = tensors, 0, 0
        super().__init__({n: TensorSpec(a.shape, a.dtype) for n, a in tensors.items()}, "counted")

    def _read(self, name, window):
        made = self.tensors[name] if window is None else self.tensors[name][window]
        self.nbytes_read += made.nbytes
        self.largest = max(self.largest, made.nbytes)
        return made


HEADS = (transpose(), reshape(8, 4, 4))
WAYS = {
    "as it is": ((8, 12), ("w",), (8, 12), lambda w: w),
    "transposed": ((12, 8), ("w", transpose()), (8, 12), lambda w: w.T),
    "a third": ((24, 12), ("w", part(1, 3)), (8, 12), lambda w: w[8:16]),
    "heads": ((16, 8), ("w", *HEADS), (8, 4, 4), lambda w: w.T.reshape(8, 4, 4)),
}  # fmt: skip


@pytest.mark.parametrize("spec", [P("data", "model"), P("model"), P(None, "data"), P()], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_each_device_reads_its_own_and_each_byte_is_read_once(way, spec):
    shape, entry, target, expected = WAYS[way]
    tensor = drawn(*shape)
    source = Counted({"w": tensor})
    params, _ = jinit.load(
        {"w": leaf(*target)}, source, match={"w": entry}, shardings=spec, mesh=MESH
    )
    made = params["w"]
    assert made.sharding == NamedSharding(MESH, spec)
    np.testing.assert_array_equal(np.asarray(made), expected(tensor))
    needed = made.nbytes
    assert source.nbytes_read == needed
    assert source.largest == math.prod(made.sharding.shard_shape(target)) * 4


def test_stacked_layers():
    tensors = {f"h.{n}.w": drawn(6, 8, seed=n) for n in range(4)}
    source = Counted(tensors)
    params, _ = jinit.load(
        {"w": leaf(4, 8, 6)}, source, match={"h.*.w": ("w", transpose())}, stacked={"w": 1},
        shardings=P("data", "model"), mesh=MESH,
    )  # fmt: skip
    np.testing.assert_array_equal(params["w"], np.stack([t.T for t in tensors.values()]))
    assert source.nbytes_read == params["w"].nbytes
    assert source.largest == 6 * 4 * 4


def test_what_no_window_makes_is_read_whole_and_once():
    """Heads that a device has half of: no window of the tensor."""
    source = Counted({"w": drawn(6, 4)})
    params, _ = jinit.load(
        {"w": leaf(2, 12)}, source, match={"w": ("w", reshape(2, 12))},
        shardings=P(None, "data"), mesh=MESH,
    )  # fmt: skip
    np.testing.assert_array_equal(params["w"], drawn(6, 4).reshape(2, 12))
    assert source.nbytes_read == 6 * 4 * 4


def test_casts_and_adapters_and_draws_are_sharded_too():
    def double(array, leaf):
        return 2 * array

    params, report = jinit.load(
        {"a": leaf(8, 4), "b": leaf(8, 4), "c": leaf(8, 4)},
        {"a": drawn(8, 4), "b": drawn(8, 4)},
        dtype="bfloat16", adapt={"b": double}, rules=jinit.normal(1.0), key=jax.random.key(0),
        on_missing="draw", shardings={"**": P("data")}, mesh=MESH,
    )  # fmt: skip
    assert [row.outcome for row in report] == ["loaded", "adapted", "drawn"]
    for value in params.values():
        assert value.sharding == NamedSharding(MESH, P("data"))
        assert value.dtype == jnp.bfloat16
    expected = drawn(8, 4).astype(jnp.bfloat16)
    np.testing.assert_array_equal(np.asarray(params["a"]), expected)
    np.testing.assert_array_equal(np.asarray(params["b"]), (2 * drawn(8, 4)).astype(jnp.bfloat16))


def test_a_mesh_that_is_set():
    with jax.set_mesh(MESH):
        params, _ = jinit.load({"w": leaf(8, 4)}, {"w": drawn(8, 4)}, shardings=P("data"))
    assert params["w"].sharding.shard_shape((8, 4)) == (2, 4)
    with pytest.raises(
        ValueError, match=r"w float32\[8,4\] is to be laid out as .*; give the mesh"
    ):
        jinit.load({"w": leaf(8, 4)}, {"w": drawn(8, 4)}, shardings=P("data"))


def test_what_is_kept_moves():
    target = {"w": jnp.asarray(drawn(8, 4)), "v": leaf(2)}
    sharding = NamedSharding(MESH, P("data"))
    params, _ = jinit.load(
        target, {"v": drawn(2)}, on_missing="keep", shardings={"w": sharding, "v": None}
    )
    assert params["w"].sharding == sharding
    np.testing.assert_array_equal(params["w"], target["w"])


def aligned(count):
    """Memory at a place from which JAX on the host uses it as it is."""
    raw = np.empty(4 * count + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + 4 * count].view(np.float32)


@pytest.mark.parametrize(
    "options", [{}, {"shardings": P("data"), "mesh": MESH}], ids=["one", "many"]
)
def test_a_source_s_memory_is_not_kept(options):
    """What is loaded does not change with the array that it was loaded from."""
    tensor = aligned(64 * 1024).reshape(64, 1024)
    tensor[:] = 1
    params, _ = jinit.load({"w": leaf(64, 1024)}, {"w": tensor}, **options)
    tensor[:] = 2
    np.testing.assert_array_equal(params["w"], np.ones((64, 1024)))


@pytest.mark.parametrize("entry", ["w_*", ("w_*", transpose())], ids=["as it is", "transposed"])
def test_memory_beyond_the_parameters_is_that_of_one_tensor(tmp_path, entry):
    """NumPy's allocations, of which JAX on the host keeps those of the parameters."""
    tensors = {f"w.{n}": drawn(512, 512, seed=n) for n in range(8)}
    file = str(tmp_path / "model.safetensors")
    save_file(tensors, file)
    size = 512 * 512 * 4
    target = {f"w_{n}": leaf(512, 512) for n in range(8)}
    jinit.load(target, file, match={"w.*": entry})  # what is imported and cached does not count
    tracemalloc.start()
    try:
        params, _ = jinit.load(target, file, match={"w.*": entry})
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(
        params["w_7"], tensors["w.7"] if entry == "w_*" else tensors["w.7"].T
    )
    assert highest <= 8 * size + size + 2**18
