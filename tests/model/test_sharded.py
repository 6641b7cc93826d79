"""Whole models over eight devices: the same bits on every mesh, no communication, no waste."""

import re

import flax.linen as nn
import jax
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jinit

KEY = jax.random.key(5)
MESHES = [(8, 1), (4, 2), (2, 4), (1, 8)]
COLLECTIVE = re.compile(r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter")

meshes = pytest.mark.parametrize("mesh_shape", MESHES, ids=str)
kinds = pytest.mark.parametrize("kind", ["Auto", "Explicit"])


def _mesh(shape=(4, 2), kind="Auto", devices=None):
    return jax.make_mesh(shape, ("data", "model"), (getattr(AxisType, kind),) * 2, devices=devices)


def _shape(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def _transformer(width, layers=2):
    """Shapes of a model whose blocks are stacked on axis 0, with a leaf of every kind of law."""
    return {
        "embed": {"embedding": _shape(16 * width, width)},
        "blocks": {
            "attn": {"kernel": _shape(layers, width, 2 * width)},
            "out": {"kernel": _shape(layers, 2 * width, width, dtype="bfloat16")},
            "up": {"kernel": _shape(layers, width, 8 * width), "bias": _shape(layers, 8 * width)},
            "norm": {"scale": _shape(layers, width)},
        },
        "head": {"kernel": _shape(width, 16 * width)},
    }


RULES = jinit.Rules(
    {
        "**/embedding": jinit.normal(0.02),
        "**/attn/kernel": jinit.glorot_uniform(),
        "**/out/kernel": lambda leaf: jinit.normal(0.02 / (2 * (1 + leaf.index)) ** 0.5),
        "**/up/kernel": jinit.he_normal(),
        "head/kernel": jinit.truncated_normal(0.02, lower=-3.0, upper=3.0),
        "**/scale": jinit.ones,
        "**/bias": jinit.zeros,
    }
)
SPECS = {
    "**/embedding": PartitionSpec("model", "data"),
    "blocks/{attn,up}/kernel": PartitionSpec(None, "data", "model"),
    "**/out/kernel": PartitionSpec(None, "model", "data"),
    "**/bias": PartitionSpec(None, ("data", "model")),
    "**/scale": PartitionSpec(None, "model"),
    "head/**": PartitionSpec(("data", "model")),
}
OPTIONS = {"stacked": {"blocks/**": 1}}


def _assert_same(drawn, expected):
    assert jax.tree.structure(drawn) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(drawn), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def _specs_of(tree):
    return jax.tree.map(lambda leaf: leaf.sharding.spec, tree)


# --- the same bits ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unsharded():
    return jinit.initialize(_transformer(8), RULES, KEY, **OPTIONS)


@kinds
@meshes
def test_every_mesh_gives_the_bits_of_one_device(mesh_shape, kind, unsharded):
    mesh = _mesh(mesh_shape, kind)
    drawn = jinit.initialize(_transformer(8), RULES, KEY, mesh=mesh, shardings=SPECS, **OPTIONS)
    _assert_same(drawn, unsharded)
    up = drawn["blocks"]["up"]["kernel"].sharding
    wanted = NamedSharding(mesh, PartitionSpec(None, "data", "model"))
    assert up.is_equivalent_to(wanted, 3)
    assert len(up.device_set) == 8


@kinds
def test_under_a_mesh_that_is_set(kind, unsharded):
    """Specs without a mesh mean that one; eager, and inside the user's own jit."""
    draw = lambda key: jinit.initialize(  # noqa: E731
        _transformer(8), RULES, key, shardings=SPECS, **OPTIONS
    )
    with jax.set_mesh(_mesh((4, 2), kind)):
        eager, jitted = draw(KEY), jax.jit(draw)(KEY)
    _assert_same(eager, unsharded)
    _assert_same(jitted, unsharded)
    head = eager["head"]["kernel"].sharding
    assert head.shard_shape((8, 128)) == (1, 128)
    assert head.is_equivalent_to(jitted["head"]["kernel"].sharding, 2)


def test_shapes_that_carry_their_shardings(unsharded):
    """`jax.eval_shape` of sharded parameters is a target; nothing more need be said."""
    mesh = _mesh((2, 4))
    drawn = jinit.initialize(_transformer(8), RULES, KEY, mesh=mesh, shardings=SPECS, **OPTIONS)
    target = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), drawn
    )
    again = jinit.initialize(target, RULES, KEY, **OPTIONS)
    _assert_same(again, unsharded)
    assert _specs_of(again) == _specs_of(drawn)


def test_several_meshes_in_one_model(unsharded):
    """The embedding on four devices, the blocks on all, the head on the other four."""
    devices = jax.devices()
    first, second = (_mesh((2, 2), devices=half) for half in (devices[:4], devices[4:]))
    shardings = {
        "embed/**": NamedSharding(first, PartitionSpec("data")),
        "blocks/**": NamedSharding(_mesh((1, 8)), PartitionSpec(None, "model")),
        "head/**": NamedSharding(second, PartitionSpec(None, "model")),
    }
    drawn = jinit.initialize(_transformer(8), RULES, KEY, shardings=shardings, **OPTIONS)
    _assert_same(drawn, unsharded)
    assert drawn["embed"]["embedding"].sharding.device_set == set(devices[:4])
    assert drawn["head"]["kernel"].sharding.device_set == set(devices[4:])
    assert len(drawn["blocks"]["norm"]["scale"].sharding.device_set) == 8


