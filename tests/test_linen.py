"""Flax Linen: every layer takes jinit's schemes, and gets what it gets from JAX's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue import load_cases
from flax import linen as nn
from jax.nn import initializers

import jinit

KEY = jax.random.key(8)
IMAGE, SEQUENCE, TOKENS = jnp.ones((2, 8, 8, 4)), jnp.ones((2, 5, 8)), jnp.zeros((2, 5), jnp.int32)
NAMES = [
    "glorot_uniform",
    "he_normal",
    "lecun_uniform",
    "normal",
    "truncated_normal",
    "xavier_normal",
]

# Rows of nine: those of three to six round differently from kernel to kernel in newer compilers.
LAYERS = {
    "Dense": (lambda init, **kw: nn.Dense(9, kernel_init=init, **kw), SEQUENCE),
    "Conv": (lambda init, **kw: nn.Conv(12, (3, 3), kernel_init=init, **kw), IMAGE),
    "Conv groups": (
        lambda init, **kw: nn.Conv(12, (3, 3), feature_group_count=4, kernel_init=init, **kw),
        IMAGE,
    ),
    "ConvTranspose": (
        lambda init, **kw: nn.ConvTranspose(9, (4, 4), strides=(2, 2), kernel_init=init, **kw),
        IMAGE,
    ),
    "ConvTranspose transposed kernel": (
        lambda init, **kw: nn.ConvTranspose(
            6, (3, 3), transpose_kernel=True, kernel_init=init, **kw
        ),
        IMAGE,
    ),
    "DenseGeneral": (
        lambda init, **kw: nn.DenseGeneral((4, 9), axis=(-2, -1), kernel_init=init, **kw),
        IMAGE,
    ),
    "DenseGeneral batch": (
        lambda init, **kw: nn.DenseGeneral(9, batch_dims=(0,), kernel_init=init, **kw),
        SEQUENCE,
    ),
    "Einsum": (
        lambda init, **kw: nn.Einsum((8, 2, 9), "btd,dhk->bthk", kernel_init=init, **kw),
        SEQUENCE,
    ),
    "MultiHeadDotProductAttention": (
        lambda init, **kw: nn.MultiHeadDotProductAttention(2, kernel_init=init, **kw),
        SEQUENCE,
    ),
    "Embed": (lambda init, **kw: nn.Embed(11, 9, embedding_init=init, **kw), TOKENS),
    "LSTM": (lambda init, **kw: nn.RNN(nn.LSTMCell(9, kernel_init=init, **kw)), SEQUENCE),
    "LSTM recurrent": (
        lambda init, **kw: nn.RNN(nn.LSTMCell(9, recurrent_kernel_init=init, **kw)),
        SEQUENCE,
    ),
    "OptimizedLSTM": (
        lambda init, **kw: nn.RNN(nn.OptimizedLSTMCell(9, recurrent_kernel_init=init, **kw)),
        SEQUENCE,
    ),
    "GRU": (lambda init, **kw: nn.RNN(nn.GRUCell(9, kernel_init=init, **kw)), SEQUENCE),
    "MGU": (lambda init, **kw: nn.RNN(nn.MGUCell(9, kernel_init=init, **kw)), SEQUENCE),
}
layers = pytest.mark.parametrize(("make", "inputs"), LAYERS.values(), ids=LAYERS)


def _assert_trees_equal(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@layers
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_gets_jax_s_bits(make, inputs, name):
    ours = make(getattr(jinit, name)()).init(KEY, inputs)
    theirs = make(getattr(initializers, name)()).init(KEY, inputs)
    _assert_trees_equal(ours, theirs)


@layers
def test_a_scheme_needs_no_parentheses(make, inputs):
    _assert_trees_equal(
        make(jinit.he_normal).init(KEY, inputs), make(jinit.he_normal()).init(KEY, inputs)
    )


FEED_FORWARD = {name: layer for name, layer in LAYERS.items() if layer[1] is not SEQUENCE} | {
    name: LAYERS[name] for name in ("Dense", "Einsum", "MultiHeadDotProductAttention")
}


def _assert_bfloat16(params):
    leaves = jax.tree.leaves(params)
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype(jnp.bfloat16)}
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)


@pytest.mark.parametrize(("make", "inputs"), FEED_FORWARD.values(), ids=FEED_FORWARD)
def test_orthogonal_in_bfloat16(make, inputs):
    """The dtype that JAX's `orthogonal` refuses."""
    with jax.numpy_dtype_promotion("standard"):  # the layer multiplies it with float32 inputs
        _assert_bfloat16(make(jinit.orthogonal(), param_dtype=jnp.bfloat16).init(KEY, inputs))


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.OptimizedLSTMCell, nn.GRUCell, nn.MGUCell])
def test_orthogonal_recurrent_kernels_in_bfloat16(cell):
    init = jinit.orthogonal()
    module = cell(6, kernel_init=init, recurrent_kernel_init=init, param_dtype=jnp.bfloat16)
    step = jnp.ones((2, 8), jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):
        carry = module.initialize_carry(KEY, step.shape)
        _assert_bfloat16(module.init(KEY, carry, step))


