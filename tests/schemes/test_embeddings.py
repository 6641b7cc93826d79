"""Embeddings: their fan is the number of features."""

import flax.linen as nn
import jax
import numpy as np
import pytest

import jinit

KEY = jax.random.key(13)


def test_law_is_that_of_flax():
    """Its own initializer's standard deviation at this shape, within 5.33 standard errors."""
    shape = (500, 16)
    theirs = nn.initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=0)(KEY, shape)
    ours = jinit.embedding().std(shape)
    assert float(theirs.std()) == pytest.approx(ours, rel=5.33 / np.sqrt(2 * 8000))


def test_vocabulary_counts_for_nothing():
    assert jinit.embedding().std((10, 64)) == jinit.embedding().std((10**6, 64)) == 0.125


def test_scale_of_the_root_of_features_is_unit_variance():
    assert jinit.embedding(scale=8.0).std((10, 64)) == 1.0


def test_no_features():
    assert jinit.embedding()(KEY, (5, 0)).shape == (5, 0)


def test_errors():
    with pytest.raises(
        ValueError, match=r"`stddev` \(=0.02\) and by `scale` \(=2.0\); give it one"
    ):
        jinit.embedding(0.02, scale=2.0)
    with pytest.raises(ValueError, match=r"`stddev` \(=-1.0\) must be >= 0"):
        jinit.embedding(-1.0)
    with pytest.raises(ValueError, match=r"`scale` \(=-1.0\) must be >= 0"):
        jinit.embedding(scale=-1.0)
    with pytest.raises(ValueError, match=r"`shape` \(=\(\)\) has no axis"):
        jinit.embedding()(KEY, ())
