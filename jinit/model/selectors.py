"""Selectors: which leaves a rule is for, by path, role, layer or predicate.

May import: the standard library, `jinit.model.structure`.

A selector is a value: it compares, hashes, prints as what makes it, and (a predicate apart) has a
JSON form.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from jinit.checks import check_choice
from jinit.model.structure import ROLES

__all__ = ["Selector", "as_selector", "by_layer", "by_role", "selector_from_config"]


class _Described(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def layer(self) -> str | None: ...


@dataclass(frozen=True)
class Selector:
    """A test on leaves; made by `as_selector`, `by_role`, `by_layer`, and from others by `& | ~`.

    >>> import jinit
    >>> jinit.by_role("dense") & "decoder/**"
    jinit.by_role('dense') & 'decoder/**'
    """

    kind: str
    of: tuple[Any, ...]

    @property
    def is_named(self) -> bool:
        """Whether it prints as a name, whatever it is made of."""
        return False

    @property
    def globs(self) -> Iterator[str]:
        """The patterns that it is made of."""
        if self.kind == "glob":
            yield self.of[0]
        for part in self.of:
            if isinstance(part, Selector):
                yield from part.globs

    def __call__(self, leaf: _Described) -> bool:
        """Whether `leaf` is selected."""
        return bool(_TESTS[self.kind](self.of, leaf))

    def __and__(self, other: Any) -> "Selector":
        return Selector("all", (self, as_selector(other)))

    def __rand__(self, other: Any) -> "Selector":
        return Selector("all", (as_selector(other), self))

    def __or__(self, other: Any) -> "Selector":
        return Selector("any", (self, as_selector(other)))

    def __ror__(self, other: Any) -> "Selector":
        return Selector("any", (as_selector(other), self))

    def __invert__(self) -> "Selector":
        return Selector("not", (self,))

    def __repr__(self) -> str:
        match self.kind:
            case "glob":
                return repr(self.of[0])
            case "regex":
                return repr(re.compile(*self.of))
            case "predicate":
                return getattr(self.of[0], "__qualname__", repr(self.of[0]))
            case "role" | "layer":
                return f"jinit.by_{self.kind}({', '.join(map(repr, self.of))})"
            case "not":
                return f"~{_bracketed(self.of[0])}"
        first, *others = self.of
        within = [_bracketed(first, unless=self.kind), *map(_bracketed, others)]
        return {"all": " & ", "any": " | "}[self.kind].join(within)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description.

        Raises:
            ValueError: a predicate has none.
        """
        if self.kind == "predicate":
            raise ValueError(
                f"the predicate {self!r} has no JSON form; select by glob, regex, jinit.by_role "
                "or jinit.by_layer, or use pickle"
            )
        parts = [part.to_config() if isinstance(part, Selector) else part for part in self.of]
        return {self.kind: parts}


Selectable: TypeAlias = "str | re.Pattern[str] | Selector | Callable[[Any], bool]"


def as_selector(spec: Any) -> Selector:
    """The selector that `spec` stands for.

    Args:
        spec: a glob on the path, in which `*` and `?` stand for characters within one name, `**`
            for any number of names, `[ab]` for one of some characters and `{q,k,v}` for one of
            some words; a compiled regular expression, found anywhere in the path; a predicate on
            a `Leaf`; or a selector.

    Raises:
        TypeError: `spec` is none of these.
        ValueError: a glob is empty, begins or ends with a slash, or leaves a bracket open.
    """
    if isinstance(spec, Selector):
        return spec
    if isinstance(spec, str):
        _glob(spec)
        return Selector("glob", (spec,))
    if isinstance(spec, re.Pattern):
        return Selector("regex", (spec.pattern, spec.flags & ~re.UNICODE))
    if callable(spec):
        return Selector("predicate", (spec,))
    raise TypeError(
        f"a selector must be a glob such as '**/kernel', a compiled regular expression, "
        f"a predicate on a leaf, jinit.by_role(...) or jinit.by_layer(...), got {spec!r}"
    )


