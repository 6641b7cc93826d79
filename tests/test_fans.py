"""Fans against connections counted one by one, and against JAX's own quotient."""

import itertools
import math
import re
from collections import Counter

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinit.fans import MODES, Fans, compute_fans, resolve_axes

# --- Convolutions: every connection of a small periodic layer, counted ------------------------


def convolution_edges(taps, channels, groups, stride, positions=2):
    """Yield (input unit, output unit) for each connection of a periodic strided convolution."""
    in_channels, out_channels = channels
    extents = [positions * step for step in stride]
    for site in itertools.product(range(positions), repeat=len(taps)):
        for tap in itertools.product(*map(range, taps)):
            source = tuple(
                (p * s + t) % n for p, s, t, n in zip(site, stride, tap, extents, strict=True)
            )
            for i, o in itertools.product(range(in_channels), range(out_channels)):
                if i * groups // in_channels == o * groups // out_channels:
                    yield (source, i), (site, o)


def mean_degrees(edges, inputs, outputs):
    """Return connections per output unit and per input unit, units without any included."""
    edges = list(edges)
    assert len({end for _, end in edges}) <= outputs
    assert len({start for start, _ in edges}) <= inputs
    return len(edges) / outputs, len(edges) / inputs


CONVOLUTIONS = [
    # taps, (in, out), groups, stride
    ((), (5, 7), 1, ()),
    ((3,), (2, 3), 1, (1,)),
    ((3,), (2, 3), 1, (2,)),
    ((4,), (4, 6), 2, (2,)),
    ((1,), (2, 2), 1, (3,)),
    ((3, 2), (2, 3), 1, (1, 1)),
    ((3, 3), (4, 8), 4, (2, 1)),
    ((3, 3), (3, 3), 3, (1, 1)),
    ((2, 3), (2, 4), 2, (2, 3)),
    ((2, 2, 3), (2, 3), 1, (1, 2, 1)),
    ((2, 1, 2), (4, 2), 2, (2, 2, 2)),
]


