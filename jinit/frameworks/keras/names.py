"""`keras.initializers.get`: initializers by name, and as Keras writes them to JSON.

May import: `jinit.config`, `jinit.factory`, and of `jinit.frameworks` borrowing, keras.fills,
keras.scaled.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

import jinit.config as jinit_config
from jinit.factory import Scheme
from jinit.frameworks.keras import fills, scaled
from jinit.schemes.constants import from_array

__all__ = ["get"]

_CLASSES: dict[str, Scheme[...]] = {
    name: getattr(home, name) for home in (fills, scaled) for name in home.__all__
}
_SNAKE = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): name for name in _CLASSES}
_SHORT = {"normal": "RandomNormal", "one": "Ones", "uniform": "RandomUniform", "zero": "Zeros"}
_NAMES = {
    **{f"{name}Initializer": name for name in ("Identity", "Orthogonal", "STFT")},
    **{name: name for name in _CLASSES},
    **_SNAKE,
    **_SHORT,
}


def get(identifier: Any) -> Any:
    """The initializer that Keras' layers would take `identifier` for.

    Args:
        identifier: a name, "glorot_uniform" or "GlorotUniform"; a configuration as Keras
            serializes it, `{"class_name": ..., "config": {...}}`; None, which stays None; an
            array, whose copies the weights are; or an initializer.

    Raises:
        ValueError: Keras has no initializer of that name, or the configuration is no such thing.

    >>> get("he_normal")
    jinit.frameworks.keras.HeNormal()
    >>> get({"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02, "seed": None}})
    jinit.frameworks.keras.RandomNormal(stddev=0.02)

    Differences: a tuple or list of numbers is no array here. What is not Keras' is found by
    `jinit.get`.
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        return _named(identifier).configure()
    if isinstance(identifier, Mapping):
        return _deserialized(identifier)
    if hasattr(identifier, "shape") and hasattr(identifier, "dtype"):
        return from_array(np.asarray(identifier))
    return jinit_config.get(identifier)


def _named(name: Any) -> Scheme[...]:
    if name in _NAMES:
        return _CLASSES[_NAMES[name]]
    near = difflib.get_close_matches(str(name), _NAMES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(_CLASSES))}"
    raise ValueError(f"Keras has no initializer called {name!r}; {hint}")


def _deserialized(config: Mapping[str, Any]) -> Any:
    options = config.get("config")
    if "class_name" not in config or not isinstance(options, Mapping):
        raise ValueError(
            f"`identifier` (={dict(config)!r}) must have 'class_name' and 'config', as "
            "keras.initializers.serialize gives them"
        )
    return _named(config["class_name"]).configure(**options)
