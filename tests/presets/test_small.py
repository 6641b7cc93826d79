"""LoRA, PPO, and the words by which presets find leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from presets.laws import assert_json_round_trip, stds

import jinit
from jinit import presets
from jinit.presets import names

KEY = jax.random.key(9)


def shape(*extents):
    return jax.ShapeDtypeStruct(extents, jnp.float32)


# LoRA.


@pytest.mark.parametrize(
    ("variant", "std"),
    [("peft", (3 * 60) ** -0.5), ("flax", (2 / 60) ** 0.5), ("gaussian", 1 / 8)],
)
def test_lora(variant, std):
    model = nnx.eval_shape(lambda: nnx.LoRA(60, 8, 50, rngs=nnx.Rngs(0)))
    assert stds(model, presets.lora(variant)) == pytest.approx({"lora_a": std, "lora_b": 0.0})


def test_lora_s_product_is_zero():
    model = nnx.eval_shape(lambda: nnx.LoRA(60, 8, 50, rngs=nnx.Rngs(0)))
    drawn = jinit.initialize(model, presets.lora(), KEY)
    assert drawn.lora_a[...].any()
    assert not drawn(jnp.ones((2, 60))).any()


def test_lora_keeps_the_base():
    base = jnp.arange(6.0).reshape(2, 3)
    params = {"kernel": base, "kernel_lora_a": jnp.zeros((2, 1)), "kernel_lora_b": jnp.ones((1, 3))}
    drawn = jinit.initialize(params, presets.lora(), KEY)
    np.testing.assert_array_equal(drawn["kernel"], base)
    assert drawn["kernel_lora_a"].any()
    assert not drawn["kernel_lora_b"].any()
    both = presets.lora() | presets.flax_default()
    assert stds({**params, "kernel": shape(2, 3)}, both)["kernel"] == pytest.approx(0.5**0.5)
    with pytest.raises(jinit.RuleError) as caught:
        jinit.plan({"kernel": base}, presets.lora())
    for option in ("a", "b"):
        assert f"jinit.presets.lora({option}=...) hits no leaf" in str(caught.value)


# PPO.


def test_ppo():
    dense = lambda n, m: {"kernel": shape(n, m), "bias": shape(m)}  # noqa: E731
    params = {"Dense_0": dense(64, 64), "actor_head": dense(64, 4), "critic_head": dense(64, 1)}
    params["log_std"] = shape(4)
    row = stds(params, presets.ppo())
    assert row["Dense_0/kernel"] == pytest.approx(2**0.5 / 8)
    assert row["actor_head/kernel"] == pytest.approx(0.01 / 8)
    assert row["critic_head/kernel"] == pytest.approx(1 / 8)
    assert not any(std for path, std in row.items() if not path.endswith("kernel"))
    plan = jinit.plan(params, presets.ppo())
    assert plan["actor_head/kernel"].scheme == jinit.orthogonal(0.01)
    assert plan["Dense_0/kernel"].scheme == jinit.orthogonal(2**0.5)
    # PureJaxRL's own names say nothing: they are to be given.
    plain = {f"Dense_{i}": dense(64, 64) for i in range(6)}
    with pytest.raises(jinit.RuleError, match=r"jinit.presets.ppo\(policy=...\) hits no leaf"):
        jinit.plan(plain, presets.ppo())
    named = presets.ppo(policy="Dense_2/**", value="Dense_5/**")
    assert stds(plain, named)["Dense_2/kernel"] == pytest.approx(0.01 / 8)


@pytest.mark.parametrize(
    "rules", [*(presets.lora(v) for v in ("peft", "flax", "gaussian")), presets.ppo()]
)
def test_json(rules):
    assert_json_round_trip(rules)


# Words.

FOUND = {
    "ATTENTION_OUT": [
        "h/0/attn/c_proj/kernel",  # Hugging Face, nanoGPT
        "layers_0/self_attention/out/kernel",  # MaxText, T5X
        "MultiHeadDotProductAttention_0/out/kernel",  # Linen
        "blocks/3/attn/out/kernel",  # NNX
        "model/layers/0/self_attn/o_proj/kernel",  # Llama
        "layers/0/attention/wo/kernel",  # Llama, Meta's
        "transformer/blocks/0/attn_out/kernel",  # OLMo
        "blocks/0/attention/w_out/kernel",  # OLMo-core
        "layers/0/attention/dense/kernel",  # GPT-NeoX
        "blocks/0/attn/proj/kernel",  # timm
        "h_0/attn/wo",  # a bare array
    ],
    "MLP_OUT": [
        "h/0/mlp/c_proj/kernel",
        "layers_0/mlp/wo/kernel",
        "model/layers/0/mlp/down_proj/kernel",
        "layers/0/feed_forward/w2/kernel",
        "transformer/blocks/0/ff_out/kernel",
        "layers/0/mlp/dense_4h_to_h/kernel",
        "blocks/0/mlp/fc2/kernel",
        "decoder/layers_0/fc2/kernel",  # fairseq
        "layers_0/experts/down/kernel",
    ],
    "QUERY": ["attn/query/kernel", "self_attn/q_proj/kernel", "SelfAttention/q/kernel", "a/wq"],
    "VALUE": ["attn/value/kernel", "self_attn/v_proj/kernel", "SelfAttention/v/kernel", "a/wv"],
    "FUSED_QKV": ["attn/qkv/kernel", "attn/c_attn/kernel", "attention/query_key_value/kernel"],
    "POSITIONS": ["wpe/embedding", "pos_embedding", "Transformer/posembed_input/pos_embedding"],
    "HEAD": ["lm_head/kernel", "head/kernel", "output/kernel", "model/fc/kernel", "logits/kernel"],
}
NOT_FOUND = {
    "ATTENTION_OUT": [
        "h/0/attn/c_attn/kernel",
        "h/0/attn/c_proj/bias",
        "h/0/mlp/c_proj/kernel",
        "attention/query/kernel",
        "output/kernel",
    ],
    "MLP_OUT": [
        "h/0/mlp/c_fc/kernel",
        "h/0/attn/c_proj/kernel",
        "layers/0/feed_forward/w1/kernel",
        "transformer/ff_out/kernel",  # OLMo's head
        "h/0/mlp/c_proj/bias",
    ],
    "QUERY": ["attn/key/kernel", "attn/q_norm/scale", "attn/query/bias"],
    "HEAD": ["layer/0/attention/output/dense/kernel", "head/bias", "MlpBlock_0/fc/kernel"],
}


@pytest.mark.parametrize(("word", "path"), [(w, p) for w in FOUND for p in FOUND[w]])
def test_words_find(word, path):
    assert _selects(word, path)


@pytest.mark.parametrize(("word", "path"), [(w, p) for w in NOT_FOUND for p in NOT_FOUND[w]])
def test_words_do_not_find(word, path):
    assert not _selects(word, path)


def _selects(word, path):
    tree = shape(8, 8) if not path.endswith(("bias", "scale")) else shape(8)
    for name in reversed(path.split("/")):
        tree = {name: tree}
    (row,) = jinit.plan(tree, jinit.zeros)
    return getattr(names, word)(row.leaf)


def test_words_are_values_that_print_by_name():
    assert repr(names.QUERY) == "jinit.presets.names.QUERY"
    config = names.QUERY.to_config()
    again = jinit.model.selectors.selector_from_config(config)
    assert again == names.QUERY
    assert again == names.QUERY
    assert hash(again) == hash(names.QUERY)
    assert names.QUERY != names.KEY
    assert names.QUERY != "query"
    with pytest.raises(ValueError, match="give at least one pattern"):
        names.any_of([])
