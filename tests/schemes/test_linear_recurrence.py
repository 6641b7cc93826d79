"""LRU parameters at the edges of the ring, where float32 runs out of digits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(23)


def test_eigenvalues_fill_the_disk_evenly():
    """Half of them lie inside the circle that has half of the area; half above the real axis."""
    n = 20_000
    keys = jax.random.split(KEY)
    modulus = np.exp(-np.exp(np.asarray(jinit.lru_nu_log()(keys[0], (n,)), np.float64)))
    phase = np.exp(np.asarray(jinit.lru_theta_log()(keys[1], (n,)), np.float64))
    values = modulus * np.exp(1j * phase)
    tolerance = 5.33 * 0.5 / np.sqrt(n)
    assert abs((np.abs(values) < np.sqrt(0.5)).mean() - 0.5) < tolerance
    assert abs((values.imag > 0).mean() - 0.5) < tolerance


def test_digits_close_to_the_unit_circle():
    """Memories of a million steps come out spread, not as the few values that 1 - u leaves."""
    nu_log = np.asarray(jinit.lru_nu_log(1 - 2e-6, 1 - 1e-6)(KEY, (2000,)), np.float64)
    lost = 1 - np.exp(-np.exp(nu_log))
    assert len(np.unique(nu_log)) > 1900
    assert 1e-6 * (1 - 1e-4) <= lost.min() < 1.01e-6
    assert 1.99e-6 < lost.max() <= 2e-6 * (1 + 1e-4)


@pytest.mark.parametrize("u", [0.0, 1 - 2.0**-23], ids=["first", "last"])
@pytest.mark.parametrize("radii", [(0.0, 1.0), (0.0, 0.7), (0.5, 1.0)], ids=str)
def test_ends_of_the_draw_are_finite(monkeypatch, u, radii):
    from jinit.schemes import linear_recurrence

    def end(law, key, shape, dtype):
        return jnp.full(shape, u, dtype)

    monkeypatch.setattr(linear_recurrence, "sample", end)
    assert np.isfinite(jinit.lru_nu_log(*radii)(KEY, (2,))).all()
    assert np.isfinite(jinit.lru_theta_log()(KEY, (2,))).all()


def test_errors():
    for radii in [(0.9, 0.5), (-0.1, 0.5), (0.5, 1.1), (0.5, 0.5)]:
        with pytest.raises(ValueError, match=r"must be in order, 0 <= r_min < r_max <= 1"):
            jinit.lru_nu_log(*radii)
    with pytest.raises(ValueError, match=r"`max_phase` \(=0.0\) must be > 0"):
        jinit.lru_theta_log(0.0)
    with pytest.raises(ValueError, match=r"jinit.lru_nu_log is not defined for complex weights"):
        jinit.lru_nu_log()(KEY, (2,), jnp.complex64)
