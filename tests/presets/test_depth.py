"""Depth rules: residual branches over the depth, DeepNorm, and gains at the end of branches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from presets.language import GPT2, TOKENS
from presets.laws import assert_json_round_trip, stds

import jinit
from jinit import presets

KEY = jax.random.key(8)


def shape(*extents):
    return jax.ShapeDtypeStruct(extents, jnp.float32)


def gpt2(**options):
    return jinit.with_inputs(GPT2(**options), TOKENS)


# depth_scaled.


@pytest.mark.parametrize("scan", [False, True])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [6**-0.5] * 3),
        ({"n_layer": 50}, [0.1] * 3),
        ({"branches": 1}, [3**-0.5] * 3),
        ({"per_layer": True}, [2**-0.5, 4**-0.5, 6**-0.5]),
    ],
    ids=str,
)
def test_depth_scaled(scan, options, expected):
    rules = presets.depth_scaled(presets.torch_default(), **options)
    plain, scaled = (stds(gpt2(scan=scan), r) for r in (presets.torch_default(), rules))
    for path, std in plain.items():
        if path.endswith("c_proj/kernel"):
            layers = range(3) if scan else [int(path.split("/")[0].removeprefix("h_"))]
            found = np.broadcast_to(np.reshape(scaled[path], -1), len(layers))
            np.testing.assert_allclose(found, [std * expected[i] for i in layers], rtol=1e-6)
        else:
            assert scaled[path] == std


def test_depth_scaled_takes_one_scheme_and_only_what_is_named():
    params = {f"b{i}": {"down": {"w": shape(8, 8)}, "up": {"w": shape(8, 8)}} for i in range(2)}
    rules = presets.depth_scaled(jinit.normal(0.02), residual="**/down/**")
    assert stds(params, rules) == pytest.approx(
        {"b0/down/w": 0.01, "b0/up/w": 0.02, "b1/down/w": 0.01, "b1/up/w": 0.02}
    )
    assert_json_round_trip(rules)


def test_depth_scaled_keeps_the_stream_s_variance():
    for depth in (4, 64):
        params = {f"h_{i}": {"out": {"kernel": shape(128, 128)}} for i in range(depth)}
        rules = presets.depth_scaled(jinit.lecun_normal(), branches=1, residual="**/out/**")
        drawn = jinit.initialize(params, rules, KEY)
        x = jax.random.normal(KEY, (256, 128))
        start = jnp.var(x)
        for layer in drawn.values():
            x = x + (x / jnp.std(x)) @ layer["out"]["kernel"]
        assert jnp.var(x) / start < 2.3


def test_depth_scaled_refuses_to_miss():
    params = {"h_0": {"attn": {"o": {"kernel": shape(8, 8)}}}}
    with pytest.raises(jinit.RuleError, match=r"MLP_OUT of jinit.presets.depth_scaled\(residual="):
        jinit.plan(params, presets.depth_scaled(jinit.lecun_normal()))
    kept = presets.depth_scaled({"**": jinit.keep}, residual="**/o/**")
    with pytest.raises(ValueError, match="is kept by the rules that are to be scaled"):
        jinit.plan(params, kept)
    uncovered = presets.depth_scaled(jinit.Rules({"a": jinit.zeros}, optional=True), residual="**")
    with pytest.raises(ValueError, match="no rule of those given hits h_0/attn/o/kernel"):
        jinit.plan(params, uncovered)
    flat = {"attn": {"o": {"kernel": shape(8, 8)}}}
    rules = presets.depth_scaled(jinit.lecun_normal(), per_layer=True, residual="**/o/**")
    with pytest.raises(ValueError, match=r"in no numbered block .*; leave out `per_layer`"):
        jinit.plan(flat, rules)


# DeepNorm.


def transformer(name="h", depth=2, fused=False, cross=False):
    dense = lambda n, m: {"kernel": shape(n, m), "bias": shape(m)}  # noqa: E731
    attention = {"out": dense(32, 32)}
    if fused:
        attention["qkv"] = dense(32, 96)
    else:
        attention |= {word: dense(32, 32) for word in ("query", "key", "value")}
    mlp = {"up": dense(32, 128), "down": dense(128, 32)}
    block = {"attn": attention, "mlp": mlp, "norm": {"scale": shape(32), "bias": shape(32)}}
    if cross:
        block["cross_attn"] = attention
    return {f"{name}_{i}": block for i in range(depth)}


def test_deepnorm():
    deep = presets.deepnorm(n_layer=50)
    assert deep.encoder is None
    assert deep.alpha == deep.decoder.alpha == pytest.approx(100**0.25)
    assert deep.decoder.beta == pytest.approx(400**-0.25)
    params = {"wte": {"embedding": shape(50, 32)}, **transformer()}
    row = stds(params, deep.rules)
    square, wide, beta = (2 / 64) ** 0.5, (2 / 160) ** 0.5, 400**-0.25
    for name in ("query", "key"):
        assert row[f"h_0/attn/{name}/kernel"] == pytest.approx(square)
    for name in ("value", "out"):
        assert row[f"h_1/attn/{name}/kernel"] == pytest.approx(beta * square)
    for name in ("up", "down"):
        assert row[f"h_1/mlp/{name}/kernel"] == pytest.approx(beta * wide)
    assert row["wte/embedding"] == pytest.approx(32**-0.5)
    assert not any(std for path, std in row.items() if path.endswith(("bias", "scale")))


def test_deepnorm_of_a_fused_kernel_shrinks_the_values_alone():
    rules = presets.deepnorm(n_layer=50).rules
    drawn = jinit.initialize(transformer(depth=1, fused=True), rules, KEY)
    parts = np.split(np.asarray(drawn["h_0"]["attn"]["qkv"]["kernel"]), 3, axis=1)
    expected = (2 / 64) ** 0.5 * np.array([1.0, 1.0, 400**-0.25])
    # 1,024 weights: five standard errors of their std are 0.11 of it.
    np.testing.assert_allclose([part.std() for part in parts], expected, rtol=0.11)
    grouped = {"h_0": {"attn": {"qkv": {"kernel": shape(32, 64)}}}}
    only = jinit.Rules(rules[:1])
    with pytest.raises(ValueError, match="not as three square matrices side by side"):
        jinit.plan(grouped, only)


def test_deepnorm_of_two_stacks():
    two = presets.deepnorm(encoder_layers=18, decoder_layers=6)
    assert two.encoder == pytest.approx(
        (0.81 * (18**4 * 6) ** (1 / 16), 0.87 * (18**4 * 6) ** (-1 / 16))
    )
    assert two.decoder == pytest.approx((18**0.25, 72**-0.25))
    with pytest.raises(ValueError, match=r"there are two stacks; use `encoder\.alpha`"):
        _ = two.alpha
    params = {"encoder": transformer(), "decoder": transformer(cross=True)}
    row = stds(params, two.rules)
    square = (2 / 64) ** 0.5
    for stack, part in (("encoder", "attn"), ("decoder", "attn"), ("decoder", "cross_attn")):
        beta = getattr(two, stack).beta
        assert row[f"{stack}/h_0/{part}/value/kernel"] == pytest.approx(beta * square)
        assert row[f"{stack}/h_0/{part}/query/kernel"] == pytest.approx(square)


def test_deepnorm_s_numbers_follow_from_one_condition():
    """Sums of squared gains over the shortcuts' are 1, and alpha * beta is 1 / sqrt(2)."""
    one = presets.deepnorm(n_layer=37).decoder
    two = presets.deepnorm(encoder_layers=37, decoder_layers=11)
    assert 2 * 37 * 2 * (one.beta / one.alpha) ** 2 == pytest.approx(1)
    assert 3 * 11 * 2 * (two.decoder.beta / two.decoder.alpha) ** 2 == pytest.approx(1)
    # The encoder's change reaches the output through one cross-attention a decoder layer.
    through = 11 * two.decoder.beta**2 / two.decoder.alpha
    inner = 2 * 37 * 2 * (two.encoder.beta / two.encoder.alpha) ** 2
    assert through * inner == pytest.approx(1, rel=0.02)  # the paper rounds to two digits
    for stack in (one, two.encoder, two.decoder):
        assert stack.alpha * stack.beta == pytest.approx(0.5**0.5, rel=0.01)


