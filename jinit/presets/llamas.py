"""Llama: the starts that are known of it, and of those who train it again.

May import: `jinit.checks`, `jinit.schemes`, and of `jinit.model` ruleset; of `jinit.frameworks`
kernels; of `jinit.presets` depth, names, pieces.
"""

from typing import Any

from jinit.checks import check_choice
from jinit.frameworks.kernels import cut_normal_by_fan
from jinit.model.ruleset import Rules
from jinit.presets.depth import check_depth, over_depth
from jinit.presets.names import EMBEDDINGS, HEAD, MLP_UP, RESIDUAL, WEIGHTS
from jinit.presets.pieces import each, needed, ones_and_zeros, preset
from jinit.schemes.distributions import normal, truncated_normal

__all__ = ["llama"]

_VARIANTS = ("huggingface", "megatron", "olmo_core", "olmo_core_depth")


def llama(
    n_layer: int | None = None,
    *,
    variant: str = "megatron",
    stddev: float = 0.02,
    residual: Any = RESIDUAL,
    mlp_up: Any = MLP_UP,
    head: Any = HEAD,
) -> Rules:
    """Llama: `N(0, 0.02^2)` cut at 3 std, over `sqrt(2 n_layer)` where the stream is written to.

    | leaf | "megatron" | "olmo_core", "olmo_core_depth" | "huggingface" |
    |---|---|---|---|
    | query, key, value, gate | T(stddev) | T(stddev) | `N(0, stddev^2)` |
    | up projection of the MLP | T(stddev) | T(stddev / r) | `N(0, stddev^2)` |
    | attention's and MLP's output | T(stddev / r) | T(stddev / r) | `N(0, stddev^2)` |
    | token embeddings | T(stddev) | `N(0, 1)` | `N(0, stddev^2)` |
    | output head | T(1 / sqrt(d)) | T(1 / sqrt(d)) | `N(0, stddev^2)` |
    | scales of norms; biases | 1; 0 | 1; 0 | 1; 0 |

    T(s) is `N(0, s^2)` cut at 3 s and not widened, of std 0.9866 s; r is `sqrt(2 n_layer)`, and
    `sqrt(2 (l + 1))` in block l under "olmo_core_depth".

    Args:
        n_layer: how many blocks; None counts those of the model.
        variant: "megatron", of which OLMo's authors write that Llama 2 was started so;
            "olmo_core" or "olmo_core_depth", AI2's for Llama-like models; or "huggingface".
        stddev: of weights.
        residual: selectors of the projections that write to the residual stream, each of which
            must hit; the default knows an attention's `o_proj`, `wo`, `out`, ... and an MLP's
            `down`, `down_proj`, `w2`, `wo`, ...
        mlp_up: patterns of the MLP's projection beside the gate (`up_proj`, `w3`, `wi_1`, ...),
            which the OLMo-core variants need; None if there is none.
        head: patterns of the output head (`lm_head`, `output`, ...), which must be there; None
            if it is the embedding's table.

    Returns:
        The rules.

    Raises:
        ValueError: `variant` is unknown, or `n_layer` out of range.

    >>> import jax, jinit
    >>> kernel = lambda *shape: {"kernel": jax.ShapeDtypeStruct(shape, "float32")}
    >>> shapes = {"layers_0": {"attn": {"wo": kernel(16, 16)},
    ...                        "mlp": {"w1": kernel(16, 64), "w2": kernel(64, 16)}},
    ...           "lm_head": kernel(16, 100)}
    >>> plan = jinit.plan(shapes, jinit.presets.llama(n_layer=8))
    >>> [f"{row.std / 0.98658:.3f}" for row in plan]
    ['0.005', '0.020', '0.005', '0.250']

    Reference: allenai/OLMo, `olmo/initialization.py` (`full_megatron`); allenai/OLMo-core,
    `nn/transformer/init.py` (`llama`, `llama_depth`); transformers, `initializer_range`.
    """
    check_choice("variant", variant, _VARIANTS)
    check_depth(n_layer)
    if variant == "huggingface":
        base = normal(stddev)
        return preset("llama", [*ones_and_zeros(), (EMBEDDINGS | WEIGHTS, base)])
    base = truncated_normal(stddev, lower=-3.0, upper=3.0)
    shrunk = over_depth(init=base, n_layer=n_layer, per_layer=variant == "olmo_core_depth")
    return preset(
        "llama",
        [
            *needed("llama", "head", head, cut_normal_by_fan(cut=3.0)),
            *each("llama", "residual", residual, shrunk),
            *_olmo_core_rules(variant, shrunk, mlp_up),
            *ones_and_zeros(),
            (EMBEDDINGS | WEIGHTS, base),
        ],
    )


def _olmo_core_rules(variant: str, shrunk: Any, mlp_up: Any) -> list[Any]:
    if variant == "megatron":
        return []
    return [*needed("llama", "mlp_up", mlp_up, shrunk), (EMBEDDINGS, normal(1.0))]
