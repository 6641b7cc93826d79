"""Flax NNX taken apart: layers, stacks, shared variables, metadata, the state beside parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jinit.axes import Axes
from jinit.fans import compute_fans
from jinit.model.targets.dispatch import describe_target

nnx = pytest.importorskip("flax.nnx", exc_type=ImportError)

ONES = jax.nn.initializers.ones
IMAGE, SEQUENCE = jnp.ones((2, 8, 8, 4)), jnp.ones((2, 5, 8))


def by_path(structure):
    return {"/".join(slot.parts): slot for slot in structure.slots}


def fans_of(slot):
    return slot.fans or compute_fans(slot.shape, **slot.axes._asdict())


def numbered(structure, rest=None):
    """The model with its first parameter all 0, the second all 1; shared ones as their first."""
    first: dict = {}
    values = [
        jnp.full(slot.shape, first.setdefault(slot.shared or at, at), slot.dtype)
        for at, slot in enumerate(structure.slots)
    ]
    return structure.rebuild(values, rest)


# Layer, input, role and axes of the kernel. Circular padding: no edge loses a connection.
KERNELS = {
    "Linear": (lambda rngs: nnx.Linear(8, 6, rngs=rngs), SEQUENCE, "dense", Axes((0,), (1,))),
    "LinearGeneral": (
        lambda rngs: nnx.LinearGeneral((8, 4), (3, 6), axis=(-2, -1), rngs=rngs),
        IMAGE,
        "dense",
        Axes((0, 1), (2, 3)),
    ),
    "LinearGeneral batch": (
        lambda rngs: nnx.LinearGeneral(8, 6, batch_axis={0: 2}, rngs=rngs),
        SEQUENCE,
        "dense",
        Axes((1,), (2,), (0,)),
    ),
    "Einsum": (
        lambda rngs: nnx.Einsum("btd,dhk->bthk", (8, 2, 3), (2, 3), rngs=rngs),
        SEQUENCE,
        "einsum",
        Axes((0,), (1, 2)),
    ),
    "Conv groups, strides": (
        lambda rngs: nnx.Conv(
            4, 6, (4, 4), (2, 1), feature_group_count=2, padding="CIRCULAR", rngs=rngs
        ),
        IMAGE,
        "conv",
        Axes((2,), (3,)),
    ),
    "depthwise": (
        lambda rngs: nnx.Conv(4, 8, (3, 3), feature_group_count=4, padding="CIRCULAR", rngs=rngs),
        IMAGE,
        "depthwise",
        Axes((2,), (3,)),
    ),
    "ConvTranspose": (
        lambda rngs: nnx.ConvTranspose(4, 6, (4, 4), (2, 2), padding="CIRCULAR", rngs=rngs),
        IMAGE,
        "conv_transpose",
        Axes((2,), (3,)),
    ),
    "ConvTranspose transposed kernel": (
        lambda rngs: nnx.ConvTranspose(
            4, 6, (4, 4), (2, 2), padding="CIRCULAR", transpose_kernel=True, rngs=rngs
        ),
        IMAGE,
        "conv_transpose",
        Axes((3,), (2,)),
    ),
}


@pytest.mark.parametrize(("make", "x", "role", "axes"), KERNELS.values(), ids=KERNELS)
def test_fans_are_the_connections_that_the_layer_makes(make, x, role, axes):
    """Of a layer whose weights are 1, an output counts those into it, a slope those out."""
    abstract = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    structure = describe_target(abstract)
    slots = by_path(structure)
    assert (slots["kernel"].role, slots["kernel"].axes) == (role, axes)
    assert (slots["bias"].role, slots["bias"].axes) == ("bias", None)
    assert {slot.layer for slot in slots.values()} == {type(abstract).__name__}
    layer = structure.rebuild(
        [jnp.full(slot.shape, float(name == "kernel")) for name, slot in slots.items()], None
    )
    out, slopes = jax.jit(lambda x: (layer(x), jax.grad(lambda x: layer(x).sum())(x)))(x)
    assert fans_of(slots["kernel"]) == pytest.approx((float(out.mean()), float(slopes.mean())))


OTHERS = {
    "Embed": (
        lambda rngs: nnx.Embed(11, 6, rngs=rngs),
        {"embedding": ("embedding", Axes((0,), (1,)))},
    ),
    "LayerNorm": (
        lambda rngs: nnx.LayerNorm(6, rngs=rngs),
        {"scale": ("norm_scale", None), "bias": ("norm_bias", None)},
    ),
    "BatchNorm": (
        lambda rngs: nnx.BatchNorm(6, rngs=rngs),
        {"scale": ("norm_scale", None), "bias": ("norm_bias", None)},
    ),
    "GroupNorm": (
        lambda rngs: nnx.GroupNorm(6, 2, rngs=rngs),
        {"scale": ("norm_scale", None), "bias": ("norm_bias", None)},
    ),
    "RMSNorm": (lambda rngs: nnx.RMSNorm(6, rngs=rngs), {"scale": ("norm_scale", None)}),
    "PReLU": (lambda rngs: nnx.PReLU(), {"negative_slope": ("scale", None)}),
    "LoRA": (
        lambda rngs: nnx.LoRA(8, 2, 6, rngs=rngs),
        {"lora_a": ("lora_a", Axes((0,), (1,))), "lora_b": ("lora_b", Axes((0,), (1,)))},
    ),
    "LoRALinear": (
        lambda rngs: nnx.LoRALinear(8, 6, lora_rank=2, use_bias=False, rngs=rngs),
        {
            "kernel": ("dense", Axes((0,), (1,))),
            "lora/lora_a": ("lora_a", Axes((0,), (1,))),
            "lora/lora_b": ("lora_b", Axes((0,), (1,))),
        },
    ),
    "MultiHeadAttention": (
        lambda rngs: nnx.MultiHeadAttention(2, 8, use_bias=False, decode=False, rngs=rngs),
        {
            **{
                f"{name}/kernel": ("dense", Axes((0,), (1, 2)))
                for name in ("key", "query", "value")
            },
            "out/kernel": ("dense", Axes((0, 1), (2,))),
        },
    ),
}


@pytest.mark.parametrize(("make", "expected"), OTHERS.values(), ids=OTHERS)
def test_what_layers_do_with_their_parameters(make, expected):
    slots = by_path(describe_target(lambda: make(nnx.Rngs(0))))
    assert {path: (slot.role, slot.axes) for path, slot in slots.items()} == expected


def test_the_fans_of_a_table_are_its_features():
    structure = describe_target(lambda: nnx.Embed(11, 6, rngs=nnx.Rngs(0)))
    assert structure.slots[0].fans == (6, 6)


@pytest.mark.parametrize("cell", [nnx.LSTMCell, nnx.OptimizedLSTMCell, nnx.GRUCell, nnx.SimpleCell])
def test_recurrent_kernels(cell):
    slots = by_path(describe_target(lambda: nnx.RNN(cell(3, 6, rngs=nnx.Rngs(0)))))
    inputs = {(slot.role, slot.shape[0]) for slot in slots.values() if slot.role != "bias"}
    assert inputs == {("recurrent", 6), ("dense", 3)}


class Block(nnx.Module):
    """A layer with parameters, statistics and a stream of random numbers."""

    def __init__(self, features, rngs):
        self.linear = nnx.Linear(features, features, rngs=rngs)
        self.norm = nnx.BatchNorm(features, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.own = nnx.Param(jnp.ones((features, 3, 2)))


class Model(nnx.Module):
    """Blocks in a list, a dict of layers, and two ways in which parameters are shared."""

    def __init__(self, rngs):
        self.blocks = nnx.List([Block(4, rngs) for _ in range(2)])
        self.again = self.blocks[1].linear
        self.heads = nnx.Dict({"a": nnx.Linear(4, 5, rngs=rngs)})
        self.embed = nnx.Embed(5, 4, rngs=rngs)
        self.a_table = self.embed.embedding


def build():
    return Model(nnx.Rngs(0))


def test_paths():
    assert set(by_path(describe_target(build()))) == {
        *(f"blocks/{i}/linear/{name}" for i in range(2) for name in ("kernel", "bias")),
        *(f"blocks/{i}/norm/{name}" for i in range(2) for name in ("scale", "bias")),
        *(f"blocks/{i}/own" for i in range(2)),
        "again/kernel",
        "again/bias",
        "heads/a/kernel",
        "heads/a/bias",
        "embed/embedding",
        "a_table",
    }


def test_modules_of_one_s_own():
    slots = by_path(describe_target(build()))
    assert (slots["blocks/0/own"].layer, slots["blocks/0/own"].role) == ("Block", "unknown")
    assert slots["heads/a/kernel"].layer == "Linear"


def test_shared_variables():
    """Every path has a slot, equal tokens say which are one; the layer that is known decides."""
    slots = by_path(describe_target(build()))
    assert slots["again/kernel"].shared == slots["blocks/1/linear/kernel"].shared is not None
    assert slots["a_table"].shared == slots["embed/embedding"].shared is not None
    assert slots["again/kernel"].shared != slots["again/bias"].shared
    assert slots["blocks/0/linear/kernel"].shared is None
    assert slots["a_table"].role == slots["embed/embedding"].role == "embedding"
    assert slots["a_table"].fans == (4, 4)


def test_rebuild_makes_a_new_module_of_the_same_graph():
    model = build()
    before = jax.tree.map(lambda leaf: leaf, nnx.state(model))
    structure = describe_target(model)
    new = numbered(structure)
    assert isinstance(new, Model)
    assert nnx.graphdef(new) == nnx.graphdef(model)
    assert new.again is new.blocks[1].linear
    assert new.a_table is new.embed.embedding
    filled = describe_target(new).slots
    assert [slot.parts for slot in filled] == [slot.parts for slot in structure.slots]
    for at, slot in enumerate(filled):
        assert slot.shared is not None or (slot.value == at).all()
    same = jax.tree.map(lambda one, other: one is other, nnx.state(model), before)
    assert all(jax.tree.leaves(same)), "the model given has changed"


def test_a_new_module_has_variables_of_its_own():
    model = build()
    new = numbered(describe_target(model))
    variables = {id(variable) for _, variable in nnx.to_flat_state(nnx.state(model))}
    assert not variables & {id(variable) for _, variable in nnx.to_flat_state(nnx.state(new))}
    new.blocks[0].norm.mean[...] = jnp.full(4, 9.0)
    assert (model.blocks[0].norm.mean[...] == 0).all()


def test_what_is_no_parameter_is_kept():
    model = build()
    model.blocks[0].norm.mean[...] = jnp.arange(4.0)
    new = numbered(describe_target(model))
    assert new.blocks[0].norm.mean[...].tolist() == [0, 1, 2, 3]
    assert isinstance(new.blocks[0].norm.mean, nnx.BatchStat)
    assert new.blocks[0].dropout.rngs.count[...] == model.blocks[0].dropout.rngs.count[...]


def test_abstract_state_needs_the_constructor():
    with pytest.raises(ValueError, match=r"blocks/0/norm/mean \(BatchStat\).*pass a function"):
        describe_target(nnx.eval_shape(build))


def test_a_constructor_gives_what_it_builds():
    structure = describe_target(build)
    assert all(slot.value is None for slot in structure.slots)
    reference = build()
    values = [slot.value for slot in describe_target(reference).slots]
    new = structure.rebuild(values, structure.rest_of(jax.random.key(0)))
    assert nnx.graphdef(new) == nnx.graphdef(reference)
    ours, theirs = nnx.state(new), nnx.state(reference)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert one.dtype == other.dtype
        if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, other = jax.random.key_data(one), jax.random.key_data(other)
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_no_parameter_is_computed_for_the_rest():
    drawn = []

    def counted(key, shape, dtype):
        def draw(key):
            drawn.append(shape)
            return np.zeros(shape, dtype)

        return jax.pure_callback(draw, jax.ShapeDtypeStruct(shape, dtype), jax.random.key_data(key))

    def make():
        rngs = nnx.Rngs(0)
        return nnx.Sequential(
            nnx.Linear(3, 4, kernel_init=counted, rngs=rngs), nnx.BatchNorm(4, rngs=rngs)
        )

    structure = describe_target(make)
    jax.block_until_ready(structure.rest_of(jax.random.key(0)))
    assert drawn == []
    jax.block_until_ready(nnx.state(make()))
    assert drawn


def stacked(axis, length, inner=4):
    @nnx.split_rngs(splits=length)
    @nnx.vmap(in_axes=(0,), out_axes=nnx.StateAxes({nnx.Param: axis, ...: 0}))
    def make(rngs):
        return nnx.Linear(inner, 3, rngs=rngs)

    return make(nnx.Rngs(0))


@pytest.mark.parametrize(
    ("axis", "length", "stack"),
    [(0, 5, 0), (1, 5, 1), (0, 4, 0), (0, 3, 0)],
    ids=["leading", "second", "as many as inputs", "as many as outputs"],
)
def test_stacked_axes(axis, length, stack):
    slots = by_path(describe_target(nnx.eval_shape(lambda: stacked(axis, length))))
    assert slots["kernel"].stack == slots["bias"].stack == (stack,)
    assert fans_of(slots["kernel"]) == (4, 3)
    assert slots["kernel"].axes.batch_axis == (stack,)
    assert slots["bias"].axes is None


def test_stacked_normalizations():
    @nnx.vmap(in_axes=(0,), out_axes=1)
    def make(_):
        rngs = nnx.Rngs(0)
        return [nnx.LayerNorm(6, rngs=rngs), nnx.GroupNorm(6, 2, rngs=rngs)]

    slots = by_path(describe_target(nnx.eval_shape(lambda: make(jnp.arange(3)))))
    assert {(slot.shape, slot.stack) for slot in slots.values()} == {((6, 3), (1,))}


def test_metadata_tell_axes_that_shapes_do_not():
    """Four layers of (4, 4): the axis called "layers" counts them."""
    names = {"out_sharding": (None, "layers", None)}
    kernel = nnx.Param(jnp.ones((4, 4, 4)), eager_sharding=False, **names)
    layer = nnx.eval_shape(lambda: nnx.Linear(4, 4, rngs=nnx.Rngs(0)))
    layer.kernel = kernel
    assert by_path(describe_target(layer))["kernel"].stack == (1,)


def test_stacked_blocks_of_several_layers():
    @nnx.split_rngs(splits=3)
    @nnx.vmap(in_axes=(0,), out_axes=0)
    def make(rngs):
        return nnx.Sequential(
            nnx.Conv(4, 6, (3, 3), feature_group_count=2, rngs=rngs),
            nnx.LayerNorm(6, rngs=rngs),
            nnx.LoRA(6, 3, 6, rngs=rngs),
            nnx.PReLU(),
        )

    slots = by_path(describe_target(nnx.eval_shape(lambda: make(nnx.Rngs(0)))))
    assert {slot.stack for slot in slots.values()} == {(0,)}
    assert slots["layers/0/kernel"].fans == (18, 27)
    assert slots["layers/0/kernel"].axes == Axes((3,), (4,), (0,))
    assert slots["layers/1/scale"].role == "norm_scale"
    assert slots["layers/2/lora_a"].axes == Axes((1,), (2,), (0,))


def test_metadata_are_kept_and_name_shardings():
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    init = nnx.with_partitioning(ONES, (None, "model"))

    def make():
        return nnx.Linear(2, 8, kernel_init=init, rngs=nnx.Rngs(0))

    structure = describe_target(make, mesh)
    slots = by_path(structure)
    assert slots["kernel"].sharding == NamedSharding(mesh, PartitionSpec(None, "model"))
    assert slots["bias"].sharding is None
    new = numbered(structure, structure.rest_of(None))
    assert (None, "model") in new.kernel.get_metadata().values()
    with jax.set_mesh(mesh):
        reference = make()
    assert new.kernel.get_metadata() == reference.kernel.get_metadata()
    concrete = by_path(describe_target(reference))["kernel"].sharding
    assert concrete == NamedSharding(mesh, PartitionSpec(None, "model"))


def test_names_that_the_mesh_lacks():
    kernel = nnx.Param(jnp.ones((2, 4)), eager_sharding=False, out_sharding=(None, "model"))
    layer = nnx.eval_shape(lambda: nnx.Linear(2, 4, rngs=nnx.Rngs(0)))
    layer.kernel = kernel
    with pytest.raises(ValueError, match=r"^kernel: .*model"):
        describe_target(layer, jax.make_mesh((8,), ("data",)))


def test_masks_fit_the_optimizer():
    optax = pytest.importorskip("optax")
    model = numbered(describe_target(nnx.eval_shape(lambda: nnx.Linear(2, 3, rngs=nnx.Rngs(0)))))
    structure = describe_target(model)
    mask = structure.as_mask([slot.role == "dense" for slot in structure.slots])
    before = jax.tree.map(jnp.copy, nnx.state(model))
    optimizer = nnx.Optimizer(
        model, optax.masked(optax.add_decayed_weights(1.0), mask), wrt=nnx.Param
    )
    optimizer.update(model, jax.tree.map(jnp.zeros_like, nnx.state(model, nnx.Param)))
    assert jnp.array_equal(model.bias[...], before["bias"][...])
    assert jnp.array_equal(model.kernel[...], 2 * before["kernel"][...])


def test_masks_have_one_place_for_a_shared_variable():
    structure = describe_target(build())
    mask = structure.as_mask([True] * len(structure.slots))
    state = nnx.state(build(), nnx.Param)
    pure = jax.tree.map(lambda _: True, state, is_leaf=lambda node: isinstance(node, nnx.Variable))
    assert jax.tree.structure(mask) == jax.tree.structure(pure)


def test_states():
    state = nnx.state(build())
    structure = describe_target(state)
    slots = by_path(structure)
    assert slots["blocks/0/linear/kernel"].role == "dense"
    assert "blocks/0/norm/mean" not in slots
    new = structure.rebuild([jnp.zeros(slot.shape) for slot in structure.slots], None)
    assert jax.tree.structure(new) == jax.tree.structure(state)
    assert new["blocks"][0]["norm"]["var"][...].tolist() == [1, 1, 1, 1]
    assert not new["blocks"][0]["linear"]["kernel"][...].any()
    abstract = jax.eval_shape(lambda: nnx.state(build(), nnx.Param))
    assert set(by_path(describe_target(abstract))) == set(slots)


def test_variables_in_a_tree():
    tree = {"kernel": nnx.Param(jnp.ones((2, 3)), note="kept")}
    structure = describe_target(tree)
    assert set(by_path(structure)) == {"kernel"}
    new = structure.rebuild([jnp.zeros((2, 3))], None)["kernel"]
    assert isinstance(new, nnx.Param)
    assert new.note == "kept"
    assert not new[...].any()
    assert tree["kernel"][...].all()


def test_objects_that_are_no_modules():
    class Pair(nnx.Pytree):
        def __init__(self):
            self.kernel = nnx.Param(jnp.ones((2, 3)))
            self.count = nnx.Variable(jnp.array(7))

    new = numbered(describe_target(Pair()))
    assert isinstance(new, Pair)
    assert (new.kernel[...].sum(), new.count[...]) == (0, 7)


def test_containers_of_modules():
    models = {
        name: nnx.eval_shape(lambda: nnx.Linear(3, 4, rngs=nnx.Rngs(0)))
        for name in ("actor", "critic")
    }
    structure = describe_target(models)
    assert set(by_path(structure)) == {
        f"{name}/{leaf}" for name in models for leaf in ("kernel", "bias")
    }
    new = numbered(structure)
    assert isinstance(new["critic"], nnx.Linear)


def test_references_upwards():
    class Child(nnx.Module):
        def __init__(self, parent, rngs):
            self.linear = nnx.Linear(2, 2, rngs=rngs)
            self.parent = parent

    class Parent(nnx.Module):
        def __init__(self, rngs):
            self.child = Child(self, rngs)

    structure = describe_target(Parent(nnx.Rngs(0)))
    assert set(by_path(structure)) == {"child/linear/kernel", "child/linear/bias"}
    new = numbered(structure)
    assert new.child.parent is new


def test_parameters_that_hold_no_array():
    class Odd(nnx.Module):
        def __init__(self):
            self.table = nnx.Param({"a": jnp.ones(2), "b": jnp.ones(2)})

    with pytest.raises(TypeError, match=r"'table' \(Param\) holds 2 arrays; .* must hold one"):
        describe_target(Odd())


@pytest.mark.parametrize("target", [Model, lambda rngs: Model(rngs)], ids=["class", "function"])
def test_constructors_with_arguments(target):
    with pytest.raises(TypeError, match=r"`target` .* needs rngs; .* takes no arguments"):
        describe_target(target)
