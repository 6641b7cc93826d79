# ruff: noqa: N802 - the names are MXNet's
"""`mxnet.initializer`: initializers of whole models, as rules.

May import: numpy, `jinit.schemes`, and of `jinit.model` ruleset.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jinit.model.ruleset import Rules
from jinit.schemes.constants import from_array

__all__ = ["Load", "Mixed"]


def Mixed(patterns: Sequence[str], initializers: Sequence[Any]) -> Rules:
    """Rules: each parameter gets the initializer of the first pattern that its path begins with.

    Args:
        patterns: regular expressions, matched from the beginning of the path, whose names are
            joined by slashes; ".*" for all that is left.
        initializers: one for each pattern.

    Returns:
        The rules, for `jinit.initialize`.

    Raises:
        ValueError: there are not as many of one as of the other, or a pattern cannot be read.
        RuleError: when they meet a model: no pattern matches a parameter, or a pattern none.

    >>> import jax, jinit
    >>> from jinit.frameworks import mxnet
    >>> rules = mxnet.Mixed([".*bias", ".*"], [mxnet.Zero(), mxnet.Uniform(0.1)])
    >>> shapes = {"fc": {"bias": jax.ShapeDtypeStruct((4,), "float32")}}
    >>> jinit.plan(shapes, rules.with_default(jinit.keep)[:1])["fc/bias"].init
    jinit.frameworks.mxnet.Zero()

    Differences: MXNet is silent about a pattern that matches nothing. It also sets a parameter
    whose name ends in "bias" to 0 whatever the initializer; say so in a pattern.
    """
    if len(patterns) != len(initializers):
        raise ValueError(
            f"there are {len(patterns)} `patterns` and {len(initializers)} `initializers`; give "
            "one for each"
        )
    return Rules([(_anchored(p), init) for p, init in zip(patterns, initializers, strict=True)])


def _anchored(pattern: str) -> re.Pattern[str]:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"the pattern {pattern!r} is no regular expression: {error}") from None
    return re.compile(rf"\A(?:{pattern})")


def Load(param: Mapping[str, Any], default_init: Any = None) -> Rules:
    """Rules: parameters that `param` names are its arrays, others get `default_init`.

    Args:
        param: arrays by path; "arg:" and "aux:" before a name are dropped.
        default_init: what parameters get that are not named; None if there must be none.

    Returns:
        The rules, for `jinit.initialize`.

    Raises:
        TypeError: `param` is no mapping.
        ValueError: two names are one but for "arg:" and "aux:"; when drawing, a shape differs.
        RuleError: when they meet a model: an array has no parameter, or a parameter neither array
            nor `default_init`.

    >>> import jinit
    >>> from jinit.frameworks import mxnet
    >>> rules = mxnet.Load({"arg:fc/bias": [1.0, 2.0]}, default_init=mxnet.Xavier())
    >>> params = {"fc": {"bias": jinit.zeros(None, (2,)), "kernel": jinit.zeros(None, (3, 2))}}
    >>> import jax
    >>> jinit.initialize(params, rules, jax.random.key(0))["fc"]["bias"].tolist()
    [1.0, 2.0]

    Differences: MXNet also takes the name of a file, and is silent about arrays that nothing
    takes. For files of other formats see `jinit.pretrained`.
    """
    if not isinstance(param, Mapping):
        raise TypeError(
            f"`param` (={param!r}) must be a mapping from paths to arrays; read the file first"
        )
    arrays: dict[str, Any] = {}
    for name, array in param.items():
        path = name.removeprefix("arg:").removeprefix("aux:")
        if path in arrays:
            raise ValueError(
                f"`param` has two arrays for {path!r}: under 'arg:', 'aux:' or neither"
            )
        arrays[path] = np.asarray(array)
    named = [(re.compile(rf"\A{re.escape(path)}\Z"), from_array(a)) for path, a in arrays.items()]
    return Rules(named, default=default_init)
