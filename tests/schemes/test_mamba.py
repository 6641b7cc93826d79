"""Mamba's step sizes: the floor, and digits where softplus is flat."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(29)


def steps(init, n=2000):
    return np.log1p(np.exp(np.asarray(init(KEY, (n,)), np.float64)))


def test_floor_raises_short_steps_only():
    plain = steps(jinit.mamba_dt_bias(1e-3, 0.1, 1e-4))
    raised = steps(jinit.mamba_dt_bias(1e-3, 0.1, 1e-2))
    np.testing.assert_allclose(raised, np.maximum(plain, 1e-2), rtol=1e-5)
    assert 0.3 < (plain < 1e-2).mean() < 0.7


def test_short_and_long_steps_keep_their_digits():
    for low in (1e-7, 10.0):
        drawn = steps(jinit.mamba_dt_bias(low, 1.001 * low, 1e-9))
        np.testing.assert_allclose(drawn, low, rtol=1.2e-3)


def test_errors():
    with pytest.raises(ValueError, match=r"`dt_min` \(=0.1\) must be below `dt_max` \(=0.01\)"):
        jinit.mamba_dt_bias(0.1, 0.01)
    with pytest.raises(ValueError, match=r"`floor` \(=0\) must be > 0"):
        jinit.mamba_dt_bias(floor=0)
    with pytest.raises(ValueError, match=r"`low` \(=-1.0\) must be > 0"):
        jinit.mamba2_a_log(-1.0)
    with pytest.raises(ValueError, match=r"jinit.mamba2_a_log is not defined for complex weights"):
        jinit.mamba2_a_log()(KEY, (2,), jnp.complex64)
    with pytest.raises(ValueError, match=r"jinit.mamba_dt_bias is not defined for complex weights"):
        jinit.mamba_dt_bias()(KEY, (2,), jnp.complex64)
