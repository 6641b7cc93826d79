"""Equinox taken apart: layers, stacks, state, shared nodes, and what is no parameter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinit.axes import Axes
from jinit.fans import compute_fans
from jinit.model.targets.dispatch import describe_target

eqx = pytest.importorskip("equinox")

KEY = jax.random.key(1)
VECTOR, IMAGE = jnp.ones(8), jnp.ones((4, 8, 8))
OUT_IN, OUT_IN_STACKED = Axes((1,), (0,)), Axes((2,), (1,), (0,))


def by_path(structure):
    return {"/".join(slot.parts): slot for slot in structure.slots}


def fans_of(slot):
    return slot.fans or compute_fans(slot.shape, **slot.axes._asdict())


def filled(structure, rest=None):
    """The model with its first parameter all 0, the second all 1, and so on."""
    return structure.rebuild(
        [jnp.full(slot.shape, at, slot.dtype) for at, slot in enumerate(structure.slots)], rest
    )


# Layer, input, role and axes of the weight. Circular padding: no edge loses a connection.
WEIGHTS = {
    "Linear": (lambda: eqx.nn.Linear(8, 6, key=KEY), VECTOR, "dense"),
    "Conv1d": (
        lambda: eqx.nn.Conv1d(4, 6, 3, padding="SAME", padding_mode="CIRCULAR", key=KEY),
        jnp.ones((4, 8)),
        "conv",
    ),
    "Conv2d": (
        lambda: eqx.nn.Conv2d(
            4, 6, 3, stride=2, groups=2, padding=1, padding_mode="CIRCULAR", key=KEY
        ),
        IMAGE,
        "conv",
    ),
    "depthwise": (
        lambda: eqx.nn.Conv2d(4, 8, 3, groups=4, padding="SAME", padding_mode="CIRCULAR", key=KEY),
        IMAGE,
        "depthwise",
    ),
    "ConvTranspose2d": (
        lambda: eqx.nn.ConvTranspose2d(
            4, 6, 4, stride=2, groups=2, padding="SAME", padding_mode="CIRCULAR", key=KEY
        ),
        IMAGE,
        "conv_transpose",
    ),
}


@pytest.mark.parametrize(("make", "x", "role"), WEIGHTS.values(), ids=WEIGHTS)
def test_fans_are_the_connections_that_the_layer_makes(make, x, role):
    """Of a layer whose weights are 1, an output counts those into it, a slope those out."""
    abstract = eqx.filter_eval_shape(make)
    structure = describe_target(abstract)
    slots = by_path(structure)
    assert (slots["weight"].role, slots["weight"].axes) == (role, OUT_IN)
    assert (slots["bias"].role, slots["bias"].axes) == ("bias", None)
    assert {slot.layer for slot in slots.values()} == {type(abstract).__name__}
    layer = structure.rebuild(
        [jnp.full(slot.shape, float(name == "weight")) for name, slot in slots.items()], None
    )
    out, slopes = jax.jit(lambda x: (layer(x), jax.grad(lambda x: layer(x).sum())(x)))(x)
    assert fans_of(slots["weight"]) == pytest.approx((float(out.mean()), float(slopes.mean())))


NORM = {"weight": ("norm_scale", None), "bias": ("norm_bias", None)}
OTHERS = {
    "Linear of scalars": (
        lambda: eqx.nn.Linear("scalar", "scalar", key=KEY),
        {"weight": ("dense", OUT_IN), "bias": ("bias", None)},
    ),
    "Embedding": (
        lambda: eqx.nn.Embedding(11, 6, key=KEY),
        {"weight": ("embedding", Axes((0,), (1,)))},
    ),
    "LayerNorm": (lambda: eqx.nn.LayerNorm(6), NORM),
    "LayerNorm 2-D": (lambda: eqx.nn.LayerNorm((4, 6)), NORM),
    "RMSNorm": (lambda: eqx.nn.RMSNorm(6), NORM),
    "GroupNorm": (lambda: eqx.nn.GroupNorm(2, 6), NORM),
    "BatchNorm": (lambda: eqx.nn.BatchNorm(6, "batch", mode="ema"), NORM),
    "PReLU": (lambda: eqx.nn.PReLU(), {"negative_slope": ("scale", None)}),
    "GRUCell": (
        lambda: eqx.nn.GRUCell(3, 4, key=KEY),
        {
            "weight_ih": ("dense", OUT_IN),
            "weight_hh": ("recurrent", OUT_IN),
            "bias": ("bias", None),
            "bias_n": ("bias", None),
        },
    ),
    "LSTMCell": (
        lambda: eqx.nn.LSTMCell(3, 4, key=KEY),
        {
            "weight_ih": ("dense", OUT_IN),
            "weight_hh": ("recurrent", OUT_IN),
            "bias": ("bias", None),
        },
    ),
    "MultiheadAttention": (
        lambda: eqx.nn.MultiheadAttention(2, 8, key=KEY),
        {f"{name}_proj/weight": ("dense", OUT_IN) for name in ("query", "key", "value", "output")},
    ),
    "WeightNorm": (
        lambda: eqx.nn.WeightNorm(eqx.nn.Linear(3, 4, use_bias=False, key=KEY)),
        {"layer/weight": ("dense", OUT_IN), "g": ("scale", None)},
    ),
    "SpectralNorm": (
        lambda: eqx.nn.SpectralNorm(
            eqx.nn.Linear(3, 4, use_bias=False, key=KEY), "weight", key=KEY
        ),
        {"layer/weight": ("dense", OUT_IN)},
    ),
}


@pytest.mark.parametrize(("make", "expected"), OTHERS.values(), ids=OTHERS)
def test_what_layers_do_with_their_parameters(make, expected):
    slots = by_path(describe_target(make))
    assert {path: (slot.role, slot.axes) for path, slot in slots.items()} == expected


def test_the_fans_of_a_table_are_its_features():
    structure = describe_target(lambda: eqx.nn.Embedding(11, 6, key=KEY))
    assert structure.slots[0].fans == (6, 6)


class Own(eqx.Module):
    """A module of one's own, with things that are no parameters."""

    weight: jax.Array
    kernel: jax.Array
    taps: jax.Array
    steps: jax.Array
    layers: list
    activation: object = eqx.field(default=jax.nn.relu)

    def __init__(self, key=KEY):
        self.weight = jnp.ones((3, 5))
        self.kernel = jnp.ones((3, 5))
        self.taps = jnp.ones((2, 3, 5))
        self.steps = jnp.array(7)
        self.layers = [eqx.nn.Linear(2, 3, key=key), jnp.tanh]
        self.activation = jax.nn.relu


