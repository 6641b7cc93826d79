"""Cases of bilinear kernels and of ICNR."""

import numpy as np
from catalogue import Case
from oracles import assert_normal

import jinit


def _equals(expected: np.ndarray):
    def check(weights: np.ndarray) -> None:
        np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-7)

    return check


FOUR = np.array([0.25, 0.75, 0.75, 0.25])
THREE = np.array([0.5, 1.0, 0.5])
FIVE = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 3
PLANE = np.outer(FOUR, THREE)


def _repeated(pixels: int):
    def check(weights: np.ndarray) -> None:
        blocks = weights.reshape(*weights.shape[:-1], -1, pixels)
        assert (blocks == blocks[..., :1]).all()
        assert_normal(blocks[..., 0], 0.5)

    return check


def _tiled(pixels: int):
    def check(weights: np.ndarray) -> None:
        blocks = weights.reshape(*weights.shape[:-1], pixels, -1)
        assert (blocks == blocks[..., :1, :]).all()
        assert_normal(blocks[..., 0, :], 0.5)

    return check


def _fixed(init, shape, expected, empty=None) -> Case:
    return Case(init, shape, check=_equals(expected), random=False, empty=empty)


CASES = [
    _fixed(jinit.bilinear(), (5, 2, 2), FIVE[:, None, None] * np.eye(2), empty=(5, 0, 0)),
    _fixed(jinit.bilinear(), (4, 3, 2, 2), PLANE[..., None, None] * np.eye(2), empty=(4, 3, 0, 0)),
    _fixed(
        jinit.bilinear(),
        (3, 4, 4, 1, 1),
        np.einsum("i,j,k->ijk", THREE, FOUR, FOUR)[..., None, None],
    ),
    _fixed(jinit.bilinear(groups=3), (4, 3, 1, 3), PLANE[..., None, None] * np.ones((1, 3))),
    _fixed(jinit.bilinear(channels="all"), (4, 3, 2, 5), PLANE[..., None, None] * np.ones((2, 5))),
    Case(jinit.icnr(jinit.normal(0.5), 2), (3, 3, 20, 40), check=_repeated(4), empty=(3, 3, 0, 4)),
    Case(jinit.icnr(jinit.normal(0.5), 2, order="dcr"), (3, 3, 20, 40), check=_tiled(4)),
    Case(jinit.icnr(jinit.normal(0.5), (2, 3)), (40, 240), check=_repeated(6)),
]
