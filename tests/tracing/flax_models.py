"""Models of Flax (Linen and NNX), as people write them, each with the roles of its parameters."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

Roles = dict[str, str]
F32 = jnp.float32


class Perceptron(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(16)(x))
        x = nn.tanh(nn.Dense(8)(x))
        return nn.Dense(3)(x)


PERCEPTRON: Roles = {
    f"Dense_{n}/{name}": role
    for n in range(3)
    for name, role in (("kernel", "dense"), ("bias", "bias"))
}


class ConvNet(nn.Module):
    """Depthwise, grouped, strided and transposed convolutions."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3), strides=2, name="stem")(x))
        x = nn.relu(nn.Conv(8, (3, 3), feature_group_count=8, name="depthwise")(x))
        x = nn.silu(nn.Conv(16, (3, 3), feature_group_count=4, name="grouped")(x))
        x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.elu(nn.ConvTranspose(4, (4, 4), strides=(2, 2), name="up")(x))
        x = nn.ConvTranspose(4, (4, 4), strides=(2, 2), transpose_kernel=True, name="up2")(x)
        x = nn.avg_pool(nn.hard_swish(x), (4, 4), (4, 4))
        return nn.Dense(5, name="head")(x.reshape(x.shape[0], -1))


CONV_NET: Roles = {
    "stem/kernel": "conv",
    "depthwise/kernel": "depthwise",
    "grouped/kernel": "conv",
    "up/kernel": "conv_transpose",
    "up2/kernel": "conv_transpose",
    "head/kernel": "dense",
    **{f"{name}/bias": "bias" for name in ("stem", "depthwise", "grouped", "up", "up2", "head")},
}


class ResNet(nn.Module):
    """Two residual blocks with batch norm, the first with a projected shortcut."""

    train: bool = True

    @nn.compact
    def __call__(self, x):
        def norm(name, x):
            return nn.BatchNorm(use_running_average=not self.train, name=name)(x)

        x = nn.relu(norm("norm", nn.Conv(8, (3, 3), use_bias=False, name="stem")(x)))
        for n, (features, stride) in enumerate(((16, 2), (16, 1))):
            y = nn.Conv(features, (3, 3), stride, use_bias=False, name=f"block_{n}_conv_0")(x)
            y = nn.relu(norm(f"block_{n}_norm_0", y))
            y = nn.Conv(features, (3, 3), use_bias=False, name=f"block_{n}_conv_1")(y)
            y = norm(f"block_{n}_norm_1", y)
            if x.shape != y.shape:
                x = nn.Conv(features, (1, 1), stride, use_bias=False, name="shortcut")(x)
                x = norm("shortcut_norm", x)
            x = nn.relu(x + y)
        return nn.Dense(10, name="head")(jnp.mean(x, axis=(1, 2)))


_RESNET_NORMS = ("norm", "shortcut_norm", *(f"block_{n}_norm_{m}" for n in (0, 1) for m in (0, 1)))
RESNET: Roles = {
    "stem/kernel": "conv",
    "shortcut/kernel": "conv",
    **{f"block_{n}_conv_{m}/kernel": "conv" for n in (0, 1) for m in (0, 1)},
    **{f"{name}/scale": "norm_scale" for name in _RESNET_NORMS},
    **{f"{name}/bias": "norm_bias" for name in _RESNET_NORMS},
    "head/kernel": "dense",
    "head/bias": "bias",
}


class Block(nn.Module):
    """A pre-norm transformer block."""

    heads: int = 2
    causal: bool = False

    @nn.compact
    def __call__(self, x):
        mask = nn.make_causal_mask(x[..., 0]) if self.causal else None
        y = nn.LayerNorm(name="ln_1")(x)
        x = x + nn.MultiHeadDotProductAttention(self.heads, name="attn")(y, y, mask=mask)
        y = nn.LayerNorm(name="ln_2")(x)
        y = nn.Dense(4 * x.shape[-1], name="up")(y)
        return x + nn.Dense(x.shape[-1], name="down")(nn.gelu(y))


BLOCK: Roles = {
    **{f"{name}/scale": "norm_scale" for name in ("ln_1", "ln_2")},
    **{f"{name}/bias": "norm_bias" for name in ("ln_1", "ln_2")},
    **{f"attn/{name}/kernel": "dense" for name in ("query", "key", "value", "out")},
    **{f"attn/{name}/bias": "bias" for name in ("query", "key", "value", "out")},
    "up/kernel": "dense",
    "up/bias": "bias",
    "down/kernel": "dense",
    "down/bias": "bias",
}


