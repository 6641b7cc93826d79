"""The check as a whole: its rate of false alarms, kinds of models, errors, and the result."""

import io
import json
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue import load_cases
from checked import copied, drawn, healthy, kinds
from flax import nnx
from rich.console import Console

import jinit
from jinit.display.findings import findings_html
from jinit.model.checks import Check, InitializationError, check

KEY = jax.random.key(0)


INDEPENDENT = [
    jinit.he_normal(),
    jinit.glorot_uniform(),
    jinit.lecun_normal(),
    jinit.truncated_normal(0.02),
    jinit.uniform(0.1),
    jinit.siren(),
    jinit.normal(0.3),
]
DEPENDENT = [jinit.orthogonal(), jinit.sparse(0.9), jinit.looks_linear(), jinit.identity()]
MIX_SHAPES = [(64, 128), (128, 64), (30, 20), (512, 4)]


def random_model(seed):
    choice = np.random.default_rng(seed)
    shapes, rules = {}, {}
    for i in range(10):
        plain = choice.random() < 0.6
        shape = MIX_SHAPES[choice.integers(len(MIX_SHAPES))] if plain else (64, 128)
        dtype = ("float32", "bfloat16")[choice.integers(2)] if plain else "float32"
        schemes = INDEPENDENT if plain else DEPENDENT
        shapes[f"l{i}"] = {
            "kernel": jax.ShapeDtypeStruct(shape, dtype),
            "bias": jax.ShapeDtypeStruct(shape[-1:], dtype),
        }
        rules[f"l{i}/kernel"] = schemes[choice.integers(len(schemes))]
        rules[f"l{i}/bias"] = (jinit.zeros, jinit.uniform(0.1))[choice.integers(2)]
    plan = jinit.plan(shapes, rules)
    return plan, plan.initialize(jax.random.key(seed))


def test_fifty_healthy_models_give_nothing():
    # At a false alarm in a million a call, even a hundredth of that alarm would show here.
    for seed in range(50):
        plan, params = random_model(seed)
        assert check(params, plan).ok, str(check(params, plan))
        assert check(params).ok, str(check(params))


def test_the_rate_of_false_alarms_is_kept_where_it_is_large_enough_to_see():
    # 300 checks at 1 in 10 are at most 30 +- 5.2 alarms; the bounds behind them are not tight.
    plan = jinit.plan(
        {f"l{i}": jax.ShapeDtypeStruct((8, 8), "float32") for i in range(4)}, jinit.normal(0.5)
    )
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        params = {f"l{i}": rng.normal(0, 0.5, (8, 8)).astype(np.float32) for i in range(4)}
        alarms += not check(params, plan, false_alarm=0.1).ok
    assert 1 <= alarms <= 45


def test_many_leaves_share_the_rate_of_false_alarms():
    # Left alone, each of 100 tests at 1 in 10 would alarm nearly always.
    names = [f"l{i}" for i in range(100)]
    plan = jinit.plan({n: jax.ShapeDtypeStruct((8, 8), "float32") for n in names}, jinit.normal(1))
    rng = np.random.default_rng(0)
    alarms = {"std": 0, "mean": 0, "correlated": 0, "duplicate": 0}
    for _ in range(30):
        params = {n: rng.normal(size=(8, 8)).astype(np.float32) for n in names}
        for finding in check(params, plan, false_alarm=0.1).findings:
            alarms[finding.kind] += 1
    assert sum(alarms.values()) <= 11, alarms  # 3 + 5 standard deviations


def test_sparse_leaves_that_share_places_are_independent():
    names = [f"l{i}" for i in range(60)]
    shapes = {name: jax.ShapeDtypeStruct((64, 64), "float32") for name in names}
    plan = jinit.plan(shapes, jinit.sparse(0.97))
    for seed in range(3):
        assert check(plan.initialize(jax.random.key(seed)), plan, false_alarm=0.01).ok


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_leaves_of_a_few_values(dtype):
    for size in (0, 1, 2, 7, 8, 9):
        one, other = (drawn((size, 2), seed=seed, dtype=np.float32) for seed in range(2))
        leaves = [one, other, jnp.ones((size, 1)), jnp.zeros((1, size)), drawn((size,), seed=9)]
        params = {f"l{i}": {"w": leaf.astype(dtype)} for i, leaf in enumerate(leaves)}
        assert kinds(check(params)) == ([("zero", "l3/w")] if size >= 8 else [])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_scheme_is_healthy_and_its_copies_are_found(dtype):
    for case in load_cases():
        one, other = (case.init(key, case.shape, dtype) for key in jax.random.split(KEY))
        result = check({"a": {"x": one}, "b": {"x": other}})
        assert not result.of_kind("duplicate", "correlated", "coarse", "nonfinite"), str(case)
        if case.random:
            copies = check({"a": {"x": one}, "b": {"x": copied(one)}})
            assert kinds(copies) == [("duplicate", "a/x")], str(case)


def test_nnx_modules_with_shared_variables():
    class Model(nnx.Module):
        def __init__(self, rngs):
            self.a = nnx.Linear(64, 64, rngs=rngs)
            self.b = nnx.Linear(64, 64, rngs=rngs)
            self.tied = self.a
            self.norm = nnx.BatchNorm(64, rngs=rngs)
            self.adapter = nnx.LoRA(64, 4, 64, rngs=rngs)

    model = Model(nnx.Rngs(0))
    assert check(model).ok
    model.b.kernel[...] = copied(model.a.kernel[...])
    assert kinds(check(model)) == [("duplicate", "a/kernel")]


