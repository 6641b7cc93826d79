"""Operations on tensors: windows of results are results of windows, and everything is undone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinit.pretrained import flip, part, reshape, transpose
from jinit.pretrained.chains import apply, narrow_through, pull_through, shape_after, size_of, store
from jinit.pretrained.recipes import Joined, Tensor, dtype_of, read, shape_of, windowed, write
from jinit.pretrained.sources import Source, TensorSpec


def factors(extent):
    return [n for n in range(1, extent + 1) if extent % n == 0]


@st.composite
def chains(draw):
    """A shape, and up to four operations that fit each other."""
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3)))
    first, operations = shape, []
    for _ in range(draw(st.integers(0, 4))):
        axes = list(range(len(shape)))
        kind = draw(st.sampled_from(["transpose", "flip", "part", "split", "merge"]))
        axis = draw(st.sampled_from(axes))
        if kind == "transpose":
            made = transpose(*draw(st.permutations(axes)))
        elif kind == "flip":
            made = flip(axis)
        elif kind == "part":
            of = draw(st.sampled_from(factors(shape[axis])))
            made = part(draw(st.integers(0, of - 1)), of, axis)
        elif kind == "split":
            outer = draw(st.sampled_from(factors(shape[axis])))
            made = reshape(*shape[:axis], outer, shape[axis] // outer, *shape[axis + 1 :])
        else:
            merged = math.prod(shape[axis : axis + 2])
            made = reshape(*shape[:axis], merged, *shape[axis + 2 :])
        operations.append(made)
        shape = made.shape(shape)
    window = tuple(
        slice(*sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n))))) for n in shape
    )
    return first, operations, window


@settings(max_examples=150, deadline=None)
@given(chains())
def test_a_window_of_the_result_is_the_result_of_a_window(chain):
    shape, operations, window = chain
    array = np.arange(math.prod(shape)).reshape(shape)
    whole = apply(operations, array)
    assert whole.shape == shape_after(operations, shape)
    windows = pull_through(operations, window, shape)
    if windows is not None:
        made = narrow_through(operations, windows, array[windows[0]])
        assert made.shape == size_of(window)
        np.testing.assert_array_equal(made, whole[window])
        if made.size:  # no more is read than is needed
            assert array[windows[0]].size == made.size


@settings(max_examples=150, deadline=None)
@given(chains())
def test_what_is_stored_is_what_is_read(chain):
    shape, operations, _ = chain
    array = np.arange(math.prod(shape)).reshape(shape)
    value = apply(operations, array)
    made = np.full(shape, -1)
    store(operations, made, value)
    np.testing.assert_array_equal(apply(operations, made), value)
    assert (made == -1).sum() == array.size - value.size  # and nothing else is touched
    np.testing.assert_array_equal(made[made != -1], array[made != -1])


@pytest.mark.parametrize(
    ("operations", "shape", "window", "pulled"),
    [
        ([transpose()], (6, 4), ((0, 4), (2, 3)), ((2, 3), (0, 4))),
        ([part(2, 3)], (9, 4), ((1, 2), (0, 4)), ((7, 8), (0, 4))),
        ([flip(0)], (5,), ((0, 2),), ((3, 5),)),
        ([reshape(4, 3, 8)], (12, 8), ((1, 3), (0, 3), (0, 8)), ((3, 9), (0, 8))),
        ([reshape(12, 8)], (4, 3, 8), ((3, 6), (0, 8)), ((1, 2), (0, 3), (0, 8))),
        ([transpose(), reshape(8, 4, 3)], (12, 8), ((0, 8), (1, 2), (0, 3)), ((3, 6), (0, 8))),
    ],
)
def test_windows_that_sharding_needs(operations, shape, window, pulled):
    """Of heads, of a third of a fused matrix, of a mirrored kernel: a device reads its own."""
    windows = pull_through(operations, tuple(slice(*cut) for cut in window), shape)
    assert windows is not None
    assert windows[0] == tuple(slice(*cut) for cut in pulled)


@pytest.mark.parametrize(
    ("operation", "shape", "message"),
    [
        (transpose(1, 0), (2, 3, 4), r"transpose\(1, 0\) needs an array of 2 axes, not of 3"),
        (reshape(5, -1), (2, 3), r"reshape\(5, -1\) needs 5 values, not those of \(2, 3\)"),
        (flip(2), (2, 3), r"flip\(2\) names an axis that \(2, 3\) does not have"),
        (part(0, 3), (4, 3), r"part\(0, 3, axis=0\) needs an axis 0 that divides into 3"),
    ],
)
def test_operations_that_do_not_fit(operation, shape, message):
    with pytest.raises(ValueError, match=message):
        operation.shape(shape)


def test_operations_that_cannot_be():
    with pytest.raises(ValueError, match=r"`number` \(=3\) must be one of the `of` \(=3\) parts"):
        part(3, 3)
    with pytest.raises(ValueError, match=r"must have no negative extents but one -1"):
        reshape(-1, -1)


# --- recipes ----------------------------------------------------------------------------------


class Noted(Source):
    """Arrays in memory, and a note of every window that is read of them."""

    def __init__(self, **arrays):
        self.arrays, self.notes = arrays, []
        super().__init__({n: TensorSpec(a.shape, a.dtype) for n, a in arrays.items()}, "a test")

    def _read(self, name, window):
        made = self.arrays[name] if window is None else self.arrays[name][window]
        self.notes.append((name, made.size))
        return made


def numbered(*shape, start=0):
    return (start + np.arange(math.prod(shape), dtype=np.float32)).reshape(shape)


A, B, C = numbered(4, 6), numbered(4, 6, start=100), numbered(2, 6, start=200)
T = (transpose(),)
RECIPES = [
    (Joined((Tensor("a", T), Tensor("b", T)), "stack"), np.stack([A.T, B.T])),
    (Joined((Tensor("a"), Tensor("b")), "stack", 1), np.stack([A, B], axis=1)),
    (Joined((Tensor("a"), Tensor("c"), Tensor("b")), "concatenate"), np.concatenate([A, C, B])),
    (Joined((Tensor("a", T), Tensor("c", T)), "concatenate", 1), np.concatenate([A, C]).T),
    (Joined((Tensor("a"), Tensor("b")), "sum"), A + B),
    (
        Joined((Joined((Tensor("a"), Tensor("c")), "concatenate"),) * 2, "stack"),
        np.stack([np.concatenate([A, C])] * 2),
    ),
]


@pytest.mark.parametrize(("recipe", "expected"), RECIPES)
def test_parts_joined(recipe, expected):
    source = Noted(a=A, b=B, c=C)
    assert shape_of(recipe, source) == expected.shape
    np.testing.assert_array_equal(read(recipe, source), expected)
    rng = np.random.default_rng(0)
    for _ in range(12):
        window = tuple(slice(*sorted(rng.integers(0, n + 1, 2))) for n in expected.shape)
        assert windowed(recipe, source, window)
        source.notes.clear()
        np.testing.assert_array_equal(read(recipe, source, window), expected[window])
        needed = expected[window].size * (2 if recipe.how_joined == "sum" else 1)
        assert sum(size for _, size in source.notes) == needed


@pytest.mark.parametrize(("recipe", "expected"), RECIPES[:4])
def test_parts_taken_apart(recipe, expected):
    made = {"a": np.zeros_like(A), "b": np.zeros_like(B), "c": np.zeros_like(C)}
    write(recipe, expected, made)
    for name in {tensor.name for tensor in recipe.parts}:
        np.testing.assert_array_equal(made[name], {"a": A, "b": B, "c": C}[name])


def test_a_sum_taken_apart_is_the_first():
    made = {"a": np.ones_like(A), "b": np.ones_like(B)}
    write(RECIPES[4][0], A + B, made)
    np.testing.assert_array_equal(made["a"], A + B)
    np.testing.assert_array_equal(made["b"], np.zeros_like(B))


def test_parts_that_do_not_fit_each_other():
    source = Noted(a=A, c=C, d=A.astype(np.float64))
    with pytest.raises(ValueError, match=r"parts of different shapes .* a \[4, 6\], c \[2, 6\]"):
        shape_of(Joined((Tensor("a"), Tensor("c")), "stack"), source)
    with pytest.raises(
        ValueError, match=r"tensors of several dtypes .* a float32\[4,6\], d float64"
    ):
        dtype_of(Joined((Tensor("a"), Tensor("d")), "stack"), source)