@kinds
def test_structured_schemes_may_be_sharded(kind):
    """To rounding: matrix products round by how they are cut. Elementwise leaves stay exact."""
    mesh, rules = _mesh((4, 2), kind), {"kernel": jinit.orthogonal(), "bias": jinit.normal()}
    shapes = {"kernel": _shape(32, 32), "bias": _shape(32)}
    specs = {"kernel": PartitionSpec("data", "model"), "bias": PartitionSpec("model")}
    drawn = jinit.initialize(shapes, rules, KEY, mesh=mesh, shardings=specs)
    alone = jinit.initialize(shapes, rules, KEY)
    np.testing.assert_array_equal(np.asarray(drawn["bias"]), np.asarray(alone["bias"]))
    np.testing.assert_allclose(np.asarray(drawn["kernel"]), np.asarray(alone["kernel"]), atol=1e-6)
    assert drawn["kernel"].sharding.shard_shape((32, 32)) == (8, 16)


# --- what flax says of shardings --------------------------------------------------------------


class Linen(nn.Module):
    """Axis names in boxes: of the mesh, and logical ones."""

    @nn.compact
    def __call__(self, x):
        kernel = nn.initializers.lecun_normal()
        x = nn.Dense(32, kernel_init=nn.with_partitioning(kernel, ("data", "model")))(x)
        return nn.Dense(
            16, kernel_init=nn.with_logical_partitioning(kernel, ("embed", "mlp")), use_bias=False
        )(x)


@meshes
def test_linen_boxes_stay_and_are_obeyed(mesh_shape):
    rules = {"**/kernel": jinit.he_uniform(), "**/bias": jinit.zeros}
    target = jinit.with_inputs(Linen(), _shape(1, 16))
    mesh = _mesh(mesh_shape)
    with nn.logical_axis_rules((("embed", "model"), ("mlp", "data"))):
        drawn = jinit.initialize(target, rules, KEY, mesh=mesh)["params"]
    plain = jinit.initialize(target, rules, KEY)["params"]
    for name, names, axes in [
        ("Dense_0", ("data", "model"), ("data", "model")),
        ("Dense_1", ("embed", "mlp"), ("model", "data")),
    ]:
        box = drawn[name]["kernel"]
        assert box.names == names
        wanted = NamedSharding(mesh, PartitionSpec(*axes))
        assert box.unbox().sharding.is_equivalent_to(wanted, 2)
        np.testing.assert_array_equal(
            np.asarray(box.unbox()), np.asarray(plain[name]["kernel"].unbox())
        )


class Module(nnx.Module):
    def __init__(self, rngs):
        kernel = nnx.with_partitioning(nnx.initializers.lecun_normal(), ("data", "model"))
        self.first = nnx.Linear(16, 32, kernel_init=kernel, rngs=rngs)
        self.second = nnx.Linear(32, 16, rngs=rngs)


@meshes
def test_nnx_metadata_stay_and_are_obeyed(mesh_shape):
    rules = {"**/kernel": jinit.he_uniform(), "**/bias": jinit.zeros}
    mesh = _mesh(mesh_shape)
    with jax.set_mesh(mesh):  # Flax asks for one where a module names axes
        abstract = nnx.eval_shape(lambda: Module(nnx.Rngs(0)))
    drawn = jinit.initialize(abstract, rules, KEY, mesh=mesh)
    plain = jinit.initialize(abstract, rules, KEY)
    wanted = NamedSharding(mesh, PartitionSpec("data", "model"))
    assert drawn.first.kernel[...].sharding.is_equivalent_to(wanted, 2)
    for one, other in zip(*(jax.tree.leaves(nnx.state(m)) for m in (drawn, plain)), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


# --- what it costs ----------------------------------------------------------------------------


@kinds
@meshes
def test_each_device_draws_its_shards_and_nothing_else(mesh_shape, kind):
    """One compiled program of the whole model: no collective, temporaries under 5% of a shard."""
    mesh = _mesh(mesh_shape, kind)
    target = _transformer(256, layers=1)

    def draw(key):
        return jinit.initialize(target, RULES, key, mesh=mesh, shardings=SPECS, **OPTIONS)

    compiled = jax.jit(draw).lower(KEY).compile()
    memory = compiled.memory_analysis()
    totals = jinit.plan(target, RULES, mesh=mesh, shardings=SPECS, **OPTIONS).totals
    assert memory.output_size_in_bytes == pytest.approx(totals["bytes_per_device"], rel=0.001)
    assert memory.temp_size_in_bytes < 0.05 * totals["bytes_per_device"]
    assert not COLLECTIVE.search(compiled.as_text())