@pytest.mark.parametrize(("taps", "channels", "groups", "stride"), CONVOLUTIONS)
def test_convolution_fans_are_counts(taps, channels, groups, stride):
    edges = list(convolution_edges(taps, channels, groups, stride))
    sites = 2 ** len(taps)
    fan_in, fan_out = mean_degrees(
        edges, inputs=sites * math.prod(stride) * channels[0], outputs=sites * channels[1]
    )
    shape = (*taps, channels[0] // groups, channels[1])
    assert compute_fans(shape, groups=groups, stride=stride) == (fan_in, fan_out)
    assert set(Counter(end for _, end in edges).values()) == {fan_in}  # each output, not the mean


@pytest.mark.parametrize(("taps", "channels", "groups", "stride"), CONVOLUTIONS)
def test_transposed_convolution_fans_are_counts(taps, channels, groups, stride):
    out_channels, in_channels = channels  # of the layer; its edges run backwards
    edges = [(end, start) for start, end in convolution_edges(taps, channels, groups, stride)]
    sites = 2 ** len(taps)
    counted = mean_degrees(
        edges, inputs=sites * in_channels, outputs=sites * math.prod(stride) * out_channels
    )
    shape = (*taps, in_channels // groups, out_channels)
    assert compute_fans(shape, groups=groups, stride=stride, transposed=True) == counted
    torch_weight = (in_channels, out_channels // groups, *taps)
    forward = compute_fans(torch_weight, layout="OI...", groups=groups, stride=stride)
    assert forward.swapped() == counted
    if groups == 1:
        options = {"layout": "IO...", "stride": stride, "transposed": True}
        assert compute_fans(torch_weight, **options) == counted


def test_one_stride_serves_every_spatial_axis():
    assert compute_fans((4, 4, 3, 8), stride=2) == compute_fans((4, 4, 3, 8), stride=(2, 2))


def test_whole_fans_are_ints_and_others_floats():
    whole, broken = compute_fans((4, 2, 3), stride=2), compute_fans((3, 2, 3), stride=2)
    assert (whole, type(whole.fan_out)) == ((8, 6), int)
    assert (broken, type(broken.fan_out)) == ((6, 4.5), float)


# --- Einsums: NumPy counts the terms of each sum ----------------------------------------------


@pytest.mark.parametrize(
    ("einsum", "kernel"),
    [
        ("bd,df->bf", "df"),
        ("btd,dhk->bthk", "dhk"),
        ("bthk,hkd->btd", "hkd"),
        ("ebd,edf->ebf", "edf"),
        ("bthd,hdk->bthk", "hdk"),
        ("btd,tsd->bsd", "tsd"),
        ("btd,d->btd", "d"),
        ("bd,def->bf", "def"),
        ("b,f->bf", "f"),
    ],
)
def test_einsum_fans_are_counts(einsum, kernel):
    extent = dict(zip("bdefhkst", (2, 3, 4, 5, 6, 7, 8, 9), strict=True))
    shape = tuple(extent[letter] for letter in kernel)
    other = tuple(extent[letter] for letter in einsum.split(",")[0])
    ones = np.ones(shape)
    into = np.einsum(einsum, np.ones(other), ones)
    units = np.eye(math.prod(other)).reshape(-1, *other)
    out_of = {np.einsum(einsum, unit, ones).sum() for unit in units}
    assert compute_fans(shape, einsum=einsum) == (into.min(), max(out_of))
    assert (into.min(), len(out_of)) == (into.max(), 1)


# --- JAX ---------------------------------------------------------------------------------------


def jax_quotient(shape, in_axis, out_axis, batch_axis):
    """Return the fans in the arithmetic of jax.nn.initializers: floats, divided, multiplied."""
    size, into, out_of, batch = (
        math.prod(shape[axis] for axis in axes)
        for axes in (range(len(shape)), in_axis, out_axis, batch_axis)
    )
    receptive = size / into / out_of / batch
    return into * receptive, out_of * receptive


@st.composite
def kernels(draw):
    shape = tuple(draw(st.lists(st.integers(1, 4096), min_size=1, max_size=4)))
    roles = draw(st.lists(st.sampled_from("iobr"), min_size=len(shape), max_size=len(shape)))
    signs = draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    axes = [axis - len(shape) if minus else axis for axis, minus in enumerate(signs)]
    chosen = [[a for a, role in zip(axes, roles, strict=True) if role == name] for name in "iob"]
    return shape, *chosen


@given(kernels())
@settings(max_examples=300, deadline=None)
def test_fans_are_jaxs_to_the_last_bit(kernel):
    shape, in_axis, out_axis, batch_axis = kernel
    fans = compute_fans(shape, in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis)
    assert fans == jax_quotient(*kernel)
    assert {type(fan) for fan in fans} == {int}


@given(st.lists(st.integers(1, 70_000), min_size=1, max_size=3), st.data())
@settings(max_examples=300, deadline=None)
def test_lookup_fans_are_jaxs_to_the_last_bit(shape, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    fans = compute_fans(shape, in_axis=axis, out_axis=[axis - len(shape)])
    assert fans == jax_quotient(shape, [axis], [axis], [])
    assert fans.fan_in == pytest.approx(math.prod(shape) / shape[axis], rel=1e-15)


def test_embedding_fans_are_its_features():
    fans = compute_fans((50_257, 768), out_axis=0)
    assert (fans, type(fans.fan_in)) == ((768, 768), int)
    assert compute_fans((4, 50_257, 768), in_axis=1, out_axis=1, batch_axis=0) == (768, 768)


@pytest.mark.parametrize(
    ("mode", "shape", "axes"),
    [
        ("fan_in", (3, 3, 6, 8), {}),
        ("fan_out", (8, 6, 3, 3), {"in_axis": 1, "out_axis": 0}),
        ("fan_avg", (4, 12, 10), {"batch_axis": 0}),
        ("fan_geo_avg", (6, 5, 4), {"in_axis": 0, "out_axis": (1, 2)}),
        ("fan_in", (40, 30), {"out_axis": 0}),
    ],
)
def test_jax_divides_by_these_fans(mode, shape, axes):
    key = jax.random.key(0)
    scaled = jax.nn.initializers.variance_scaling(1.0, mode, "normal", **axes)(key, shape)
    std = np.median(np.asarray(scaled) / np.asarray(jax.random.normal(key, shape)))
    assert compute_fans(shape, **axes).select(mode) == pytest.approx(std**-2, rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((0, 3), {}, (0, 3)),
        ((3, 0), {}, (3, 0)),
        ((3, 3, 0, 4), {}, (0, 36)),
        ((0, 3, 4, 4), {}, (0, 0)),
        ((0, 3, 4), {"batch_axis": 0}, (3, 4)),
        ((0, 8), {"out_axis": 0}, (8, 8)),
        ((8, 0), {"out_axis": 0}, (0, 0)),
        ((), {"in_axis": (), "out_axis": ()}, (1, 1)),
        ((5,), {"in_axis": 0, "out_axis": ()}, (5, 1)),
        ((5,), {"in_axis": ()}, (1, 5)),
    ],
)
def test_empty_and_small_shapes_have_fans(shape, axes, expected):
    assert compute_fans(shape, **axes) == expected


# --- Options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 5, 7), [3, 5, 7], np.array([3, 5, 7])])
def test_any_sequence_of_ints_is_a_shape(shape):
    assert compute_fans(shape) == (15, 21)


def test_layout_and_einsum_agree_with_axis_numbers():
    assert resolve_axes((2, 3, 4), layout="BOI") == resolve_axes(
        (2, 3, 4), in_axis=2, out_axis=1, batch_axis=0
    )
    assert resolve_axes((3, 4), einsum="bd,df->bf") == resolve_axes((3, 4))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("fan_in", 4), ("fan_out", 16), ("fan_avg", 10), ("fan_geo_avg", 8)],
)
def test_select(mode, expected):
    assert Fans(4, 16).select(mode) == expected


def test_modes_are_sorted():
    assert list(MODES) == sorted(MODES)


@pytest.mark.parametrize(
    ("mode", "hint"), [("FAN_IN", "; did you mean 'fan_in'?"), ("both", "'fan_out'.")]
)
def test_an_unknown_mode_is_named(mode, hint):
    message = f"`mode` (={mode!r}) must be one of 'fan_avg', 'fan_geo_avg', 'fan_in', 'fan_out'"
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        Fans(1, 2).select(mode)
    assert str(error.value).endswith(hint)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((5,), {}, "`shape` (=(5,)) is 1-D"),
        ((3, -1), {}, "`shape` (=(3, -1)) has a negative extent"),
        ((3, 5), {"in_axis": 2}, "`in_axis` (=2) is out of range"),
        ((3, 3, 4, 5), {"groups": 2}, "the output channels (=5) must be divisible by `groups`"),
        ((3, 3, 4, 5), {"groups": 0}, "`groups` (=0) must be a positive int"),
        ((3, 3, 4, 5), {"groups": 2.5}, "`groups` (=2.5) must be a positive int"),
        ((3, 3, 4, 5), {"stride": 0}, "`stride` (=0) must be a positive int"),
        ((3, 3, 4, 5), {"stride": (2,)}, "`stride` (=(2,)) must be one int, or one for each"),
        ((4, 5), {"stride": 2}, "the kernel has 0 spatial axes"),
        ((3, 4), {"layout": "IO", "out_axis": 0}, "`in_axis`/`out_axis`/`batch_axis` and `layout`"),
        (
            (3, 4),
            {"layout": "IO", "einsum": "bd,df->bf"},
            "`layout` (='IO') and `einsum` (='bd,df->bf') each name the kernel's axes; give only",
        ),
        ((3, 4), {"einsum": "bd,df->bf", "groups": 2}, "the kernel is given by an einsum"),
        ((3, 4), {"einsum": "bd,df->bf", "transposed": True}, "`transposed` (=True) describe"),
        ((3, 4), {"out_axis": 0, "stride": 2}, "given by one axis as input and output"),
        ((3, 4), {"layout": "HWIO"}, "names 4 axes, but the shape (3, 4) has 2"),
    ],
)
def test_options_that_do_not_fit_are_named(shape, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        compute_fans(shape, **options)