def test_modules_of_one_s_own():
    slots = by_path(describe_target(Own()))
    assert {path: (slot.role, slot.axes, slot.layer) for path, slot in slots.items()} == {
        "weight": ("dense", OUT_IN, "Own"),
        "kernel": ("dense", Axes((0,), (1,)), "Own"),
        "taps": ("unknown", None, "Own"),
        "layers/0/weight": ("dense", OUT_IN, "Linear"),
        "layers/0/bias": ("bias", None, "Linear"),
    }


def test_rebuild_changes_parameters_alone():
    model = Own()
    new = filled(describe_target(model))
    assert jax.tree.structure(new) == jax.tree.structure(model)
    assert new.steps is model.steps
    assert new.activation is model.activation
    assert (new.taps == 2).all()
    assert (model.taps == 1).all()


def test_masks_have_the_structure_of_filtered_modules():
    model = Own()
    structure = describe_target(model)
    mask = structure.as_mask([slot.role == "dense" for slot in structure.slots])
    assert jax.tree.structure(mask) == jax.tree.structure(eqx.filter(model, eqx.is_array))
    assert (mask.weight, mask.taps, mask.steps, mask.activation) == (True, False, False, None)


@pytest.mark.parametrize("keep", [eqx.is_array, eqx.is_inexact_array])
def test_masks_fit_optax(keep):
    optax = pytest.importorskip("optax")
    model = Own()
    structure = describe_target(model)
    mask = structure.as_mask([slot.role == "dense" for slot in structure.slots])
    decay = optax.masked(optax.add_decayed_weights(1.0), mask)
    params = eqx.filter(model, keep)
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = decay.update(zeros, decay.init(params), params)
    assert (updates.weight == 1).all()
    assert (updates.taps == 0).all()


def test_abstract_arrays_need_the_constructor():
    with pytest.raises(ValueError, match=r"^steps are shapes without values.*pass a function"):
        describe_target(eqx.filter_eval_shape(Own))


