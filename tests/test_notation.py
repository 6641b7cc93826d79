"""Layout and einsum strings against roles worked out by hand."""

import re

import pytest

from jinit.axes import Axes
from jinit.notation import einsum_axes, layout_axes


@pytest.mark.parametrize(
    ("layout", "ndim", "expected"),
    [
        ("IO", 2, Axes((0,), (1,))),
        ("OI", 2, Axes((1,), (0,))),
        ("WIO", 3, Axes((1,), (2,))),
        ("HWIO", 4, Axes((2,), (3,))),
        ("HWOI", 4, Axes((3,), (2,))),
        ("OIHW", 4, Axes((1,), (0,))),
        ("OHWI", 4, Axes((3,), (0,))),
        ("DHWIO", 5, Axes((3,), (4,))),
        ("OIDHW", 5, Axes((1,), (0,))),
        ("01IO", 4, Axes((2,), (3,))),
        ("BIO", 3, Axes((1,), (2,), (0,))),
        ("BBIO", 4, Axes((2,), (3,), (0, 1))),
        ("...IO", 2, Axes((0,), (1,))),
        ("...IO", 5, Axes((3,), (4,))),
        ("OI...", 4, Axes((1,), (0,))),
        ("B...OI", 5, Axes((4,), (3,), (0,))),
    ],
)
def test_layout(layout, ndim, expected):
    assert layout_axes((2,) * ndim, layout) == expected


@pytest.mark.parametrize(
    ("layout", "ndim", "message"),
    [
        ("NHWC", 4, "`layout` (='NHWC') contains 'C'; allowed are B (batch), I (input)"),
        ("hwio", 4, "contains 'h'"),
        ("HWI", 3, "`layout` (='HWI') must name I (input) and O (output) exactly once each"),
        ("IIO", 3, "pass `in_axis` and `out_axis`"),
        ("HHIO", 4, "`layout` (='HHIO') repeats 'H'; only B"),
        ("......IO", 4, "contains '.'"),
        ("HWIO", 2, "`layout` (='HWIO') names 4 axes, but the shape (2, 2) has 2"),
        ("IO", 3, "use '...' for the rest"),
        ("...IO", 1, "but the shape (2,) has 1"),
    ],
)
def test_layout_errors(layout, ndim, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        layout_axes((2,) * ndim, layout)


@pytest.mark.parametrize(
    ("einsum", "ndim", "expected"),
    [
        ("bd,df->bf", 2, Axes((0,), (1,))),
        ("btd,dhk->bthk", 3, Axes((0,), (1, 2))),
        ("bthk,hkd->btd", 3, Axes((0, 1), (2,))),
        ("bthd,hdk->bthk", 3, Axes((1,), (2,), (0,))),
        ("ebd,edf->ebf", 3, Axes((1,), (2,), (0,))),
        ("btd,d->btd", 1, Axes((), (), (0,))),
        ("bd,def->bf", 3, Axes((0,), (2,))),
        ("df,bd->bf", 2, Axes((1,), (0,))),  # the kernel is the second operand
        ("dhk,bd->bhk", 3, Axes((0,), (1, 2))),  # or the one that fits
        ("...d,df->...f", 2, Axes((0,), (1,))),
        ("...d,...df->...f", 4, Axes((2,), (3,), (0, 1))),
        ("b...,...f->bf", 3, Axes((0, 1), (2,))),
        (" b d , d f -> b f ", 2, Axes((0,), (1,))),
    ],
)
def test_einsum(einsum, ndim, expected):
    assert einsum_axes((2,) * ndim, einsum) == expected


@pytest.mark.parametrize(
    ("einsum", "ndim", "message"),
    [
        ("bd,df", 2, "must have two operands and an explicit result"),
        ("bd->b", 2, "must have two operands"),
        ("a,bd,df->bf", 2, "must have two operands"),
        ("bd,dd->b", 2, "`einsum` (='bd,dd->b') repeats 'd' in 'dd'"),
        ("bd,df->bff", 2, "repeats 'f' in 'bff'"),
        ("b1,1f->bf", 2, "contains '1'; axes are named by the letters"),
        ("bd,df->bg", 2, "has 'g' in its result and in no operand"),
        ("btd,df->bf", 2, "sums 't' of the input alone"),
        ("bd,df->bf", 4, "has no operand for the 4-D shape (2, 2, 2, 2): 'bd' and 'df' differ"),
    ],
)
def test_einsum_errors(einsum, ndim, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        einsum_axes((2,) * ndim, einsum)