def by_role(*roles: str) -> Selector:
    """Leaves that their layer uses in one of these roles.

    Args:
        roles: of "bias", "conv", "conv_transpose", "dense", "depthwise", "einsum", "embedding",
            "lora_a", "lora_b", "norm_bias", "norm_scale", "recurrent", "scale", "unknown",
            "unused".

    Raises:
        ValueError: there is no such role.

    >>> import jinit
    >>> jinit.Rules({jinit.by_role("bias"): jinit.zeros, "**": jinit.lecun_normal})[0].selector
    jinit.by_role('bias')
    """
    if not roles:
        raise ValueError(f"name at least one role; allowed: {', '.join(map(repr, ROLES))}")
    return Selector("role", tuple(check_choice("role", role, ROLES) for role in roles))


def by_layer(*layers: str) -> Selector:
    """Leaves that belong to a layer of one of these classes, by the class's name.

    Args:
        layers: names such as "Dense", "Conv", "MultiHeadDotProductAttention", or your own classes'.

    >>> import jinit
    >>> jinit.by_layer("Conv", "ConvTranspose")
    jinit.by_layer('Conv', 'ConvTranspose')
    """
    if not layers:
        raise ValueError("name at least one layer class, such as jinit.by_layer('Dense')")
    return Selector("layer", layers)


def selector_from_config(config: Mapping[str, Any]) -> Selector:
    """The selector that `Selector.to_config` described."""
    if not isinstance(config, Mapping) or len(config) != 1:
        raise ValueError(f"a selector's configuration has one key, got {config!r}")
    ((kind, of),) = config.items()
    if kind in ("all", "any", "not"):
        return Selector(kind, tuple(selector_from_config(part) for part in of))
    makers: dict[str, Callable[..., Selector]] = {
        "glob": as_selector,
        "layer": by_layer,
        "regex": lambda pattern, flags: as_selector(re.compile(pattern, flags)),
        "role": by_role,
    }
    return makers[check_choice("selector", kind, sorted(makers))](*of)


def _matches(pattern: str, path: str) -> bool:
    return _glob(pattern).fullmatch(path) is not None


def _bracketed(selector: Selector, unless: str = "") -> str:
    """A part of a combination as Python would need it, but for parts of the kind `unless`."""
    if selector.kind in ("all", "any") and selector.kind != unless and not selector.is_named:
        return f"({selector!r})"
    return repr(selector)


_TESTS: dict[str, Callable[[tuple[Any, ...], Any], Any]] = {
    "all": lambda of, leaf: all(part(leaf) for part in of),
    "any": lambda of, leaf: any(part(leaf) for part in of),
    "glob": lambda of, leaf: _matches(of[0], leaf.path),
    "layer": lambda of, leaf: leaf.layer in of,
    "not": lambda of, leaf: not of[0](leaf),
    "predicate": lambda of, leaf: of[0](leaf),
    "regex": lambda of, leaf: re.compile(*of).search(leaf.path),
    "role": lambda of, leaf: leaf.role in of,
}


@functools.lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    if not pattern or pattern.startswith("/") or pattern.endswith("/") or "//" in pattern:
        raise ValueError(
            f"the glob {pattern!r} must be names joined by single slashes, such as '**/kernel'"
        )
    names = pattern.split("/")
    text = ""
    for place, name in enumerate(names):
        last = place == len(names) - 1
        if name == "**":
            text += ".*" if last else "(?:.*/)?"
        else:
            text += _name(name, pattern) + ("" if last else "/")
    return re.compile(text)


_TOKENS = re.compile(r"\*+|\?|\[[^\]/]+\]|\{[^{}/]*\}|[^*?\[{]+|.")


def _name(name: str, pattern: str) -> str:
    """One name of a glob as a regular expression."""
    return "".join(_token(token, pattern) for token in _TOKENS.findall(name))


def _token(token: str, pattern: str) -> str:
    if token[0] == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if token[0] == "[" and len(token) > 1:
        inside = token[1:-1].replace("\\", "\\\\")
        return f"[{'^' + inside[1:] if inside[0] == '!' else inside}]"
    if token[0] == "{" and len(token) > 1:
        return f"(?:{'|'.join(map(re.escape, token[1:-1].split(',')))})"
    if token in ("[", "{"):
        raise ValueError(f"the glob {pattern!r} leaves {token!r} open")
    return re.escape(token)
