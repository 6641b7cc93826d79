"""Singular values of Jacobians, against NumPy's of `jax.jacobian`."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.propagation.bidiagonal import bidiagonalize
from jinit.propagation.spectrum import spectrum_of_bidiagonal

rng = np.random.default_rng(2)
BATCH = 4


def weights(*widths):
    return [
        rng.normal(0, 1.2 / n**0.5, (n, m)).astype(np.float32)
        for n, m in itertools.pairwise(widths)
    ]


def apply(params, x):
    for w in params:
        x = jnp.tanh(x @ w)
    return x


def jacobians(params, x):
    """One an input, shape (inputs, outputs, numbers)."""
    one = jax.vmap(jax.jacobian(lambda x: apply(params, x[None])[0]))
    return np.asarray(one(jnp.asarray(x)), np.float64)


def spectrum_of(*args, **options):
    return jinit.propagate(*args, jacobian=True, backward=False, **options).spectrum


@pytest.mark.parametrize("widths", [(40, 24, 6), (6, 24, 40)], ids=["wide", "tall"])
def test_small_jacobians_are_exact(widths):
    params, x = weights(*widths), rng.normal(0, 1, (BATCH, widths[0])).astype(np.float32)
    found = spectrum_of(apply, params, x)
    assert found.exact
    assert found.shape == (widths[-1], widths[0])
    assert found.inputs == BATCH
    expected = np.linalg.svd(jacobians(params, x), compute_uv=False)
    assert found.values.shape == (expected.size,)
    np.testing.assert_allclose(found.values, np.sort(expected.ravel())[::-1], rtol=2e-5)
    np.testing.assert_allclose(found.weights, 1 / expected.size)
    squares = expected.ravel() ** 2
    assert found.rms == pytest.approx(np.sqrt(squares.mean()), rel=1e-5)
    assert found.spread == pytest.approx(squares.std() / squares.mean(), rel=1e-4)
    assert found.quantile(0.5) == pytest.approx(np.median(expected), rel=0.2)


@pytest.mark.parametrize("widths", [(80, 60), (60, 80)], ids=["wide", "tall"])
def test_large_jacobians_are_estimated(widths):
    params, x = weights(*widths), rng.normal(0, 1, (BATCH, widths[0])).astype(np.float32)
    found = spectrum_of(apply, params, x)
    assert not found.exact
    assert found.weights.sum() == pytest.approx(1, rel=1e-9)
    expected = np.linalg.svd(jacobians(params, x), compute_uv=False)
    squares = expected.ravel() ** 2
    # A random vector's mean of n values has an error of sqrt(2 / n) spread, and there are 4 vectors
    error = np.sqrt(2 / 60 / BATCH) * np.sqrt((squares**2).mean()) / squares.mean()
    assert found.rms**2 == pytest.approx(squares.mean(), rel=4 * error)
    # 24 steps of 60: the largest has converged
    assert found.largest == pytest.approx(expected.max(), rel=1e-3)
    beneath = found.weights[found.values <= np.median(expected)].sum()
    assert beneath == pytest.approx(0.5, abs=0.15)


def test_inputs_that_mix_have_one_jacobian():
    def normalized(w, x):
        z = x @ w
        return (z - z.mean(axis=0, keepdims=True)) * 3

    w = rng.normal(0, 1, (20, 12)).astype(np.float32)
    x = rng.normal(0, 1, (BATCH, 20)).astype(np.float32)
    found = spectrum_of(normalized, w, x)
    assert found.inputs == 1
    assert found.shape == (BATCH * 12, BATCH * 20)
    centering = np.eye(BATCH) - 1 / BATCH
    expected = np.linalg.svd(np.kron(centering, 3 * w.astype(float).T), compute_uv=False)
    assert found.largest == pytest.approx(expected[0], rel=1e-4)
    # one random vector of 48 numbers
    squares = expected**2
    error = np.sqrt(2 / 48) * np.sqrt((squares**2).mean()) / squares.mean()
    assert found.rms**2 == pytest.approx(squares.mean(), rel=4 * error)


def test_a_loss_has_a_jacobian_of_one_row():
    def loss(w, x):
        return jnp.tanh(x @ w).sum()

    w = rng.normal(0, 1, (5, 3)).astype(np.float32)
    x = rng.normal(0, 1, (BATCH, 5)).astype(np.float32)
    found = spectrum_of(loss, w, x)
    gradient = (1 - np.tanh(x.astype(float) @ w) ** 2) @ w.T
    assert found.shape == (1, BATCH * 5)
    assert found.largest == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


def test_time_major_batches():
    """The batch along axis 1, in and out."""
    w = rng.normal(0, 1, (40, 3)).astype(np.float32)
    x = rng.normal(0, 1, (1, BATCH, 40)).astype(np.float32)
    found = spectrum_of(lambda w, x: jnp.tanh(x @ w), w, x, batch_axis=1)
    assert found.inputs == BATCH
    slopes = 1 - np.tanh(x[0].astype(float) @ w) ** 2
    expected = np.linalg.svd(slopes[:, :, None] * w.T[None], compute_uv=False)
    assert found.values.shape == (BATCH * 3,)
    np.testing.assert_allclose(found.values, np.sort(expected.ravel())[::-1], atol=1e-5)


def test_as_many_steps_as_there_are_singular_values_find_all():
    matrices = rng.normal(0, 1, (3, 9, 14)).astype(np.float32)
    start = rng.normal(0, 1, (3, 9)).astype(np.float32)
    diagonal, below = jax.jit(
        lambda m, u: bidiagonalize(
            lambda u: jnp.einsum("bij,bi->bj", m, u),
            lambda v: jnp.einsum("bij,bj->bi", m, v),
            u,
            20,
            jnp.asarray(False),
        )
    )(matrices, start)
    assert diagonal.shape == (9, 3)
    assert below.shape == (8, 3)
    found = spectrum_of_bidiagonal(np.asarray(diagonal), np.asarray(below), (9, 14))
    u, s, _ = np.linalg.svd(matrices.astype(float), full_matrices=False)
    np.testing.assert_allclose(found.values, np.sort(s.ravel())[::-1], rtol=1e-4)
    # and the weights are what the start shares with each singular vector
    unit = start.astype(float) / np.linalg.norm(start, axis=1, keepdims=True)
    shares = np.einsum("bi,bij->bj", unit, u) ** 2 / 3
    order = np.argsort(s.ravel())[::-1]
    np.testing.assert_allclose(found.weights, shares.ravel()[order], atol=1e-4)


def test_a_wide_spectrum_has_no_copies_of_its_largest_values():
    """Rounding brings back what is found first, unless it is kept out at every step."""
    own = np.random.default_rng(7)
    u, v = (np.linalg.qr(own.normal(0, 1, (30, 30)))[0] for _ in range(2))
    s = np.geomspace(100, 1, 30)
    matrix = ((u * s) @ v.T).astype(np.float32)
    start = own.normal(0, 1, (1, 30)).astype(np.float32)
    diagonal, below = jax.jit(
        lambda m, u: bidiagonalize(lambda u: u @ m, lambda v: v @ m.T, u, 30, jnp.asarray(False))
    )(matrix, start)
    found = spectrum_of_bidiagonal(np.asarray(diagonal), np.asarray(below), (30, 30))
    assert found.values.shape == (30,)
    np.testing.assert_allclose(found.values, s, rtol=1e-2)


def test_orthogonal_layers_have_one_singular_value():
    q, _ = np.linalg.qr(rng.normal(0, 1, (48, 48)))
    x = rng.normal(0, 1, (BATCH, 48)).astype(np.float32)
    found = spectrum_of(lambda w, x: 2 * (x @ w), q.astype(np.float32), x)
    assert found.largest == pytest.approx(2, rel=1e-5)
    assert found.rms == pytest.approx(2, rel=1e-5)
    assert found.spread < 1e-3
