"""Flax's defaults, against what its own layers draw."""

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn
from flax import nnx
from presets.laws import assert_json_round_trip, assert_row, assert_stds, by_path, stds

import jinit
from jinit import presets

KEY = jax.random.key(2)


class Everything(nn.Module):
    """Every layer whose fans Flax reads as jinit does, large enough to tell laws apart."""

    @nn.compact
    def __call__(self, tokens, images):
        x = nn.Embed(100, 40)(tokens)
        for cell in (nn.LSTMCell, nn.OptimizedLSTMCell, nn.GRUCell, nn.MGUCell, nn.SimpleCell):
            x = nn.RNN(cell(24))(x)
        x = nn.MultiHeadDotProductAttention(4)(x, x)
        x = nn.DenseGeneral((4, 30))(nn.LayerNorm()(x))
        x = nn.DenseGeneral(20, axis=(-2, -1))(nn.PReLU()(x))
        y = nn.Conv(24, (3, 3), (2, 2))(images)
        y = nn.Conv(24, (3, 3), feature_group_count=4)(y)
        y = nn.ConvTranspose(16, (4, 4), (2, 2))(nn.GroupNorm(4)(y))
        return x, nn.BatchNorm(use_running_average=True)(y)


INPUTS = jnp.zeros((1, 3), jnp.int32), jnp.zeros((1, 8, 8, 12))
TARGET = jinit.with_inputs(Everything(), *INPUTS)


def test_stds():
    table = {
        "Embed_0/embedding": 40**-0.5,
        "LSTMCell_0/i*/kernel": 40**-0.5,
        "*Cell_0/i*/kernel": 24**-0.5,
        "*Cell_0/h*/kernel": 24**-0.5,
        "Multi*/kernel": 24**-0.5,
        "DenseGeneral_0/kernel": 24**-0.5,
        "DenseGeneral_1/kernel": 120**-0.5,
        "Conv_0/kernel": (9 * 12) ** -0.5,
        "Conv_1/kernel": (9 * 6) ** -0.5,
        "ConvTranspose_0/kernel": (16 * 24) ** -0.5,
        "*": 0.0,
    }
    assert_stds(TARGET, presets.flax_default(), table)
    plan = jinit.plan(TARGET, presets.flax_default())
    assert plan["PReLU_0/negative_slope"].scheme == jinit.constant(0.01)
    assert plan["MGUCell_0/if/bias"].scheme == jinit.ones()
    assert plan["LSTMCell_0/hf/bias"].scheme == jinit.zeros()
    assert plan["LayerNorm_0/scale"].scheme == plan["BatchNorm_0/scale"].scheme == jinit.ones()


@pytest.mark.slow
def test_linen():
    theirs = by_path(jax.jit(Everything().init)(KEY, *INPUTS)["params"])
    plan = jinit.plan(TARGET, presets.flax_default())
    assert {row.path for row in plan} == theirs.keys()
    for row in plan:
        assert_row(row, theirs[row.path])


def test_linen_recurrent_kernels_are_orthogonal():
    plan = jinit.plan(TARGET, presets.flax_default())
    inner = [row for row in plan if "Cell_0/h" in row.path and row.path.endswith("kernel")]
    assert len(inner) == 4 + 4 + 3 + 2 + 1
    assert {row.scheme for row in inner} == {jinit.orthogonal()}


def test_fans_are_those_of_the_connections():
    class Misread(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Einsum((5, 16, 8), "nbi,nio->nbo")(x)
            x = nn.DenseGeneral(6, batch_dims=(0,), name="batched")(x)
            return nn.ConvTranspose(9, (3,), transpose_kernel=True)(x)

    row = stds(jinit.with_inputs(Misread(), jnp.zeros((5, 3, 16))), presets.flax_default())
    assert row["Einsum_0/kernel"] == pytest.approx(16**-0.5)
    assert row["batched/kernel"] == pytest.approx(8**-0.5)
    assert row["ConvTranspose_0/kernel"] == pytest.approx((3 * 6) ** -0.5)


class Both(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(100, 40, rngs=rngs)
        self.conv = nnx.Conv(12, 24, (3, 3), rngs=rngs)
        self.linear = nnx.LinearGeneral((4, 10), (5, 6), axis=(-2, -1), rngs=rngs)
        self.lora = nnx.LoRA(60, 8, 50, rngs=rngs)
        self.lstm = nnx.OptimizedLSTMCell(20, 24, rngs=rngs)
        self.norm = nnx.LayerNorm(24, rngs=rngs)


@pytest.mark.slow
def test_nnx():
    model = Both(nnx.Rngs(3))
    theirs = by_path(nnx.to_pure_dict(nnx.state(model, (nnx.Param, nnx.LoRAParam))))
    plan = jinit.plan(model, presets.flax_default())
    assert {row.path for row in plan} == theirs.keys()
    for row in plan:
        assert_row(row, theirs[row.path])


def test_what_no_layer_owns_is_an_error():
    shapes = {"cls": jax.ShapeDtypeStruct((1, 1, 8), jnp.float32)}
    with pytest.raises(jinit.RuleError, match="no rule hits cls float32"):
        jinit.plan(shapes, presets.flax_default())
    assert len(jinit.plan(shapes, presets.flax_default() | {"cls": jinit.zeros})) == 1


def test_json():
    assert_json_round_trip(presets.flax_default())
