"""Usage: what a model does with each of its parameters, as `jinit.trace` reads it.

May import: the standard library, `jinit.axes`, `jinit.fans`, `jinit.shown`; `jinit.display.usage`
to print.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinit.axes import Axes, Shape
from jinit.fans import Fans
from jinit.shown import Result

__all__ = ["Usage", "Use"]


@dataclass(frozen=True)
class Use:
    """What a model does with one parameter.

    Attributes:
        path: the parameter's path.
        shape: its shape.
        role: "dense", "conv", "depthwise", "conv_transpose", "einsum" (a dense layer with batch
            axes), "recurrent", "embedding" (entries that enter as they are: tables, positions,
            tokens), "bias", "scale", "norm_bias", "norm_scale", "unused" or "unknown".
        in_axes: its axes that are contracted with the input.
        out_axes: its axes that are features of the output.
        batch_axes: its axes of independent kernels: experts, stacked layers, ensembles.
        stack_axes: those of `batch_axes` that a scan goes along.
        fans: true connections of one slice; None for what is no kernel.
        repetitions: how often one slice is applied: steps of a scan, calls of a shared layer. At
            least so often, if "while" is among `opaque`.
        parts: how many separate parts of it are used, such as the thirds of a fused kernel.
        activation: the nonlinearity that follows, as `jinit.calculate_gain` knows it; None where
            there is none, or several.
        activation_param: its parameter: the slope of "leaky_relu", the alpha of "elu".
        activations: all that follow.
        order: how many other uses come before.
        residual_depth: how many residual additions come before.
        through: operations between parameter and use that change its values: "exp", "mul".
        opaque: operations on its way that could not be followed.
        reason: why the role is unknown, or the axes are.
        others: further uses, different from this one: then the parameter is tied.
    """

    path: str
    shape: Shape
    role: str
    in_axes: Shape = ()
    out_axes: Shape = ()
    batch_axes: Shape = ()
    stack_axes: Shape = ()
    fans: Fans | None = None
    repetitions: int = 1
    parts: int = 1
    activation: str | None = None
    activation_param: float | None = None
    activations: tuple[str, ...] = ()
    order: int = 0
    residual_depth: int = 0
    through: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    reason: str = ""
    others: tuple["Use", ...] = ()

    @property
    def tied(self) -> bool:
        """Whether the parameter has several different uses."""
        return bool(self.others)

    @property
    def uses(self) -> tuple["Use", ...]:
        """All uses, the first of the program first."""
        return (self, *self.others)

    @property
    def axes(self) -> Axes:
        """The axes by role; those in none of them are taps."""
        return Axes(self.in_axes, self.out_axes, self.batch_axes)

    def to_config(self) -> dict[str, Any]:
        """What there is to tell, JSON-ready; what is empty is left out."""
        told = {name: value for name, value in vars(self).items() if value not in (None, (), "")}
        if self.fans is not None:
            told["fans"] = self.fans._asdict()
        return told | ({"others": [use.to_config() for use in self.others]} if self.others else {})


class Usage(Result, Mapping[str, Use]):
    """The uses of all parameters, by path, in the model's order.

    Made by `jinit.trace`. Prints as a table.

    Attributes:
        opaque: operations that could not be followed, by name.
    """

    def __init__(self, uses: Mapping[str, Use], opaque: tuple[str, ...] = ()) -> None:
        self._uses = dict(uses)
        self.opaque = tuple(opaque)

    def __getitem__(self, path: str) -> Use:
        if path not in self._uses:
            near = ", ".join(map(repr, list(self._uses)[:5]))
            raise KeyError(f"no parameter has the path {path!r}; paths are such as {near}")
        return self._uses[path]

    def __contains__(self, path: object) -> bool:
        return path in self._uses

    def __iter__(self) -> Iterator[str]:
        return iter(self._uses)

    def __len__(self) -> int:
        return len(self._uses)

    def __repr__(self) -> str:
        known = sum(use.role != "unknown" for use in self.values())
        return f"<Usage: {known} of {len(self)} parameters known>"

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        uses = {path: use.to_config() for path, use in self.items()}
        return {"parameters": uses, "opaque": list(self.opaque)}

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.usage import usage_table

        return [usage_table(self, width)]
