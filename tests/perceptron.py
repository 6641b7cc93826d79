"""The demo's network by hand, in float64 NumPy: forward pass, loss, gradients."""

from typing import NamedTuple

import numpy as np

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


class Pass(NamedTuple):
    """Pre-activations of the hidden layers, and gradients of each image's loss for them."""

    pre_activations: list[np.ndarray]
    deltas: list[np.ndarray]
    logits: np.ndarray
    losses: np.ndarray
    gradients: list[tuple[np.ndarray, np.ndarray]]


def weights(params) -> list[tuple[np.ndarray, np.ndarray]]:
    layers = [params[f"Dense_{i}"] for i in range(len(params))]
    return [(np.asarray(p["kernel"], float), np.asarray(p["bias"], float)) for p in layers]


def run(layers, images, labels, activation: str = "relu") -> Pass:
    """Forward and backward; `gradients` are those of the mean loss."""
    function, slope = ACTIVATIONS[activation]
    inputs, zs = [np.asarray(images, float)], []
    for kernel, bias in layers[:-1]:
        zs.append(inputs[-1] @ kernel + bias)
        inputs.append(function(zs[-1]))
    logits = inputs[-1] @ layers[-1][0] + layers[-1][1]
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    target = np.eye(logits.shape[1])[labels]
    delta = np.exp(log_p) - target
    deltas = [delta]
    for (kernel, _), z in zip(layers[:0:-1], zs[::-1], strict=True):
        deltas.append(deltas[-1] @ kernel.T * slope(z))
    deltas = deltas[::-1]
    gradients = [
        (x.T @ d / len(labels), d.mean(axis=0)) for x, d in zip(inputs, deltas, strict=True)
    ]
    return Pass(zs, deltas[:-1], logits, -(log_p * target).sum(axis=1), gradients)


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
