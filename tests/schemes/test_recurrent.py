"""Fused recurrent kernels: orthogonal blocks, independent, where the cell reads them."""

import jax
import numpy as np
import pytest

import jinit

KEY = jax.random.key(7)


def test_blocks_are_different_matrices():
    w = np.asarray(jinit.block_orthogonal()(KEY, (8, 32)), np.float64)
    blocks = np.split(w, 4, axis=1)
    for i in range(4):
        for j in range(i):
            assert np.abs(blocks[i] - blocks[j]).max() > 0.1


def test_whole_is_not_one_orthogonal_matrix():
    w = np.asarray(jinit.block_orthogonal()(KEY, (8, 32)), np.float64)
    np.testing.assert_allclose(w @ w.T, 4 * np.eye(8), atol=1e-4)


def test_std_is_exact():
    for init, shape in [
        (jinit.block_orthogonal(3.0), (8, 32)),
        (jinit.block_orthogonal(blocks=4), (16, 32)),
        (jinit.block_orthogonal(blocks=2), (8, 64)),
        (jinit.block_orthogonal(axis=-2), (2, 32, 8)),
    ]:
        w = np.asarray(init(KEY, shape), np.float64)
        assert np.sqrt((w**2).mean()) == pytest.approx(init.std(shape), rel=1e-5)


def test_members_of_a_batch_differ():
    w = np.asarray(jinit.block_orthogonal()(KEY, (2, 8, 8)))
    assert np.abs(w[0] - w[1]).max() > 0.1


def test_errors():
    with pytest.raises(
        ValueError, match=r"axis -1 \(=20\) of the kernel \(8, 20\) must be a multi"
    ):
        jinit.block_orthogonal()(KEY, (8, 20))
    with pytest.raises(ValueError, match=r"multiple of its other axis \(=8\); `blocks` says how"):
        jinit.block_orthogonal()(KEY, (8, 4))
    with pytest.raises(ValueError, match=r"must be a multiple of `blocks` \(=3\)"):
        jinit.block_orthogonal(blocks=3)(KEY, (8, 32))
    with pytest.raises(ValueError, match=r"`axis` \(=0\) must be -1, blocks side by side, or -2"):
        jinit.block_orthogonal(axis=0)
    with pytest.raises(ValueError, match=r"`blocks` \(=0\) must be at least 1"):
        jinit.block_orthogonal(blocks=0)
    with pytest.raises(ValueError, match=r"`shape` \(=\(8,\)\) is 1-D"):
        jinit.block_orthogonal()(KEY, (8,))
