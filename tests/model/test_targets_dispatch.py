"""Targets of every kind find their adapter, and no framework is imported for another's."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from jinit.model.targets.dispatch import describe_target
from jinit.model.targets.loaded import holds, is_a


@pytest.mark.parametrize("target", ["{'kernel': jnp.ones((2, 3))}", "lambda: [jnp.ones((2, 3))]"])
def test_trees_import_no_framework(target):
    code = (
        "import sys, jax.numpy as jnp; from jinit.model.targets.dispatch import describe_target; "
        f"describe_target({target}); "
        "print({'flax', 'equinox', 'haiku'} & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "set()"


def test_functions_that_build_a_tree():
    structure = describe_target(lambda: {"kernel": jnp.ones((2, 3))})
    (slot,) = structure.slots
    assert (slot.parts, slot.value, structure.rest_of) == (("kernel",), None, None)
    assert structure.rebuild([5], None) == {"kernel": 5}


def test_functions_of_something():
    with pytest.raises(TypeError, match=r"`target` .* needs key, width; .* takes no arguments"):
        describe_target(lambda key, width, depth=3, *rest, **options: {})


@pytest.mark.parametrize("target", [None, (), {}])
def test_empty_trees(target):
    structure = describe_target(target)
    assert structure.slots == ()
    assert structure.rebuild([], None) == target


def test_things_that_are_no_models():
    with pytest.raises(TypeError, match=r"'' \(='model'\) is of type str"):
        describe_target("model")


def test_classes_by_name():
    assert is_a(3, "builtins.int")
    assert not is_a(3, "builtins.str", "nowhere.Module", "builtins.nothing", "builtins.len")
    assert holds([{"a": (3, 4.0)}], "builtins.float")
    assert not holds([{"a": (3, 4.0)}], "builtins.str")
    assert not holds(jax.ShapeDtypeStruct((1,), "int32"), "nowhere.Module")
