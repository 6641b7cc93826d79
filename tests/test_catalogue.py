"""Promises that every scheme keeps, checked for every case of the catalogue."""

import json
import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue import Case, load_cases

import jinit
from jinit.factory import registry

CASES = load_cases()
KEY = jax.random.key(20240607)
# One false alarm in 10^7 comparisons of this suite: |z| of a standard normal.
Z = 5.33

cases = pytest.mark.parametrize("case", CASES, ids=str)


def draw(case: Case, key=KEY, dtype=jnp.float32) -> jax.Array:
    return case.init(key if case.random else None, case.shape, dtype)


def test_every_scheme_has_a_case():
    assert {case.init.scheme.__name__ for case in CASES} == set(registry)


def test_every_scheme_is_public():
    assert all(getattr(jinit, name) is scheme for name, scheme in registry.items())
    assert set(registry) <= set(jinit.__all__)


@cases
def test_shape_dtype_and_finiteness(case: Case):
    weights = draw(case)
    chex.assert_shape(weights, case.shape)
    chex.assert_type(weights, jnp.float32)
    chex.assert_tree_all_finite(weights)


@cases
def test_law(case: Case):
    """Mean and variance within Z standard errors, from n and the kurtosis; support; structure."""
    weights = np.asarray(draw(case), np.float64)
    assert weights.shape == case.shape
    if case.check is not None:
        case.check(weights)
    if case.moments is None:
        assert case.check is not None, "a case needs moments or a check"
        return
    law, n = case.moments, weights.size
    assert n >= 1000
    tolerance = Z * law.std / np.sqrt(n)
    assert abs(weights.mean() - law.mean) < tolerance
    spread = Z * np.sqrt((law.kurtosis - 1) / n)
    assert abs(weights.var() / law.std**2 - 1) < spread
    rounding = 1e-6 * max(abs(law.low), abs(law.high)) if np.isfinite(law.low + law.high) else 1e-6
    assert weights.min() >= law.low - rounding
    assert weights.max() <= law.high + rounding


@cases
def test_stated_std(case: Case):
    """What an initializer says of its spread is what the catalogue says."""
    stated = case.init.std(case.shape)
    if case.moments is not None:
        np.testing.assert_allclose(stated, case.moments.std, rtol=1e-5)
    elif stated is not None and case.random:
        weights = np.asarray(draw(case), np.float64)
        np.testing.assert_allclose(np.sqrt((weights**2).mean()), stated, rtol=0.35)


@cases
def test_jit_equals_eager(case: Case):
    if not case.random:
        jitted = jax.jit(lambda: case.init(None, case.shape))()
    else:
        jitted = jax.jit(lambda key: case.init(key, case.shape))(KEY)
    eager = draw(case)
    if case.moments is not None or not case.random:
        np.testing.assert_array_equal(np.asarray(jitted), np.asarray(eager))
    else:
        np.testing.assert_allclose(np.asarray(jitted), np.asarray(eager), atol=2e-6)


@cases
def test_vmap_over_keys_equals_loop(case: Case):
    if not case.random:
        pytest.skip("no randomness")
    keys = jax.random.split(KEY, 3)
    together = np.asarray(jax.vmap(lambda key: case.init(key, case.shape))(keys))
    alone = np.stack([np.asarray(draw(case, key)) for key in keys])
    if case.moments is not None:
        np.testing.assert_array_equal(together, alone)
    else:
        np.testing.assert_allclose(together, alone, atol=2e-6)


@cases
def test_key_decides(case: Case):
    if not case.random:
        pytest.skip("no randomness")
    one, other = (np.asarray(draw(case, jax.random.key(seed))) for seed in (1, 2))
    np.testing.assert_array_equal(one, np.asarray(draw(case, jax.random.key(1))))
    assert (one != other).any()
    np.testing.assert_array_equal(one, np.asarray(draw(case, jax.random.PRNGKey(1))))


@cases
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e5m2"])
def test_narrow_dtypes_are_the_float32_draw_rounded_once(case: Case, dtype: str):
    narrow = draw(case, dtype=dtype)
    chex.assert_shape(narrow, case.shape)
    assert narrow.dtype == jnp.dtype(dtype)
    expected = np.asarray(draw(case)).astype(jnp.dtype(dtype))
    np.testing.assert_array_equal(
        np.asarray(narrow).astype(np.float32), expected.astype(np.float32)
    )


@cases
def test_complex(case: Case):
    if not case.complexes:
        with pytest.raises(ValueError, match="complex"):
            draw(case, dtype=jnp.complex64)
        return
    weights = draw(case, dtype=jnp.complex64)
    chex.assert_shape(weights, case.shape)
    chex.assert_type(weights, jnp.complex64)
    weights = np.asarray(weights, np.complex128)
    assert np.isfinite(weights).all()
    if case.moments is not None:
        std = case.moments.std if case.modulus is None else case.modulus
        np.testing.assert_allclose(case.init.std(case.shape, jnp.complex64), std, rtol=1e-5)
        power = np.abs(weights - case.moments.mean) ** 2
        # |w|^2 of a circular normal is exponential, with kurtosis 9 at most.
        assert abs(power.mean() / std**2 - 1) < Z * np.sqrt(8 / weights.size)
        assert np.abs(weights.imag).max() > 0


@cases
def test_integer_dtype(case: Case):
    if case.floats:
        with pytest.raises(ValueError, match=r"`dtype` \(=int32\) must be a floating or complex"):
            draw(case, dtype=jnp.int32)
    else:
        assert draw(case, dtype=jnp.int32).dtype == jnp.int32


@cases
def test_empty_shapes(case: Case):
    if case.empty is None:
        pytest.skip("defined for its own shape only")
    weights = case.init(KEY, case.empty)
    assert weights.shape == case.empty
    assert weights.size == 0


@cases
def test_value(case: Case):
    """Equality, hash, repr that evaluates, pickle and JSON."""
    init = case.init
    again = eval(repr(init), {"jinit": jinit, "jax": jax, "np": np})
    thawed = pickle.loads(pickle.dumps(init))
    for copy in (again, thawed, jinit.from_config(json.loads(json.dumps(jinit.to_config(init))))):
        assert copy == init
        assert hash(copy) == hash(init)
        assert repr(copy) == repr(init)
    assert init != jinit.normal(123.0)
    with pytest.raises(AttributeError, match="is a value"):
        init.scheme = None


@cases
def test_equal_values_trace_once(case: Case):
    traces = []

    def program(init, key):
        traces.append(init)
        return init(key, case.shape)

    jitted = jax.jit(program, static_argnums=0)
    for _ in range(3):
        jitted(pickle.loads(pickle.dumps(case.init)), KEY)
    assert len(traces) == 1


@cases
def test_scheme_draws_with_options_too(case: Case):
    """`scheme(key, shape, dtype, **options)` is the configured initializer called."""
    init = case.init
    whole = init.scheme(KEY, case.shape, jnp.float32, **init.changed())
    np.testing.assert_array_equal(np.asarray(whole), np.asarray(init(KEY, case.shape, jnp.float32)))


@cases
@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_lowers_for_every_platform(case: Case, platform: str):
    program = jax.jit(lambda key: case.init(key, case.shape))
    exported = jax.export.export(program, platforms=[platform])(jax.random.key(0))
    assert platform in exported.platforms


@cases
def test_device_that_is_there(case: Case):
    """Draws land on the default device, whatever it is, and are fit for use there."""
    device = jax.devices()[0]
    weights = jax.device_put(draw(case), device)
    chex.assert_tree_all_finite(weights)
    assert weights.devices() == {device}
