"""Where batches come from, when they end, and what is shared by two that are mixed."""

import jax
import numpy as np
import pytest

from jinit.learned.batches import mix_batches, take_batches


def arrays(*rows):
    return {"x": np.arange(rows[0], rows[0] + 6), "weight": np.float32(rows[0])}


def test_a_function_is_asked_for_each_step():
    assert list(take_batches(lambda step: step**2, 4)) == [0, 1, 4, 9]


def test_what_can_begin_anew_does():
    assert list(take_batches(["a", "b"], 5)) == ["a", "b", "a", "b", "a"]


def test_an_iterator_is_read_no_further_than_needed():
    source = iter(range(10))
    assert list(take_batches(source, 3)) == [0, 1, 2]
    assert next(source) == 3


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        (
            (np.ones(3), np.ones(3)),
            TypeError,
            "`batches` is a tuple, which looks like one batch; pass a list, an iterator of "
            "batches or a function of the step, such as lambda step: batch",
        ),
        ({"x": np.ones(3)}, TypeError, "`batches` is a dict, which looks like one batch"),
        (np.ones(3), TypeError, "`batches` is a ndarray, which looks like one batch"),
        (7, TypeError, r"`batches` \(a int\) must be an iterable of batches, or a function"),
        (
            iter([1, 2]),
            ValueError,
            "`batches` ended after 2 of the 4 batches that these steps need; pass a list or a "
            "loader that can begin anew, a function of the step, or take fewer `steps`",
        ),
        ([], ValueError, "`batches` ended after 0 of the 4 batches"),
    ],
)
def test_what_is_no_source_of_batches(batches, error, message):
    with pytest.raises(error, match=message):
        list(take_batches(batches, 4))


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (0.5, [0, 1, 2, 13, 14, 15]),
        (1 / 3, [0, 1, 12, 13, 14, 15]),
        (0, [10, 11, 12, 13, 14, 15]),
        (1, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_the_first_samples_are_shared(overlap, expected):
    mixed = mix_batches(arrays(0), arrays(10), overlap)
    np.testing.assert_array_equal(mixed["x"], expected)
    assert mixed["weight"] == (10 if overlap == 0 else 0)


def test_keys_of_samples_are_mixed_like_samples():
    keys = [jax.random.split(jax.random.key(seed), 4) for seed in (0, 1)]
    mixed = jax.random.key_data(mix_batches(*keys, 0.5))
    expected = [jax.random.key_data(key) for key in keys]
    np.testing.assert_array_equal(mixed[:2], expected[0][:2])
    np.testing.assert_array_equal(mixed[2:], expected[1][2:])


def test_batches_that_cannot_be_mixed():
    with pytest.raises(
        ValueError,
        match=r"two batches differ, and cannot be mixed: x \[6\] and x \[4\]; leave out the last, "
        "incomplete batch, or set `overlap` to 0",
    ):
        mix_batches({"x": np.ones(6)}, {"x": np.ones(4)}, 0.5)
    batch = {"x": np.ones((6, 2)), "key": np.ones(2, np.uint32)}
    with pytest.raises(
        ValueError,
        match=r"the arrays of a batch have different numbers of samples: key \[2\], x \[6, 2\]; "
        "their first axes must agree, or else set `overlap` to 0 or 1",
    ):
        mix_batches(batch, batch, 0.5)
    assert mix_batches(batch, None, 1) is batch
