"""MuP and CompleteP: what each leaf gets, and what does not change with width and depth."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from presets.language import TOKENS, Llama
from presets.laws import assert_json_round_trip, stds

import jinit
from jinit import presets

KEY = jax.random.key(7)


def shape(*extents):
    return jax.ShapeDtypeStruct(extents, jnp.float32)


def mlp(width, depth=2):
    """A perceptron with biases; its hidden layers are blocks."""
    layer = lambda n, m: {"kernel": shape(n, m), "bias": shape(m)}  # noqa: E731
    hidden = {f"layer_{i}": layer(width, width) for i in range(depth)}
    return {"first": layer(16, width), **hidden, "readout": layer(width, 10)}


BASE, WIDE = mlp(64), mlp(256)


# The table of muP, m = 4.


@pytest.mark.parametrize(
    ("absorb", "last_std", "output", "adam", "sgd"),
    [(False, 64**-0.5, 0.25, 1.0, 4.0), (True, 64**-0.5 / 4, 1.0, 0.25, 0.25)],
)
def test_mup_table(absorb, last_std, output, adam, sgd):
    found = presets.mup(BASE, WIDE, absorb=absorb)
    std = stds(WIDE, found.rules)
    assert std["first/kernel"] == pytest.approx(16**-0.5)
    assert std["layer_1/kernel"] == pytest.approx(256**-0.5)
    assert std["readout/kernel"] == pytest.approx(last_std)
    assert found.output_multipliers == {
        path: output if path == "readout/kernel" else 1.0 for path in std
    }
    rates = found.learning_rates()
    assert rates.pop("readout/kernel") == adam
    assert {path for path, rate in rates.items() if rate != 1} == {
        "layer_0/kernel",
        "layer_1/kernel",
    }
    assert rates["layer_0/kernel"] == 0.25
    rates = found.learning_rates("sgd")
    assert rates == {
        "first/kernel": 4.0,
        "first/bias": 4.0,
        "layer_0/kernel": 1.0,
        "layer_0/bias": 4.0,
        "layer_1/kernel": 1.0,
        "layer_1/bias": 4.0,
        "readout/kernel": sgd,
        "readout/bias": 1.0,
    }
    for by in found.multipliers("adam").values():
        assert by.learning_rate * by.weight_decay == 1
    assert found.residual_multiplier == 1


def test_mup_of_a_matrix_that_grows_unevenly():
    found = presets.mup({"w": {"kernel": shape(8, 8)}}, {"w": {"kernel": shape(16, 32)}})
    assert found.learning_rates() == {"w/kernel": 0.5}
    assert found.learning_rates("sgd") == {"w/kernel": 2.0}
    assert found.scalings["w/kernel"][:3] == ("hidden", 2.0, 4.0)


def test_mup_at_the_base_width_changes_nothing():
    found = presets.mup(BASE, BASE)
    assert set(found.output_multipliers.values()) == set(found.learning_rates().values()) == {1.0}
    assert stds(BASE, found.rules) == stds(BASE, presets.flax_default())


def test_mup_of_fixed_standard_deviations():
    rules = {"**/kernel": jinit.normal(0.02), "**/bias": jinit.uniform(bound=0.1)}
    std = stds(WIDE, presets.mup(BASE, WIDE, rules).rules)
    assert std["first/kernel"] == pytest.approx(0.02)
    assert std["layer_0/kernel"] == pytest.approx(0.01)
    assert std["readout/kernel"] == pytest.approx(0.02)
    assert std["readout/bias"] == pytest.approx(0.1 / 3**0.5)


def test_mup_keeps_the_base_s_laws_where_a_scheme_would_not():
    rules = presets.torch_default().override({"**/kernel": jinit.he_normal(mode="fan_out")})
    std = stds(WIDE, presets.mup(BASE, WIDE, rules).rules)
    assert std["first/kernel"] == pytest.approx((2 / 64) ** 0.5)
    assert std["layer_0/bias"] == pytest.approx((3 * 64) ** -0.5)


def test_mup_of_a_transformer():
    narrow, wide = (jinit.with_inputs(Llama(width=w, hidden=3 * w), TOKENS) for w in (32, 128))
    found = presets.mup(narrow, wide, zero_readout=True, zero_query=True)
    kinds = {path: scaling.kind for path, scaling in found.scalings.items()}
    assert kinds.pop("tok_embeddings/embedding") == "input"
    assert kinds.pop("output/kernel") == "output"
    norms = {path for path in kinds if "norm" in path}
    assert {kinds.pop(path) for path in norms} == {"vector"}
    assert set(kinds.values()) == {"hidden"}
    std = stds(wide, found.rules)
    assert std["output/kernel"] == std["layers_3/attention/wq/kernel"] == 0
    assert std["layers_3/attention/wk/kernel"] == pytest.approx(128**-0.5)
    assert std["layers_3/feed_forward/w2/kernel"] == pytest.approx(384**-0.5)
    assert std["tok_embeddings/embedding"] == pytest.approx(32**-0.5)
    assert repr(found) == "<Parametrization of 39 leaves: 28 hidden, 1 input, 1 output, 9 vector>"
    assert len(found.rules) < 15  # leaves alike share a rule


def test_zero_readouts_at_the_base_model_s_own_width_are_named():
    model = jinit.with_inputs(Llama(width=32, hidden=96), TOKENS)
    with pytest.raises(ValueError, match=r"`zero_readout` finds no readout: .* own width name it"):
        presets.mup(model, model, zero_readout=True)
    found = presets.mup(model, model, zero_readout=True, readout="output/kernel")
    zero = {path for path, std in stds(model, found.rules).items() if std == 0}
    assert {path for path in zero if "norm" not in path} == {"output/kernel"}


def test_mup_readouts_may_be_named():
    shapes = lambda w: {"a": {"kernel": shape(w, 5)}, "b": {"kernel": shape(w, 7)}}  # noqa: E731
    found = presets.mup(shapes(32), shapes(64), readout="b/**")
    assert found.output_multipliers == {"a/kernel": 1.0, "b/kernel": 0.5}
    assert found.learning_rates() == {"a/kernel": 0.5, "b/kernel": 1.0}
    with pytest.raises(jinit.RuleError, match=r"`readout` .='c/..'. of jinit.presets.mup hits no"):
        presets.mup(shapes(32), shapes(64), readout="c/**")
    with pytest.raises(ValueError, match="`absorb` says that it multiplies nothing"):
        presets.mup(shapes(32), shapes(64), readout="b/**", absorb=True)


def test_mup_takes_weights_alone_for_readouts_and_queries():
    def shapes(w):
        query = {"kernel": shape(w, w), "norm": {"scale": shape(w)}}
        head = {"norm": {"scale": shape(w)}, "kernel": shape(w, 5), "bias": shape(5)}
        return {"attn": {"query": query}, "head": head}

    found = presets.mup(shapes(32), shapes(64), readout="head/**", zero_query=True)
    assert found.output_multipliers.pop("head/kernel") == 0.5
    others = {p: m for p, m in found.output_multipliers.items() if p != "head/kernel"}
    assert set(others.values()) == {1.0}
    plan = jinit.plan(shapes(64), found.rules)
    assert plan["attn/query/kernel"].scheme == jinit.zeros()
    assert plan["attn/query/norm/scale"].scheme == jinit.ones()


def test_mup_of_a_table_that_is_also_the_readout():
    shapes = lambda w: {"wte": {"embedding": shape(50, w)}}  # noqa: E731
    found = presets.mup(shapes(32), shapes(64), readout="wte/**")
    assert found.output_multipliers == {"wte/embedding": 0.5}
    assert found.learning_rates() == {"wte/embedding": 1.0}
    assert stds(shapes(64), found.rules)["wte/embedding"] == pytest.approx(32**-0.5)


@pytest.mark.parametrize(
    ("base", "target", "message"),
    [
        (
            {"a": shape(4, 4)},
            {"b": shape(4, 4)},
            "base model lacks 'b'; only the base model has 'a'",
        ),
        ({"w": shape(4, 4)}, {"w": shape(4, 4, 4)}, "have different numbers of axes"),
        (
            {"wte": {"embedding": shape(50, 8)}},
            {"wte": {"embedding": shape(60, 16)}},
            "differ along axis 0, which counts rows of an embedding and no width",
        ),
    ],
)
def test_models_that_differ_in_more_than_width_are_refused(base, target, message):
    rules = jinit.Rules({"**": jinit.normal(0.02)})
    with pytest.raises(ValueError, match=message):
        presets.mup(base, target, rules)


def test_stacked_layers_are_no_width_and_kernels_without_axes_are_an_error():
    stack = {"**/kernel": 1}
    one, other = ({"h": {"kernel": shape(n, 8, 8)}} for n in (2, 4))
    with pytest.raises(ValueError, match="counts stacked layers and no width"):
        presets.mup(one, other, stacked=stack)
    one, other = ({"h": {"kernel": shape(3, n, n)}} for n in (2, 4))
    with pytest.raises(ValueError, match="does not say which of them"):
        presets.mup(one, other, {"**": jinit.normal(0.02)})


def test_optax_groups():
    found = presets.mup(BASE, WIDE)
    made = []
    optimizer = found.optax(lambda by: made.append(by) or optax.sgd(by.learning_rate))
    assert {by.learning_rate for by in made} == {1.0, 0.25}
    params = jax.tree.map(lambda s: jnp.ones(s.shape), WIDE)
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert (updates["layer_0"]["kernel"] == -0.25).all()
    assert (updates["first"]["kernel"] == -1).all()
    with pytest.raises(ValueError, match=r"`optimizer` .='muon'. must be one of 'adam', 'sgd'"):
        found.learning_rates("muon")


def test_optax_refuses_other_parameters():
    optimizer = presets.mup(BASE, WIDE).optax(lambda by: optax.sgd(by.learning_rate))
    params = jax.tree.map(lambda s: jnp.ones(s.shape), WIDE)
    with pytest.raises(ValueError, match=r"another structure: .*; of a Linen model give it variab"):
        optimizer.init({"params": params})


def test_optax_on_an_nnx_model():
    net = lambda w: nnx.eval_shape(lambda: nnx.Linear(w, w, rngs=nnx.Rngs(0)))  # noqa: E731
    found = presets.mup(net(8), net(32))
    model = jinit.initialize(net(32), found.rules, KEY)
    state = nnx.state(model, nnx.Param)
    optimizer = found.optax(lambda by: optax.sgd(by.learning_rate))
    updates, _ = optimizer.update(state, optimizer.init(state))
    np.testing.assert_allclose(updates["kernel"][...], -0.25 * state["kernel"][...], rtol=1e-6)


# What muP is for: activations, and their change in training, at any width.

X = jax.random.normal(KEY, (64, 16))
Y = jax.random.randint(KEY, (64,), 0, 10)


def forward(params, multipliers):
    """Preactivations of every layer."""
    seen, h = [], X
    for name, layer in params.items():
        z = (h @ layer["kernel"]) * multipliers[f"{name}/kernel"] + layer["bias"][None]
        seen.append(z)
        h = jax.nn.relu(z)
    return seen


def moved(width, make):
    """Root mean square of how far each layer's preactivations move in three steps."""
    rules, multipliers, optimizer = make(width)
    params = jinit.initialize(mlp(width), rules, KEY)

    def loss(params):
        logits = forward(params, multipliers)[-1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, Y).mean()

    @jax.jit
    def train(params):
        def step(carry, _):
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        (after, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), None, length=3)
        pairs = zip(forward(after, multipliers), forward(params, multipliers), strict=True)
        return jnp.stack([jnp.sqrt(jnp.mean((a - b) ** 2)) for a, b in pairs])

    with jax.numpy_dtype_promotion("standard"):  # optax divides floats by ints
        return np.asarray(train(params))


