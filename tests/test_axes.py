"""Axis numbers: JAX's are accepted, and everything that JAX misreads is refused."""

import re

import pytest

from jinit.axes import Axes, canonical_shape, explicit_axes


@pytest.mark.parametrize(
    ("shape", "spec", "expected"),
    [
        ((3, 5), (-2, -1, ()), Axes((0,), (1,), ())),
        ((3, 3, 4, 8), (-2, -1, ()), Axes((2,), (3,), ())),
        ((3, 3, 8, 4), (-1, -2, ()), Axes((3,), (2,), ())),
        ((2, 3, 4, 5), ((1, -2), [-1], 0), Axes((1, 2), (3,), (0,))),
        ((5,), (0, (), ()), Axes((0,), (), ())),
        ((), ((), (), ()), Axes((), (), ())),
        ((7, 5), (-2, 0, ()), Axes((0,), (0,), ())),
    ],
)
def test_axes_are_counted_from_the_front(shape, spec, expected):
    assert explicit_axes(shape, *spec) == expected


def test_receptive_axes_are_those_without_a_role():
    assert Axes((3,), (1,), (0,)).receptive_axis(5) == (2, 4)


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (Axes((0,), (0,)), True),
        (Axes((0,), (1,)), False),
        (Axes((), ()), False),
        (Axes((0, 1), (0, 1)), False),
    ],
)
def test_only_a_single_shared_axis_is_a_lookup(axes, expected):
    assert axes.is_lookup is expected


@pytest.mark.parametrize(
    ("shape", "spec", "message"),
    [
        ((5,), (-2, -1, ()), "`shape` (=(5,)) is 1-D, and the default `in_axis` (=-2) needs"),
        ((5,), (-2, -1, ()), "jinit.torch_bias(fan_in=...)"),
        ((), (-2, -1, ()), "`shape` (=()) is 0-D"),
        ((), (0, (), ()), "`in_axis` (=0) is out of range for the 0-D shape (); it must be empty"),
        ((3, 5), (2, -1, ()), "`in_axis` (=2) is out of range for the 2-D shape (3, 5); it must"),
        ((3, 5), (0, -3, ()), "`out_axis` (=-3) is out of range"),
        ((3, 5), (0, 1, 2), "must lie in [-2, 1]"),
        ((3, 5), ((0, -2), 1, ()), "`in_axis` (=(0, -2)) names an axis of the 2-D shape (3, 5)"),
        ((3, 4, 5), ((0, 1), (1, 2), ()), "`in_axis` (=(0, 1)) and `out_axis` (=(1, 2)) share"),
        ((3, 4, 5), ((0, 1), (0, 1), ()), "share axis 0 of the shape (3, 4, 5)"),
        ((3, 4, 5), (-2, -1, -1), "`out_axis` (=(2,)) and `batch_axis` (=(2,)) share axis 2"),
        ((3, 4, 5), (1, 2, 1), "`in_axis` (=(1,)) and `batch_axis` (=(1,)) share axis 1"),
        ((3, 4, 5), (1, 1, 1), "`in_axis` (=(1,)) and `batch_axis` (=(1,)) share axis 1"),
        ((3, 5), (1.0, 0, ()), "`in_axis` (=1.0) must be an int or a sequence of ints"),
        ((3, 5), ("io", 0, ()), "`in_axis` (='io') must be an int or a sequence of ints"),
    ],
)
def test_impossible_axes_are_named(shape, spec, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explicit_axes(shape, *spec)


def test_a_negative_extent_is_refused():
    with pytest.raises(ValueError, match=r"`shape` \(=\(3, -1\)\) has a negative extent"):
        canonical_shape((3, -1))
