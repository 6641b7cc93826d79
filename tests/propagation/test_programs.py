"""Scans, checkpoints, branches, loops, derivatives of one's own: rows as if written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import compilations

import jinit

rng = np.random.default_rng(1)
W = rng.normal(0, 0.3, (3, 8, 8)).astype(np.float32)
B = rng.normal(0, 0.1, (3, 8)).astype(np.float32)
X = rng.normal(0, 1, (6, 8)).astype(np.float32)
C = rng.normal(0, 1, (6, 8)).astype(np.float32)
STACK = {"w": W, "b": B}


def weigh(outcome):
    return (outcome * C).sum()


def layer(x, slice_):
    return x + jnp.tanh(x @ slice_["w"] + slice_["b"][None]), None


def unrolled(layers, x):
    for each in layers:
        x, _ = layer(x, each)
    return x


LAYERS = [{"w": w, "b": b} for w, b in zip(W, B, strict=True)]


def scanned(params, x):
    return jax.lax.scan(layer, x, params)[0]


def checkpointed(params, x):
    return jax.lax.scan(jax.checkpoint(layer), x, params)[0]


def unrolled_by_two(params, x):
    return jax.lax.scan(layer, x, params, unroll=2)[0]


def nested(params, x):
    """Two scans, one in the other, for two layers of three; then the last."""
    pairs = jax.tree.map(lambda leaf: leaf[:2].reshape(2, 1, *leaf.shape[1:]), params)
    x, _ = jax.lax.scan(lambda x, pair: jax.lax.scan(layer, x, pair), x, pairs)
    return layer(x, jax.tree.map(lambda leaf: leaf[2], params))[0]


def backwards(params, x):
    flipped = jax.tree.map(lambda leaf: leaf[::-1], params)
    return jax.lax.scan(layer, x, flipped, reverse=True)[0]


def numbers(rows):
    return [
        [row.forward.std, row.forward.correlation, row.backward.rms, row.backward.peak]
        for row in rows
    ]


@pytest.fixture(scope="module")
def written_out():
    return jinit.propagate(unrolled, LAYERS, X, loss=weigh)


def test_layers_that_are_iterated_over_have_the_rows_of_what_they_stand_for(written_out):
    def iterated(params, x):
        for w, b in zip(params["w"], params["b"], strict=True):
            x, _ = layer(x, {"w": w, "b": b})
        return x

    report = jinit.propagate(iterated, jax.tree.map(jnp.asarray, STACK), X, loss=weigh)
    assert [row.kind for row in report.rows] == [row.kind for row in written_out.rows]
    np.testing.assert_allclose(numbers(report.rows), numbers(written_out.rows), rtol=1e-4)


@pytest.mark.parametrize(
    "apply",
    [scanned, checkpointed, unrolled_by_two, nested, backwards],
    ids=lambda f: f.__name__,
)
def test_scans_have_the_rows_of_what_they_stand_for(apply, written_out):
    report = jinit.propagate(apply, STACK, X, loss=weigh)
    assert [row.kind for row in report.rows] == [row.kind for row in written_out.rows]
    assert [row.layer for row in report.rows] == [row.layer for row in written_out.rows]
    np.testing.assert_allclose(numbers(report.rows), numbers(written_out.rows), rtol=1e-4)


def test_steps_are_named(written_out):
    report = jinit.propagate(scanned, STACK, X, loss=weigh)
    linear = report.of_kind("linear")
    assert [row.name for row in linear] == [f"w[{n}]" for n in range(3)]
    assert [row.step for row in report.of_path("w") if row.kind == "sum"] == [
        (n,) for n in range(3)
    ]
    twofold = jinit.propagate(nested, STACK, X, loss=weigh).of_kind("linear")
    assert [row.name for row in twofold] == ["w[0,0]", "w[1,0]", "w"]
    last_first = jinit.propagate(backwards, STACK, X, loss=weigh).of_kind("linear")
    assert [row.step for row in last_first] == [(n,) for n in (2, 1, 0)]
    assert [row.name for row in written_out.of_kind("linear")] == [f"{n}/w" for n in range(3)]


def test_stacked_parameters_have_a_leaf_a_layer(written_out):
    report = jinit.propagate(scanned, STACK, X, loss=weigh)
    ours = {leaf.name: leaf for leaf in report.leaves}
    for theirs in written_out.leaves:
        layer, name = theirs.path.split("/")
        leaf = ours[f"{name}[{layer}]"]
        assert leaf.size == theirs.size
        assert leaf.ratio == pytest.approx(theirs.ratio, rel=1e-4)
        assert leaf.gradient_norm == pytest.approx(theirs.gradient_norm, rel=1e-4)


def test_cotangents_are_what_perturbations_say(written_out):
    """Plain JAX: the gradient with respect to zeros that are added on the way."""
    zeros = [{name: jnp.zeros(X.shape) for name in ("linear", "activation", "sum")} for _ in W]

    def perturbed(zeros):
        x = X
        for each, zero in zip(LAYERS, zeros, strict=True):
            y = x @ each["w"] + each["b"][None] + zero["linear"]
            x = x + (jnp.tanh(y) + zero["activation"]) + zero["sum"]
        return weigh(x)

    for n, found in enumerate(jax.grad(perturbed)(zeros)):
        for kind, cotangent in found.items():
            row = written_out.of_kind(kind)[n]
            expected = np.asarray(cotangent, np.float64)
            assert row.backward.std == pytest.approx(expected.std(), rel=1e-5)
            assert row.backward.mean == pytest.approx(expected.mean(), rel=1e-4, abs=1e-6)


def test_recurrent_networks_have_rows_for_every_step_in_time():
    """Against backpropagation through time by hand."""
    w, u, bias = W[0], W[1], B[0]
    x = rng.normal(0, 1, (4, 6, 8)).astype(np.float32)

    def apply(params, x):
        def step(h, x):
            return jnp.tanh(x @ params["w"] + h @ params["u"] + params["b"][None]), None

        return jax.lax.scan(step, jnp.zeros(x.shape[1:]), x)[0]

    report = jinit.propagate(apply, {"w": w, "u": u, "b": bias}, x, loss=weigh, batch_axis=1)
    sums = [row for row in report.rows if row.operation == "sum"]
    assert [row.step for row in sums] == [(0,), (1,), (2,), (3,)]
    assert {row.operation for row in report.of_kind("linear")} == {"dense", "recurrent"}
    states = [np.zeros((6, 8))]
    for each in x.astype(float):
        states.append(np.tanh(each @ w + states[-1] @ u + bias))
    delta = C.astype(float)
    for row, state in zip(sums[::-1], states[:0:-1], strict=True):
        delta = delta * (1 - state**2)
        assert row.forward.std == pytest.approx(np.arctanh(state).std(), rel=1e-4)
        assert row.backward.std == pytest.approx(delta.std(), rel=1e-5)
        delta = delta @ u.T


def test_only_the_branch_that_is_taken_has_rows():
    def apply(params, x, which):
        def first():
            return jax.nn.relu(x @ params["a"])

        return jax.lax.cond(which, first, lambda: jnp.tanh(x @ params["b"])) @ params["c"]

    params = {name: W[n] for n, name in enumerate("abc")}
    for which, (path, activation) in ((True, ("a", "relu")), (False, ("b", "tanh"))):
        report = jinit.propagate(apply, params, X, np.bool_(which))
        assert [row.path for row in report.of_kind("linear")] == [path, "c"]
        assert [row.operation for row in report.of_kind("activation")] == [activation]
        idle = {"a": "b", "b": "a"}[path]
        (note,) = [v for v in report.verdicts if v.kind == "no gradient"]
        assert note.severity == "note"
        assert note.text == f"no gradient reaches {idle}"


@jax.custom_vjp
def block(w, x):
    return jnp.tanh(x @ w)


block.defvjp(lambda w, x: (block(w, x), (w, x)), lambda kept, g: (g.sum() * kept[0], 2 * g))


def test_what_has_a_derivative_of_its_own_is_one_row_and_keeps_it():
    report = jinit.propagate(lambda w, x: block(w[1], block(w[0], x)), W[:2], X, loss=weigh)
    inner = [row for row in report.rows if row.kind not in ("input", "output")]
    assert [row.operation for row in inner] == ["tanh", "tanh"]
    first, last = inner
    assert first.backward.rms == pytest.approx(2 * last.backward.rms, rel=1e-6)
    outcome = np.tanh(X.astype(float) @ W[0])
    assert first.forward.std == pytest.approx(outcome.std(), rel=1e-5)


def test_prints_on_the_way_are_no_matter(capfd):
    def talking(layers, x):
        for each in layers:
            x, _ = layer(x, each)
            jax.debug.print("std {}", x.std())
        return x

    silent, told = (jinit.propagate(f, LAYERS, X, loss=weigh) for f in (unrolled, talking))
    jax.effects_barrier()
    assert capfd.readouterr().out.count("std") == len(LAYERS)
    assert numbers(told.rows) == numbers(silent.rows)


def test_loops_of_unknown_length_go_forwards_only():
    def apply(w, x):
        def body(carry):
            return carry[0] + 1, carry[1] @ w

        return jax.lax.while_loop(lambda carry: carry[0] < 3, body, (0, x))[1] @ w

    with pytest.raises(ValueError, match=r"loop of unknown length .* pass `backward=False`"):
        jinit.propagate(apply, W[0], X)
    report = jinit.propagate(apply, W[0], X, backward=False)
    assert len(report.of_kind("linear")) == 1  # that after the loop
    assert "while" in report.opaque


def test_every_operation_has_a_row_if_asked():
    def apply(w, x):
        return jnp.exp(-jnp.square(x @ w)).sum(axis=1)

    rows = jinit.propagate(apply, W[0], X, every=True).rows
    assert [row.operation for row in rows[:3]] == ["input", "dense", "square"]
    assert {"neg", "exp", "reduce_sum"} <= {row.operation for row in rows}
    z = X.astype(float) @ W[0]
    (found,) = [row for row in rows if row.operation == "exp"]
    assert found.forward.mean == pytest.approx(np.exp(-(z**2)).mean(), rel=1e-5)
    (found,) = [row for row in rows if row.operation == "neg"]
    exp = np.exp(-(z**2))
    few = jinit.propagate(apply, W[0], X, every=True, loss=lambda y: y.sum())
    (found,) = [row for row in few.rows if row.operation == "neg"]
    assert found.backward.mean == pytest.approx(exp.mean(), rel=1e-5)


# --- One program --------------------------------------------------------------------------------


def test_equal_shapes_are_compiled_once():
    def apply(w, x):
        return jnp.tanh(x @ w)

    jinit.propagate(apply, W[0], X)
    with compilations() as compiled:
        first = jinit.propagate(apply, W[1], X)
        second = jinit.propagate(apply, W[2], 2 * X, key=jax.random.key(3))
    assert first.rows[1].forward != second.rows[1].forward
    assert compiled == []
    with compilations() as compiled:
        jinit.propagate(apply, W[1], X[:3])
    assert len(compiled) >= 1


def test_other_options_or_arguments_that_are_no_arrays_are_another_program():
    def apply(w, x, double=False):
        return (2 if double else 1) * (x @ w)

    once = jinit.propagate(apply, W[0], X).of_kind("output")[0]
    twice = jinit.propagate(apply, W[0], X, double=True).of_kind("output")[0]
    assert twice.forward.std == pytest.approx(2 * once.forward.std, rel=1e-6)
    assert jinit.propagate(apply, W[0], X, backward=False).rows[0].backward is None
