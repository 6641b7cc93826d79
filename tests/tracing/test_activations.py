"""The activation that follows a weight, however it is written and whatever stands in between."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trees_of_models import shape

import jinit
from jinit.tracing.recognition import GRID, recognize
from jinit.tracing.tracer import trace

WRITTEN = {
    "relu": [jax.nn.relu, lambda x: jnp.where(x > 0, x, 0.0), lambda x: (x + jnp.abs(x)) / 2],
    "gelu": [
        functools.partial(jax.nn.gelu, approximate=False),
        lambda x: x * jax.scipy.stats.norm.cdf(x),
    ],
    "gelu_tanh": [
        jax.nn.gelu,
        lambda x: x * jax.nn.sigmoid(1.5957691216 * (x + 0.044715 * jnp.power(x, 3.0))),
    ],
    "silu": [jax.nn.silu, lambda x: x / (1 + jnp.exp(-x)), jax.jit(nn.swish)],
    "tanh": [jnp.tanh, lambda x: 2 * jax.nn.sigmoid(2 * x) - 1],
    "sigmoid": [jax.nn.sigmoid, lambda x: 0.5 * (1 + jnp.tanh(x / 2))],
    "elu": [jax.nn.elu],
    "softplus": [jax.nn.softplus, lambda x: jnp.logaddexp(x, 0.0)],
    "relu6": [jax.nn.relu6],
    "selu": [jax.nn.selu],
    "mish": [jax.nn.mish],
    "hard_swish": [jax.nn.hard_swish],
    "hard_sigmoid": [jax.nn.hard_sigmoid],
    "hard_tanh": [jax.nn.hard_tanh],
    "log_sigmoid": [jax.nn.log_sigmoid],
    "softsign": [jax.nn.soft_sign],
    "relu_squared": [lambda x: jnp.square(jax.nn.relu(x))],
    "sin": [jnp.sin],
    "leaky_relu": [jax.nn.leaky_relu, functools.partial(jax.nn.leaky_relu, negative_slope=0.2)],
}
CASES = [(name, number) for name, forms in WRITTEN.items() for number in range(len(forms))]
X = shape(2, 4)
PARAMS = {"w": shape(4, 4), "b": shape(4), "v": shape(4, 4)}


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def _follower(between, params=PARAMS, dtype="float32"):
    def apply(params, x):
        return between(x @ params["w"], params) @ params["v"]

    params = jax.tree.map(lambda leaf: shape(*leaf.shape, dtype=dtype), params)
    return trace(apply, params, shape(2, 4, dtype=dtype))["w"]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_activations_are_recognized(name, number):
    function = WRITTEN[name][number]
    use = _follower(lambda x, p: function(x + p["b"]))
    assert use.activation == name
    assert jinit.calculate_gain(use.activation) > 0


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu", "mish", "tanh", "relu"])
def test_activations_are_recognized_in_bfloat16(name):
    use = _follower(lambda x, p: WRITTEN[name][0](x), dtype="bfloat16")
    assert use.activation == name


def test_the_slope_is_read():
    use = _follower(lambda x, p: jax.nn.leaky_relu(x, 0.2))
    assert (use.activation, use.activation_param) == ("leaky_relu", 0.2)
    use = _follower(lambda x, p: jax.nn.elu(x, 0.5))
    assert (use.activation, use.activation_param) == ("elu", 0.5)


def _norm(x):
    return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-6)


BETWEEN = {
    "nothing": lambda x, p: jax.nn.relu(x),
    "bias": lambda x, p: jax.nn.relu(x + p["b"]),
    "norm": lambda x, p: jax.nn.relu(_norm(x) * p["b"]),
    "residual": lambda x, p: jax.nn.relu(x + jnp.ones((2, 2)) @ p["v"][:2]),
    "scale": lambda x, p: jax.nn.relu(0.5 * x * p["b"]),
    "reshape": lambda x, p: jax.nn.relu(x.reshape(2, 2, 2)).reshape(2, 4),
    "checkpoint": lambda x, p: jax.checkpoint(jax.nn.relu)(x),
    "cond": lambda x, p: jax.lax.cond(True, jax.nn.relu, jax.nn.relu, x),
    "maximum over positions": lambda x, p: jnp.broadcast_to(jax.nn.relu(jnp.max(x, 0)), (2, 4)),
    "dropout": lambda x, p: jnp.where(jnp.eye(2, 4) > 0, jax.nn.relu(x), 0.0),
    "pre-activation": lambda x, p: x + jax.nn.relu(x) @ p["v"],
}


@pytest.mark.parametrize("name", BETWEEN)
def test_activations_are_seen_through(name):
    assert _follower(BETWEEN[name]).activation == "relu"


NONE = {
    "linear": lambda x, p: x + p["b"],
    "softmax": lambda x, p: jax.nn.softmax(x),
    "another weight first": lambda x, p: jax.nn.relu(x @ p["v"]),
    "norm alone": lambda x, p: _norm(x),
    "unknown function": lambda x, p: jnp.cos(x) * x,
    "function that NumPy lacks": lambda x, p: jax.nn.relu(jax.lax.lgamma(x)),
    "power of another": lambda x, p: jax.nn.relu(jnp.arctan2(x, x @ p["v"])),
    "another half": lambda x, p: jnp.concatenate([x[:, 2:], x[:, :2]], 1) * jax.nn.sigmoid(1.3 * x),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_activation_is_none(name):
    use = _follower(NONE[name])
    assert (use.activation, use.activations) == (None, ())


def test_several_activations_are_all_told_and_none_chosen():
    use = _follower(lambda x, p: jnp.tanh(x[:, :2]) @ p["v"][:2] + jax.nn.sigmoid(x) @ p["v"])
    assert use.activation is None
    assert set(use.activations) == {"tanh", "sigmoid"}


def test_a_gate_and_what_it_gates_are_told_apart():
    def glu(params, x):
        return (jax.nn.silu(x @ params["gate"]) * (x @ params["up"])) @ params["down"]

    usage = trace(glu, {name: shape(4, 4) for name in ("gate", "up", "down")}, X)
    assert [usage[name].activation for name in ("gate", "up", "down")] == ["silu", None, None]


def test_near_relatives_are_not_mistaken():
    quick = GRID / (1 + np.exp(-1.702 * GRID))
    assert recognize(quick) is None
    assert recognize(GRID) is None
    assert recognize(-np.maximum(GRID, 0)) is None
