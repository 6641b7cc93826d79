"""Decisions: what will become of one leaf, before anything is read.

May import: the standard library, and of `jinit.pretrained` adapters.adapter, leaves, recipes,
report, sources.
"""

from dataclasses import dataclass

from jinit.pretrained.adapters.adapter import Adapter
from jinit.pretrained.leaves import Wanted
from jinit.pretrained.recipes import Recipe
from jinit.pretrained.report import LoadRow
from jinit.pretrained.sources import TensorSpec

__all__ = ["Decision"]


@dataclass(frozen=True)
class Decision:
    """What becomes of one leaf.

    Attributes:
        wanted: the leaf.
        outcome: one of `report.OUTCOMES`.
        recipe: what it is made of.
        made: what the recipe makes.
        adapter: what fits that to the leaf.
        reason: "missing" or "mismatched", where it is not loaded as it is.
        problem: what is wrong, if the outcome is an error.
        how: what is done, where that is neither the recipe's nor the adapter's.
        shared_with: path of the leaf that it is one array with.
    """

    wanted: Wanted
    outcome: str
    recipe: Recipe | None = None
    made: TensorSpec | None = None
    adapter: Adapter | None = None
    reason: str | None = None
    problem: str | None = None
    how: str = ""
    shared_with: str | None = None

    @property
    def path(self) -> str:
        """The leaf's path."""
        return self.wanted.path

    def row(self) -> LoadRow:
        """The row of a report."""
        leaf, recipe, made = self.wanted.leaf, self.recipe, self.made
        steps = [recipe.how if recipe else "", repr(self.adapter) if self.adapter else "", self.how]
        if made is not None and made.dtype != leaf.dtype and self.outcome in ("loaded", "adapted"):
            steps.append(f"cast from {made.dtype.name}")
        return LoadRow(
            path=self.path,
            outcome=self.outcome,
            shape=leaf.shape,
            dtype=leaf.dtype.name,
            source=None if recipe is None else str(recipe),
            source_shape=None if made is None else made.shape,
            how=", ".join(filter(None, steps)),
            reason=self.reason,
            shared_with=self.shared_with,
        )
