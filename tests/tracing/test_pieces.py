"""Axes through reshapes, transpositions and slices: positions followed one by one."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from jinit.tracing.pieces import Piece, cut, extent, merged, regrouped, whole
from jinit.tracing.views import View, disjoint


def _positions(view):
    """Which entry of the leaf stands at each place of a value with these axes."""
    shape = view.shape
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    flat = np.full([1], sum(p.start * p.stride * strides[p.axis] for p in view.picked))
    for pieces in view.axes:
        for piece in pieces:
            steps = (piece.start + np.arange(piece.size)) * piece.stride * strides[piece.axis]
            flat = (flat[..., None] + steps).reshape(-1)
    return flat.reshape([extent(pieces) for pieces in view.axes])


@st.composite
def _walks(draw):
    """A shape, and operations on an array of it."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3))
    kinds = st.sampled_from(["reshape", "transpose", "slice"])
    return shape, draw(st.lists(kinds, max_size=5)), draw(st.integers(0, 2**31))


def _random_shape(rng, size):
    factors = [n for n in (2, 2, 2, 3, 3, 5) if size % n == 0][: rng.integers(0, 3)]
    shape = []
    for factor in factors:
        if size % factor == 0:
            shape.append(factor)
            size //= factor
    return (*rng.permutation([*shape, size]).tolist(),)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(_walks())
def test_every_entry_is_where_the_pieces_say(walk):
    shape, kinds, seed = walk
    rng = np.random.default_rng(seed)
    entries = np.arange(np.prod(shape)).reshape(shape)
    view = View.of(0, tuple(shape))
    for kind in kinds:
        if kind == "reshape":
            new = _random_shape(rng, entries.size)
            entries, view = entries.reshape(new), view.reshaped(new)
        elif kind == "transpose":
            order = rng.permutation(entries.ndim)
            entries, view = entries.transpose(order), view.permuted(order)
        else:
            starts = tuple(int(rng.integers(0, n)) for n in entries.shape)
            limits = tuple(
                int(rng.integers(a + 1, n + 1)) for a, n in zip(starts, entries.shape, strict=True)
            )
            cuts = tuple(slice(a, b) for a, b in zip(starts, limits, strict=True))
            entries, view = entries[cuts], view.sliced(starts, limits, (1,) * len(starts))
        if view.lost:
            return
        np.testing.assert_array_equal(_positions(view), entries)


def test_heads_are_split_and_merged_again():
    split = regrouped(whole((8, 24)), (8, 4, 6))
    assert split == ((Piece(0, 1, 8),), (Piece(1, 6, 4),), (Piece(1, 1, 6),))
    assert regrouped(split, (8, 24)) == whole((8, 24))


def test_a_reshape_that_mixes_axes_is_not_followed():
    assert regrouped(whole((4, 6)), (3, 8)) is None
    view = View.of(0, (4, 6)).reshaped((3, 8))
    assert view.lost == "reshape from (4, 6) to (3, 8), which mixes axes"
    assert view.permuted((1, 0)).lost == view.lost


def test_a_slice_across_blocks_is_not_followed():
    (merged_axis,) = regrouped((whole((3, 4))[1], whole((3, 4))[0]), (12,))
    assert cut(merged_axis, 2, 5) is None
    assert extent(cut(merged_axis, 3, 9)) == 6


def test_merging_is_for_neighbours_alone():
    assert merged([Piece(0, 1, 4), Piece(0, 4, 3)]) == (Piece(0, 1, 4), Piece(0, 4, 3))


@pytest.mark.parametrize(("limits", "apart"), [((4, 8), True), ((3, 8), False), ((0, 12), False)])
def test_regions_are_disjoint_where_slices_are(limits, apart):
    leaf = View.of(0, (12, 5))
    one = leaf.sliced((0, 0), (4, 5), (1, 1))
    other = leaf.sliced((limits[0], 0), (limits[1], 5), (1, 1))
    assert disjoint(one.region, other.region) is apart
