"""Image model presets: every leaf's std, against tables written from the sources."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from presets.images import IMAGES, DiT, FixupNet, Mixer, ResNet, ViT
from presets.laws import CUT2, assert_json_round_trip, assert_stds, stds

import jinit
from jinit import presets

KEY = jax.random.key(5)
D, MLP, PATCH = 32, 128, 4 * 4 * 3


def model(module, *inputs):
    return jinit.with_inputs(module, *(inputs or (IMAGES,)))


def shape(*extents):
    return jax.ShapeDtypeStruct(extents, jnp.float32)


def glorot(fan_in, fan_out):
    return (2 / (fan_in + fan_out)) ** 0.5


def test_vit_jax():
    table = {
        "*norm*": 0.0,
        "*LayerNorm*": 0.0,
        "embedding/kernel": PATCH**-0.5,
        "cls": 0.0,
        "pos_embedding": 0.02,
        "*Attention_0/*/kernel": glorot(D, D),
        "*MlpBlock_0/*/kernel": glorot(D, MLP),
        "*MlpBlock_0/*/bias": 1e-6,
        "pre_logits/kernel": D**-0.5,
        "head/*": 0.0,
        "*bias": 0.0,
    }
    assert_stds(model(ViT()), presets.vit(), table)
    rules = presets.vit(head_bias=-2.0)
    assert jinit.plan(model(ViT()), rules)["head/bias"].scheme == jinit.constant(-2.0)


def test_vit_timm():
    bound = (3 * PATCH) ** -0.5
    table = {
        "*norm*": 0.0,
        "*LayerNorm*": 0.0,
        "embedding/kernel": bound,
        "embedding/bias": bound,
        "cls": 1e-6,
        "pos_embedding": 0.02,
        "*bias": 0.0,
        "*kernel": 0.02,
    }
    assert_stds(model(ViT(fused=True)), presets.vit("timm"), table)


def test_vit_moco():
    table = {
        "*norm*": 0.0,
        "*LayerNorm*": 0.0,
        "embedding/kernel": glorot(PATCH, D),
        "cls": 1e-6,
        "pos_embedding": 0.02,
        "*bias": 0.0,
        "*qkv/kernel": glorot(D, D),
        "*attn/proj/kernel": glorot(D, D),
        "*MlpBlock_0/*/kernel": glorot(D, MLP),
        "pre_logits/kernel": glorot(D, 24),
        "head/kernel": glorot(24, 10),
    }
    assert_stds(model(ViT(fused=True)), presets.vit("moco"), table)


def test_vit_names_what_it_misses():
    with pytest.raises(jinit.RuleError, match=r"jinit.presets.vit\(head=...\) hits no leaf"):
        jinit.plan({"fc1": {"kernel": shape(4, 4)}}, presets.vit())
    with pytest.raises(jinit.RuleError, match="no rule hits tokens float32"):
        jinit.plan({"tokens": shape(1, 1, 4)}, presets.vit(head=None))
    assert len(jinit.plan({"fc1": {"kernel": shape(4, 4)}}, presets.vit(head=None))) == 1


def test_mixer():
    table = {
        "*orm*": 0.0,
        "stem/kernel": 12**-0.5,
        "*/kernel16": 16**-0.5,
        "*/kernel12": 12**-0.5,
        "*/Dense_0/kernel": D**-0.5,
        "*/Dense_1/kernel": 48**-0.5,
        "head/kernel": 0.0,
        "*bias*": 0.0,
    }
    assert_stds(model(Mixer()), presets.mlp_mixer(), table)


RESNET = {
    "conv1/kernel": (2 / 72) ** 0.5,
    "layer1*/conv1/kernel": (2 / 8) ** 0.5,
    "layer1*/conv2/kernel": (2 / 72) ** 0.5,
    "layer1*/*conv*/kernel": (2 / 32) ** 0.5,
    "layer2*/conv1/kernel": (2 / 16) ** 0.5,
    "layer2*/conv2/kernel": (2 / 144) ** 0.5,
    "layer2*/*conv*/kernel": (2 / 64) ** 0.5,
    "fc/*": (3 * 64) ** -0.5,
    "*bn*": 0.0,
}


def test_resnet():
    assert_stds(model(ResNet()), presets.resnet(), RESNET)


@pytest.mark.parametrize(("block", "last"), [("bottleneck", "bn3"), ("basic", "bn2")])
def test_resnet_with_zeroed_residual_branches(block, last):
    target = model(ResNet(bottleneck=block == "bottleneck"))
    plan = jinit.plan(target, presets.resnet(zero_init_residual=True, block=block))
    scales = {row.path: row.scheme for row in plan if row.path.endswith("scale")}
    zeroed = {path for path, scheme in scales.items() if scheme == jinit.zeros()}
    assert zeroed == {f"layer{s}_block{i}/{last}/scale" for s in (1, 2) for i in (0, 1)}
    assert {scheme for path, scheme in scales.items() if path not in zeroed} == {jinit.ones()}


def test_resnet_blocks_are_not_taken_for_others():
    rules = presets.resnet(zero_init_residual=True, block="basic")
    with pytest.raises(ValueError, match="last norm of a bottleneck block, and `block` is 'basic'"):
        jinit.plan(model(ResNet()), rules)
    rules = presets.resnet(zero_init_residual=True)
    with pytest.raises(
        jinit.RuleError, match=r"jinit.presets.resnet\(last_norm=...\) hits no leaf"
    ):
        jinit.plan(model(ResNet(bottleneck=False)), rules)
    rules = presets.resnet(zero_init_residual=True, last_norm="**/bn2/scale")
    plan = jinit.plan(model(ResNet()), rules)
    assert plan["layer1_block0/bn2/scale"].scheme == jinit.zeros()


def test_fixup():
    table = {
        "conv1/kernel": (2 / 72) ** 0.5,
        "block_*/conv1/kernel": (2 / 72) ** 0.5 * 4**-0.5,
        "block_*/conv2/kernel": 0.0,
        "*bias*": 0.0,
        "*scale": 0.0,
        "fc/kernel": 0.0,
    }
    assert_stds(model(FixupNet()), presets.fixup(), table)
    wide = stds(model(FixupNet()), presets.fixup(n_block=16))
    assert wide["block_0/conv1/kernel"] == pytest.approx((2 / 72) ** 0.5 / 4)


def test_fixup_of_bottlenecks_takes_the_fourth_root():
    conv = lambda *extents: {"kernel": shape(*extents)}  # noqa: E731
    block = {"conv1": conv(8, 4), "conv2": conv(4, 4), "conv3": conv(4, 8), "scale": shape()}
    params = {f"block_{i}": dict(block) for i in range(16)}
    params["block_0"]["shortcut"] = conv(8, 8)
    row = stds(params, presets.fixup(block="bottleneck", head=None))
    assert row["block_3/conv2/kernel"] == pytest.approx((2 / 4) ** 0.5 / 2)
    assert row["block_3/conv3/kernel"] == 0
    assert row["block_0/shortcut/kernel"] == pytest.approx((2 / 8) ** 0.5)


def test_fixup_starts_at_zero_logits():
    net = FixupNet(1)
    params = jinit.initialize(model(net), presets.fixup(), KEY)
    logits = jax.jit(net.apply)(params, jax.random.normal(KEY, (2, 4, 4, 3)))
    assert not logits.any()


@pytest.mark.slow
def test_fixup_moves_alike_at_any_depth():
    images = jax.random.normal(KEY, (4, 4, 4, 3))
    moves = []
    for depth in (2, 32):
        net = FixupNet(depth)
        start = jinit.initialize(model(net), presets.fixup(), KEY)

        @jax.jit
        def step(params, net=net):
            loss = lambda p: -jax.nn.log_softmax(net.apply(p, images))[:, 0].mean()  # noqa: E731
            value, grads = jax.value_and_grad(loss)(params)
            moved = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
            return value, net.apply(moved, images)

        value, moved = step(start)
        assert value == pytest.approx(np.log(10), rel=1e-5)
        moves.append(float(jnp.abs(moved).mean()))
    assert moves[0] > 0
    assert moves[1] == pytest.approx(moves[0], rel=0.5)


def dit_model(depth=2):
    return model(DiT(depth=depth), IMAGES, jnp.zeros((1, 16)), jnp.zeros((1,), jnp.int32))


def test_dit():
    table = {
        "*adaLN_modulation/*": 0.0,
        "final_layer/linear/*": 0.0,
        "*bias": 0.0,
        "t_embedder/*/kernel": 0.02,
        "y_embedder/embedding": 0.02,
        "x_embedder/kernel": glorot(12, D),
        "*/attn/*/kernel": glorot(D, D),
        "*/mlp/*/kernel": glorot(D, MLP),
    }
    assert_stds(dit_model(), presets.dit(), table)


def test_dit_starts_as_the_identity():
    params = jinit.initialize(dit_model(1), presets.dit(), KEY)
    inputs = jax.random.normal(KEY, (2, 4, 4, 3)), jnp.ones((2, 16)), jnp.array([1, 2])
    before, after, output = jax.jit(DiT().apply)(params, *inputs)
    assert before.any()
    np.testing.assert_array_equal(before, after)
    assert not output.any()


def test_dit_names_what_it_misses():
    with pytest.raises(jinit.RuleError) as caught:
        jinit.plan({"fc": {"kernel": shape(4, 4)}}, presets.dit())
    for option in ("modulation", "final", "conditioning"):
        assert f"jinit.presets.dit({option}=...) hits no leaf" in str(caught.value)


def test_cut_and_uncut_laws_of_images():
    plan = jinit.plan(model(ViT()), presets.vit())
    law = plan["embedding/kernel"].init.law((4, 4, 3, D))
    assert float(law.stddev) == pytest.approx(PATCH**-0.5 / CUT2)
    plan = jinit.plan(model(ResNet()), presets.resnet())
    assert type(plan["conv1/kernel"].init.law((3, 3, 3, 8))).__name__ == "Normal"


@pytest.mark.parametrize(
    "rules",
    [
        *(presets.vit(variant) for variant in ("jax", "timm", "moco")),
        presets.mlp_mixer(),
        presets.resnet(zero_init_residual=True, block="basic"),
        presets.fixup(n_block=4),
        presets.dit(),
    ],
)
def test_json(rules):
    assert_json_round_trip(rules)
