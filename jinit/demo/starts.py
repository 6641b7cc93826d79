"""The initializers to compare, by name: jinit's schemes, and the demo's own shorter names.

May import: jinit's public names, `jinit.factory`.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jinit
from jinit.factory import Initializer, Scheme

__all__ = [
    "SHORT_NAMES",
    "Start",
    "default_names",
    "public_schemes",
    "start_named",
    "unknown_scheme",
]

_DEFAULT = ("zeros", "small_normal", "xavier", "he", "orthogonal")

# Each is given the name of the activation, for those whose gain depends on it.
SHORT_NAMES: Mapping[str, Callable[[str], Initializer]] = MappingProxyType(
    {
        "glorot": lambda activation: jinit.glorot_normal(),
        "he": lambda activation: jinit.he_normal(nonlinearity=activation),
        "kaiming": lambda activation: jinit.he_normal(nonlinearity=activation),
        "lecun": lambda activation: jinit.lecun_normal(),
        "orthogonal": lambda activation: jinit.orthogonal(scale=activation),
        "small_normal": lambda activation: jinit.normal(stddev=0.01),
        "xavier": lambda activation: jinit.xavier_normal(),
    }
)


class Start(NamedTuple):
    """Initializers of the first kernel, of those between hidden layers, and of the last."""

    first: Initializer
    hidden: Initializer
    last: Initializer


def default_names(activation: str) -> tuple[str, ...]:
    """What to compare unless told: starts that differ, from none at all to one made for ReLU."""
    return (*_DEFAULT, "looks_linear") if activation == "relu" else _DEFAULT


def public_schemes() -> dict[str, Scheme[...]]:
    """Every scheme under every name that jinit gives it, sorted by name."""
    named = {name: getattr(jinit, name) for name in sorted(jinit.__all__)}
    return {name: value for name, value in named.items() if isinstance(value, Scheme)}


def start_named(name: str, activation: str) -> Start:
    """The start called `name`, for a network whose layers are followed by `activation`.

    Raises:
        ValueError: there is none, or it cannot be made without options.
    """
    init = _initializer_named(name, activation)
    if "position" in init.options:
        return Start(*(init.replace(position=position) for position in Start._fields))
    return Start(init, init, init)


def _initializer_named(name: str, activation: str) -> Initializer:
    if name in SHORT_NAMES:
        return SHORT_NAMES[name](activation)
    schemes = public_schemes()
    if name not in schemes:
        raise ValueError(unknown_scheme(name, {*SHORT_NAMES, *schemes}))
    scheme = schemes[name]
    required = sorted(set(scheme.signature.parameters) - set(scheme.defaults))
    if required:
        raise ValueError(
            f"scheme {name!r} needs {', '.join(f'`{option}`' for option in required)}, which the "
            "demo cannot guess; choose a scheme whose options all have defaults"
        )
    takes_activation = "nonlinearity" in scheme.signature.parameters
    try:
        return scheme.configure(**({"nonlinearity": activation} if takes_activation else {}))
    except ValueError as error:
        raise ValueError(f"scheme {name!r} cannot be used with its defaults: {error}") from None


def unknown_scheme(name: str, names: Iterable[str]) -> str:
    """What to say of a name that is not among `names`."""
    near = difflib.get_close_matches(name.lower(), sorted(names), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(names))}"
    return f"no scheme is called {name!r}; {hint}"
