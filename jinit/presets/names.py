"""Which leaves a name means: the words that models use for their projections, tables and heads.

May import: the standard library, and of `jinit.model` selectors.

A preset that singles out some leaves has an option for each kind, whose default is one of these.
Biases and the parameters of norms are never meant, even where a pattern covers them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jinit.model.selectors import Selector, as_selector, by_layer, by_role

__all__ = [
    "ATTENTION_OUT",
    "CELLS",
    "EMBEDDINGS",
    "FUSED_QKV",
    "HEAD",
    "KEY",
    "MLP",
    "MLP_OUT",
    "MLP_UP",
    "POSITIONS",
    "QUERY",
    "RESIDUAL",
    "VALUE",
    "VECTORS",
    "WEIGHTS",
    "Words",
    "any_of",
    "inside",
    "modules",
    "weights",
]


@dataclass(frozen=True, eq=False, repr=False)
class Words(Selector):
    """A selector with a name of its own in this module, by which it prints.

    >>> from jinit.presets.names import QUERY
    >>> QUERY
    jinit.presets.names.QUERY
    """

    name: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selector):
            return NotImplemented
        return (self.kind, self.of) == (other.kind, other.of)

    def __hash__(self) -> int:
        return hash((self.kind, self.of))

    @property
    def is_named(self) -> bool:
        """It is."""
        return True

    def __repr__(self) -> str:
        return f"jinit.presets.names.{self.name}"


def any_of(patterns: Any) -> Selector:
    """The selector of leaves that one of `patterns` selects: one pattern, or a list of them."""
    if isinstance(patterns, (str, Selector)) or not isinstance(patterns, Iterable):
        return as_selector(patterns)
    selectors = [as_selector(pattern) for pattern in patterns]
    if not selectors:
        raise ValueError("give at least one pattern, or None where a model has no such leaves")
    return selectors[0] if len(selectors) == 1 else Selector("any", tuple(selectors))


def weights(patterns: Any) -> Selector:
    """Leaves that one of `patterns` selects, without biases and the parameters of norms."""
    selector = any_of(patterns)
    return selector if isinstance(selector, Words) else selector & ~VECTORS


def modules(patterns: Any) -> Selector:
    """Leaves that one of `patterns` selects, biases and the parameters of norms among them."""
    selector = any_of(patterns)
    return selector.of[0] if isinstance(selector, Words) else selector


def inside(*names: str) -> tuple[str, str]:
    """Globs of the leaves in modules of these names, and of leaves that bear them themselves."""
    words = "{" + ",".join(names) + "}"
    return f"**/{words}/**", f"**/{words}"


def _words(name: str, *patterns: Any) -> Words:
    selector = weights(patterns)
    return Words(selector.kind, selector.of, name)


# What is added or multiplied element by element, and so never a projection.
VECTORS = by_role("bias", "norm_bias", "norm_scale", "scale")

# Kernels by their layer's word, or by their name where no layer is known.
WEIGHTS = _words(
    "WEIGHTS",
    by_role("dense", "einsum", "conv", "depthwise", "conv_transpose", "recurrent"),
    by_role("unknown") & re.compile(r"(^|/)(([^/]*_)?(kernel|weights?|w|proj)\d*|w\w{1,2}|w_\w+)$"),
)

_ATTENTION = "**/*{attn,ttention}*"
_OUT = "{c_proj,dense,o,o_proj,out,out_proj,output,output_proj,proj,w_o,w_out,wo}"
_MLP = "**/*{mlp,Mlp,MLP,ffn,FFN,eed_forward,eedforward,eedForward,experts}*"
_DOWN = "{c_proj,dense_4h_to_h,down,down_proj,fc2,fc_out,linear2,out,out_proj,output,w2,w_out,wo}"
_UP = "{up,up_proj,w3,wi_1}"

ATTENTION_OUT = _words(
    "ATTENTION_OUT",
    "CELLS",
    f"{_ATTENTION}/**/{_OUT}/**",
    f"{_ATTENTION}/**/{_OUT}",
    *inside("attn_out", "attention_out", "attention_output"),
)
MLP_OUT = _words(
    "MLP_OUT",
    f"{_MLP}/**/{_DOWN}/**",
    f"{_MLP}/**/{_DOWN}",
    "**/*[0-9]/{fc2,ff_out,linear2}/**",
)
MLP_UP = _words("MLP_UP", f"{_MLP}/**/{_UP}/**", f"{_MLP}/**/{_UP}")
MLP = _words("MLP", f"{_MLP}/**", "**/*[0-9]/{fc1,fc2,ff_out,ff_proj,linear1,linear2}/**")

# The two projections of a transformer's block that write to the residual stream.
RESIDUAL = (ATTENTION_OUT, MLP_OUT)

QUERY = _words("QUERY", *inside("q", "q_proj", "query", "query_proj", "to_q", "w_q", "wq"))
KEY = _words("KEY", *inside("k", "k_proj", "key", "key_proj", "to_k", "w_k", "wk"))
VALUE = _words("VALUE", *inside("v", "v_proj", "value", "value_proj", "to_v", "w_v", "wv"))
FUSED_QKV = _words(
    "FUSED_QKV",
    *inside("att_proj", "c_attn", "qkv", "qkv_proj", "query_key_value", "to_qkv", "w_qkv", "wqkv"),
)

EMBEDDINGS = _words("EMBEDDINGS", by_role("embedding"))
POSITIONS = _words(
    "POSITIONS",
    *inside("pos_emb", "pos_embed", "pos_embedding", "pos_embeddings", "posembed_input", "wpe"),
    *inside("position_embed", "position_embedding", "position_embeddings"),
    *inside("positional_embedding"),
)
HEAD = _words(
    "HEAD",
    *inside("embed_out", "head", "lm_head", "logits", "logits_dense", "unembed", "unembedding"),
    *inside("output_projection"),
    "{classifier,fc,output}/**",
    "{model,transformer}/{classifier,fc,ff_out,output}/**",
)

# A cell's class is in the path of a Linen model that leaves its modules unnamed; `nn.RNN` and
# `nnx.RNN` call theirs "cell".
CELLS = any_of(("**/*{Cell,cell,LSTM,lstm,GRU,gru,MGU,mgu}*/**", by_layer("LSTMCell", "GRUCell")))
