"""The same network in every framework learns the same scales; stacks, ties, shards, dtypes."""

from typing import Any, NamedTuple

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import compilations
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jinit

WIDTH, DEPTH = 8, 3
OPTIONS: dict[str, Any] = {"steps": 12, "learning_rate": 0.05}
METHODS = pytest.mark.parametrize("learn", [jinit.gradinit, jinit.metainit])


def batch_of(step):
    rng = np.random.default_rng(step)
    x, y = rng.normal(size=(2, 16, WIDTH)).astype(np.float32)
    return x, y


def kernels(scale=2.0):
    rng = np.random.default_rng(7)
    drawn = rng.normal(0, scale / np.sqrt(WIDTH), (DEPTH, WIDTH, WIDTH))
    return jnp.asarray(drawn, jnp.float32)


def biases():
    return jnp.asarray(np.random.default_rng(8).normal(0, 0.1, (DEPTH, WIDTH)), jnp.float32)


def tree():
    pairs = zip(kernels(), biases(), strict=True)
    return {f"layer_{i}": {"kernel": k, "bias": b} for i, (k, b) in enumerate(pairs)}


def layers_of(params):
    return [(params[f"layer_{i}"]["kernel"], params[f"layer_{i}"]["bias"]) for i in range(DEPTH)]


def mean_square(layers, batch):
    x, y = batch
    for kernel, bias in layers:
        x = jnp.tanh(x @ kernel + bias[None])
    return jnp.mean((x - y) ** 2)


def tree_loss(params, batch):
    return mean_square(layers_of(params), batch)


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        for i in range(DEPTH):
            x = jnp.tanh(nn.Dense(WIDTH, name=f"layer_{i}")(x))
        return x


class Nnx(nnx.Module):
    """With what is no parameter: a count, and a dropout whose keys are used up."""

    def __init__(self, rngs):
        for i in range(DEPTH):
            setattr(self, f"layer_{i}", nnx.Linear(WIDTH, WIDTH, rngs=rngs))
        self.calls = nnx.Variable(jnp.zeros((), jnp.int32))
        self.dropout = nnx.Dropout(0.0, rngs=rngs)

    def __call__(self, x):
        self.calls[...] += 1
        for i in range(DEPTH):
            x = self.dropout(jnp.tanh(getattr(self, f"layer_{i}")(x)))
        return x


def nnx_model():
    model = Nnx(nnx.Rngs(0))
    for i, (kernel, bias) in enumerate(zip(kernels(), biases(), strict=True)):
        layer = getattr(model, f"layer_{i}")
        layer.kernel[...], layer.bias[...] = kernel, bias
    return model


def equinox_model():
    model = eqx.nn.MLP(WIDTH, WIDTH, WIDTH, DEPTH - 1, jnp.tanh, jnp.tanh, key=jax.random.key(0))
    return eqx.tree_at(
        lambda m: [part for layer in m.layers for part in (layer.weight, layer.bias)],
        model,
        [part for k, b in zip(kernels(), biases(), strict=True) for part in (k.T, b)],
    )


def output_loss(outputs, y):
    return jnp.mean((outputs - y) ** 2)


def renamed(scales):
    """By layer's number and kind, whatever a framework calls its leaves."""
    names = {"weight": "kernel"}
    found = {}
    for path, scale in scales.items():
        number = next(part for part in path if part.isdigit())
        last = path.rsplit("/", 1)[-1]
        found[f"layer_{number}/{names.get(last, last)}"] = scale
    return found


class Learned(NamedTuple):
    """Model and report of the plain tree, and how many programs were compiled for them."""

    model: Any
    report: Any
    compiled: int


@pytest.fixture(scope="module")
def learned():
    found, start = {}, tree()
    for learn in (jinit.gradinit, jinit.metainit):
        with compilations() as compiled:
            model, report = learn(tree_loss, start, batch_of, **OPTIONS)
        found[learn] = Learned(model, report, len(compiled))
    return found


def assert_same_scales(report, reference, rtol=2e-4):
    """The same sums in another order: roundings of 1e-7, magnified over twelve steps."""
    found = renamed(report.scales)
    assert set(found) == set(reference.scales)
    for path, scale in reference.scales.items():
        np.testing.assert_allclose(found[path], scale, rtol=rtol, err_msg=path)
    assert report.kinds == reference.kinds
    assert max(abs(np.log(list(found.values())))) > 0.1


