"""Flax Linen taken apart: every layer's use of its kernel, stacks, collections, boxes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax.core import FrozenDict
from jax.sharding import NamedSharding, PartitionSpec

from jinit.axes import Axes
from jinit.fans import compute_fans
from jinit.model.targets.dispatch import describe_target
from jinit.model.targets.inputs import with_inputs

KEY = jax.random.key(3)
IMAGE, SEQUENCE, TOKENS = jnp.ones((2, 8, 8, 4)), jnp.ones((2, 5, 8)), jnp.zeros((2, 5), jnp.int32)
ONES = nn.initializers.ones


def by_path(structure):
    return {"/".join(slot.parts): slot for slot in structure.slots}


def describe(module, *inputs, **options):
    return by_path(describe_target(with_inputs(module, *inputs, **options)))


def fans_of(slot):
    return slot.fans or compute_fans(slot.shape, **slot.axes._asdict())


def connections(apply, inputs):
    """Connections into an output and out of an input, counted: of a layer whose weights are 1.

    Each connection then adds 1 to its output, and 1 to the slope of its input, which is 1 too.
    """
    out, pull = jax.jit(lambda x: (apply(x), jax.grad(lambda x: apply(x).sum())(x)))(inputs)
    return float(out.mean()), float(pull.mean())


# Layer, input, role and axes of the kernel. Circular padding: no edge loses a connection.
CONV = functools.partial(nn.Conv, padding="CIRCULAR")
TRANSPOSE = functools.partial(nn.ConvTranspose, padding="CIRCULAR")
KERNELS = {
    "Dense": (nn.Dense(6), SEQUENCE, "dense", Axes((0,), (1,))),
    "DenseGeneral": (
        nn.DenseGeneral((4, 6), axis=(-2, -1)),
        IMAGE,
        "dense",
        Axes((0, 1), (2, 3)),
    ),
    "DenseGeneral batch": (
        nn.DenseGeneral(6, batch_dims=(0,)),
        SEQUENCE,
        "dense",
        Axes((1,), (2,), (0,)),
    ),
    "Einsum": (
        nn.Einsum((8, 2, 3), "btd,dhk->bthk", use_bias=False),
        SEQUENCE,
        "einsum",
        Axes((0,), (1, 2)),
    ),
    "Einsum experts": (
        nn.Einsum((2, 8, 6), "etd,edf->etf", use_bias=False),
        SEQUENCE,
        "einsum",
        Axes((1,), (2,), (0,)),
    ),
    "Conv": (CONV(6, (3, 2)), IMAGE, "conv", Axes((2,), (3,))),
    "Conv int": (CONV(6, (3,)), SEQUENCE, "conv", Axes((1,), (2,))),
    "Conv groups": (CONV(6, (3, 3), feature_group_count=2), IMAGE, "conv", Axes((2,), (3,))),
    "Conv strides": (CONV(6, (4, 4), strides=2), IMAGE, "conv", Axes((2,), (3,))),
    "Conv strides each": (CONV(6, (4, 4), strides=(2, 1)), IMAGE, "conv", Axes((2,), (3,))),
    "depthwise": (
        CONV(8, (3, 3), feature_group_count=4),
        IMAGE,
        "depthwise",
        Axes((2,), (3,)),
    ),
    "ConvLocal": (
        nn.ConvLocal(6, (3, 2), padding="CIRCULAR"),
        IMAGE,
        "conv",
        Axes((2,), (3,), (0, 1)),
    ),
    "ConvLocal strides": (
        nn.ConvLocal(6, (4, 4), strides=(2, 2), padding="CIRCULAR"),
        IMAGE,
        "conv",
        Axes((2,), (3,), (0, 1)),
    ),
    "ConvTranspose": (TRANSPOSE(6, (3, 3)), IMAGE, "conv_transpose", Axes((2,), (3,))),
    "ConvTranspose strides": (
        TRANSPOSE(6, (4, 4), strides=(2, 2)),
        IMAGE,
        "conv_transpose",
        Axes((2,), (3,)),
    ),
    "ConvTranspose transposed kernel": (
        TRANSPOSE(6, (4, 4), strides=(2, 2), transpose_kernel=True),
        IMAGE,
        "conv_transpose",
        Axes((3,), (2,)),
    ),
}
kernels = pytest.mark.parametrize(("module", "x", "role", "axes"), KERNELS.values(), ids=KERNELS)


@kernels
def test_what_a_layer_does_with_its_kernel(module, x, role, axes):
    slots = describe(module, x)
    kernel = slots["kernel"]
    assert (kernel.layer, kernel.role, kernel.axes) == (type(module).__name__, role, axes)
    assert kernel.stack == ()
    if "bias" in slots:
        assert (slots["bias"].role, slots["bias"].axes) == ("bias", None)


@kernels
def test_fans_are_the_connections_that_the_layer_makes(module, x, role, axes):
    structure = describe_target(with_inputs(module, x))
    slots = by_path(structure)
    weights = [jnp.full(slot.shape, float(name == "kernel")) for name, slot in slots.items()]
    variables = structure.rebuild(weights, None)
    counted = connections(lambda x: module.apply(variables, x), x)
    assert fans_of(slots["kernel"]) == pytest.approx(counted)


def test_a_dilated_input_thins_out_what_goes_in():
    conv = nn.Conv(6, (4, 4), (1, 3), [(2, 2), (2, 2)], input_dilation=(2, 2))
    assert describe(conv, IMAGE)["kernel"].fans == (16 * 4 / 4, 16 * 6 / 3)


def test_an_einsum_given_at_the_call():
    x = SEQUENCE
    layer = nn.Einsum((6, 8), use_bias=False)
    assert describe(layer, x, "btd,fd->btf")["kernel"].axes == Axes((1,), (0,))
    assert describe(layer, x, einsum_str="btd,fd->btf")["kernel"].axes == Axes((1,), (0,))


def test_an_einsum_without_fans():
    kernel = describe(nn.Einsum((8, 6), "btd,df->bf", use_bias=False), SEQUENCE)["kernel"]
    assert (kernel.role, kernel.axes) == ("einsum", None)


def test_embedding():
    slot = describe(nn.Embed(11, 6), TOKENS)["embedding"]
    assert (slot.layer, slot.role, slot.axes) == ("Embed", "embedding", Axes((0,), (1,)))
    assert slot.fans == (6, 6)
    assert describe(nn.Embed(11, 8), SEQUENCE, method="attend")["embedding"].role == "embedding"


@pytest.mark.parametrize(
    "module",
    [
        nn.BatchNorm(use_running_average=False),
        nn.LayerNorm(),
        nn.LayerNorm(feature_axes=(-2, -1)),
        nn.GroupNorm(2),
        nn.RMSNorm(),
        nn.InstanceNorm(),
    ],
    ids=["BatchNorm", "LayerNorm", "LayerNorm 2-D", "GroupNorm", "RMSNorm", "InstanceNorm"],
)
def test_normalizations(module):
    slots = describe(module, IMAGE)
    assert slots["scale"].role == "norm_scale"
    assert {slots[name].role for name in slots if name == "bias"} <= {"norm_bias"}
    assert {slot.layer for slot in slots.values()} == {type(module).__name__}
    assert all(slot.axes is None for slot in slots.values())


def test_attention():
    slots = describe(nn.MultiHeadDotProductAttention(2, normalize_qk=True), SEQUENCE)
    into, out = Axes((0,), (1, 2)), Axes((0, 1), (2,))
    assert {path: (slot.role, slot.axes) for path, slot in slots.items()} == {
        **{f"{name}/kernel": ("dense", into) for name in ("query", "key", "value")},
        **{f"{name}/bias": ("bias", None) for name in ("query", "key", "value", "out")},
        "out/kernel": ("dense", out),
        "query_ln/scale": ("norm_scale", None),
        "key_ln/scale": ("norm_scale", None),
    }
    assert fans_of(slots["query/kernel"]) == fans_of(slots["out/kernel"]) == (8, 8)


@pytest.mark.parametrize(
    "cell", [nn.LSTMCell, nn.OptimizedLSTMCell, nn.GRUCell, nn.MGUCell, nn.SimpleCell]
)
def test_recurrent_kernels(cell):
    slots = describe(nn.RNN(cell(6)), SEQUENCE)
    recurrent = {path for path, slot in slots.items() if slot.role == "recurrent"}
    dense = {path for path, slot in slots.items() if slot.role == "dense"}
    assert recurrent == {path for path in slots if path.startswith("cell/h") and "kernel" in path}
    assert dense == {path for path in slots if path.startswith("cell/i") and "kernel" in path}
    assert all(slots[path].axes == Axes((0,), (1,)) for path in recurrent | dense)
    assert {slots[path].shape for path in recurrent} == {(6, 6)}


def test_weight_normalization_and_prelu():
    slots = describe(nn.Sequential([nn.WeightNorm(nn.Dense(6)), nn.PReLU()]), SEQUENCE)
    roles = {path: slot.role for path, slot in slots.items()}
    assert roles == {
        "layers_0/layer_instance/bias": "bias",
        "layers_0/layer_instance/kernel": "dense",
        "layers_0/layer_instance/kernel/scale": "scale",
        "layers_1/negative_slope": "scale",
    }


class Own(nn.Module):
    """A module with parameters of its own, known by their names alone."""

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", ONES, (8, 6))
        taps = self.param("taps", ONES, (2, 3, 8))
        pair = self.param("pair", lambda key: (jnp.ones(6), jnp.ones(6)))
        return x @ kernel + taps.sum() + pair[0] + self.param("bias", ONES, (6,))


def test_modules_of_one_s_own():
    slots = describe(Own(), jnp.ones(8))
    assert {path: (slot.role, slot.layer) for path, slot in slots.items()} == {
        "kernel": ("dense", "Own"),
        "taps": ("unknown", "Own"),
        "bias": ("bias", "Own"),
        "pair/0": ("unknown", None),
        "pair/1": ("unknown", None),
    }
    assert slots["taps"].axes is None


class MyDense(nn.Dense):
    """A layer that is one of Flax's, with another name."""


