"""Small nets of all kinds, each with its parameters' draw and the shapes of its inputs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
from flax import nnx

F32 = "float32"


class Net(NamedTuple):
    """A net.

    Attributes:
        apply: `apply(params, *inputs, **options)`.
        draw: parameters from a key.
        inputs: shapes, or values that stay as they are.
        options: keyword arguments of `apply`.
    """

    apply: Any
    draw: Any
    inputs: tuple[Any, ...]
    options: Mapping[str, Any] = MappingProxyType({})


def floats(*shape):
    return jax.ShapeDtypeStruct(shape, F32)


def tokens(*shape):
    return jax.ShapeDtypeStruct(shape, "int32")


KEY = jax.eval_shape(lambda: jax.random.key(0))
X = floats(256, 96)


# --- functions --------------------------------------------------------------------------------


def weights(key, **shapes):
    """Normal weights of a size that no layer should have."""
    keys = jax.random.split(key, len(shapes))
    pairs = zip(shapes.items(), keys, strict=True)
    return {name: 0.3 * jax.random.normal(k, shape, F32) for (name, shape), k in pairs}


def plain(apply, *inputs, **shapes):
    return Net(apply, lambda key: weights(key, **shapes), inputs)


def perceptron(*activations, width=96):
    """A dense net; every layer's input has been through the next of the activations."""

    def apply(params, x):
        h = x @ params["w0"]
        for number, activation in enumerate(activations, 1):
            h = activation(h) @ params[f"w{number}"]
        return h

    shapes = {f"w{n}": (width, width) for n in range(1, len(activations) + 1)}
    return plain(apply, X, w0=(96, width), **shapes)


def mish(x):
    return x * jnp.tanh(jnp.log1p(jnp.exp(x)))


def bumps(x):
    return jnp.where(x > 0.5, jnp.sin(2 * x), 0.3 * x**2 - 1.0)


def gated(params, x):
    gate, up = jnp.split(x @ params["both"], 2, axis=-1)
    return (jax.nn.silu(gate) * up) @ params["down"]


def residual(params, x):
    h = x @ params["stem"]
    for name in ("a", "b", "c"):
        h = h + jax.nn.relu(h) @ params[name]
    return h @ params["head"]


def twice(params, x):
    h = jax.nn.relu(x @ params["a"])
    h = h + h
    return (h - 0.5 * h**2) @ params["b"]


def dense_net(params, x):
    h = x @ params["a"]
    for name in ("b", "c"):
        h = jnp.concatenate([h, jnp.tanh(3 * h) @ params[name]], axis=-1)
    return jax.nn.relu(h) @ params["head"]


def experts(params, x):
    shares = jax.nn.softmax(x @ params["router"])
    hidden = jax.nn.gelu(jnp.einsum("bd,edf->bef", x, params["up"]))
    return jnp.einsum("be,bef->bf", shares, hidden) @ params["head"]


def ragged(params, x):
    sizes = jnp.full((4,), 64, jnp.int32)
    hidden = jax.nn.relu(jax.lax.ragged_dot(x, params["up"], sizes))
    return jax.lax.ragged_dot(hidden, params["down"], sizes)


def heads(params, x):
    h = jnp.einsum("btd,dhk->bthk", x, params["q"])
    h = jnp.sin(h) + 0.5
    return jnp.einsum("bthk,hkd->btd", h, params["o"])


def attention(params, x):
    q, k, v = (jnp.einsum("btd,dhk->bhtk", x, params[n]) for n in "qkv")
    scores = jnp.einsum("bhtk,bhsk->bhts", q, k) / jnp.sqrt(24.0)
    mask = jnp.tril(jnp.ones((10, 10), bool))
    scores = jnp.where(mask[None, None], scores, -1e9)
    out = jnp.einsum("bhts,bhsk->bthk", jax.nn.softmax(scores), v)
    return jnp.einsum("bthk,hkd->btd", out, params["o"])


def pooled_attention(params, x):
    """Attention over everything, then an average over tokens: these have much in common."""
    q, k, v = (jnp.einsum("btd,dk->btk", x, params[n]) for n in "qkv")
    scores = jnp.einsum("btk,bsk->bts", q, k) / jnp.sqrt(32.0)
    out = jnp.einsum("bts,bsk->btk", jax.nn.softmax(scores), v)
    return jax.nn.relu(out.mean(axis=1) @ params["a"]) @ params["b"]


