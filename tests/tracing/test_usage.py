"""What a usage tells: ties, parts, reparametrized weights; printing; and plans made with it."""

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tracing.flax_models import Language
from trees_of_models import shape

import jinit
from jinit.fans import Fans
from jinit.tracing.tracer import trace

X = shape(2, 4)
TOKENS = shape(2, 12, dtype="int32")


def _language(scanned=False):
    model = Language(scanned=scanned)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        variables = jax.eval_shape(model.init, jax.random.key(0), TOKENS)
        return variables, trace(model, variables, TOKENS)


def test_a_tied_parameter_has_a_list_of_uses():
    _, usage = _language()
    first, second = usage["wte/embedding"].uses
    assert usage["wte/embedding"].tied
    assert (first.role, first.fans) == ("embedding", (16, 16))
    assert (second.role, second.in_axes, second.out_axes, second.fans) == (
        "dense",
        (1,),
        (0,),
        (16, 32),
    )


def test_order_and_residual_depth_follow_the_model():
    _, usage = _language()
    downs = [usage[f"h_{n}/down/kernel"] for n in range(3)]
    assert [use.residual_depth for use in downs] == [1, 3, 5]
    assert downs == sorted(downs, key=lambda use: use.order)
    assert usage["norm/scale"].residual_depth == 6
    assert usage["h_0/up/kernel"].activation == "gelu_tanh"
    assert usage["h_0/down/kernel"].activation is None


def test_scanned_and_unrolled_models_agree():
    _, unrolled = _language()
    _, scanned = _language(scanned=True)
    for path, use in scanned.items():
        if path.startswith("blocks"):
            one = unrolled[path.replace("blocks/block", "h_0")]
            assert (use.role, use.fans, use.activation) == (one.role, one.fans, one.activation)
            assert use.batch_axes == (0,)
            assert use.repetitions == 1
            assert use.in_axes == tuple(axis + 1 for axis in one.in_axes)


def test_slices_of_a_fused_kernel_are_parts():
    def apply(w, x):
        q, k, v = jnp.split(w, 3, axis=1)
        return (x @ q) * (x @ k) + x @ v

    use = trace(apply, shape(4, 24), X)[""]
    assert (use.parts, use.repetitions, use.fans, use.tied) == (3, 1, (4, 8), False)


def test_kernels_that_are_concatenated_keep_their_own_fan_out():
    def apply(params, x):
        joined = jnp.concatenate([params["a"], params["b"]], axis=1)
        return jnp.concatenate([x @ joined, x], axis=1)

    usage = trace(apply, {"a": shape(4, 8), "b": shape(4, 24)}, X)
    assert (usage["a"].fans, usage["b"].fans) == ((4, 8), (4, 24))


def test_kernels_that_are_concatenated_along_the_input_are_summed():
    def apply(params, x):
        return x @ jnp.concatenate([params["a"], params["b"]], axis=0)

    usage = trace(apply, {"a": shape(1, 8), "b": shape(3, 8)}, X)
    assert (usage["a"].fans.fan_in, usage["b"].fans.fan_in) == (4, 4)


def test_weight_norm_is_followed_and_named():
    def apply(params, x):
        norm = jnp.sqrt(jnp.sum(params["v"] ** 2, axis=0, keepdims=True))
        return x @ (params["g"][None] * params["v"] / norm)

    usage = trace(apply, {"v": shape(4, 8), "g": shape(8)}, X)
    assert (usage["v"].role, usage["v"].fans, usage["v"].through) == (
        "dense",
        (4, 8),
        ("mul", "div"),
    )
    assert usage["g"].role == "scale"


def test_spectral_norm_is_followed():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.SpectralNorm(nn.Dense(8))(x, update_stats=True)

    model = Model()
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        shapes = jax.eval_shape(model.init, jax.random.key(0), X)
        usage = trace(lambda p, x: model.apply(p, x, mutable=["batch_stats"]), shapes, X)
    (use,) = [use for path, use in usage.items() if path.endswith("kernel")]
    assert (use.role, use.fans, use.tied) == ("dense", (4, 8), False)
    assert use.through


