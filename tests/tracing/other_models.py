"""Models of Equinox and Haiku and models of no framework, with the roles of their parameters."""

from typing import Any

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
from tracing.flax_models import Roles
from trees_of_models import shape


def equinox_perceptron() -> Any:
    return eqx.filter_eval_shape(eqx.nn.MLP, 8, 3, 16, 2, jax.nn.gelu, key=jax.random.key(0))


EQUINOX_PERCEPTRON: Roles = {
    f"layers/{n}/{name}": role
    for n in range(3)
    for name, role in (("weight", "dense"), ("bias", "bias"))
}


class EquinoxNet(eqx.Module):
    """Convolutions, a group norm, an embedding, an LSTM cell and attention."""

    conv: eqx.nn.Conv2d
    up: eqx.nn.ConvTranspose2d
    norm: eqx.nn.GroupNorm
    embed: eqx.nn.Embedding
    cell: eqx.nn.LSTMCell
    attention: eqx.nn.MultiheadAttention
    final: eqx.nn.LayerNorm

    def __init__(self, key):
        keys = jax.random.split(key, 5)
        self.conv = eqx.nn.Conv2d(3, 8, 3, groups=1, key=keys[0])
        self.up = eqx.nn.ConvTranspose2d(8, 8, 4, stride=2, key=keys[1])
        self.norm = eqx.nn.GroupNorm(4, 8)
        self.embed = eqx.nn.Embedding(16, 8, key=keys[2])
        self.cell = eqx.nn.LSTMCell(8, 8, key=keys[3])
        self.attention = eqx.nn.MultiheadAttention(2, 8, key=keys[4])
        self.final = eqx.nn.LayerNorm(8)

    def __call__(self, image, tokens):
        x = jnp.mean(self.up(jax.nn.relu(self.norm(self.conv(image)))), axis=(1, 2))
        words = jax.vmap(self.embed)(tokens) + x[None]

        def step(state, word):
            state = self.cell(word, state)
            return state, state[0]

        start = (jnp.zeros(8), jnp.zeros(8))
        _, words = jax.lax.scan(step, start, words)
        return jax.vmap(self.final)(words + self.attention(words, words, words))


EQUINOX_NET: Roles = {
    "conv/weight": "conv",
    "conv/bias": "bias",
    "up/weight": "conv_transpose",
    "up/bias": "bias",
    "norm/weight": "norm_scale",
    "norm/bias": "norm_bias",
    "embed/weight": "embedding",
    "cell/weight_ih": "dense",
    "cell/weight_hh": "recurrent",
    "cell/bias": "bias",
    **{f"attention/{name}_proj/weight": "dense" for name in ("query", "key", "value", "output")},
    "final/weight": "norm_scale",
    "final/bias": "norm_bias",
}


def haiku_net() -> Any:
    def forward(x):
        x = hk.nets.MLP([16, 8], activation=jax.nn.silu)(x)
        return hk.LayerNorm(-1, create_scale=True, create_offset=True)(x)

    return hk.without_apply_rng(hk.transform(forward))


HAIKU_NET: Roles = {
    **{f"mlp/~/linear_{n}/w": "dense" for n in (0, 1)},
    **{f"mlp/~/linear_{n}/b": "bias" for n in (0, 1)},
    "layer_norm/scale": "norm_scale",
    "layer_norm/offset": "norm_bias",
}


def haiku_recurrent() -> Any:
    """An LSTM, whose gates share one kernel with the input, on layers stacked by Haiku."""

    def forward(x):
        def layer(x):
            return x + jax.nn.gelu(hk.Linear(16)(hk.LayerNorm(-1, True, True)(x)))

        x = hk.experimental.layer_stack(3)(layer)(x)
        cell = hk.LSTM(8)
        return hk.dynamic_unroll(cell, x, cell.initial_state(2), time_major=False)[0]

    return hk.without_apply_rng(hk.transform(forward))


_STACK = "__layer_stack_no_per_layer"
HAIKU_RECURRENT: Roles = {
    f"{_STACK}/layer_norm/scale": "norm_scale",
    f"{_STACK}/layer_norm/offset": "norm_bias",
    f"{_STACK}/linear/w": "dense",
    f"{_STACK}/linear/b": "bias",
    "lstm/linear/w": "recurrent",
    "lstm/linear/b": "bias",
}


def haiku_convs() -> Any:
    def forward(x):
        x = jax.nn.relu(hk.Conv2D(8, 3, name="conv")(x))
        x = hk.BatchNorm(True, True, 0.9, name="norm")(x, is_training=True)
        x = jax.nn.relu(hk.DepthwiseConv2D(1, 3, name="depthwise")(x))
        x = hk.Conv2DTranspose(4, 4, stride=2, name="up")(x)
        return hk.Linear(3, name="head")(hk.Flatten()(x))

    return hk.transform_with_state(forward)


HAIKU_CONVS: Roles = {
    "conv/w": "conv",
    "depthwise/w": "depthwise",
    "up/w": "conv_transpose",
    "head/w": "dense",
    **{f"{name}/b": "bias" for name in ("conv", "depthwise", "up", "head")},
    "norm/scale": "norm_scale",
    "norm/offset": "norm_bias",
}


def mixer(params, x):
    """A hand-written MLP mixer with layer scale, vmapped over a batch."""

    def one(x):
        for block in params["blocks"]:
            y = _normed(x, block["norm"])
            y = jax.nn.gelu(block["mix"] @ y + block["mix_bias"][:, None])
            x = x + block["gamma"] * y
            y = jax.nn.gelu(_normed(x, block["norm2"]) @ block["up"])
            x = x + block["gamma2"] * (y @ block["down"])
        return jnp.mean(x, axis=0) @ params["head"]

    return jax.vmap(one)(x)


def _normed(x, scale):
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-6) * scale


def mixer_params() -> Any:
    block = {
        "norm": shape(16),
        "norm2": shape(16),
        "mix": shape(6, 6),
        "mix_bias": shape(6),
        "gamma": shape(16),
        "gamma2": shape(16),
        "up": shape(16, 32),
        "down": shape(32, 16),
    }
    return {"blocks": [block, block], "head": shape(16, 4), "spare": shape(3)}


_MIXER_BLOCK = {
    "norm": "norm_scale",
    "norm2": "norm_scale",
    "mix": "dense",
    "mix_bias": "bias",
    "gamma": "scale",
    "gamma2": "scale",
    "up": "dense",
    "down": "dense",
}
MIXER: Roles = {
    **{f"blocks/{n}/{name}": role for n in (0, 1) for name, role in _MIXER_BLOCK.items()},
    "head": "dense",
    "spare": "unused",
}
