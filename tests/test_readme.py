"""The README: every Python block runs, the first within a screen; its commands are those of CI."""

import re
from pathlib import Path

import jax
import pytest

from jinit.factory import registry

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_the_first_code_is_on_the_first_screen():
    lines = README.splitlines()
    assert lines.index("```python") < 15


def test_every_python_block_runs(capsys):
    """In order and in one session, as somebody would who reads along."""
    names: dict[str, object] = {}
    found = blocks("python")
    assert len(found) >= 4
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        for number, block in enumerate(found, 1):
            try:
                exec(compile(block, f"README block {number}", "exec"), names)
            except Exception as error:
                pytest.fail(f"block {number} raised {error!r}:\n{block}")
    printed = capsys.readouterr().out
    assert "jinit.he_normal(mode='fan_out', nonlinearity='gelu')" in printed
    assert "Fans(fan_in=9, fan_out=9)" in printed
    assert "did you mean 'fan_in'" in printed


def test_ci_runs_the_commands():
    ci = (ROOT / ".ci" / "run").read_text()
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 2
    for command in commands:
        for part in command.split(" && "):
            assert part in ci, f"CI does not run {part!r}"


def test_every_scheme_is_named():
    for name in registry:
        assert f"`{name}`" in README, name


def test_paths_that_it_names_exist():
    for path in re.findall(r"`((?:benchmarks|examples|docs|notebooks|tests)/[\w./-]*)`", README):
        assert (ROOT / path).exists(), path
