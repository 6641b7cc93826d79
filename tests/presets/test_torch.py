"""Torch's defaults on layers of Flax, against what torch's own modules draw."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from presets.laws import assert_json_round_trip, assert_row, assert_same_law, by_path, stds

import jinit
from jinit import presets

torch = pytest.importorskip("torch")
KEY = jax.random.key(4)


def drawn_by_torch(module):
    return {name: p.detach().numpy() for name, p in module.named_parameters()}


def drawn(module, *inputs, **options):
    rules = presets.torch_default(**options)
    return by_path(jinit.initialize(jinit.with_inputs(module, *inputs), rules, KEY)["params"])


def planned(module, *inputs, **options):
    plan = jinit.plan(jinit.with_inputs(module, *inputs), presets.torch_default(**options))
    return {row.path: row for row in plan}


LAYERS = {
    "Linear": (torch.nn.Linear(60, 500), nn.Dense(500), (1, 60)),
    "Conv2d": (torch.nn.Conv2d(12, 200, 3), nn.Conv(200, (3, 3)), (1, 5, 5, 12)),
    "strided Conv2d": (
        torch.nn.Conv2d(12, 200, 3, stride=2),
        nn.Conv(200, (3, 3), (2, 2)),
        (1, 5, 5, 12),
    ),
    "grouped Conv2d": (
        torch.nn.Conv2d(12, 200, 3, groups=4),
        nn.Conv(200, (3, 3), feature_group_count=4),
        (1, 5, 5, 12),
    ),
    "depthwise Conv2d": (
        torch.nn.Conv2d(200, 200, 3, groups=200),
        nn.Conv(200, (3, 3), feature_group_count=200),
        (1, 5, 5, 200),
    ),
    "ConvTranspose2d": (
        torch.nn.ConvTranspose2d(12, 200, 4, stride=2),
        nn.ConvTranspose(200, (4, 4), (2, 2)),
        (1, 5, 5, 12),
    ),
}


@pytest.mark.parametrize(("theirs", "ours", "inputs"), LAYERS.values(), ids=LAYERS)
def test_layers(theirs, ours, inputs):
    torch.manual_seed(0)
    theirs.reset_parameters()
    weights, rows = drawn_by_torch(theirs), planned(ours, jnp.zeros(inputs))
    assert_row(rows["kernel"], weights["weight"])
    assert_row(rows["bias"], weights["bias"])


def test_a_layer_drawn():
    torch.manual_seed(5)
    weights, values = (
        drawn_by_torch(torch.nn.Linear(60, 500)),
        drawn(nn.Dense(500), jnp.zeros((1, 60))),
    )
    assert_same_law(values["kernel"], weights["weight"], "weight")
    assert_same_law(values["bias"], weights["bias"], "bias")


def test_embedding_and_its_padding():
    torch.manual_seed(1)
    theirs = drawn_by_torch(torch.nn.Embedding(300, 40, padding_idx=2))["weight"]
    tokens = jnp.zeros((1,), jnp.int32)
    ours = drawn(nn.Embed(300, 40), tokens, padding_idx=2)["embedding"]
    assert not ours[2].any()
    assert not theirs[2].any()
    rest = np.arange(300) != 2
    assert_same_law(ours[rest], theirs[rest])
    assert drawn(nn.Embed(300, 40), tokens)["embedding"][2].any()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (torch.nn.LSTM, nn.LSTMCell),
        (torch.nn.LSTM, nn.OptimizedLSTMCell),
        (torch.nn.GRU, nn.GRUCell),
    ],
)
def test_recurrent_cells(theirs, ours):
    torch.manual_seed(2)
    weights = np.concatenate([p.reshape(-1) for p in drawn_by_torch(theirs(20, 40)).values()])
    rows = planned(nn.RNN(ours(40)), jnp.zeros((1, 2, 20)))
    assert len(rows) >= 10
    for row in rows.values():
        size = row.leaf.size
        assert_row(row, weights[:size])


def test_fused_cells_ask_for_the_hidden_size():
    class Net(nnx.Module):
        def __init__(self):
            self.cell = nnx.OptimizedLSTMCell(20, 40, rngs=nnx.Rngs(0))

    net = nnx.eval_shape(Net)
    with pytest.raises(ValueError, match=r"dense_i/kernel .*hidden size; give `hidden_size`"):
        jinit.plan(net, presets.torch_default())
    row = stds(net, presets.torch_default(hidden_size=40))
    assert set(row) == {"cell/dense_i/kernel", "cell/dense_h/kernel", "cell/dense_h/bias"}
    assert list(row.values()) == pytest.approx([(3 * 40) ** -0.5] * 3)


def test_attention_as_one_matrix():
    torch.manual_seed(3)
    theirs = drawn_by_torch(torch.nn.MultiheadAttention(64, 4))
    module = nn.MultiHeadDotProductAttention(4)
    x = jnp.zeros((1, 2, 64))
    ours = planned(module, x, attention="**")
    packed = np.split(theirs["in_proj_weight"], 3)
    for name, part in zip(("query", "key", "value"), packed, strict=True):
        assert_row(ours[f"{name}/kernel"], part)
        assert ours[f"{name}/bias"].scheme == jinit.zeros()
    assert_row(ours["out/kernel"], theirs["out_proj.weight"])
    assert ours["out/bias"].scheme == jinit.zeros()
    alone = stds(jinit.with_inputs(module, x), presets.torch_default())
    assert alone["query/kernel"] == pytest.approx((3 * 64) ** -0.5)
    with pytest.raises(jinit.RuleError, match=r"jinit.presets.torch_default\(attention=...\) hits"):
        jinit.plan({"fc": {"kernel": x[0]}}, presets.torch_default(attention="**/attn/**"))


def test_norms_and_prelu():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.PReLU()(nn.BatchNorm(use_running_average=True)(nn.LayerNorm()(x)))

    ours = planned(Net(), jnp.zeros((1, 6)))
    assert_row(ours["PReLU_0/negative_slope"], drawn_by_torch(torch.nn.PReLU())["weight"])
    theirs = drawn_by_torch(torch.nn.LayerNorm(6))
    for norm in ("LayerNorm_0", "BatchNorm_0"):
        assert_row(ours[f"{norm}/scale"], theirs["weight"])
        assert_row(ours[f"{norm}/bias"], theirs["bias"])


def test_lora_is_that_of_peft():
    row = stds(
        nnx.eval_shape(lambda: nnx.LoRA(60, 8, 50, rngs=nnx.Rngs(0))), presets.torch_default()
    )
    assert row == pytest.approx({"lora_a": (3 * 60) ** -0.5, "lora_b": 0.0})


def test_a_bias_without_a_kernel_is_zero():
    shapes = {"head": {"bias": jax.ShapeDtypeStruct((4,), jnp.float32)}}
    assert stds(shapes, presets.torch_default()) == {"head/bias": 0.0}


def test_stds_are_exact():
    row = stds(jinit.with_inputs(nn.Dense(10), jnp.zeros((1, 300))), presets.torch_default())
    assert row == pytest.approx({"kernel": 1 / math.sqrt(900), "bias": 1 / math.sqrt(900)})


@pytest.mark.parametrize("options", [{"padding_idx": -1}, {"hidden_size": 0}])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match="must be at least"):
        presets.torch_default(**options)


def test_json():
    assert_json_round_trip(presets.torch_default(padding_idx=0, attention="**/attn/**"))
