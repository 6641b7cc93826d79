"""DeepNorm: post-norm transformers of any depth, by a wider shortcut and smaller branches.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
ruleset, selectors, values; of `jinit.presets` names, pieces.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from jinit.checks import check_integer
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.values import per_leaf
from jinit.presets.names import (
    ATTENTION_OUT,
    EMBEDDINGS,
    FUSED_QKV,
    MLP,
    VALUE,
    WEIGHTS,
    any_of,
)
from jinit.presets.pieces import needed, ones_and_zeros, preset
from jinit.schemes.assemblies import split
from jinit.schemes.embeddings import embedding
from jinit.schemes.glorot import glorot_normal
from jinit.schemes.variance import variance_scaling

__all__ = ["DeepNorm", "StackScale", "deepnorm", "value_normal"]


class StackScale(NamedTuple):
    """What DeepNorm does to one stack: `LN(alpha * x + f(x))`, branches of gain `beta`."""

    alpha: float
    beta: float


@dataclass(frozen=True)
class DeepNorm:
    """What `deepnorm` returns: rules, and the factors that the model is to have.

    Attributes:
        rules: the rules.
        encoder: alpha and beta of the encoder, or None where there is none.
        decoder: alpha and beta of the decoder, or None where there is none.
    """

    rules: Rules
    encoder: StackScale | None
    decoder: StackScale | None

    @property
    def alpha(self) -> float:
        """The factor on the shortcut of a model of one stack: `x = norm(alpha * x + f(x))`.

        Raises:
            ValueError: there are two stacks, with a factor each.
        """
        stacks = [stack for stack in (self.encoder, self.decoder) if stack is not None]
        if len(stacks) > 1:
            raise ValueError("there are two stacks; use `encoder.alpha` and `decoder.alpha`")
        return stacks[0].alpha


def deepnorm(
    n_layer: int | None = None,
    *,
    encoder_layers: int | None = None,
    decoder_layers: int | None = None,
    value: Any = VALUE,
    attention_out: Any = ATTENTION_OUT,
    mlp: Any = MLP,
    encoder: Any = "**/*{encoder,Encoder}*/**",
    decoder: Any = "**/*{decoder,Decoder}*/**",
) -> DeepNorm:
    """DeepNorm: Glorot's normal law, times beta for values, attention's output and the MLP.

    | leaf | law |
    |---|---|
    | value, attention's output, both layers of the MLP | `N(0, 2 beta^2 / (fan_in + fan_out))` |
    | query, key and all other weights | `N(0, 2 / (fan_in + fan_out))` |
    | embeddings | `N(0, 1 / features)` |
    | scales of norms; biases | 1; 0 |

    | model | alpha | beta |
    |---|---|---|
    | one stack of L layers | `(2 L)^(1/4)` | `(8 L)^(-1/4)` |
    | encoder of N beside a decoder of M | `0.81 (N^4 M)^(1/16)` | `0.87 (N^4 M)^(-1/16)` |
    | that decoder | `(3 M)^(1/4)` | `(12 M)^(-1/4)` |

    For post-norm transformers, whose model is to compute `norm(alpha * x + f(x))`: without alpha
    the rules are of no use.

    Args:
        n_layer: layers of a model of one stack.
        encoder_layers: with `decoder_layers`, those of a model of two.
        decoder_layers: with `encoder_layers`, those of a model of two.
        value: patterns of the value projections, alone (`value`, `v_proj`, ...) or as the last
            third of a fused kernel (`qkv`, `c_attn`, ...), which must be there.
        attention_out: patterns of the attentions' output projections, which must be there.
        mlp: patterns of the MLPs, whose weights must be there.
        encoder: in a model of two stacks, patterns of the encoder.
        decoder: in a model of two stacks, patterns of the decoder.

    Returns:
        `DeepNorm`, with `rules` and the factor `alpha` (`encoder.alpha`, `decoder.alpha`).

    Raises:
        ValueError: not exactly one model is described, or a depth is no positive number.

    >>> import jax, jinit
    >>> deep = jinit.presets.deepnorm(n_layer=8)
    >>> print(f"{deep.alpha:.4f} {deep.decoder.beta:.4f}")
    2.0000 0.3536
    >>> two = jinit.presets.deepnorm(encoder_layers=6, decoder_layers=6)
    >>> print(f"{two.encoder.alpha:.3f} {two.encoder.beta:.3f} {two.decoder.alpha:.3f}")
    1.418 0.497 2.060

    Reference: Wang et al. 2022 (arXiv:2203.00555).

    Differences: for the encoder of a model of two stacks torchscale has 1.15, the inverse of 0.87,
    in beta; the paper's table and xformers have 0.87, which also follows from the condition that
    the other three satisfy: that an update changes the output by a constant.
    """
    stacks = _stacks(n_layer, encoder_layers, decoder_layers)
    law = glorot_normal(distribution="normal")
    rules = preset(
        "deepnorm",
        [
            *_beta_rules(stacks, (encoder, decoder), value, attention_out, mlp),
            *ones_and_zeros(),
            (EMBEDDINGS, embedding),
            (WEIGHTS, law),
        ],
    )
    return DeepNorm(rules, *stacks)


class _Stacks(NamedTuple):
    encoder: StackScale | None
    decoder: StackScale | None


def _stacks(n_layer: int | None, encoder: int | None, decoder: int | None) -> _Stacks:
    if n_layer is not None and encoder is None and decoder is None:
        depth = check_integer("n_layer", n_layer)
        return _Stacks(None, StackScale((2 * depth) ** 0.25, (8 * depth) ** -0.25))
    if n_layer is not None or encoder is None or decoder is None:
        raise ValueError(
            f"`n_layer` (={n_layer}) is of a model of one stack, `encoder_layers` (={encoder}) and "
            f"`decoder_layers` (={decoder}) of one of two; give the one or the other two"
        )
    n, m = check_integer("encoder_layers", encoder), check_integer("decoder_layers", decoder)
    both = (n**4 * m) ** (1 / 16)
    return _Stacks(
        StackScale(0.81 * both, 0.87 / both), StackScale((3 * m) ** 0.25, (12 * m) ** -0.25)
    )


def _beta_rules(
    stacks: _Stacks, where: tuple[Any, Any], value: Any, attention_out: Any, mlp: Any
) -> list[Any]:
    """Rules for what is multiplied by beta, in either stack of a model of two."""
    rules: list[Any] = []
    for stack, part in zip(stacks, where, strict=True):
        if stack is None:
            continue
        law = variance_scaling(stack.beta**2, "fan_avg", "normal")
        selected = (
            ("value", any_of(value) | FUSED_QKV, value_normal(beta=stack.beta)),
            ("attention_out", any_of(attention_out), law),
            ("mlp", any_of(mlp), law),
        )
        for option, selector, scheme in selected:
            inside = selector if stacks.encoder is None else selector & any_of(part)
            rules += needed("deepnorm", option, inside, scheme)
    return rules


@per_leaf
def value_normal(leaf: Leaf, *, beta: float) -> Initializer:
    """Glorot's normal law times `beta`; of a fused kernel for the values alone, its last third."""
    fused = FUSED_QKV(leaf)
    if not fused:
        return variance_scaling(beta**2, "fan_avg", "normal")
    fans = leaf.fans
    if leaf.axes is None or len(leaf.axes.out_axis) != 1 or fans.fan_out != 3 * fans.fan_in:
        raise ValueError(
            f"{leaf} holds query, key and value, and not as three square matrices side by side, so "
            "that the values' part is not known; give it a rule of its own: rules.override({...})"
        )
    third = (fans.fan_in, fans.fan_in)
    parts = [variance_scaling(s, "fan_avg", "normal", fans=third) for s in (1.0, 1.0, beta**2)]
    return split(parts, axis=leaf.axes.out_axis[0] - len(leaf.shape))
