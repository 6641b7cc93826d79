"""Real model definitions in four frameworks: every parameter gets its right role."""

import equinox as eqx
import jax
import pytest
from flax import nnx
from tracing import flax_models as flax
from tracing import other_models as other
from trees_of_models import shape

from jinit.tracing.tracer import trace


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


KEY = jax.ShapeDtypeStruct((), jax.random.key(0).dtype)
IMAGES = shape(2, 8, 8, 3)
TOKENS = shape(2, 12, dtype="int32")
WORDS = shape(2, 12, 16)


def _linen(module, *inputs, mutable=False):
    variables = jax.eval_shape(module.init, KEY, *inputs)

    def apply(variables, *inputs):
        return module.apply(variables, *inputs, mutable=mutable)

    return trace(apply, variables, *inputs)


def _call(model, *inputs):
    return model(*inputs)


def _haiku(transformed, x):
    params = jax.eval_shape(transformed.init, KEY, x)
    return trace(transformed.apply, params, x)


def _haiku_with_state(transformed, x):
    params, state = jax.eval_shape(transformed.init, KEY, x)
    return trace(transformed.apply, params, state, None, x)


MODELS = {
    "mlp": (lambda: _linen(flax.Perceptron(), shape(4, 8)), flax.PERCEPTRON),
    "cnn": (lambda: _linen(flax.ConvNet(), shape(2, 16, 16, 3)), flax.CONV_NET),
    "resnet train": (
        lambda: _linen(flax.ResNet(), IMAGES, mutable=["batch_stats"]),
        flax.RESNET,
    ),
    "resnet eval": (lambda: _linen(flax.ResNet(train=False), IMAGES), flax.RESNET),
    "vit": (lambda: _linen(flax.VisionTransformer(), IMAGES), flax.VISION_TRANSFORMER),
    "gpt unrolled": (lambda: _linen(flax.Language(), TOKENS), flax.UNROLLED),
    "gpt scanned": (lambda: _linen(flax.Language(scanned=True), TOKENS), flax.SCANNED),
    "lstm": (lambda: _linen(flax.Recurrent(), WORDS), flax.RECURRENT),
    "gru": (lambda: _linen(flax.Gated(), WORDS), flax.GATED),
    "experts": (lambda: _linen(flax.Experts(), WORDS), flax.EXPERTS),
    "unet": (lambda: _linen(flax.UNet(), IMAGES, shape(2, 6)), flax.UNET),
    "shared blocks": (lambda: _linen(flax.Shared(), WORDS), flax.SHARED),
    "nnx transformer": (
        lambda: trace(_call, nnx.eval_shape(lambda: flax.NnxTransformer(nnx.Rngs(0))), TOKENS),
        flax.NNX_TRANSFORMER,
    ),
    "nnx convs": (lambda: trace(_call, flax.NnxNet(nnx.Rngs(0)), IMAGES), flax.NNX_NET),
    "equinox mlp": (
        lambda: trace(_call, other.equinox_perceptron(), shape(8)),
        other.EQUINOX_PERCEPTRON,
    ),
    "equinox net": (
        lambda: trace(
            _call,
            eqx.filter_eval_shape(other.EquinoxNet, jax.random.key(0)),
            shape(3, 8, 8),
            shape(5, dtype="int32"),
        ),
        other.EQUINOX_NET,
    ),
    "haiku mlp": (lambda: _haiku(other.haiku_net(), shape(4, 8)), other.HAIKU_NET),
    "haiku recurrent": (lambda: _haiku(other.haiku_recurrent(), WORDS), other.HAIKU_RECURRENT),
    "haiku convs": (lambda: _haiku_with_state(other.haiku_convs(), IMAGES), other.HAIKU_CONVS),
    "by hand": (lambda: trace(other.mixer, other.mixer_params(), shape(2, 6, 16)), other.MIXER),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_has_its_role(name):
    read, roles = MODELS[name]
    usage = read()
    assert {path: use.role for path, use in usage.items()} == roles
    assert not [use for use in usage.values() if use.reason]
