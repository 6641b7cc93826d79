"""Leaves and slices from one key are found; independent and computed ones are not."""

import math
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checked import copied, drawn, healthy, kinds

import jinit
from jinit.model.checks import check
from jinit.model.diagnosis.likeness import _beyond_chance, _neighbours

KEY = jax.random.key(0)


def test_equal_leaves_are_duplicates_unless_they_are_one_array():
    params = healthy()
    params["Dense_2"]["kernel"] = params["Dense_0"]["kernel"]
    assert check(params).ok  # one array: shared on purpose
    params["Dense_2"]["kernel"] = copied(params["Dense_0"]["kernel"])
    params["other"] = {"kernel": copied(params["Dense_0"]["kernel"]).reshape(128, 64)}
    (finding,) = check(params).findings
    assert finding.kind == "duplicate"
    assert finding.path == "Dense_0/kernel"
    assert finding.others == ("Dense_2/kernel", "other/kernel")
    assert finding.detail == "equals Dense_2/kernel and other/kernel"


def test_equal_beginnings_are_not_equal_leaves():
    params = healthy()
    params["Dense_2"]["kernel"] = params["Dense_0"]["kernel"].at[-1, -1].set(9.0)
    assert kinds(check(params)) == [("correlated", "Dense_0/kernel")]


ONE_KEY = {
    "another shape": lambda: jinit.he_normal()(KEY, (100, 64)),
    "transposed": lambda: jinit.he_normal()(KEY, (128, 64)),
    "uniform": lambda: jinit.glorot_uniform()(KEY, (128, 64)),
    "rounded": lambda: jinit.he_normal()(KEY, (128, 64), jnp.bfloat16),
    "positive": lambda: jinit.uniform(0.1)(KEY, (50, 50)),
    "untruncated": lambda: jinit.normal(0.02)(KEY, (9, 9)),
    "opposite": lambda: -jinit.normal(0.02)(KEY, (30, 30)),
    "a vector": lambda: jinit.normal(0.02)(KEY, (64,)),
    "by jax": lambda: jax.random.normal(KEY, (40, 40)) * 1e-20,
    "mostly": lambda: jinit.he_normal()(KEY, (64, 128)) + drawn(seed=5, std=0.05),
}


@pytest.mark.parametrize("name", ONE_KEY)
def test_leaves_drawn_from_one_key_correlate(name):
    crowd = {f"other_{i}": {"w": drawn((16, 16), seed=i)} for i in range(100)}
    other = ONE_KEY[name]()
    params = {"a": {"w": jinit.he_normal()(KEY, (64, 128))}, **crowd, "b": {"w": other}}
    (finding,) = check(params).findings
    assert (finding.kind, finding.path, finding.others) == ("correlated", "a/w", ("b/w",))
    r = float(re.search(r"r = (-?\d\.\d\d)", finding.detail)[1])
    assert abs(r) > 0.85
    assert (r < 0) == (name == "opposite")


def test_a_family_from_one_key_is_one_finding():
    params = {f"l{i}": {"w": jinit.normal(0.1)(KEY, (20 + i, 30))} for i in range(6)}
    (finding,) = check(params).findings
    assert finding.path == "l0/w"
    assert finding.others == tuple(f"l{i}/w" for i in range(1, 6))
    assert finding.detail == "correlates with l1/w, l2/w, l3/w and 2 more (r = 1.00)"


def test_what_is_computed_may_be_equal():
    table = np.sin(np.arange(512)[:, None] / 10.0 ** (np.arange(64) / 16))
    for value in (
        np.eye(64),
        table,
        np.broadcast_to(np.log(np.arange(1, 17)), (64, 16)),
        np.tril(np.sqrt(np.outer(np.arange(1, 65), np.arange(1, 65)))),
    ):
        params = {name: {"w": jnp.asarray(value, jnp.float32)} for name in "ab"}
        params["b"]["w"] = copied(params["b"]["w"])
        assert check(params).ok


def test_the_work_grows_with_the_number_of_leaves():
    for count in (100, 1000):
        values = np.random.default_rng(0).normal(size=(count, 512)).astype(np.float32)
        pairs = _neighbours(values, np.full(count, 512))
        assert len(pairs) <= 16 * count
        assert (pairs[:, 0] < pairs[:, 1]).all()


def test_equal_slices_of_a_stack():
    one = drawn((4, 32, 32))
    stack = one.at[2].set(one[0])
    params = {"layers": {"kernel": stack, "bias": jnp.zeros((4, 32))}}
    assert check(params).ok  # nothing says that it is a stack
    (finding,) = check(params, stacked={"layers/**": 1}).findings
    assert finding.kind == "duplicate"
    assert finding.path == "layers/kernel[0]"
    assert finding.others == ("layers/kernel[2]",)


def test_a_stack_along_another_axis_and_slices_that_are_zero():
    stack = drawn((32, 4, 32)).at[:, 1].set(0.0)
    (finding,) = check({"kernel": stack}, stacked={"kernel": (1,)}).findings
    assert (finding.kind, finding.path) == ("zero", "kernel")
    assert finding.detail == "kernel[:, 1], of 4 slices, are 0"


def test_members_that_repeat_each_other():
    shapes = jax.eval_shape(healthy)
    rules = {"**/bias": jinit.zeros, "**/kernel": jinit.he_normal()}
    members = jinit.ensemble(shapes, rules, KEY, size=5)
    plan = jinit.plan(shapes, rules)
    assert check(members, members=True).ok
    assert check(members, plan, members=True).ok
    broken = jax.tree.map(lambda leaf: leaf.at[4].set(leaf[1]), members)
    for result in (check(broken, members=True), check(broken, plan, members=True)):
        assert kinds(result) == [("duplicate", f"Dense_{i}/kernel[1]") for i in range(3)]
        assert result.findings[0].others == ("Dense_0/kernel[4]",)


def test_slices_of_one_key_under_a_scan():
    def stack(split):
        layer = nn.scan(
            lambda module, x, _: (module(x), None),
            variable_axes={"params": 0},
            split_rngs={"params": split},
            length=4,
        )

        class Model(nn.Module):
            @nn.compact
            def __call__(self, x):
                return layer(nn.Dense(32, name="dense"), x, None)[0]

        target = jinit.with_inputs(Model(), jnp.ones((2, 32)))
        return target, Model().init(KEY, jnp.ones((2, 32)))

    rules = {"**/bias": jinit.zeros, "**/kernel": jinit.lecun_normal()}
    target, apart = stack(split=True)
    assert check(apart, jinit.plan(target, rules)).ok
    target, alike = stack(split=False)
    assert [f.kind for f in check(alike, jinit.plan(target, rules)).findings] == ["duplicate"]


@pytest.mark.parametrize("n", [8, 32, 512])
@pytest.mark.parametrize("chance", [1e-3, 1e-6, 1e-12])
def test_the_tail_of_a_correlation_is_bounded(n, chance):
    grid = np.linspace(0, 1, 200001)
    flagged = _beyond_chance(grid, np.full(grid.size, float(n)), chance)
    least = grid[np.argmax(flagged)] if flagged.any() else 1.0
    # The density of r for n independent normal pairs is (1 - r^2)^((n - 4) / 2) over B(1/2, n/2-1).
    log_beta = math.lgamma(0.5) + math.lgamma(n / 2 - 1) - math.lgamma((n - 1) / 2)
    r = np.linspace(least, 1, 400001)
    density = (1 - r**2) ** ((n - 4) / 2) / math.exp(log_beta)
    tail = 2 * np.trapezoid(density, r)
    assert chance / 100 < tail <= chance
