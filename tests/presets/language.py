"""Small language models that presets are tried on, as their authors would name the layers."""

import jax.numpy as jnp
from flax import linen as nn
from flax import nnx

TOKENS = jnp.zeros((1, 8), jnp.int32)


class GPT2Attention(nn.Module):
    width: int
    heads: int = 2

    @nn.compact
    def __call__(self, x):
        q, k, v = jnp.split(nn.Dense(3 * self.width, name="c_attn")(x), 3, axis=-1)
        split = lambda a: a.reshape(*a.shape[:-1], self.heads, -1)  # noqa: E731
        y = nn.dot_product_attention(split(q), split(k), split(v))
        return nn.Dense(self.width, name="c_proj")(y.reshape(x.shape))


class GPT2MLP(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Dense(4 * self.width, name="c_fc")(x))
        return nn.Dense(self.width, name="c_proj")(x)


class GPT2Block(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, _=None):
        x = x + GPT2Attention(self.width, name="attn")(nn.LayerNorm(name="ln_1")(x))
        x = x + GPT2MLP(self.width, name="mlp")(nn.LayerNorm(name="ln_2")(x))
        return x, None


class GPT2(nn.Module):
    """GPT-2; under `scan` its blocks are one stack."""

    width: int = 32
    depth: int = 3
    vocabulary: int = 50
    scan: bool = False

    @nn.compact
    def __call__(self, tokens):
        table = nn.Embed(self.vocabulary, self.width, name="wte")
        x = table(tokens) + nn.Embed(64, self.width, name="wpe")(jnp.arange(tokens.shape[-1])[None])
        if self.scan:
            blocks = nn.scan(
                GPT2Block,
                variable_axes={"params": 0},
                split_rngs={"params": True},
                length=self.depth,
            )
            x, _ = blocks(self.width, name="h")(x, None)
        else:
            for i in range(self.depth):
                x, _ = GPT2Block(self.width, name=f"h_{i}")(x)
        return table.attend(nn.LayerNorm(name="ln_f")(x))


class LlamaBlock(nn.Module):
    width: int
    hidden: int
    heads: int = 4

    @nn.compact
    def __call__(self, x):
        y = nn.RMSNorm(name="attention_norm")(x)
        x = x + LlamaAttention(self.width, self.heads, name="attention")(y)
        y = nn.RMSNorm(name="ffn_norm")(x)
        return x + LlamaMLP(self.width, self.hidden, name="feed_forward")(y)


class LlamaAttention(nn.Module):
    width: int
    heads: int

    @nn.compact
    def __call__(self, x):
        dense = lambda name: nn.DenseGeneral(  # noqa: E731
            (self.heads, self.width // self.heads), use_bias=False, name=name
        )(x)
        y = nn.dot_product_attention(dense("wq"), dense("wk"), dense("wv"))
        return nn.DenseGeneral(self.width, axis=(-2, -1), use_bias=False, name="wo")(y)


class LlamaMLP(nn.Module):
    width: int
    hidden: int

    @nn.compact
    def __call__(self, x):
        dense = lambda n, name: nn.Dense(n, use_bias=False, name=name)  # noqa: E731
        y = nn.silu(dense(self.hidden, "w1")(x)) * dense(self.hidden, "w3")(x)
        return dense(self.width, "w2")(y)


class Llama(nn.Module):
    width: int = 32
    hidden: int = 80
    depth: int = 4
    vocabulary: int = 50

    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(self.vocabulary, self.width, name="tok_embeddings")(tokens)
        for i in range(self.depth):
            x = LlamaBlock(self.width, self.hidden, name=f"layers_{i}")(x)
        x = nn.RMSNorm(name="norm")(x)
        return nn.Dense(self.vocabulary, use_bias=False, name="output")(x)


class NNXBlock(nnx.Module):
    def __init__(self, width, rngs):
        self.ln_1 = nnx.LayerNorm(width, rngs=rngs)
        self.attn = nnx.MultiHeadAttention(2, width, decode=False, rngs=rngs)
        self.mlp = nnx.Dict(
            up=nnx.Linear(width, 4 * width, rngs=rngs),
            down=nnx.Linear(4 * width, width, rngs=rngs),
        )


class NNXGPT(nnx.Module):
    """A GPT-2 in NNX, its projections named as NNX does."""

    def __init__(self, width=16, depth=2, rngs=None):
        self.wte = nnx.Embed(50, width, rngs=rngs)
        self.wpe = nnx.Embed(64, width, rngs=rngs)
        self.blocks = nnx.List([NNXBlock(width, rngs) for _ in range(depth)])
        self.ln_f = nnx.LayerNorm(width, rngs=rngs)