@pytest.mark.slow
def test_deepnorm_bounds_the_update_at_any_depth():
    def update(depth):
        deep = presets.deepnorm(n_layer=depth)
        mlp = {"up": {"kernel": shape(32, 64)}, "down": {"kernel": shape(64, 32)}}
        params = {f"h_{i:02}": {"mlp": mlp} for i in range(depth)}
        rules = jinit.Rules([rule for rule in deep.rules if "mlp=" in (rule.source or "")])
        params = jinit.initialize(params, rules, KEY)
        stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params.values())
        x = jax.random.normal(KEY, (64, 32))

        def forward(stack):
            def block(h, layer):
                y = jax.nn.relu(h @ layer["mlp"]["up"]["kernel"]) @ layer["mlp"]["down"]["kernel"]
                h = deep.alpha * h + y
                return h / jnp.sqrt(jnp.mean(h**2, axis=-1, keepdims=True)), None

            return jax.lax.scan(block, x, stack)[0]

        @jax.jit
        def change(stack):
            grads = jax.grad(lambda s: jnp.mean(forward(s)[:, 0]))(stack)
            moved = jax.tree.map(lambda p, g: p - 0.1 * g, stack, grads)
            return jnp.sqrt(jnp.mean((forward(moved) - forward(stack)) ** 2))

        return float(change(stack))

    shallow, deep = update(4), update(64)
    assert 0 < deep < 2 * shallow


