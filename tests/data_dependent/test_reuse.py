"""Weights that are used more than once: the first use decides, or all together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data_dependent.models import data

import jinit

X = data(32, 8)
W = data(8, 8, seed=1) * 3
V = data(8, 8, seed=2)


def test_the_first_use_decides_and_later_ones_see_it():
    def apply(p, x):
        return jnp.tanh(jnp.tanh(x @ p["w"]) @ p["w"]) @ p["v"]

    new, report = jinit.lsuv(apply, {"w": W, "v": V}, X, verify=True)
    first = X @ np.asarray(new["w"])
    last = np.tanh(np.tanh(first) @ np.asarray(new["w"])) @ np.asarray(new["v"])
    np.testing.assert_allclose([first.std(), last.std()], 1, rtol=1e-5)
    assert [(row.path, row.reused) for row in report.rows] == [("w", True), ("v", False)]
    np.testing.assert_allclose(report["w"].scale, 1 / (X @ W).std(), rtol=1e-5)
    assert report.deviation < 1e-5
    assert report.passes == 1


def test_a_transposed_second_use_sees_scales_of_channels():
    """A scale for each column of w is one for each input of its transpose."""
    new, _ = jinit.lsuv(lambda w, x: jnp.tanh(x @ w) @ w.T, W, X, per="channel")
    columns = (X @ np.asarray(new)).std(axis=0)
    np.testing.assert_allclose(columns, 1, rtol=1e-5)

    def apply(p, x):
        return jnp.tanh(jnp.tanh(x @ p["w"]) @ p["w"].T) @ p["v"]

    new, _ = jinit.lsuv(apply, {"v": V, "w": W}, X, per="channel")
    h = np.tanh(np.tanh(X @ np.asarray(new["w"])) @ np.asarray(new["w"]).T)
    np.testing.assert_allclose((h @ np.asarray(new["v"])).std(axis=0), 1, rtol=1e-5)


def recurrent(p, xs):
    def step(h, x):
        h = jnp.tanh(x @ p["in"] + h @ p["hidden"])
        return h, h

    return jax.lax.scan(step, jnp.zeros((32, 8)), xs)[1] @ p["out"]


STEPS = data(5, 32, 8, seed=3)
RECURRENT = {"in": W, "hidden": V * 2, "out": data(8, 8, seed=4)}


def by_hand(p, steps):
    """The outcomes of each product over time, in float64."""
    p = {name: np.asarray(w, np.float64) for name, w in p.items()}
    h, found = np.zeros((32, 8)), {"in": [], "hidden": [], "out": []}
    for x in steps.astype(np.float64):
        found["in"].append(x @ p["in"])
        found["hidden"].append(h @ p["hidden"])
        h = np.tanh(found["in"][-1] + found["hidden"][-1])
        found["out"].append(h @ p["out"])
    return {name: np.array(ys) for name, ys in found.items()}


def test_a_recurrent_kernel_is_decided_by_the_first_step_that_has_an_outcome():
    new, report = jinit.lsuv(recurrent, RECURRENT, STEPS)
    found = by_hand(new, STEPS)
    assert abs(found["in"][0].std() - 1) < 1e-5
    assert found["hidden"][0].std() == 0
    assert abs(found["hidden"][1].std() - 1) < 1e-5
    assert abs(found["out"].std() - 1) < 1e-5
    assert [row.reused for row in report.rows] == [True, True, False]


def test_all_uses_decide_together():
    new, report = jinit.lsuv(recurrent, RECURRENT, STEPS, reuse="all", tolerance=1e-4)
    found = by_hand(new, STEPS)
    np.testing.assert_allclose([ys.std() for ys in found.values()], 1, atol=2e-4)
    assert 1 < report.passes < 20
    assert report.settled
    assert report["hidden"].before.shape == ()


def test_all_uses_by_their_root_mean_square():
    def apply(w, x):
        return jnp.tanh(x @ w + 1) @ w

    new, report = jinit.lsuv(apply, W, X, reuse="all", statistic="rms", target=0.5)
    one = X.astype(np.float64) @ np.asarray(new, np.float64)
    two = np.tanh(one + 1) @ np.asarray(new, np.float64)
    assert abs(np.sqrt(np.mean([one**2, two**2])) / 0.5 - 1) < 1e-3
    assert report.settled


def test_too_few_passes_are_reported():
    _, report = jinit.lsuv(recurrent, RECURRENT, STEPS, reuse="all", max_passes=1)
    assert not report.settled
    assert report.passes == 1
    assert "Not settled" in str(report)


def tied(p, tokens):
    return jnp.tanh(p["table"][tokens] @ p["w"]) @ p["table"].T


def test_a_table_that_is_a_kernel_too():
    p, tokens = {"table": data(6, 8, seed=5) * 2, "w": W}, np.arange(6)
    new, report = jinit.lsuv(tied, p, tokens)
    np.testing.assert_array_equal(new["table"], p["table"])
    assert report.left["table"] == 'first used, as it is, by gather; reuse="all" rescales it'
    new, report = jinit.lsuv(tied, p, tokens, reuse="all")
    h = np.asarray(new["table"]) @ np.asarray(new["w"])
    logits = np.tanh(h) @ np.asarray(new["table"]).T
    np.testing.assert_allclose([h.std(), logits.std()], 1, atol=1e-3)
    assert report.passes > 1


def test_layers_that_are_gone_through_again():
    """Three times through a stack of four: each layer's first outcome counts."""
    stack = data(4, 8, 8, seed=6) * 2

    def apply(stack, x):
        def layer(x, w):
            return jnp.tanh(x @ w), None

        return jax.lax.scan(
            lambda x, _: (jax.lax.scan(layer, x, stack)[0], None), x, None, length=3
        )[0]

    new, report = jinit.lsuv(apply, stack, X)
    h = X
    for w in np.asarray(new):
        y = h @ w
        assert abs(y.std() - 1) < 1e-5
        h = np.tanh(y)
    assert report.rows[0].reused
    assert report.rows[0].scale.shape == (4,)


