"""Small image models that presets are tried on, as their authors would name the layers."""

import jax.numpy as jnp
from flax import linen as nn

IMAGES = jnp.zeros((1, 8, 8, 3))


class MlpBlock(nn.Module):
    hidden: int

    @nn.compact
    def __call__(self, x):
        hidden = nn.gelu(nn.Dense(self.hidden)(x))
        return nn.Dense(x.shape[-1])(hidden)


class FusedAttention(nn.Module):
    heads: int = 2

    @nn.compact
    def __call__(self, x):
        width = x.shape[-1]
        qkv = nn.Dense(3 * width, name="qkv")(x)
        q, k, v = jnp.split(qkv.reshape(*x.shape[:-1], self.heads, -1), 3, axis=-1)
        return nn.Dense(width, name="proj")(nn.dot_product_attention(q, k, v).reshape(x.shape))


class EncoderBlock(nn.Module):
    hidden: int
    fused: bool

    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm()(x)
        if self.fused:
            x = x + FusedAttention(name="attn")(y)
        else:
            x = x + nn.MultiHeadDotProductAttention(2)(y, y)
        return x + MlpBlock(self.hidden)(nn.LayerNorm()(x))


class ViT(nn.Module):
    """A vision transformer, as in vit_jax; with `fused` attention as in timm."""

    width: int = 32
    depth: int = 2
    classes: int = 10
    fused: bool = False

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(self.width, (4, 4), (4, 4), padding="VALID", name="embedding")(images)
        x = x.reshape(x.shape[0], -1, self.width)
        cls = self.param("cls", nn.initializers.zeros, (1, 1, self.width))
        x = jnp.concatenate([jnp.broadcast_to(cls, (x.shape[0], 1, self.width)), x], axis=1)
        shape = (1, x.shape[1], self.width)
        x = x + self.param("pos_embedding", nn.initializers.zeros, shape)
        for i in range(self.depth):
            x = EncoderBlock(4 * self.width, self.fused, name=f"encoderblock_{i}")(x)
        x = nn.LayerNorm(name="encoder_norm")(x)[:, 0]
        x = nn.tanh(nn.Dense(24, name="pre_logits")(x))
        return nn.Dense(self.classes, name="head")(x)


class MixerBlock(nn.Module):
    tokens: int = 12
    channels: int = 48

    @nn.compact
    def __call__(self, x):
        patches = x.shape[1]
        y = self._mix(nn.LayerNorm()(x), (patches, self.tokens))
        x = x + self._mix(nn.gelu(y), (self.tokens, patches))
        return x + MlpBlock(self.channels, name="channel_mixing")(nn.LayerNorm()(x))

    def _mix(self, x, shape):
        kernel = self.param(f"kernel{shape[0]}", nn.initializers.lecun_normal(), shape)
        bias = self.param(f"bias{shape[0]}", nn.initializers.zeros, (1, shape[1], 1))
        return jnp.einsum("bnc,nm->bmc", x, kernel) + bias


class Mixer(nn.Module):
    width: int = 32

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(self.width, (2, 2), (2, 2), name="stem")(images)
        x = x.reshape(x.shape[0], -1, self.width)
        for _ in range(2):
            x = MixerBlock()(x)
        x = nn.LayerNorm(name="pre_head_layer_norm")(x).mean(axis=1)
        return nn.Dense(10, name="head")(x)


class ResNetBlock(nn.Module):
    channels: int
    bottleneck: bool
    stride: int = 1

    @nn.compact
    def __call__(self, x):
        norm = lambda name: nn.BatchNorm(use_running_average=False, name=name)  # noqa: E731
        conv = lambda n, k, s, name: nn.Conv(n, (k, k), (s, s), use_bias=False, name=name)  # noqa: E731
        taps = (1, 3, 1) if self.bottleneck else (3, 3)
        y, out = x, self.channels * (4 if self.bottleneck else 1)
        for i, k in enumerate(taps, 1):
            last = i == len(taps)
            stride = self.stride if k == 3 and (self.bottleneck or i == 1) else 1
            y = norm(f"bn{i}")(conv(out if last else self.channels, k, stride, f"conv{i}")(y))
            y = y if last else nn.relu(y)
        if x.shape != y.shape:
            x = norm("downsample_bn")(conv(out, 1, self.stride, "downsample_conv")(x))
        return nn.relu(x + y)


