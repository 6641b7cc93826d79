"""Equinox', Haiku's and Keras' defaults, against what their own layers draw."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from presets.laws import (
    CUT2,
    assert_json_round_trip,
    assert_row,
    assert_stds,
    by_path,
    stds,
)

import jinit
from jinit import presets

KEY = jax.random.key(6)


def linen(module, *inputs):
    return jinit.with_inputs(module, *inputs)


# Equinox.


def equinox_model(eqx):
    keys = iter(jax.random.split(KEY, 9))
    return [
        eqx.nn.Linear(60, 500, key=next(keys)),
        eqx.nn.Conv2d(12, 200, 3, stride=2, groups=4, key=next(keys)),
        eqx.nn.ConvTranspose2d(12, 200, 4, stride=2, key=next(keys)),
        eqx.nn.Embedding(200, 40, key=next(keys)),
        eqx.nn.LSTMCell(20, 40, key=next(keys)),
        eqx.nn.GRUCell(20, 40, key=next(keys)),
        eqx.nn.MultiheadAttention(4, 64, key=next(keys)),
        eqx.nn.LayerNorm(40),
        eqx.nn.PReLU(),
    ]


def test_equinox_stds():
    eqx = pytest.importorskip("equinox")
    model = eqx.filter_eval_shape(equinox_model, eqx)
    third = 3**-0.5
    table = {
        "0/*": third * 60**-0.5,
        "1/*": third * 27**-0.5,
        "2/*": third * 192**-0.5,
        "3/*": 1.0,
        "[45]/*": third * 40**-0.5,
        "6/*": third * 64**-0.5,
        "[78]/*": 0.0,
    }
    assert_stds(model, presets.equinox_default(), table)
    assert jinit.plan(model, presets.equinox_default())["8/negative_slope"].scheme == (
        jinit.constant(0.25)
    )


@pytest.mark.slow
def test_equinox():
    eqx = pytest.importorskip("equinox")
    model = equinox_model(eqx)
    theirs = by_path(eqx.filter(model, eqx.is_array))
    plan = jinit.plan(model, presets.equinox_default())
    assert {row.path for row in plan} == theirs.keys()
    assert len(plan) >= 19
    for row in plan:
        assert_row(row, theirs[row.path])


def test_equinox_on_flax_takes_inputs_where_torch_takes_outputs():
    target = linen(nn.ConvTranspose(20, (4,), (2,)), jnp.zeros((1, 5, 6)))
    assert stds(target, presets.equinox_default())["kernel"] == pytest.approx(72**-0.5)
    assert stds(target, presets.equinox_default())["bias"] == pytest.approx(72**-0.5)
    assert stds(target, presets.torch_default())["kernel"] == pytest.approx(240**-0.5)


# Haiku.


def haiku_model(hk):
    def everything(tokens, images):
        x = hk.Embed(200, 40)(tokens)
        for core in (hk.LSTM(24), hk.GRU(24), hk.VanillaRNN(24)):
            x, _ = hk.dynamic_unroll(core, x, core.initial_state(x.shape[1]))
        x = hk.LayerNorm(-1, True, True)(hk.Linear(300)(x))
        y = hk.Conv2D(60, 3, stride=2)(images)
        y = hk.DepthwiseConv2D(1, 3)(y)
        return x, hk.Conv2DTranspose(24, 4, stride=2)(y)

    return hk.transform(everything), (jnp.zeros((2, 1), jnp.int32), jnp.zeros((1, 8, 8, 12)))


def test_haiku_stds():
    hk = pytest.importorskip("haiku")
    net, inputs = haiku_model(hk)
    table = {
        "embed/embeddings": CUT2,
        "lstm/linear/w": CUT2 / 64**0.5,
        "gru/w_*": 24**-0.5,
        "vanilla_rnn/*/w": CUT2 / 24**0.5,
        "linear/w": CUT2 / 24**0.5,
        "conv2_d/w": CUT2 / 108**0.5,
        "depthwise*/w": CUT2 / 9**0.5,
        "conv2_d_transpose/w": CUT2 / (16 * 60) ** 0.5,
        "*": 0.0,
    }
    with jax.numpy_rank_promotion("allow"):
        assert_stds(jinit.with_inputs(net, *inputs), presets.haiku_default(), table)


@pytest.mark.slow
def test_haiku():
    hk = pytest.importorskip("haiku")
    net, inputs = haiku_model(hk)
    with jax.numpy_rank_promotion("allow"):
        theirs = by_path(jax.jit(net.init)(KEY, *inputs))
        plan = jinit.plan(jinit.with_inputs(net, *inputs), presets.haiku_default())
    assert {row.path for row in plan} == theirs.keys()
    for row in plan:
        assert_row(row, theirs[row.path])


def test_haiku_on_flax():
    target = linen(nn.RNN(nn.LSTMCell(10)), jnp.zeros((1, 2, 5)))
    plan = jinit.plan(target, presets.haiku_default())
    assert plan["cell/hf/bias"].scheme == jinit.constant(1.0)
    assert plan["cell/hi/bias"].scheme == jinit.zeros()
    assert plan["cell/if/kernel"].std == pytest.approx(CUT2 / 5**0.5)
    assert plan["cell/hf/kernel"].std == pytest.approx(1 / 10**0.5)


# Keras.


@pytest.fixture
def keras(monkeypatch):
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "jax")
    module = pytest.importorskip("keras")
    if module.backend.backend() != "jax":
        pytest.skip("Keras runs on another backend")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield module


def keras_weights(layer, shape):
    layer.build(shape)
    return [np.asarray(weight) for weight in layer.trainable_weights]


def test_keras_stds():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, tokens, images):
            x = nn.RNN(nn.LSTMCell(24))(nn.Embed(30, 40)(tokens))
            y = nn.Conv(20, (3, 3), (2, 2), feature_group_count=4)(images)
            y = nn.Conv(20, (3, 3), (2, 2), feature_group_count=20)(nn.PReLU()(y))
            return nn.Dense(7)(x), nn.ConvTranspose(9, (4, 4), (2, 2))(y)

    table = {
        "Embed_0/embedding": 0.05 / 3**0.5,
        "LSTMCell_0/i*/kernel": (2 / 64) ** 0.5,
        "LSTMCell_0/h*/kernel": 24**-0.5,
        "Conv_0/kernel": (2 / (9 * 3 + 9 * 20)) ** 0.5,
        "Conv_1/kernel": (2 / (9 + 9 * 20)) ** 0.5,
        "ConvTranspose_0/kernel": (2 / (16 * 20 + 16 * 9)) ** 0.5,
        "Dense_0/kernel": (2 / 31) ** 0.5,
        "*": 0.0,
    }
    target = linen(Net(), jnp.zeros((1, 3), jnp.int32), jnp.zeros((1, 8, 8, 12)))
    assert_stds(target, presets.keras_default(), table)
    plan = jinit.plan(target, presets.keras_default())
    assert plan["LSTMCell_0/hf/bias"].scheme == jinit.constant(1.0)
    assert plan["LSTMCell_0/hg/bias"].scheme == jinit.zeros()


@pytest.mark.slow
def test_keras(keras):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    pairs = {
        "Dense": (layers.Dense(300), nn.Dense(300), (1, 60)),
        "Conv2D": (
            layers.Conv2D(200, 3, strides=2, groups=4),
            nn.Conv(200, (3, 3), (2, 2), feature_group_count=4),
            (1, 8, 8, 12),
        ),
        "DepthwiseConv2D": (
            layers.DepthwiseConv2D(3, strides=2),
            nn.Conv(300, (3, 3), (2, 2), feature_group_count=300),
            (1, 8, 8, 300),
        ),
        "Conv2DTranspose": (
            layers.Conv2DTranspose(100, 4, strides=2),
            nn.ConvTranspose(100, (4, 4), (2, 2)),
            (1, 8, 8, 12),
        ),
        "EinsumDense": (
            layers.EinsumDense("abd,dhk->abhk", (None, 4, 50), bias_axes="hk"),
            nn.DenseGeneral((4, 50)),
            (1, 3, 60),
        ),
    }
    for theirs, ours, shape in pairs.values():
        kernel, bias = keras_weights(theirs, shape)
        plan = jinit.plan(linen(ours, jnp.zeros(shape)), presets.keras_default())
        assert_row(plan["kernel"], kernel)
        assert_row(plan["bias"], bias)


@pytest.mark.slow
def test_keras_embeddings_and_cells(keras):
    keras.utils.set_random_seed(1)
    (table,) = keras_weights(keras.layers.Embedding(300, 40), (None,))
    rules = presets.keras_default()
    tokens = jnp.zeros((1,), jnp.int32)
    assert_row(jinit.plan(linen(nn.Embed(300, 40), tokens), rules)["embedding"], table)
    kernel, recurrent, bias = keras_weights(keras.layers.LSTM(24), (1, 3, 40))

    class Net(nnx.Module):
        def __init__(self):
            self.cell = nnx.OptimizedLSTMCell(40, 24, rngs=nnx.Rngs(0))

    plan = jinit.plan(Net(), rules)
    assert_row(plan["cell/dense_i/kernel"], kernel)
    assert_row(plan["cell/dense_h/kernel"], recurrent)
    np.testing.assert_array_equal(plan["cell/dense_h/bias"].init(None, (96,)), bias)


@pytest.mark.parametrize(
    "rules", [presets.equinox_default(), presets.haiku_default(), presets.keras_default()]
)
def test_json(rules):
    assert_json_round_trip(rules)
