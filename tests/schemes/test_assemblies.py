"""Stacks and fused kernels: every part is what its initializer gives to its key, alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(37)


def plain(key, shape, dtype):
    return jax.random.normal(key, shape, dtype)


INNER = [jinit.lecun_normal, jinit.normal(0.3), jax.nn.initializers.he_uniform(), plain]

inner = pytest.mark.parametrize("init", INNER, ids=lambda i: getattr(i, "__name__", repr(i)))


@inner
@pytest.mark.parametrize("axes", [1, 2])
def test_slice_is_drawn_alone(init, axes):
    shape = (2, 3, 5, 4)
    stack = np.asarray(jinit.stacked(init, axes)(KEY, shape))
    assert stack.shape == shape
    keys = jax.random.split(KEY, np.prod(shape[:axes]))
    for i, where in enumerate(np.ndindex(shape[:axes])):
        np.testing.assert_array_equal(stack[where], init(keys[i], shape[axes:], jnp.float32))


def test_stacked_orthogonal_layers_are_orthogonal():
    stack = np.asarray(jinit.stacked(jinit.orthogonal())(KEY, (3, 12, 12)), np.float64)
    for layer in stack:
        np.testing.assert_allclose(layer @ layer.T, np.eye(12), atol=1e-5)


def test_stacked_fans_are_of_one_layer():
    assert jinit.stacked(jinit.lecun_normal()).std((12, 64, 8)) == pytest.approx(1 / 8)
    assert jinit.stacked(jinit.lecun_normal(), 2).std((5, 12, 64, 8)) == pytest.approx(1 / 8)


def test_stacked_of_integers():
    weights = jinit.stacked(jinit.constant([1, 2]))(KEY, (3, 2), jnp.int32)
    assert weights.dtype == jnp.int32
    assert weights.tolist() == [[1, 2]] * 3


def test_stack_of_scalars():
    assert jinit.stacked(jinit.normal(1.0))(KEY, (4,)).shape == (4,)


def test_stacked_errors():
    with pytest.raises(ValueError, match=r"is 1-D and has no 2 leading axes to stack along"):
        jinit.stacked(plain, 2)(KEY, (4,))
    with pytest.raises(ValueError, match=r"`axes` \(=0\) must be at least 1"):
        jinit.stacked(plain, 0)


@inner
@pytest.mark.parametrize(("parts", "sizes"), [(3, (4, 4, 4)), ([6, 2, 4], (6, 2, 4)), (1, (12,))])
@pytest.mark.parametrize("axis", [0, -1])
def test_part_is_drawn_alone(init, parts, sizes, axis):
    shape = (12, 5) if axis == 0 else (5, 12)
    whole = np.asarray(jinit.split(init, parts, axis)(KEY, shape))
    assert whole.shape == shape
    keys = jax.random.split(KEY, len(sizes))
    start = 0
    for key, size in zip(keys, sizes, strict=True):
        part = np.take(whole, range(start, start + size), axis)
        np.testing.assert_array_equal(part, init(key, part.shape, jnp.float32))
        start += size


def test_an_initializer_for_each_part():
    init = jinit.split([jinit.ones, jinit.zeros, jinit.constant(3)], axis=0)
    assert init(KEY, (6,)).tolist() == [1, 1, 0, 0, 3, 3]
    unequal = jinit.split([jinit.ones, jinit.zeros], [3, 1])
    assert unequal(KEY, (4,), jnp.int32).tolist() == [1, 1, 1, 0]
    assert jinit.split([jinit.ones, jinit.zeros], [3, 0])(KEY, (3,)).tolist() == [1, 1, 1]


def test_fused_parts_are_orthogonal():
    whole = np.asarray(jinit.split(jinit.orthogonal(), 3)(KEY, (8, 24)), np.float64)
    for part in np.split(whole, 3, axis=1):
        np.testing.assert_allclose(part @ part.T, np.eye(8), atol=1e-5)


def test_split_errors():
    with pytest.raises(ValueError, match=r"one initializer needs `parts`"):
        jinit.split(plain)
    with pytest.raises(ValueError, match=r"`init` has 2 and `parts` \(=3\) means 3"):
        jinit.split([plain, plain], 3)
    with pytest.raises(ValueError, match=r"`init` has 2 and `parts` \(=\(4,\)\) means 1"):
        jinit.split([plain, plain], [4])
    with pytest.raises(ValueError, match=r"at least one; `init` has 0"):
        jinit.split([])
    with pytest.raises(ValueError, match=r"`parts` \(=-1\) must be at least 0"):
        jinit.split(plain, [3, -1])
    with pytest.raises(TypeError, match=r"`parts` \(=1.5\) must be an int"):
        jinit.split(plain, 1.5)
    with pytest.raises(TypeError, match=r"`init` \(=None\) must be an initializer"):
        jinit.split([plain, None])
    with pytest.raises(
        ValueError, match=r"axis -1 \(=10\) of the weights \(5, 10\) must be the su"
    ):
        jinit.split(plain, 3)(KEY, (5, 10))
    with pytest.raises(ValueError, match=r"`parts`=\(4, 4\), 2 of them"):
        jinit.split(plain, [4, 4])(KEY, (5, 10))
    with pytest.raises(ValueError, match=r"`axis` \(=2\) is out of range for the 2-D shape"):
        jinit.split(plain, 2, axis=2)(KEY, (5, 10))
