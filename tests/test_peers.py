"""The README's table against the peers: every cell is what the libraries do, here and now."""

import importlib.util
import inspect
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

import jinit

os.environ.setdefault("KERAS_BACKEND", "jax")

README = (Path(__file__).parent.parent / "README.md").read_text()
HEADING = "## Beside the others"
KEY = jax.random.key(0)
PEERS = {
    "`jax.nn.initializers`": "jax",
    "`torch.nn.init`": "torch",
    "`keras.initializers`": "keras",
}


def table() -> dict[str, dict[str, str]]:
    """Its cells, by row and column."""
    section = README.split(HEADING)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def torch() -> ModuleType:
    return importlib.import_module("torch")


def keras() -> ModuleType:
    return importlib.import_module("keras").initializers


def as_float32(value: Any) -> np.ndarray:
    return np.asarray(value.float() if hasattr(value, "float") else value.astype("float32"))


def works(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception:
        return False
    return True


def yes_or_no(answer: object) -> str:
    return "yes" if answer else "no"


def has(*names: str) -> dict[str, Callable[[], str]]:
    """Whether a library has all of some names; PyTorch's end in an underscore."""
    homes = {
        "jinit": lambda: jinit,
        "`jax.nn.initializers`": lambda: jax.nn.initializers,
        "`torch.nn.init`": lambda: torch().nn.init,
        "`keras.initializers`": keras,
    }

    def answer(home: Callable[[], ModuleType]) -> str:
        known = {name.rstrip("_").replace("_", "").lower() for name in dir(home())}
        return yes_or_no({name.replace("_", "") for name in names} <= known)

    return {column: lambda home=home: answer(home) for column, home in homes.items()}


def takes_key(function: Callable[..., Any]) -> str:
    return yes_or_no("key" in inspect.signature(function).parameters)


def is_a_value(make: Callable[[], Any]) -> str:
    """Whether two initializers of the same options are equal, and survive pickling."""
    return yes_or_no(make() == make() and works(lambda: pickle.dumps(make())))


def refused(configure: Callable[[], Any], draw: Callable[[Any], Any]) -> str:
    """When an unknown mode is an error."""
    if not works(configure):
        return "as it is given"
    return "as it is drawn" if not works(lambda: draw(configure())) else "never"


def depthwise(draw: Callable[[str], Any]) -> str:
    """The fans that the draws of a 3 x 3 depthwise kernel of 128 channels are scaled by."""
    variances = [as_float32(draw(mode)).var() for mode in ("fan_in", "fan_out")]
    nearest = [min((9, 1152), key=lambda fan: abs(np.log(v * fan))) for v in variances]
    assert all(abs(v * fan - 1) < 0.25 for v, fan in zip(variances, nearest, strict=True))
    return "{:,} and {:,}".format(*nearest)


def depthwise_torch(mode: str) -> Any:
    kernel = torch().empty(128, 1, 3, 3)
    generator = torch().Generator().manual_seed(0)
    options = {"mode": mode, "nonlinearity": "linear", "generator": generator}
    return torch().nn.init.kaiming_normal_(kernel, **options)


def distinct(draw: Callable[[], Any]) -> str:
    """How many values a million draws of bfloat16 take up."""
    count = len(np.unique(as_float32(draw())))
    return "thousands" if count > 2000 else f"{count}"


MILLION = (1000, 1000)
FACTS: dict[str, dict[str, Callable[[], str]]] = {
    "the key is an argument": {
        "jinit": lambda: takes_key(jinit.he_normal()),
        "`jax.nn.initializers`": lambda: takes_key(jax.nn.initializers.he_normal()),
        "`torch.nn.init`": lambda: takes_key(torch().nn.init.kaiming_normal_),
        "`keras.initializers`": lambda: takes_key(keras().HeNormal().__call__),
    },
    "equal options make equal, picklable initializers": {
        "jinit": lambda: is_a_value(lambda: jinit.he_normal(mode="fan_out")),
        "`jax.nn.initializers`": lambda: is_a_value(jax.nn.initializers.he_normal),
        "`torch.nn.init`": lambda: "functions",
        "`keras.initializers`": lambda: is_a_value(lambda: keras().HeNormal(seed=1)),
    },
    "an unknown mode is refused": {
        "jinit": lambda: refused(lambda: jinit.he_normal(mode="fan_it"), lambda init: init),
        "`jax.nn.initializers`": lambda: refused(
            lambda: jax.nn.initializers.variance_scaling(2.0, "fan_it", "normal"),
            lambda init: init(KEY, (2, 2)),
        ),
        "`torch.nn.init`": lambda: refused(
            lambda: torch().nn.init.kaiming_normal_,
            lambda init: init(torch().empty(2, 2), mode="fan_it"),
        ),
        "`keras.initializers`": lambda: refused(
            lambda: keras().VarianceScaling(mode="fan_it"), lambda init: init
        ),
    },
    "fans of a depthwise 3 x 3 kernel, 128 channels": {
        "jinit": lambda: depthwise(
            lambda mode: jinit.variance_scaling(1.0, mode, "normal", groups=128)(
                KEY, (3, 3, 1, 128)
            )
        ),
        "`jax.nn.initializers`": lambda: depthwise(
            lambda mode: jax.nn.initializers.variance_scaling(1.0, mode, "normal")(
                KEY, (3, 3, 1, 128)
            )
        ),
        "`torch.nn.init`": lambda: depthwise(depthwise_torch),
        "`keras.initializers`": lambda: depthwise(
            lambda mode: keras().VarianceScaling(1.0, mode, "untruncated_normal", seed=0)(
                (3, 3, 1, 128)
            )
        ),
    },
    "values among a million normal draws in bfloat16": {
        "jinit": lambda: distinct(lambda: jinit.normal(1.0)(KEY, MILLION, "bfloat16")),
        "`jax.nn.initializers`": lambda: distinct(
            lambda: jax.nn.initializers.normal(1.0)(KEY, MILLION, "bfloat16")
        ),
        "`torch.nn.init`": lambda: distinct(
            lambda: torch().nn.init.normal_(torch().empty(MILLION, dtype=torch().bfloat16))
        ),
        "`keras.initializers`": lambda: distinct(
            lambda: keras().RandomNormal(stddev=1.0, seed=1)(MILLION, "bfloat16")
        ),
    },
    "`orthogonal` in bfloat16": {
        "jinit": lambda: yes_or_no(works(lambda: jinit.orthogonal(KEY, (8, 8), "bfloat16"))),
        "`jax.nn.initializers`": lambda: yes_or_no(
            works(lambda: jax.nn.initializers.orthogonal()(KEY, (8, 8), "bfloat16"))
        ),
        "`torch.nn.init`": lambda: yes_or_no(
            works(lambda: torch().nn.init.orthogonal_(torch().empty(8, 8, dtype=torch().bfloat16)))
        ),
        "`keras.initializers`": lambda: yes_or_no(
            works(lambda: keras().Orthogonal(seed=1)((8, 8), "bfloat16"))
        ),
    },
    "the gain of any activation": {
        "jinit": lambda: yes_or_no(works(lambda: jinit.calculate_gain("gelu"))),
        "`jax.nn.initializers`": lambda: yes_or_no(hasattr(jax.nn.initializers, "calculate_gain")),
        "`torch.nn.init`": lambda: yes_or_no(works(lambda: torch().nn.init.calculate_gain("gelu"))),
        "`keras.initializers`": lambda: yes_or_no(hasattr(keras(), "calculate_gain")),
    },
    "`delta_orthogonal`": has("delta_orthogonal"),
    "`sparse`, `dirac`": has("sparse", "dirac"),
    "`looks_linear`, `siren`, `icnr`, `chrono_bias`": has(
        "looks_linear", "siren", "icnr", "chrono_bias"
    ),
    "whole models by rules, each of which must hit": has("rules", "plan", "initialize"),
    "fans and activations read from the model": has("trace"),
    "LSUV, signal reports": has("lsuv", "propagate"),
    "checkpoints, every tensor accounted for": has("load"),
}


def test_every_row_is_checked():
    assert list(table()) == list(FACTS)
    assert all(list(row) == ["jinit", *PEERS] for row in table().values())


@pytest.mark.parametrize("column", ["jinit", *PEERS])
@pytest.mark.parametrize("row", FACTS)
def test_cell(row: str, column: str):
    peer = PEERS.get(column, "jax")
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed")
    assert table()[row][column] == FACTS[row][column]()