def _module_for(case):
    """A layer one of whose parameters has the case's shape, and its input."""
    if len(case.shape) == 1:
        return nn.Dense(case.shape[0], bias_init=case.init), jnp.ones((1, 3)), "bias"
    if len(case.shape) == 2:
        return (
            nn.Dense(case.shape[1], kernel_init=case.init),
            jnp.ones((1, case.shape[0])),
            "kernel",
        )
    return None, None, None


@pytest.mark.parametrize("case", load_cases(), ids=str)
def test_every_scheme_fits_a_parameter(case):
    module, inputs, name = _module_for(case)
    if module is None:
        module = _Weights(case.shape, case.init)
        inputs, name = (), "weights"
    params = module.init(KEY, inputs)["params"]
    assert params[name].shape == case.shape
    assert params[name].dtype == jnp.float32
    if case.check is not None:
        case.check(np.asarray(params[name], np.float64))


class _Weights(nn.Module):
    """A module of one's own, with one parameter."""

    shape: tuple[int, ...]
    weights_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, inputs):
        return self.param("weights", self.weights_init, self.shape, jnp.float32)


def test_equal_modules_trace_once():
    traces = []

    def initialize(module, key):
        traces.append(module)
        return module.init(key, SEQUENCE)

    jitted = jax.jit(initialize, static_argnums=0)
    for _ in range(3):
        jitted(nn.Dense(7, kernel_init=jinit.he_normal(mode="fan_out")), KEY)
    assert len(traces) == 1
    jitted(nn.Dense(7, kernel_init=jinit.he_normal()), KEY)
    assert len(traces) == 2


def test_modules_compare_and_print():
    module = nn.Dense(7, kernel_init=jinit.he_normal(mode="fan_out"))
    assert module == nn.Dense(7, kernel_init=jinit.he_normal(mode="fan_out"))
    assert module != nn.Dense(7, kernel_init=jinit.he_normal())
    assert "kernel_init = jinit.he_normal(mode='fan_out')" in str(module)


def test_partitioning_metadata_survives():
    init = nn.with_partitioning(jinit.he_normal(), ("data", "model"))
    boxed = nn.Dense(7, kernel_init=init).init(KEY, SEQUENCE)["params"]["kernel"]
    assert boxed.names == ("data", "model")
    np.testing.assert_array_equal(
        np.asarray(boxed.value),
        np.asarray(
            nn.Dense(7, kernel_init=jinit.he_normal()).init(KEY, SEQUENCE)["params"]["kernel"]
        ),
    )


def test_vmapped_ensemble():
    module = nn.Dense(7, kernel_init=jinit.he_normal())
    keys = jax.random.split(KEY, 3)
    members = jax.vmap(lambda key: module.init(key, SEQUENCE))(keys)
    for i, key in enumerate(keys):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], members)
        _assert_trees_equal(one, module.init(key, SEQUENCE))
