"""LoRA: factors whose product is zero, so that training starts from the model as it is.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
ruleset, selectors, values; of `jinit.presets` pieces.
"""

from typing import Any

from jinit.checks import check_choice
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.model.values import keep, per_leaf
from jinit.presets.pieces import needed, preset
from jinit.schemes.constants import zeros
from jinit.schemes.distributions import normal
from jinit.schemes.he import he_uniform

__all__ = ["FACTOR_A", "FACTOR_B", "lora", "normal_by_rank"]

FACTOR_A = (by_role("lora_a"), "**/*lora_{a,A}/**", "**/*lora_{a,A}")
FACTOR_B = (by_role("lora_b"), "**/*lora_{b,B}/**", "**/*lora_{b,B}")


def lora(variant: str = "peft", *, a: Any = FACTOR_A, b: Any = FACTOR_B) -> Rules:
    """LoRA: `B = 0`, `A ~ U[-c, c)` with `c = 1 / sqrt(inputs)`; all else is kept.

    | leaf | "peft" | "flax" | "gaussian" |
    |---|---|---|---|
    | A (inputs, rank) | std `1 / sqrt(3 inputs)` | std `sqrt(2 / inputs)` | `N(0, 1 / rank^2)` |
    | B (rank, outputs) | 0 | 0 | 0 |
    | other leaves | kept | kept | kept |

    The laws of A are uniform but for the last. "flax" is 2.45 times as wide as "peft", and
    learning rates found with one do not suit the other.

    Args:
        variant: "peft", also Microsoft's; "flax", also Qwix' and Tunix'; or "gaussian", PEFT's.
        a: patterns of the factors on the inputs' side (`lora_a`, ...), which must be there.
        b: patterns of the factors on the outputs' side (`lora_b`, ...), which must be there.

    Returns:
        The rules, by default keeping the value that a leaf has. For a model that has none yet put
        those of the base model behind: `lora() | gpt2()`.

    Raises:
        ValueError: `variant` is unknown.

    >>> import jax, jinit
    >>> shapes = {"lora_a": jax.ShapeDtypeStruct((300, 4), "float32"),
    ...           "lora_b": jax.ShapeDtypeStruct((4, 64), "float32")}
    >>> [f"{row.std:.4f}" for row in jinit.plan(shapes, jinit.presets.lora())]
    ['0.0333', '0.0000']

    Reference: Hu et al. 2022 (arXiv:2106.09685); PEFT, `lora/layer.py`.
    """
    check_choice("variant", variant, tuple(_LAWS))
    rules = [*needed("lora", "a", a, _LAWS[variant]()), *needed("lora", "b", b, zeros)]
    return preset("lora", rules).with_default(keep)


@per_leaf
def normal_by_rank(leaf: Leaf) -> Initializer:
    """`N(0, 1 / rank^2)`, the rank being what a factor on the inputs' side produces."""
    return normal(1 / leaf.fans.fan_out)


_LAWS: dict[str, Any] = {
    "flax": lambda: he_uniform(negative_slope=0.0),
    "gaussian": normal_by_rank,
    "peft": lambda: he_uniform(negative_slope=5**0.5),
}