class ResNet(nn.Module):
    bottleneck: bool = True

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(8, (3, 3), use_bias=False, name="conv1")(images)
        x = nn.relu(nn.BatchNorm(use_running_average=False, name="bn1")(x))
        for stage, channels in enumerate((8, 16)):
            for i in range(2):
                name = f"layer{stage + 1}_block{i}"
                stride = 2 if stage and not i else 1
                x = ResNetBlock(channels, self.bottleneck, stride, name=name)(x)
        return nn.Dense(10, name="fc")(x.mean(axis=(1, 2)))


class FixupBlock(nn.Module):
    channels: int

    @nn.compact
    def __call__(self, x):
        scalar = lambda name, init: self.param(name, init, (1,))[0]  # noqa: E731
        conv = lambda name: nn.Conv(self.channels, (3, 3), use_bias=False, name=name)  # noqa: E731
        zeros, ones = nn.initializers.zeros, nn.initializers.ones
        y = conv("conv1")(x + scalar("bias1a", zeros))
        y = nn.relu(y + scalar("bias1b", zeros))
        y = conv("conv2")(y + scalar("bias2a", zeros)) * scalar("scale", ones)
        return nn.relu(x + y + scalar("bias2b", zeros))


class FixupNet(nn.Module):
    depth: int = 4

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(8, (3, 3), use_bias=False, name="conv1")(images)
        for i in range(self.depth):
            x = FixupBlock(8, name=f"block_{i}")(x)
        return nn.Dense(10, name="fc")(x.mean(axis=(1, 2)))


class DiTBlock(nn.Module):
    @nn.compact
    def __call__(self, x, c):
        width = x.shape[-1]
        modulation = nn.Dense(6 * width, name="adaLN_modulation")(nn.silu(c))
        shift1, scale1, gate1, shift2, scale2, gate2 = jnp.split(modulation[:, None], 6, axis=-1)
        norm = lambda a: nn.LayerNorm(use_bias=False, use_scale=False)(a)  # noqa: E731
        y = norm(x) * (1 + scale1) + shift1
        x = x + gate1 * nn.MultiHeadDotProductAttention(2, name="attn")(y, y)
        y = norm(x) * (1 + scale2) + shift2
        return x + gate2 * MlpBlock(4 * width, name="mlp")(y)


class Embedder(nn.Module):
    width: int

    @nn.compact
    def __call__(self, t):
        hidden = nn.silu(nn.Dense(self.width)(t))
        return nn.Dense(self.width)(hidden)


class FinalLayer(nn.Module):
    @nn.compact
    def __call__(self, x, c):
        modulation = nn.Dense(2 * x.shape[-1], name="adaLN_modulation")(nn.silu(c))
        shift, scale = jnp.split(modulation[:, None], 2, axis=-1)
        x = nn.LayerNorm(use_bias=False, use_scale=False)(x) * (1 + scale) + shift
        return nn.Dense(12, name="linear")(x)


class DiT(nn.Module):
    """DiT; returns the tokens before the first block and after the last, and the output."""

    width: int = 32
    depth: int = 1

    @nn.compact
    def __call__(self, images, time, label):
        x = nn.Conv(self.width, (2, 2), (2, 2), name="x_embedder")(images)
        x = before = x.reshape(x.shape[0], -1, self.width)
        c = Embedder(self.width, name="t_embedder")(time)
        c = c + nn.Embed(10, self.width, name="y_embedder")(label)
        for i in range(self.depth):
            x = DiTBlock(name=f"blocks_{i}")(x, c)
        return before, x, FinalLayer(name="final_layer")(x, c)
