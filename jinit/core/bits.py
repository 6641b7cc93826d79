"""Random bits from counters: Threefry-2x32 as plain fusible arithmetic, equal to `jax.random.bits`.

May import: jax and numpy only.

`jax.random` hands Threefry to the compiler as an opaque primitive. On CPU it becomes a rolled loop
over whole arrays, which nothing fuses with, so the bits travel to memory and back. Here the twenty
rounds are written out, so one pass over the output computes counters, rounds, transform and
scaling, and the only array that ever exists is the result.

The value of element `i` (row-major) of an array is a function of the key and of `i` alone. That is
what makes a draw the same on every mesh, and a window of an array computable without the rest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

__all__ = ["Window", "check_counts", "key_words", "random_bits", "split_key", "threefry2x32"]

Words: TypeAlias = tuple[Array, Array]

# Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): the
# rotations of Threefry-2x32, four at a time, and the parity word of the Skein key schedule.
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_GROUPS = 5

_WORD = 0xFFFFFFFF
_ZERO = (np.uint32(0), np.uint32(0))

_UINTS = {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32, 64: jnp.uint64}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Window:
    """Where a rectangular part lies in a larger array.

    The offset is a value at run time, so that all windows of one size share a compiled program.

    Attributes:
        whole: shape of the larger array.
        offset: row-major index in it of the part's first element: uint32[2], high word first.
    """

    whole: tuple[int, ...] = field(metadata={"static": True})
    offset: Any

    @classmethod
    def at(cls, whole: Sequence[int], start: Sequence[Any]) -> "Window":
        """The window of `whole` that begins at the index `start`: ints, or traced integers.

        >>> Window.at((2**20, 2**20), (4096, 3)).offset.tolist()
        [1, 3]
        """
        whole = tuple(whole)
        strides = _strides(whole)
        if not any(isinstance(index, Array) for index in start):
            first = sum(int(index) * stride for index, stride in zip(start, strides, strict=True))
            return cls(whole, np.array([first >> 32, first & _WORD], np.uint32))
        words = _ZERO
        for index, stride in zip(start, strides, strict=True):
            words = _add_wide(words, _multiply_wide(jnp.asarray(index, jnp.uint32), stride))
        return cls(whole, jnp.stack(words))


def _rotate_left(x: Array, distance: int) -> Array:
    return (x << np.uint32(distance)) | (x >> np.uint32(32 - distance))


def threefry2x32(key: Words, counter: Words) -> Words:
    """Encrypt `counter` (two uint32 words, any shape) under `key`: 20 rounds of Threefry-2x32."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    x, y = counter[0] + schedule[0], counter[1] + schedule[1]
    for group in range(_GROUPS):
        for distance in _ROTATIONS[group % 2]:
            x = x + y
            y = _rotate_left(y, distance) ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + (schedule[(group + 2) % 3] + np.uint32(group + 1))
    return x, y


def key_words(key: Array) -> Words | None:
    """The two words of a Threefry key, new-style or legacy; None for any other implementation."""
    if not _is_threefry(key):
        return None
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    data = jax.random.key_data(key) if typed else key
    return data[0], data[1]


def _is_threefry(key: Array) -> bool:
    return str(jax.random.key_impl(key)) in ("fry", "threefry2x32")


def split_key(key: Array) -> tuple[Array, Array]:
    """Two independent keys, those of `jax.random.split(key)`."""
    words = key_words(key)
    if words is None:
        first, second = jax.random.split(key)
        return first, second
    low = lax.iota(jnp.uint32, 2)
    pairs = jnp.stack(threefry2x32(words, (jnp.zeros_like(low), low)), axis=-1)
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        pairs = jax.random.wrap_key_data(pairs, impl=jax.random.key_impl(key))
    return pairs[0], pairs[1]