class VisionTransformer(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(16, (4, 4), strides=(4, 4), name="patches")(x)
        x = x.reshape(x.shape[0], -1, 16)
        cls = self.param("cls", nn.initializers.zeros, (1, 1, 16))
        x = jnp.concatenate([jnp.broadcast_to(cls, (x.shape[0], 1, 16)), x], axis=1)
        x = x + self.param("positions", nn.initializers.normal(0.02), (1, x.shape[1], 16))
        for n in range(2):
            x = Block(name=f"block_{n}")(x)
        x = nn.LayerNorm(name="norm")(x)
        return nn.Dense(10, name="head")(x[:, 0])


VISION_TRANSFORMER: Roles = {
    "patches/kernel": "conv",
    "patches/bias": "bias",
    "cls": "embedding",
    "positions": "embedding",
    **{f"block_{n}/{path}": role for n in (0, 1) for path, role in BLOCK.items()},
    "norm/scale": "norm_scale",
    "norm/bias": "norm_bias",
    "head/kernel": "dense",
    "head/bias": "bias",
}


class Language(nn.Module):
    """A GPT whose head is its embedding; its blocks unrolled, or scanned and rematerialized."""

    scanned: bool = False

    @nn.compact
    def __call__(self, tokens):
        embed = nn.Embed(32, 16, name="wte")
        x = embed(tokens) + nn.Embed(12, 16, name="wpe")(jnp.arange(tokens.shape[1]))[None]
        if self.scanned:
            step = nn.remat(_Step, prevent_cse=False)
            axes = {"params": 0}
            stack = nn.scan(step, variable_axes=axes, split_rngs={"params": True}, length=3)
            x, _ = stack(name="blocks")(x, None)
        else:
            for n in range(3):
                x = Block(causal=True, name=f"h_{n}")(x)
        return embed.attend(nn.LayerNorm(name="norm")(x))


class _Step(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return Block(causal=True, name="block")(x), None


_AROUND = {
    "wte/embedding": "embedding",
    "wpe/embedding": "embedding",
    "norm/scale": "norm_scale",
    "norm/bias": "norm_bias",
}
UNROLLED: Roles = _AROUND | {f"h_{n}/{path}": BLOCK[path] for n in range(3) for path in BLOCK}
SCANNED: Roles = _AROUND | {f"blocks/block/{path}": BLOCK[path] for path in BLOCK}


class Recurrent(nn.Module):
    """An LSTM whose gates' kernels are concatenated, on one whose gates are separate."""

    @nn.compact
    def __call__(self, x):
        x = nn.RNN(nn.LSTMCell(8, name="plain"))(x)
        x = nn.RNN(nn.OptimizedLSTMCell(8, name="fused"))(x)
        return nn.Dense(3, name="head")(x[:, -1])


RECURRENT: Roles = {
    **{f"{cell}/i{gate}/kernel": "dense" for cell in ("plain", "fused") for gate in "ifgo"},
    **{f"{cell}/h{gate}/kernel": "recurrent" for cell in ("plain", "fused") for gate in "ifgo"},
    **{f"{cell}/h{gate}/bias": "bias" for cell in ("plain", "fused") for gate in "ifgo"},
    "head/kernel": "dense",
    "head/bias": "bias",
}


class Gated(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.RNN(nn.GRUCell(8, name="cell"))(x)
        return nn.Dense(3, name="head")(x)


GATED: Roles = {
    **{f"cell/i{gate}/kernel": "dense" for gate in "rzn"},
    **{f"cell/i{gate}/bias": "bias" for gate in "rzn"},
    **{f"cell/h{gate}/kernel": "recurrent" for gate in "rzn"},
    "cell/hn/bias": "bias",
    "head/kernel": "dense",
    "head/bias": "bias",
}


class Experts(nn.Module):
    """A mixture of experts by einsum, with soft routing, and RMS norm in front."""

    @nn.compact
    def __call__(self, x):
        y = nn.RMSNorm(name="norm")(x)
        gates = nn.softmax(nn.Dense(4, use_bias=False, name="router")(y))
        up = self.param("up", nn.initializers.normal(), (4, 16, 32))
        down = self.param("down", nn.initializers.normal(), (4, 32, 16))
        y = nn.silu(jnp.einsum("btd,edf->betf", y, up))
        y = jnp.einsum("betf,efd->betd", y, down)
        return x + jnp.einsum("betd,bte->btd", y, gates)


EXPERTS: Roles = {
    "norm/scale": "norm_scale",
    "router/kernel": "dense",
    "up": "dense",
    "down": "einsum",
}


class UNet(nn.Module):
    """Down, up, group norms, and a time that scales and shifts."""

    @nn.compact
    def __call__(self, x, time):
        time = nn.silu(nn.Dense(16, name="time")(time))
        one = nn.silu(nn.GroupNorm(4, name="norm_0")(nn.Conv(8, (3, 3), name="in")(x)))
        two = nn.silu(nn.Conv(16, (3, 3), strides=2, name="down")(one))
        two = two * (1 + nn.Dense(16, name="scale")(time)[:, None, None])
        two = two + nn.Dense(16, name="shift")(time)[:, None, None]
        up = nn.ConvTranspose(8, (2, 2), strides=(2, 2), name="up")(two)
        x = jnp.concatenate([up, one], axis=-1)
        x = nn.silu(nn.GroupNorm(4, name="norm_1")(x))
        return nn.Conv(3, (3, 3), name="out")(x)


UNET: Roles = {
    **{f"{name}/kernel": "dense" for name in ("time", "scale", "shift")},
    **{f"{name}/kernel": "conv" for name in ("in", "down", "out")},
    "up/kernel": "conv_transpose",
    **{f"{n}/bias": "bias" for n in ("time", "scale", "shift", "in", "down", "out", "up")},
    **{f"norm_{n}/scale": "norm_scale" for n in (0, 1)},
    **{f"norm_{n}/bias": "norm_bias" for n in (0, 1)},
}


class Shared(nn.Module):
    """One block for all of the depth, and a scale for each time it is used."""

    @nn.compact
    def __call__(self, x):
        block = Block(name="block")
        for n in range(3):
            x = x + self.param(f"gamma_{n}", nn.initializers.ones, (16,)) * block(x)
        return x


SHARED: Roles = {f"block/{path}": role for path, role in BLOCK.items()} | {
    f"gamma_{n}": "scale" for n in range(3)
}


class NnxTransformer(nnx.Module):
    """A decoder with RMS norm, rotated heads, a gated MLP and a head tied to the embedding."""

    def __init__(self, rngs):
        def linear(inputs, outputs):
            return nnx.Linear(inputs, outputs, use_bias=False, rngs=rngs)

        self.embed = nnx.Embed(32, 16, rngs=rngs)
        self.norm_0, self.norm_1 = nnx.RMSNorm(16, rngs=rngs), nnx.RMSNorm(16, rngs=rngs)
        self.qkv, self.out = linear(16, 48), linear(16, 16)
        self.gate, self.up, self.down = linear(16, 32), linear(16, 32), linear(32, 16)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, tokens):
        x = self.embed(tokens)
        batch, length, _ = x.shape
        qkv = self.qkv(self.norm_0(x)).reshape(batch, length, 3, 2, 8)
        q, k, v = (qkv[:, :, n] for n in range(3))
        angle = jnp.arange(length, dtype=F32)[:, None, None] * jnp.ones((4,))[None, None]
        q, k = (_rotated(a, angle) for a in (q, k))
        y = jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(batch, length, 16)
        x = x + self.dropout(self.out(y))
        y = self.norm_1(x)
        x = x + self.down(nnx.silu(self.gate(y)) * self.up(y))
        return self.embed.attend(x)


def _rotated(x, angle):
    one, two = jnp.split(x, 2, axis=-1)
    sin, cos = jnp.sin(angle)[None], jnp.cos(angle)[None]
    return jnp.concatenate([one * cos - two * sin, two * cos + one * sin], axis=-1)


NNX_TRANSFORMER: Roles = {
    "embed/embedding": "embedding",
    "norm_0/scale": "norm_scale",
    "norm_1/scale": "norm_scale",
    **{f"{name}/kernel": "dense" for name in ("qkv", "out", "gate", "up", "down")},
}


class NnxNet(nnx.Module):
    """Convolutions, batch norm, spatially pooled; one layer in two places."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.depthwise = nnx.Conv(8, 8, (3, 3), feature_group_count=8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.layers = nnx.List(
            [nnx.Linear(8, 8, rngs=rngs), nnx.LinearGeneral(8, (2, 4), rngs=rngs)]
        )
        self.again = self.layers[0]

    def __call__(self, x):
        x = nnx.relu(self.norm(self.depthwise(nnx.relu(self.conv(x)))))
        x = jnp.mean(x, axis=(1, 2))
        return self.layers[1](self.again(nnx.gelu(self.layers[0](x))))


NNX_NET: Roles = {
    "conv/kernel": "conv",
    "depthwise/kernel": "depthwise",
    "norm/scale": "norm_scale",
    "norm/bias": "norm_bias",
    **{f"{path}/kernel": "dense" for path in ("layers/0", "layers/1", "again")},
    **{f"{path}/bias": "bias" for path in ("conv", "depthwise", "layers/0", "layers/1", "again")},
}