def test_equinox_modules():
    import equinox as eqx

    model = eqx.nn.MLP(8, 8, 64, 2, key=KEY)
    assert check(model).ok
    same = eqx.tree_at(lambda m: m.layers[1].weight, model, jnp.zeros((64, 64)))
    assert [f.kind for f in check(same).findings] == ["zero"]


def test_linen_variables():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.BatchNorm(use_running_average=True)(nn.Dense(64)(x))
            return nn.MultiHeadDotProductAttention(4)(x)

    variables = Model().init(KEY, jnp.ones((2, 5, 64)))
    assert check(variables).ok
    assert check(variables["params"]).leaves == check(variables).leaves


ERRORS = {
    r"Dense_0/bias float32\[128\] is traced and has no values yet; call jinit.check outside "
    "jax.jit": lambda: jax.jit(lambda p: check(p).leaves)(healthy()),
    "`params` has no leaf; pass a model, or its parameters": lambda: check({}),
    "leaves must be arrays or jax.ShapeDtypeStruct": lambda: check({"a": 1.0}),
    "`plan` is of another model: its paths are such as 'Dense_0/bias', those of `params` such as "
    "'w'": lambda: check({"w": drawn()}, jinit.plan(healthy(), jinit.zeros)),
    r"`ignore` \(='heads/\*'\) selects no leaf; paths are such as 'Dense_0/bias'": lambda: check(
        healthy(), ignore="heads/*"
    ),
    r"'heads/\*' in `stacked` selects no leaf": lambda: check(healthy(), stacked={"heads/*": 1}),
    "`members=True` needs one leading axis of one length in every leaf; Dense_0/bias": lambda: (
        check(healthy(), members=True)
    ),
    r"`false_alarm` \(=0\) must lie between 0 and 1": lambda: check(healthy(), false_alarm=0),
    r"`severity` \(='all'\) must be one of 'error', 'warning'": lambda: check(
        healthy()
    ).raise_if_any(severity="all"),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors_say_what_is_allowed(message):
    with pytest.raises((TypeError, ValueError), match=message):
        ERRORS[message]()


def faulty():
    params = healthy()
    params["Dense_1"]["kernel"] = copied(params["Dense_0"]["kernel"])
    params["<head>"] = {"kernel": jnp.zeros((64, 128))}
    return check(params)


TEXT = """\
1 error and 1 warning in 8 leaves, 33,152 weights
  duplicate  Dense_0/kernel  equals Dense_1/kernel
    draw each from a key of its own; to share weights on purpose, use one array
  zero       <head>/kernel   all 8,192 values are 0
    draw it; if meant, give it the rule jinit.zeros and pass the plan, or `ignore` it"""


def test_the_text_and_the_error_name_paths_and_what_to_do():
    result = faulty()
    assert result.leaves == 7
    assert str(result) == TEXT.replace("8 leaves", "7 leaves")
    with pytest.raises(InitializationError, match=re.escape("equals Dense_1/kernel")) as caught:
        result.raise_if_any()
    assert str(caught.value) == str(result)
    with pytest.raises(ValueError, match="1 error and 1 warning in 7 leaves") as caught:
        result.raise_if_any(severity="error")
    assert "head" not in str(caught.value)


def test_a_result_is_a_value_without_a_truth_of_its_own():
    result = faulty()
    assert result == faulty()
    assert "__bool__" not in vars(Check)
    assert "__len__" not in vars(Check)
    assert not result.ok
    assert [f.kind for f in result.errors] == ["duplicate"]
    assert [f.path for f in result.of_kind("zero")] == ["<head>/kernel"]
    assert repr(result) == "<Check: 1 error and 1 warning in 7 leaves, 33,152 weights>"
    fine = check(healthy())
    assert fine.ok
    assert str(fine) == "nothing wrong found in 6 leaves, 24,960 weights"
    fine.raise_if_any()
    with pytest.raises(AttributeError):
        fine.leaves = 3


def test_json_holds_every_finding():
    data = json.loads(faulty().to_json())
    assert data["ok"] is False
    assert data["findings"][0] == {
        "kind": "duplicate",
        "path": "Dense_0/kernel",
        "detail": "equals Dense_1/kernel",
        "severity": "error",
        "others": ["Dense_1/kernel"],
    }


def rendered(result, width=100):
    text = io.StringIO()
    Console(file=text, width=width).print(result)
    return text.getvalue()


def test_the_table_shows_what_the_text_says():
    lines = [line.split() for line in rendered(faulty()).splitlines()]
    assert lines[0][:3] == ["✗", "1", "error"]
    assert ["duplicate", "Dense_0/kernel", "equals", "Dense_1/kernel"] in lines
    assert ["zero", "<head>/kernel", "all", "8,192", "values", "are", "0"] in lines
    assert rendered(check(healthy())).startswith("✓ nothing wrong found")
    for width in (40, 60):
        assert "…" not in rendered(faulty(), width)


def test_html_escapes_and_needs_no_rich(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rich", None)
    page = findings_html(faulty())
    assert page == faulty()._repr_html_()
    assert "&lt;head&gt;/kernel" in page
    assert "<head>" not in page
    assert page.count("<tr>") == 3
    assert "nothing wrong found" in check(healthy())._repr_html_()


def test_a_long_table_is_cut():
    params = {f"l{i}": {"w": jnp.zeros((4, 4))} for i in range(210)}
    assert len(check(params).findings) == 210
    assert "10 more findings are in `.findings`" in rendered(check(params))
