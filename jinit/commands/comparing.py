"""`jinit compare`: how the signal fares in a plain network from several starts, before training.

May import: the standard library, jax, `jinit.arguments`, `jinit.checks`, jinit's public names, and
of `jinit.demo` activations, starts.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import jinit
from jinit.arguments import figure_path, names
from jinit.checks import check_choice, check_integer

__all__ = ["EXAMPLES", "SUMMARY", "add_options", "compare_starts"]

SUMMARY = "show how the signal fares in a plain network from several initializations"

EXAMPLES = """\
examples:
  jinit compare
  jinit compare --depth 100 --activation tanh --schemes xavier,orthogonal,he --jacobian
  jinit compare --schemes looks_linear,he --width 128 --out signal.png
  jinit compare --depth 10 --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    for name, (value, text) in {
        "depth": (30, "number of layers"),
        "width": (256, "units of each, and numbers in each input"),
        "batch": (64, "number of inputs, random and normal"),
        "seed": (0, "of the weights and the inputs"),
    }.items():
        parser.add_argument(
            f"--{name}", type=int, default=value, metavar="N", help=f"{text} ({value})"
        )
    parser.add_argument(
        "--activation",
        default="relu",
        metavar="NAME",
        help="after every layer but the last: relu, tanh, gelu, silu, ... (relu)",
    )
    parser.add_argument(
        "--schemes",
        type=names,
        metavar="A,B,...",
        help="what to compare: any of `jinit schemes`, or glorot, he, kaiming, lecun, "
        "small_normal, xavier (as `jinit demo`)",
    )
    parser.add_argument(
        "--jacobian", action="store_true", help="find the Jacobian's singular values as well"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead, with all rows")
    parser.add_argument(
        "--out",
        type=figure_path,
        default=Path("jinit-compare.png"),
        metavar="PATH",
        help="where to write the figure, a PNG (%(default)s)",
    )


def compare_starts(options: argparse.Namespace) -> "jinit.Comparison":
    """What the options ask for.

    Raises:
        ValueError: an option has a value that is not allowed, or a scheme does not fit.
    """
    from jinit.demo.activations import ACTIVATIONS
    from jinit.demo.starts import default_names, start_named

    check_choice("activation", options.activation, sorted(ACTIVATIONS))
    for name, least in {"depth": 3, "width": 1, "batch": 2, "seed": 0}.items():
        check_integer(name, getattr(options, name), least=least)
    chosen = default_names(options.activation) if options.schemes is None else options.schemes
    if not chosen:
        raise ValueError("`schemes` names none; give one or several with commas between")
    key, inputs_key = jax.random.split(jax.random.key(options.seed))
    shapes = _shapes(options.depth, options.width)
    starts = {}
    for name in chosen:
        start = start_named(name, options.activation)._asdict()
        starts[name] = _drawn(name, shapes, start, key)
    x = jax.random.normal(inputs_key, (options.batch, options.width))
    network = _network(ACTIVATIONS[options.activation])
    return jinit.compare(shapes, starts, x, apply=network, jacobian=options.jacobian)


def _shapes(depth: int, width: int) -> dict[str, Any]:
    """Kernels: the first, those between, the last."""
    kernel: Any = jax.eval_shape(lambda: jnp.zeros((width, width)))
    return {"first": kernel, "hidden": [kernel] * (depth - 2), "last": kernel}


def _network(activation: Callable[[Any], Any]) -> Callable[[Mapping[str, Any], Any], Any]:
    """A plain network, without biases; its hidden layers are scanned, so that depth is free."""

    def apply(kernels: Mapping[str, Any], x: Any) -> Any:
        x = activation(x @ kernels["first"])
        x, _ = jax.lax.scan(lambda x, w: (activation(x @ w), None), x, kernels["hidden"])
        return x @ kernels["last"]

    return apply


def _drawn(name: str, shapes: Mapping[str, Any], start: Mapping[str, Any], key: Any) -> Any:
    rules = {"first": start["first"], "hidden/*": start["hidden"], "last": start["last"]}
    try:
        kernels = jinit.initialize(shapes, jinit.Rules(rules), key)
    except ValueError as error:
        raise ValueError(f"scheme {name!r} does not fit this network: {error}") from None
    return {**kernels, "hidden": jnp.stack(kernels["hidden"])}
