"""Tables as text, wherever they are printed."""

import jax
import pytest
import rich.console

import jinit


def test_text_is_text_in_a_notebook_too(monkeypatch: pytest.MonkeyPatch):
    """In a notebook rich would show a table by itself, and leave nothing to print."""
    plan = jinit.plan({"kernel": jax.ShapeDtypeStruct((4, 8), "float32")}, jinit.he_normal())
    expected = str(plan)
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    assert rich.console.Console().is_jupyter  # the pretence works
    assert str(plan) == expected
    assert "kernel" in expected
