"""Rules: order, composition, values, JSON, and no silent miss."""

import functools
import json
import pickle
import re

import jax
import numpy as np
import pytest
from trees_of_models import dense, gpt2, shape

import jinit

KEY = jax.random.key(0)
RULES = jinit.Rules(
    [
        ("**/c_proj/kernel", jinit.normal(0.015)),
        (jinit.by_role("norm_scale"), jinit.ones),
        (re.compile(r"bias$"), jinit.zeros),
        ("**/kernel", jinit.lecun_normal()),
        ("wte/embedding", jinit.embedding(0.02)),
    ]
)


def given(target, rules, **options) -> dict[str, str]:
    return {row.path: repr(row.scheme) for row in jinit.plan(target, rules, **options)}


def test_first_match_wins():
    found = given(gpt2(1), RULES)
    assert found["h_0/attn/c_proj/kernel"] == "jinit.normal(stddev=0.015)"
    assert found["h_0/attn/c_attn/kernel"] == "jinit.lecun_normal()"
    assert found["h_0/ln_1/scale"] == "jinit.ones()"
    assert found["h_0/ln_1/bias"] == "jinit.zeros()"
    assert found["wte/embedding"] == "jinit.embedding(stddev=0.02)"


def test_one_scheme_is_a_rule_for_all():
    assert set(given({"a": shape(3, 4), "b": shape(2, 2)}, jinit.he_normal).values()) == {
        "jinit.he_normal()"
    }


def test_composition():
    base = jinit.Rules({"**/bias": jinit.zeros, "**/kernel": jinit.lecun_normal()})
    head = {"head/kernel": jinit.normal(0.015)}
    tree = {"body": dense(4, 4), "head": dense(4, 2)}
    for rules in (base.override(head), jinit.Rules(head) | base, head | base):
        assert given(tree, rules)["head/kernel"] == "jinit.normal(stddev=0.015)"
        assert given(tree, rules)["body/kernel"] == "jinit.lecun_normal()"
    with pytest.raises(jinit.RuleError, match=r"rule 'head/kernel' hits no leaf: those it selects"):
        jinit.plan(tree, jinit.Rules([*base, *jinit.Rules(head)]))
    # What an override takes wholly is no mistake of the rules beneath.
    everything = base.override({"**/kernel": jinit.ones})
    assert given(tree, everything)["body/kernel"] == "jinit.ones()"


def test_defaults():
    rules = jinit.Rules({"**/bias": jinit.zeros}, default=jinit.ones)
    assert given({"l": dense(2, 3)}, rules)["l/kernel"] == "jinit.ones()"
    assert rules.with_default(jinit.zeros).default == jinit.zeros()
    merged = jinit.Rules({"**/scale": jinit.ones}) | rules
    assert merged.default == jinit.ones()


def test_optional_rules_may_hit_nothing():
    preset = jinit.Rules({"**/conv/kernel": jinit.ones}, optional=True, source="preset")
    rules = preset | {"**": jinit.zeros}
    assert given({"w": shape(2)}, rules) == {"w": "jinit.zeros()"}


def test_functions_of_the_leaf():
    def by_depth(leaf):
        return jinit.normal(1 / (leaf.index + 1) / leaf.depth)

    plan = jinit.plan(
        {f"h_{i}": {"kernel": shape(3, 3), "bias": shape(3)} for i in range(4)},
        {
            "**/kernel": by_depth,
            "**/bias": lambda leaf: jinit.torch_bias(leaf.sibling("weight", "kernel").fans.fan_in),
        },
    )
    assert [plan[f"h_{i}/kernel"].std for i in range(4)] == [0.25, 0.125, 1 / 12, 0.0625]
    assert plan["h_0/bias"].std == pytest.approx(1 / 3)


def test_foreign_initializers_and_factories():
    def mine(key, shape, dtype):
        return jax.numpy.full(shape, 3, dtype)

    tree = {"a": shape(2), "b": shape(2), "c": shape(3, 4)}
    rules = {
        "a": mine,
        "b": functools.partial(mine),
        "c": jax.nn.initializers.he_normal(),
    }
    params = jinit.initialize(tree, rules, KEY)
    assert params["a"].tolist() == params["b"].tolist() == [3, 3]
    expected = jax.nn.initializers.he_normal()(jinit.leaf_key(KEY, "c"), (3, 4), "float32")
    np.testing.assert_array_equal(params["c"], expected)


def test_rules_are_values():
    again = jinit.Rules.from_config(json.loads(json.dumps(RULES.to_config())))
    assert again == RULES
    assert hash(again) == hash(RULES)
    assert pickle.loads(pickle.dumps(RULES)) == RULES
    assert eval(repr(RULES), {"jinit": jinit, "re": re}) == RULES
    composed = RULES.override({"x/**": jinit.keep}).with_default(jinit.ones)
    assert jinit.Rules.from_config(json.loads(json.dumps(composed.to_config()))) == composed
    assert eval(repr(composed), {"jinit": jinit, "re": re}) == composed
    assert composed != RULES
    assert len(composed) == len(RULES) + 1


@jinit.per_leaf
def residual_of_these(leaf, *, stddev: float = 0.02, inner=None):
    return jinit.normal(stddev / (2 * leaf.depth) ** 0.5)


