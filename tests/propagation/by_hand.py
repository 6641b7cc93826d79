"""Perceptrons forwards and back in float64 NumPy, and what there is to measure of an array."""

from typing import NamedTuple

import numpy as np

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
}


class Pass(NamedTuple):
    """Layer by layer, the first first."""

    pre_activations: list[np.ndarray]
    activations: list[np.ndarray]
    at_pre_activations: list[np.ndarray]
    at_activations: list[np.ndarray]
    at_input: np.ndarray
    at_weights: list[np.ndarray]
    at_biases: list[np.ndarray]


def passes(weights, biases, x, activation, cotangent) -> Pass:
    """Layers `f(x @ w + b)`, every one with the activation; `cotangent` comes back to the last."""
    function, slope = ACTIVATIONS[activation]
    weights, biases = ([np.asarray(a, float) for a in each] for each in (weights, biases))
    inputs, zs = [np.asarray(x, float)], []
    for w, b in zip(weights, biases, strict=True):
        zs.append(inputs[-1] @ w + b)
        inputs.append(function(zs[-1]))
    after, before = [np.asarray(cotangent, float)], []
    for w, z in zip(weights[::-1], zs[::-1], strict=True):
        before.append(after[-1] * slope(z))
        after.append(before[-1] @ w.T)
    before, after = before[::-1], after[::-1]
    return Pass(
        pre_activations=zs,
        activations=inputs[1:],
        at_pre_activations=before,
        at_activations=after[1:],
        at_input=after[0],
        at_weights=[a.T @ d for a, d in zip(inputs, before, strict=False)],
        at_biases=[d.sum(axis=0) for d in before],
    )


def spread(y) -> dict[str, float]:
    """Moments of all entries."""
    return {
        "mean": y.mean(),
        "std": y.std(),
        "rms": np.sqrt((y**2).mean()),
        "peak": np.abs(y).max(),
    }


def mean_share(y, units=-1) -> float:
    """How much of the mean square is that of the units' means."""
    y = np.moveaxis(y, units, -1).reshape(-1, y.shape[units])
    return (y.mean(axis=0) ** 2).mean() / (y**2).mean()


def likeness(y, batch=0) -> tuple[float, float]:
    """Mean cosine over pairs of inputs, pair by pair; and the number of directions."""
    rows = np.moveaxis(y, batch, 0).reshape(y.shape[batch], -1)
    rows = [row / np.linalg.norm(row) for row in rows]
    n = len(rows)
    cosines = [[a @ b for a in rows] for b in rows]
    pairs = [cosines[i][j] for i in range(n) for j in range(n) if i != j]
    return float(np.mean(pairs)), n**2 / sum(c**2 for line in cosines for c in line)
