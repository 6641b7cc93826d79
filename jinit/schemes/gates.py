"""Biases of gated recurrent cells: how long a unit remembers before it has learned to.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.building`,
`jinit.schemes.vectors`.

A fused bias holds one block for each gate, in an order that differs between libraries, so every
scheme takes `gates`: a letter for each block. A single gate's own bias is an order of one letter.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.checks import check_number
from jinit.core.draw import sample
from jinit.core.laws import Constant, Uniform
from jinit.factory import Elementwise, Recipe, Structured, scheme
from jinit.schemes.building import parameter, working_dtype
from jinit.schemes.vectors import last_extent, require_real

__all__ = ["chrono_bias", "lstm_bias", "uniform_gate_bias"]

# What each gate's bias takes of the value that makes a unit remember: gates that keep the state
# take it, gates that let new input in take its negative, and the others nothing.
_SIGNS = {"f": 1, "z": 1, "i": -1, "c": 0, "g": 0, "h": 0, "n": 0, "o": 0, "r": 0}
_KEEPING = ("f", "z")


@scheme(keyless=True)
def lstm_bias(forget: Any = 1.0, dtype: Any = None, *, gates: str = "ifgo") -> Recipe:
    """LSTM bias: `b_f = forget` in the block of the forget gate, 0 in the other blocks.

    A forget gate that starts at sigmoid(0) = 1/2 halves the memory at each step; at
    sigmoid(1) = 0.73 gradients reach further from the start.

    Args:
        forget: the bias of the forget gate; a number, or one for each unit of the cell.
        dtype: floating or complex dtype of the bias, unless the call gives one.
        gates: the blocks of the bias in order, by letter: i input, f forget, g or c candidate,
            o output. "ifgo" is that of Flax's NNX `OptimizedLSTMCell`, Equinox and torch; Keras'
            "ifco" is the same; "igfo" is Haiku's. For GRUs z stands for the gate that keeps the
            state, r for reset, n or h for the candidate. "f" alone is a forget gate's own bias,
            as in Flax's `LSTMCell`.

    Raises:
        ValueError: `gates` is not such an order or has no forget gate; when drawing, the last
            axis does not divide into as many blocks.

    >>> import jinit
    >>> jinit.lstm_bias()(None, (8,)).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]

    Reference: Jozefowicz, Zaremba and Sutskever 2015 ("An empirical exploration of recurrent
    network architectures").

    Differences: Flax and torch start at 0, Keras at 1; Haiku adds 1 in its forward pass, on top
    of the bias. Torch has two biases whose sum counts: give one of them this and the other zeros.
    """
    check_number("forget", forget)
    signs = _signs(gates, _KEEPING)
    keeps = np.array([sign > 0 for sign in signs])

    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Constant:
        units = _units(shape, gates)
        working = working_dtype(dtype)
        ones = np.repeat(keeps.astype(working)[:, None], units, axis=1)
        return Constant((ones * parameter("forget", forget, (units,), working)).reshape(-1))

    return Elementwise(law)


@scheme
def chrono_bias(max_time: float, dtype: Any = None, *, gates: str = "ifgo") -> Recipe:
    """Chrono: `b_f = log u`, `u ~ U[1, max_time - 1)`, `b_i = -b_f`, 0 in the other blocks.

    For sequences with dependencies up to `max_time` steps: unit by unit the cell forgets over
    1 / (1 - sigmoid(b_f)) = 1 + u steps, spread evenly from 2 to `max_time`.

    Args:
        max_time: the longest dependency to expect, in steps; at least 2.
        dtype: floating dtype of the bias, unless the call gives one.
        gates: the blocks of the bias, as in `jinit.lstm_bias`. For a GRU the letter z stands for
            an update gate that keeps the state, as in Flax, torch and Keras; in Haiku it lets new
            input in: name it i. With one key, "i" gives the negative of what "f" gives, so that
            unfused gates can be tied.

    Raises:
        ValueError: `max_time` is below 2, `gates` is not such an order; when drawing, the last
            axis does not divide into as many blocks, or the dtype is complex.

    >>> import jax, jinit
    >>> b = jinit.chrono_bias(100)(jax.random.key(0), (4 * 512,))
    >>> i, f, g, o = b.reshape(4, 512)
    >>> bool((i == -f).all()), float(g.sum()), bool((f >= 0).all())
    (True, 0.0, True)

    Reference: Tallec and Ollivier 2018 (arXiv:1804.11188).

    Differences: torch has two biases whose sum counts: give one of them this, the other zeros.
    """
    check_number("max_time", max_time)
    if np.ndim(max_time) or max_time < 2:
        raise ValueError(f"`max_time` (={max_time!r}) must be a number of steps, at least 2")
    law = Uniform(1.0, max_time - 1.0)
    return _tied_recipe("chrono_bias", gates, lambda units: law, jnp.log)


@scheme
def uniform_gate_bias(dtype: Any = None, *, gates: str = "ifgo") -> Recipe:
    """Uniform gates: `sigmoid(b_f) ~ U[1/n, 1 - 1/n)`, `b_i = -b_f`, 0 elsewhere; n the units.

    For recurrent cells whose time scales are not known in advance: forget gates start spread
    evenly, and memories, 1 / (1 - sigmoid(b_f)), from 1 to n steps.

    Args:
        dtype: floating dtype of the bias, unless the call gives one.
        gates: the blocks of the bias, as in `jinit.lstm_bias`.

    Raises:
        ValueError: `gates` is not such an order; when drawing, the last axis does not divide into
            as many blocks, or the dtype is complex.

    >>> import jax, jinit
    >>> b = jinit.uniform_gate_bias(gates="f")(jax.random.key(0), (512,))
    >>> print(f"{jax.nn.sigmoid(b).mean():.1f}")
    0.5

    Reference: Gu et al. 2020 (arXiv:1910.09890), uniform gate initialization. Their refine gate
    takes the place, and so the letter, of the input gate.
    """
    return _tied_recipe("uniform_gate_bias", gates, _uniform_gate, _log_odds)


def _uniform_gate(units: int) -> Uniform:
    low = 1 / max(units, 2)  # of one unit, the gate is open half way
    return Uniform(low, 1 - low)


def _log_odds(u: Array) -> Array:
    return jnp.log(u) - jnp.log1p(-u)


def _tied_recipe(
    name: str, gates: str, law: Callable[[int], Uniform], remember: Callable[[Array], Array]
) -> Recipe:
    """The recipe of one random value a unit, with its sign in each gate's block."""
    signs = _signs(gates, (*_KEEPING, "i"))

    def build(key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        require_real(name, dtype)
        units = _units(shape, gates)
        u = sample(law(units), key, (*shape[:-1], units), working_dtype(dtype))
        return lax.convert_element_type(_in_blocks(u, remember=remember, signs=signs), dtype)

    return Structured(build)


@functools.partial(jax.jit, static_argnames=("remember", "signs"))
def _in_blocks(u: Array, *, remember: Callable[[Array], Array], signs: tuple[int, ...]) -> Array:
    value = remember(u)
    by_sign = {1: value, -1: -value, 0: jnp.zeros_like(value)}
    return jnp.concatenate([by_sign[sign] for sign in signs], axis=-1)


def _signs(gates: str, needed: tuple[str, ...]) -> tuple[int, ...]:
    """The sign of each gate; `gates` must be distinct letters, one of `needed` among them."""
    letters = set(gates) if isinstance(gates, str) else set()
    if not letters or len(letters) != len(gates) or not letters <= set(_SIGNS):
        raise ValueError(
            f"`gates` (={gates!r}) must be distinct letters of {''.join(sorted(_SIGNS))!r}, one "
            "for each block of the bias, such as 'ifgo'"
        )
    if not letters & set(needed):
        raise ValueError(
            f"`gates` (={gates!r}) has no gate for the bias to set; one of "
            f"{', '.join(map(repr, sorted(needed)))} must be there"
        )
    return tuple(_SIGNS[letter] for letter in gates)


def _units(shape: tuple[int, ...], gates: str) -> int:
    extent = last_extent(shape)
    if extent % len(gates):
        raise ValueError(
            f"the last axis (={extent}) of the bias {shape} must be divisible by the number of "
            f"`gates` (={gates!r}); an unfused gate's bias takes its own letter, such as gates='f'"
        )
    return extent // len(gates)