def test_functions_of_the_leaf_as_values():
    rules = jinit.Rules({"**/kernel": residual_of_these(stddev=0.1, inner=jinit.he_normal())})
    again = jinit.Rules.from_config(json.loads(json.dumps(rules.to_config())))
    assert again == rules
    assert hash(again) == hash(rules)
    assert repr(rules[0].value) == "residual_of_these(stddev=0.1, inner=jinit.he_normal())"
    plan = jinit.plan({f"h_{i}": {"kernel": shape(3, 3)} for i in range(2)}, again)
    assert plan["h_1/kernel"].std == pytest.approx(0.05)
    with pytest.raises(TypeError, match=r"residual_of_these: .*options are"):
        residual_of_these(sttdev=0.1)
    with pytest.raises(ValueError, match="has no JSON form; decorate the function"):
        jinit.Rules({"**": lambda leaf: jinit.ones}).to_config()
    with pytest.raises(ValueError, match="no function called 'gone' is registered"):
        jinit.Rules.from_config(
            {"rules": [[{"select": {"glob": ["**"]}, "value": {"per_leaf": "gone"}}]]}
        )
    with pytest.raises(ValueError, match="a function called 'residual_of_these' is registered"):
        jinit.per_leaf(_other())


def _other():
    def residual_of_these(leaf):
        return jinit.ones

    return residual_of_these


def test_rules_print_as_a_table():
    text = str(RULES.override({"a": residual_of_these(stddev=0.012345678)}))
    assert "'**/c_proj/kernel'" in text
    assert "normal(stddev=0.015)" in text
    assert "residual_of_these(stddev=0.01235)" in text
    assert "<td" in RULES._repr_html_()


# --- no silent miss ---------------------------------------------------------------------------


def test_a_rule_that_compares_a_whole_path_to_a_last_name():
    # GPT-2's residual scaling was skipped so for years: "c_proj.weight" is no path.
    with pytest.raises(jinit.RuleError) as error:
        jinit.plan(gpt2(2), RULES.override({"c_proj/kernel": jinit.normal(0.001)}))
    assert "rule 'c_proj/kernel' hits no leaf; the nearest paths are" in str(error.value)
    assert "c_proj/kernel'" in str(error.value).split("nearest")[1]


@pytest.mark.parametrize("selector", ["attn", jinit.by_role("bias") | "attn"])
def test_the_name_of_a_module_is_told_from_that_of_a_leaf(selector):
    model = {"attn": {"kernel": jax.ShapeDtypeStruct((2, 3), "float32")}}
    with pytest.raises(jinit.RuleError, match=r"hits no leaf; 'attn' is a module, and 'attn/\*\*'"):
        jinit.plan(model, {selector: jinit.zeros, "**": jinit.ones})


def test_a_rule_for_a_matrix_that_the_model_does_not_have():
    with pytest.raises(jinit.RuleError, match=r"rule '\*\*/w3/kernel' hits no leaf"):
        jinit.plan(gpt2(2), RULES.override({"**/w3/kernel": jinit.zeros}))


def test_a_leaf_that_no_rule_hits():
    tree = {**gpt2(1), "head": {"proj": shape(32, 7)}}
    with pytest.raises(jinit.RuleError) as error:
        jinit.plan(tree, RULES)
    assert "no rule hits head/proj float32[32,7]; add a rule" in str(error.value)


def test_many_leaves_are_counted():
    tree = {f"w{i}": shape(2, 2) for i in range(20)}
    with pytest.raises(jinit.RuleError, match=r"and 12 more"):
        jinit.plan(tree, jinit.Rules({}))


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(jinit.RuleError) as error:
        jinit.plan({"a": shape(2), "b": shape(2)}, {"x": jinit.ones, "y": jinit.ones})
    assert str(error.value).count("hits no leaf") == 2
    assert "no rule hits a float32[2], b float32[2]" in str(error.value)


def test_keeping_what_is_not_there():
    # Absent weights must not become zeros.
    with pytest.raises(ValueError, match=r"a float32\[2\]: it is to be kept and has no value"):
        jinit.plan({"a": shape(2)}, {"**": jinit.keep})


def test_a_padding_row_is_zero_again():
    tree = {"embed": {"embedding": jax.numpy.ones((5, 4))}}
    params = jinit.initialize(tree, {"**": jinit.zero_rows(jinit.normal(1.0), [0])}, KEY)
    weights = np.asarray(params["embed"]["embedding"])
    assert not weights[0].any()
    assert (weights[1:] != 0).all()


def test_padding_rows_inside_a_stack():
    rules = {"**": jinit.zero_rows(jinit.normal(1.0), [0])}
    params = jinit.initialize({"embeddings": shape(3, 5, 4)}, rules, KEY, stacked={"**": 1})
    weights = np.asarray(params["embeddings"])
    assert weights.shape == (3, 5, 4)
    assert not weights[:, 0].any()
    assert (weights[:, 1:] != 0).all()
    members = jinit.ensemble({"embeddings": shape(5, 4)}, rules, KEY, 3)
    assert not np.asarray(members["embeddings"])[:, 0].any()


@pytest.mark.parametrize(
    ("rules", "kind", "text"),
    [
        ({"**": 3}, TypeError, r"a rule gives a scheme such as jinit.he_normal\(\)"),
        ({"**": np.ones(3)}, TypeError, r"got .*; for given weights use jinit.from_array"),
        ([("**",)], TypeError, r"a rule is a pair \(selector, value\), got \('\*\*',\)"),
        ({"**": lambda leaf: 3}, TypeError, "a rule gives a scheme"),
        (
            {"**": lambda leaf: leaf.sibling("scale")},
            ValueError,
            "no sibling called 'scale'; there are: bias",
        ),
        ({"**": lambda leaf: jinit.normal(leaf.depth)}, ValueError, "is in no numbered block"),
    ],
)
def test_values_that_cannot_be(rules, kind, text):
    with pytest.raises((kind, ValueError), match=text):
        jinit.plan({"l": dense(2, 3)}, rules)
