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
        ((3, 2**31), (1, 2**31 - 2), (2, 2)),
        ((2**40,), (2**39 + 2**32 - 3,), (6,)),
        ((1, 2**32), (0, 2**32 - 4), (1, 4)),
        ((2, 2**40, 5), (1, 2**40 - 2, 1), (1, 2, 4)),
    ],
    ids=str,
)
def test_window_of_a_larger_array(whole, start, shape):
    """Each element's bits are Threefry of its index in the whole array, past 2**32 as well."""
    key = jax.random.key(11)
    bits = np.asarray(random_bits(key, shape, 32, Window.at(whole, start)))
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
    bits = np.asarray(random_bits(key, (5, 2), 32, Window.at((5, 2**31), (0, 0))))
    for row in range(5):
        for column in range(2):
            first, second = threefry(_data(key), row * 2**31 + column)
            assert bits[row, column] == first ^ second


def test_empty_window():
    for whole, start, shape in [((0, 2**40), (0, 7), (0, 5)), ((9, 2**33), (3, 4), (0, 2))]:
        bits = random_bits(jax.random.key(0), shape, 32, Window.at(whole, start))
        assert bits.shape == shape


WHOLES = [((100, 100), (7, 93)), ((2**20, 5, 2**20), (2**20 - 3, 4, 2**20 - 5))]


@pytest.mark.parametrize(("whole", "start"), WHOLES, ids=str)
def test_the_start_of_a_window_may_be_traced(whole, start):
    """As it is in `shard_map`, from the index of the device."""
    key, shape = jax.random.key(11), (3, 5, 1)[: len(whole)]

    def window_at(*start):
        return random_bits(key, shape, 32, Window.at(whole, start))

    np.testing.assert_array_equal(jax.jit(window_at)(*start), window_at(*start))
    np.testing.assert_array_equal(
        jax.jit(lambda i: window_at(i, *start[1:]))(start[0]), window_at(*start)
    )


def test_windows_are_values():
    """Through jit, vmap and scan; the offset is an argument, the whole is not."""
    key, whole = jax.random.key(4), (2**17, 2**17)
    starts = [(0, 0), (2**15, 3), (2**17 - 4, 2**17 - 4)]
    alone = np.stack([random_bits(key, (4, 4), 32, Window.at(whole, start)) for start in starts])
    windows = jax.tree.map(lambda *leaves: np.stack(leaves), *(Window.at(whole, s) for s in starts))
    assert windows.whole == whole
    assert windows.offset.shape == (3, 2)
    draw = lambda window: random_bits(key, (4, 4), 32, window)  # noqa: E731
    np.testing.assert_array_equal(jax.vmap(draw)(windows), alone)
    np.testing.assert_array_equal(jax.jit(jax.vmap(draw))(windows), alone)
    np.testing.assert_array_equal(jax.lax.map(draw, windows), alone)


@pytest.mark.parametrize("whole", [(64, 64), (2**20, 2**20)], ids=str)
def test_windows_of_one_size_share_one_program(whole):
    draw = jax.jit(lambda key, window: random_bits(key, (4, 4), 32, window))
    for start in [(0, 0), (1, 7), (60, 60)]:
        draw(jax.random.key(1), Window.at(whole, start))
    assert draw._cache_size() == 1


def test_a_window_starts_at_one_index_an_axis():
    with pytest.raises(ValueError, match="zip"):
        Window.at((4, 4), (1,))


@pytest.mark.parametrize("implementation", ["rbg", "unsafe_rbg"])
def test_other_implementations_call_jax(implementation):
    key = jax.random.key(2, impl=implementation)
    ours, theirs = random_bits(key, (33,)), jax.random.bits(key, (33,), "uint32")
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    assert bool((split_key(key)[1] == jax.random.split(key)[1]).all())
    with pytest.raises(NotImplementedError, match="allowed: 'threefry2x32'"):
        random_bits(key, (3,), 32, Window.at((9,), (3,)))


def test_vmap_over_keys():
    keys = jax.random.split(jax.random.key(0), 4)
    together = jax.vmap(lambda key: random_bits(key, (6,)))(keys)
    alone = jnp.stack([random_bits(key, (6,)) for key in keys])
    np.testing.assert_array_equal(np.asarray(together), np.asarray(alone))
