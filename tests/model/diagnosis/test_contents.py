"""Faults of one leaf: found where planted, and only there."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checked import drawn, healthy, kinds

from jinit.model.checks import Finding, check

KEY = jax.random.key(0)


FAULTS = {
    "NaN": (drawn().at[3, 5].set(jnp.nan), "nonfinite", "error", "1 NaN among 8,192 values"),
    "infinite": (
        drawn().at[3, :2].set(jnp.inf).at[0, 0].set(-jnp.inf).at[9, 9].set(jnp.nan),
        "nonfinite",
        "error",
        "1 NaN and 3 infinite among 8,192 values",
    ),
    "zero": (jnp.zeros((64, 128)), "zero", "warning", "all 8,192 values are 0"),
    "constant": (jnp.full((64, 128), 0.25), "constant", "warning", "all 8,192 values are 0.25"),
    "undrawn": (
        jax.ShapeDtypeStruct((64, 128), jnp.bfloat16),
        "undrawn",
        "error",
        "bfloat16[64,128] has no values",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_leaf_is_found_and_nothing_else(name):
    value, kind, severity, detail = FAULTS[name]
    result = check({**healthy(), "head": {"kernel": value}})
    assert result.findings == (Finding(kind, "head/kernel", detail, severity),)


@pytest.mark.parametrize("value", [jnp.zeros((3, 4)), jnp.ones((2, 2)) * jnp.nan])
def test_large_and_small_leaves_are_judged_alike(value):
    large = jnp.broadcast_to(value[:1, :1], (600, 500))
    found = {check({"kernel": v}).findings[0].kind for v in (value, large)}
    assert len(found) == 1


def test_vectors_may_be_constant_and_matrices_not():
    params = {
        "norm": {"scale": jnp.ones(64), "bias": jnp.zeros(64)},
        "attention": {"bias": jnp.zeros((4, 16)), "out_bias": jnp.zeros(64)},
        "layer_scale": jnp.full(64, 1e-5),
        "cls_token": jnp.zeros((1, 1, 64)),
        "temperature": jnp.ones(()),
        "thing": jnp.zeros((64, 64)),
        "empty": jnp.zeros((0, 64)),
    }
    assert kinds(check(params)) == [("zero", "thing")]


def test_integers_are_named_and_skipped():
    result = check({**healthy(), "step": jnp.zeros((64, 64), jnp.int32), "mask": np.ones(3, bool)})
    assert result.ok
    assert result.skipped == ("mask", "step")
    assert str(result).endswith("not looked at, being integers or booleans: mask and step")


JAX_SCHEMES = {
    "he_normal": jax.nn.initializers.he_normal(),
    "normal": jax.nn.initializers.normal(0.02),
    "glorot_uniform": jax.nn.initializers.glorot_uniform(),
    "uniform": jax.nn.initializers.uniform(0.3),
}


@pytest.mark.parametrize("name", JAX_SCHEMES)
@pytest.mark.parametrize(("dtype", "shape"), [("bfloat16", (64, 64)), ("float16", (256, 128))])
def test_draws_made_in_low_precision_are_coarse(name, dtype, shape):
    for seed in range(3):
        value = JAX_SCHEMES[name](jax.random.key(seed), shape, dtype)
        assert kinds(check({"w": value})) == [("coarse", "w")]


def test_a_coarse_draw_is_reported_with_its_bias():
    value = jax.nn.initializers.he_normal()(KEY, (1024, 1024), jnp.bfloat16)
    ((text,),) = [[f.detail for f in check({"w": value}).findings]]
    found = re.fullmatch(
        r"only (\d+) different values among 4,096 of bfloat16, "
        r"mean (-0\.01\d) std \((\d+) standard errors off 0\)",
        text,
    )
    assert found, text
    assert int(found[1]) <= 128
    exact = np.asarray(value, np.float64)
    assert float(found[2]) == pytest.approx(exact.mean() / exact.std(), abs=6e-4)
    assert int(found[3]) == round(abs(exact.mean() / exact.std()) * 1024)


LAWS = {
    "normal": lambda g, n: g.normal(size=n),
    "narrow": lambda g, n: g.uniform(0.9, 1.1, n),
    "positive": lambda g, n: g.uniform(0, 1.3, n),
    "log uniform": lambda g, n: np.log(g.uniform(1, 16, n)),
    "log normal": lambda g, n: np.exp(2 * g.normal(size=n)),
    "heavy": lambda g, n: g.standard_t(2, n),
    "sparse": lambda g, n: g.normal(size=n) * (g.random(n) < 0.5),
    "clipped": lambda g, n: np.clip(g.normal(size=n), -0.5, 1),
    "two humps": lambda g, n: g.normal(size=n) * 0.1 + np.sign(g.normal(size=n)),
    "repeated": lambda g, n: np.repeat(g.normal(size=n // 16), 16),
    "four times": lambda g, n: np.tile(g.normal(size=n // 8), 8),  # 4 times in float16's sample
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_rounded_draws_of_any_smooth_law_are_not_coarse(law, dtype):
    for seed in range(3):
        values = LAWS[law](np.random.default_rng(seed), 2**16).reshape(256, 256)
        assert check({"w": jnp.asarray(values.astype(dtype))}).ok
