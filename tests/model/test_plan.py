"""Plans: what each leaf gets, fitted to its fans, axes and stack, before anything is drawn."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec
from trees_of_models import dense, gpt2, shape

import jinit

KEY = jax.random.key(3)


def test_rows():
    tree = gpt2(2)
    plan = jinit.plan(
        tree,
        {"**/{bias,scale}": jinit.zeros, "wte/**": jinit.normal(0.02), "**": jinit.he_normal},
    )
    assert [row.path for row in plan] == sorted(row.path for row in plan)
    row = plan["h_1/mlp/c_fc/kernel"]
    assert row.leaf.shape == (32, 128)
    assert row.leaf.role == "dense"
    assert tuple(row.fans) == (32, 128)
    assert row.rule == "'**'"
    assert row.std == pytest.approx((2 / 32) ** 0.5)
    assert row.nbytes == 4 * 32 * 128
    assert row.drawn
    weights = 96 * 32 + 2 * (64 + 32 * 96 + 96 + 32 * 32 + 32 + 32 * 128 + 128 + 128 * 32 + 32)
    assert plan.totals["weights"] == weights
    assert plan.totals["bytes"] == 4 * weights
    with pytest.raises(KeyError, match="no leaf has the path 'h_1/mlp'; paths are such as"):
        plan["h_1/mlp"]


def test_nothing_is_allocated():
    huge = {"w": shape(2**20, 2**20), "b": shape(2**40, dtype="bfloat16")}
    before = len(jax.live_arrays())
    plan = jinit.plan(huge, {"w": jinit.he_normal(), "b": jinit.zeros})
    assert len(jax.live_arrays()) == before
    assert plan.totals["bytes"] == 4 * 2**40 + 2 * 2**40
    assert "2 leaves: 2 drawn. 2,199,023,255,552 weights, 6.0 TiB." in str(plan)


def test_plan_prints_and_goes_to_json():
    plan = jinit.plan(gpt2(1), {"**/bias": jinit.zeros, "**": jinit.normal(0.0123456789)})
    text = str(plan)
    assert "normal(stddev=0.01235)" in text
    assert text.splitlines()[-1].startswith("11 leaves: 11 drawn. ")
    config = json.loads(plan.to_json())
    assert config["key_scheme"] == 1
    assert config["totals"] == plan.totals
    row = next(leaf for leaf in config["leaves"] if leaf["path"] == "wte/embedding")
    assert row["shape"] == [96, 32]
    assert row["std"] == [0.0123456789]
    assert row["scheme"] == "jinit.normal(stddev=0.0123456789)"
    html = plan._repr_html_()
    assert html.count("<tr>") == len(plan) + 1
    assert plan == jinit.plan(gpt2(1), {"**/bias": jinit.zeros, "**": jinit.normal(0.0123456789)})
    assert plan != jinit.plan(gpt2(1), {"**/bias": jinit.ones, "**": jinit.normal(0.0123456789)})


# --- fitting schemes to leaves ----------------------------------------------------------------


def test_kernels_of_unknown_use_are_no_guess():
    tree = {"attn": {"kernel": shape(32, 4, 8)}}
    with pytest.raises(ValueError, match="does not say which of them its layer contracts") as error:
        jinit.plan(tree, {"**": jinit.he_normal()})
    assert "attn/kernel float32[32,4,8] has 3 axes" in str(error.value)
    assert "layouts={'attn/kernel'" in str(error.value)
    with pytest.raises(ValueError, match="does not say which of them its layer contracts"):
        jinit.plan(tree, {"**": jinit.orthogonal()})
    # What does not depend on fans needs no axes.
    assert jinit.plan(tree, {"**": jinit.normal(0.02)})["attn/kernel"].std == 0.02
    # What the user says stands.
    plan = jinit.plan(tree, {"**": jinit.lecun_normal(in_axis=0, out_axis=(1, 2))})
    assert plan["attn/kernel"].std == pytest.approx(32**-0.5)


@pytest.mark.parametrize(
    ("layout", "dims", "fans"),
    [
        ("HWIO", (3, 3, 8, 16), (72, 144)),
        ("OIHW", (16, 8, 3, 3), (72, 144)),
        ("btd,dhk->bthk", (32, 4, 8), (32, 32)),
        ("...IO", (2, 8, 16), (16, 32)),
    ],
)
def test_layouts(layout, dims, fans):
    plan = jinit.plan({"w": shape(*dims)}, jinit.he_normal(), layouts={"w": layout})
    assert tuple(plan["w"].fans) == fans
    assert plan["w"].std == pytest.approx((2 / fans[0]) ** 0.5)


def test_layouts_describe_one_layer_of_a_stack():
    tree, layout = {"w": shape(5, 3, 3, 8, 16)}, {"w": "HWIO"}
    plan = jinit.plan(tree, jinit.he_normal(), layouts=layout, stacked={"w": 1})
    assert tuple(plan["w"].fans) == (72, 144)
    weights = jinit.initialize(tree, jinit.orthogonal(), KEY, layouts=layout, stacked={"w": 1})["w"]
    rows = np.asarray(weights).reshape(5, 72, 16)
    np.testing.assert_allclose(
        np.einsum("lij,lik->ljk", rows, rows), np.broadcast_to(np.eye(16), (5, 16, 16)), atol=2e-6
    )


def test_stacks_have_the_fans_of_a_layer():
    tree = {"blocks": dense(16, 8) | {"kernel": shape(5, 16, 8), "bias": shape(5, 8)}}
    rules = {"**/kernel": jinit.he_normal(), "**/bias": jinit.uniform_unit_scaling()}
    plan = jinit.plan(tree, rules, stacked={"blocks/**": 1})
    assert tuple(plan["blocks/kernel"].fans) == (16, 8)
    assert plan["blocks/kernel"].std == pytest.approx((2 / 16) ** 0.5)
    # 1 / sqrt(n), n all axes but the last of one layer's shape: there are none.
    assert plan["blocks/bias"].std == pytest.approx(1.0)


def test_stacks_of_structured_kernels_are_structured_layer_by_layer():
    tree = {"w": shape(3, 4, 8, 8)}
    params = jinit.initialize(tree, jinit.orthogonal(), KEY, stacked={"w": 2})
    products = jnp.einsum("abij,abik->abjk", params["w"], params["w"])
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(8), (3, 4, 8, 8)), atol=2e-6)
    eyes = jinit.initialize(tree, jinit.eye(), KEY, stacked={"w": 2})["w"]
    np.testing.assert_array_equal(eyes, np.broadcast_to(np.eye(8), (3, 4, 8, 8)))
    doubled = jinit.initialize(tree, jinit.scaled(jinit.eye(), 2.0), KEY, stacked={"w": 2})["w"]
    np.testing.assert_array_equal(doubled, 2 * eyes)
    declared = jinit.initialize(tree, jinit.stacked(jinit.eye(), 2), KEY, stacked={"w": 2})["w"]
    np.testing.assert_array_equal(declared, eyes)
    scaled = jinit.initialize(tree, jinit.scaled(jinit.orthogonal(), 2.0), KEY, stacked={"w": 2})
    products = jnp.einsum("abij,abik->abjk", scaled["w"], scaled["w"])
    np.testing.assert_allclose(products, np.broadcast_to(4 * np.eye(8), (3, 4, 8, 8)), atol=8e-6)


def test_layers_of_a_stack_are_independent():
    (weights,) = jinit.initialize([shape(6, 64, 64)], jinit.he_normal(), KEY, stacked={"0": 1})
    flat = np.asarray(weights).reshape(6, -1)
    correlations = np.corrcoef(flat) - np.eye(6)
    assert np.abs(correlations).max() < 5 / 64


def test_a_scale_for_each_layer_of_a_stack():
    def shrinking(leaf):
        return jinit.normal(0.1 / (leaf.index + 1))

    tree = {"w": shape(4, 64, 64), "apart": {f"h_{i}": {"w": shape(8, 8)} for i in range(4)}}
    plan = jinit.plan(tree, shrinking, stacked={"w": 1})
    np.testing.assert_allclose(plan["w"].std.ravel(), 0.1 / np.arange(1, 5))
    weights = np.asarray(plan.initialize(KEY)["w"])
    # Four standard errors of a standard deviation of 4096 weights: 4 / sqrt(2 * 4096).
    np.testing.assert_allclose(weights.std(axis=(1, 2)), 0.1 / np.arange(1, 5), rtol=0.045)
    assert [plan[f"apart/h_{i}/w"].std for i in range(4)] == [0.1, 0.05, 0.1 / 3, 0.025]


def test_stacks_along_other_axes():
    plan = jinit.plan({"w": shape(16, 5, 8)}, jinit.he_normal(), stacked={"w": [1]})
    assert tuple(plan["w"].fans) == (16, 8)
    with pytest.raises(ValueError, match=r"stacked along axes \(1,\).*only along the leading"):
        jinit.plan({"w": shape(8, 5, 8)}, jinit.eye(), stacked={"w": [1]})
    with pytest.raises(ValueError, match=r"`stacked` \(=3\) names an axis that w float32\[4,4\]"):
        jinit.plan({"w": shape(4, 4)}, jinit.ones, stacked={"w": 3})


def test_declarations_that_select_nothing():
    for option, value in (("stacked", 1), ("layouts", "IO"), ("shardings", PartitionSpec())):
        with pytest.raises(jinit.RuleError, match=rf"'x' in `{option}` selects no leaf"):
            jinit.plan({"w": shape(4, 4)}, jinit.ones, **{option: {"x": value}})
    with pytest.raises(jinit.RuleError, match="'x' in `tied` selects no leaf"):
        jinit.plan({"w": shape(4, 4)}, jinit.ones, tied=[("w", "x")])
    with pytest.raises(jinit.RuleError, match=r"`only` \(='x'\) selects no leaf"):
        jinit.plan({"w": jnp.ones(3)}, jinit.ones, only="x")
    with pytest.raises(ValueError, match=r"w float32\[4,4\]: .*HWIO"):
        jinit.plan({"w": shape(4, 4)}, jinit.ones, layouts={"w": "HWIO"})


def used(role: str = "dense", **changes) -> jinit.Use:
    """A weight of shape (3, 5) that contracts its last axis, with fans no shape would tell."""
    values = {"in_axes": (1,), "out_axes": (0,), "fans": jinit.Fans(7, 11), **changes}
    return jinit.Use("w", (3, 5), role, **values)


def test_usage_goes_first():
    usage = {"w": used(activation="gelu")}
    plan = jinit.plan({"w": shape(3, 5)}, jinit.he_normal(), usage=usage)
    gain = jinit.calculate_gain("gelu")
    assert tuple(plan["w"].fans) == (7, 11)
    assert plan["w"].std == pytest.approx(gain / 7**0.5)
    # What the scheme itself says stands.
    told = jinit.plan({"w": shape(3, 5)}, jinit.he_normal(nonlinearity="tanh"), usage=usage)
    assert told["w"].std == pytest.approx(jinit.calculate_gain("tanh") / 7**0.5)
    wide = jinit.initialize({"w": shape(3, 5)}, jinit.orthogonal(), KEY, usage=usage)["w"]
    np.testing.assert_allclose(wide @ wide.T, np.eye(3), atol=2e-6)


def test_usage_gives_an_activation_s_parameter():
    usage = {"w": used(activation="leaky_relu", activation_param=0.3)}
    plan = jinit.plan({"w": shape(3, 5)}, jinit.he_normal(), usage=usage)
    assert plan["w"].std == pytest.approx((2 / 1.09 / 7) ** 0.5)


def test_usage_that_knows_nothing_changes_nothing():
    usage = {"w": used("unknown", in_axes=(), out_axes=(), fans=None)}
    plan = jinit.plan({"w": shape(3, 5)}, jinit.he_normal(), usage=usage)
    assert plan["w"].std == pytest.approx((2 / 3) ** 0.5)


def test_usage_knows_stacks():
    use = used(in_axes=(1,), out_axes=(2,), batch_axes=(0,), stack_axes=(0,), fans=jinit.Fans(3, 5))
    plan = jinit.plan({"w": shape(4, 3, 5)}, jinit.eye(), usage={"w": use})
    assert plan["w"].leaf.stack == (0,)
    drawn = plan.initialize(KEY)["w"]
    np.testing.assert_array_equal(drawn, np.broadcast_to(np.eye(3, 5), (4, 3, 5)))


# --- what is shared, what is kept -------------------------------------------------------------


def test_ties():
    tree = {"embed": shape(8, 4), "head": shape(8, 4), "other": shape(4, 4)}
    params = jinit.initialize(tree, jinit.normal(1.0), KEY, tied=[("embed", "head")])
    assert params["embed"] is params["head"]
    plan = jinit.plan(tree, jinit.normal(1.0), tied=[("embed", "head")])
    assert plan["head"].shared_with == "embed"
    assert plan.totals["weights"] == 8 * 4 + 16
    with pytest.raises(jinit.RuleError) as error:
        jinit.plan(tree, {"head": jinit.zeros, "**": jinit.ones}, tied=[("embed", "head")])
    assert "embed and head are one array, and rules disagree: '**' gives jinit.ones()" in str(
        error.value
    )
    with pytest.raises(ValueError, match="`tied` needs two leaves or more, of one shape"):
        jinit.plan(tree, jinit.ones, tied=[("embed", "other")])


def test_one_array_at_two_places_stays_one():
    table = jnp.ones((8, 4))
    params = jinit.initialize({"a": table, "b": table, "c": shape(2)}, jinit.normal(1.0), KEY)
    assert params["a"] is params["b"]


def test_only_and_mask():
    params = jinit.initialize(gpt2(2), jinit.normal(1.0), KEY)
    rules = jinit.Rules({"**/bias": jinit.zeros, "**": jinit.normal(1.0)})
    again, mask = jinit.initialize(params, rules, jax.random.key(9), only=["h_1/**", "wte/*"])
    for path, before in jax.tree_util.tree_leaves_with_path(params):
        after, drawn = again, mask
        for key in path:
            after, drawn = after[key.key], drawn[key.key]
        assert drawn == (path[0].key in ("h_1", "wte"))
        assert (after is before) == (not drawn)
    # Rules for the part alone will do: the rest is kept.
    head, _ = jinit.initialize(params, {"wte/*": jinit.zeros}, KEY, only="wte/*")
    assert not head["wte"]["embedding"].any()
    with pytest.raises(jinit.RuleError, match="no rule hits h_0/attn/c_attn/bias"):
        jinit.initialize(params, {"**/kernel": jinit.ones}, KEY, only="h_0/**")


def test_report():
    params, plan = jinit.initialize(
        {"w": shape(128, 64), "b": shape(64), "n": shape(64)},
        {"b": jinit.zeros, "n": jinit.ones, "w": jinit.he_uniform()},
        KEY,
        report=True,
    )
    weights = np.asarray(params["w"], np.float64)
    row = plan["w"]
    spread = np.sqrt((weights**2).mean())
    assert row.measured == pytest.approx(spread, rel=1e-5)
    expected = (spread / (2 / 128) ** 0.5 - 1) / np.sqrt((1.8 - 1) / (4 * weights.size))
    assert row.z == pytest.approx(expected, abs=1e-3)
    assert abs(row.z) < 4
    assert plan["b"].measured == 0.0
    assert plan["n"].measured == 0.0
    assert plan["b"].z is None
    assert "measured" in str(plan)


def test_z_scores_have_unit_spread():
    """Over 200 leaves of each law the z-scores are standard normal, or they would say nothing."""
    laws = [
        jinit.uniform(bound=1.0),
        jinit.normal(0.3),
        jinit.truncated_normal(2.0),
        jinit.normal(1.0, mean=4.0),
    ]
    for law in laws:
        tree = [shape(1000) for _ in range(200)]
        _, plan = jinit.initialize(tree, law, KEY, report=True)
        z = np.array([row.z for row in plan])
        # Mean of 200: five standard errors; variance of 200: five times sqrt(2 / 200).
        assert abs(z.mean()) < 5 / 200**0.5
        assert abs(z.var() - 1) < 5 * (2 / 200) ** 0.5


# --- shardings --------------------------------------------------------------------------------


def test_shardings_by_every_form():
    devices = np.array(jax.devices()[:8]).reshape(4, 2)
    mesh = Mesh(devices, ("data", "model"))
    spec = PartitionSpec("model", None)
    tree = {"a": shape(8, 4), "b": shape(8, 4)}
    forms = [
        spec,
        {"*": spec},
        {"a": spec, "b": spec},
        lambda leaf: PartitionSpec("model", None),
        jax.sharding.NamedSharding(mesh, spec),
    ]
    for form in forms:
        plan = jinit.plan(tree, jinit.normal(1.0), mesh=mesh, shardings=form)
        assert plan["b"].leaf.sharding == jax.sharding.NamedSharding(mesh, spec)
        assert plan.totals["bytes_per_device"] == plan.totals["bytes"] // 2
    assert "model" in str(plan)
    with pytest.raises(ValueError, match=r"a float32\[8,4\]"):
        jinit.plan(tree, jinit.ones, mesh=mesh, shardings=PartitionSpec("tensor"))
    with pytest.raises(ValueError, match=r"b float32\[6,3\] cannot be laid out so"):
        jinit.plan(
            {"b": shape(6, 3)}, jinit.ones, mesh=mesh, shardings=PartitionSpec(None, "model")
        )


def test_the_first_sharding_that_selects_a_leaf_wins():
    mesh = Mesh(np.array(jax.devices()[:2]), ("model",))
    shardings = {"w": PartitionSpec("model"), "**": PartitionSpec()}  # "**" sorts before "w"
    plan = jinit.plan({"w": shape(4), "a": shape(4)}, jinit.ones, mesh=mesh, shardings=shardings)
    assert plan["w"].leaf.sharding.spec == PartitionSpec("model")
    assert plan["a"].leaf.sharding.spec == PartitionSpec()
