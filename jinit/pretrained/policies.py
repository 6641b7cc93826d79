"""What to do with leaves that lack a tensor, or whose tensor does not fit: by rule.

May import: the standard library, of `jinit.model` leaf, ruleset, selectors, and of
`jinit.pretrained` adapters, leaves, templates.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from jinit.model.leaf import Leaf
from jinit.model.ruleset import RuleError
from jinit.model.selectors import Selector, as_selector
from jinit.pretrained.adapters.adapter import Adapter, Array
from jinit.pretrained.adapters.factors import LowRank
from jinit.pretrained.leaves import Wanted
from jinit.pretrained.matching import nearest
from jinit.pretrained.templates import compile_pattern

__all__ = ["Choice", "Policy", "as_policy", "ignored_names"]

Choice: TypeAlias = str | Adapter | LowRank


class Policy:
    """What is done with each leaf of one kind of trouble: by the first selector that selects it.

    Args:
        option: the name of the option, for messages.
        value: one choice for all leaves, or a mapping of selectors to choices; leaves that none of
            these selects are errors.
        words: the choices that are words.
        adapts: whether adapters are choices.
        splits: whether `low_rank` is one.
    """

    def __init__(
        self,
        option: str,
        value: Any,
        words: Sequence[str],
        *,
        adapts: bool = False,
        splits: bool = False,
    ) -> None:
        self.option, self.words = option, tuple(words)
        self._adapts, self._splits = adapts, splits
        pairs = value.items() if isinstance(value, Mapping) else [("**", value)]
        self.choices: list[tuple[Selector, Choice]] = [
            (as_selector(selector), self._choice(choice)) for selector, choice in pairs
        ]
        self._by_rule = isinstance(value, Mapping)

    def _choice(self, choice: Any) -> Choice:
        if isinstance(choice, str) and choice in self.words:
            return choice
        if self._splits and isinstance(choice, LowRank):
            return choice
        if self._adapts and isinstance(choice, Adapter):
            return choice
        if self._adapts and callable(choice) and not isinstance(choice, type):
            return _Function(choice)
        allowed = [*map(repr, sorted(self.words))]
        allowed += ["an adapter of jinit.pretrained"] * self._adapts
        allowed += ["jinit.pretrained.low_rank(...)"] * self._splits
        raise ValueError(
            f"`{self.option}` (={choice!r}) must be {', '.join(allowed)}, or a mapping of "
            "selectors to these"
        )

    def check(self, wanted: Sequence[Wanted]) -> None:
        """Raise a RuleError if a selector selects no leaf."""
        for selector, _ in self.choices if self._by_rule else []:
            if not any(selector(one.leaf) for one in wanted):
                raise RuleError(
                    f"{selector!r} in `{self.option}` selects no leaf"
                    f"{nearest(str(selector.of[0]), [one.path for one in wanted])}"
                )

    def of(self, leaf: Leaf) -> Choice | None:
        """What is chosen for a leaf; None where nothing is."""
        return next((choice for selector, choice in self.choices if selector(leaf)), None)


class _Function(Adapter):
    """A user's function of the array and the leaf."""

    def __init__(self, function: Callable[[Array, Leaf], Any]) -> None:
        self.function = function

    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        return self.function(value, leaf)

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function)).rpartition(".")[2]


def as_policy(option: str, value: Any) -> Policy:
    """The policy that an option of `jinit.load` stands for.

    Raises:
        ValueError: a choice is none of those allowed.
    """
    match option:
        case "on_missing":
            return Policy(option, value, ("draw", "error", "keep"), splits=True)
        case "on_mismatch":
            return Policy(option, value, ("draw", "error", "keep"), adapts=True)
    return Policy(option, {} if value is None else value, (), adapts=True)


def ignored_names(value: Any, names: Sequence[str]) -> set[str]:
    """Names of tensors that may be left over.

    Args:
        value: "error", "ignore", or a mapping of patterns on names to these.
        names: all names.

    Raises:
        ValueError: a choice is neither, or a pattern fits no name.
    """
    pairs = value.items() if isinstance(value, Mapping) else [("**", value)]
    left: dict[str, str] = {}
    for pattern, choice in pairs:
        if choice not in ("error", "ignore"):
            raise ValueError(
                f"`on_unexpected` (={choice!r}) must be 'error' or 'ignore', or a mapping of "
                "patterns on names to these"
            )
        fitting = [name for name in names if compile_pattern(pattern).fullmatch(name)]
        if not fitting and isinstance(value, Mapping):
            raise ValueError(
                f"the pattern {pattern!r} in `on_unexpected` fits no tensor"
                f"{nearest(pattern, names)}"
            )
        for name in fitting:
            left.setdefault(name, choice)
    return {name for name, choice in left.items() if choice == "ignore"}