def in_mup(width, kind, rate, absorb):
    found = presets.mup(mlp(64), mlp(width), absorb=absorb)
    make = {"adam": optax.adam, "sgd": optax.sgd}[kind]
    optimizer = found.optax(lambda by: make(rate * by.learning_rate), kind)
    return found.rules, found.output_multipliers, optimizer


def standard(width, kind, rate):
    ones = {path: 1.0 for path in stds(mlp(width), presets.flax_default())}
    return presets.flax_default(), ones, {"adam": optax.adam, "sgd": optax.sgd}[kind](rate)


@pytest.mark.parametrize(
    ("kind", "rate", "absorb"), [("adam", 3e-3, False), ("adam", 3e-3, True), ("sgd", 0.1, False)]
)
def test_activations_move_alike_at_any_width(kind, rate, absorb):
    make = functools.partial(in_mup, kind=kind, rate=rate, absorb=absorb)
    moves = np.stack([moved(width, make) for width in (64, 512)])
    assert (moves > 1e-3).all()
    assert np.abs(np.log(moves[1] / moves[0])).max() < np.log(1.6), moves


def test_in_standard_parametrization_they_do_not():
    make = functools.partial(standard, kind="adam", rate=3e-3)
    moves = np.stack([moved(width, make) for width in (64, 512)])
    assert (moves[1] / moves[0])[1:].min() > 2, moves


