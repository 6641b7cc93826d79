"""Patterns on the names of tensors, and templates of the paths that they go to.

May import: the standard library.

In a pattern `*` stands for characters within one name, `**` for any number of names, and `{q,k}`
for one of some words; names are separated by "." or "/". A template has `*` and `**` for what
those of the pattern stood for, in order, and `{1}`, `{2}`, ... for what each group did by number,
those of words included.
"""

import functools
import re
from collections.abc import Iterator

__all__ = ["Pattern", "compile_pattern", "fill", "natural"]

Pattern = re.Pattern[str]

_TOKENS = re.compile(r"\*\*[./]?|\*|\?|\{[^{}]*\}|[./]|[^*?{}./]+|.")
_HOLES = re.compile(r"\*\*?|\{(\w+)\}")


@functools.lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> Pattern:
    """A pattern as a regular expression.

    >>> compile_pattern("layers.*.{q,k}.weight").fullmatch("layers.11.k.weight").groups()
    ('11', 'k')
    """
    if not pattern:
        raise ValueError("a pattern must not be empty")
    return re.compile("".join(map(_token, _TOKENS.findall(pattern))))


def _token(token: str) -> str:
    if token == "**":
        return "(.*)"
    if token.startswith("**"):
        return "(?:(.*)[./])?"
    if token in (".", "/"):
        return "[./]"
    if token[0] == "{" and token[-1] == "}":
        return f"({'|'.join(map(re.escape, token[1:-1].split(',')))})"
    return {"*": "([^./]*)", "?": "[^./]"}.get(token, re.escape(token))


def fill(template: str, found: re.Match[str]) -> str:
    """The path that a template gives for a match; holes for which there is no group stay `*`.

    >>> fill("h_{1}/*/kernel", compile_pattern("h.*.*.weight").fullmatch("h.3.fc.weight"))
    'h_3/3/kernel'
    >>> fill("h/*/*/kernel", compile_pattern("h.*.weight").fullmatch("h.fc.weight"))
    'h/fc/*/kernel'
    """
    groups = iter(found.groups())
    filled = _HOLES.sub(lambda hole: _filled(hole, found, groups), template)
    return re.sub("/+", "/", filled.replace(".", "/")).strip("/")


def _filled(hole: re.Match[str], found: re.Match[str], groups: Iterator[str | None]) -> str:
    name = hole[1]
    if name is None:
        return next(groups, hole[0]) or ""
    try:
        return found[int(name) if name.isdigit() else name] or ""
    except IndexError:
        raise ValueError(
            f"the template has {hole[0]!r}, and the pattern {found.re.pattern!r} has "
            f"{found.re.groups} groups"
        ) from None


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts names by their numbers: layer 2 before layer 10.

    >>> sorted(["h.10", "h.2"], key=natural)
    ['h.2', 'h.10']
    """
    parts = re.findall(r"\d+|\D+", name)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)