def test_subclasses_are_what_they_inherit():
    kernel = describe(MyDense(6), SEQUENCE)["kernel"]
    assert (kernel.layer, kernel.role) == ("MyDense", "dense")


class Block(nn.Module):
    """A step of a scan, with another stack inside."""

    features: int
    inner_axis: int = 0

    @nn.compact
    def __call__(self, x, _=None):
        x = nn.Dense(self.features, name="dense")(x)
        heads = nn.vmap(
            nn.Dense,
            variable_axes={"params": self.inner_axis},
            split_rngs={"params": True},
            in_axes=None,
            out_axes=-1,
            axis_size=self.features,
        )
        return x + heads(self.features, name="heads")(x).sum(-1), None


def scanned(axis, length, **options):
    scan = nn.scan(
        Block, variable_axes={"params": axis}, split_rngs={"params": True}, length=length
    )
    return scan(**options)


# Of the scan, of the vmap inside, and where the stacked axes then are.
STACKS = [
    (0, 0, (0,), (0, 1)),
    (1, 0, (1,), (0, 1)),
    (-1, 0, (2,), (0, 3)),
    (0, 1, (0,), (0, 2)),
    (1, 1, (1,), (1, 2)),
    (0, -1, (0,), (0, 3)),
    (-1, -1, (2,), (2, 3)),
]


