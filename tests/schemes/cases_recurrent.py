"""Cases of recurrent kernels."""

import numpy as np
from catalogue import Case

import jinit


def _blocks_of(split, scale: float = 1.0):
    """Every block `b` of `split(weights)` has b.T b = scale^2 I, or b b.T where it is wide."""

    def check(weights: np.ndarray) -> None:
        for block in split(weights):
            tall = block if block.shape[0] >= block.shape[1] else block.T
            gram = tall.T @ tall
            np.testing.assert_allclose(gram, scale**2 * np.eye(gram.shape[0]), atol=1e-5)

    return check


CASES = [
    Case(
        jinit.block_orthogonal(),
        (16, 64),
        check=_blocks_of(lambda w: np.split(w, 4, axis=1)),
        empty=(0, 4, 16),
    ),
    Case(
        jinit.block_orthogonal(2.0, axis=-2),
        (48, 16),
        check=_blocks_of(lambda w: np.split(w, 3, axis=0), 2.0),
    ),
    Case(
        jinit.block_orthogonal(blocks=2),
        (3, 16, 12),
        check=_blocks_of(lambda w: [b for layer in w for b in np.split(layer, 2, axis=1)]),
    ),
]
