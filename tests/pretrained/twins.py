"""Models of torch and their twins in Flax, small, with weights that tell layouts apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

torch = pytest.importorskip("torch")

from torch import nn as tnn  # noqa: E402


def randomized(module: tnn.Module, seed: int = 0) -> tnn.Module:
    """The module with every parameter and statistic drawn: none is zero or one any more."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.dtype.is_floating_point:
                drawn = torch.randn(value.shape, generator=generator) * 0.2
                value.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
            else:
                value.fill_(7)
    return module.eval()


def state(module: tnn.Module) -> dict[str, np.ndarray]:
    """The state dict as NumPy arrays."""
    return {name: value.numpy() for name, value in module.state_dict().items()}


def inputs(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# --- a residual network -----------------------------------------------------------------------


class TorchBlock(tnn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, groups: int = 1):
        super().__init__()
        self.conv1 = tnn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = tnn.BatchNorm2d(outputs)
        self.conv2 = tnn.Conv2d(outputs, outputs, 3, 1, 1, groups=groups, bias=False)
        self.bn2 = tnn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1:
            conv = tnn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = tnn.Sequential(conv, tnn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class TorchResNet(tnn.Module):
    """A ResNet-18 of few channels, its last stage grouped."""

    def __init__(self, width: int = 8, classes: int = 10):
        super().__init__()
        self.conv1 = tnn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = tnn.BatchNorm2d(width)
        channels = width
        for stage in range(1, 5):
            after = width * 2 ** (stage - 1)
            groups = 4 if stage == 4 else 1
            blocks = [
                TorchBlock(channels, after, 2 if stage > 1 else 1, groups),
                TorchBlock(after, after, 1, groups),
            ]
            setattr(self, f"layer{stage}", tnn.Sequential(*blocks))
            channels = after
        self.fc = tnn.Linear(channels, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = tnn.functional.max_pool2d(x, 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean(dim=(2, 3)))


class Block(nn.Module):
    channels: int
    stride: int
    groups: int = 1

    @nn.compact
    def __call__(self, x):
        def conv(size, stride=1, groups=1, name=None):
            return nn.Conv(
                self.channels, (size, size), stride, size // 2, use_bias=False,
                feature_group_count=groups, name=name,
            )  # fmt: skip

        def norm(name):
            return nn.BatchNorm(use_running_average=True, epsilon=1e-5, name=name)

        y = nn.relu(norm("norm_a")(conv(3, self.stride, name="conv_a")(x)))
        y = norm("norm_b")(conv(3, groups=self.groups, name="conv_b")(y))
        if self.stride > 1:
            x = norm("norm_short")(conv(1, self.stride, name="conv_short")(x))
        return nn.relu(y + x)


class ResNet(nn.Module):
    width: int = 8
    classes: int = 10

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(self.width, (7, 7), 2, 3, use_bias=False, name="stem")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-5, name="stem_norm")(x))
        x = nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
        for stage in range(4):
            groups = 4 if stage == 3 else 1
            for block in range(2):
                stride = 2 if stage > 0 and block == 0 else 1
                channels = self.width * 2**stage
                x = Block(channels, stride, groups, name=f"stage_{stage + 1}_block_{block}")(x)
        return nn.Dense(self.classes, name="head")(x.mean(axis=(1, 2)))


RESNET_PAIRS = {
    "conv1": "stem",
    "bn1": "stem_norm",
    "layer*.*.conv1": "stage_*_block_*/conv_a",
    "layer*.*.bn1": "stage_*_block_*/norm_a",
    "layer*.*.conv2": "stage_*_block_*/conv_b",
    "layer*.*.bn2": "stage_*_block_*/norm_b",
    "layer*.*.downsample.0": "stage_*_block_*/conv_short",
    "layer*.*.downsample.1": "stage_*_block_*/norm_short",
    "fc": "head",
}


# --- a GPT-2 ----------------------------------------------------------------------------------


class Conv1D(tnn.Module):
    """A matrix kept as (in, out)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = tnn.Parameter(torch.empty(inputs, outputs))
        self.bias = tnn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class TorchAttention(tnn.Module):
    def __init__(self, width: int, heads: int, make):
        super().__init__()
        self.heads = heads
        self.c_attn = make(width, 3 * width)
        self.c_proj = make(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        shape = (batch, length, self.heads, width // self.heads)
        q, k, v = (y.view(shape).transpose(1, 2) for y in self.c_attn(x).split(width, dim=2))
        y = tnn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(x.shape))


class TorchLayer(tnn.Module):
    def __init__(self, width: int, heads: int, make):
        super().__init__()
        self.ln_1 = tnn.LayerNorm(width)
        self.attn = TorchAttention(width, heads, make)
        self.ln_2 = tnn.LayerNorm(width)
        self.mlp = tnn.ModuleDict(
            {"c_fc": make(width, 4 * width), "c_proj": make(4 * width, width)}
        )

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        y = tnn.functional.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh")
        return x + self.mlp["c_proj"](y)


class TorchGPT2(tnn.Module):
    """Head and embedding are one array, as in GPT-2, whose matrices may be kept (in, out)."""

    def __init__(self, vocabulary=60, length=16, width=16, heads=4, layers=3, make=Conv1D):
        super().__init__()
        self.wte = tnn.Embedding(vocabulary, width)
        self.wpe = tnn.Embedding(length, width)
        self.h = tnn.ModuleList([TorchLayer(width, heads, make) for _ in range(layers)])
        self.ln_f = tnn.LayerNorm(width)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for layer in self.h:
            x = layer(x)
        return self.ln_f(x) @ self.wte.weight.T


class Layer(nn.Module):
    width: int
    heads: int

    @nn.compact
    def __call__(self, x, mask):
        y = nn.LayerNorm(epsilon=1e-5, name="ln_1")(x)
        y = nn.MultiHeadDotProductAttention(self.heads, name="attn")(y, mask=mask)
        x = x + y
        y = nn.LayerNorm(epsilon=1e-5, name="ln_2")(x)
        y = nn.Dense(4 * self.width, name="up")(y)
        x = x + nn.Dense(self.width, name="down")(nn.gelu(y))
        return x, None


class GPT2(nn.Module):
    """The twin; with `scanned` its layers are stacked in one."""

    vocabulary: int = 60
    length: int = 16
    width: int = 16
    heads: int = 4
    layers: int = 3
    scanned: bool = False

    @nn.compact
    def __call__(self, tokens):
        embed = nn.Embed(self.vocabulary, self.width, name="wte")
        places = nn.Embed(self.length, self.width, name="wpe")
        x = embed(tokens) + places(jnp.arange(tokens.shape[1]))[None]
        mask = nn.make_causal_mask(tokens)
        if self.scanned:
            scan = nn.scan(
                Layer,
                variable_axes={"params": 0},
                split_rngs={"params": True},
                in_axes=nn.broadcast,
                length=self.layers,
            )
            x, _ = scan(self.width, self.heads, name="h")(x, mask)
        else:
            for layer in range(self.layers):
                x, _ = Layer(self.width, self.heads, name=f"h_{layer}")(x, mask)
        return embed.attend(nn.LayerNorm(epsilon=1e-5, name="ln_f")(x))


GPT2_PAIRS = {
    "h.*.attn.c_attn": "h_*/attn",
    "h.*.attn.c_proj": "h_*/attn/out",
    "h.*.mlp.c_fc": "h_*/up",
    "h.*.mlp.c_proj": "h_*/down",
}
SCANNED_PAIRS = {
    "h.*.ln_{1,2}": "h/ln_{2}",
    "h.*.attn.c_attn": "h/attn",
    "h.*.attn.c_proj": "h/attn/out",
    "h.*.mlp.c_fc": "h/up",
    "h.*.mlp.c_proj": "h/down",
}
TOKENS = jax.ShapeDtypeStruct((1, 8), jnp.int32)


# --- a small convolutional net in NNX ---------------------------------------------------------


class TorchTransposed(tnn.Module):
    def __init__(self):
        super().__init__()
        self.down = tnn.Conv1d(3, 8, 4, 2, 1)
        self.norm = tnn.BatchNorm1d(8)
        self.up = tnn.ConvTranspose1d(8, 5, 4, 2, 1)
        self.out = tnn.Linear(5, 2)

    def forward(self, x):
        y = torch.relu(self.norm(self.down(x)))
        return self.out(self.up(y).transpose(1, 2))


class Transposed(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.down = nnx.Conv(3, 8, (4,), 2, padding=1, rngs=rngs)
        self.norm = nnx.BatchNorm(8, use_running_average=True, epsilon=1e-5, rngs=rngs)
        self.up = nnx.ConvTranspose(8, 5, (4,), 2, padding="SAME", rngs=rngs)
        self.out = nnx.Linear(5, 2, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, deterministic=True, rngs=rngs)

    def __call__(self, x):
        return self.out(self.dropout(self.up(nnx.relu(self.norm(self.down(x))))))
