"""SIREN: arguments of unit standard deviation at any depth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(17)
WIDTH = 512


@pytest.mark.parametrize("omega", [30.0, 10.0])
def test_arguments_follow_the_map_of_their_variance(omega):
    """A sine of many turns has power 1/2, one of N(0, v) (1 - exp(-2 v)) / 2; weights double it."""
    keys = jax.random.split(KEY, 6)
    x = jax.random.uniform(keys[0], (2000, 2), minval=-1.0, maxval=1.0)
    h = jnp.sin(3 * omega * (x @ jinit.siren(omega, first=True)(keys[1], (2, WIDTH))))
    variance = 1.0
    for key in keys[2:]:
        argument = omega * (h @ jinit.siren(omega)(key, (WIDTH, WIDTH)))
        assert float(argument.std()) == pytest.approx(np.sqrt(variance), rel=0.03)
        h, variance = jnp.sin(argument), 1 - np.exp(-2 * variance)


def test_omega_leaves_the_first_layer_alone():
    assert jinit.siren(99.0, first=True).std((4, 8)) == jinit.siren(first=True).std((4, 8))


def test_complex_weights_have_the_same_variance():
    init = jinit.siren()
    assert init.std((60, 90), jnp.complex64) == pytest.approx(init.std((60, 90)), rel=1e-6)


def test_fans_can_be_given():
    assert jinit.siren(1.0, fans=(6, 1)).law((9, 9)).scale == pytest.approx(1.0)


def test_errors():
    with pytest.raises(ValueError, match=r"`omega` \(=0.0\) must be > 0"):
        jinit.siren(0.0)
    with pytest.raises(ValueError, match=r"both name axis"):
        jinit.siren(in_axis=0, out_axis=0)
