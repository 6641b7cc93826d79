"""Every preset says what it does, where it is from, and how it is used."""

import inspect

import pytest

from jinit import presets

FUNCTIONS = [
    value for name in presets.__all__ if inspect.isfunction(value := getattr(presets, name))
]


def test_names_are_sorted_and_there():
    assert presets.__all__ == sorted(presets.__all__)
    assert len(FUNCTIONS) == 26
    expected = {
        *("equinox_default", "flax_default", "haiku_default", "keras_default", "torch_default"),
        *("bert", "dit", "gpt2", "llama", "mamba", "mlp_mixer", "neox", "olmo", "ppo", "resnet"),
        *("t5", "vit", "lora", "deepnorm", "depth_scaled", "fixup", "layerscale", "rezero"),
        *("skipinit", "mup", "completep"),
    }
    assert {function.__name__ for function in FUNCTIONS} == expected


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_documentation(function):
    text = inspect.getdoc(function)
    for part in ("Returns:", ">>> ", "Reference: ", "| leaf"):
        assert part in text, part
    for option in inspect.signature(function).parameters:
        assert f"{option}:" in text, option
