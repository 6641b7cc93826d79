"""What a rule gives a leaf: a scheme, the value it has, or a function of the leaf.

May import: `jinit.factory`, `jinit.config`, `jinit.options`, `jinit.schemes.callables`, and of
`jinit.model` leaf.
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from jinit.config import from_config, to_config
from jinit.core.inputs import describe
from jinit.factory import Initializer, Scheme
from jinit.model.leaf import Leaf
from jinit.options import canonical, hashable, plain, same, show
from jinit.schemes.callables import from_function

__all__ = ["Keep", "PerLeaf", "Value", "as_value", "keep", "per_leaf", "value_from_config"]


class Keep:
    """The value that a leaf already has: `jinit.keep`, of which there is one."""

    def __repr__(self) -> str:
        return "jinit.keep"

    def __reduce__(self) -> str:
        return "keep"


keep = Keep()

_functions: dict[str, Callable[..., Any]] = {}


class PerLeaf:
    """A function of the leaf with its options bound: compares, hashes, prints, has a JSON form.

    Made by functions that `per_leaf` decorates.
    """

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.options = {key: canonical(value) for key, value in options.items()}

    def __call__(self, leaf: Leaf, *drawing: Any) -> Any:
        """The scheme for `leaf`.

        Raises:
            TypeError: it is called as an initializer is, with a key.
        """
        if drawing:
            raise TypeError(
                f"{self!r} goes by the leaf of a model, and was called with a key and a shape, as "
                "an initializer is; use it as a value of jinit.Rules"
            )
        options = {name: plain(value) for name, value in self.options.items()}
        return _functions[self.name](leaf, **options)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PerLeaf):
            return NotImplemented
        return (
            self.name == other.name
            and self.options.keys() == other.options.keys()
            and all(same(value, other.options[key]) for key, value in self.options.items())
        )

    def __hash__(self) -> int:
        return hash((self.name, *sorted((n, hashable(v)) for n, v in self.options.items())))

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={show(value)}" for name, value in self.options.items())
        return f"{self.name}({options})"

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        options: dict[str, Any] = {}
        for name, value in self.options.items():
            if isinstance(value, (Initializer, PerLeaf)):
                options[name] = value_to_config(value)
            elif isinstance(value, (bool, int, float, str, tuple, type(None))):
                options[name] = value
            else:
                raise ValueError(f"option `{name}` (={value!r}) of {self.name} has no JSON form")
        return {"per_leaf": self.name, "options": options}


Value: TypeAlias = Initializer | Keep | PerLeaf | Callable[[Leaf], Any]


def per_leaf(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make of a function `(leaf, **options) -> scheme` a maker of rule values.

    The result, called with options, is the function of a leaf alone; as a value it compares,
    prints and goes to JSON, which a lambda does not. Called with a leaf it is the function itself.

    Args:
        function: takes a `Leaf` first, and options by keyword. Its name must not be taken.

    Raises:
        ValueError: another function of that name is registered.

    >>> import jinit
    >>> @jinit.per_leaf
    ... def residual_normal(leaf, *, stddev=0.02):
    ...     return jinit.normal(stddev / (2 * leaf.depth) ** 0.5)
    >>> jinit.Rules({"**/c_proj/kernel": residual_normal(stddev=0.01)})
    jinit.Rules({'**/c_proj/kernel': residual_normal(stddev=0.01)})
    """
    name = function.__name__
    known = _functions.get(name)
    if known is not None and known.__qualname__ != function.__qualname__:
        raise ValueError(f"a function called {name!r} is registered by jinit.per_leaf already")
    _functions[name] = function
    parameters = list(inspect.signature(function).parameters.values())[1:]
    signature = inspect.Signature(parameters)

    @functools.wraps(function)
    def make(*args: Any, **options: Any) -> Any:
        if args and isinstance(args[0], Leaf):
            return function(*args, **options)
        try:
            bound = signature.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{name}: {error}; options are {list(signature.parameters)}") from None
        return PerLeaf(name, bound.arguments)

    return make


def as_value(value: Any) -> Value:
    """What a rule's value means: schemes configured, foreign initializers wrapped.

    Raises:
        TypeError: `value` is no initializer, no function of a leaf and not `jinit.keep`.
    """
    if isinstance(value, Scheme):
        return value.configured
    if isinstance(value, (Initializer, Keep, PerLeaf)):
        return value
    if callable(value):
        return value if _takes_one(value) else from_function(value)
    raise TypeError(
        f"a rule gives a scheme such as jinit.he_normal(), jinit.keep, or a function of the leaf, "
        f"got {describe(value) if hasattr(value, 'shape') else repr(value)}"
        + ("; for given weights use jinit.from_array" if hasattr(value, "shape") else "")
    )


def _takes_one(function: Callable[..., Any]) -> bool:
    """Whether a function wants a leaf alone, and not (key, shape, dtype)."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [p for p in parameters if p.default is p.empty and p.kind in positional]
    return len(required) <= 1 and not (required and required[0].name == "key")


def value_to_config(value: Value) -> dict[str, Any]:
    """A JSON-ready description of a rule's value.

    Raises:
        ValueError: it is a function without one.
    """
    if isinstance(value, Initializer):
        return to_config(value)
    if isinstance(value, Keep):
        return {"keep": True}
    if isinstance(value, PerLeaf):
        return value.to_config()
    raise ValueError(f"{value!r} has no JSON form; decorate the function with jinit.per_leaf")


def value_from_config(config: Mapping[str, Any]) -> Value:
    """The value that `value_to_config` described."""
    if "keep" in config:
        return keep
    if "per_leaf" not in config:
        return from_config(config)
    name = config["per_leaf"]
    if name not in _functions:
        importlib.import_module("jinit.presets")  # which register functions of their own
    if name not in _functions:
        raise ValueError(
            f"no function called {name!r} is registered; import the module that decorates it "
            f"with jinit.per_leaf. Registered: {', '.join(sorted(_functions)) or 'none'}"
        )
    options = config.get("options", {})
    return PerLeaf(name, {key: _option(value) for key, value in options.items()})


def _option(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value_from_config(value)
    return tuple(map(_option, value)) if isinstance(value, list) else value
