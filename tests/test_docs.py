"""The documentation names everything that is public, and nothing that is not there."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import jinit

DOCS = Path(__file__).parent.parent / "docs"
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|data|exception):: (\S+)$", re.MULTILINE)
DOCUMENTED = [
    name
    for page in sorted(DOCS.glob("reference/*.md"))
    for name in DIRECTIVE.findall(page.read_text())
]
ROOMS = [name for name in dir(jinit) if name in jinit._ROOMS]


def _find(name: str) -> object:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


def test_every_public_name_is_in_the_reference():
    missing = {f"jinit.{name}" for name in jinit.__all__} - set(DOCUMENTED)
    for room in ROOMS:
        module = importlib.import_module(f"jinit.{room}")
        missing |= set(_names_of(module)) - set(DOCUMENTED)
    assert not missing


def _names_of(room: ModuleType) -> Iterator[str]:
    """The public names of a room, those of rooms within it included; each under its first home."""
    for name in room.__all__:
        value = getattr(room, name)
        if isinstance(value, ModuleType):
            yield from (inner for inner in _names_of(value) if not _is_in(room, inner))
        elif getattr(jinit, name, None) is not value:
            yield f"{room.__name__}.{name}"


def _is_in(room: ModuleType, name: str) -> bool:
    return name.rsplit(".", 1)[-1] in room.__all__


def test_the_reference_names_what_there_is_once():
    assert len(DOCUMENTED) == len(set(DOCUMENTED))
    for name in DOCUMENTED:
        assert _find(name).__doc__, name


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_pages_are_reached_and_have_a_title(page: Path):
    if "_build" in page.parts:
        pytest.skip("built")
    text = page.read_text()
    assert re.search(r"^# \S", text, flags=re.MULTILINE)
    if page == DOCS / "index.md":
        return
    listed = [
        (index.parent / line.strip()).resolve()
        for index in (DOCS / "index.md", DOCS / "reference" / "index.md")
        for block in re.findall(r"```{toctree}(.*?)```", index.read_text(), flags=re.DOTALL)
        for line in block.splitlines()
        if line.strip() and not line.startswith(":")
    ]
    assert page.with_suffix("").resolve() in listed


def test_benchmarks_and_commands_are_listed():
    listed = (DOCS / "benchmarks.md").read_text()
    helpers = {"measure.py", "models.py", "processes.py"}
    for path in (DOCS.parent / "benchmarks").glob("*.py"):
        assert path.name in helpers or f"`{path.name}`" in listed, path.name
    commands = (DOCS / "reference" / "command_line.md").read_text()
    cli = (DOCS.parent / "jinit" / "cli.py").read_text()
    for name in re.findall(r'_add_command\(\s*commands,\s*"(\w+)"', cli):
        assert f"`jinit {name}" in commands, name


def test_every_reproduction_is_shown():
    page = (DOCS / "evidence.md").read_text()
    results = DOCS.parent / "examples" / "reproduce" / "results"
    assert sorted(re.findall(r'^show\("(\w+)"\)$', page, flags=re.MULTILINE)) == sorted(
        path.stem for path in results.glob("*.json")
    )


def test_every_example_is_linked():
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    told = "\n".join(page.read_text() for page in pages if "_build" not in page.parts)
    for path in (DOCS.parent / "examples").glob("*.py"):
        assert f"examples/{path.name}" in told, path.name
