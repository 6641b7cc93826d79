"""What is measured, against a perceptron by hand in float64 and against plain JAX."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from propagation.by_hand import likeness, mean_share, passes, spread

import jinit

# float32 sums of some hundred terms through five layers
CLOSE = {"rtol": 2e-5, "atol": 2e-6}
WIDTHS = (6, 16, 12, 8)
BATCH = 7
FUNCTIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}

rng = np.random.default_rng(0)
WEIGHTS = [
    rng.normal(0, 1.3 / n**0.5, (n, m)).astype(np.float32) for n, m in itertools.pairwise(WIDTHS)
]
BIASES = [rng.normal(0, 0.5, m).astype(np.float32) for m in WIDTHS[1:]]
BIASES[1][:3] = -50  # three units of twelve are dead
X = rng.normal(0.3, 1, (BATCH, WIDTHS[0])).astype(np.float32)
C = rng.normal(0, 1, (BATCH, WIDTHS[-1])).astype(np.float32)


def network(activation):
    def apply(params, x):
        for layer in params:
            x = FUNCTIONS[activation](x @ layer["w"] + layer["b"][None])
        return x

    return apply


def weigh(outcome):
    return (outcome * C).sum()


PARAMS = [{"w": w, "b": b} for w, b in zip(WEIGHTS, BIASES, strict=True)]
NETWORKS = {name: network(name) for name in FUNCTIONS}


@pytest.fixture(scope="module", params=list(FUNCTIONS))
def both(request):
    """A report, and the same by hand."""
    report = jinit.propagate(NETWORKS[request.param], PARAMS, X, loss=weigh)
    return request.param, report, passes(WEIGHTS, BIASES, X, request.param, C)


def assert_spread(found, expected):
    for name, value in spread(expected).items():
        np.testing.assert_allclose(getattr(found, name), value, err_msg=name, **CLOSE)


def test_rows_are_layers_activations_and_ends_in_order(both):
    activation, report, _ = both
    kinds = [(row.kind, row.operation, row.path, row.layer) for row in report.rows]
    inner = [
        entry
        for n in range(3)
        for entry in (
            ("linear", "dense", f"{n}/w", n + 1),
            ("activation", activation, f"{n}/w", n + 1),
        )
    ]
    assert kinds == [("input", "input", "", 0), *inner, ("output", "output", "", 3)]
    assert [row.shape for row in report.of_kind("linear")] == [(BATCH, m) for m in WIDTHS[1:]]
    assert report.batch == BATCH


def test_forward_moments_are_those_of_float64(both):
    _, report, hand = both
    expected = [
        y for pair in zip(hand.pre_activations, hand.activations, strict=True) for y in pair
    ]
    for row, y in zip(report.rows, [X.astype(float), *expected, expected[-1]], strict=True):
        assert_spread(row.forward, y)
        np.testing.assert_allclose(row.forward.mean_share, mean_share(y), **CLOSE)
        correlation, rank = likeness(y)
        np.testing.assert_allclose(row.forward.correlation, correlation, **CLOSE)
        np.testing.assert_allclose(row.forward.rank, rank, rtol=1e-4)


def test_cotangents_are_those_of_float64(both):
    _, report, hand = both
    pairs = zip(hand.at_pre_activations, hand.at_activations, strict=True)
    expected = [hand.at_input, *(g for pair in pairs for g in pair), C]
    for row, g in zip(report.rows, expected, strict=True):
        assert_spread(row.backward, g)
        norm = np.sqrt((g**2).sum() / BATCH)
        np.testing.assert_allclose(row.backward.norm, norm, **CLOSE)


def test_gradients_of_parameters_are_those_of_float64(both):
    _, report, hand = both
    expected = {f"{n}/w": pair for n, pair in enumerate(zip(WEIGHTS, hand.at_weights, strict=True))}
    expected |= {f"{n}/b": pair for n, pair in enumerate(zip(BIASES, hand.at_biases, strict=True))}
    assert {leaf.path for leaf in report.leaves} == set(expected)
    for leaf in report.leaves:
        value, gradient = expected[leaf.path]
        size, own = spread(value.astype(float))["rms"], spread(gradient)
        np.testing.assert_allclose(leaf.weight_rms, size, **CLOSE)
        np.testing.assert_allclose(leaf.gradient_rms, own["rms"], **CLOSE)
        np.testing.assert_allclose(leaf.gradient_std, own["std"], **CLOSE)
        np.testing.assert_allclose(leaf.gradient_peak, own["peak"], **CLOSE)
        np.testing.assert_allclose(leaf.gradient_norm, np.linalg.norm(gradient), **CLOSE)
        np.testing.assert_allclose(leaf.ratio, own["rms"] / size, **CLOSE)


def test_shares_of_units_and_entries_are_exact(both):
    activation, report, hand = both
    slopes = {
        "tanh": lambda y: 1 - y**2,
        "sigmoid": lambda y: 4 * y * (1 - y),
    }
    for row, y in zip(report.of_kind("activation"), hand.activations, strict=True):
        np.testing.assert_allclose(row.forward.zero, (y == 0).mean(), rtol=1e-6)
        np.testing.assert_allclose(row.forward.dead, (y == 0).all(axis=0).mean(), rtol=1e-6)
        if activation in slopes:
            flat = (slopes[activation](y) < 0.05).mean()
            np.testing.assert_allclose(row.forward.saturated, flat, rtol=1e-6)
        else:
            assert row.forward.saturated is None
    if activation == "relu":
        assert report.of_kind("activation")[1].forward.dead >= 3 / 12


def test_the_loss_is_told(both):
    _, report, hand = both
    np.testing.assert_allclose(report.loss, (hand.activations[-1] * C).sum(), rtol=1e-5)


def test_samples_are_values_of_the_outcome(both):
    _, report, hand = both
    for row, y in zip(report.of_kind("linear"), hand.pre_activations, strict=True):
        assert row.sample.shape == (y.size,)
        np.testing.assert_allclose(np.sort(row.sample), np.sort(y.ravel()), **CLOSE)


# --- What goes back ---------------------------------------------------------------------------


def test_a_model_that_returns_one_number_is_the_loss():
    def loss(params, x):
        return weigh(NETWORKS["tanh"](params, x))

    ours = jinit.propagate(loss, PARAMS, X)
    theirs = jinit.propagate(NETWORKS["tanh"], PARAMS, X, loss=weigh)
    assert [row.backward.rms for row in ours.of_kind("linear")] == pytest.approx(
        [row.backward.rms for row in theirs.of_kind("linear")], rel=1e-5
    )
    assert ours.rows[-1].backward.rms == 1


def test_without_a_loss_cotangents_are_random_of_variance_one():
    def identity(w, x):
        return x * w

    x = np.ones((64, 256), np.float32)
    report = jinit.propagate(identity, np.float32(1), x)
    back = report.rows[-1].backward
    # 16384 normal values: the error of the mean is 0.8 %, that of the std 0.6 %
    assert abs(back.mean) < 5 / 128
    assert back.std == pytest.approx(1, abs=5 * 0.0056)
    other = jinit.propagate(identity, np.float32(1), x, key=jax.random.key(1))
    assert other.rows[-1].backward.mean != back.mean
    again = jinit.propagate(identity, np.float32(1), x)
    assert again.rows[-1].backward == back


def test_a_forward_pass_alone_has_no_way_back():
    report = jinit.propagate(NETWORKS["tanh"], PARAMS, X, backward=False)
    assert {row.backward for row in report.rows} == {None}
    assert {leaf.gradient_rms for leaf in report.leaves} == {None}
    assert {leaf.ratio for leaf in report.leaves} == {None}
    assert report.leaves[0].weight_rms > 0


# --- Numbers that float32 has no squares for, and few digits -----------------------------------


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_squares_neither_vanish_nor_overflow(scale):
    def apply(w, x):
        return x @ w

    x = (X * np.float32(scale)).astype(np.float32)
    report = jinit.propagate(apply, WEIGHTS[0], x, loss=lambda y: (y * jnp.float32(scale)).sum())
    row = report.of_kind("linear")[0]
    expected = spread(X.astype(float) @ WEIGHTS[0])
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(row.forward, name) / scale, value, rtol=1e-5)
    assert row.forward.correlation == pytest.approx(
        likeness(X.astype(float) @ WEIGHTS[0])[0], rel=1e-4
    )
    assert row.backward.rms / scale == pytest.approx(1, rel=1e-6)


def test_bfloat16_is_measured_in_float32():
    def apply(w, x):
        return jax.nn.relu(x @ w)

    x, w = jnp.asarray(X, jnp.bfloat16), jnp.asarray(WEIGHTS[0], jnp.bfloat16)
    report = jinit.propagate(apply, w, x)
    row = report.of_kind("linear")[0]
    assert row.dtype == "bfloat16"
    # The compiler may leave rounding out that the program has: 2**-9 of each of 112 values. Sums
    # in bfloat16 would be off by a hundred times as much.
    for name, value in spread(np.asarray(x @ w, np.float64)).items():
        rtol = 2**-8 if name == "peak" else 1e-3
        np.testing.assert_allclose(getattr(row.forward, name), value, rtol=rtol, atol=1e-3)
    assert report.leaves[0].weight_rms == pytest.approx(spread(np.asarray(w, float))["rms"])
    assert report.of_kind("activation")[0].operation == "relu"


def test_float64_is_measured_in_float64():
    with jax.enable_x64(True):
        w, x = jnp.asarray(WEIGHTS[0], jnp.float64), jnp.asarray(X, jnp.float64)
        report = jinit.propagate(lambda w, x: x @ w, w, x)
    (row,) = report.of_kind("linear")
    outcome = X.astype(float) @ WEIGHTS[0]
    np.testing.assert_allclose(row.forward.std, outcome.std(), rtol=1e-13)
