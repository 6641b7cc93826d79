"""LSUV of 50 layers: one pass, against the published loop in JAX and the PyPI package in torch.

    python benchmarks/unit_variance.py [--rounds 15] [--json FILE]

The loop is what one writes without help: a jitted forward pass that measures every layer's outcome,
run for each layer in turn until its variance is within 0.02 of 1, which takes two passes a layer.
The package (`pip install lsuv`) gets the same weights in torch, within 0.1 of 1 as is its default.
"Cold" includes all tracing and compiling; "warm" is the second call for inputs of the same shape.
"""

import copy
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import measure
import numpy as np
from rich.console import Console

import jinit

LAYERS, WIDTH, BATCH = 50, 128, 128
TOLERANCE = 0.02  # of the variance, as in the authors' code


def params_of(scanned: bool) -> Any:
    """Weights that are too small, and biases of 0: stacked, or a list of layers."""
    rng = np.random.default_rng(0)
    kernels = rng.normal(0, 0.5 / np.sqrt(WIDTH), (LAYERS, WIDTH, WIDTH)).astype(np.float32)
    stacked = {"kernel": jnp.asarray(kernels), "bias": jnp.zeros((LAYERS, WIDTH))}
    if scanned:
        return stacked
    return [jax.tree.map(lambda leaf, n=n: leaf[n], stacked) for n in range(LAYERS)]


def layer(x: jax.Array, one: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """A layer's outcome, and its variance before the activation."""
    y = x @ one["kernel"] + one["bias"]
    return jnp.tanh(y), jnp.var(y)


def model(scanned: bool) -> Callable[[Any, jax.Array], Any]:
    """A model that returns the variances too; a new function each time, that no cache knows."""

    def unrolled(params: Any, x: jax.Array) -> Any:
        found = []
        for one in params:
            x, variance = layer(x, one)
            found.append(variance)
        return x, jnp.stack(found)

    return (lambda params, x: jax.lax.scan(layer, x, params)) if scanned else unrolled


def published(apply: Any, params: Any, x: jax.Array, scanned: bool) -> Any:
    """Layer by layer, until each has variance 1; `apply` is jitted."""
    for n in range(LAYERS):
        for _ in range(20):
            variance = float(apply(params, x)[1][n])
            if abs(variance - 1) < TOLERANCE:
                break
            params = _rescaled(params, n, 1 / np.sqrt(variance), scanned)
    return params


def _rescaled(params: Any, n: int, scale: float, scanned: bool) -> Any:
    scale = np.float32(scale)
    if scanned:
        return {**params, "kernel": params["kernel"].at[n].multiply(scale)}
    changed = {**params[n], "kernel": params[n]["kernel"] * scale}
    return [*params[:n], changed, *params[n + 1 :]]


def torch_package() -> Callable[[], Any] | None:
    """The PyPI package on the same weights; None where it is not installed."""
    try:
        import torch
        from lsuv import lsuv_with_singlebatch
    except ImportError:
        Console().print("the PyPI package lsuv is not installed: left out", style="yellow")
        return None
    layers: list[Any] = []
    for one in params_of(scanned=False):
        linear = torch.nn.Linear(WIDTH, WIDTH)
        linear.weight.data = torch.from_numpy(np.array(one["kernel"]).T.copy())
        linear.bias.data.zero_()
        layers += [linear, torch.nn.Tanh()]
    net = torch.nn.Sequential(*layers)
    x = torch.from_numpy(np.array(batch()))

    def run() -> Any:
        fresh = copy.deepcopy(net)
        lsuv_with_singlebatch(fresh, x, do_orthonorm=False, verbose=False)
        return None

    return run


def batch() -> jax.Array:
    """Inputs from N(0, 1)."""
    return jnp.asarray(np.random.default_rng(1).normal(0, 1, (BATCH, WIDTH)).astype(np.float32))


def _contenders(scanned: bool, cold: bool) -> dict[str, Callable[[], Any]]:
    params, x = params_of(scanned), batch()
    known = model(scanned)
    jitted = jax.jit(known)

    def ours() -> Any:
        if cold:
            jax.clear_caches()
        return jinit.lsuv(model(scanned) if cold else known, params, x)[0]

    def loop() -> Any:
        if cold:
            jax.clear_caches()
        return published(jax.jit(model(scanned)) if cold else jitted, params, x, scanned)

    return {"jinit": ours, "the published loop": loop}


def _check(params: Any, scanned: bool) -> None:
    off = np.abs(np.sqrt(jax.jit(model(scanned))(params, batch())[1]) - 1).max()
    assert off < 1e-3, f"a layer's deviation is off by {off}"


def compare(rounds: int) -> list[measure.Ratio]:
    """Scanned and unrolled, warm and cold."""
    rows, few = [], max(3, rounds // 5)  # of what takes seconds
    package = torch_package()
    for scanned in (True, False):
        name = f"{LAYERS} layers, {'scanned' if scanned else 'unrolled'}"
        contenders = _contenders(scanned, cold=False)
        _check(contenders["jinit"](), scanned)
        times = measure.interleave(contenders, rounds=rounds)
        rows += measure.ratios(f"{name}, warm", times, {"the published loop": 10.0})
        if package is not None and not scanned:
            both = {"jinit": contenders["jinit"], "lsuv on PyPI (torch)": package}
            times = measure.interleave(both, rounds=few, warmup=0)
            rows += measure.ratios(f"{name}, warm", times, {"lsuv on PyPI (torch)": 10.0})
        times = measure.interleave(_contenders(scanned, cold=True), rounds=few, warmup=0)
        rows += measure.ratios(f"{name}, cold", times, {"the published loop": 1.0})
    return rows


if __name__ == "__main__":
    measure.main("LSUV: how many times as long others take", compare)