def rotary(params, x):
    """Queries and keys are turned by position; keys are shared by two queries' heads."""
    q = jnp.einsum("btd,dhk->bthk", x, params["q"])
    k, v = (jnp.einsum("btd,dhk->bthk", x, params[n]) for n in "kv")
    angle = jnp.arange(10.0)[:, None] * 10 ** (-jnp.arange(12.0) / 12)[None]
    cos, sin = jnp.cos(angle)[None, :, None], jnp.sin(angle)[None, :, None]

    def turned(z):
        a, b = jnp.split(z, 2, axis=-1)
        return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    q = turned(q).reshape(q.shape[0], 10, 2, 2, 24)
    scores = jnp.einsum("btgrk,bsgk->bgrts", q, turned(k)) / jnp.sqrt(24.0)
    out = jnp.einsum("bgrts,bsgk->btgrk", jax.nn.softmax(scores), v)
    return out.reshape(*out.shape[:2], 96) @ params["o"]


def embedded(params, ids):
    h = params["table"][ids] + params["position"][None]
    return jax.nn.relu(h.mean(axis=1) @ params["a"]) @ params["b"]


def one_hot(params, ids):
    return jax.nn.gelu(jax.nn.one_hot(ids, 50) @ params["table"]) @ params["b"]


def stack(params, x):
    def layer(h, w):
        return jnp.tanh(2 * h @ w), None

    return jax.lax.scan(layer, x @ params["stem"], params["layers"])[0] @ params["head"]


def recurrent(params, x):
    def step(h, now):
        h = jnp.tanh(now @ params["input"] + h @ params["hidden"])
        return h, h

    _, hs = jax.lax.scan(step, jnp.zeros((x.shape[0], 64)), jnp.swapaxes(x, 0, 1))
    return hs.mean(axis=0) @ params["head"]


def shared(params, x):
    """One block five times: what it adds each time has much in common."""

    def block(_, h):
        return h + 0.5 * jnp.tanh(h @ params["a"]) @ params["b"]

    return jax.lax.fori_loop(0, 5, block, x @ params["stem"]) @ params["head"]


def standardized(params, x):
    """A kernel behind a weight normalization: its scale is that of `gain`."""
    v = params["v"]
    kernel = params["gain"][None] * v / jnp.sqrt(jnp.sum(v**2, axis=0, keepdims=True))
    return jax.nn.softplus(x @ kernel) @ params["b"]


def low_rank(params, x):
    return jnp.abs(x @ (params["w"] + params["a"] @ params["b"])) @ params["head"]


def noisy(params, x, key):
    h = x @ params["a"]
    h = h + 0.5 * jax.random.normal(key, h.shape)
    keep = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.7, h.shape)
    return jnp.where(keep, jax.nn.relu(h) / 0.7, 0.0) @ params["b"]


def recomputed(params, x):
    @jax.checkpoint
    def block(h, w):
        return jax.nn.relu(h) @ w

    h = jax.jit(block)(x @ params["a"], params["b"])
    h = jax.lax.cond(True, lambda z: jnp.clip(z, -1.0, 0.5), jnp.exp, h)
    return jax.lax.fori_loop(0, 3, lambda i, z: z + 0.1 * jnp.sin(z), h) @ params["c"]


def squeezed(params, x):
    """Squeeze and excitation: an average over positions gates the channels."""
    h = x @ params["a"]
    gate = jax.nn.sigmoid(jax.nn.relu(h.mean(axis=1) @ params["down"]) @ params["up"])
    return (h * gate[:, None]) @ params["b"]


def normalized(params, x):
    h = x @ params["a"]
    h = h / jnp.linalg.norm(h, axis=-1, keepdims=True) * 8.0
    h = jnp.maximum(h @ params["b"], h @ params["c"])
    return h @ params["head"]


# --- Linen ------------------------------------------------------------------------------------


