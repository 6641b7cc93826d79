"""Flax NNX: every layer takes jinit's schemes, and gets what it gets from JAX's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.nn import initializers

import jinit

NAMES = ["glorot_uniform", "he_normal", "normal", "truncated_normal"]

# Rows of nine: those of three to six round differently from kernel to kernel in newer compilers.
LAYERS = {
    "Linear": lambda init, rngs: nnx.Linear(8, 9, kernel_init=init, rngs=rngs),
    "LinearGeneral": lambda init, rngs: nnx.LinearGeneral(
        (4, 6), (3, 9), axis=(-2, -1), kernel_init=init, rngs=rngs
    ),
    "Conv": lambda init, rngs: nnx.Conv(4, 12, (3, 3), kernel_init=init, rngs=rngs),
    "Conv groups": lambda init, rngs: nnx.Conv(
        4, 12, (3, 3), feature_group_count=4, kernel_init=init, rngs=rngs
    ),
    "ConvTranspose": lambda init, rngs: nnx.ConvTranspose(
        4, 9, (4, 4), strides=(2, 2), kernel_init=init, rngs=rngs
    ),
    "Einsum": lambda init, rngs: nnx.Einsum(
        "btd,dhk->bthk", (8, 2, 9), kernel_init=init, rngs=rngs
    ),
    "MultiHeadAttention": lambda init, rngs: nnx.MultiHeadAttention(
        2, 8, kernel_init=init, decode=False, rngs=rngs
    ),
    "Embed": lambda init, rngs: nnx.Embed(11, 9, embedding_init=init, rngs=rngs),
    "LSTMCell": lambda init, rngs: nnx.LSTMCell(5, 9, recurrent_kernel_init=init, rngs=rngs),
    "OptimizedLSTMCell": lambda init, rngs: nnx.OptimizedLSTMCell(
        5, 9, recurrent_kernel_init=init, rngs=rngs
    ),
    "GRUCell": lambda init, rngs: nnx.GRUCell(5, 9, kernel_init=init, rngs=rngs),
    "LoRA": lambda init, rngs: nnx.LoRA(8, 9, 7, a_initializer=init, rngs=rngs),
}
layers = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def _params(module) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(module, nnx.Param))]


@layers
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_gets_jax_s_bits(make, name):
    ours = _params(make(getattr(jinit, name)(), nnx.Rngs(3)))
    theirs = _params(make(getattr(initializers, name)(), nnx.Rngs(3)))
    assert len(ours) == len(theirs) >= 1
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@layers
def test_a_scheme_needs_no_parentheses(make):
    bare, configured = (make(init, nnx.Rngs(3)) for init in (jinit.he_normal, jinit.he_normal()))
    for one, other in zip(_params(bare), _params(configured), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cell", [nnx.OptimizedLSTMCell, nnx.GRUCell])
def test_orthogonal_recurrent_kernels_in_bfloat16(cell):
    module = cell(
        5, 6, recurrent_kernel_init=jinit.orthogonal(), param_dtype=jnp.bfloat16, rngs=nnx.Rngs(0)
    )
    assert {leaf.dtype for leaf in _params(module)} == {jnp.dtype(jnp.bfloat16)}


def test_sharding_metadata_survives():
    mesh = jax.make_mesh((2,), ("model",), axis_types=(jax.sharding.AxisType.Auto,))
    init = nnx.with_partitioning(jinit.he_normal(), (None, "model"))
    with jax.set_mesh(mesh):
        module = nnx.Linear(8, 4, kernel_init=init, rngs=nnx.Rngs(0))
    assert (None, "model") in module.kernel.get_metadata().values()
    plain = nnx.Linear(8, 4, kernel_init=jinit.he_normal(), rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(_params(module)[0], _params(plain)[0])


def test_module_can_be_split_merged_and_jitted():
    module = nnx.Linear(8, 7, kernel_init=jinit.he_normal(mode="fan_out"), rngs=nnx.Rngs(0))
    again = nnx.merge(*nnx.split(module))
    out = nnx.jit(lambda m, x: m(x))(again, jnp.ones((2, 8)))
    np.testing.assert_allclose(np.asarray(out), np.asarray(module(jnp.ones((2, 8)))), rtol=1e-5)
