"""Uniform unit scaling against Haiku's, whose formula it is."""

import jax
import numpy as np
import pytest

import jinit

KEY = jax.random.key(19)


@pytest.mark.parametrize("shape", [(27, 4000), (3, 3, 3, 4000), (4000,)])
def test_bound_is_haikus(shape):
    hk = pytest.importorskip("haiku")
    draw = hk.transform(lambda: hk.initializers.UniformScaling(0.7)(shape, np.float32))
    theirs = np.abs(draw.apply({}, KEY)).max()
    ours = np.abs(jinit.uniform_unit_scaling(0.7)(KEY, shape)).max()
    assert float(ours) == pytest.approx(float(theirs), rel=20 / 4000)


def test_scale_must_not_be_negative():
    with pytest.raises(ValueError, match=r"`scale` \(=-1.0\) must be >= 0"):
        jinit.uniform_unit_scaling(-1.0)
