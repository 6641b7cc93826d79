"""Notebooks, as committed: complete, in order, small, and true of any machine.

CI executes them besides; here they are only read.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

LARGEST = 1_500_000  # bytes
LONGEST = 45  # lines of a cell of code: what a screen shows
ELSEWHERE = re.compile(r"(?<![\w.])/(?:home|tmp|root|usr|opt|work|Users|private)/\w|[A-Z]:\\")
COMPLAINT = re.compile(r"\w*Warning\b|Traceback|\[IPKernelApp\]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")  # colours and cursor movements of a terminal


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def cells(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return json.loads(request.param.read_text())["cells"]


def code(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def texts(cell: dict[str, Any]) -> Iterator[str]:
    """Everything that a cell put out and that can be read."""
    for output in cell["outputs"]:
        yield "".join(output.get("text", ""))
        for kind, data in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield "".join(data)


def test_they_are_numbered():
    assert len(NOTEBOOKS) >= 8
    assert all(re.fullmatch(r"\d\d_[a-z_]+", path.stem) for path in NOTEBOOKS)
    assert len({path.stem[:2] for path in NOTEBOOKS}) == len(NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_small_enough_to_open(path: Path):
    assert path.stat().st_size < LARGEST


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_made_for_any_kernel(path: Path):
    read = json.loads(path.read_text())
    assert (read["nbformat"], read["metadata"]["kernelspec"]["name"]) == (4, "python3")


def test_opens_with_what_it_shows(cells: list[dict[str, Any]]):
    opening = source(cells[0])
    assert cells[0]["cell_type"] == "markdown"
    assert opening.startswith("# ")
    questions = [line for line in opening.splitlines() if line.startswith("* ")]
    assert len(questions) >= 3
    assert all(re.search(r"\?$", question) for question in re.split(r"\n\* ", opening)[1:])


def test_closes_with_what_was_seen(cells: list[dict[str, Any]]):
    heading, seen = cells[-2:]
    assert source(heading) == "## What was seen"
    assert seen["cell_type"] == "code"
    assert source(seen).count("{") >= 3, "what was seen is printed from what was computed"
    assert sum(line.startswith("* ") for text in texts(seen) for line in text.splitlines()) >= 3


def test_executed_in_order_from_a_fresh_kernel(cells: list[dict[str, Any]]):
    counts = [cell["execution_count"] for cell in code(cells)]
    assert counts == list(range(1, len(counts) + 1))


def test_the_switch_for_a_quick_look_comes_first(cells: list[dict[str, Any]]):
    switches = ['FAST = os.environ.get("JINIT_FAST") == "1"' in source(c) for c in code(cells)]
    assert switches == [True] + [False] * (len(switches) - 1)


def test_every_result_is_there(cells: list[dict[str, Any]]):
    """A cell that ends in an expression shows it, and one that draws shows its figure."""
    for cell in code(cells):
        drawn = any("image/png" in output.get("data", {}) for output in cell["outputs"])
        assert drawn or "plt.subplots" not in source(cell), source(cell)
        last = source(cell).splitlines()[-1]
        shown = not last.startswith(" ") and re.match(r"(Markdown|print|display|jinit)\b", last)
        assert cell["outputs"] or not shown, source(cell)


def test_nothing_went_wrong(cells: list[dict[str, Any]]):
    for cell in code(cells):
        kinds = {output["output_type"] for output in cell["outputs"]}
        assert kinds <= {"display_data", "execute_result", "stream"}, source(cell)
        streams = {output.get("name") for output in cell["outputs"]}
        assert "stderr" not in streams, source(cell)
        for text in texts(cell):
            assert not COMPLAINT.search(text), text


def test_outputs_are_of_no_machine_in_particular(cells: list[dict[str, Any]]):
    for cell in code(cells):
        for text in (source(cell), *texts(cell)):
            assert not ELSEWHERE.search(text), text
            assert not CONTROL.search(text), text


def test_claims_are_checked(cells: list[dict[str, Any]]):
    assert sum(source(cell).count("assert ") for cell in code(cells)) >= 4


def test_cells_fit_a_screen(cells: list[dict[str, Any]]):
    for cell in code(cells):
        assert len(source(cell).splitlines()) <= LONGEST, source(cell)


def test_prose_has_no_measured_numbers(cells: list[dict[str, Any]]):
    """What a rerun could contradict is printed from variables, not written."""
    for cell in cells:
        if cell["cell_type"] == "markdown":
            prose = re.sub(r"`[^`]*`|\$[^$]*\$", "", source(cell))
            assert not re.search(r"\d+(\.\d+)?\s?%|\d\.\d+ (s|seconds|times)\b", prose), prose


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (ELSEWHERE, "File /tmp/ipykernel_1/2.py"),
        (ELSEWHERE, "in C:\\Users"),
        (COMPLAINT, "RuntimeWarning: divide by zero"),
        (COMPLAINT, "Traceback (most recent call last)"),
        (CONTROL, "\x1b[31mred\x1b[0m"),
    ],
)
def test_guards_can_fail(pattern: re.Pattern[str], text: str):
    assert pattern.search(text)


@pytest.mark.parametrize("text", ["blocks/attn/out/kernel", "1/tmp", "and/or", "a\nb\tc"])
def test_guards_can_pass(text: str):
    assert not any(pattern.search(text) for pattern in (ELSEWHERE, COMPLAINT, CONTROL))