def random_bits(
    key: Array, shape: Sequence[int], bit_width: int = 32, window: Window | None = None
) -> Array:
    """Uniform random bits, an unsigned integer array of `shape`, equal to `jax.random.bits`.

    Args:
        key: a scalar PRNG key, new-style or legacy. Threefry keys give the bits of
            `jax.random.bits` in its partitionable layout; other implementations call it.
        shape: dimensions of the result.
        bit_width: 8, 16, 32 or 64 (64 needs `jax_enable_x64`).
        window: give the bits that `shape` has inside a larger array. Threefry only.

    Raises:
        NotImplementedError: a window is asked of a key that is not Threefry.

    >>> import jax
    >>> key = jax.random.key(0)
    >>> bool((random_bits(key, (3,)) == jax.random.bits(key, (3,))).all())
    True
    """
    if window is not None:
        check_counts(key)
    shape = tuple(shape)
    words = key_words(key)
    if words is None:
        return jax.random.bits(key, shape, _UINTS[bit_width])
    return _join(*threefry2x32(words, _counters(shape, window)), bit_width)


def check_counts(key: Array) -> None:
    """Raise unless `key` gives each element's bits from its index alone."""
    if not _is_threefry(key):
        raise NotImplementedError(
            f"a part of an array needs a counter-based key, and `key` has implementation "
            f"{str(jax.random.key_impl(key))!r}; allowed: 'threefry2x32'. "
            "Make the key with jax.random.key(seed, impl='threefry2x32')."
        )


def _join(first: Array, second: Array, bit_width: int) -> Array:
    if bit_width == 64:
        high = lax.convert_element_type(first, jnp.uint64) << np.uint64(32)
        return high | lax.convert_element_type(second, jnp.uint64)
    return lax.convert_element_type(first ^ second, _UINTS[bit_width])


def _strides(shape: tuple[int, ...]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _counters(shape: tuple[int, ...], window: Window | None) -> Words:
    """The row-major index of every element in the whole array, as a high and a low word."""
    whole: tuple[int, ...] = shape if window is None else window.whole
    offset: Any = _ZERO if window is None else window.offset
    strides = _strides(whole)
    if max(math.prod(whole), *strides, 0) < 2**32:
        # The usual case: one word counts. Its high word stays a scalar zero, which costs nothing.
        return jnp.zeros((), jnp.uint32), _low_words(shape, strides, offset[1])
    high, low = offset[0], offset[1]
    for axis, stride in enumerate(strides):
        index = lax.broadcasted_iota(jnp.uint32, shape, axis)
        high, low = _add_wide((high, low), _multiply_wide(index, stride))
    return high, low


def _low_words(shape: tuple[int, ...], strides: list[int], first: Any) -> Array:
    # One iota an axis, not a reshaped flat one: the partitioner can then give every device the
    # counters of its own shard, whichever axis is sharded, with no communication.
    total = jnp.full(shape, first, jnp.uint32)
    for axis, stride in enumerate(strides):
        total = total + lax.broadcasted_iota(jnp.uint32, shape, axis) * np.uint32(stride)
    return total


def _add_wide(a: Any, b: Any) -> Any:
    low = a[1] + b[1]
    carry = lax.convert_element_type(low < b[1], jnp.uint32)
    return a[0] + b[0] + carry, low


def _multiply_wide(index: Array, stride: int) -> Words:
    """`index * stride` modulo 2**64, in 16-bit limbs: without x64 there is no wider product."""
    half = np.uint32(0xFFFF)
    s_high, s_low = np.uint32(stride >> 32), np.uint32(stride & _WORD)
    a0, a1 = index & half, index >> np.uint32(16)
    b0, b1 = s_low & half, s_low >> np.uint32(16)
    middle = a1 * b0 + (a0 * b0 >> np.uint32(16))  # at most 2**32 - 2**16, so it cannot overflow
    cross = a0 * b1 + (middle & half)
    high = a1 * b1 + (middle >> np.uint32(16)) + (cross >> np.uint32(16))
    return high + index * s_high, index * s_low