@pytest.mark.parametrize("make", [Own, lambda: Own(KEY)], ids=["class", "function"])
def test_a_constructor_gives_what_it_builds(make):
    structure = describe_target(make)
    assert all(slot.value is None for slot in structure.slots)
    new = filled(structure, structure.rest_of(KEY))
    assert jax.tree.structure(new) == jax.tree.structure(Own())
    assert new.steps == 7
    assert new.steps.dtype == Own().steps.dtype


def test_state_is_no_parameter():
    model, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(6, "batch", mode="ema")
    structure = describe_target((model, state))
    assert set(by_path(structure)) == {"0/weight", "0/bias"}
    new, new_state = filled(structure)
    assert (new.bias == 1).all()
    assert jax.tree.structure(new_state) == jax.tree.structure(state)
    same = jax.tree.map(lambda one, other: bool((one == other).all()), new_state, state)
    assert all(jax.tree.leaves(same))


def test_state_of_a_constructor_is_computed():
    make = eqx.nn.make_with_state(lambda: eqx.nn.BatchNorm(6, "batch", mode="ema"))
    structure = describe_target(make)
    assert set(by_path(structure)) == {"0/weight", "0/bias"}
    model, state = filled(structure, structure.rest_of(KEY))
    ours, theirs = jax.tree.leaves(state), jax.tree.leaves(make()[1])
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    state.get(model.ema_state_index)  # the state belongs to the model


def test_shared_nodes_are_there_once():
    def make():
        pair = (eqx.nn.Embedding(7, 4, key=KEY), eqx.nn.Linear(4, 7, key=KEY))
        return eqx.nn.Shared(pair, lambda pair: pair[1].weight, lambda pair: pair[0].weight)

    structure = describe_target(make)
    assert set(by_path(structure)) == {"pytree/0/weight", "pytree/1/bias"}
    embedding, linear = filled(structure, structure.rest_of(KEY))()
    assert linear.weight is embedding.weight


def test_one_array_in_two_places_is_shared():
    table = jnp.ones((7, 4))
    pair = [eqx.nn.Embedding(weight=table), eqx.nn.Linear(4, 7, key=KEY)]
    pair[1] = eqx.tree_at(lambda linear: linear.weight, pair[1], table)
    slots = by_path(describe_target(pair))
    assert slots["0/weight"].shared == slots["1/weight"].shared is not None
    assert slots["1/bias"].shared is None


@pytest.mark.parametrize("length", [3, 4, 6], ids=["other", "as many as inputs", "as outputs"])
def test_stacked_axes(length):
    make = eqx.filter_vmap(lambda key: eqx.nn.Linear(4, 6, key=key))
    slots = by_path(describe_target(lambda: make(jax.random.split(KEY, length))))
    assert slots["weight"].stack == slots["bias"].stack == (0,)
    assert slots["weight"].axes == OUT_IN_STACKED
    assert fans_of(slots["weight"]) == (4, 6)
    assert slots["bias"].axes is None


def test_stacked_blocks_of_several_layers():
    def make(key):
        return [
            eqx.nn.Conv2d(4, 6, 3, groups=2, key=key),
            eqx.nn.LayerNorm((6, 2)),
            eqx.nn.GroupNorm(2, 6),
            eqx.nn.LSTMCell(3, 4, key=key),
        ]

    slots = by_path(describe_target(lambda: eqx.filter_vmap(make)(jax.random.split(KEY, 5))))
    assert {slot.stack for slot in slots.values()} == {(0,)}
    assert slots["0/weight"].fans == (18, 27)
    assert slots["0/weight"].axes == OUT_IN_STACKED
    assert slots["3/weight_hh"].role == "recurrent"


def test_scanned_perceptron():
    def make():
        return eqx.nn.MLP(3, 2, 5, depth=4, scan=True, activation=eqx.nn.PReLU(), key=KEY)

    slots = by_path(describe_target(make))
    assert {path: slot.stack for path, slot in slots.items() if path.endswith("weight")} == {
        "layers/0/weight": (),
        "layers/1/weight": (0,),
        "layers/2/weight": (),
    }
    assert slots["activation/negative_slope"].role == "scale"
    assert fans_of(slots["layers/1/weight"]) == (5, 5)
