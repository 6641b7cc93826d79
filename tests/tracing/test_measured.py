"""Fans as traced, of real layers: above all of those that fans by shape get wrong.

Each layer has an input and weights from N(0, 1), so that its output has variance fan_in; and what
a cotangent from N(0, 1) becomes has variance fan_out. A mean square over n independent normal
numbers is off by sqrt(2 / n), and weights, signals and outcomes each contribute: layers are drawn
until five times the whole is 2%.
"""

from typing import Any, NamedTuple

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jinit.tracing.tracer import trace

ENOUGH = 3 * 2 * (5 / 0.02) ** 2


class Layer(NamedTuple):
    """A layer with one kernel.

    Attributes:
        apply: `apply(params, x)`.
        params: its parameters, the kernel alone.
        x: the shape of its input.
        edges: whether padding removes connections, which then are counted on the whole image.
    """

    apply: Any
    params: Any
    x: tuple[int, ...]
    edges: bool = True


def linen(module, *x):
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(x))
    return Layer(module.apply, shapes, x, getattr(module, "padding", "") != "CIRCULAR")


def nnx_layer(build, *x):
    module = nnx.eval_shape(build)
    graphdef, state = nnx.split(module)
    return Layer(lambda state, x: nnx.merge(graphdef, state)(x), state, x)


def raw(apply, kernel, *x):
    return Layer(apply, jax.ShapeDtypeStruct(kernel, "float32"), x)


def equinox(build, *x):
    module = eqx.filter_eval_shape(build, jax.random.key(0))
    return Layer(lambda module, x: jax.vmap(module)(x), module, x)


def haiku(build, *x):
    layer = hk.without_apply_rng(hk.transform(lambda x: build()(x)))
    return Layer(layer.apply, jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros(x)), x)


def keras_depthwise(kernel, x):
    """Keras stores (height, width, channels, multiplier)."""
    kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    return _conv(x, kernel, groups=x.shape[-1])


def keras_transpose(kernel, x):
    """Keras stores (height, width, out, in)."""
    return jax.lax.conv_transpose(
        x, kernel, (1, 1), "VALID", dimension_numbers=_NHWC, transpose_kernel=True
    )


def torch_transpose(kernel, x):
    """Torch stores (in, out, height, width)."""
    kernel = jnp.flip(kernel, (2, 3)).transpose(2, 3, 0, 1)
    full = [(kernel.shape[0] - 1,) * 2] * 2
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), full, lhs_dilation=(2, 2), dimension_numbers=_NHWC
    )


_NHWC = ("NHWC", "HWIO", "NHWC")


def _conv(x, kernel, groups=1):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=_NHWC, feature_group_count=groups
    )


def _dense(**options):
    return nn.DenseGeneral(use_bias=False, **options)


