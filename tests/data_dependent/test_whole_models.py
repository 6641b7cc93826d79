"""Whole models: each linear layer's outcome, measured by the framework itself or by hand."""

import chex
import equinox as eqx
import flax.linen as nn
import jax
import numpy as np
import pytest
from data_dependent.models import TanhStack, data, deviations, init, outcomes
from flax import nnx
from tracing import flax_models

import jinit

CLOSE = 1e-3


@pytest.fixture(autouse=True)
def _promotion():
    """As models are written: ranks and dtypes of the frameworks' own layers differ."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


IMAGES = data(4, 16, 16, 3)
LINEN = {
    "depthwise and transposed convolutions": (flax_models.ConvNet(), (IMAGES,), 6),
    "vision transformer": (flax_models.VisionTransformer(), (IMAGES,), 14),
    "scanned tanh stack": (TanhStack(50), (data(32, 16),), 1),
    "pre-norm transformer": (flax_models.Block(), (data(4, 6, 16),), 6),
    "time-conditioned U-Net": (flax_models.UNet(), (data(2, 8, 8, 3), data(2, 4)), 7),
}


SLOW = ("vision transformer", "time-conditioned U-Net")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in LINEN]
)
def test_linen(name):
    module, inputs, count = LINEN[name]
    variables = init(module, *inputs)
    new, report = jinit.lsuv(module, variables, *inputs)
    assert report.passes == 1
    chex.assert_trees_all_equal_shapes_and_dtypes(new, variables)
    found = outcomes(module, new, *inputs)
    assert len(found) == count
    before = outcomes(module, variables, *inputs)
    for path, y in found.items():
        stacked = 1 if path.startswith("layers") else 0
        assert deviations(y, stacked).shape == ((50,) if stacked else ())
        np.testing.assert_allclose(deviations(y, stacked), 1, atol=CLOSE, err_msg=path)
    assert any(abs(deviations(y) - 1) > 0.1 for y in before.values())


@pytest.mark.slow
def test_batch_norm_in_train_mode():
    module = flax_models.ResNet()
    variables = init(module, IMAGES)

    def train(variables, x):
        return module.apply(variables, x, mutable=["batch_stats"])

    new, _ = jinit.lsuv(train, variables, IMAGES, target=0.5)
    found = outcomes(module, new, IMAGES)
    assert len(found) == 7
    np.testing.assert_allclose([deviations(y) for y in found.values()], 0.5, atol=CLOSE / 2)
    same = jax.tree.map(np.array_equal, new["batch_stats"], variables["batch_stats"])
    assert all(jax.tree.leaves(same))


def test_nnx():
    model = flax_models.NnxNet(nnx.Rngs(0))
    model.layers[0].bias[...] += 0.3
    x = data(4, 8, 8, 3)
    new, _ = jinit.lsuv(lambda model, x: model(x), model, x)
    assert isinstance(new, flax_models.NnxNet)
    assert new.again.kernel is new.layers[0].kernel
    one = new.conv(x)
    two = new.depthwise(nnx.relu(one))
    three = new.layers[0](np.asarray(nnx.relu(new.norm(two))).mean((1, 2)))
    last = new.layers[1](new.again(nnx.gelu(three)))
    found = [deviations(np.asarray(y)) for y in (one, two, three, last)]
    np.testing.assert_allclose(found, 1, atol=CLOSE)


def test_equinox():
    model = eqx.nn.MLP(8, 3, 16, 3, jax.nn.tanh, key=jax.random.key(1))
    x = data(32, 8)
    new, report = jinit.lsuv(lambda model, x: jax.vmap(model)(x), model, x)
    assert isinstance(new, eqx.nn.MLP)
    assert [row.path for row in report.rows] == [f"layers/{n}/weight" for n in range(4)]
    h = x.astype(np.float64)
    for layer, old in zip(new.layers, model.layers, strict=True):
        np.testing.assert_array_equal(layer.bias, old.bias)
        y = h @ np.asarray(layer.weight, np.float64).T + np.asarray(layer.bias, np.float64)
        assert abs(y.std() - 1) < CLOSE
        h = np.tanh(y)


def published(weights, biases, x, tolerance=1e-9):
    """Algorithm 1 of Mishkin and Matas in float64: layer by layer, until the variance is 1."""
    weights = [w.astype(np.float64) for w in weights]
    for n in range(len(weights)):
        for _ in range(200):
            h = x.astype(np.float64)
            for w, b in zip(weights[: n + 1], biases[: n + 1], strict=True):
                y = h @ w + b
                h = np.maximum(y, 0)
            if abs(y.var() - 1) < tolerance:
                break
            weights[n] /= np.sqrt(y.var())
    return weights


def test_the_published_algorithm_comes_to_the_same_weights():
    rng = np.random.default_rng(5)
    weights = [rng.normal(0, 0.4, (12, 12)).astype(np.float32) for _ in range(6)]
    biases = [rng.normal(0, 0.2, 12).astype(np.float32) for _ in range(6)]

    def apply(params, x):
        for w, b in params:
            x = jax.nn.relu(x @ w + b)
        return x

    x = data(64, 12)
    new, _ = jinit.lsuv(apply, list(zip(weights, biases, strict=True)), x)
    for (w, b), expected, bias in zip(new, published(weights, biases, x), biases, strict=True):
        np.testing.assert_allclose(w, expected, rtol=2e-5)
        np.testing.assert_array_equal(b, bias)


class Frozen(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4, name="head")(nn.relu(nn.Dense(16, name="body")(x)))


def test_selected_weights_alone_are_rescaled():
    module, x = Frozen(), data(32, 8)
    variables = init(module, x)
    for options in (
        {"only": "body/**"},
        {"skip": ["head/**"]},
        {"only": jinit.by_role("dense") & "body/*"},
    ):
        new, report = jinit.lsuv(module, variables, x, **options)
        found = outcomes(module, new, x)
        assert abs(deviations(found["body"]) - 1) < CLOSE
        head = variables["params"]["head"]["kernel"]
        np.testing.assert_array_equal(new["params"]["head"]["kernel"], head)
        assert report.left["head/kernel"] == "not selected"
