"""Schemes: functions that draw when given a key, and otherwise return themselves, configured.

May import: jax, numpy, `jinit.core`, `jinit.options`, `jinit.initializer`.

A scheme is written once, as a function from its configuration to a recipe:

    @scheme
    def lecun_normal(in_axis=-2, out_axis=-1, batch_axis=(), dtype=None, *, mode="fan_in"):
        ...check the configuration...
        return Elementwise(lambda shape, dtype: Normal(0.0, ...))

The decorator makes of it one object with two faces. `lecun_normal(key, shape, dtype)` draws;
`lecun_normal(mode="fan_out")` checks the configuration and returns an `Initializer`, a value that
draws. The two are told apart by the first argument: a PRNG key, or anything else.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, ParamSpec, overload

import numpy as np
from jax import Array

from jinit.core.inputs import check_key, is_key, is_typed_key
from jinit.initializer import Elementwise, Initializer, Recipe, Structured
from jinit.options import canonical, canonical_dtype, plain

__all__ = ["Elementwise", "Initializer", "Recipe", "Scheme", "Structured", "registry", "scheme"]

P = ParamSpec("P")


class Scheme(Generic[P]):
    """A scheme with its defaults: draws when called with a key, else returns an `Initializer`."""

    def __init__(self, function: Callable[P, Recipe], *, keyless: bool = False) -> None:
        functools.update_wrapper(self, function)
        self.__name__: str = function.__name__
        self.keyless = keyless
        self.signature = inspect.signature(function)
        self.__signature__ = self.signature.replace(return_annotation=Initializer)
        self._function = function
        self._configured: Initializer | None = None
        parameters = self.signature.parameters.values()
        self.defaults: Mapping[str, Any] = MappingProxyType(
            {p.name: canonical(p.default) for p in parameters if p.default is not p.empty}
        )
        self._positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a key first decides
        self,
        key: Array,
        shape: Sequence[int],
        dtype: Any = None,
        out_sharding: Any = None,
        **options: Any,
    ) -> Array: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Initializer: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Draw, if the first argument is a PRNG key; otherwise configure."""
        if self._draws(args, kwargs):
            return self._draw(*args, **kwargs)
        return self.configure(*args, **kwargs)

    def _draws(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        if "key" in kwargs:
            return True
        if not args:
            return False
        shaped = len(args) > 1 or "shape" in kwargs
        if self.keyless and shaped and (args[0] is None or len(self._positional) < 2):
            return True
        # Two uint32 words alone may be an option's value; a new-style key cannot be.
        return is_typed_key(args[0]) or (shaped and is_key(args[0]))

    def _draw(
        self,
        key: Any,
        shape: Any = None,
        dtype: Any = None,
        out_sharding: Any = None,
        **options: Any,
    ) -> Array:
        if shape is None:
            raise TypeError(
                f"jinit.{self.__name__} was given a key and no shape; "
                f"call jinit.{self.__name__}(key, shape, dtype)"
            )
        init = self.configure(**options) if options else self.configured
        if self.keyless and not is_key(key):
            key = None
        return init(key, shape, dtype, out_sharding)

    @property
    def configured(self) -> Initializer:
        """This scheme with all its defaults."""
        if self._configured is None:
            self._configured = self.configure()
        return self._configured

    def configure(self, *args: Any, **kwargs: Any) -> Initializer:
        """Check a configuration and return the initializer that has it.

        Raises:
            TypeError: an option is unknown or missing; the message lists those there are.
            ValueError: an option has a value that the scheme does not allow.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            _reject_key_batch(args)
            raise TypeError(
                f"jinit.{self.__name__}: {error}; options are {self._options_text()}"
            ) from None
        bound.apply_defaults()
        options = {name: canonical(value) for name, value in bound.arguments.items()}
        if "dtype" in options:
            options["dtype"] = canonical_dtype(bound.arguments["dtype"])
        return Initializer(self, options)

    def _options_text(self) -> str:
        return ", ".join(f"`{name}`" for name in sorted(self.signature.parameters)) or "none"

    def recipe(self, options: Mapping[str, Any]) -> Recipe:
        """The recipe for these options; raises where they are not allowed."""
        positional = [plain(options[name]) for name in self._positional]
        named = {n: plain(v) for n, v in options.items() if n not in self._positional}
        return self._function(*positional, **named)

    def __repr__(self) -> str:
        return f"jinit.{self.__name__}"

    def __reduce__(self) -> str:
        return self.__name__  # pickled by reference, like a function


def _reject_key_batch(args: tuple[Any, ...]) -> None:
    if args and getattr(args[0], "dtype", None) == np.uint32:
        check_key(args[0])


registry: dict[str, Scheme[...]] = {}


@overload
def scheme(function: Callable[P, Recipe], /) -> Scheme[P]: ...
@overload
def scheme(*, keyless: bool) -> Callable[[Callable[P, Recipe]], Scheme[P]]: ...
def scheme(function: Any = None, /, *, keyless: bool = False) -> Any:
    """Turn a function from configuration to recipe into a scheme, and register it by its name.

    Args:
        function: takes the options, checks them, returns an `Elementwise` or `Structured` recipe.
        keyless: the scheme uses no randomness; its key may be None.
    """
    if function is None:
        return functools.partial(scheme, keyless=keyless)
    made: Scheme[...] = Scheme(function, keyless=keyless)
    registry[made.__name__] = made
    return made