RNGS = nnx.Rngs
HEADS = "btd,dhk->bthk"
LAYERS = {
    "linen.Einsum experts": linen(
        nn.Einsum((16, 32, 64), "ebd,edf->ebf", use_bias=False), 16, 64, 32
    ),
    "raw experts": raw(lambda w, x: jnp.einsum("ebd,edf->ebf", x, w), (16, 32, 64), 16, 64, 32),
    "DenseGeneral batch_dims": linen(_dense(features=64, batch_dims=(0,)), 16, 64, 32),
    "nnx.LinearGeneral batch_axis": nnx_layer(
        lambda: nnx.LinearGeneral(32, 64, batch_axis={0: 16}, use_bias=False, rngs=RNGS(0)),
        16,
        64,
        32,
    ),
    "linen.Einsum heads": linen(nn.Einsum((64, 8, 16), HEADS, use_bias=False), 4, 64, 64),
    "nnx.Einsum heads": nnx_layer(
        lambda: nnx.Einsum(HEADS, (64, 8, 16), None, rngs=RNGS(0)), 4, 64, 64
    ),
    "linen depthwise": linen(
        nn.Conv(256, (3, 3), feature_group_count=256, use_bias=False, padding="VALID"), 1, 6, 6, 256
    ),
    "nnx depthwise": nnx_layer(
        lambda: nnx.Conv(
            256, 256, (3, 3), feature_group_count=256, use_bias=False, padding="VALID", rngs=RNGS(0)
        ),
        1,
        6,
        6,
        256,
    ),
    "haiku depthwise": haiku(
        lambda: hk.DepthwiseConv2D(1, 3, padding="VALID", with_bias=False), 1, 6, 6, 256
    ),
    "equinox depthwise": equinox(
        lambda key: eqx.nn.Conv2d(256, 256, 3, groups=256, use_bias=False, key=key), 1, 256, 6, 6
    ),
    "keras depthwise": raw(keras_depthwise, (3, 3, 256, 1), 1, 6, 6, 256),
    "linen grouped": linen(
        nn.Conv(64, (3, 3), feature_group_count=4, use_bias=False, padding="VALID"), 1, 6, 6, 32
    ),
    "linen transpose_kernel": linen(
        nn.ConvTranspose(16, (3, 3), transpose_kernel=True, use_bias=False, padding="CIRCULAR"),
        1,
        6,
        6,
        64,
    ),
    "keras transpose": raw(keras_transpose, (3, 3, 16, 64), 1, 6, 6, 64),
    "linen upsampling": linen(
        nn.ConvTranspose(16, (4, 4), strides=(2, 2), use_bias=False, padding="CIRCULAR"),
        1,
        6,
        6,
        32,
    ),
    "equinox upsampling": equinox(
        lambda key: eqx.nn.ConvTranspose2d(
            32, 16, 4, stride=2, padding="SAME", padding_mode="CIRCULAR", use_bias=False, key=key
        ),
        1,
        32,
        6,
        6,
    )._replace(edges=False),
    "linen attention query": linen(_dense(features=(8, 16), axis=-1), 4, 16, 64),
    "linen attention out": linen(_dense(features=64, axis=(-2, -1)), 4, 16, 8, 16),
    "linen strided": linen(
        nn.Conv(64, (4, 4), strides=2, use_bias=False, padding="CIRCULAR"), 1, 8, 8, 32
    ),
    "haiku upsampling": haiku(
        lambda: hk.Conv2DTranspose(16, 2, stride=2, with_bias=False), 1, 6, 6, 32
    ),
    # Where padding removes connections at the edges.
    "linen same padding": linen(nn.Conv(32, (3, 3), use_bias=False), 1, 4, 4, 32),
    "equinox upsampling, edges": equinox(
        lambda key: eqx.nn.ConvTranspose2d(32, 16, 4, stride=2, use_bias=False, key=key),
        1,
        32,
        5,
        5,
    ),
    "torch upsampling": raw(torch_transpose, (32, 16, 4, 4), 1, 6, 6, 32),
    "haiku upsampling, edges": haiku(
        lambda: hk.Conv2DTranspose(16, 4, stride=2, with_bias=False), 1, 6, 6, 32
    ),
    "linen transpose_kernel, edges": linen(
        nn.ConvTranspose(16, (3, 3), transpose_kernel=True, use_bias=False), 1, 6, 6, 64
    ),
    "linen dilated": linen(
        nn.Conv(32, (3, 3), strides=2, kernel_dilation=2, use_bias=False), 1, 9, 9, 32
    ),
}


def _ratios(layer):
    """What is measured over what is traced, of the variance forwards and backwards."""
    x = jax.ShapeDtypeStruct(layer.x, "float32")
    (use,) = trace(layer.apply, layer.params, x, edges=layer.edges).values()
    y = jax.eval_shape(layer.apply, layer.params, x)
    draws = int(np.ceil(ENOUGH / min(map(np.prod, (use.shape, x.shape, y.shape)))))

    def measure(key):
        keys = jax.random.split(key, 3)
        weights = jax.tree.map(lambda leaf: jax.random.normal(keys[0], leaf.shape), layer.params)
        x = jax.random.normal(keys[1], layer.x)
        y, backward = jax.vjp(lambda x: layer.apply(weights, x), x)
        (there,) = backward(jax.random.normal(keys[2], y.shape))
        return jnp.mean(y**2), jnp.mean(there**2)

    forwards, backwards = jax.lax.map(measure, jax.random.split(jax.random.key(7), draws))
    return float(forwards.mean()) / use.fans.fan_in, float(backwards.mean()) / use.fans.fan_out


@pytest.mark.parametrize("name", LAYERS)
def test_fans_are_numbers_of_connections(name):
    """With all weights and inputs 1, an output is the number of connections that meet in it."""
    layer = LAYERS[name]
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        x = jax.ShapeDtypeStruct(layer.x, "float32")
        (use,) = trace(layer.apply, layer.params, x, edges=layer.edges).values()
        weights = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), layer.params)
        y, backward = jax.vjp(lambda x: layer.apply(weights, x), jnp.ones(layer.x))
        (there,) = backward(jnp.ones_like(y))
    assert float(jnp.mean(y)) == pytest.approx(use.fans.fan_in, rel=1e-6)
    assert float(jnp.mean(there)) == pytest.approx(use.fans.fan_out, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_variance_of_the_layer_is_as_traced(name):
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        ratios = _ratios(LAYERS[name])
    assert np.abs(np.subtract(ratios, 1)).max() < 0.02
