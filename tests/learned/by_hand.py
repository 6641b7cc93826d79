"""GradInit and MetaInit by hand, in float64 NumPy: nothing of jinit, nor of automatic derivatives.

Gradients are complex steps, exact to rounding; Hessian products and derivatives with respect to
scales are central differences, off by about 1e-9 of themselves.
"""

from typing import Any, NamedTuple

import numpy as np

Params = dict[str, np.ndarray]
MATRICES = ("a", "b", "c")


def drawn(seed: int = 0, scale: float = 1.0) -> Params:
    """A small network: its bias is not zero, so that it has a scale."""
    rng = np.random.default_rng(seed)
    shapes = {"a": (3, 4), "b": (4, 3), "bias": (4,), "c": (3, 1)}
    return {name: scale * rng.normal(0, 0.8, shape) for name, shape in shapes.items()}


def batch_of(step: int, samples: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1000 + step)
    return rng.normal(size=(samples, 3)), rng.normal(size=(samples, 1))


def network_loss(params: Any, batch: Any, tanh: Any = np.tanh) -> Any:
    """Of two hidden layers; the same in NumPy and in JAX."""
    x, y = batch
    hidden = tanh(x @ params["a"] + params["bias"][None])
    return ((tanh(hidden @ params["b"]) @ params["c"] - y) ** 2).mean()


def gradient(params: Params, batch: Any) -> Params:
    """`Im L(w + ih) / h`, entry by entry."""
    step, found = 1e-30, {}
    for name, value in params.items():
        found[name] = np.zeros(value.shape)
        for index in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[index] += step * 1j
            found[name][index] = network_loss({**params, name: moved}, batch).imag / step
    return found


def along(params: Params, direction: Params, length: float) -> Params:
    return {name: params[name] + length * direction[name] for name in params}


def flat(params: Params) -> np.ndarray:
    return np.concatenate([params[name].ravel() for name in sorted(params)])


def quotient(params: Params, batch: Any, eps: float = 1e-5) -> float:
    """GQ, with Hg from the gradients on both sides."""
    g = gradient(params, batch)
    h = 1e-5 / np.linalg.norm(flat(g))
    ahead, back = (gradient(along(params, g, sign * h), batch) for sign in (1, -1))
    flat_g, product = flat(g), (flat(ahead) - flat(back)) / (2 * h)
    sign = np.where(flat_g >= 0, 1, -1)
    return float(np.abs((flat_g - product) / (flat_g + eps * sign) - 1).mean())


def scaled(params: Params, scales: dict[str, float]) -> Params:
    return {name: value * scales.get(name, 1.0) for name, value in params.items()}


def slopes(of_scales: Any, scales: dict[str, float], h: float = 1e-5) -> dict[str, float]:
    """Central differences in each scale."""
    return {
        name: (of_scales({**scales, name: s + h}) - of_scales({**scales, name: s - h})) / (2 * h)
        for name, s in scales.items()
    }


class Seen(NamedTuple):
    objective: float
    kind: str
    loss: float
    norm: float


class Outcome(NamedTuple):
    scales: dict[str, float]
    seen: list[Seen]


def metainit(
    params: Params, steps: int, rate: float, momentum: float, least: float = 0.01
) -> Outcome:
    scales = dict.fromkeys(MATRICES, 1.0)
    velocity = dict.fromkeys(MATRICES, 0.0)
    seen = []
    for step in range(steps + 1):
        batch, now = batch_of(step), scaled(params, scales)
        norm = float(np.linalg.norm(flat(gradient(now, batch))))
        loss = network_loss(now, batch)
        seen.append(Seen(quotient(now, batch), "quotient", loss, norm))
        if step == steps:
            break
        found = slopes(lambda s, b=batch: quotient(scaled(params, s), b), scales)
        for name, start in ((name, np.linalg.norm(params[name])) for name in MATRICES):
            velocity[name] = momentum * velocity[name] - rate * np.sign(found[name])
            scales[name] = max(scales[name] + velocity[name] / start, least)
    return Outcome(scales, seen)


def first_step(g: Params, optimizer: str) -> tuple[float, Params]:
    """The norm of a gradient, and where the optimizer's first step comes from."""
    if optimizer == "adam":
        return float(np.abs(flat(g)).sum()), {name: np.sign(value) for name, value in g.items()}
    norm = float(np.linalg.norm(flat(g)))
    return norm, {name: value / norm for name, value in g.items()}


def halves(first: Any, second: Any) -> Any:
    """The first half of one batch, the second of the other."""
    return tuple(
        np.concatenate([a[: len(a) // 2], b[len(b) // 2 :]])
        for a, b in zip(first, second, strict=True)
    )


def gradinit(
    params: Params, steps: int, rate: float, optimizer: str, eta: float, gamma: float, clip: float
) -> Outcome:
    """Adam on scales: first moments apart, the second shared, and counted as often as each."""
    scales = dict.fromkeys(params, 1.0)
    least = {name: 0.0 if name == "bias" else 0.01 for name in params}
    first = {kind: dict.fromkeys(params, 0.0) for kind in ("loss", "norm")}
    second, counts = dict.fromkeys(params, 0.0), {"loss": 0, "norm": 0}
    seen = []
    for step in range(steps + 1):
        batch, now = batch_of(step), scaled(params, scales)
        norm, direction = first_step(gradient(now, batch), optimizer)
        other = halves(batch, batch_of(step + 1))

        def after(s: dict[str, float], d: Params = direction, b: Any = other) -> float:
            return float(network_loss(along(scaled(params, s), d, -eta), b))

        def length(s: dict[str, float], b: Any = batch) -> float:
            return first_step(gradient(scaled(params, s), b), optimizer)[0]

        kind = "norm" if norm > gamma else "loss"
        objective = norm if kind == "norm" else after(scales)
        seen.append(Seen(objective, kind, network_loss(now, batch), norm))
        if step == steps:
            break
        by = 1.0 if kind == "norm" else eta
        found = slopes(length if kind == "norm" else after, scales)
        counts[kind] += 1
        for name in params:
            slope = float(np.clip(found[name] / by, -clip, clip))
            first[kind][name] = 0.9 * first[kind][name] + 0.1 * slope
            second[name] = 0.999 * second[name] + 0.001 * slope**2
            mean = first[kind][name] / (1 - 0.9 ** counts[kind])
            square = second[name] / (1 - 0.999 ** sum(counts.values()))
            moved = scales[name] - rate * mean / (np.sqrt(square) + 1e-8)
            scales[name] = max(moved, least[name])
    return Outcome(scales, seen)
