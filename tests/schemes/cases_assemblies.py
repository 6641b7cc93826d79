"""Cases of stacked and of fused kernels."""

import numpy as np
from catalogue import Case
from oracles import assert_normal, assert_uniform

import jinit


def _layers(weights: np.ndarray) -> None:
    """fan_in is 25 in each layer, and no layer repeats another."""
    assert_normal(weights, 0.2)
    assert len(np.unique(weights[:, 0, 0])) == len(weights)


def _grid(weights: np.ndarray) -> None:
    assert_normal(weights, 0.5)
    assert len(np.unique(weights[:, :, 0])) == 6


def _orthogonal_layers(weights: np.ndarray) -> None:
    for layer in weights:
        np.testing.assert_allclose(layer.T @ layer, np.eye(8), atol=1e-5)


def _qkv(weights: np.ndarray) -> None:
    """Glorot of each (40, 60) part: bound sqrt(6 / 100)."""
    for part in np.split(weights, 3, axis=1):
        assert_uniform(part, -np.sqrt(0.06), np.sqrt(0.06))


def _grouped(weights: np.ndarray) -> None:
    """The first 20 rows have a fan_in of 20, and the other 10 a spread of their own."""
    assert_normal(weights[:20], np.sqrt(1 / 20))
    assert_normal(weights[20:], 2.0)


CASES = [
    Case(
        jinit.stacked(jinit.lecun_normal(distribution="normal")),
        (5, 25, 40),
        check=_layers,
        empty=(0, 3, 4),
    ),
    Case(jinit.stacked(jinit.normal(0.5), axes=2), (2, 3, 400), check=_grid, empty=(2, 0, 3)),
    Case(jinit.stacked(jinit.orthogonal()), (3, 16, 8), check=_orthogonal_layers),
    Case(jinit.split(jinit.glorot_uniform(), 3), (40, 180), check=_qkv, empty=(0, 9)),
    Case(
        jinit.split(
            [jinit.variance_scaling(1.0, "fan_in", "normal"), jinit.normal(2.0)], (20, 10), axis=0
        ),
        (30, 200),
        check=_grouped,
    ),
]
