"""A transformer of PyTorch in Flax: weights loaded, outputs compared, and the way back.

    python examples/port_from_torch.py

Defines a GPT-2-like model in PyTorch and in Flax, saves the first to a safetensors file, loads that
into the second, whose attention is split into heads and whose layers are stacked by `nn.scan`, and
gets the state dict back. Needs `pip install "jinit[demo]" safetensors torch`.
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

import jinit
from jinit.pretrained import flax_to_torch, torch_to_flax

VOCABULARY, LENGTH, WIDTH, HEADS, LAYERS = 200, 32, 48, 4, 3
# Modules of PyTorch, and where they are in Flax; embeddings and norms bear the same names.
PAIRS = {
    "h.*.ln_{1,2}": "h/ln_{2}",
    "h.*.attn.qkv": "h/attn",
    "h.*.attn.out": "h/attn/out",
    "h.*.up": "h/up",
    "h.*.down": "h/down",
}


class Layer(nn.Module):
    """Attention and a perceptron, each on a normalized copy of the stream."""

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> tuple[jax.Array, None]:
        """The stream after the layer."""
        y = nn.LayerNorm(epsilon=1e-5, name="ln_1")(x)
        x = x + nn.MultiHeadDotProductAttention(HEADS, name="attn")(y, mask=mask)
        y = nn.LayerNorm(epsilon=1e-5, name="ln_2")(x)
        y = nn.gelu(nn.Dense(4 * WIDTH, name="up")(y), approximate=False)
        return x + nn.Dense(WIDTH, name="down")(y), None


class Transformer(nn.Module):
    """Layers in one scan, and a head that is the embedding."""

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Logits."""
        embed = nn.Embed(VOCABULARY, WIDTH, name="wte")
        places = nn.Embed(LENGTH, WIDTH, name="wpe")(jnp.arange(tokens.shape[1]))
        scan = nn.scan(
            Layer,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=nn.broadcast,
            length=LAYERS,
        )
        x, _ = scan(name="h")(embed(tokens) + places[None], nn.make_causal_mask(tokens))
        return embed.attend(nn.LayerNorm(epsilon=1e-5, name="ln_f")(x))


def torch_model() -> object:
    """The same in PyTorch, as it initializes it."""
    import torch
    from torch import nn as tnn
    from torch.nn import functional

    class Attention(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = tnn.Linear(WIDTH, 3 * WIDTH)
            self.out = tnn.Linear(WIDTH, WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shape = (*x.shape[:2], HEADS, WIDTH // HEADS)
            parts = (y.reshape(shape).transpose(1, 2) for y in self.qkv(x).chunk(3, dim=-1))
            y = functional.scaled_dot_product_attention(*parts, is_causal=True)
            return self.out(y.transpose(1, 2).reshape(x.shape))

    class Layer(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = tnn.LayerNorm(WIDTH), tnn.LayerNorm(WIDTH)
            self.attn = Attention()
            self.up, self.down = tnn.Linear(WIDTH, 4 * WIDTH), tnn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x + self.attn(self.ln_1(x))
            return x + self.down(functional.gelu(self.up(self.ln_2(x))))

    class Model(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte = tnn.Embedding(VOCABULARY, WIDTH)
            self.wpe = tnn.Embedding(LENGTH, WIDTH)
            self.h = tnn.ModuleList(Layer() for _ in range(LAYERS))
            self.ln_f = tnn.LayerNorm(WIDTH)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
            for layer in self.h:
                x = layer(x)
            return self.ln_f(x) @ self.wte.weight.T

    torch.manual_seed(0)
    return Model().eval()


def main() -> None:
    """Save, load, compare, and go back."""
    console = Console()
    if importlib.util.find_spec("torch") is None:
        console.print("PyTorch is not installed: nothing to port. Get it with `pip install torch`")
        sys.exit(0)
    import torch
    from safetensors.torch import save_file

    theirs = torch_model()
    target = jinit.with_inputs(Transformer(), jax.ShapeDtypeStruct((1, LENGTH), jnp.int32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_file(theirs.state_dict(), path)
        params, report = jinit.load(target, path, match=torch_to_flax(PAIRS))
        back = flax_to_torch(target, path, PAIRS, params=params)
    console.print(report)

    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (2, LENGTH))
    with torch.no_grad():
        expected = theirs(torch.from_numpy(tokens)).numpy()
    apart = np.abs(np.asarray(Transformer().apply(params, tokens)) - expected).max()
    console.print(f"\nlogits: up to {np.abs(expected).max():.1f}, at most {apart:.1e} apart")
    state = theirs.state_dict()
    same = sum(np.array_equal(back[name], value.numpy()) for name, value in state.items())
    console.print(f"the way back: {same} of {len(state)} tensors are equal to the bit")


if __name__ == "__main__":
    main()
