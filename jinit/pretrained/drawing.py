"""Leaves that no tensor fills, drawn by rules: those alone, each from the key of its path.

May import: the standard library, of `jinit.model` leaf, planning, ruleset, and of
`jinit.pretrained` leaves.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jinit.model.leaf import as_leaves
from jinit.model.planning import Plan, decide_rows
from jinit.model.ruleset import as_rules
from jinit.pretrained.leaves import Model

__all__ = ["plan_drawn"]

# Stands for the value of a leaf that is loaded: it is not drawn, and need have none yet.
_LOADED = "loaded"


def plan_drawn(model: Model, rules: Any, paths: Sequence[str]) -> Plan | None:
    """The plan of the leaves at some paths alone, if any; rules must fit the whole model.

    Raises:
        jinit.RuleError: a rule hits no leaf, or one of these follows no rule.
        ValueError: a scheme does not fit its leaf.
    """
    wanted = set(paths)
    if not wanted:
        as_rules(rules).assign(as_leaves(model.structure.slots), [False] * len(model.parameters))
        return None
    slots = [
        slot if "/".join(slot.parts) in wanted else replace(slot, value=_LOADED)
        for slot in model.structure.slots
    ]
    rows = decide_rows(as_leaves(slots), rules, lambda leaf: leaf.path in wanted)
    return Plan(model.structure, [row for row in rows if row.path in wanted])
