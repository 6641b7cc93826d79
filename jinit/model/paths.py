"""Keys from names: every leaf's PRNG key follows from its path alone, not from its place.

May import: jax, numpy, `jinit.core`.

Adding, removing or reordering leaves therefore leaves the others' values alone. The path is hashed
name by name, so that ("ab", "cdef") and ("abc", "def") differ, to 64 bits, so that two leaves in a
million share a key with a probability of 3e-8.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jinit.core.bits import threefry2x32
from jinit.core.inputs import is_typed_key

__all__ = [
    "KEY_SCHEME",
    "Parts",
    "derive_keys",
    "fold_words",
    "host_words",
    "is_threefry",
    "join",
    "leaf_key",
    "path_words",
]

Parts: TypeAlias = tuple[str, ...]

KEY_SCHEME = 1


def join(parts: Sequence[str]) -> str:
    """The path as users write it: names joined by slashes."""
    return "/".join(parts)


def path_words(parts: Parts, key_scheme: int = KEY_SCHEME) -> tuple[int, int]:
    """The high and the low 32 bits of the hash of a path.

    Raises:
        ValueError: no such `key_scheme`; a stored model names the one that it was drawn with.

    >>> [f"{word:08x}" for word in path_words(("Dense_0", "kernel"))]
    ['192148d9', '00fe9589']
    """
    if key_scheme != KEY_SCHEME:
        raise ValueError(f"`key_scheme` (={key_scheme!r}) is unknown; allowed: {KEY_SCHEME}")
    names = (part.encode() for part in parts)
    text = b"".join(len(name).to_bytes(4, "little") + name for name in names)
    digest = hashlib.blake2b(text, digest_size=8, person=b"jinit-path-1").digest()
    return int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big")


def derive_keys(key: Any, paths: Sequence[Parts], key_scheme: int = KEY_SCHEME) -> list[Any]:
    """One key for each path: `fold_in(fold_in(key, high), low)` of its hash.

    Concrete Threefry keys come back as pairs of words in host memory, computed there all at once;
    others as keys of their own kind.
    """
    words = [path_words(parts, key_scheme) for parts in paths]
    if is_threefry(key) and not isinstance(key, jax.core.Tracer):
        return list(fold_words(host_words(key), np.array(words, np.uint32).reshape(-1, 2)))
    if not isinstance(key, jax.core.Tracer):
        return [_fold(key, *pair) for pair in words]
    folded = jax.vmap(functools.partial(_fold, key))(*np.array(words, np.uint32).reshape(-1, 2).T)
    return [folded[place] for place in range(len(words))]


def leaf_key(key: Any, path: str | Sequence[str], *, key_scheme: int = KEY_SCHEME) -> Any:
    """The key that a leaf is drawn from: `fold_in` of its path's hash, high and low word.

    Args:
        key: the key of the whole model.
        path: the leaf's path, joined by slashes, or its names.
        key_scheme: version of the derivation; a plan stores the one that it was drawn with.

    >>> import jax, jinit
    >>> params = {"head": {"kernel": jax.ShapeDtypeStruct((64, 10), "float32")}}
    >>> key = jax.random.key(0)
    >>> drawn = jinit.initialize(params, jinit.lecun_normal(), key)["head"]["kernel"]
    >>> alone = jinit.lecun_normal(jinit.leaf_key(key, "head/kernel"), (64, 10))
    >>> bool((drawn == alone).all())
    True
    """
    parts = tuple(path.split("/")) if isinstance(path, str) else tuple(path)
    return _fold(key, *path_words(parts, key_scheme))


def is_threefry(key: Any) -> bool:
    """Whether a key's bits come from counters, so that they can be computed anywhere."""
    return str(jax.random.key_impl(key)) in ("fry", "threefry2x32")


def fold_words(key: np.ndarray[Any, Any], data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`jax.random.fold_in` of each column of `data` (n, k) in turn, on Threefry words.

    `key` has one row of two words for all, or n.
    """
    words = np.broadcast_to(key, (len(data), 2))
    zero = np.zeros(len(data), np.uint32)
    for column in data.T:
        pair: Any = threefry2x32((words[:, 0], words[:, 1]), (zero, column))  # type: ignore[arg-type]
        words = np.stack(pair, axis=-1)
    return words


def _fold(key: Any, high: Any, low: Any) -> Any:
    high, low = (jnp.asarray(word, jnp.uint32) for word in (high, low))
    return jax.random.fold_in(jax.random.fold_in(key, high), low)


def host_words(key: Any) -> np.ndarray[Any, Any]:
    """The words of a concrete Threefry key, in host memory: one row of two."""
    return np.asarray(jax.random.key_data(key) if is_typed_key(key) else key).reshape(1, 2)
