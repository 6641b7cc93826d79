"""Parameter trees taken apart: paths, roles by name, shared arrays, kept collections, shardings."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jinit.axes import Axes
from jinit.fans import Fans
from jinit.model.targets.dispatch import describe_target
from jinit.model.targets.roles import guess_use


def shape_of(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def by_path(structure):
    return {"/".join(slot.parts): slot for slot in structure.slots}


def filled(structure):
    """The model with its first parameter all 0, the second all 1, and so on."""
    return structure.rebuild(
        [jnp.full(slot.shape, at, slot.dtype) for at, slot in enumerate(structure.slots)], None
    )


class Pair(NamedTuple):
    w: Any
    b: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Layer:
    kernel: Any
    bias: Any


NESTED = {
    "layers": [Layer(shape_of(2, 3), shape_of(3)), Layer(shape_of(3, 4), shape_of(4))],
    "head": Pair(np.zeros((4, 5), np.float16), jnp.zeros(5)),
    "none": None,
}


def test_paths_of_every_kind_of_node():
    structure = describe_target(NESTED)
    assert [slot.parts for slot in structure.slots] == [
        ("head", "w"),
        ("head", "b"),
        ("layers", "0", "kernel"),
        ("layers", "0", "bias"),
        ("layers", "1", "kernel"),
        ("layers", "1", "bias"),
    ]


def test_rebuild_gives_the_same_kind_of_tree():
    tree = filled(describe_target(NESTED))
    assert jax.tree.structure(tree) == jax.tree.structure(NESTED)
    assert isinstance(tree["layers"][0], Layer)
    assert isinstance(tree["head"], Pair)
    assert tree["layers"][1].kernel.tolist() == np.full((3, 4), 4).tolist()


def test_mask_has_the_tree_s_structure():
    structure = describe_target(NESTED)
    mask = structure.as_mask([slot.role == "dense" for slot in structure.slots])
    assert mask["head"] == Pair(True, False)
    assert mask["layers"][1] == Layer(True, False)
    assert jax.tree.structure(mask) == jax.tree.structure(NESTED)


def test_values_dtypes_and_shapes():
    slots = by_path(describe_target(NESTED))
    assert slots["layers/0/kernel"].value is None
    assert slots["head/w"].value is NESTED["head"].w
    assert slots["head/w"].dtype == np.float16
    assert slots["layers/0/bias"].shape == (3,)
    assert describe_target({}).slots == ()
    assert describe_target(jnp.ones(3)).slots[0].parts == ()


def test_one_array_in_two_places_is_shared():
    table = jnp.ones((5, 3))
    tree = {"head": table, "embed": {"embedding": table}, "other": jnp.ones((5, 3))}
    slots = by_path(describe_target(tree))
    assert slots["head"].shared == slots["embed/embedding"].shared is not None
    assert slots["other"].shared is None


def test_one_shape_in_two_places_is_not_shared():
    shape = shape_of(5, 3)
    assert all(slot.shared is None for slot in describe_target({"a": shape, "b": shape}).slots)


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        (3, r"'a/b' \(=3\) is of type int; leaves must be arrays or jax.ShapeDtypeStruct"),
        ("x", r"'a/b' \(='x'\) is of type str; leaves must be arrays"),
        (jax.random.key(0), r"'a/b' has dtype key<fry>: a PRNG key is no parameter"),
    ],
    ids=["number", "text", "key"],
)
def test_leaves_that_are_no_arrays(leaf, message):
    with pytest.raises(TypeError, match=message):
        describe_target({"a": {"b": leaf}})


# Name, shape, shapes of the layer's others, role, axes: written down from what each name means.
IN_OUT, OUT_IN = Axes((0,), (1,)), Axes((1,), (0,))
GUESSES = [
    ("bias", (4,), {"kernel": (3, 4)}, "bias", None),
    ("b", (4,), {"w": (3, 4)}, "bias", None),
    ("bias", (4,), {"scale": (4,)}, "norm_bias", None),
    ("bias", (4,), {"weight": (4,)}, "norm_bias", None),
    ("bias", (4,), {"weight": (3, 4)}, "bias", None),
    ("bias", (2, 4), {"kernel": (3, 2, 4)}, "bias", None),
    ("bias", (4,), {"scale": (4,), "kernel": (3, 4)}, "bias", None),
    ("q_bias", (4,), {}, "bias", None),
    ("offset", (1, 4), {"scale": (1, 4)}, "norm_bias", None),
    ("beta", (4,), {"gamma": (4,)}, "norm_bias", None),
    ("scale", (4,), {}, "norm_scale", None),
    ("gamma", (4,), {}, "norm_scale", None),
    ("weight", (4,), {}, "norm_scale", None),
    ("scale", (4,), {"kernel": (3, 4)}, "scale", None),
    ("scale", (), {}, "scale", None),
    ("logit_scale", (), {}, "scale", None),
    ("negative_slope", (), {}, "scale", None),
    ("embedding", (9, 4), {}, "embedding", IN_OUT),
    ("embeddings", (9, 4), {}, "embedding", IN_OUT),
    ("wte", (9, 4), {}, "embedding", IN_OUT),
    ("pos_embedding", (1, 9, 4), {}, "embedding", None),
    ("kernel", (3, 4), {}, "dense", IN_OUT),
    ("Kernel", (3, 4), {}, "dense", IN_OUT),
    ("w", (3, 4), {}, "dense", IN_OUT),
    ("weight", (3, 4), {}, "dense", IN_OUT),
    ("w1", (3, 4), {}, "dense", IN_OUT),
    ("wq", (3, 4), {}, "dense", IN_OUT),
    ("w_out", (3, 4), {}, "dense", IN_OUT),
    ("q_proj", (3, 4), {}, "dense", IN_OUT),
    ("lora_a", (3, 2), {}, "lora_a", IN_OUT),
    ("lora_b", (2, 4), {}, "lora_b", IN_OUT),
    ("w_h", (4, 12), {}, "recurrent", IN_OUT),
    ("weight_hh", (16, 4), {}, "recurrent", OUT_IN),
    ("weight_ih", (16, 3), {}, "dense", OUT_IN),
    ("kernel", (4,), {}, "unknown", None),
    ("kernel", (3, 3, 4, 8), {}, "unknown", None),
    ("kernel", (2, 3, 4), {}, "unknown", None),
    ("w", (2, 3, 4), {}, "unknown", None),
    ("A_log", (4, 8), {}, "unknown", None),
]


@pytest.mark.parametrize(("name", "shape", "siblings", "role", "axes"), GUESSES)
def test_roles_by_name(name, shape, siblings, role, axes):
    use = guess_use(name, shape, siblings)
    assert (use.role, use.axes) == (role, axes)


def test_the_fans_of_a_table_are_its_features():
    assert guess_use("embedding", (9, 4), {}).fans == Fans(4, 4)


VARIABLES = {
    "params": {"Dense_0": {"kernel": shape_of(3, 4), "bias": shape_of(4)}},
    "batch_stats": {"BatchNorm_0": {"mean": jnp.arange(4.0)}},
}


def test_linen_variables_lose_the_collection_s_name():
    structure = describe_target(VARIABLES)
    assert set(by_path(structure)) == {"Dense_0/kernel", "Dense_0/bias"}
    rebuilt = filled(structure)
    assert jax.tree.structure(rebuilt) == jax.tree.structure(VARIABLES)
    assert rebuilt["batch_stats"]["BatchNorm_0"]["mean"].tolist() == [0, 1, 2, 3]
    assert structure.as_mask([False, True]) == {"Dense_0": {"bias": False, "kernel": True}}


def test_abstract_collections_need_the_model():
    abstract = {**VARIABLES, "batch_stats": {"BatchNorm_0": {"mean": shape_of(4)}}}
    with pytest.raises(ValueError, match=r"BatchNorm_0/mean are shapes.*jinit\.with_inputs"):
        describe_target(abstract)


def test_params_beside_something_else_are_a_tree():
    tree = {"params": {"kernel": shape_of(3, 4)}, "step": jnp.zeros((), jnp.int32)}
    assert set(by_path(describe_target(tree))) == {"params/kernel", "step"}


def test_haiku_s_module_names_are_split():
    tree = {"mlp/~/linear_0": {"w": shape_of(3, 4), "b": shape_of(4)}}
    structure = describe_target(tree)
    assert set(by_path(structure)) == {"mlp/~/linear_0/w", "mlp/~/linear_0/b"}
    assert structure.slots[0].parts == ("mlp", "~", "linear_0", "b")
    assert jax.tree.structure(filled(structure)) == jax.tree.structure(tree)


def test_haiku_s_layer_stack_says_that_it_stacks():
    tree = {"__layer_stack_no_per_layer/linear": {"w": shape_of(6, 3, 4), "b": shape_of(6, 4)}}
    slots = by_path(describe_target(tree))
    weights = slots["__layer_stack_no_per_layer/linear/w"]
    assert (weights.stack, weights.role, weights.axes) == ((0,), "dense", Axes((1,), (2,), (0,)))
    assert slots["__layer_stack_no_per_layer/linear/b"].stack == (0,)


def test_shardings_of_arrays_and_shapes():
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    sharding = NamedSharding(mesh, PartitionSpec(None, "model"))
    tree = {
        "array": jax.device_put(jnp.ones((2, 4)), sharding),
        "shape": jax.ShapeDtypeStruct((2, 4), "float32", sharding=sharding),
        "plain": jnp.ones(3),
    }
    slots = by_path(describe_target(tree))
    assert slots["array"].sharding == slots["shape"].sharding == sharding
    assert slots["plain"].sharding is None


def test_trees_of_traced_arrays():
    def role(tree):
        (slot,) = describe_target(tree).slots
        assert slot.sharding is None
        return jnp.zeros(slot.shape) if slot.role == "dense" else tree

    assert jax.jit(role)({"kernel": jnp.ones((2, 3))}).shape == (2, 3)


class TestBoxes:
    """Flax's metadata stay on what they were on."""

    @pytest.fixture
    def nn(self):
        return pytest.importorskip("flax.linen")

    @pytest.fixture
    def mesh(self):
        types = (jax.sharding.AxisType.Auto,) * 2
        return jax.make_mesh((2, 4), ("data", "model"), axis_types=types)

    def test_boxes_are_kept(self, nn):
        box = nn.Partitioned(shape_of(2, 4), names=(None, "model"))
        structure = describe_target({"kernel": box})
        (slot,) = structure.slots
        assert (slot.parts, slot.shape, slot.sharding) == (("kernel",), (2, 4), None)
        rebuilt = structure.rebuild([np.ones((2, 4))], None)["kernel"]
        assert isinstance(rebuilt, nn.Partitioned)
        assert rebuilt.names == (None, "model")
        assert rebuilt.value.sum() == 8
        assert structure.as_mask([True])["kernel"] == box.replace(value=True)

    def test_names_become_shardings_on_a_mesh(self, nn, mesh):
        box = nn.Partitioned(shape_of(2, 4), names=(None, "model"))
        (slot,) = describe_target({"kernel": box}, mesh).slots
        assert slot.sharding == NamedSharding(mesh, PartitionSpec(None, "model"))
        (slot,) = describe_target({"kernel": box.replace(mesh=mesh)}).slots
        assert slot.sharding == NamedSharding(mesh, PartitionSpec(None, "model"))

    def test_names_that_the_mesh_lacks(self, nn, mesh):
        box = nn.Partitioned(shape_of(2, 4), names=(None, "expert"))
        with pytest.raises(ValueError, match=r"^kernel: .*expert"):
            describe_target({"kernel": box}, mesh)

    def test_logical_names_go_through_rules(self, nn, mesh):
        box = nn.LogicallyPartitioned(shape_of(2, 4), names=("embed", "mlp"))
        assert describe_target({"kernel": box}, mesh).slots[0].sharding is None
        with nn.logical_axis_rules((("embed", None), ("mlp", "model"))):
            (slot,) = describe_target({"kernel": box}, mesh).slots
        assert slot.sharding == NamedSharding(mesh, PartitionSpec(None, "model"))
        ruled = box.replace(rules=(("embed", "data"), ("mlp", "model")))
        (slot,) = describe_target({"kernel": ruled}, mesh).slots
        assert slot.sharding == NamedSharding(mesh, PartitionSpec("data", "model"))