def test_lora_is_followed():
    def apply(params, x):
        return x @ (params["w"] + params["a"] @ params["b"])

    usage = trace(apply, {"w": shape(4, 8), "a": shape(4, 2), "b": shape(2, 8)}, X)
    assert {path: use.role for path, use in usage.items()} == dict.fromkeys("wab", "dense")
    assert usage["w"].fans == (4, 8)


def test_one_hot_lookups_are_embeddings():
    def apply(table, tokens):
        return jax.nn.one_hot(tokens, 32) @ table

    use = trace(apply, shape(32, 8), shape(3, dtype="int32"))[""]
    assert (use.role, use.fans) == ("embedding", (8, 8))


def test_vmapped_ensembles_have_a_batch_axis():
    def apply(params, x):
        return jax.vmap(lambda w, x: jnp.tanh(x @ w))(params["w"], x)

    use = trace(apply, {"w": shape(5, 4, 8)}, shape(5, 2, 4))["w"]
    assert (use.batch_axes, use.fans) == ((0,), (4, 8))


def test_vmapped_convolutions_have_a_batch_axis():
    def conv(w, x):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers)

    use = trace(jax.vmap(conv), shape(5, 3, 3, 4, 8), shape(5, 2, 6, 6, 4))[""]
    assert (use.role, use.batch_axes, use.in_axes, use.out_axes) == ("conv", (0,), (3,), (4,))
    assert use.fans == (36, 72)


def test_experts_of_a_ragged_product_have_a_batch_axis():
    def apply(w, x):
        return jax.lax.ragged_dot(x, w, jnp.array([2, 1, 3], jnp.int32))

    use = trace(apply, shape(3, 8, 4), shape(6, 8))[""]
    assert (use.batch_axes, use.in_axes, use.out_axes, use.fans) == ((0,), (1,), (2,), (8, 4))


def test_a_state_space_is_followed():
    def apply(p, xs):
        def step(h, x):
            h = jnp.exp(-jnp.exp(p["a"]))[None] * h + x @ p["b"]
            return h, h @ p["c"] + p["d"][None] * x

        return jax.lax.scan(step, jnp.zeros((2, 8)), xs)[1]

    params = {"a": shape(8), "b": shape(16, 8), "c": shape(8, 16), "d": shape(16)}
    usage = trace(apply, params, shape(5, 2, 16))
    roles = {path: use.role for path, use in usage.items()}
    assert roles == {"a": "scale", "b": "dense", "c": "dense", "d": "scale"}
    assert not any(use.tied for use in usage.values())
    assert usage["a"].through == ("exp",)


def test_unused_parameters_are_named():
    def apply(params, x):
        jnp.sum(params["dead"])
        return x @ params["w"]

    usage = trace(apply, {"w": shape(4, 4), "dead": shape(3), "never": shape(3)}, X)
    assert (usage["dead"].role, usage["never"].role) == ("unused", "unused")


# --- errors and printing ----------------------------------------------------------------------


def test_params_without_parameters_are_an_error():
    with pytest.raises(ValueError, match=r"`params` \(a dict\) holds no parameter; pass what"):
        trace(lambda p, x: x, {}, X)


def test_an_unknown_path_is_an_error():
    usage = trace(lambda p, x: x @ p["w"], {"w": shape(4, 4)}, X)
    with pytest.raises(KeyError, match="no parameter has the path 'v'; paths are such as 'w'"):
        usage["v"]
    assert "v" not in usage
    assert "w" in usage


def test_it_prints_as_a_table():
    _, usage = _language()
    text = str(usage)
    assert "wte/embedding" in text
    assert "16 > 32" in text
    assert "gelu_tanh" in text
    assert usage._repr_html_().count("<tr>") == sum(len(use.uses) for use in usage.values()) + 1
    assert repr(usage) == f"<Usage: {len(usage)} of {len(usage)} parameters known>"