def linen(body, *inputs, **options):
    """A compact function of a module, as a net."""

    class Model(nn.Module):
        @nn.compact
        def __call__(self, *xs):
            return body(*xs)

    model = Model()

    @jax.jit
    def draw(key):
        shapes = [jnp.zeros(x.shape, x.dtype) for x in inputs]
        rngs = {"params": key, "dropout": jax.random.fold_in(key, 1)}
        return model.init(rngs, *shapes)

    def apply(variables, *xs, dropout=None):
        rngs = {} if dropout is None else {"dropout": dropout}
        return model.apply(variables, *xs, rngs=rngs, mutable=["batch_stats"])[0]

    return Net(apply, draw, inputs, options)


def with_key(net):
    """The net with a key for dropout as its last input."""

    def apply(variables, *xs):
        return net.apply(variables, *xs[:-1], dropout=xs[-1])

    return Net(apply, net.draw, (*net.inputs, KEY))


IMAGE = floats(16, 12, 12, 8)
TEXT = floats(16, 10, 96)


def pooled_conv(x):
    x = nn.relu(nn.Conv(48, (3, 3))(x))
    x = nn.max_pool(x, (2, 2), strides=(2, 2))
    x = nn.gelu(nn.Conv(48, (3, 3), padding="VALID")(x))
    return nn.Dense(64)(x.reshape(x.shape[0], -1))


def averaged(x, size):
    """An average pooling that does not overlap."""
    window = (1, size, size, 1)
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, window, "VALID") / size**2


def separable(x):
    x = nn.relu(nn.Conv(64, (1, 1))(x))
    x = nn.silu(nn.Conv(64, (3, 3), feature_group_count=64)(x))
    return nn.Conv(64, (1, 1))(x)


def strided(x):
    x = nn.leaky_relu(nn.Conv(64, (3, 3), strides=(2, 2))(x), 0.2)
    x = nn.elu(nn.Conv(64, (3, 3), feature_group_count=4, kernel_dilation=(2, 2))(x))
    return nn.Conv(32, (2, 2), padding="VALID")(x)


def upsampling(x):
    x = nn.relu(nn.ConvTranspose(48, (4, 4), strides=(2, 2))(x))
    x = averaged(x, 2)
    return nn.ConvTranspose(16, (3, 3), strides=(2, 2), padding="VALID")(x)


def pre_norm(x):
    for _ in range(2):
        h = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(4)(h, h)
        h = nn.gelu(nn.Dense(64)(nn.LayerNorm()(x)))
        x = x + nn.Dropout(0.2, deterministic=False)(nn.Dense(96)(h))
    return nn.Dense(32)(nn.LayerNorm()(x))


def post_norm(x):
    x = nn.LayerNorm()(x + nn.MultiHeadDotProductAttention(2)(x, x))
    return nn.Dense(64)(nn.tanh(nn.RMSNorm()(nn.relu(nn.Dense(64)(x)))))


def batch_norms(x):
    x = nn.relu(nn.BatchNorm(use_running_average=False)(nn.Conv(32, (3, 3))(x)))
    x = nn.BatchNorm(use_running_average=False)(nn.Conv(32, (3, 3))(x))
    return nn.Dense(32)(nn.relu(x).mean(axis=(1, 2)))


def running_norms(x):
    x = nn.relu(nn.BatchNorm(use_running_average=True)(nn.Dense(64)(x)))
    return nn.Dense(64)(nn.softmax(nn.Dense(64)(x)))


def group_norms(x):
    x = nn.silu(nn.GroupNorm(8)(nn.Conv(48, (3, 3))(x)))
    return nn.Dense(32)(nn.GroupNorm(4)(x))


def small_batch(x):
    """Batch norm over eight examples."""
    return nn.Dense(96)(nn.tanh(nn.BatchNorm(use_running_average=False)(nn.Dense(96)(x))))


def dropped(x):
    x = nn.Dropout(0.5, deterministic=False)(nn.relu(nn.Dense(96)(x)))
    return nn.Dense(96)(nn.Dropout(0.3, deterministic=False)(nn.sigmoid(nn.Dense(96)(x))))


def long_short(x):
    return nn.Dense(48)(nn.RNN(nn.OptimizedLSTMCell(96))(x))


def gated_recurrent(x):
    return nn.Dense(48)(nn.RNN(nn.GRUCell(96))(x)[:, -1])


