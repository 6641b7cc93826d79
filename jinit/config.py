"""Initializers by name and as JSON: `get`, `to_config`, `from_config`.

May import: jax, numpy, `jinit.initializer`, `jinit.options`, `jinit.factory`.
"""

import difflib
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jinit.factory import Scheme, registry
from jinit.initializer import Initializer
from jinit.options import FrozenArray, function_name

__all__ = ["from_config", "get", "to_config"]

# A configuration may come from a file, so that only functions of these modules are looked up.
_MODULES = ("jax.lax", "jax.nn", "jax.numpy")
_ALIASES = {
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
}


def get(spec: Any, **options: Any) -> Callable[..., Any]:
    """The initializer that `spec` names.

    Args:
        spec: a scheme's name; a configuration from `to_config`; a scheme or an initializer; or
            any other function `(key, shape, dtype) -> array`, which is returned as it is.
        options: options of the scheme, or changes to those of an initializer.

    Raises:
        ValueError: no scheme has that name; the message offers the nearest.
        TypeError: `spec` is none of these, or a function was given options.

    >>> import jinit
    >>> jinit.get("he_normal", mode="fan_out")
    jinit.he_normal(mode='fan_out')
    """
    if isinstance(spec, str):
        return _named(spec).configure(**options)
    if isinstance(spec, Mapping):
        init = from_config(spec)
        return init.replace(**options) if options else init
    if isinstance(spec, Scheme):
        return spec.configure(**options)
    if isinstance(spec, Initializer):
        return spec.replace(**options) if options else spec
    if callable(spec) and not options:
        return spec  # type: ignore[no-any-return]
    raise TypeError(
        f"cannot make an initializer of {spec!r} with options {options}; give a scheme's name, a "
        "configuration, a scheme, an initializer, or a function (key, shape, dtype) without options"
    )


def to_config(init: Initializer | Scheme[...]) -> dict[str, Any]:
    """A JSON-ready description of `init`: its scheme's name and the options that are not default.

    Raises:
        ValueError: an option has no JSON form (a lambda, a traced value); the message names it.

    >>> import json, jinit
    >>> print(json.dumps(jinit.to_config(jinit.he_normal(mode="fan_out"))))
    {"scheme": "he_normal", "options": {"mode": "fan_out"}}
    """
    if isinstance(init, Scheme):
        init = init.configured
    if not isinstance(init, Initializer):
        raise TypeError(f"`init` (={init!r}) must be a jinit initializer or scheme")
    options = {name: _encode(name, value) for name, value in init.changed().items()}
    return {"scheme": init.scheme.__name__, "options": options}


def from_config(config: Mapping[str, Any]) -> Initializer:
    """The initializer that `to_config` described; also after a round trip through JSON.

    Raises:
        ValueError: the configuration is not of that form or names an unknown scheme.

    >>> import jinit
    >>> jinit.from_config({"scheme": "normal", "options": {"stddev": 0.02}})
    jinit.normal(stddev=0.02)
    """
    if not isinstance(config, Mapping) or not {"scheme"} <= config.keys() <= {"scheme", "options"}:
        raise ValueError(
            f"`config` (={config!r}) must be a mapping with 'scheme' and, if need be, 'options'"
        )
    options = config.get("options", {})
    return _named(config["scheme"]).configure(**{n: _decode(v) for n, v in options.items()})


def _named(name: str) -> Scheme[...]:
    found = registry.get(_ALIASES.get(name, name)) or _borrowed(name)
    if found is not None:
        return found
    names = sorted([*registry, *_ALIASES])
    near = difflib.get_close_matches(str(name).lower(), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    raise ValueError(f"no scheme is called {name!r}; {hint}")


def _borrowed(name: Any) -> Scheme[...] | None:
    """The scheme of another framework, such as "frameworks.torch.kaiming_normal_"."""
    if not (isinstance(name, str) and name.startswith("frameworks.")):
        return None
    importlib.import_module("jinit.frameworks")
    known: Mapping[str, Scheme[...]] = importlib.import_module(
        "jinit.frameworks.borrowing"
    ).borrowed
    return known.get(name)


def _encode(name: str, value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return {"number": repr(value)}  # JSON has no infinities
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, tuple):
        return [_encode(name, item) for item in value]
    if isinstance(value, Initializer):
        return to_config(value)
    if isinstance(value, FrozenArray):
        return {"array": value.array.tolist(), "dtype": value.array.dtype.name}
    dotted = function_name(value)
    if dotted is None:
        raise ValueError(
            f"option `{name}` (={value!r}) has no JSON form; give a number or the name of "
            "an activation, or use pickle"
        )
    return {"function": dotted}


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, Mapping):
        return value
    if "scheme" in value:
        return from_config(value)
    if "array" in value:
        return np.array(value["array"], value["dtype"])
    if "number" in value:
        return float(value["number"])
    return _function(value.get("function"))


def _function(dotted: Any) -> Any:
    module, _, name = str(dotted).rpartition(".")
    if module not in _MODULES:
        raise ValueError(f"{dotted!r} is not a function of {', '.join(_MODULES)}")
    return getattr(importlib.import_module(module), name)
