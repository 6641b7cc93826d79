"""BERT: one truncated normal for every weight.

May import: `jinit.checks`, `jinit.schemes`, and of `jinit.model` ruleset; of `jinit.presets` names,
pieces.
"""

from typing import Any

from jinit.checks import check_choice, check_integer
from jinit.model.ruleset import Rules
from jinit.presets.names import EMBEDDINGS, POSITIONS, WEIGHTS, inside
from jinit.presets.pieces import needed, ones_and_zeros, preset
from jinit.schemes.combinators import zero_rows
from jinit.schemes.distributions import normal, truncated_normal

__all__ = ["bert"]


_TOKENS = inside("token_embed", "tok_embeddings", "word_embeddings", "wte")


def bert(
    *,
    variant: str = "google",
    stddev: float = 0.02,
    padding_idx: int | None = None,
    tokens: Any = _TOKENS,
) -> Rules:
    """BERT: `N(0, 0.02^2)` cut at 2 std, for every weight and embedding.

    | leaf | law |
    |---|---|
    | weights; embeddings of tokens, positions and segments | `N(0, stddev^2)`, cut under "google" |
    | scales of norms | 1 |
    | biases, shifts of norms | 0 |

    Args:
        variant: "google", the authors', cut at 2 standard deviations and not widened, of std
            0.88 stddev; or "huggingface", not cut.
        stddev: of weights, before the cut.
        padding_idx: row of the token embeddings that stands for padding, set to 0; Hugging
            Face's code does so of token 0.
        tokens: patterns of the token embeddings, which must be there if there is a `padding_idx`.

    Returns:
        The rules.

    Raises:
        ValueError: `variant` is unknown, or `padding_idx` negative.

    >>> import jax, jinit
    >>> shapes = {"pooler": {"kernel": jax.ShapeDtypeStruct((64, 64), "float32")}}
    >>> print(f"{jinit.plan(shapes, jinit.presets.bert())['pooler/kernel'].std:.5f}")
    0.01759

    Reference: Devlin et al. 2019 (arXiv:1810.04805); google-research/bert, `modeling.py`.
    """
    check_choice("variant", variant, ("google", "huggingface"))
    if padding_idx is not None:
        check_integer("padding_idx", padding_idx, least=0)
    base = truncated_normal(stddev) if variant == "google" else normal(stddev)
    table = base if padding_idx is None else zero_rows(base, padding_idx)
    padded = None if padding_idx is None else tokens
    return preset(
        "bert",
        [
            *needed("bert", "tokens", padded, table),
            *ones_and_zeros(),
            (EMBEDDINGS | POSITIONS | WEIGHTS, base),
        ],
    )