def scanned_blocks(x):
    class Block(nn.Module):
        @nn.compact
        def __call__(self, h, _):
            return h + nn.Dense(48)(nn.gelu(nn.Dense(96)(nn.LayerNorm()(h)))), None

    stack = nn.scan(
        nn.remat(Block), variable_axes={"params": 0}, split_rngs={"params": True}, length=4
    )
    h, _ = stack()(nn.Dense(48)(x), None)
    return nn.Dense(48)(h)


# --- NNX, Equinox, Haiku ----------------------------------------------------------------------


def nnx_net(build, *inputs):
    graphdef, _ = nnx.split(build(nnx.Rngs(0)))

    def draw(key):
        return nnx.state(build(nnx.Rngs(params=key, dropout=0)))

    def apply(state, *xs):
        return nnx.merge(graphdef, state)(*xs)

    return Net(apply, draw, inputs)


class NnxConv(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Conv(8, 32, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(32, rngs=rngs)
        self.drop = nnx.Dropout(0.3, rngs=rngs)
        self.second = nnx.Linear(32, 48, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.first(x)))
        return self.second(self.drop(averaged(x, 3)))


class NnxGated(nnx.Module):
    def __init__(self, rngs):
        self.gate, self.up = (nnx.Linear(96, 96, rngs=rngs) for _ in range(2))
        self.norm = nnx.RMSNorm(96, rngs=rngs)
        self.down = nnx.Linear(96, 32, rngs=rngs)

    def __call__(self, x):
        return self.down(self.norm(nnx.gelu(self.gate(x)) * self.up(x)))


def equinox_net(build, *inputs):
    return Net(lambda module, *xs: jax.vmap(module)(*xs), build, inputs)


class EquinoxConv(eqx.Module):
    first: eqx.nn.Conv2d
    pool: eqx.nn.MaxPool2d
    norm: eqx.nn.LayerNorm
    last: eqx.nn.Linear

    def __init__(self, key):
        a, b = jax.random.split(key)
        self.first = eqx.nn.Conv2d(8, 48, 3, key=a)
        self.pool = eqx.nn.MaxPool2d(2, 2)
        self.norm = eqx.nn.LayerNorm((48, 5, 5))
        self.last = eqx.nn.Linear(48, 64, key=b)

    def __call__(self, x):
        x = self.norm(self.pool(jax.nn.gelu(self.first(x))))
        return self.last(x.mean(axis=(1, 2)))


class EquinoxCells(eqx.Module):
    cell: eqx.nn.LSTMCell
    last: eqx.nn.Linear

    def __init__(self, key):
        a, b = jax.random.split(key)
        self.cell = eqx.nn.LSTMCell(32, 96, key=a)
        self.last = eqx.nn.Linear(96, 48, key=b)

    def __call__(self, xs):
        def step(carry, x):
            return self.cell(x, carry), None

        (h, _), _ = jax.lax.scan(step, (jnp.zeros(96), jnp.zeros(96)), xs)
        return self.last(h)


class EquinoxAttention(eqx.Module):
    attention: eqx.nn.MultiheadAttention
    mlp: eqx.nn.MLP

    def __init__(self, key):
        a, b = jax.random.split(key)
        self.attention = eqx.nn.MultiheadAttention(4, 96, key=a)
        self.mlp = eqx.nn.MLP(96, 32, 96, 2, activation=jax.nn.softplus, key=b)

    def __call__(self, x):
        return jax.vmap(self.mlp)(x + self.attention(x, x, x))


def haiku_net(body, *inputs):
    model = hk.without_apply_rng(hk.transform(body))

    @jax.jit
    def draw(key):
        return model.init(key, *(jnp.zeros(x.shape) for x in inputs))

    return Net(model.apply, draw, inputs)


def haiku_body(x):
    x = jax.nn.relu(hk.Linear(96)(x))
    x = hk.LayerNorm(-1, True, True)(x)
    return hk.Linear(64)(hk.nets.MLP([96, 96])(x))


relu, gelu, silu, tanh = jax.nn.relu, jax.nn.gelu, jax.nn.silu, jnp.tanh
NETS: dict[str, Net] = {
    "relu": perceptron(relu, relu, relu),
    "gelu": perceptron(gelu, gelu),
    "silu": perceptron(silu, silu, silu),
    "tanh": perceptron(tanh, tanh, tanh, tanh),
    "softplus and selu": perceptron(jax.nn.softplus, jax.nn.selu),
    "mish and relu squared": perceptron(mish, lambda x: relu(x) ** 2),
    "bumps": perceptron(bumps, jax.nn.hard_swish),
    "gates": plain(gated, X, both=(96, 192), down=(96, 64)),
    "residual": plain(
        residual, X, stem=(96, 64), a=(64, 64), b=(64, 64), c=(64, 64), head=(64, 32)
    ),
    "twice": plain(twice, X, a=(96, 96), b=(96, 96)),
    "dense net": plain(dense_net, X, a=(96, 64), b=(64, 64), c=(128, 64), head=(192, 64)),
    "experts": plain(experts, X, router=(96, 8), up=(8, 96, 64), head=(64, 64)),
    "ragged experts": plain(ragged, X, up=(4, 96, 64), down=(4, 64, 32)),
    "heads": plain(heads, TEXT, q=(96, 4, 16), o=(4, 16, 32)),
    "causal attention": plain(
        attention, TEXT, q=(96, 4, 24), k=(96, 4, 24), v=(96, 4, 24), o=(4, 24, 32)
    ),
    "pooled attention": plain(
        pooled_attention,
        floats(128, 10, 96),
        q=(96, 32),
        k=(96, 32),
        v=(96, 32),
        a=(32, 96),
        b=(96, 32),
    ),
    "rotary attention": plain(
        rotary, TEXT, q=(96, 4, 24), k=(96, 2, 24), v=(96, 2, 24), o=(96, 32)
    ),
    "embedding": plain(
        embedded, tokens(256, 12), table=(50, 64), position=(12, 64), a=(64, 96), b=(96, 64)
    ),
    "one-hot": plain(one_hot, tokens(64, 6), table=(50, 64), b=(64, 64)),
    "scanned tanh": plain(stack, X, stem=(96, 64), layers=(5, 64, 64), head=(64, 32)),
    "recurrent": plain(
        recurrent, floats(64, 5, 32), input=(32, 64), hidden=(64, 64), head=(64, 64)
    ),
    "shared block": plain(shared, X, stem=(96, 64), a=(64, 96), b=(96, 64), head=(64, 64)),
    "weight normalization": plain(standardized, X, gain=(96,), v=(96, 96), b=(96, 64)),
    "low rank": plain(low_rank, X, w=(96, 96), a=(96, 4), b=(4, 96), head=(96, 64)),
    "noise": plain(noisy, X, KEY, a=(96, 96), b=(96, 64)),
    "control flow": plain(recomputed, X, a=(96, 64), b=(64, 64), c=(64, 64)),
    "squeeze and excitation": plain(
        squeezed, floats(48, 9, 32), a=(32, 64), down=(64, 32), up=(32, 64), b=(64, 64)
    ),
    "norm and maximum": plain(normalized, X, a=(96, 64), b=(64, 96), c=(64, 96), head=(96, 64)),
    "linen conv": linen(pooled_conv, IMAGE),
    "linen separable": linen(separable, floats(8, 12, 12, 48)),
    "linen strided": linen(strided, IMAGE),
    "linen upsampling": linen(upsampling, floats(8, 8, 8, 8)),
    "linen pre-norm": with_key(linen(pre_norm, TEXT)),
    "linen post-norm": linen(post_norm, TEXT),
    "linen batch norm": linen(batch_norms, floats(32, 8, 8, 8)),
    "linen batch norm of eight": linen(small_batch, floats(8, 64)),
    "linen running averages": linen(running_norms, X),
    "linen group norm": linen(group_norms, IMAGE),
    "linen dropout": with_key(linen(dropped, X)),
    "linen LSTM": linen(long_short, floats(64, 5, 32)),
    "linen GRU": linen(gated_recurrent, floats(128, 3, 32)),
    "linen scan": linen(scanned_blocks, X),
    "nnx conv": nnx_net(NnxConv, IMAGE),
    "nnx gates": nnx_net(NnxGated, X),
    "equinox conv": equinox_net(EquinoxConv, floats(48, 8, 12, 12)),
    "equinox LSTM": equinox_net(EquinoxCells, floats(128, 5, 32)),
    "equinox attention": equinox_net(EquinoxAttention, floats(16, 8, 96)),
    "haiku": haiku_net(haiku_body, X),
}