@METHODS
def test_what_has_a_scale(learned, learn):
    """GradInit scales all leaves, MetaInit the matrices."""
    report = learned[learn].report
    leaves = ("bias", "kernel") if learn is jinit.gradinit else ("kernel",)
    assert list(report.scales) == [f"layer_{i}/{leaf}" for i in range(DEPTH) for leaf in leaves]


def test_linen(learned):
    def loss(variables, batch):
        return output_loss(Linen().apply(variables, batch[0]), batch[1])

    variables = {"params": tree(), "counts": {"seen": jnp.zeros((), jnp.int32)}}
    with jax.numpy_rank_promotion("allow"):
        found, report = jinit.gradinit(loss, variables, batch_of, **OPTIONS)
    assert_same_scales(report, learned[jinit.gradinit].report)
    assert found["counts"]["seen"] is variables["counts"]["seen"]
    kernel, start = (p["params"]["layer_1"]["kernel"] for p in (found, variables))
    np.testing.assert_allclose(kernel, start * np.float32(report.scales["layer_1/kernel"]), 1e-6)


def test_nnx_modules(learned):
    def loss(model, batch):
        return output_loss(model(batch[0]), batch[1])

    model = nnx_model()
    before = [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))]
    with jax.numpy_rank_promotion("allow"):
        found, report = jinit.metainit(loss, model, batch_of, **OPTIONS)
    assert_same_scales(report, learned[jinit.metainit].report)
    assert isinstance(found, Nnx)
    assert found is not model
    after = jax.tree.leaves(nnx.state(model, nnx.Param))
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(found.calls[...]) == int(model.calls[...]) == 0
    scale = np.float32(report.scales["layer_2/kernel"])
    np.testing.assert_allclose(found.layer_2.kernel[...], kernels()[2] * scale, rtol=1e-6)


def test_nnx_states(learned):
    graphdef, state = nnx.split(nnx_model())

    def loss(state, batch):
        return output_loss(nnx.merge(graphdef, state)(batch[0]), batch[1])

    with jax.numpy_rank_promotion("allow"):
        found, report = jinit.gradinit(loss, state, batch_of, **OPTIONS)
    assert_same_scales(report, learned[jinit.gradinit].report)
    assert jax.tree.structure(found) == jax.tree.structure(state)


def test_equinox(learned):
    def loss(model, batch):
        return output_loss(jax.vmap(model)(batch[0]), batch[1])

    found, report = jinit.gradinit(loss, equinox_model(), batch_of, **OPTIONS)
    assert_same_scales(report, learned[jinit.gradinit].report)
    assert isinstance(found, eqx.nn.MLP)
    scale = np.float32(report.scales["layers/0/weight"])
    np.testing.assert_allclose(found.layers[0].weight, kernels()[0].T * scale, rtol=1e-6)


def scanned_loss(params, batch):
    x, y = batch

    def layer(x, weights):
        return jnp.tanh(x @ weights["kernel"] + weights["bias"][None]), None

    return jnp.mean((jax.lax.scan(layer, x, params["layers"])[0] - y) ** 2)


@pytest.mark.parametrize(
    ("learn", "told"), [(jinit.gradinit, "stacked"), (jinit.metainit, "usage")]
)
def test_each_slice_of_a_stack_is_a_leaf_of_its_own(learned, learn, told):
    params = {"layers": {"bias": biases(), "kernel": kernels()}}
    options = {"stacked": {"layers/*": 1}}
    if told == "usage":
        options = {"usage": jinit.trace(scanned_loss, params, batch_of(0))}
    _, report = learn(scanned_loss, params, batch_of, **OPTIONS, **options)
    unstacked = {
        f"layer_{i}/{path.split('/')[1]}": scale
        for path, scales in report.scales.items()
        for i, scale in enumerate(scales)
    }
    reference = learned[learn].report.scales
    assert set(unstacked) == set(reference)
    for path, scale in unstacked.items():
        np.testing.assert_allclose(scale, reference[path], rtol=2e-4, err_msg=path)


def linear_loss(params, x):
    """A small program, quick to compile: the leaves `a` and `c` once each, `b` last."""
    return jnp.mean((x @ params["a"] @ params["c"] @ params["b"] - 1) ** 2)


