"""A user's own function as an initializer: what it is handed, and what it may hand back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(41)


@pytest.mark.parametrize(
    ("asked", "handed"),
    [
        ("bfloat16", "float32"),
        ("float16", "float32"),
        ("float8_e4m3fn", "float32"),
        ("float32", "float32"),
        ("complex64", "complex64"),
        ("int32", "int32"),
    ],
)
def test_dtype_that_the_function_is_handed(asked, handed):
    seen = []

    def function(key, shape, dtype):
        seen.append((key, shape, np.dtype(dtype).name))
        return jnp.ones(shape, dtype)

    weights = jinit.from_function(function)(KEY, (2, 3), asked)
    assert weights.dtype.name == asked
    assert seen == [(KEY, (2, 3), handed)]


def test_narrow_draws_are_not_coarse():
    """JAX's own bfloat16 normals have 128 values; these have as many as bfloat16 can tell apart."""
    init = jinit.from_function(lambda key, shape, dtype: jax.random.normal(key, shape, dtype))
    assert len(np.unique(np.asarray(init(KEY, (4000,), "bfloat16"), np.float32))) > 400


def test_numpy_results_and_lower_precision_are_taken():
    init = jinit.from_function(lambda key, shape, dtype: np.full(shape, 0.5, np.float16))
    weights = init(KEY, (2,))
    assert weights.dtype == jnp.float32
    assert weights.tolist() == [0.5, 0.5]
    assert jinit.from_function(lambda key, shape, dtype: 3)(KEY, (), jnp.int32).tolist() == 3


def returns(value):
    return jinit.from_function(lambda key, shape, dtype: value)


def test_wrong_results():
    for value, found in [(jnp.ones((3, 2)), r"float32\[3,2\]"), (jnp.ones(()), r"float32\[\]")]:
        with pytest.raises(ValueError, match=rf"was asked for shape \(2, 3\) and returned {found}"):
            returns(value)(KEY, (2, 3))
    with pytest.raises(ValueError, match=r"asked for float32 and returned complex64"):
        returns(jnp.ones((2,), jnp.complex64))(KEY, (2,))
    with pytest.raises(ValueError, match=r"asked for int32 and returned float32"):
        returns(jnp.ones((2,)))(KEY, (2,), jnp.int32)
    with pytest.raises(TypeError, match=r"must return an array, got None of type NoneType$"):
        returns(None)(KEY, (2,))
    with pytest.raises(TypeError, match=r"is it a factory, to be called first\?"):
        jinit.from_function(jax.nn.initializers.he_normal)(KEY, (2, 2))


def test_equal_functions_are_equal_values():
    def function(key, shape, dtype):
        return jnp.zeros(shape, dtype)

    assert jinit.from_function(function) == jinit.from_function(function)
    assert jinit.from_function(function) != jinit.from_function(lambda key, shape, dtype: 0)


def test_inner_initializers_still_refuse_integers():
    with pytest.raises(ValueError, match=r"`dtype` \(=int32\) must be a floating or complex"):
        jinit.from_function(jinit.normal, dtype=jnp.int32)


class Signed:
    """A callable that states its deviation."""

    def __call__(self, key, shape, dtype):
        return self.std(shape) * jax.random.rademacher(key, shape, dtype)

    def std(self, shape):
        return shape[0] ** -0.5


def test_a_deviation_that_is_stated_is_shown():
    init = jinit.from_function(Signed())
    assert init.std((16, 3)) == 0.25
    assert jinit.scaled(Signed(), 0.5).std((16, 3)) == 0.125
    assert jinit.stacked(Signed()).std((5, 16, 3)) == 0.25
    assert jinit.plan({"w": jax.ShapeDtypeStruct((16, 3), "float32")}, init)["w"].std == 0.25
    assert jinit.from_function(jax.nn.initializers.he_normal()).std((16, 3)) is None


def ones_of_mine(key, shape, dtype):
    return jnp.ones(shape, dtype)


def test_functions_show_by_their_names():
    assert repr(jinit.from_function(ones_of_mine)) == "jinit.from_function(function=ones_of_mine)"
    assert repr(jinit.scaled(ones_of_mine, 2.0)) == "jinit.scaled(init=ones_of_mine, factor=2.0)"
    nameless = jinit.from_function(lambda key, shape, dtype: jnp.ones(shape, dtype))
    assert "<function test_functions_show_by_their_names.<locals>.<lambda>" in repr(nameless)
