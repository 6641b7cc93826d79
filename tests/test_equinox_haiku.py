"""Equinox and Haiku: weights replaced in a tree, and `w_init`s."""

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(5)


def _assert_scale(weights, std):
    """Standard deviation within 5 of its own standard errors (normal: sqrt(1 / 2n))."""
    weights = np.asarray(weights, np.float64)
    assert weights.size > 1000
    assert abs(weights.std() / std - 1) < 5 / np.sqrt(2 * weights.size)


def test_equinox_linear():
    layer = eqx.nn.Linear(50, 60, key=KEY)
    init = jinit.he_normal(layout="OI")
    weight = init(KEY, layer.weight.shape, layer.weight.dtype)
    layer = eqx.tree_at(lambda layer: layer.weight, layer, weight)
    _assert_scale(layer.weight, np.sqrt(2 / 50))
    assert layer(jnp.ones(50)).shape == (60,)


def test_equinox_conv():
    layer = eqx.nn.Conv2d(16, 48, 3, groups=4, key=KEY)
    init = jinit.he_normal(layout="OIHW", groups=4, mode="fan_out")
    _assert_scale(init(KEY, layer.weight.shape), np.sqrt(2 / (9 * 48 / 4)))
    assert layer.weight.shape == (48, 4, 3, 3)


def test_equinox_module_holds_an_initializer():
    class Layer(eqx.Module):
        weight: jax.Array
        init: jinit.Initializer = eqx.field(static=True)

    make = eqx.filter_jit(lambda init, key: Layer(init(key, (3, 4)), init))
    layer = make(jinit.he_normal(), KEY)
    assert layer.init == jinit.he_normal()
    np.testing.assert_array_equal(
        np.asarray(layer.weight), np.asarray(jinit.he_normal(KEY, (3, 4)))
    )


def _haiku(init):
    """A Haiku initializer, `(shape, dtype)`, that takes its key from Haiku."""
    return lambda shape, dtype: init(hk.next_rng_key(), shape, dtype)


@pytest.mark.parametrize(
    ("layer", "inputs", "std"),
    [
        (lambda init: hk.Linear(60, w_init=init), jnp.ones((1, 50)), np.sqrt(2 / 50)),
        (lambda init: hk.Conv2D(16, 3, w_init=init), jnp.ones((1, 5, 5, 8)), np.sqrt(2 / 72)),
    ],
    ids=["Linear", "Conv2D"],
)
def test_haiku(layer, inputs, std):
    net = hk.transform(lambda x: layer(_haiku(jinit.he_normal()))(x))
    (params,) = net.init(KEY, inputs).values()
    _assert_scale(params["w"], std)
    assert bool(
        (net.init(KEY, inputs)[next(iter(net.init(KEY, inputs)))]["w"] == params["w"]).all()
    )
