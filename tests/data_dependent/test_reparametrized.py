"""Weights that a model makes of several parameters, and parameters of which it takes parts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data_dependent.models import data

import jinit

X = data(64, 8) + 0.5
V, G, B = data(8, 6, seed=1), np.linspace(0.5, 3, 6).astype(np.float32), data(6, seed=2)


def normalized(p, eps=0.0):
    return p["g"][None] * p["v"] / (jnp.sqrt(jnp.sum(p["v"] ** 2, 0, keepdims=True)) + eps)


@pytest.mark.parametrize("eps", [0.0, 1e-5])
@pytest.mark.parametrize("after", [False, True])
def test_the_gain_of_a_normalized_weight_takes_up_the_scale(eps, after):
    def apply(p, x):
        if after:  # as the paper writes it: the product first
            norm = jnp.sqrt(jnp.sum(p["v"] ** 2, 0)) + eps
            return (x @ p["v"]) * (p["g"] / norm)[None]
        return x @ normalized(p, eps)

    new, report = jinit.lsuv(apply, {"g": G, "v": V}, X)
    assert abs((X @ np.asarray(normalized(new, eps))).std() - 1) < 1e-5
    np.testing.assert_array_equal(new["v"], V)
    assert report.left["v"] == "g takes up the scale"
    np.testing.assert_allclose(np.asarray(new["g"]) / G, report["g"].scale, rtol=1e-6)


def test_start_of_weight_normalization():
    """Salimans and Kingma: g = 1 / std(t), b = -mean(t) / std(t) for t = v x / |v|, by unit."""
    p = {"b": B, "g": np.ones(6, np.float32), "v": V}
    new, report = jinit.lsuv(
        lambda p, x: jax.nn.relu(x @ normalized(p) + p["b"][None]), p, X, per="channel", center=True
    )
    t = X.astype(np.float64) @ (V / np.sqrt((V.astype(np.float64) ** 2).sum(0)))
    np.testing.assert_allclose(new["g"], 1 / t.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(new["b"], -t.mean(axis=0) / t.std(axis=0), rtol=1e-4, atol=1e-6)
    assert report["g"].centered == "b"
    assert report["g"].scale.shape == (6,)


@pytest.mark.parametrize("per", ["layer", "channel"])
def test_low_rank_adapters_share_the_scale(per):
    p = {"w": V, "a": data(8, 2, seed=3), "b": data(2, 6, seed=4)}
    new, report = jinit.lsuv(lambda p, x: x @ (p["w"] + p["a"] @ p["b"]), p, X, per=per)
    weight = np.asarray(new["w"]) + np.asarray(new["a"]) @ np.asarray(new["b"])
    axis = 0 if per == "channel" else None
    np.testing.assert_allclose((X @ weight).std(axis=axis), 1, rtol=1e-5)
    taken = "b" if per == "channel" else "a"  # channels are axes of b alone
    assert report["w"].together == (taken,)
    assert report["w"].scale.shape == ((6,) if per == "channel" else ())


def test_parts_that_are_concatenated_share_the_scale():
    p = {"q": V, "k": 3 * data(8, 4, seed=3)}
    new, report = jinit.lsuv(lambda p, x: x @ jnp.concatenate([p["q"], p["k"]], 1), p, X)
    assert abs(np.hstack([X @ np.asarray(new["q"]), X @ np.asarray(new["k"])]).std() - 1) < 1e-5
    np.testing.assert_allclose(new["k"] / p["k"], report["q"].scale, rtol=1e-5)
    _, report = jinit.lsuv(
        lambda p, x: x @ jnp.concatenate([p["q"], p["k"]], 1) @ p["o"],
        p | {"o": data(10, 4)},
        X,
        per="channel",
    )
    assert report.left["q"] == (
        'the channels of its dot_general do not lie along axes of its own; per="layer" rescales it'
    )


def test_parts_of_one_parameter_have_scales_of_their_own():
    packed = data(8, 12, seed=5) * np.repeat([1, 5, 25], 4).astype(np.float32)

    def apply(w, x):
        w = w["qkv"]
        return x @ w[:, :4], x @ w[:, 4:8] + 1, (x @ w[:, 8:]) ** 2

    new, report = jinit.lsuv(apply, {"qkv": packed}, X)
    for n in range(3):
        assert abs((X @ np.asarray(new["qkv"])[:, 4 * n : 4 * n + 4]).std() - 1) < 1e-5
    assert [row.part for row in report.rows] == ["[:, 0:4]", "[:, 4:8]", "[:, 8:12]"]
    assert not any(row.reused for row in report.rows)


def test_parts_that_overlap_share_one_scale():
    new, report = jinit.lsuv(lambda p, x: (x @ p["w"][:, :4], x @ p["w"][:, 2:]), {"w": V}, X)
    np.testing.assert_allclose(new["w"] / V, 1 / (X @ V[:, :4]).std(), rtol=1e-5)
    assert [(row.part, row.reused) for row in report.rows] == [("", True)]


def test_a_power_of_a_parameter():
    new, report = jinit.lsuv(lambda w, x: x @ w**2, V, X)
    assert abs((X @ np.asarray(new) ** 2).std() - 1) < 1e-5
    assert report.rows[0].exponent == 0.5


def test_quantized_weights_are_rescaled_through_their_scales():
    p = {"q": (V * 40).astype(np.int8), "s": np.full(6, 0.1, np.float32)}
    new, report = jinit.lsuv(lambda p, x: x @ (p["q"].astype(np.float32) * p["s"][None]), p, X)
    assert abs((X @ (p["q"] * np.asarray(new["s"]))).std() - 1) < 1e-5
    np.testing.assert_array_equal(new["q"], p["q"])
    assert "q" not in {row.path for row in report.rows}


REFUSED = {
    "guarded norm": (
        lambda w, x: x @ (w / (jnp.std(w, 0, keepdims=True) + 1e-5)),
        "its dot_general is not proportional to it, as it also goes through add",
    ),
    "direction": (
        lambda w, x: x @ (w / jnp.sqrt(jnp.sum(w**2))),
        "its dot_general does not depend on its scale",
    ),
    "factor of its own outcome": (
        lambda w, x: (x @ w) * jnp.exp(jnp.sum(w)),
        "its dot_general is not proportional to it, as it also goes through exp",
    ),
    "also elsewhere": (
        lambda w, x: jnp.tanh(x @ w) * jnp.exp(jnp.sum(w)),
        "also goes through exp into mul, which follows no scale",
    ),
    "data first": (
        lambda w, x: jnp.einsum("bi,bio->bo", x, w[None] * jnp.tanh(x)[:, :, None]),
        "scale",
    ),
    "callback": (
        lambda w, x: jax.pure_callback(
            lambda w, x: x, jax.ShapeDtypeStruct(X.shape, X.dtype), w, x
        ),
        "taken by pure_callback, not by a linear operation beside data",
    ),
    "state of a loop": (
        lambda w, x: jax.lax.scan(lambda h, x: (h + x.sum(), (x[None] @ h)), w, x),
        "part of the value that scan carries on as data",
    ),
    "condition": (
        lambda w, x: jax.lax.cond(w[0, 0] > 0, lambda: x @ w, lambda: x @ w * 2),
        "part of the choice of a branch",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_rescaled_is_named(name):
    apply, reason = REFUSED[name]

    def with_another(p, x):
        return apply(p["w"], x), x @ p["other"]

    new, report = jinit.lsuv(with_another, {"w": V, "other": V}, X)
    assert report.left == {"w": reason}
    np.testing.assert_array_equal(new["w"], V)
    assert abs((X @ np.asarray(new["other"])).std() - 1) < 1e-5
