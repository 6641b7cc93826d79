"""Programs run operation by operation: equal values and gradients, and what goes beside them."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinit.evaluation.evaluator import Evaluator, run_operation
from jinit.evaluation.tape import Tape
from jinit.tracing.jaxprs import make_program
from jinit.tracing.ledger import Scope

X = np.linspace(-1.0, 2.0, 12, dtype=np.float32).reshape(3, 4)
W = np.cos(np.arange(48, dtype=np.float32)).reshape(3, 4, 4)


def layers(w, x):
    return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), x.sum()), x, w)


def backwards(w, x):
    return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), x.sum()), x, w, reverse=True, unroll=2)


def branch(w, x):
    return jax.lax.cond(x.sum() > 0, lambda: x @ w[0], lambda: jnp.sin(x) @ w[1])


def switch(w, x):
    return jax.lax.switch(2, [lambda: x, lambda: 2 * x, lambda: x @ w[1]])


def doubling(w, x):
    return jax.lax.while_loop(lambda c: c[0] < 5, lambda c: (c[0] + 1, 2 * c[1] @ w[0]), (0, x))


def recomputed(w, x):
    policy = jax.checkpoint_policies.dots_saveable
    inner = jax.checkpoint(lambda x: jnp.sin(x @ w[0]), policy=policy)
    return jax.checkpoint(inner)(x)


def activated(w, x):
    return jax.nn.relu(x @ w[0]) + jax.jit(jax.nn.gelu)(x)


@jax.custom_vjp
def straight(x):
    return jnp.round(x)


straight.defvjp(lambda x: (jnp.round(x), None), lambda _, g: (3 * g,))


def with_its_own_derivative(w, x):
    return straight(x @ w[0])


def nested(w, x):
    def body(x, w):
        taken = jnp.isfinite(x.sum())
        return jax.lax.cond(taken, lambda: layers(w[None], x)[0], lambda: x), x.mean()

    return jax.lax.scan(jax.checkpoint(body), x, w)


def random(w, x):
    key = jax.random.key(0)
    return jax.vmap(lambda k: jax.random.normal(k, (4,)))(jax.random.split(key, 3)) + x @ w[0]


PROGRAMS = [
    layers,
    backwards,
    branch,
    switch,
    recomputed,
    activated,
    with_its_own_derivative,
    nested,
    random,
]


def flat(function):
    return lambda *args: jax.tree.leaves(function(*args))


def run(function, evaluator, tape=None, args=(W, X)):
    program = make_program(flat(function), *args)
    tape = Tape() if tape is None else tape
    return jax.jit(lambda *args: evaluator.through(program, args, Scope(), tape))(*args)


@pytest.mark.parametrize("function", [*PROGRAMS, doubling], ids=lambda f: f.__name__)
@pytest.mark.parametrize("derivatives", [False, True])
def test_values_are_those_of_the_program(function, derivatives):
    outcome = run(function, Evaluator(derivatives=derivatives))
    expected = jax.tree.leaves(jax.jit(function)(W, X))
    chex.assert_trees_all_equal_shapes_and_dtypes(outcome, expected)
    chex.assert_trees_all_close(outcome, expected, rtol=1e-6)


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_gradients_are_those_of_the_program(function):
    program = make_program(flat(function), W, X)
    evaluator = Evaluator(derivatives=True)

    def total(outcome):
        return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(outcome))

    ours = jax.grad(lambda *a: total(evaluator.through(program, a, Scope(), Tape())), (0, 1))
    theirs = jax.grad(lambda *a: total(function(*a)), (0, 1))
    chex.assert_trees_all_close(jax.jit(ours)(W, X), jax.jit(theirs)(W, X), rtol=1e-5, atol=1e-6)


def test_without_derivatives_even_what_has_its_own_is_gone_into():
    met = []

    def step(eqn, scope, values, tape):
        met.append(eqn.primitive.name)
        return run_operation(eqn, values)

    run(with_its_own_derivative, Evaluator(step))
    assert "round" in met
    met.clear()
    run(with_its_own_derivative, Evaluator(step, derivatives=True))
    assert "round" not in met


# --- beside the values --------------------------------------------------------------------------


def dots(step):
    """A step for products only, by what it makes of their outcome."""

    def run_step(eqn, scope, values, tape):
        outcome = run_operation(eqn, values)
        if eqn.primitive.name != "dot_general":
            return outcome
        return [step(scope.place(eqn), outcome[0], tape)]

    return Evaluator(run_step, derivatives=True)


def noting(place, y, tape):
    tape.notes[place] = {"rms": jnp.sqrt(jnp.mean(y**2))}
    return y


def notes_of(function):
    tape = Tape()
    evaluator = dots(noting)
    program = make_program(flat(function), W, X)

    def evaluate(w, x):
        evaluator.through(program, [w, x], Scope(), tape)
        return list(tape.notes.values())

    return [note["rms"] for note in jax.jit(evaluate)(W, X)]


def by_hand():
    x, found = X.astype(np.float64), []
    for w in W:
        x = x @ w
        found.append(np.sqrt((x**2).mean()))
        x = np.tanh(x)
    return np.array(found)


def test_a_scan_stacks_notes():
    (note,) = notes_of(layers)
    chex.assert_shape(note, (3,))
    np.testing.assert_allclose(note, by_hand(), rtol=1e-5)


def test_notes_of_branches_that_are_not_taken_are_nan():
    taken, other = notes_of(branch)
    chex.assert_shape([taken, other], ())
    chex.assert_tree_all_finite(other)  # branch 1 is taken: the sum is positive
    assert np.isnan(taken)


def test_loops_of_unknown_length_drop_notes():
    assert notes_of(doubling) == []


@pytest.mark.parametrize("function", [nested, recomputed], ids=lambda f: f.__name__)
def test_notes_leave_nested_parts(function):
    (note,) = notes_of(function)
    chex.assert_shape(note, {"nested": (3, 1), "recomputed": ()}[function.__name__])
    chex.assert_tree_all_finite(note)


@pytest.mark.parametrize(
    ("function", "count"), [(layers, 3), (branch, 1), (doubling, 5), (nested, 3), (recomputed, 1)]
)
def test_state_goes_through_everything(function, count):
    def counting(place, y, tape):
        tape.state["seen"] += 1
        return y

    program = make_program(flat(function), W, X)

    def evaluate(w, x):
        tape = Tape(state={"seen": jnp.int32(0)})
        dots(counting).through(program, [w, x], Scope(), tape)
        return tape.state["seen"]

    assert jax.jit(evaluate)(W, np.abs(X)) == count


def test_slots_are_handed_to_each_step_of_a_scan():
    place_of = []
    Evaluator(
        lambda eqn, scope, values, tape: (
            place_of.append((eqn.primitive.name, scope.place(eqn))) or run_operation(eqn, values)
        )
    ).through(program := make_program(flat(layers), W, X), [W, X], Scope(), Tape())
    place = dict(place_of)["dot_general"]
    factors = jnp.array([2.0, 3.0, 5.0])
    evaluator = dots(lambda at, y, tape: y * tape.slots[at])

    def evaluate(w, x, factors):
        return evaluator.through(program, [w, x], Scope(), Tape(slots={place: factors}))

    expected = layers(W * np.asarray(factors)[:, None, None], X)
    chex.assert_trees_all_close(
        jax.jit(evaluate)(W, X, factors), jax.tree.leaves(expected), rtol=1e-5
    )
    # And gradients come back by slot: how the sum of all outcomes depends on each factor.
    found = jax.grad(lambda f: sum(leaf.sum() for leaf in evaluate(W, X, f)))(factors)
    chex.assert_shape(found, (3,))
    for i, h in enumerate(np.eye(3, dtype=np.float32) * 1e-2):
        ends = [sum(float(v.sum()) for v in evaluate(W, X, factors + s * h)) for s in (1, -1)]
        np.testing.assert_allclose(found[i], (ends[0] - ends[1]) / 2e-2, rtol=2e-2, atol=2e-3)
