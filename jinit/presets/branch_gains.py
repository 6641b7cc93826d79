"""Gains at the end of residual branches: SkipInit, ReZero and LayerScale.

May import: `jinit.checks`, `jinit.schemes`, and of `jinit.model` ruleset; of `jinit.presets` names,
pieces.
"""

from typing import Any

from jinit.checks import check_non_negative
from jinit.model.ruleset import Rules
from jinit.presets.names import inside
from jinit.presets.pieces import needed
from jinit.schemes.constants import constant

__all__ = ["LAYER_SCALES", "REZERO_GAINS", "SKIP_GAINS", "layerscale", "rezero", "skipinit"]

SKIP_GAINS = inside("alpha", "branch_gain", "skip_gain", "skipinit", "skipinit_gain")
REZERO_GAINS = inside("alpha", "resweight", "rezero", "rezero_alpha")
LAYER_SCALES = inside("gamma_1", "gamma_2", "layer_scale", "layerscale", "ls1", "ls2")


def skipinit(rules: Any = None, *, value: float = 0.0, gain: Any = SKIP_GAINS) -> Rules:
    """SkipInit: the scalar at the end of each residual branch 0, `x + gain * f(x)`.

    For residual networks without normalization, of any depth: at the start they are their stem
    and head alone.

    | leaf | law |
    |---|---|
    | scalars that `gain` selects | `value` |
    | everything else | what `rules` give it |

    Args:
        rules: rules for everything else; None leaves that to `|`.
        value: 0, or a number below `1 / sqrt(blocks)`.
        gain: patterns of the scalars (`skip_gain`, `alpha`, ...), which must be there.

    Returns:
        The rules.

    Raises:
        ValueError: `value` is negative.

    >>> import jax, jinit
    >>> shapes = {"block_0": {"skip_gain": jax.ShapeDtypeStruct((), "float32")}}
    >>> jinit.plan(shapes, jinit.presets.skipinit())["block_0/skip_gain"].scheme
    jinit.constant(value=0.0)

    Reference: De and Smith 2020 (arXiv:2002.10444).
    """
    return _before("skipinit", rules, value, gain)


def rezero(rules: Any = None, *, value: float = 0.0, gain: Any = REZERO_GAINS) -> Rules:
    """ReZero: one scalar 0 for the branches of each layer, `x + gain * f(x)`.

    For deep transformers without norms, in which the attention and the MLP of a layer share the
    scalar, and for other residual networks.

    | leaf | law |
    |---|---|
    | scalars that `gain` selects | `value` |
    | everything else | what `rules` give it |

    Args:
        rules: rules for everything else; None leaves that to `|`.
        value: of the scalars.
        gain: patterns of the scalars (`resweight`, `alpha`, ...), which must be there.

    Returns:
        The rules.

    Raises:
        ValueError: `value` is negative.

    >>> import jax, jinit
    >>> shapes = {"layer_0": {"resweight": jax.ShapeDtypeStruct((1,), "float32")}}
    >>> jinit.plan(shapes, jinit.presets.rezero())["layer_0/resweight"].scheme
    jinit.constant(value=0.0)

    Reference: Bachlechner et al. 2020 (arXiv:2003.04887).
    """
    return _before("rezero", rules, value, gain)


def layerscale(rules: Any = None, *, value: float = 1e-5, gain: Any = LAYER_SCALES) -> Rules:
    """LayerScale: a small number for each channel of a residual branch, `x + gain * f(x)`.

    | leaf | law |
    |---|---|
    | vectors that `gain` selects | `value` |
    | everything else | what `rules` give it |

    Args:
        rules: rules for everything else; None leaves that to `|`.
        value: 1e-5, as in timm; 1e-6 in ConvNeXt.
        gain: patterns of the vectors (`layer_scale`, `ls1`, `gamma_1`, ...), which must be there.

    Returns:
        The rules.

    Raises:
        ValueError: `value` is negative.

    >>> import jax, jinit
    >>> shapes = {"block_0": {"ls1": {"gamma": jax.ShapeDtypeStruct((64,), "float32")}}}
    >>> jinit.plan(shapes, jinit.presets.layerscale())["block_0/ls1/gamma"].scheme
    jinit.constant(value=1e-05)

    Reference: Touvron et al. 2021 (arXiv:2103.17239); timm, `vision_transformer.py`.
    """
    return _before("layerscale", rules, value, gain)


def _before(name: str, rules: Any, value: float, gain: Any) -> Rules:
    """The rule for the gains, which must be there, before all others."""
    check_non_negative("value", value)
    gains = Rules(needed(name, "gain", gain, constant(value), vectors=True))
    return gains if rules is None else gains | rules