# CompleteP.


def test_completep_table():
    found = presets.completep(mlp(64, 2), mlp(256, 8))
    by = found.multipliers()
    assert found.residual_multiplier == 0.25
    assert by["layer_7/kernel"] == presets.Multipliers(0.25, 4.0, 0.25 / 4)
    assert by["layer_0/bias"] == presets.Multipliers(1.0, 1.0, 0.25 / 4)
    assert by["first/kernel"] == by["first/bias"] == presets.Multipliers(1.0, 1.0, 0.25)
    assert by["readout/kernel"] == presets.Multipliers(1.0, 1.0, 0.25)
    assert found.output_multipliers["readout/kernel"] == 0.25
    std = stds(mlp(256, 8), found.rules)
    assert std["layer_5/kernel"] == pytest.approx(256**-0.5)
    assert std["readout/kernel"] == pytest.approx(64**-0.5)


def test_completep_at_one_half_lowers_the_rate_in_blocks():
    found = presets.completep(mlp(64, 2), mlp(64, 8), alpha=0.5)
    assert found.residual_multiplier == 0.5
    assert found.learning_rates()["layer_3/kernel"] == 0.5
    assert found.learning_rates()["layer_3/bias"] == 0.5
    assert found.learning_rates()["first/kernel"] == 1.0
    assert found.multipliers()["layer_3/kernel"].epsilon == 0.5


