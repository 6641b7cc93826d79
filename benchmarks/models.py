"""Models that benchmarks initialize: GPT-2 in Linen and, the same shapes, in torch.

jinit's own preset says what each leaf gets; Flax and torch use their default initializers, which
is the least they could do.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

WIDTH, VOCABULARY, CONTEXT, HEAD = 768, 50257, 1024, 64


class Block(nn.Module):
    """Attention and a perceptron, each after a norm and added to the stream."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """One layer."""
        y = nn.LayerNorm(name="ln_1")(x)
        qkv = nn.Dense(3 * self.width, name="c_attn")(y)
        q, k, v = jnp.split(qkv.reshape(*x.shape[:2], -1, 3 * HEAD), 3, axis=-1)
        scores = nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / HEAD**0.5)
        y = jnp.einsum("bhqk,bkhd->bqhd", scores, v).reshape(x.shape)
        x = x + nn.Dense(self.width, name="c_proj")(y)
        y = nn.LayerNorm(name="ln_2")(x)
        y = nn.gelu(nn.Dense(4 * self.width, name="c_fc")(y))
        return x + nn.Dense(self.width, name="mlp_c_proj")(y)


class GPT2(nn.Module):
    """GPT-2 with `layers` blocks: 7.1 M parameters each at width 768, and 39 M of embeddings."""

    layers: int = 48
    width: int = WIDTH

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Logits of the next token."""
        wte = nn.Embed(VOCABULARY, self.width, name="wte")
        x = wte(tokens) + nn.Embed(CONTEXT, self.width, name="wpe")(jnp.arange(tokens.shape[1]))
        for layer in range(self.layers):
            x = Block(self.width, name=f"h_{layer}")(x)
        return wte.attend(nn.LayerNorm(name="ln_f")(x))


TOKENS = jax.ShapeDtypeStruct((1, 8), "int32")


def torch_gpt2(layers: int = 48, width: int = WIDTH) -> Any:
    """The same model in torch, built and initialized by GPT-2's rules."""
    import torch
    from torch import nn as tnn

    class TorchBlock(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = tnn.LayerNorm(width), tnn.LayerNorm(width)
            self.c_attn, self.c_proj = tnn.Linear(width, 3 * width), tnn.Linear(width, width)
            self.c_fc, self.mlp_c_proj = tnn.Linear(width, 4 * width), tnn.Linear(4 * width, width)

    model = tnn.ModuleDict(
        {
            "wte": tnn.Embedding(VOCABULARY, width),
            "wpe": tnn.Embedding(CONTEXT, width),
            "h": tnn.ModuleList(TorchBlock() for _ in range(layers)),
            "ln_f": tnn.LayerNorm(width),
        }
    )
    for module in model.modules():
        if isinstance(module, (tnn.Linear, tnn.Embedding)):
            tnn.init.normal_(module.weight, std=0.02)
        if isinstance(module, tnn.Linear):
            tnn.init.zeros_(module.bias)
    for name, weight in model.named_parameters():
        if name.endswith("c_proj.weight"):
            tnn.init.normal_(weight, std=0.02 / (2 * layers) ** 0.5)
    assert torch.is_tensor(weight)
    return model
