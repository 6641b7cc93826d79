"""Language model presets: every leaf's std, against tables written from the sources."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from presets.language import GPT2, NNXGPT, TOKENS, Llama
from presets.laws import CUT2, CUT3, assert_json_round_trip, assert_stds, stds

import jinit
from jinit import presets

D, L = 32, 3
NORMS = {"*norm*/scale": 0.0, "*ln_*/*": 0.0}


def gpt2_model(**options):
    return jinit.with_inputs(GPT2(**options), TOKENS)


def shape(*extents):
    return jax.ShapeDtypeStruct(extents, jnp.float32)


def test_gpt2():
    table = {
        "wte/embedding": 0.02,
        "wpe/embedding": 0.01,
        "*ln_*": 0.0,
        "*/bias": 0.0,
        "h_*/c_proj/kernel": 0.02 / (2 * L) ** 0.5,
        "h_*/c_attn/kernel": 0.02,
        "h_*/c_fc/kernel": 0.02,
    }
    assert_stds(gpt2_model(), presets.gpt2(), table)
    assert_stds(gpt2_model(), presets.gpt2(L), table)


def test_gpt2_in_a_stack_and_in_nnx():
    row = stds(gpt2_model(scan=True), presets.gpt2())
    assert row["h/attn/c_proj/kernel"] == pytest.approx(0.02 / (2 * L) ** 0.5)
    assert row["h/attn/c_attn/kernel"] == pytest.approx(0.02)
    model = nnx.eval_shape(lambda: NNXGPT(rngs=nnx.Rngs(0)))
    row = stds(model, presets.gpt2(n_layer=8))
    assert row["blocks/1/attn/out/kernel"] == pytest.approx(0.005)
    assert row["blocks/0/mlp/down/kernel"] == pytest.approx(0.005)
    assert row["blocks/0/attn/query/kernel"] == pytest.approx(0.02)


def test_gpt2_scales_are_one_and_shifts_zero():
    plan = jinit.plan(gpt2_model(), presets.gpt2())
    assert plan["ln_f/scale"].init == jinit.ones()
    assert plan["h_0/ln_1/bias"].init == jinit.zeros()


def test_a_missing_residual_projection_is_an_error_that_names_the_option():
    params = {
        "wpe": {"embedding": shape(4, 8)},
        "h_0": {"attn": {"c_proj": {"kernel": shape(8, 8)}}, "f": {"g": {"kernel": shape(8, 8)}}},
    }
    with pytest.raises(
        jinit.RuleError, match=r"MLP_OUT of jinit.presets.gpt2\(residual=...\) hits"
    ):
        jinit.plan(params, presets.gpt2(12))
    rules = presets.gpt2(12, residual=["**/c_proj/**", "**/f/**"])
    assert stds(params, rules)["h_0/f/g/kernel"] == pytest.approx(0.02 / 24**0.5)


def test_missing_positions_are_an_error_and_may_be_none():
    params = {"h_0": {"attn": {"o": {"kernel": shape(8, 8)}}, "mlp": {"w2": {"w": shape(8, 8)}}}}
    with pytest.raises(jinit.RuleError, match=r"jinit.presets.gpt2\(position=...\) hits no leaf"):
        jinit.plan(params, presets.gpt2(12))
    assert len(jinit.plan(params, presets.gpt2(12, position=None))) == 2


def test_an_unknown_depth_is_an_error_that_names_the_option():
    params = {"attn": {"o": {"kernel": shape(8, 8)}}, "mlp": {"w2": {"w": shape(8, 8)}}}
    with pytest.raises(ValueError, match=r"is in no numbered block .* give `n_layer`"):
        jinit.plan(params, presets.gpt2(position=None))
    with pytest.raises(ValueError, match=r"`n_layer` .=0. must be at least 1"):
        presets.gpt2(0)


LLAMA = jinit.with_inputs(Llama(), TOKENS)
INNER = ("layers_*/attention/w[qkv]/kernel", "layers_*/feed_forward/w1/kernel")
OUTER = ("layers_*/attention/wo/kernel", "layers_*/feed_forward/w2/kernel")
UP = "layers_*/feed_forward/w3/kernel"


def llama_table(inner, up, outer, table, head):
    return {
        "*norm*/scale": 0.0,
        "tok_embeddings/embedding": table,
        "output/kernel": head,
        UP: up,
        **dict.fromkeys(INNER, inner),
        **dict.fromkeys(OUTER, outer),
    }


@pytest.mark.parametrize(
    ("variant", "expected"),
    {
        "megatron": (0.02 * CUT3, 0.02 * CUT3, 0.02 * CUT3 / 8**0.5, 0.02 * CUT3, CUT3 / D**0.5),
        "olmo_core": (0.02 * CUT3, 0.02 * CUT3 / 8**0.5, 0.02 * CUT3 / 8**0.5, 1.0, CUT3 / D**0.5),
        "huggingface": (0.02, 0.02, 0.02, 0.02, 0.02),
    }.items(),
)
def test_llama(variant, expected):
    assert_stds(LLAMA, presets.llama(variant=variant), llama_table(*expected))


def test_llama_by_depth():
    row = stds(LLAMA, presets.llama(variant="olmo_core_depth"))
    for layer in range(4):
        expected = pytest.approx(0.02 * CUT3 / (2 * (layer + 1)) ** 0.5)
        for name in ("attention/wo", "feed_forward/w2", "feed_forward/w3"):
            assert row[f"layers_{layer}/{name}/kernel"] == expected
        assert row[f"layers_{layer}/feed_forward/w1/kernel"] == pytest.approx(0.02 * CUT3)


def test_llama_needs_its_head():
    params = {"h_0": {"attn": {"o": {"kernel": shape(8, 8)}}, "mlp": {"w2": {"w": shape(8, 8)}}}}
    with pytest.raises(jinit.RuleError, match=r"jinit.presets.llama\(head=...\) hits no leaf"):
        jinit.plan(params, presets.llama(2))
    assert len(jinit.plan(params, presets.llama(2, head=None))) == 2
    with pytest.raises(ValueError, match=r"`variant` .='megatrom'. .* did you mean 'megatron'"):
        presets.llama(variant="megatrom")


def test_olmo():
    table = {
        "*norm*/scale": 0.0,
        "tok_embeddings/embedding": CUT3 / D**0.5,
        "output/kernel": CUT3 / D**0.5,
        UP: CUT3 / D**0.5,
        **dict.fromkeys(INNER, CUT3 / D**0.5),
    }
    for layer in range(4):
        shrink = CUT3 / (2 * (layer + 1)) ** 0.5
        table[f"layers_{layer}/attention/wo/kernel"] = shrink / D**0.5
        table[f"layers_{layer}/feed_forward/w2/kernel"] = shrink / 80**0.5
    assert_stds(LLAMA, presets.olmo(), table)
    same = llama_table(*[0.02 * CUT3] * 5)
    assert_stds(LLAMA, presets.olmo("olmo2"), same)


def test_olmo_in_a_stack_has_one_std_a_layer():
    row = jinit.plan(gpt2_model(scan=True), presets.olmo())["h/attn/c_proj/kernel"]
    expected = [CUT3 / (2 * (layer + 1) * D) ** 0.5 for layer in range(L)]
    assert row.std.reshape(-1) == pytest.approx(expected)
    drawn = jinit.initialize(gpt2_model(scan=True), presets.olmo(), jax.random.key(0))
    measured = drawn["params"]["h"]["attn"]["c_proj"]["kernel"].std(axis=(1, 2))
    # 1,024 weights a layer: five standard errors of their std are 0.11 of it.
    assert measured == pytest.approx(expected, rel=0.11)


def test_neox():
    small = (2 / (5 * D)) ** 0.5
    table = llama_table(small, small, 2 / (4 * D**0.5), small, small)
    assert_stds(LLAMA, presets.neox(), table)
    assert_stds(LLAMA, presets.neox(8), {**table, **dict.fromkeys(OUTER, 2 / (8 * D**0.5))})


def test_bert():
    model = gpt2_model()
    table = {"*bias": 0.0, "*scale": 0.0, "*": 0.02 * CUT2}
    assert_stds(model, presets.bert(), table)
    assert_stds(model, presets.bert(variant="huggingface"), {**table, "*": 0.02})
    drawn = jinit.initialize(model, presets.bert(padding_idx=0), jax.random.key(0))
    rows = drawn["params"]["wte"]["embedding"]
    assert not rows[0].any()
    assert rows[1:].all()
    with pytest.raises(jinit.RuleError, match=r"jinit.presets.bert\(tokens=...\) hits no leaf"):
        jinit.plan({"fc": {"kernel": shape(2, 2)}}, presets.bert(padding_idx=0))


def t5_shapes(query):
    attention = {"query": {"kernel": query}, "out": {"kernel": shape(4, 16, 32)}}
    attention |= {name: {"kernel": shape(32, 64)} for name in ("key", "value")}
    return {
        "token_embedder": {"embedding": shape(50, 32)},
        "encoder": {
            "relpos_bias": {"rel_embedding": shape(4, 12)},
            "layers_0": {
                "attention": attention,
                "mlp": {"wi": {"kernel": shape(32, 96)}, "wo": {"kernel": shape(96, 32)}},
            },
        },
        "logits_dense": {"kernel": shape(32, 50)},
    }


LAYOUTS = {"**/out/kernel": "bthk,hkd->btd"}


@pytest.mark.parametrize("variant", ["t5x", "huggingface"])
def test_t5(variant):
    t5x = variant == "t5x"
    table = {
        "*embedder*": 1.0,
        "*rel_embedding": (2 / 16) ** 0.5 if t5x else 32**-0.5,
        "*query*": (32 * 16) ** -0.5,
        "*key*": 32**-0.5,
        "*value*": 32**-0.5,
        "*out/*": 64**-0.5,
        "*wi*": 32**-0.5,
        "*wo*": 96**-0.5,
        "logits*": 32**-0.5 if t5x else 1.0,
    }
    rules = presets.t5(variant=variant, head_dim=16, d_model=32)
    target = t5_shapes(shape(32, 64))
    assert_stds(target, rules, table, layouts=LAYOUTS)
    cut = {
        row.path: type(row.init.law(row.leaf.shape)).__name__
        for row in jinit.plan(target, rules, layouts=LAYOUTS)
    }
    assert cut["encoder/layers_0/mlp/wi/kernel"] == ("TruncatedNormal" if t5x else "Normal")
    assert cut["encoder/layers_0/attention/key/kernel"] == "Normal"


def test_t5_reads_the_size_of_a_head_off_the_query_or_asks():
    layouts = {"**/query/kernel": "btd,dhk->bthk", **LAYOUTS}
    row = stds(t5_shapes(shape(32, 4, 16)), presets.t5(), layouts=layouts)
    assert row["encoder/layers_0/attention/query/kernel"] == pytest.approx((32 * 16) ** -0.5)
    with pytest.raises(ValueError, match=r"size of a head.* give `head_dim`"):
        jinit.plan(t5_shapes(shape(32, 64)), presets.t5(), layouts=LAYOUTS)
    rules = presets.t5(variant="huggingface", head_dim=16)
    with pytest.raises(ValueError, match="width of the model; give `d_model`"):
        jinit.plan(t5_shapes(shape(32, 64)), rules, layouts=LAYOUTS)


def mamba_shapes(version):
    mixer = {
        "in_proj": {"kernel": shape(32, 128)},
        "conv1d": {"kernel": shape(4, 1, 64), "bias": shape(64)},
        "A_log": shape(64, 16) if version == 1 else shape(8),
        "D": shape(64) if version == 1 else shape(8),
        "out_proj": {"kernel": shape(64, 32)},
    }
    if version == 1:
        mixer["x_proj"] = {"kernel": shape(64, 34)}
        mixer["dt_proj"] = {"kernel": shape(2, 64), "bias": shape(64)}
    else:
        mixer["dt_bias"] = shape(8)
    return {
        "embedding": {"embedding": shape(50, 32)},
        "layers_0": {"mixer": mixer, "norm": {"scale": shape(32)}},
        "layers_1": {"mixer": mixer, "norm": {"scale": shape(32)}},
    }


@pytest.mark.parametrize("version", [1, 2])
def test_mamba(version):
    rules = presets.mamba(step_weight=None) if version == 2 else presets.mamba()
    plan = jinit.plan(mamba_shapes(version), rules, layouts={"**/conv1d/kernel": "HIO"})
    std = {row.path.removeprefix("layers_1/mixer/"): row.std for row in plan}
    assert std["in_proj/kernel"] == pytest.approx((3 * 32) ** -0.5)
    assert std["out_proj/kernel"] == pytest.approx((3 * 64 * 2) ** -0.5)
    assert std["conv1d/kernel"] == pytest.approx((3 * 4) ** -0.5)
    assert std["conv1d/bias"] == pytest.approx((3 * 4) ** -0.5)
    assert std["embedding/embedding"] == 0.02
    scheme = {row.path.removeprefix("layers_1/mixer/"): row.scheme for row in plan}
    assert scheme["D"] == jinit.ones()
    assert scheme["A_log"] == (jinit.mamba_a_log() if version == 1 else jinit.mamba2_a_log())
    steps = "dt_proj/bias" if version == 1 else "dt_bias"
    assert scheme[steps] == jinit.mamba_dt_bias()
    if version == 1:
        assert std["x_proj/kernel"] == pytest.approx((3 * 64) ** -0.5)
        assert std["dt_proj/kernel"] == pytest.approx((3 * 2) ** -0.5)


def test_mamba_names_what_it_misses():
    with pytest.raises(jinit.RuleError, match=r"jinit.presets.mamba\(step_weight=...\) hits"):
        jinit.plan(mamba_shapes(2), presets.mamba(), layouts={"**/conv1d/kernel": "HIO"})


@pytest.mark.parametrize(
    "rules",
    [
        presets.gpt2(12),
        presets.gpt2(),
        presets.llama(variant="olmo_core_depth"),
        presets.olmo(),
        presets.neox(),
        presets.t5(head_dim=64),
        presets.bert(padding_idx=0),
        presets.mamba(),
    ],
    ids=repr,
)
def test_json(rules):
    assert_json_round_trip(rules)
