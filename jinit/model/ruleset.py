"""Rules: an ordered list of what each leaf of a model gets, that cannot silently miss.

May import: `jinit.shown`, and of `jinit.model` leaf, selectors, values; `jinit.display` as rules
are shown.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jinit.model.leaf import Leaf
from jinit.model.selectors import Selector, as_selector, selector_from_config
from jinit.model.values import Value, as_value, value_from_config, value_to_config
from jinit.shown import Shown

__all__ = ["Rule", "RuleError", "Rules", "as_rules"]

_SHOWN = 8  # paths that a message lists before it counts the rest


class RuleError(ValueError):
    """Rules and a model do not fit: a rule hits nothing, or a leaf is hit by nothing."""


class Rule(NamedTuple):
    """One rule: the leaves that `selector` selects get `value`.

    `optional` rules may hit nothing; `source` names the preset that a rule came from.
    """

    selector: Selector
    value: Value
    optional: bool = False
    source: str | None = None

    def __str__(self) -> str:
        where = f" of {self.source}" if self.source else ""
        return f"{self.selector!r}{where}"


class Rules(Shown, Sequence[Rule]):
    """An ordered set of rules; each leaf follows the first that selects it.

    A rule is a selector and a value. The selector is a glob on the path (`**/kernel`), a compiled
    regular expression, `jinit.by_role`, `jinit.by_layer`, or a predicate on a `Leaf`. The value is
    a scheme, `jinit.keep`, or a function of the `Leaf` that returns one of these.

    A rule that no leaf follows is an error, and so is a leaf that no rule selects, when the rules
    meet a model (`jinit.plan`, `jinit.initialize`).

    Args:
        rules: a mapping, a list of pairs, or other rules.
        default: value for leaves that no rule selects; without it there must be none.
        optional: let rules hit nothing: for presets, which serve many models.
        source: name of the preset, for messages and tables.

    Raises:
        TypeError: a selector or a value is none of those above.
        ValueError: a glob cannot be read.

    >>> import jinit
    >>> rules = jinit.Rules({"**/bias": jinit.zeros, "**/kernel": jinit.he_normal(mode="fan_out")})
    >>> rules.override({"head/kernel": jinit.normal(0.01)})[0].selector
    'head/kernel'
    """

    def __init__(
        self,
        rules: "Mapping[Any, Any] | Iterable[tuple[Any, Any]] | Rules",
        *,
        default: Any = None,
        optional: bool = False,
        source: str | None = None,
    ) -> None:
        made = tuple(_made(rules, optional, source))
        self._layers: tuple[tuple[Rule, ...], ...] = (made,) if made else ()
        self.default: Value | None = None if default is None else as_value(default)

    @classmethod
    def _of(cls, layers: Iterable[tuple[Rule, ...]], default: Value | None) -> "Rules":
        rules = cls(())
        rules._layers = tuple(layer for layer in layers if layer)
        rules.default = default
        return rules

    # Composition.

    def __or__(self, other: Any) -> "Rules":
        """These rules first, then those of `other`; what is decided here is not decided there."""
        other = as_rules(other)
        default = other.default if self.default is None else self.default
        return self._of((*self._layers, *other._layers), default)

    def __ror__(self, other: Any) -> "Rules":
        return as_rules(other) | self

    def override(self, rules: Any) -> "Rules":
        """The same rules, behind `rules`, which come first."""
        return as_rules(rules) | self

    def with_default(self, default: Any) -> "Rules":
        """The same rules, with a value for leaves that none of them selects."""
        return self._of(self._layers, as_value(default))

    # Being a sequence and a value.

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, first to last."""
        return tuple(rule for layer in self._layers for rule in layer)

    def __len__(self) -> int:
        return len(self.rules)

    def __getitem__(self, index: Any) -> Any:
        return self.rules[index]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rules):
            return NotImplemented
        return self._layers == other._layers and self.default == other.default

    def __hash__(self) -> int:
        return hash((self._layers, self.default))

    def __repr__(self) -> str:
        layers = [_shown(layer, None) for layer in self._layers] or ["jinit.Rules({})"]
        text = " | ".join(layers)
        if self.default is None:
            return text
        return f"({text}).with_default({self.default!r})"

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.models import rules_table

        return [rules_table(self)]

    # JSON.

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description.

        Raises:
            ValueError: a rule has a predicate, or a function that `jinit.per_leaf` does not know.

        >>> import jinit
        >>> jinit.Rules({"**": jinit.normal(0.02)}).to_config()["rules"][0][0]["select"]
        {'glob': ['**']}
        """
        layers = [[_rule_to_config(rule) for rule in layer] for layer in self._layers]
        default = {} if self.default is None else {"default": value_to_config(self.default)}
        return {"rules": layers, **default}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Rules":
        """The rules that `to_config` described; also after a round trip through JSON."""
        allowed = {"rules", "default"}
        if not isinstance(config, Mapping) or not {"rules"} <= config.keys() <= allowed:
            raise ValueError(f"`config` must be a mapping with 'rules', got {config!r}")
        layers = [tuple(map(_rule_from_config, layer)) for layer in config["rules"]]
        default = value_from_config(config["default"]) if "default" in config else None
        return cls._of(layers, default)

    # Meeting a model.

    def assign(
        self, leaves: Sequence[Leaf], wanted: Sequence[bool] | None = None
    ) -> list[Rule | None]:
        """The rule that each leaf follows; leaves that are not `wanted` need none.

        Raises:
            RuleError: a rule hits no leaf, or no rule hits a wanted leaf; all of them are listed.
        """
        followed, matched = self._follow(leaves)
        needed = [True] * len(leaves) if wanted is None else wanted
        missed = [
            leaf
            for leaf, rule, need in zip(leaves, followed, needed, strict=True)
            if rule is None and need
        ]
        used = {id(rule) for rule in followed}
        problems = [*self._idle(leaves, used, matched), *self._uncovered(missed)]
        if problems:
            raise RuleError("\n".join(problems))
        return followed

    def _follow(self, leaves: Sequence[Leaf]) -> tuple[list[Rule | None], dict[int, list[Leaf]]]:
        """The first rule for each leaf, and every leaf that each rule's selector selects."""
        rules = self.rules
        fallback = None if self.default is None else Rule(as_selector("**"), self.default, True)
        matched: dict[int, list[Leaf]] = {id(rule): [] for rule in rules}
        followed: list[Rule | None] = []
        for leaf in leaves:
            hits = [rule for rule in rules if rule.selector(leaf)]
            for rule in hits:
                matched[id(rule)].append(leaf)
            followed.append(hits[0] if hits else fallback)
        return followed, matched

    def _idle(
        self, leaves: Sequence[Leaf], used: set[int], matched: dict[int, list[Leaf]]
    ) -> Iterator[str]:
        for layer in self._layers:
            for place, rule in enumerate(layer):
                if rule.optional or id(rule) in used:
                    continue
                taken = matched[id(rule)]
                if not taken:
                    yield f"rule {rule} hits no leaf{_nearest(rule, leaves)}"
                elif all(any(before.selector(leaf) for before in layer[:place]) for leaf in taken):
                    yield (
                        f"rule {rule} hits no leaf: those it selects follow earlier rules "
                        f"({_listed(taken)}); put it before them"
                    )

    def _uncovered(self, missed: Sequence[Leaf]) -> Iterator[str]:
        if missed:
            yield (
                f"no rule hits {_listed(missed)}; add a rule (jinit.keep leaves a leaf as it is), "
                f"or a default: Rules(..., default=...)"
            )


