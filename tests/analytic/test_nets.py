"""Whole nets: unit variance by Monte Carlo, and every linear outcome as it was predicted.

A net's output has the variance 1 within 15%, and each linear outcome that of the report within 10%,
on the average over draws of weights and inputs. Of a single draw the variance is off by some 20%
where much of an outcome is the same for all inputs, as behind rectifiers: with n outputs of
independent weights by sqrt(2 / n) a layer. Averages over 16 draws are good to 5%.
"""

import jax
import numpy as np
import pytest
from analytic.nets import NETS
from analytic.running import average, fresh_inputs, runner

import jinit

DRAWS = 16

# What compiles in no time; the others run with the slow tests.
FAST = (
    "relu",
    "gates",
    "dense net",
    "experts",
    "ragged experts",
    "causal attention",
    "one-hot",
    "scanned tanh",
    "shared block",
    "weight normalization",
    "noise",
    "norm and maximum",
    "squeeze and excitation",
)
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in NETS if name not in FAST]


def outcomes(net):
    """The report of a last draw, and averages over draws: predicted and measured variances."""
    draws = [net.draw(jax.random.key(100 + seed)) for seed in range(DRAWS)]
    measure = runner(net.apply, draws[0], net.inputs, **net.options)
    rows, finals, predicted = [], [], []
    for seed, params in enumerate(draws):
        params, report = jinit.autoinit(net.apply, params, *net.inputs, **net.options)
        measured = measure(params, fresh_inputs(seed, net.inputs))
        rows.append(measured.variances)
        finals.append(np.var(measured.output))
        predicted.append([output.std**2 for output in report.outputs])
    assert np.shape(predicted) == np.shape(rows)
    return report, average(predicted), average(rows), np.mean(finals)


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_unit_variance(name):
    report, predicted, measured, final = outcomes(NETS[name])
    assert report.approximations == ()
    assert final == pytest.approx(1, rel=0.15)
    np.testing.assert_allclose(predicted, measured, rtol=0.1)


def test_there_are_enough_nets():
    assert len(NETS) >= 30
    assert set(FAST) <= set(NETS)