def test_completep_knows_numbered_layers_from_blocks():
    """Two dense layers that are numbered, in both models, are no blocks."""
    ends = {f"Dense_{i}": {"kernel": shape(8, 8)} for i in range(2)}
    found = presets.completep(mlp(8, 2) | ends, mlp(8, 8) | ends, alpha=0.5)
    assert found.learning_rates()["Dense_1/kernel"] == 1.0
    assert found.learning_rates()["layer_1/kernel"] == 0.5


def test_completep_in_a_stack():
    stack = lambda w, n: {"h": {"kernel": shape(n, w, w)}}  # noqa: E731
    found = presets.completep(stack(8, 2), stack(16, 6), stacked={"**": 1})
    assert found.residual_multiplier == pytest.approx(1 / 3)
    assert found.learning_rates() == {"h/kernel": 0.5}
    assert stds(stack(16, 6), found.rules, stacked={"**": 1})["h/kernel"] == pytest.approx(0.25)


def residual_shapes(depth):
    stack = {"up": {"kernel": shape(depth, 32, 64)}, "down": {"kernel": shape(depth, 64, 32)}}
    return {"h": stack, "in": {"kernel": shape(16, 32)}}


def stream_moved(depth, complete):
    """Root mean square of how far the stream after the last block moves in three Adam steps."""
    found = presets.completep(residual_shapes(2), residual_shapes(depth), stacked={"h/**": 1})
    multiplier = found.residual_multiplier if complete else 1.0
    params = jinit.initialize(residual_shapes(depth), found.rules, KEY, stacked={"h/**": 1})
    optimizer = found.optax(lambda by: optax.adam(3e-3 * by.learning_rate, eps=1e-8 * by.epsilon))

    def stream(params):
        def block(x, layer):
            y = x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True))
            y = jax.nn.relu(y @ layer["up"]["kernel"]) @ layer["down"]["kernel"]
            return x + multiplier * y, None

        return jax.lax.scan(block, X @ params["in"]["kernel"], params["h"])[0]

    @jax.jit
    def train(params):
        def step(carry, _):
            params, state = carry
            grads = jax.grad(lambda p: jnp.mean(stream(p)[:, 0]))(params)
            updates, state = optimizer.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), None

        (after, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), None, length=3)
        return jnp.sqrt(jnp.mean((stream(after) - stream(params)) ** 2))

    with jax.numpy_dtype_promotion("standard"):
        return float(train(params))