def test_without_being_told_a_stack_has_one_scale():
    _, report = jinit.gradinit(
        lambda params, x: jnp.mean((x @ params["w"][0] @ params["w"][1] - 1) ** 2),
        {"w": kernels()},
        lambda step: batch_of(step)[0],
        steps=2,
    )
    assert isinstance(report.scales["w"], float)


def test_a_tied_leaf_has_one_scale_and_stays_tied():
    shared, other = kernels()[:2]

    def tied_loss(params, x):
        return linear_loss({**params, "b": params["a"]}, x)

    def inputs(step):
        return batch_of(step)[0]

    params = {"a": shared, "b": shared, "c": other}
    found, report = jinit.gradinit(linear_loss, params, inputs, **OPTIONS)
    _, expected = jinit.gradinit(tied_loss, {"a": shared, "c": other}, inputs, **OPTIONS)
    assert list(report.scales) == ["a", "c"]
    for path, scale in expected.scales.items():
        np.testing.assert_allclose(report.scales[path], scale, rtol=1e-5, err_msg=path)
    assert found["a"] is found["b"]


def test_only_some_leaves_are_scaled():
    """Of NumPy's arrays, too; zero leaves, integers and what is not selected are not copied."""
    params = {**jax.tree.map(np.asarray, tree()), "table": np.arange(3)}
    params["layer_1"]["bias"] = np.zeros(WIDTH, np.float32)
    found, report = jinit.gradinit(
        tree_loss, params, batch_of, only=["layer_0/*", jinit.by_role("bias")], steps=3
    )
    assert list(report.scales) == ["layer_0/bias", "layer_0/kernel", "layer_2/bias"]
    assert report.skipped == ("layer_1/bias",)
    assert found["layer_1"]["kernel"] is params["layer_1"]["kernel"]
    assert found["layer_1"]["bias"] is params["layer_1"]["bias"]
    assert found["table"] is params["table"]


def test_a_zero_slice_stays_zero():
    params = {"w": kernels().at[1].set(0)}

    def loss(params, x):
        return jnp.mean((x @ params["w"][0] + x @ params["w"][1] - 1) ** 2)

    found, report = jinit.metainit(
        loss, params, lambda step: batch_of(step)[0], steps=3, stacked={"w": 1}
    )
    np.testing.assert_array_equal(found["w"][1], np.zeros((WIDTH, WIDTH)))
    assert np.isfinite(report.scales["w"]).all()
    assert report.scales["w"][0] != 1


@METHODS
def test_the_same_inputs_give_the_same_bits(learn):
    params = dict(zip("abc", kernels(), strict=True))
    twice = [
        learn(linear_loss, params, lambda step: batch_of(step)[0], **OPTIONS) for _ in range(2)
    ]
    assert twice[0][1] == twice[1][1]
    for name in params:
        np.testing.assert_array_equal(twice[0][0][name], twice[1][0][name])


@METHODS
def test_one_step_is_compiled_however_many_are_taken(learned, learn):
    """Three programs: norms, the step, and the weights rescaled at the end."""
    assert learned[learn].compiled <= 3


def test_sharded_weights_stay_where_they_are(learned):
    mesh = Mesh(np.array(jax.devices()[:4]), ("model",))
    sharding = NamedSharding(mesh, PartitionSpec(None, "model"))
    replicated = NamedSharding(mesh, PartitionSpec())
    params = jax.tree.map(
        lambda leaf: jax.device_put(leaf, sharding if leaf.ndim == 2 else replicated), tree()
    )
    with compilations() as compiled:
        found, report = jinit.gradinit(tree_loss, params, batch_of, **OPTIONS)
    assert len(compiled) <= 3
    for leaf in jax.tree.leaves(found):
        assert leaf.sharding == (sharding if leaf.ndim == 2 else replicated)
    assert_same_scales(report, learned[jinit.gradinit].report)


def test_bfloat16_weights_have_float32_scales(learned):
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), tree())

    def loss(params, batch):
        return tree_loss(jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params), batch)

    found, report = jinit.gradinit(loss, params, batch_of, **OPTIONS)
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(found))
    # Weights of three digits: gradients of two, and Adam's steps of 0.05 off by some of these.
    assert report.loss.dtype == np.float32
    for path, scale in learned[jinit.gradinit].report.scales.items():
        np.testing.assert_allclose(report.scales[path], scale, rtol=0.05, err_msg=path)
