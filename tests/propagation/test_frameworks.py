"""One perceptron in every framework; and which operations of real models have rows."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from tracing import flax_models

import jinit
from jinit.propagation.survey import Survey
from jinit.tracing.reading import read_model

rng = np.random.default_rng(4)
BATCH = 6  # as many as there are units: nothing but the program tells which axis is which
W = [rng.normal(0, 0.5, (6, 6)).astype(np.float32) for _ in range(2)]
B = [rng.normal(0, 0.5, 6).astype(np.float32) for _ in range(2)]
X = rng.normal(0, 1, (BATCH, 6)).astype(np.float32)
C = rng.normal(0, 1, (BATCH, 6)).astype(np.float32)


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Dense(6)(x))
        return nn.Dense(6)(x)


class Nnx(nnx.Module):
    def __init__(self):
        self.a, self.b = (nnx.Linear(6, 6, rngs=nnx.Rngs(0)) for _ in range(2))
        for layer, w, b in zip((self.a, self.b), W, B, strict=True):
            layer.kernel[...], layer.bias[...] = jnp.asarray(w), jnp.asarray(b)

    def __call__(self, x):
        return self.b(jax.nn.gelu(self.a(x)))


class Equinox(eqx.Module):
    a: eqx.nn.Linear
    b: eqx.nn.Linear

    def __init__(self):
        found = []
        for w, b in zip(W, B, strict=True):
            layer = eqx.nn.Linear(6, 6, key=jax.random.key(0))
            where = lambda layer: (layer.weight, layer.bias)  # noqa: E731
            found.append(eqx.tree_at(where, layer, (jnp.asarray(w.T), jnp.asarray(b))))
        self.a, self.b = found

    def __call__(self, x):
        return self.b(jax.nn.gelu(self.a(x)))


def plain():
    params = [{"w": w, "b": b} for w, b in zip(W, B, strict=True)]

    def apply(params, x):
        first, last = params
        h = jax.nn.gelu(x @ first["w"] + first["b"][None])
        return h @ last["w"] + last["b"][None]

    return apply, params, X


def linen():
    layers = {f"Dense_{n}": {"kernel": w, "bias": b} for n, (w, b) in enumerate(zip(W, B))}  # noqa: B905
    return Linen(), {"params": layers}, X


def haiku():
    def call(x):
        return hk.Linear(6, name="b")(jax.nn.gelu(hk.Linear(6, name="a")(x)))

    params = {name: {"w": w, "b": b} for name, w, b in zip("ab", W, B, strict=True)}
    return hk.without_apply_rng(hk.transform(call)).apply, params, X


def equinox():
    return (lambda model, x: jax.vmap(model)(x)), Equinox(), X


def with_nnx():
    return (lambda model, x: model(x)), Nnx(), X


def weigh(outcome):
    return (outcome * C).sum()


PATHS = {
    plain: ("0/w", "1/w"),
    linen: ("Dense_0/kernel", "Dense_1/kernel"),
    haiku: ("a/w", "b/w"),
    equinox: ("a/weight", "b/weight"),
    with_nnx: ("a/kernel", "b/kernel"),
}


@pytest.fixture(scope="module")
def expected():
    apply, params, x = plain()
    return jinit.propagate(apply, params, x, loss=weigh)


@pytest.mark.parametrize("make", list(PATHS)[1:], ids=lambda f: f.__name__)
def test_every_framework_has_the_same_rows(make, expected):
    apply, params, x = make()
    report = jinit.propagate(apply, params, x, loss=weigh)
    assert [row.path for row in report.of_kind("linear")] == list(PATHS[make])
    assert [row.operation for row in report.of_kind("activation")] == ["gelu_tanh"]
    for ours, theirs in zip(report.rows, expected.rows, strict=True):
        for name in ("mean", "std", "peak", "mean_share", "correlation", "rank"):
            found, wanted = getattr(ours.forward, name), getattr(theirs.forward, name)
            assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6), (ours.name, name)
        assert ours.backward.std == pytest.approx(theirs.backward.std, rel=1e-4)
    ratios = sorted(leaf.ratio for leaf in report.leaves)
    assert ratios == pytest.approx(sorted(leaf.ratio for leaf in expected.leaves), rel=1e-4)


# --- Convolutions -------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_units_of_a_convolution_are_its_features(layout):
    shape = {"NHWC": (5, 6, 6, 3), "NCHW": (5, 3, 6, 6)}[layout]
    x = rng.normal(0.5, 1, shape).astype(np.float32)
    kernel = rng.normal(0, 0.3, (3, 3, 3, 8)).astype(np.float32)
    features = layout.index("C")

    def apply(w, x):
        dims = (layout, "HWIO", layout)
        y = jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=dims)
        return jax.nn.relu(y)

    report = jinit.propagate(apply, kernel, x, backward=False)
    outcome = np.moveaxis(np.asarray(report_of(apply, kernel, x), float), features, -1)
    (row,) = report.of_kind("activation")
    means = outcome.reshape(-1, 8).mean(axis=0)
    share = (means**2).mean() / (outcome**2).mean()
    assert row.forward.mean_share == pytest.approx(share, rel=1e-5)
    rows = outcome.reshape(5, -1)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = (np.sum(unit @ unit.T) - 5) / 20
    assert row.forward.correlation == pytest.approx(cosine, rel=1e-5)


def report_of(apply, *args):
    return apply(*map(jnp.asarray, args))


# --- Rows of real models ------------------------------------------------------------------------


def sites(model, x):
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    reading = read_model(model, params, [x], {}, ledger=(survey := Survey()))
    name = [paths[0] if paths else "" for paths in reading.params.paths]
    return [
        (found.operation, "" if found.leaf is None else name[found.leaf])
        for found in survey.sites()
    ]


def test_a_transformer_s_rows():
    found = sites(flax_models.VisionTransformer(), jax.ShapeDtypeStruct((2, 16, 16, 3), "float32"))
    block = [
        ("norm", "block_1/ln_1/scale"),
        ("dense", "block_1/attn/query/kernel"),
        ("dense", "block_1/attn/key/kernel"),
        ("dense", "block_1/attn/value/kernel"),
        ("dense", "block_1/attn/out/kernel"),
        ("sum", "block_1/attn/out/kernel"),
        ("norm", "block_1/ln_2/scale"),
        ("dense", "block_1/up/kernel"),
        ("gelu_tanh", "block_1/up/kernel"),
        ("dense", "block_1/down/kernel"),
        ("sum", "block_1/down/kernel"),
    ]
    assert found[-len(block) - 2 :] == [
        *block,
        ("norm", "norm/scale"),
        ("dense", "head/kernel"),
    ]
    assert [operation for operation, _ in found[:3]] == ["conv", "embedding", "embedding"]
    assert len(found) == 3 + 2 * len(block) + 2


@pytest.mark.parametrize("train", [False, True])
def test_a_residual_network_s_rows(train):
    model = flax_models.ResNet(train=train)
    x = jax.ShapeDtypeStruct((2, 16, 16, 3), "float32")
    params = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros(x.shape)))
    survey = Survey()
    apply = model.apply
    if train:
        apply = lambda p, x: model.apply(p, x, mutable=["batch_stats"])  # noqa: E731
    read_model(apply, params, [x], {}, ledger=survey)
    assert [found.operation for found in survey.sites()] == [
        *("conv", "norm", "relu"),
        *("conv", "norm", "relu", "conv", "norm", "conv", "norm", "sum", "relu"),
        *("conv", "norm", "relu", "conv", "norm", "sum", "relu"),
        "dense",
    ]


def test_a_scanned_language_model_s_rows_are_those_of_its_block():
    found = sites(flax_models.Language(scanned=True), jax.ShapeDtypeStruct((2, 8), "int32"))
    operations = [operation for operation, _ in found]
    assert operations == [
        *("embedding", "embedding"),
        *("norm", "dense", "dense", "dense", "dense", "sum"),
        *("norm", "dense", "gelu_tanh", "dense", "sum"),
        *("norm", "dense"),
    ]
    assert found[-1] == ("dense", "wte/embedding")
