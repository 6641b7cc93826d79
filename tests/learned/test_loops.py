"""Both loops, step by step, against the same by hand; the quotient against closed forms."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learned import by_hand

import jinit
from jinit.learned.objectives import FIRST_STEPS, gradient_quotient

LOSS = partial(by_hand.network_loss, tanh=jnp.tanh)


def assert_alike(report, outcome):
    """Central differences are good to 1e-9; Adam's division keeps that, and steps add it up."""
    assert list(report.scales) == list(outcome.scales)
    for name, scale in outcome.scales.items():
        np.testing.assert_allclose(report.scales[name], scale, rtol=1e-6, err_msg=name)
    assert report.kinds == tuple(one.kind for one in outcome.seen)
    for name, mine in (
        ("objective", report.objective),
        ("loss", report.loss),
        ("norm", report.gradient_norm),
    ):
        theirs = [getattr(one, name) for one in outcome.seen]
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, err_msg=name)


def assert_scaled(learned, start, report):
    assert set(learned) == set(start)
    for name, value in start.items():
        expected = value * report.scales.get(name, 1.0)
        np.testing.assert_allclose(learned[name], expected, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("optimizer", "eta", "gamma", "clip", "kinds"),
    [
        ("sgd", 0.3, 1.2, 0.5, {"norm", "loss"}),
        ("sgd", 0.1, np.inf, 100.0, {"loss"}),
        ("adam", 0.05, 4.0, 100.0, {"norm", "loss"}),
    ],
)
def test_gradinit_is_that_by_hand(optimizer, eta, gamma, clip, kinds):
    start, steps = by_hand.drawn(3), 14
    outcome = by_hand.gradinit(start, steps, 0.08, optimizer, eta, gamma, clip)
    assert {one.kind for one in outcome.seen} == kinds
    with jax.enable_x64(True):
        learned, report = jinit.gradinit(
            LOSS,
            start,
            by_hand.batch_of,
            steps=steps,
            learning_rate=0.08,
            optimizer=optimizer,
            eta=eta,
            gamma=gamma,
            clip=clip,
        )
    assert_alike(report, outcome)
    assert_scaled(learned, start, report)


def test_metainit_is_that_by_hand():
    start, steps = by_hand.drawn(5), 8
    outcome = by_hand.metainit(start, steps, 0.1, 0.9)
    assert min(outcome.scales.values()) < 0.9 or max(outcome.scales.values()) > 1.1
    with jax.enable_x64(True):
        learned, report = jinit.metainit(
            LOSS, start, by_hand.batch_of, steps=steps, learning_rate=0.1
        )
    assert_alike(report, outcome)
    assert_scaled(learned, start, report)


def test_the_quotient_of_a_quadratic():
    """Of `x'Ax / 2 - b'x`: g is Ax - b, Hg is Ag; a zero in g counts as +eps."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    A, b, x = root @ root.T, rng.normal(size=5), rng.normal(size=5)
    b[2] = (A @ x)[2]
    g = A @ x - b
    g[2] = 0.0
    eps = 1e-2
    terms = [abs((g[i] - A[i] @ g) / (g[i] + (eps if g[i] >= 0 else -eps)) - 1) for i in range(5)]
    parts = [jnp.asarray(part, jnp.float32) for part in (g[:2], g[2:])]
    products = [jnp.asarray(part, jnp.float32) for part in ((A @ g)[:2], (A @ g)[2:])]
    found = gradient_quotient(parts, products, eps, jnp.float32)
    assert found.shape == ()
    # Entries of order 1 / eps, of which a handful of roundings each.
    np.testing.assert_allclose(found, np.mean(terms), rtol=1e-5)


def test_a_step_of_metainit_on_a_quadratic_in_one_norm():
    """With `L = h |W|^2 / 2` g is hW and Hg is hg, entry by entry."""
    curvature = 3.0
    params = {"w": jnp.full((2, 3), 2.0)}
    _, report = jinit.metainit(
        lambda p, batch: curvature / 2 * (p["w"] ** 2).sum(), params, [None] * 2, steps=1
    )
    expected = abs((1 - curvature) / (1 + 1e-5 / (curvature * 2.0)) - 1)
    np.testing.assert_allclose(report.objective[0], expected, rtol=1e-6)
    norm = 2.0 * np.sqrt(6)
    np.testing.assert_allclose(report.norms["w"], norm, rtol=1e-6)
    # GQ falls as eps weighs more: the norm falls by the learning rate.
    np.testing.assert_allclose(report.scales["w"], 1 - 0.1 / norm, rtol=1e-6)


@pytest.mark.parametrize("size", [1.0, 1e30, 1e-30])
def test_first_steps(size):
    """Squares of gradients of 1e30 overflow in float32; norms and directions do not."""
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(3, 4)), rng.normal(size=5)]
    entries = np.concatenate([part.ravel() for part in parts])
    gradient = [jnp.asarray(size * part, jnp.float32) for part in parts]
    norm, direction = FIRST_STEPS["sgd"](gradient, jnp.float32)
    np.testing.assert_allclose(norm, size * np.linalg.norm(entries), rtol=1e-6)
    for mine, part in zip(direction, parts, strict=True):
        np.testing.assert_allclose(mine, part / np.linalg.norm(entries), rtol=1e-5)
    norm, direction = FIRST_STEPS["adam"](gradient, jnp.float32)
    np.testing.assert_allclose(norm, size * np.abs(entries).sum(), rtol=1e-6)
    for mine, part in zip(direction, parts, strict=True):
        np.testing.assert_array_equal(mine, np.sign(part).astype(np.float32))


def test_the_direction_of_no_gradient_is_zero():
    norm, direction = FIRST_STEPS["sgd"]([jnp.zeros(3)], jnp.float32)
    assert norm == 0
    np.testing.assert_array_equal(direction[0], np.zeros(3))


@pytest.mark.parametrize("learn", [jinit.gradinit, jinit.metainit])
def test_learning_rates_may_be_schedules(learn):
    """The step's number reaches the learner: no scale moves while the rate is zero."""

    def late(count):
        return jnp.where(count < 3, 0.0, 0.05)

    batch = by_hand.batch_of(0)[0].astype(np.float32)
    _, report = learn(
        lambda params, x: jnp.mean((x @ params["w"] - 1) ** 2),
        {"w": jnp.asarray(by_hand.drawn(1)["a"], jnp.float32)},
        [batch],
        steps=4,
        learning_rate=late,
    )
    assert len(set(report.loss[:4].tolist())) == 1
    assert report.loss[4] != report.loss[3]