@pytest.mark.parametrize("unrolled", [False, True])
def test_slices_of_a_stack_by_number(unrolled):
    stack = data(4, 8, 8, seed=6) * 2

    def apply(stack, x, count):
        if unrolled:
            for n in range(4):
                x = jnp.tanh(x @ stack[n])
            return x
        return jax.lax.fori_loop(0, count, lambda n, x: jnp.tanh(x @ stack[n]), x)

    new, report = jinit.lsuv(apply, stack, X, 3 if not unrolled else 4)
    h = X
    for n, w in enumerate(np.asarray(new)):
        if n == 3 and not unrolled:
            np.testing.assert_array_equal(w, stack[3])  # a layer that is not reached
        else:
            assert abs((h @ w).std() - 1) < 1e-5
        h = np.tanh(h @ w)
    assert [row.part for row in report.rows] == ([f"[{n}]" for n in range(4)] if unrolled else [""])


def test_stacks_within_stacks():
    stack = data(2, 3, 8, 8, seed=7)

    def apply(stack, x):
        def inner(x, w):
            return jnp.tanh(x @ w), None

        return jax.lax.scan(lambda x, ws: (jax.lax.scan(inner, x, ws)[0], None), x, stack)[0]

    new, report = jinit.lsuv(apply, stack, X)
    assert report.rows[0].scale.shape == (2, 3)
    h = X
    for w in np.asarray(new).reshape(6, 8, 8):
        assert abs((h @ w).std() - 1) < 1e-5
        h = np.tanh(h @ w)
    backwards = jinit.lsuv(
        lambda w, x: jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, w, reverse=True)[0],
        stack[0],
        X,
    )[0]
    assert abs((X @ np.asarray(backwards)[2]).std() - 1) < 1e-5
