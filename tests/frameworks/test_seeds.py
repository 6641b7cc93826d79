"""Initializers with a seed of their own: the same weights each time, and no key beside it."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.frameworks import keras, tensorflow

KEY = jax.random.key(17)
SHAPE = (6, 4)

SEEDED = [
    keras.GlorotUniform(seed=3),
    keras.Orthogonal(seed=3),
    keras.VarianceScaling(2.0, "fan_out", "uniform", 3),
    tensorflow.truncated_normal_initializer(stddev=0.1, seed=3),
    tensorflow.contrib.xavier_initializer(seed=3),
]

REFUSAL = r"was given a key, and `seed` \(=3\) has bound one; leave out the seed to draw from keys"


@pytest.mark.parametrize("init", SEEDED, ids=repr)
def test_draws_from_its_own_key(init):
    expected = init.replace(seed=None)(jax.random.key(3), SHAPE)
    for weights in (
        init(SHAPE),
        init(SHAPE, jnp.float32),
        init(shape=SHAPE),
        init(None, SHAPE),
        init(None, SHAPE, dtype="float32"),
        init(key=None, shape=SHAPE),
        init.unbound(jax.random.key(3), SHAPE),
        jax.jit(lambda: init(SHAPE))(),
    ):
        np.testing.assert_allclose(weights, expected, atol=1e-6)
    assert init(SHAPE, "bfloat16").dtype == jnp.bfloat16
    other = init.replace(seed=4)(SHAPE)
    assert (np.asarray(other) != np.asarray(expected)).any()
    assert init.std(SHAPE) == pytest.approx(init.unbound.std(SHAPE), rel=1e-6)


@pytest.mark.parametrize("init", SEEDED, ids=repr)
def test_is_a_value(init):
    again = eval(repr(init), {"jinit": jinit})
    written = jinit.from_config(json.loads(json.dumps(jinit.to_config(init))))
    for copy in (again, written, pickle.loads(pickle.dumps(init))):
        assert copy == init
        assert type(copy) is type(init)
        np.testing.assert_array_equal(copy(SHAPE), init(SHAPE))
    assert init != init.unbound


def test_refuses_a_key_wherever_it_comes_from():
    """In a call, under a combinator, in a layer, and in a whole model: else layers start equal."""
    from flax import linen as nn

    init = keras.GlorotUniform(seed=3)
    routes = (
        lambda: init(KEY, SHAPE),
        lambda: init(jax.random.PRNGKey(0), SHAPE),
        lambda: init(key=KEY, shape=SHAPE),
        lambda: keras.GlorotUniform(KEY, SHAPE, seed=3),
        lambda: jinit.scaled(init, 0.5)(KEY, SHAPE),
        lambda: nn.Dense(4, kernel_init=init).init(KEY, jnp.zeros((1, 6))),
        lambda: jinit.initialize({"w": jnp.zeros(SHAPE)}, {"**": init}, KEY),
        lambda: jax.jit(lambda k: init(k, SHAPE))(KEY),
    )
    for route in routes:
        with pytest.raises(ValueError, match=REFUSAL):
            route()


@pytest.mark.parametrize("seed", [True, 1.5, "3", {"class_name": "SeedGenerator"}])
def test_a_seed_is_an_int(seed):
    with pytest.raises(TypeError, match=r"`seed` \(=.*\) must be an int, or None to draw from the"):
        keras.HeNormal(seed=seed)


def test_without_a_seed_there_must_be_a_key():
    with pytest.raises(TypeError, match=r"`key` must be a PRNG key, got \(6, 4\)"):
        keras.HeNormal()(SHAPE, jnp.float32)
