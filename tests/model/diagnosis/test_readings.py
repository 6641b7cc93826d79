"""Measurements against NumPy in float64, wherever the values lie."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinit.model.diagnosis.readings import PREFIX, _first, _program, _replicated, measure

LAYOUTS = [
    ("Auto", ("a", "b")),
    ("Auto", (None, "a", "b")),
    ("Auto", (None, None, ("a", "b"))),
    ("Explicit", (None, "a", "b")),
]


@pytest.mark.parametrize(("kind", "spec"), LAYOUTS, ids=str)
def test_sharded_leaves_are_measured_where_they_are(kind, spec):
    axis_type = getattr(jax.sharding.AxisType, kind)
    mesh = jax.make_mesh((2, 4), ("a", "b"), axis_types=(axis_type,) * 2)
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*spec))
    values = np.random.default_rng(0).normal(3, 2, (8, 128, 256)).astype(np.float32)
    array = jax.device_put(values, sharding)
    for stack, rest in (((), (0, 1, 2)), ((0,), (1, 2))):
        (reading,) = measure([(array, stack, 100)])
        exact = values.astype(np.float64)
        z = (exact - exact.mean(rest, keepdims=True)) / exact.std(rest, keepdims=True)
        np.testing.assert_array_equal(reading.low, np.ravel(values.min(rest)))
        np.testing.assert_array_equal(reading.high, np.ravel(values.max(rest)))
        np.testing.assert_allclose(reading.mean, np.ravel(exact.mean(rest)), rtol=1e-5)
        np.testing.assert_allclose(reading.std, np.ravel(exact.std(rest)), rtol=1e-5)
        np.testing.assert_allclose(reading.kurtosis, np.ravel((z**4).mean(rest)), rtol=1e-4)
        slices = values.reshape(8 if stack else 1, -1)
        np.testing.assert_array_equal(reading.prefix, slices[:, :PREFIX])
        np.testing.assert_array_equal(reading.sample, values.ravel()[:100])
    if kind == "Auto":
        program = _program((), 0, _replicated(array)).lower(array).compile()
        shards = 0.5 if jax.__version_info__ >= (0, 10) else 2.1  # before, sums were not fused
        assert program.memory_analysis().temp_size_in_bytes < shards * array.nbytes / 8


@pytest.mark.parametrize("shape", [(400, 300), (40, 30)])
@pytest.mark.parametrize(("offset", "std"), [(0, 1e-20), (0, 1e20), (1e4, 1.0), (-1.0, 1e-3)])
def test_moments_survive_offsets_and_scales(shape, offset, std):
    values = (offset + std * np.random.default_rng(0).normal(size=shape)).astype(np.float32)
    (reading,) = measure([(jnp.asarray(values), (), 0)])
    exact = values.astype(np.float64)
    assert reading.std[0] == pytest.approx(exact.std(), rel=1e-3)
    assert reading.kurtosis[0] == pytest.approx(3, abs=0.3)
    assert reading.mean[0] == pytest.approx(exact.mean(), rel=1e-5, abs=1e-3 * std)


@pytest.mark.parametrize("shape", [(5,), (1000,), (3, 7), (2, 3, 600), (300, 2, 2), (700, 1), ()])
@pytest.mark.parametrize("count", [1, 10, 512])
def test_the_first_values_are_those_of_the_flattened_leaf(shape, count):
    values = np.arange(math.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(_first(values, 0, count), values.ravel()[:count])
