"""Names of PyTorch's modules, and the modules of a JAX model that they correspond to.

May import: the standard library, and of `jinit.pretrained` leaves, matching, sources, templates.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jinit.pretrained.leaves import Wanted
from jinit.pretrained.matching import nearest
from jinit.pretrained.sources import TensorSpec
from jinit.pretrained.templates import compile_pattern, fill

__all__ = ["Names", "Pair", "TorchModule", "as_pairs", "tokens", "torch_modules"]

Tokens: TypeAlias = tuple[str, ...]

# PyTorch numbers the layers of a recurrent net within the names of their weights.
_LAYER = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)(?:_(l\d+(?:_reverse)?))?")


@dataclass(frozen=True)
class TorchModule:
    """A module of the checkpoint.

    Attributes:
        name: its name; that of one layer of a recurrent net ends in "l0", "l0_reverse", ...
        tensors: names in the source, by what the module calls them.
    """

    name: str
    tensors: Mapping[str, str]


@dataclass(frozen=True)
class Pair:
    """One of the user's pairs: modules of the checkpoint, and the module they go to.

    Attributes:
        patterns: patterns on their names; several are fused, in order.
        template: the path of the module.
    """

    patterns: tuple[str, ...]
    template: str

    def __str__(self) -> str:
        return repr(self.patterns[0] if len(self.patterns) == 1 else self.patterns)


def as_pairs(pairs: object) -> tuple[Pair, ...]:
    """The user's pairs, checked."""
    if pairs is None:
        return ()
    if isinstance(pairs, str) or not isinstance(pairs, Iterable):
        raise TypeError(
            f"`pairs` maps names of modules, {{'layer1.0.conv1': 'stage_1/block_0/conv'}}, "
            f"got {pairs!r}"
        )
    made = []
    for pair in pairs.items() if isinstance(pairs, Mapping) else pairs:
        try:
            names, template = pair
            patterns = (names,) if isinstance(names, str) else tuple(names)
            for pattern in filter(None, patterns):
                compile_pattern(pattern)
        except (TypeError, ValueError):
            raise TypeError(f"one of `pairs` is (name, path), got {pair!r}") from None
        made.append(Pair(patterns, template))
    return tuple(made)


def torch_modules(specs: Mapping[str, TensorSpec]) -> list[TorchModule]:
    """The modules that tensors belong to, in the order in which they come."""
    modules: dict[str, dict[str, str]] = {}
    for name in specs:
        owner, _, own = name.rpartition(".")
        layer = _LAYER.fullmatch(own)
        if layer and layer[2]:
            owner, own = f"{owner}.{layer[2]}" if owner else layer[2], layer[1]
        modules.setdefault(owner, {})[own] = name
    return [TorchModule(name, tensors) for name, tensors in modules.items()]


def tokens(name: str | Sequence[str]) -> Tokens:
    """The words and numbers of a name, however they are joined.

    >>> tokens("layers.0.self_attn") == tokens(("layers_0", "self_attn"))
    True
    """
    text = name if isinstance(name, str) else "/".join(name)
    return tuple(token for token in re.split(r"[./_]+", text.lower()) if token)


class Names:
    """Finds the module of a model that one of the checkpoint goes to: by pairs, or an equal name.

    Attributes:
        problems: what was wrong with the pairs, each a line.
    """

    def __init__(self, pairs: Sequence[Pair], wanted: Sequence[Wanted]) -> None:
        self.pairs = pairs
        self.problems: list[str] = []
        self._by_tokens: dict[Tokens, set[str]] = {}
        self._stacked: set[str] = set()
        for one in wanted:
            for at in range(len(one.module) + 1):
                path = "/".join(one.module[:at])
                self._by_tokens.setdefault(tokens(path), set()).add(path)
                if one.leaf.stack:
                    self._stacked.add(path)

    def find(self, name: str) -> tuple[str, int] | None:
        """The path of the module, and the place there: several modules may be fused into it."""
        path, place, pair = self._rewrite(name)
        known = self._known(tokens(path), name)
        if known is None and pair is not None:
            paths = sorted(path for paths in self._by_tokens.values() for path in paths if path)
            self.problems.append(
                f"the pair {pair} sends {name!r} to {path!r}, which is no module"
                f"{nearest(path, paths)}"
            )
        return None if known is None else (known, place)

    def idle(self, names: Iterable[str]) -> list[str]:
        """A line for each pattern of a pair that fits none of these modules."""
        known = list(dict.fromkeys(names))
        return [
            f"the pair {pair} in `pairs` fits no module{nearest(pattern, filter(None, known))}"
            for pair in self.pairs
            for pattern in pair.patterns
            if all(_filled(pattern, pair.template, name) is None for name in known)
        ]

    def _rewrite(self, name: str) -> tuple[str, int, Pair | None]:
        """The path by the pair that fits most of a name; the pair itself if it fits all of it."""
        words = name.split(".") if name else []
        for cut in range(len(words), -1, -1):
            around = ".".join(words[:cut])
            for pair in self.pairs:
                for place, pattern in enumerate(pair.patterns):
                    path = _filled(pattern, pair.template, around)
                    if path is not None:
                        path = "/".join(part for part in (path, *words[cut:]) if part)
                        return path, place, pair if cut == len(words) else None
        return "/".join(words), 0, None

    def _known(self, words: Tokens, name: str) -> str | None:
        """The module whose path has these words; one of stacked layers lacks a number of them."""
        found = self._by_tokens.get(words, set())
        if not found:
            shorter = [
                words[:at] + words[at + 1 :] for at, word in enumerate(words) if word.isdigit()
            ]
            known = set().union(*(self._by_tokens.get(one, set()) for one in shorter))
            found = known & self._stacked
        if len(found) > 1:
            self.problems.append(
                f"{name!r} may be any of {', '.join(map(repr, sorted(found)))}; "
                "say which in `pairs`"
            )
        return next(iter(found)) if len(found) == 1 else None


def _filled(pattern: str, template: str, name: str) -> str | None:
    """The path for a name that fits a pattern as a whole; the empty one is the root."""
    if not pattern:
        return template.strip("/") if not name else None
    found = compile_pattern(pattern).fullmatch(name)
    return None if found is None else fill(template, found)
