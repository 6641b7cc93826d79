"""Fillers from the text of a prototxt.

May import: of `jinit.frameworks` caffe.fillers.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jinit.frameworks.caffe import fillers
from jinit.initializer import Initializer

__all__ = ["from_prototxt"]

# The fields of FillerParameter that each type uses; Caffe ignores the others, `sparse` apart.
_TYPES: dict[str, tuple[Callable[..., Initializer], tuple[str, ...]]] = {
    "bilinear": (fillers.bilinear, ()),
    "constant": (fillers.constant, ("value",)),
    "gaussian": (fillers.gaussian, ("mean", "std", "sparse")),
    "msra": (fillers.msra, ("variance_norm",)),
    "positive_unitball": (fillers.positive_unitball, ()),
    "uniform": (fillers.uniform, ("min", "max")),
    "xavier": (fillers.xavier, ("variance_norm",)),
}
_NORMS = ("FAN_IN", "FAN_OUT", "AVERAGE")  # in the order of their numbers
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<word>[A-Za-z_][\w.]*)|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?f?)"""
    r"""|(?P<mark>[:{}<>,;])"""
)


def from_prototxt(text: str) -> Initializer:
    """The filler that a prototxt describes.

    Args:
        text: one filler, as `weight_filler { type: "xavier" }`, or its fields alone.

    Returns:
        The scheme of `jinit.frameworks.caffe`. Fields that its type does not use are left out, as
        in Caffe.

    Raises:
        ValueError: the text is no filler: a field or type is unknown, given twice or of the wrong
            kind, a bracket is missing, or there are several fillers; the message says where.

    >>> from jinit.frameworks import caffe
    >>> caffe.from_prototxt('weight_filler { type: "xavier" variance_norm: AVERAGE }')
    jinit.frameworks.caffe.xavier(variance_norm='AVERAGE')
    >>> caffe.from_prototxt('type: "gaussian" std: 0.01  # as in AlexNet')
    jinit.frameworks.caffe.gaussian(std=0.01)
    """
    reader = _Reader(text)
    fields = reader.read_filler()
    kind = fields.pop("type", "constant")
    if kind not in _TYPES:
        raise ValueError(_unknown("filler type", kind, _TYPES))
    make, used = _TYPES[kind]
    if fields.get("sparse", -1) != -1 and "sparse" not in used:
        raise ValueError(f"Caffe's filler {kind!r} takes no `sparse` (={fields['sparse']})")
    return make(**{name: value for name, value in fields.items() if name in used})


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Reader:
    """The tokens of a text, read from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [*_tokens(text), _Token("end", "the end", len(text))]
        self.place = 0

    def read_filler(self) -> dict[str, Any]:
        """The fields of the one filler that the text is."""
        first, second = self.tokens[0], self.tokens[min(1, len(self.tokens) - 1)]
        named = first.kind == "word" and second.text in ("{", ":") and first.text not in _FIELDS
        if not named:
            return self._read_fields("end")
        if not first.text.endswith("filler"):
            raise self._wrong(first, f"a filler such as 'weight_filler', or {_listed(_FIELDS)}")
        self._take()
        if self._peek().text == ":":
            self._take()
        self._expect("{")
        fields = self._read_fields("}")
        self._expect("}")
        if self._peek().kind != "end":
            raise self._wrong(self._peek(), "nothing more; give one filler at a time")
        return fields

    def _read_fields(self, end: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        while not self._is(end):
            name = self._take()
            if name.kind != "word":
                raise self._wrong(name, f"a field's name or {'the end' if end == 'end' else '}'}")
            if name.text not in _FIELDS:
                raise ValueError(_unknown("field", name.text, _FIELDS) + self._where(name))
            if name.text in fields:
                raise ValueError(f"the field {name.text!r} is given twice{self._where(name)}")
            self._expect(":")
            fields[name.text] = self._read_value(name.text)
            if self._peek().text in (",", ";"):
                self._take()
        return fields

    def _read_value(self, name: str) -> Any:
        token, (kinds, convert, wanted) = self._take(), _FIELDS[name]
        if token.kind in kinds:
            try:
                return convert(token.text)
            except ValueError:
                pass
        raise self._wrong(token, f"{wanted} as `{name}`")

    def _peek(self) -> _Token:
        return self.tokens[self.place]

    def _take(self) -> _Token:
        token = self._peek()
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def _is(self, end: str) -> bool:
        token = self._peek()
        return token.kind == "end" if end == "end" else token.text == end

    def _expect(self, mark: str) -> None:
        token = self._take()
        if token.text != mark:
            raise self._wrong(token, repr(mark))

    def _wrong(self, token: _Token, wanted: str) -> ValueError:
        found = token.text if token.kind == "end" else repr(token.text)
        return ValueError(f"expected {wanted}, found {found}{self._where(token)}")

    def _where(self, token: _Token) -> str:
        before = self.text[: token.at]
        column = token.at - (before.rfind("\n") + 1) + 1
        return f" at line {before.count(chr(10)) + 1}, column {column}"


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            line = text.count("\n", 0, at) + 1
            raise ValueError(f"cannot read {text[at : at + 12]!r} in line {line} of the prototxt")
        if found.lastgroup is not None:
            yield _Token(found.lastgroup, found.group(), at)
        at = found.end()


def _float(text: str) -> float:
    value = float(text.removesuffix("f"))
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _norm(text: str) -> str:
    if text.isdigit():
        return dict(enumerate(_NORMS)).get(int(text), "") or _norm(f"number {text}")
    if text not in _NORMS:
        raise ValueError(text)
    return text


def _string(text: str) -> str:
    return text[1:-1]


_number = (("number",), _float, "a number")
_FIELDS: dict[str, tuple[tuple[str, ...], Callable[[str], Any], str]] = {
    "max": _number,
    "mean": _number,
    "min": _number,
    "sparse": (("number",), int, "an int"),
    "std": _number,
    "type": (("string",), _string, "a quoted string"),
    "value": _number,
    "variance_norm": (("word", "number"), _norm, f"one of {', '.join(_NORMS)}"),
}


def _listed(names: Any) -> str:
    return ", ".join(map(repr, sorted(names)))


def _unknown(what: str, name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {_listed(known)}"
    return f"Caffe has no {what} {name!r}; {hint}"
