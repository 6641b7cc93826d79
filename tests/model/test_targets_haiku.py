"""Haiku taken apart: a transformed function and inputs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinit.axes import Axes
from jinit.fans import compute_fans
from jinit.model.targets.dispatch import describe_target
from jinit.model.targets.inputs import with_inputs

hk = pytest.importorskip("haiku")

KEY = jax.random.key(2)
IMAGE, SEQUENCE = jnp.ones((2, 8, 8, 4)), jnp.ones((2, 5, 8))


def by_path(structure):
    return {"/".join(slot.parts): slot for slot in structure.slots}


def describe(function, *inputs, **options):
    return by_path(describe_target(with_inputs(hk.transform(function), *inputs, **options)))


def fans_of(slot):
    return slot.fans or compute_fans(slot.shape, **slot.axes._asdict())


def model(x, width, *, deep):
    for _ in range(2 if deep else 1):
        x = hk.Linear(width)(x)
    return hk.nets.MLP([6, 3], name="mlp")(x)


def test_parameters_are_those_of_init():
    transformed = hk.transform(model)
    structure = describe_target(with_inputs(transformed, SEQUENCE, 8, deep=True))
    reference = jax.eval_shape(lambda: transformed.init(KEY, SEQUENCE, 8, deep=True))
    assert set(by_path(structure)) == {
        *(f"linear{end}/{name}" for end in ("", "_1") for name in "wb"),
        *(f"mlp/~/linear_{i}/{name}" for i in range(2) for name in "wb"),
    }
    assert structure.rest_of is None
    built = structure.rebuild([jnp.ones(slot.shape) for slot in structure.slots], None)
    assert jax.tree.structure(built) == jax.tree.structure(reference)
    assert jax.tree.map(jnp.shape, built) == jax.tree.map(jnp.shape, reference)
    mask = structure.as_mask([slot.role == "dense" for slot in structure.slots])
    assert mask["mlp/~/linear_1"] == {"w": True, "b": False}


# Layer, input, role and axes of `w`, and fans counted by hand.
KERNELS = {
    "Linear": (lambda x: hk.Linear(6)(x), SEQUENCE, "dense", Axes((0,), (1,)), (8, 6)),
    "Conv2D": (
        lambda x: hk.Conv2D(6, 3, stride=2, feature_group_count=2)(x),
        IMAGE,
        "conv",
        Axes((2,), (3,)),
        (9 * 2, 9 * 3 / 4),
    ),
    "Conv2D channels first": (
        lambda x: hk.Conv2D(6, 3, data_format="NCHW")(x),
        IMAGE,
        "conv",
        Axes((2,), (3,)),
        (9 * 8, 9 * 6),
    ),
    "Conv2DTranspose": (
        lambda x: hk.Conv2DTranspose(6, 4, stride=2)(x),
        IMAGE,
        "conv_transpose",
        Axes((3,), (2,)),
        (16 * 4 / 4, 16 * 6),
    ),
    "DepthwiseConv2D": (
        lambda x: hk.DepthwiseConv2D(2, 3)(x),
        IMAGE,
        "depthwise",
        Axes((2,), (3,)),
        (9, 9 * 2),
    ),
}


@pytest.mark.parametrize(("function", "x", "role", "axes", "fans"), KERNELS.values(), ids=KERNELS)
def test_what_a_layer_does_with_its_kernel(function, x, role, axes, fans):
    slots = {path.rpartition("/")[2]: slot for path, slot in describe(function, x).items()}
    assert (slots["w"].role, slots["w"].axes) == (role, axes)
    assert fans_of(slots["w"]) == fans
    assert slots["b"].role == "bias"


def test_other_layers():
    def function(x):
        x = hk.LayerNorm(-1, True, True)(x)
        x = hk.MultiHeadAttention(2, 4, w_init=jnp.ones)(x, x, x)
        hk.Embed(11, 6)(jnp.zeros(3, jnp.int32))
        core = hk.GRU(4)
        return core(x[0], core.initial_state(5))

    slots = describe(function, SEQUENCE)
    assert {path: slot.role for path, slot in slots.items() if "attention" not in path} == {
        "layer_norm/scale": "norm_scale",
        "layer_norm/offset": "norm_bias",
        "embed/embeddings": "embedding",
        "gru/w_i": "dense",
        "gru/w_h": "recurrent",
        "gru/b": "bias",
    }
    assert slots["embed/embeddings"].fans == (6, 6)
    assert slots["multi_head_attention/query/w"].layer == "Linear"
    assert slots["layer_norm/scale"].layer == "LayerNorm"


def test_layer_stack():
    """Modules inside forget the names around them; shapes tell which is which."""

    def function(x):
        x = hk.experimental.layer_stack(3)(lambda x: hk.Conv1D(8, 3)(x) + hk.Linear(8)(x))(x)
        return hk.Linear(4)(x)

    slots = describe(function, SEQUENCE)
    stacked = {path: slot for path, slot in slots.items() if path.startswith("__layer_stack")}
    assert {slot.stack for slot in stacked.values()} == {(0,)}
    conv = slots["__layer_stack_no_per_layer/conv1_d/w"]
    assert (conv.layer, conv.shape, conv.fans) == ("Conv1D", (3, 3, 8, 8), (24, 24))
    assert conv.axes == Axes((2,), (3,), (0,))
    assert slots["linear/w"].stack == ()


def stateful(x, *, is_training):
    hk.set_state("steps", jnp.array(7, jnp.int32))
    return hk.Linear(4)(hk.BatchNorm(True, True, 0.9)(x, is_training))


@pytest.fixture
def _promotion():
    """Haiku's moving averages mix floats and ints."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.usefixtures("_promotion")
def test_state_is_computed():
    transformed = hk.transform_with_state(stateful)
    target = with_inputs(transformed, SEQUENCE, is_training=True)
    structure = describe_target(target)
    reference = jax.jit(functools.partial(transformed.init, is_training=True))(KEY, SEQUENCE)
    built = structure.rebuild(jax.tree.leaves(reference[0]), structure.rest_of(KEY))
    assert jax.tree.structure(built) == jax.tree.structure(reference)
    for ours, theirs in zip(jax.tree.leaves(built), jax.tree.leaves(reference), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("_promotion")
def test_state_that_depends_on_inputs_needs_them():
    shape = jax.ShapeDtypeStruct(SEQUENCE.shape, SEQUENCE.dtype)
    target = with_inputs(hk.transform_with_state(stateful), shape, is_training=True)
    with pytest.raises(ValueError, match=r"average depends on the values of the inputs"):
        describe_target(target).rest_of(KEY)


@pytest.mark.parametrize("options", [{"method": "other"}, {"rngs": ("dropout",)}])
def test_options_of_linen(options):
    with pytest.raises(TypeError, match="are for Linen modules"):
        with_inputs(hk.transform(model), SEQUENCE, **options)


def test_a_function_needs_inputs():
    with pytest.raises(TypeError, match=r"`target` is a Transformed.*jinit\.with_inputs"):
        describe_target(hk.transform(model))