def as_rules(rules: Any) -> Rules:
    """`rules` as `Rules`: a mapping, a list of pairs, or one value for every leaf."""
    if isinstance(rules, Rules):
        return rules
    if isinstance(rules, Mapping) or (
        isinstance(rules, Iterable) and not isinstance(rules, str) and not callable(rules)
    ):
        return Rules(rules)
    return Rules({"**": rules})


def _made(rules: Any, optional: bool, source: str | None) -> Iterator[Rule]:
    pairs = rules.items() if isinstance(rules, Mapping) else rules
    for pair in pairs:
        if isinstance(pair, Rule):
            yield pair
            continue
        try:
            selector, value = pair
        except (TypeError, ValueError):
            raise TypeError(f"a rule is a pair (selector, value), got {pair!r}") from None
        yield Rule(as_selector(selector), as_value(value), optional, source)


def _shown(layer: Sequence[Rule], default: Value | None) -> str:
    pairs = ", ".join(f"{rule.selector!r}: {rule.value!r}" for rule in layer)
    options = ", optional=True" if all(rule.optional for rule in layer) else ""
    options += f", source={layer[0].source!r}" if layer[0].source else ""
    return f"jinit.Rules({{{pairs}}}{options})"


def _rule_to_config(rule: Rule) -> dict[str, Any]:
    config: dict[str, Any] = {
        "select": rule.selector.to_config(),
        "value": value_to_config(rule.value),
    }
    if rule.optional:
        config["optional"] = True
    if rule.source is not None:
        config["source"] = rule.source
    return config


def _rule_from_config(config: Mapping[str, Any]) -> Rule:
    return Rule(
        selector_from_config(config["select"]),
        value_from_config(config["value"]),
        bool(config.get("optional", False)),
        config.get("source"),
    )


def _listed(leaves: Sequence[Leaf]) -> str:
    names = [str(leaf) for leaf in leaves[:_SHOWN]]
    rest = len(leaves) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")


def _nearest(rule: Rule, leaves: Sequence[Leaf]) -> str:
    """The paths most like what a rule asks for, to put a misspelling right."""
    if not leaves:
        return "; the model has no parameters"
    paths = sorted({leaf.path for leaf in leaves})
    for glob in rule.selector.globs:
        inside = as_selector(f"{glob}/**")
        if not any(map(as_selector(glob), leaves)) and any(map(inside, leaves)):
            return f"; {glob!r} is a module, and {inside!r} are its leaves"
    asked = str(rule.selector.of[0]) if rule.selector.kind == "glob" else repr(rule.selector)
    near = difflib.get_close_matches(asked, paths, n=3, cutoff=0.3) or paths[:3]
    return f"; the nearest paths are {', '.join(map(repr, near))}"
