"""What the demo is asked for, checked before anything is computed.

May import: `jinit.checks`, `jinit.demo.activations`, `jinit.demo.starts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jinit.checks import check_choice, check_integer
from jinit.demo.activations import ACTIVATIONS
from jinit.demo.starts import Start, default_names, start_named

__all__ = ["MOST_SCHEMES", "Settings"]

MOST_SCHEMES = 8  # as many colours as the figure can keep apart


@dataclass(frozen=True)
class Settings:
    """The options of `jinit demo`.

    Attributes:
        depth: number of hidden layers.
        width: units of each.
        activation: a name in `jinit.demo.activations.ACTIVATIONS`.
        schemes: names for `jinit.demo.starts.start_named`; None for `default_names`.
        steps: training steps.
        seed: of the weights and of the batches.
        starts: the initializers of these names, in that order.

    Raises:
        ValueError: an option has a value that is not allowed.
    """

    depth: int = 30
    width: int = 100
    activation: str = "relu"
    schemes: tuple[str, ...] | None = None
    steps: int = 400
    seed: int = 0
    starts: Mapping[str, Start] = field(init=False)

    def __post_init__(self) -> None:
        for name in ("depth", "width", "steps"):
            check_integer(name, getattr(self, name))
        check_integer("seed", self.seed, least=0)
        check_choice("activation", self.activation, sorted(ACTIVATIONS))
        names = default_names(self.activation) if self.schemes is None else self.schemes
        if not 1 <= len(names) <= MOST_SCHEMES:
            raise ValueError(
                f"`schemes` names {len(names)}; give 1 to {MOST_SCHEMES}, so that the figure can "
                "keep them apart"
            )
        starts = {name: start_named(name, self.activation) for name in names}
        object.__setattr__(self, "starts", starts)