@pytest.mark.parametrize(("scan_axis", "vmap_axis", "dense", "heads"), STACKS)
@pytest.mark.parametrize("length", [3, 8], ids=["other extent", "as many as features"])
def test_stacked_axes(scan_axis, vmap_axis, dense, heads, length):
    """With 8 layers of 8 features, shapes alone do not tell which axis counts the layers."""
    module = scanned(scan_axis, length, features=8, inner_axis=vmap_axis)
    slots = describe(module, jnp.ones(8), None)
    assert slots["dense/kernel"].stack == dense
    assert slots["heads/kernel"].stack == heads
    assert slots["dense/kernel"].shape[dense[0]] == length
    for path in ("dense/kernel", "heads/kernel"):
        assert fans_of(slots[path]) == (8, 8)
        assert slots[path].axes.batch_axis == slots[path].stack


def test_stacked_biases():
    slots = describe(scanned(0, 8, features=8), jnp.ones(8), None)
    assert (slots["dense/bias"].shape, slots["dense/bias"].stack) == ((8, 8), (0,))
    assert (slots["heads/bias"].shape, slots["heads/bias"].stack) == ((8, 8, 8), (0, 1))
    assert slots["heads/bias"].axes is None


def test_stacked_convolutions_keep_their_fans():
    experts = nn.vmap(
        nn.Conv, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=None, axis_size=5
    )
    slot = describe(experts(6, (3, 3), feature_group_count=2), IMAGE)["kernel"]
    assert (slot.shape, slot.stack) == ((5, 3, 3, 2, 6), (0,))
    assert slot.axes == Axes((3,), (4,), (0,))
    assert slot.fans == (18, 27)


