"""Parameters followed into calls, loops, branches and shards, and what stops it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec
from trees_of_models import shape

from jinit.tracing.tracer import trace

X = shape(2, 4)
W = {"w": shape(4, 8)}


def dense(params, x):
    return jnp.tanh(x @ params["w"])


@jax.custom_vjp
def guarded(params, x):
    return dense(params, x)


guarded.defvjp(lambda p, x: (dense(p, x), (p, x)), lambda kept, g: kept)


@jax.custom_jvp
def steered(params, x):
    return dense(params, x)


steered.defjvp(lambda primals, tangents: (steered(*primals), steered(*primals)))

CALLS = {
    "jit": jax.jit(dense),
    "checkpoint": jax.checkpoint(dense),
    "custom_vjp": guarded,
    "custom_jvp": steered,
    "vmap": jax.vmap(dense, (None, 0)),
    "jit in checkpoint in jit": jax.jit(jax.checkpoint(jax.jit(dense))),
    "named": functools.partial(jax.named_call(dense, name="layer")),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_are_gone_through(name):
    usage = trace(CALLS[name], W, X)
    use = usage["w"]
    assert (use.role, use.in_axes, use.out_axes, use.activation) == ("dense", (0,), (1,), "tanh")
    assert use.fans == (4, 8)
    assert usage.opaque == ()


def test_a_scan_over_layers_is_a_stack():
    def apply(params, x):
        return jax.lax.scan(lambda x, w: (x + jnp.tanh(x @ w), None), x, params["w"])[0]

    use = trace(apply, {"w": shape(6, 4, 4)}, X)["w"]
    assert (use.batch_axes, use.stack_axes, use.in_axes, use.out_axes) == ((0,), (0,), (1,), (2,))
    assert (use.fans, use.repetitions, use.role, use.activation) == ((4, 4), 1, "dense", "tanh")


def test_a_scan_over_steps_uses_one_weight_again_and_again():
    def apply(params, xs):
        def step(h, x):
            h = jnp.tanh(x @ params["x"] + h @ params["h"])
            return h, h

        return jax.lax.scan(step, jnp.zeros((2, 5)), xs)[1]

    usage = trace(apply, {"x": shape(4, 5), "h": shape(5, 5)}, shape(7, 2, 4))
    assert (usage["x"].role, usage["x"].repetitions) == ("dense", 7)
    assert (usage["h"].role, usage["h"].repetitions) == ("recurrent", 7)
    assert usage["h"].activation == usage["x"].activation == "tanh"


def test_scans_in_scans_multiply():
    def apply(params, xs):
        def outer(h, ws):
            def inner(h, x):
                return jnp.tanh(h @ ws + x), None

            return jax.lax.scan(inner, h, xs)[0], None

        return jax.lax.scan(outer, jnp.zeros((2, 4)), params)[0]

    use = trace(apply, shape(3, 4, 4), shape(7, 2, 4))[""]
    assert (use.repetitions, use.batch_axes, use.role) == (7, (0,), "recurrent")


def test_residual_additions_are_counted_through_a_scan():
    def apply(params, x):
        def block(x, w):
            x = x + jnp.tanh(x) @ w
            return x + jax.nn.relu(x) @ w, None

        x, _ = jax.lax.scan(block, x, params["blocks"])
        return x @ params["head"]

    usage = trace(apply, {"blocks": shape(5, 4, 4), "head": shape(4, 3)}, X)
    assert usage["head"].residual_depth == 10
    assert usage["blocks"].residual_depth == 0


def test_branches_are_alternatives_and_not_repetitions():
    def apply(params, x):
        take = jnp.sum(x) > 0
        return jax.lax.cond(take, lambda: x @ params["w"], lambda: 2 * x @ params["w"])

    use = trace(apply, W, X)["w"]
    assert (use.role, use.repetitions, use.parts) == ("dense", 1, 1)


def test_calls_of_one_layer_are_counted():
    def apply(params, x):
        layer = jax.jit(lambda x: jnp.tanh(x @ params["w"]))
        return layer(layer(layer(x)))

    assert trace(apply, {"w": shape(4, 4)}, X)["w"].repetitions == 3


def test_layers_of_an_unrolled_stack_are_parts():
    def apply(params, x):
        for n in range(3):
            x = jnp.tanh(x @ params["w"][n])
        return x

    use = trace(apply, {"w": shape(3, 4, 4)}, X)["w"]
    assert (use.parts, use.repetitions) == (3, 1)
    assert (use.batch_axes, use.in_axes, use.out_axes) == ((0,), (1,), (2,))


def test_layers_that_are_iterated_over_are_those_of_an_unrolled_stack():
    """Iteration is one operation since jax 0.12."""

    def iterated(params, x):
        for w, b in zip(params["w"], params["b"], strict=True):
            x = jnp.tanh(x @ w + b)
        return x

    def indexed(params, x):
        for layer in range(3):
            x = jnp.tanh(x @ params["w"][layer] + params["b"][layer])
        return x

    params = {"w": shape(3, 4, 4), "b": shape(3, 1, 4)}
    found = trace(iterated, params, X)
    assert found == trace(indexed, params, X)
    assert (found["w"].role, found["w"].parts, found["b"].role) == ("dense", 3, "bias")


def test_a_layer_that_a_counter_picks_is_one_of_a_stack():
    def apply(params, x):
        return jax.lax.fori_loop(0, 3, lambda n, x: jnp.tanh(x @ params["w"][n]), x)

    use = trace(apply, {"w": shape(3, 4, 4)}, X)["w"]
    assert (use.role, use.batch_axes, use.in_axes) == ("dense", (0,), (1,))


def test_an_expert_that_data_picks_is_a_kernel():
    def apply(params, x):
        best = jnp.argmax(x @ params["router"], axis=-1)
        return jnp.einsum("nd,ndf->nf", x, params["experts"][best])

    use = trace(apply, {"router": shape(4, 6), "experts": shape(6, 4, 8)}, X)["experts"]
    assert (use.batch_axes, use.in_axes, use.out_axes) == ((0,), (1,), (2,))
    assert use.fans == (4, 8)


def test_bodies_of_loops_of_unknown_length_are_reported():
    def apply(params, x):
        return jax.lax.while_loop(lambda x: jnp.sum(x) < 10, lambda x: jnp.tanh(x @ params["w"]), x)

    usage = trace(apply, {"w": shape(4, 4)}, X)
    assert usage.opaque == ("while",)
    assert usage["w"].opaque == ("while",)
    assert (usage["w"].role, usage["w"].fans) == ("dense", (4, 4))


def test_an_opaque_call_is_named_and_not_guessed():
    def apply(params, x):
        return jax.pure_callback(lambda w, x: x @ w, shape(2, 8), params["w"], x)

    usage = trace(apply, W, X)
    assert usage.opaque == ("pure_callback",)
    assert (usage["w"].role, usage["w"].reason) == ("unknown", "pure_callback")
    assert usage["w"].fans is None


def test_no_activation_is_seen_behind_an_opaque_call():
    def apply(params, x):
        y = jax.pure_callback(lambda y: y, shape(2, 8), x @ params["w"])
        return jax.nn.relu(y)

    usage = trace(apply, W, X)
    assert usage.opaque == ("pure_callback",)
    assert (usage["w"].role, usage["w"].activation) == ("dense", None)


def test_a_reshape_that_mixes_axes_is_named():
    usage = trace(lambda w, x: x @ w.reshape(4, 9), shape(6, 6), X)
    assert usage[""].role == "unknown"
    assert usage[""].reason == "reshape from (6, 6) to (4, 9), which mixes axes"
    assert usage[""].opaque == ("reshape",)


def test_an_axis_with_two_roles_has_fans_but_no_axes():
    def apply(w, x):
        return jnp.einsum("ebd,edf->ebf", x, w.reshape(2, 4, 6))

    use = trace(apply, shape(8, 6), shape(2, 3, 4))[""]
    assert (use.role, use.fans, use.in_axes) == ("einsum", (4, 6), ())
    assert use.reason == ("parts of axis 0 have different roles, so that only the fans can be told")


SPECS = {
    "columns": (PartitionSpec(None, "x"), PartitionSpec(None, "x"), lambda y: y),
    "rows": (PartitionSpec("x", None), PartitionSpec(), lambda y: jax.lax.psum(y, "x")),
}


@pytest.mark.parametrize("name", SPECS)
def test_fans_of_shards_are_those_of_the_whole(name):
    spec, out, finish = SPECS[name]
    mesh = Mesh(np.array(jax.devices()[:4]), ("x",))
    into = PartitionSpec(None, "x") if name == "rows" else PartitionSpec()
    apply = jax.shard_map(
        lambda w, x: finish(jnp.tanh(x @ w)), mesh=mesh, in_specs=(spec, into), out_specs=out
    )
    use = trace(apply, shape(4, 8), X)[""]
    assert (use.role, use.fans) == ("dense", (4, 8))


def test_shards_that_are_gathered_are_the_whole():
    mesh = Mesh(np.array(jax.devices()[:4]), ("x",))
    apply = jax.shard_map(
        lambda w, x: x @ jax.lax.all_gather(w, "x", axis=0, tiled=True),
        mesh=mesh,
        in_specs=(PartitionSpec("x", None), PartitionSpec()),
        out_specs=PartitionSpec(),
        check_vma=False,
    )
    assert trace(apply, shape(4, 8), X)[""].fans == (4, 8)
