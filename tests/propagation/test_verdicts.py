"""Verdicts on networks made to deserve them, and on networks made not to."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

WIDTH, BATCH, DEPTH = 64, 16, 12
rng = np.random.default_rng(3)
X = rng.normal(0, 1, (BATCH, WIDTH)).astype(np.float32)


def orthogonal(depth=DEPTH, width=WIDTH):
    found = [np.linalg.qr(rng.normal(0, 1, (width, width)))[0] for _ in range(depth)]
    return np.stack(found).astype(np.float32)


Q = orthogonal()


def deep(activation):
    def apply(w, x):
        return jax.lax.scan(lambda x, w: (activation(x @ w), None), x, w)[0]

    return apply


LINEAR, RELU, TANH = deep(lambda x: x), deep(jax.nn.relu), deep(jnp.tanh)


def verdicts(apply, params, x=X, **options):
    report = jinit.propagate(apply, params, x, **options)
    return {verdict.kind: verdict for verdict in report.verdicts}, report


# --- Scale: rates of orthogonal linear layers are known exactly ---------------------------------


def test_a_signal_that_passes_is_fine():
    found, report = verdicts(LINEAR, Q)
    assert set(found) == {"fine"}
    assert report.ok
    assert found["fine"].text == "the signal passes: 1.0x a layer forwards, 1.0x a layer back"
    assert found["fine"].severity == "fine"


@pytest.mark.parametrize(("factor", "severity"), [(0.71, "warning"), (0.2, "error")])
def test_what_shrinks_by_a_known_factor_vanishes(factor, severity):
    found, report = verdicts(LINEAR, np.float32(factor) * Q)
    assert not report.ok
    assert set(found) == {"vanishing signal", "vanishing gradient"}
    layer = {0.71: 41, 0.2: 9}[factor]  # the first power of the factor under a millionth
    assert factor**layer < 1e-6 < factor ** (layer - 1)
    forward, back = found["vanishing signal"], found["vanishing gradient"]
    assert re.fullmatch(
        rf"the signal shrinks {factor}x a layer: from \S+ at w?\S*\[0\] to \S+ at \S*\[11\]; "
        rf"it vanishes by layer {layer}",
        forward.text,
    )
    assert re.fullmatch(
        rf"the gradient shrinks {factor}x a layer on the way back: from \S+ at \S*\[11\] to \S+ at "
        rf"\S*\[0\]; it vanishes by layer {layer}",
        back.text,
    )
    assert forward.severity == back.severity == severity


def test_what_grows_explodes():
    found, _ = verdicts(LINEAR, np.float32(2) * Q)
    assert set(found) == {"exploding signal", "exploding gradient"}
    assert "the signal grows 2.0x a layer" in found["exploding signal"].text
    assert found["exploding gradient"].text.endswith("it is a million times as large by layer 20")


@pytest.mark.parametrize(("change", "flagged"), [(9.0, False), (11.0, True)])
def test_a_factor_of_ten_from_end_to_end_is_the_threshold(change, flagged):
    """Eleven steps from the first layer to the last."""
    found, _ = verdicts(LINEAR, np.float32(change ** (-1 / 11)) * Q)
    assert ("vanishing signal" in found) is flagged
    assert ("vanishing gradient" in found) is flagged


def test_where_most_of_it_happens_is_named():
    weights = Q.copy()
    weights[5] *= 1e-3
    found, _ = verdicts(LINEAR, weights)
    assert re.search(r"most of it between \S*\[4\] and \S*\[5\]$", found["vanishing signal"].text)
    # what leaves layer 5 is small, what comes back to layer 5 is not yet
    assert re.search(r"between \S*\[5\] and \S*\[4\]$", found["vanishing gradient"].text)


@pytest.mark.parametrize("factor", [0.05, 1e-4])
def test_a_small_head_is_a_note(factor):
    weights = Q.copy()
    weights[11] *= factor
    found, report = verdicts(LINEAR, weights)
    assert set(found) == {"small head", "fine"}
    assert found["small head"].severity == "note"
    assert re.fullmatch(
        r"the last layer starts small: \S+ comes out of \S*\[11\], after \S+ at \S*\[10\]; "
        r"gradients before it are as much smaller until it has grown",
        found["small head"].text,
    )
    assert report.ok


def test_a_small_head_does_not_hide_what_is_before_it():
    weights = np.float32(0.5) * Q
    weights[11] *= 1e-3
    found, _ = verdicts(LINEAR, weights)
    assert {"vanishing signal", "vanishing gradient"} <= set(found)
    assert "small head" not in found


def test_a_last_layer_that_does_the_lesser_part_is_no_small_head():
    weights = Q.copy()
    weights[5] /= 8
    weights[11] /= 2
    found, _ = verdicts(LINEAR, weights)
    assert "small head" not in found
    assert re.search(r"most of it between \S*\[4\] and \S*\[5\]$", found["vanishing signal"].text)


# --- Units --------------------------------------------------------------------------------------


def biased(params, x):
    return jax.nn.relu(x @ params["w"] + params["b"][None]) @ params["w"]


@pytest.mark.parametrize(
    ("dead", "severity"), [(0, None), (31, None), (32, "warning"), (59, "error")]
)
def test_dead_units(dead, severity):
    bias = np.full(WIDTH, 3, np.float32)
    bias[:dead] = -30
    found, report = verdicts(biased, {"w": Q[0], "b": bias})
    assert report.of_kind("activation")[0].forward.dead == pytest.approx(dead / WIDTH)
    assert ("dead" in found) == bool(severity)
    if severity:
        text = f"{dead / WIDTH:.0%} of the units after w (relu) are dead: 0 for every input"
        assert (found["dead"].text, found["dead"].severity) == (text, severity)
        assert found["dead"].where == ("w",)


@pytest.mark.parametrize(("factor", "severity"), [(1.0, None), (5.0, "warning"), (100.0, "error")])
def test_saturated_entries(factor, severity):
    found, report = verdicts(TANH, np.float32(factor) * Q[:2])
    shares = [row.forward.saturated for row in report.of_kind("activation")]
    hand = np.tanh(factor * X.astype(float) @ Q[0])
    assert shares[0] == pytest.approx((1 - hand**2 < 0.05).mean(), abs=2 / X.size)
    assert ("saturated" in found) == bool(severity)
    if severity:
        assert found["saturated"].severity == severity
        assert re.match(
            rf"{max(shares):.0%} of what comes out after activation\[\d\] \(tanh\) is saturated, "
            r"with slopes under 5% of the largest",
            found["saturated"].text.replace("over 99%", "100%"),
        )


# --- Inputs -------------------------------------------------------------------------------------


def test_inputs_that_become_the_same_though_the_variance_is_kept():
    wide, depth = 128, 40
    w = rng.normal(0, (2 / wide) ** 0.5, (depth, wide, wide)).astype(np.float32)
    found, report = verdicts(RELU, w, rng.normal(0, 1, (BATCH, wide)).astype(np.float32))
    trunk = report.trunk()
    assert 1 / 3 < trunk[-1].forward.rms / trunk[0].forward.rms < 3
    verdict = found["collapse"]
    assert re.match(
        r"inputs become indistinguishable: their correlation, -?0\.0\d* at input, is 0\.9\d+ at "
        r"\S*\[39\] and passes 0\.95 at layer \d+\. The variance is kept all the same, so that "
        r"rescaling weights \(as LSUV does\) will not help: residual branches or normalization",
        verdict.text,
    )
    there = int(re.search(r"at layer (\d+)", verdict.text)[1])
    assert trunk[there - 1].forward.correlation >= 0.95 > trunk[there - 2].forward.correlation


def test_without_a_kept_variance_rescaling_is_not_spoken_of():
    wide, depth = 128, 40
    w = rng.normal(0, (1.6 / wide) ** 0.5, (depth, wide, wide)).astype(np.float32)
    found, _ = verdicts(RELU, w, rng.normal(0, 1, (BATCH, wide)).astype(np.float32))
    assert "vanishing signal" in found
    assert "LSUV" not in found["collapse"].text


def test_inputs_that_are_alike_to_begin_with():
    found, _ = verdicts(LINEAR, Q, (X * 0.1 + 1).astype(np.float32))
    assert found["alike inputs"].severity == "note"
    assert re.match(
        r"the inputs are alike to begin with \(correlation 0\.99\d*\); subtract their mean",
        found["alike inputs"].text,
    )
    assert "collapse" not in found


def test_one_input_alone_has_no_correlation_but_means():
    found, report = verdicts(LINEAR, Q, X[:1])
    assert {row.forward.correlation for row in report.rows} == {None}
    assert found["mean"].severity == "warning"
    assert "the units' means make up 100% of the mean square" in found["mean"].text


# --- What is broken -----------------------------------------------------------------------------


def test_a_parameter_that_holds_nan_is_named():
    weights = {"a": Q[0], "b": Q[1].copy()}
    weights["b"][3, 4] = np.nan
    found, report = verdicts(lambda p, x: x @ p["a"] @ p["b"], weights)
    first, second, *_ = [verdict.text for verdict in report.verdicts]
    assert first == "parameter b holds NaN"
    assert second == "NaN first comes out of b (dense)"
    assert {found["nonfinite"].severity} == {"error"}


def test_infinities_are_named_where_they_first_come_out():
    found, _ = verdicts(LINEAR, np.float32(1e12) * Q)
    assert re.fullmatch(
        r"an infinity first comes out of \S*\[3\] \(dense\)", found["nonfinite"].text
    )
    assert "the signal grows 1.0e12x a layer" in found["exploding signal"].text


def test_nan_on_the_way_back_alone():
    def apply(w, x):
        return jnp.sqrt(jnp.maximum(x @ w, 0) * 0)

    found, _ = verdicts(apply, Q[0])
    assert found["nonfinite"].text == "on the way back, NaN first arrives at w (dense)".replace(
        "at w", "at linear"
    )


def test_zeros_at_the_start_are_an_error_and_at_the_end_a_note():
    def apply(params, x):
        for w in params:
            x = jnp.tanh(x @ w)
        return x

    nothing = np.zeros_like(Q[0])
    found, _ = verdicts(apply, [nothing, *Q[:4]])
    assert found["zero"].severity == "error"
    assert found["zero"].text == "the signal is 0 from 0 (dense) on: 0 is 0"
    found, _ = verdicts(apply, [*Q[:4], nothing])
    assert found["zero"].severity == "note"
    assert found["no gradient"].severity == "note"
    assert found["no gradient"].text == (
        "no gradient comes back to 3, nor to what is before it: 4 is 0"
    )


def test_parameters_that_no_gradient_reaches_are_noted():
    def apply(params, x):
        return x @ params["a"] + jax.lax.stop_gradient(x @ params["b"])

    found, report = verdicts(apply, {"a": Q[0], "b": Q[1]})
    assert report.ok
    assert found["no gradient"].text == "no gradient reaches b"


def test_uneven_gradients():
    def apply(params, x):
        return x @ params["large"] + x @ params["small"] + x @ params["other"]

    params = {"large": 300 * Q[0], "small": Q[1] / 300, "other": Q[2]}
    found, _ = verdicts(apply, params)
    assert re.fullmatch(
        r"gradients are uneven: over the weight's own size, \S+ at small and \S+ at large",
        found["uneven"].text,
    )
    found, _ = verdicts(apply, params | {"large": 3 * Q[0]})
    assert "uneven" not in found


@pytest.mark.parametrize(("spike", "flagged"), [(99.0, False), (101.0, True)])
def test_a_badly_conditioned_jacobian(spike, flagged):
    """Twenty singular values, so that all are found; one of them larger than the others."""
    values = np.ones(20)
    values[0] = spike
    u, v = np.linalg.qr(rng.normal(0, 1, (WIDTH, 20)))[0], orthogonal(1, 20)[0]
    spiked = ((u * values) @ v).astype(np.float32)
    found, report = verdicts(lambda w, x: x @ w, spiked, jacobian=True, backward=False)
    assert report.spectrum.largest == pytest.approx(spike, rel=1e-4)
    assert ("spectrum" in found) is flagged
    if flagged:
        assert found["spectrum"].text == (
            "the Jacobian from inputs to outputs is badly conditioned: half of its singular values "
            "are 1.0 or less, and the largest is 100"
        )
