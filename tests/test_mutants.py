"""The suite's own test: every planted fault is noticed. Required score: all of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant

import jinit

PACKAGE = Path(jinit.__file__).parent
TESTS = Path(__file__).parent
# Faults are looked for at one case a scheme where possible; -x stops at the first that shows.
OPTIONS = [
    "-x",
    "-q",
    "-m",
    "not slow",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:randomly",
    "--no-header",
]


def _name(mutant: Mutant) -> str:
    return f"{mutant.file}: {mutant.old[:40]} -> {mutant.new[:40]}"


def test_there_are_many_mutants():
    assert len(MUTANTS) >= 30
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=_name)
def test_mutant_still_applies(mutant: Mutant):
    """The list must not rot: the text to be replaced is there, once."""
    text = (PACKAGE / mutant.file).read_text()
    assert text.count(mutant.old) == 1
    assert mutant.old != mutant.new
    assert mutant.tests
    assert all((TESTS / name.split("::")[0]).exists() for name in mutant.tests)


def _run_tests(package_parent: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    # No test needs a plugin, and to load them takes as long as most tests.
    options = {"PYTHONPATH": str(package_parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = {**os.environ, **options}
    command = [sys.executable, "-m", "pytest", *OPTIONS, *(str(TESTS / name) for name in tests)]
    return subprocess.run(
        command, env=environment, cwd=package_parent, capture_output=True, text=True, timeout=900
    )


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=_name)
def test_mutant_is_caught(mutant: Mutant, tmp_path: Path):
    shutil.copytree(PACKAGE, tmp_path / "jinit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TESTS.parent / "pyproject.toml", tmp_path)
    target = tmp_path / "jinit" / mutant.file
    target.write_text(target.read_text().replace(mutant.old, mutant.new))
    done = _run_tests(tmp_path, mutant.tests)
    # 1: tests ran and some failed. Anything else (nothing collected, a crash) proves nothing.
    assert done.returncode == 1, done.stdout[-2000:]
