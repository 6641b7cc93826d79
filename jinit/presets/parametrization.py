"""A parametrization: how start, forward pass and optimizer change together as a model grows.

May import: the standard library, jax, `jinit.checks`, and of `jinit.model` ruleset. optax is
imported when it is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from textwrap import shorten
from typing import Any, NamedTuple

import jax

from jinit.checks import check_choice
from jinit.model.ruleset import Rules

__all__ = ["Multipliers", "Parametrization", "Scaling"]


class Multipliers(NamedTuple):
    """What one leaf's optimizer multiplies its settings by.

    Attributes:
        learning_rate: on the learning rate.
        weight_decay: on a decay that the learning rate multiplies, as in AdamW; it keeps the
            product of the two.
        epsilon: on Adam's epsilon.
    """

    learning_rate: float = 1.0
    weight_decay: float = 1.0
    epsilon: float = 1.0


class Scaling(NamedTuple):
    """How one leaf scales.

    Attributes:
        kind: "input" (its outputs grow with the width), "hidden" (inputs and outputs do),
            "output" (its inputs do), "vector" (a bias or a norm's parameter) or "fixed".
        inputs: how many times as many inputs it has as in the base model.
        outputs: how many times as many outputs.
        output_multiplier: what the model is to multiply the layer's output by.
        optimizers: by name of an optimizer, the multipliers on its settings.
    """

    kind: str
    inputs: float
    outputs: float
    output_multiplier: float
    optimizers: Mapping[str, Multipliers]


@dataclass(frozen=True, repr=False)
class Parametrization:
    """What `mup` and `completep` return.

    Attributes:
        rules: the rules that the model is initialized by.
        scalings: how each leaf scales, by path.
        residual_multiplier: what the model is to multiply residual branches by:
            `x + residual_multiplier * f(x)`.
        as_tree: puts one value for each leaf into the structure of the parameters.
    """

    rules: Rules
    scalings: Mapping[str, Scaling]
    residual_multiplier: float = 1.0
    as_tree: Callable[[Sequence[Any]], Any] = field(default=list, compare=False)

    def __repr__(self) -> str:
        kinds = [scaling.kind for scaling in self.scalings.values()]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        return f"<Parametrization of {len(kinds)} leaves: {counts}>"

    @property
    def output_multipliers(self) -> dict[str, float]:
        """By path, what the model is to multiply a layer's output by: 1 but for readouts."""
        return {path: scaling.output_multiplier for path, scaling in self.scalings.items()}

    def multipliers(self, optimizer: str = "adam") -> dict[str, Multipliers]:
        """By path, the multipliers on an optimizer's settings.

        Args:
            optimizer: "adam", for all that divide gradients by their size, or "sgd".

        Raises:
            ValueError: the parametrization says nothing of `optimizer`.
        """
        known = sorted({name for s in self.scalings.values() for name in s.optimizers})
        check_choice("optimizer", optimizer, known)
        return {path: scaling.optimizers[optimizer] for path, scaling in self.scalings.items()}

    def learning_rates(self, optimizer: str = "adam") -> dict[str, float]:
        """By path, the multiplier on the learning rate."""
        return {path: by.learning_rate for path, by in self.multipliers(optimizer).items()}

    def labels(self, optimizer: str = "adam") -> Any:
        """For each leaf the name of its group, leaves with equal multipliers being of one.

        Returns:
            A tree of the parameters' structure, for `optax.multi_transform`.
        """
        return self.as_tree([_label(by) for by in self.multipliers(optimizer).values()])

    def optax(self, make_optimizer: Callable[[Multipliers], Any], optimizer: str = "adam") -> Any:
        """One optimizer for each group of leaves, as one `optax.GradientTransformation`.

        Args:
            make_optimizer: from multipliers to an optimizer:
                `lambda by: optax.adam(1e-3 * by.learning_rate)`, or with more settings
                `optax.adamw(1e-3 * by.learning_rate, eps=1e-8 * by.epsilon,
                weight_decay=0.1 * by.weight_decay)`.
            optimizer: what these are, "adam" or "sgd".

        Returns:
            The transformation, for parameters of the target's structure; of a Linen module for
            `variables["params"]`. Of others it makes a ValueError.
        """
        import optax

        groups = {by for by in self.multipliers(optimizer).values()}
        made = {_label(by): make_optimizer(by) for by in groups}
        return optax.multi_transform(made, partial(_labels_for, self.labels(optimizer)))


def _labels_for(labels: Any, params: Any) -> Any:
    try:
        jax.tree.map(lambda label, _: label, labels, params)
    except ValueError:
        wanted, given = (shorten(str(jax.tree.structure(t)), 200) for t in (labels, params))
        raise ValueError(
            f"the optimizer was made for parameters of another structure: {wanted}, and is given "
            f"{given}; of a Linen model give it variables['params']"
        ) from None
    return labels


def _label(by: Multipliers) -> str:
    """The name of a group: what it multiplies by."""
    return f"rate {by.learning_rate!r}, decay {by.weight_decay!r}, epsilon {by.epsilon!r}"
