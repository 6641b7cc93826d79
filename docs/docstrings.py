"""Docstrings for Sphinx: they are written in Markdown's spirit, and Sphinx reads reStructuredText.

Text between backticks is code, `|` and `*` mean themselves, and tables have bars.
"""

import re
from collections.abc import Iterator, Sequence

_CODE = re.compile(r"(?<!`)(`[^`\n]+`)(?!`)")
_RULE = re.compile(r"^\s*\|(\s*:?-+:?\s*\|)+\s*$")


def to_rst(lines: Sequence[str]) -> list[str]:
    """A docstring's lines as Sphinx wants them; doctests as they are."""
    out: list[str] = []
    table: list[str] = []
    quoted = False
    for line in [*lines, ""]:
        quoted = bool(line.strip()) and (quoted or line.lstrip().startswith(">>>"))
        if line.lstrip().startswith("|") and not quoted:
            table.append(line)
            continue
        if table:
            out += _list_table(table)
            table = []
        out.append(line if quoted else _inline(line))
    return out[:-1]


def _inline(line: str) -> str:
    """Code in double backticks, and what is special in reStructuredText escaped outside it."""
    return "".join(
        f"`{part}`" if place % 2 else re.sub(r"([|*])", r"\\\1", part)
        for place, part in enumerate(_CODE.split(line))
    )


def _list_table(lines: Sequence[str]) -> Iterator[str]:
    margin = " " * (len(lines[0]) - len(lines[0].lstrip()))
    rows = [line.strip().strip("|").split("|") for line in lines if not _RULE.match(line)]
    yield from ("", f"{margin}.. list-table::")
    if len(rows) < len(lines):
        yield f"{margin}   :header-rows: 1"
    yield ""
    for row in rows:
        for place, cell in enumerate(row):
            yield f"{margin}   {'-' if place else '* -'} {_inline(cell.strip())}".replace(
                "   - ", "     - ", 1
            )
    yield ""
