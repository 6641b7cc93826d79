"""PPO: orthogonal layers, a policy that starts undecided, a value head of gain one.

May import: `jinit.schemes`, and of `jinit.model` ruleset; of `jinit.presets` names, pieces.
"""

from typing import Any

from jinit.model.ruleset import Rules
from jinit.presets.names import WEIGHTS, inside
from jinit.presets.pieces import needed, ones_and_zeros, preset
from jinit.schemes.constants import zeros
from jinit.schemes.orthogonality import orthogonal

__all__ = ["POLICY", "VALUE_HEAD", "ppo"]

POLICY = (
    *inside("action_head", "action_mean", "actor_head", "actor_out", "policy_head", "policy_out"),
    *inside("logits", "pi"),
)
VALUE_HEAD = inside("critic_head", "critic_out", "value_head", "value_out", "vf")


def ppo(*, policy: Any = POLICY, value: Any = VALUE_HEAD, gain: float = 2**0.5) -> Rules:
    """PPO: orthogonal weights of gain sqrt(2), 0.01 for the policy's head, 1 for the value's.

    | leaf | law |
    |---|---|
    | output layer of the policy | orthogonal, times 0.01 |
    | output layer of the value | orthogonal |
    | all other weights | orthogonal, times `gain` |
    | biases; `log_std` | 0 |
    | norms | scale 1, shift 0 |

    The small head gives every action about the same probability at first, so that the first
    updates explore.

    Args:
        policy: patterns of the policy's output layer (`policy_head`, `actor_head`, `pi`,
            `logits`, ...), which must be there.
        value: patterns of the value's output layer (`value_head`, `critic_head`, `vf`, ...), which
            must be there.
        gain: of the other weights: sqrt(2), also under tanh.

    Returns:
        The rules.

    >>> import jax, jinit
    >>> kernel = lambda *shape: {"kernel": jax.ShapeDtypeStruct(shape, "float32")}
    >>> shapes = {"Dense_0": kernel(64, 64),
    ...           "policy_head": kernel(64, 4), "value_head": kernel(64, 1)}
    >>> [f"{row.std * 8:.4f}" for row in jinit.plan(shapes, jinit.presets.ppo())]
    ['1.4142', '0.0100', '1.0000']

    Reference: Andrychowicz et al. 2021 (arXiv:2006.05990), on the policy's last layer;
    luchris429/purejaxrl, `ppo.py`.
    """
    return preset(
        "ppo",
        [
            *needed("ppo", "policy", policy, orthogonal(0.01)),
            *needed("ppo", "value", value, orthogonal(1.0)),
            *ones_and_zeros(),
            ("**/{log_std,logstd,actor_logstd}", zeros),
            (WEIGHTS, orthogonal(gain)),
        ],
    )
