"""Random bits against `jax.random.bits`, and against Threefry on Python integers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import threefry

from jinit.core.bits import Window, random_bits, split_key

KEYS = {
    "new-style": lambda seed: jax.random.key(seed),
    "legacy": lambda seed: jax.random.PRNGKey(seed),
}
SHAPES = [(), (0,), (1,), (7,), (3, 0, 2), (5, 3), (2, 3, 4, 5), (1000, 33)]

keys = pytest.mark.parametrize("make_key", KEYS.values(), ids=KEYS)


@keys
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("width", [8, 16, 32])
def test_equals_jax(make_key, shape, width):
    key = make_key(17)
    ours = random_bits(key, shape, width)
    theirs = jax.random.bits(key, shape, f"uint{width}")
    assert ours.dtype == theirs.dtype
    assert ours.shape == shape
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    jitted = jax.jit(lambda key: random_bits(key, shape, width))(key)
    np.testing.assert_array_equal(np.asarray(jitted), np.asarray(theirs))


@keys
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sixty_four_bits_equal_jax(make_key, shape):
    with jax.enable_x64(True):
        ours, theirs = random_bits(make_key(5), shape, 64), jax.random.bits(make_key(5), shape)
        assert ours.dtype == theirs.dtype == jnp.uint64
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@keys
def test_split_equals_jax(make_key):
    ours, theirs = split_key(make_key(3)), jax.random.split(make_key(3))
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        assert bool((one == other).all())


def _data(key) -> tuple[int, int]:
    first, second = np.asarray(jax.random.key_data(key)).tolist()
    return first, second


@pytest.mark.parametrize(
    ("whole", "start", "shape"),
    [
        ((100, 100), (7, 93), (3, 5)),
        ((2**33,), (2**32 - 3,), (6,)),
        ((2**20, 2**20), (4095, 2**20 - 5), (3, 5)),
        ((2**31 - 1, 2**32 - 1), (2**31 - 4, 2**32 - 6), (3, 5)),
        ((3, 2**17, 2**18), (2, 2**17 - 2, 2**18 - 3), (1, 2, 3)),
        ((2**16, 2**31, 3), (2**16 - 2, 2**31 - 2, 0), (2, 2, 3)),
    ],
    ids=str,
)
def test_window_of_a_larger_array(whole, start, shape):
    """Each element's bits are Threefry of its index in the whole array, past 2**32 as well."""
    key = jax.random.key(11)
    bits = np.asarray(random_bits(key, shape, 32, Window(whole, start)))
    assert bits.shape == shape
    for index in np.ndindex(*shape):
        position = 0
        for offset, extent, where in zip(start, whole, index, strict=True):
            position = position * extent + offset + where
        first, second = threefry(_data(key), position)
        assert bits[index] == first ^ second


def test_high_word_equals_jax_at_full_span():
    """A window that spans more than 2**32 counters: its rows lie 2**31 apart."""
    key = jax.random.key(11)
    bits = np.asarray(random_bits(key, (5, 2), 32, Window((5, 2**31), (0, 0))))
    for row in range(5):
        for column in range(2):
            first, second = threefry(_data(key), row * 2**31 + column)
            assert bits[row, column] == first ^ second


@pytest.mark.parametrize("implementation", ["rbg", "unsafe_rbg"])
def test_other_implementations_call_jax(implementation):
    key = jax.random.key(2, impl=implementation)
    ours, theirs = random_bits(key, (33,)), jax.random.bits(key, (33,), "uint32")
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    assert bool((split_key(key)[1] == jax.random.split(key)[1]).all())
    with pytest.raises(NotImplementedError, match="allowed: 'threefry2x32'"):
        random_bits(key, (3,), 32, Window((9,), (3,)))


def test_vmap_over_keys():
    keys = jax.random.split(jax.random.key(0), 4)
    together = jax.vmap(lambda key: random_bits(key, (6,)))(keys)
    alone = jnp.stack([random_bits(key, (6,)) for key in keys])
    np.testing.assert_array_equal(np.asarray(together), np.asarray(alone))