@pytest.mark.slow
def test_the_stream_moves_alike_at_any_depth():
    shallow, deep = stream_moved(2, complete=True), stream_moved(64, complete=True)
    assert 1 / 1.5 < deep / shallow < 1.5
    assert stream_moved(64, complete=False) > 5 * shallow


def test_completep_asks_for_what_it_cannot_tell():
    with pytest.raises(ValueError, match=r"`alpha` \(=0.3\) must lie in \[0.5, 1\]"):
        presets.completep(BASE, WIDE, alpha=0.3)
    flat = lambda w: {"a": {"kernel": shape(w, w)}}  # noqa: E731
    with pytest.raises(ValueError, match=r"no leaf is in a numbered block or a stack; say by `bl"):
        presets.completep(flat(8), flat(16), depth=4)
    found = presets.completep(flat(8), flat(16), depth=4, blocks="a/**", alpha=0.5)
    assert found.residual_multiplier == 0.5
    assert found.learning_rates() == {"a/kernel": 0.25}
    towers = lambda n, m: mlp(8, n) | {f"block_{i}": mlp(8, 0)["first"] for i in range(m)}  # noqa: E731
    with pytest.raises(ValueError, match=r"by different factors \(2.0, 3.0\); give `depth`"):
        presets.completep(towers(2, 2), towers(4, 6))
    odd = lambda w: {"h_0": {"up": {"kernel": shape(w, w * w)}, "k": {"kernel": shape(w * w, w)}}}  # noqa: E731
    with pytest.raises(ValueError, match=r"different factors .2.0, 4.0.; give `width`"):
        presets.completep(odd(4), odd(8))
    found = presets.completep(odd(4), odd(8), width=2.0)
    assert found.multipliers()["h_0/up/kernel"].epsilon == 0.5
    by_layer = presets.depth_scaled(jinit.normal(0.02), per_layer=True, residual="**/kernel")
    stack = lambda n: {"h": {"kernel": shape(n, 8, 8)}}  # noqa: E731
    with pytest.raises(ValueError, match="give rules that do not scale with depth"):
        presets.completep(stack(2), stack(4), by_layer, stacked={"**": 1})


def test_json():
    assert_json_round_trip(presets.mup(BASE, WIDE).rules)
    assert_json_round_trip(presets.completep(mlp(64, 2), mlp(256, 8)).rules)
