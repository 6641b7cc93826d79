"""What does not follow its rule is found; what a rule asks for is not."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checked import copied, drawn, healthy, kinds

import jinit
from jinit.model.checks import Finding, check
from jinit.model.diagnosis.rules import _divergence

KEY = jax.random.key(0)


SHAPES = jax.eval_shape(healthy)
RULES = {"**/bias": jinit.zeros, "**/kernel": jinit.normal(0.1)}
PLAN = jinit.plan(SHAPES, RULES)


def planned(**changes):
    params = jinit.initialize(SHAPES, RULES, KEY)
    for name, change in changes.items():
        params["Dense_1"][name] = change(params["Dense_1"][name])
    return check(params, PLAN)


def test_what_follows_its_rule_is_no_finding():
    assert planned().ok


@pytest.mark.parametrize("factor", [0.25, 0.5, 0.88, 0.93, 1.07, 1.41, 2.0])
def test_a_wrong_scale_is_found(factor):
    result = planned(kernel=lambda w: w * np.float32(factor))
    assert kinds(result) == [("std", "Dense_1/kernel")]
    measured, ratio, asked, errors = re.fullmatch(
        r"(\S+), (\S+) times what its rule asks \((\S+)\); (\d+) standard errors off",
        result.findings[0].detail,
    ).groups()
    assert float(ratio) == pytest.approx(factor, rel=0.03)
    assert float(measured) == pytest.approx(0.1 * factor, rel=0.03)
    assert float(asked) == 0.1
    # n = 8192 and kurtosis 3: the standard error of s / sigma is 1 / 128.
    assert int(errors) == pytest.approx(abs(factor - 1) * 128, abs=3)


def test_a_shift_is_found():
    result = planned(kernel=lambda w: w + np.float32(0.01))
    assert kinds(result) == [("mean", "Dense_1/kernel")]
    assert "where its rule asks 0 with std 0.1; " in result.findings[0].detail


def test_what_should_be_random_is_an_error_if_it_is_not():
    result = planned(kernel=jnp.zeros_like)
    (finding,) = result.findings
    assert finding == Finding(
        "zero", "Dense_1/kernel", "all 8,192 values are 0; its rule asks std 0.1"
    )


def test_what_should_be_constant_is_an_error_if_it_is_not():
    assert planned(bias=lambda b: b + 1).findings == (
        Finding("mean", "Dense_1/bias", "1; its rule asks 0 throughout"),
    )
    (finding,) = planned(bias=lambda b: drawn((128,))).findings
    assert finding.kind == "std"
    assert finding.detail.endswith("its rule asks 0 throughout")


def test_what_a_plan_asks_for_is_no_finding():
    shapes = {name: {"kernel": jax.ShapeDtypeStruct((64, 64), "float32")} for name in "abcd"}
    rules = {"{a,b}/kernel": jinit.identity, "c/kernel": jinit.zeros, "d/kernel": jinit.ones}
    plan = jinit.plan(shapes, rules)
    params = plan.initialize(KEY)
    assert check(params, plan).ok
    assert kinds(check(params)) == [("zero", "c/kernel"), ("constant", "d/kernel")]


def test_tied_leaves_may_be_equal():
    shapes = {name: {"kernel": jax.ShapeDtypeStruct((64, 64), "float32")} for name in "ab"}
    params = {name: {"kernel": copied(drawn((64, 64), std=0.02))} for name in "ab"}
    plan = jinit.plan(shapes, jinit.normal(0.02), tied=[["a/kernel", "b/kernel"]])
    assert check(params, plan).ok
    assert kinds(check(params)) == [("duplicate", "a/kernel")]


def test_scales_by_layer_are_compared_layer_by_layer():
    shapes = {"kernel": jax.ShapeDtypeStruct((3, 64, 64), "float32")}
    stds = np.array([0.1, 0.2, 0.4], np.float32).reshape(3, 1, 1)
    plan = jinit.plan(shapes, jinit.normal(stds), stacked={"kernel": 1})
    params = plan.initialize(KEY)
    assert check(params, plan).ok
    params["kernel"] = params["kernel"] * np.array([1, 1.3, 1], np.float32).reshape(3, 1, 1)
    (finding,) = check(params, plan).findings
    assert (finding.kind, finding.path) == ("std", "kernel[1]")


def test_a_blank_layer_of_a_stack_is_one_finding():
    plan = jinit.plan(
        {"kernel": jax.ShapeDtypeStruct((3, 64, 64), "float32")},
        jinit.normal(0.1),
        stacked={"kernel": 1},
    )
    params = plan.initialize(KEY)
    params["kernel"] = params["kernel"].at[1].set(0.0)
    (finding,) = check(params, plan).findings
    assert finding.detail == "kernel[1], of 3 slices, are 0; its rule asks std 0.1"


def test_layers_of_members():
    shapes = {"kernel": jax.ShapeDtypeStruct((3, 16, 16), "float32")}
    options = {"rules": jinit.normal(0.1), "stacked": {"kernel": 1}}
    plan = jinit.plan(shapes, **options)
    members = jinit.ensemble(shapes, key=KEY, size=4, **options)
    assert check(members, plan, members=True).ok
    members["kernel"] = members["kernel"].at[3, 2].set(members["kernel"][0, 1])
    (finding,) = check(members, plan, members=True).findings
    assert (finding.path, finding.others) == ("kernel[0, 1]", ("kernel[3, 2]",))


def random_signs(key, shape, dtype):
    return jax.random.rademacher(key, shape, dtype)


def eight_copies(key, shape, dtype):
    return jnp.tile(jax.random.normal(key, (shape[0], shape[1] // 8), dtype), (1, 8))


DEMANDING = {
    "a mean": jinit.scaled(jinit.uniform(1.0), 2.0),
    "each value 16 times": jinit.icnr(jinit.normal(1.0), (4, 4)),
    "few wide columns": jinit.normal(np.where(np.arange(64) % 16, 0.01, 1).astype(np.float32)),
    "few values": jinit.sparse(0.97),
    "signs": jinit.from_function(random_signs),
    "copies": jinit.from_function(eight_copies),
}


@pytest.mark.parametrize("name", DEMANDING)
def test_laws_that_demand_care(name):
    shapes = {f"l{i}": jax.ShapeDtypeStruct((8, 64), "float32") for i in range(20)}
    plan = jinit.plan(shapes, DEMANDING[name])
    for seed in range(10):
        assert check(plan.initialize(jax.random.key(seed)), plan, false_alarm=1e-3).ok


def test_a_row_of_zeros_is_no_wrong_scale():
    plan = jinit.plan(
        {"w": jax.ShapeDtypeStruct((12, 2**15), "float32")}, jinit.zero_rows(jinit.normal(1.0), [0])
    )
    assert check(plan.initialize(KEY), plan).ok


def test_a_few_signs_may_be_equal():
    shapes = {f"l{i}": jax.ShapeDtypeStruct((8,), "float32") for i in range(30)}
    plan = jinit.plan(shapes, jinit.from_function(random_signs))
    for seed in range(5):
        assert check(plan.initialize(jax.random.key(seed)), plan).ok


def test_gates_with_means_of_their_own_are_independent():
    names = [f"l{i}" for i in range(20)]
    shapes = {name: jax.ShapeDtypeStruct((4 * 64,), "float32") for name in names}
    for init in (jinit.chrono_bias(50.0), jinit.uniform_gate_bias(), jinit.mamba_dt_bias()):
        plan = jinit.plan(shapes, init)
        params = plan.initialize(KEY)
        assert check(params, plan).ok
        assert check(params).ok


def test_parts_of_a_plan_that_are_missing_or_of_another_shape():
    params = jinit.initialize(SHAPES, RULES, KEY)
    del params["Dense_0"]
    params["Dense_1"]["kernel"] = drawn((32, 128))
    result = check(params, PLAN)
    assert kinds(result) == [
        ("undrawn", "Dense_0/bias"),
        ("undrawn", "Dense_0/kernel"),
        ("shape", "Dense_1/kernel"),
    ]
    assert result.findings[2].detail == "has the shape (32, 128), planned is (64, 128)"
    assert check(params, PLAN, ignore=["Dense_0/*", "Dense_1/kernel"]).ok


def test_complex_weights():
    shapes = {f"l{i}": jax.ShapeDtypeStruct((64, 64), "complex64") for i in range(3)}
    plan = jinit.plan(shapes, jinit.normal(0.3))
    params = plan.initialize(KEY)
    assert check(params, plan).ok
    params["l1"] = params["l1"] * np.complex64(1.2)
    params["l2"] = jnp.zeros_like(params["l2"])
    assert kinds(check(params, plan)) == [("zero", "l2"), ("std", "l1")]


@pytest.mark.parametrize("n", [4, 30, 1000])
@pytest.mark.parametrize("chance", [1e-3, 1e-9])
def test_the_tails_of_a_variance_are_bounded(n, chance):
    q = np.exp(np.linspace(-14, 5, 2000001))
    beyond = n / 2 * _divergence(q, 0.0) > math.log(2 / chance)
    # q n is chi-squared with n degrees of freedom.
    log_density = (n / 2) * np.log(n * q / 2) - n * q / 2 - math.lgamma(n / 2)  # over log q
    density = np.exp(log_density) * (19 / 2000000)
    assert density.sum() == pytest.approx(1, abs=1e-3)
    assert chance / 1000 < density[beyond].sum() <= chance