@pytest.mark.parametrize(
    "options",
    [{}, {"n_layer": 4, "decoder_layers": 4}, {"encoder_layers": 4}, {"decoder_layers": 4}],
    ids=str,
)
def test_deepnorm_needs_one_model(options):
    with pytest.raises(ValueError, match="give the one or the other two"):
        presets.deepnorm(**options)


def test_deepnorm_names_what_it_misses():
    with pytest.raises(jinit.RuleError) as caught:
        jinit.plan({"fc": {"kernel": shape(4, 4)}}, presets.deepnorm(n_layer=2).rules)
    for option in ("value", "attention_out", "mlp"):
        assert f"jinit.presets.deepnorm({option}=...) hits no leaf" in str(caught.value)


# Gains.

GAINS = {
    presets.skipinit: ({"block_0": {"skip_gain": shape()}}, 0.0),
    presets.rezero: ({"layer_0": {"resweight": shape(1)}}, 0.0),
    presets.layerscale: (
        {"block_0": {"ls1": {"gamma": shape(8)}, "ls2": {"gamma": shape(8)}}},
        1e-5,
    ),
}


@pytest.mark.parametrize("preset", GAINS, ids=lambda preset: preset.__name__)
def test_gains(preset):
    params, value = GAINS[preset]
    params = {**params, "fc": {"kernel": shape(4, 4)}}
    for rules in (preset(presets.flax_default()), preset() | presets.flax_default()):
        plan = jinit.plan(params, rules)
        assert plan["fc/kernel"].std == pytest.approx(0.5)
        rest = {row.scheme for row in plan if row.path != "fc/kernel"}
        assert rest == {jinit.constant(value)}
        assert_json_round_trip(rules)
    with pytest.raises(jinit.RuleError, match=rf"{preset.__name__}\(gain=...\) hits no leaf"):
        jinit.plan({"fc": {"kernel": shape(4, 4)}}, preset(presets.flax_default()))
    with pytest.raises(ValueError, match=r"`value` \(=-1\) must be >= 0"):
        preset(value=-1)


def test_json():
    assert_json_round_trip(presets.deepnorm(n_layer=4).rules)
    assert_json_round_trip(presets.deepnorm(encoder_layers=4, decoder_layers=2).rules)
