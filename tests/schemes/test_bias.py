"""Biases: torch's law, and priors whose first loss is the prior's entropy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(11)


@pytest.mark.parametrize("fan_in", [1, 7, 300])
def test_bound_is_torchs(fan_in):
    torch = pytest.importorskip("torch")
    bias = np.asarray(jinit.torch_bias(fan_in)(KEY, (4000,)))
    theirs = torch.nn.Linear(fan_in, 4000).bias.detach().numpy()
    # The largest of n uniform values lies within 20 / n of the bound but for one chance in e^20.
    bound = 1 / np.sqrt(fan_in)
    for values in (bias, theirs):
        assert bound * (1 - 40 / 4000) < np.abs(values).max() <= bound * (1 + 1e-6)
    assert bias.min() < 0 < bias.max()


def test_no_inputs_give_zeros_as_in_torch():
    assert jinit.torch_bias(0)(KEY, (3,)).tolist() == [0, 0, 0]


def test_sigmoid_predicts_the_prior():
    p = np.array([0.001, 0.2, 0.5, 0.9])
    bias = np.asarray(jinit.prior_bias(p)(None, (4,)), np.float64)
    np.testing.assert_allclose(1 / (1 + np.exp(-bias)), p, rtol=1e-5)


def test_first_loss_of_a_softmax_is_the_priors_entropy():
    counts = np.array([700, 200, 90, 10])
    frequencies = counts / counts.sum()
    logits = jinit.prior_bias(counts=counts)(None, (4,))
    loss = -(frequencies * np.asarray(jax.nn.log_softmax(logits), np.float64)).sum()
    assert loss == pytest.approx(-(frequencies * np.log(frequencies)).sum(), rel=1e-6)
    assert float(jnp.exp(logits).sum()) == pytest.approx(1, rel=1e-6)


def test_frequencies_serve_as_counts():
    by_count = jinit.prior_bias(counts=[9, 1])(None, (2,))
    by_frequency = jinit.prior_bias(counts=[0.9, 0.1])(None, (2,))
    np.testing.assert_allclose(by_count, by_frequency, rtol=1e-6)


def test_counts_repeat_along_leading_axes():
    bias = np.asarray(jinit.prior_bias(counts=[1, 1])(None, (3, 2)))
    np.testing.assert_allclose(bias, np.full((3, 2), np.log(0.5)), rtol=1e-6)


def test_float16_rounds_the_float32_value():
    """These log odds lie just above a tie of float16, and float32 rounds them onto it."""
    log_odds = 1 + 2.0**-11 + 2.0**-30
    init = jinit.prior_bias(1 / (1 + np.exp(-log_odds)))
    wide = np.asarray(init(None, (1,)))
    np.testing.assert_array_equal(init(None, (1,), jnp.float16), wide.astype(np.float16))


def test_errors():
    with pytest.raises(ValueError, match=r"`fan_in` \(=-1\) must be >= 0"):
        jinit.torch_bias(-1)
    with pytest.raises(TypeError, match=r"`fan_in` \(=\(1, 2\)\) must be one number"):
        jinit.torch_bias((1, 2))
    with pytest.raises(ValueError, match=r"give one of the two"):
        jinit.prior_bias()
    with pytest.raises(
        ValueError, match=r"`probability` \(=0.1\), .* or by `counts` \(=\(1, 2\)\)"
    ):
        jinit.prior_bias(0.1, counts=[1, 2])
    for p in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match=r"must be strictly between 0 and 1"):
            jinit.prior_bias(p)
    with pytest.raises(ValueError, match=r"`counts` has no example of class 1, .* `smoothing`"):
        jinit.prior_bias(counts=[5, 0, 2])
    with pytest.raises(ValueError, match=r"must be >= 0"):
        jinit.prior_bias(counts=[5, -1])
    with pytest.raises(ValueError, match=r"`counts` \(=3\) must be a list"):
        jinit.prior_bias(counts=3)
    with pytest.raises(ValueError, match=r"`smoothing` \(=1\) belongs to `counts`"):
        jinit.prior_bias(0.1, smoothing=1)
    with pytest.raises(ValueError, match=r"`counts` has 2 classes and the bias \(4,\) another"):
        jinit.prior_bias(counts=[1, 2])(None, (4,))
    with pytest.raises(ValueError, match=r"`probability` has shape \(2,\), which does not broad"):
        jinit.prior_bias([0.1, 0.2])(None, (4,))