def test_parameters_that_a_scan_shares_are_no_stack():
    scan = nn.scan(Block, variable_broadcast="params", split_rngs={"params": False}, length=3)
    assert describe(scan(features=8), jnp.ones(8), None)["dense/kernel"].stack == ()


def test_jitted_modules_are_seen():
    slots = describe(nn.Sequential([nn.jit(nn.Dense)(8), nn.jit(nn.Dense)(8)]), SEQUENCE)
    assert {slot.layer for slot in slots.values()} == {"Dense"}


class Full(nn.Module):
    """Parameters, batch statistics, a cache, and dropout, which needs a stream of its own."""

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Conv(6, (3, 3), kernel_init=ONES)(x)
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.Dropout(0.5, deterministic=not train)(x)
        self.variable("cache", "index", lambda: jnp.array(7, jnp.int32))
        return nn.Dense(5, kernel_init=ONES)(x.mean((1, 2)))


def full_target(x=IMAGE):
    return with_inputs(Full(), x, rngs=("dropout",), train=True)


def test_rebuild_gives_what_init_gives():
    structure = describe_target(full_target())
    keys = {"params": KEY, "dropout": KEY}
    reference = jax.jit(functools.partial(Full().init, train=True))(keys, IMAGE)
    values = jax.tree.leaves(reference["params"])
    assert [slot.shape for slot in structure.slots] == [value.shape for value in values]
    built = structure.rebuild(values, structure.rest_of(KEY))
    assert jax.tree.structure(built) == jax.tree.structure(reference)
    for ours, theirs in zip(jax.tree.leaves(built), jax.tree.leaves(reference), strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
        assert ours.dtype == theirs.dtype


class Noisy(nn.Module):
    """Constants that a key decides."""

    @nn.compact
    def __call__(self, x):
        self.variable("noise", "bits", lambda: jax.random.bits(self.make_rng("noise"), (4,)))
        return nn.Dense(2, kernel_init=ONES)(x)


def test_state_that_a_key_decides():
    """From one key for all streams it is as `init` has it; a stream of its own differs."""
    one, own = (
        describe_target(with_inputs(Noisy(), SEQUENCE, rngs=rngs)).rest_of(KEY)["noise"]["bits"]
        for rngs in ((), ("noise",))
    )
    np.testing.assert_array_equal(one, jax.jit(Noisy().init)(KEY, SEQUENCE)["noise"]["bits"])
    assert not np.array_equal(one, own)


def test_modules_without_other_collections_have_no_rest():
    structure = describe_target(with_inputs(nn.Dense(5), SEQUENCE))
    assert structure.rest_of is None
    built = structure.rebuild([jnp.ones(slot.shape) for slot in structure.slots], None)
    assert set(built) == {"params"}


def test_modules_without_parameters():
    structure = describe_target(
        with_inputs(nn.BatchNorm(False, use_scale=False, use_bias=False), IMAGE)
    )
    assert structure.slots == ()
    built = structure.rebuild([], structure.rest_of(KEY))
    assert set(built) == {"batch_stats"}


def test_inputs_may_be_shapes():
    shapes = jax.ShapeDtypeStruct(IMAGE.shape, IMAGE.dtype)
    ours, theirs = (describe_target(full_target(x)) for x in (shapes, IMAGE))
    assert [slot.shape for slot in ours.slots] == [slot.shape for slot in theirs.slots]
    assert jax.tree.map(jnp.array_equal, ours.rest_of(KEY), theirs.rest_of(KEY)) == jax.tree.map(
        lambda _: True, theirs.rest_of(KEY)
    )


class Measured(nn.Module):
    """A module whose state is read off its input."""

    @nn.compact
    def __call__(self, x):
        self.variable("data", "mean", lambda: x.mean())
        return nn.Dense(3)(x)


def test_state_that_depends_on_inputs_needs_them():
    shapes = jax.ShapeDtypeStruct(SEQUENCE.shape, SEQUENCE.dtype)
    assert describe_target(with_inputs(Measured(), SEQUENCE)).rest_of(KEY)["data"]["mean"] == 1
    structure = describe_target(with_inputs(Measured(), shapes))
    with pytest.raises(ValueError, match=r"data/mean depends on the values of the inputs.*arrays"):
        structure.rest_of(KEY)


def test_no_parameter_is_computed_for_the_rest():
    drawn = []

    def counted(key, shape, dtype):
        def draw(key):
            drawn.append(shape)
            return np.zeros(shape, dtype)

        return jax.pure_callback(draw, jax.ShapeDtypeStruct(shape, dtype), jax.random.key_data(key))

    module = nn.Sequential([nn.Dense(4, kernel_init=counted), nn.BatchNorm(False)])
    structure = describe_target(with_inputs(module, SEQUENCE))
    jax.block_until_ready(structure.rest_of(KEY))
    assert drawn == []
    jax.block_until_ready(module.init(KEY, SEQUENCE))
    assert drawn


class Boxed(nn.Module):
    """Layers whose names say how to lay them out, one of them scanned."""

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(8, kernel_init=nn.with_partitioning(ONES, (None, "model")), name="in")(x)
        scan = nn.scan(
            lambda block, x, _: (block(x), None),
            variable_axes={"params": 0},
            split_rngs={"params": True},
            length=4,
            metadata_params={nn.PARTITION_NAME: "layers"},
        )
        layer = nn.Dense(8, kernel_init=nn.with_partitioning(ONES, ("model", None)), name="mid")
        return scan(layer, x, None)[0]


# Flax 0.12.0 asks JAX for its mesh in a way that JAX 0.9 calls out of date.
@pytest.mark.filterwarnings("ignore:.*thread_resources is deprecated:DeprecationWarning")
def test_boxes_are_kept_and_stacked():
    mesh = jax.make_mesh((2, 4), ("layers", "model"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    structure = describe_target(with_inputs(Boxed(), SEQUENCE), mesh)
    slots = by_path(structure)
    assert (slots["mid/kernel"].stack, slots["mid/kernel"].layer) == ((0,), "Dense")
    assert slots["mid/kernel"].sharding == NamedSharding(
        mesh, PartitionSpec("layers", "model", None)
    )
    assert slots["in/kernel"].sharding == NamedSharding(mesh, PartitionSpec(None, "model"))
    built = structure.rebuild([jnp.ones(slot.shape) for slot in structure.slots], None)
    reference = jax.eval_shape(Boxed().init, KEY, SEQUENCE)
    assert jax.tree.structure(built) == jax.tree.structure(reference)
    mask = structure.as_mask([slot.role == "dense" for slot in structure.slots])
    assert jax.tree.structure(mask) == jax.tree.structure(reference["params"])
    assert mask["in"]["kernel"].value is True


def test_masks_fit_optax():
    optax = pytest.importorskip("optax")
    structure = describe_target(with_inputs(nn.Dense(3), SEQUENCE))
    mask = structure.as_mask([slot.role != "bias" for slot in structure.slots])
    params = structure.rebuild([jnp.ones(slot.shape) for slot in structure.slots], None)["params"]
    decay = optax.masked(optax.add_decayed_weights(1.0), mask)
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = decay.update(zeros, decay.init(params), params)
    assert (updates["bias"] == 0).all()
    assert (updates["kernel"] == 1).all()


def test_frozen_variables():
    made = describe_target(full_target())
    variables = FrozenDict(
        made.rebuild([jnp.ones(slot.shape) for slot in made.slots], made.rest_of(KEY))
    )
    structure = describe_target(variables)
    assert "Conv_0/kernel" in by_path(structure)
    built = structure.rebuild([slot.value for slot in structure.slots], None)
    assert isinstance(built, FrozenDict)
    assert jax.tree.structure(built) == jax.tree.structure(variables)


def test_a_module_needs_inputs():
    with pytest.raises(TypeError, match=r"`target` is a Dense.*jinit\.with_inputs\(module"):
        describe_target(nn.Dense(3))


@pytest.mark.parametrize("module", [{"kernel": 1}, None, nn.Dense, len])
def test_with_inputs_takes_modules(module):
    with pytest.raises(TypeError, match="must be a Linen module or a Haiku transformed function"):
        with_inputs(module, SEQUENCE)