def test_it_is_told_in_json():
    _, usage = _language()
    told = json.loads(usage.to_json())["parameters"]
    assert told["h_0/up/kernel"]["fans"] == {"fan_in": 16, "fan_out": 64}
    assert told["wte/embedding"]["others"][0]["role"] == "dense"


# --- plans ------------------------------------------------------------------------------------


def test_a_plan_takes_fans_from_usage():
    def apply(params, x):
        return jax.nn.relu(jnp.einsum("btd,dhk->bthk", x, params["w"]))

    params = {"w": shape(64, 8, 16)}
    usage = trace(apply, params, shape(2, 3, 64))
    plan = jinit.plan(params, jinit.lecun_normal(), usage=usage)
    assert plan["w"].fans == Fans(64, 128)
    assert plan["w"].std == pytest.approx(64**-0.5, rel=1e-6)


def test_a_plan_takes_the_gain_from_usage():
    def apply(params, x):
        return jax.nn.gelu(x @ params["w"])

    params = {"w": shape(64, 32)}
    usage = trace(apply, params, shape(2, 64))
    plan = jinit.plan(params, jinit.he_normal(), usage=usage)
    gain = jinit.calculate_gain("gelu_tanh")
    assert plan["w"].std == pytest.approx(gain * 64**-0.5, rel=1e-6)


def test_orthogonal_acts_on_the_matrix_that_is_applied():
    def apply(params, x):
        return jnp.einsum("bdt,kdh->btkh", x, params["w"])

    params = {"w": shape(4, 64, 8)}
    usage = trace(apply, params, shape(2, 64, 3))
    drawn = jinit.initialize(params, jinit.orthogonal(), jax.random.key(0), usage=usage)
    matrix = np.asarray(drawn["w"], np.float64).transpose(1, 0, 2).reshape(64, 32)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(32), atol=2e-5)


def test_orthogonal_acts_on_each_layer_of_a_stack():
    def apply(params, x):
        return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, params["w"])[0]

    params = {"w": shape(3, 16, 16)}
    usage = trace(apply, params, shape(2, 16))
    drawn = jinit.initialize(params, jinit.orthogonal(), jax.random.key(0), usage=usage)
    for matrix in np.asarray(drawn["w"], np.float64):
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(16), atol=2e-5)


ROOTS = {
    "rsqrt": lambda x, var: x * jax.lax.rsqrt(var),
    "sqrt": lambda x, var: x / jnp.sqrt(var),
    "sqrt and a little": lambda x, var: x / (jnp.sqrt(var) + 1e-6),
    "power": lambda x, var: x * jnp.power(var, -0.5),
    "norm": lambda x, var: x / jnp.linalg.norm(x, axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", ROOTS)
def test_norms_are_seen_however_written(name):
    def apply(params, x):
        y = ROOTS[name](x, jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)
        return y * params["scale"][None] + params["bias"][None]

    usage = trace(apply, {"scale": shape(4), "bias": shape(4)}, X)
    assert (usage["scale"].role, usage["bias"].role) == ("norm_scale", "norm_bias")


def test_statistics_that_the_model_brings_along_normalize():
    mean, var = jnp.zeros(4), jnp.ones(4)

    def apply(params, x):
        y = (x - mean[None]) * jax.lax.rsqrt(var + 1e-5)[None]
        return y * params["scale"][None] + params["bias"][None]

    usage = trace(apply, {"scale": shape(4), "bias": shape(4)}, X)
    assert (usage["scale"].role, usage["bias"].role) == ("norm_scale", "norm_bias")


def test_a_scanned_stack_is_drawn_layer_by_layer():
    variables, usage = _language(scanned=True)
    rules = {"**/kernel": jinit.lecun_normal(), "**": jinit.zeros}
    plan = jinit.plan(variables, rules, usage=usage)
    for path in usage:
        assert path in {row.path for row in plan.rows}
    assert plan["blocks/block/up/kernel"].fans == Fans(16, 64)
