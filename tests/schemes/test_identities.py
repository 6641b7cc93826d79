"""Identities, held against loops and against convolutions that must return their input."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

LAYOUTS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def convolve(images, kernel, groups=1):
    ndim = images.ndim - 2
    return jax.lax.conv_general_dilated(
        images,
        kernel,
        (1,) * ndim,
        "SAME",
        dimension_numbers=LAYOUTS[ndim],
        feature_group_count=groups,
    )


def dirac_by_loops(shape, groups) -> np.ndarray:
    """Group by group, channel by channel, as many as there are on both sides."""
    kernel = np.zeros(shape)
    centre = tuple(k // 2 for k in shape[:-2])
    inputs, outputs = shape[-2], shape[-1] // groups
    for group, channel in itertools.product(range(groups), range(min(inputs, outputs))):
        kernel[(*centre, channel, group * outputs + channel)] = 1
    return kernel


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 2), (3, 2, 4), (2, 1, 3, 3)])
def test_identity(shape):
    weights = np.asarray(jinit.identity()(None, shape))
    assert weights.shape == shape
    expected = [np.eye(*shape[-2:])] * int(np.prod(shape[:-2]))
    np.testing.assert_array_equal(weights.reshape(-1, *shape[-2:]), expected)


def test_identity_passes_its_input_on():
    x = jnp.arange(1.0, 4.0)
    np.testing.assert_array_equal(x @ jinit.identity()(None, (3, 3)), x)
    assert (x @ jinit.identity(-2.0)(None, (3, 2))).tolist() == [-2.0, -4.0]


def test_eye_is_identity():
    assert jinit.eye is jinit.identity


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((3, 4, 6), 1),
        ((4, 4, 6), 2),
        ((2, 5, 2, 12), 3),
        ((2, 5, 1, 6), 1),
        ((1, 2, 3, 1, 6), 6),
        ((3, 2, 4, 6, 4), 1),
    ],
)
def test_dirac(shape, groups):
    weights = np.asarray(jinit.dirac(groups=groups)(None, shape))
    np.testing.assert_array_equal(weights, dirac_by_loops(shape, groups))


@pytest.mark.parametrize(
    ("layout", "axes"),
    [
        ("OIHW", (3, 2, 0, 1)),
        ("OI...", (3, 2, 0, 1)),
        ("OHWI", (3, 0, 1, 2)),
        ("...IO", (0, 1, 2, 3)),
    ],
)
def test_dirac_of_other_layouts(layout, axes):
    expected = dirac_by_loops((3, 2, 4, 6), 2).transpose(axes)
    weights = jinit.dirac(groups=2, layout=layout)(None, expected.shape)
    np.testing.assert_array_equal(np.asarray(weights), expected)


def test_dirac_of_stacked_kernels():
    one = dirac_by_loops((3, 2, 2), 1)
    weights = jinit.dirac(layout="BWIO")(None, (4, 3, 2, 2))
    np.testing.assert_array_equal(np.asarray(weights), [one] * 4)


@pytest.mark.parametrize(("taps", "groups"), [((5,), 1), ((3, 5), 6), ((3, 3, 1), 2)])
def test_a_convolution_with_odd_taps_returns_its_input(taps, groups):
    images = jax.random.normal(jax.random.key(0), (2, *(6,) * len(taps), 6))
    kernel = jinit.dirac(groups=groups)(None, (*taps, 6 // groups, 6))
    np.testing.assert_array_equal(np.asarray(convolve(images, kernel, groups)), np.asarray(images))


def test_even_taps_move_the_input_by_one():
    x = jnp.arange(1.0, 6.0).reshape(1, 5, 1)
    moved = convolve(x, jinit.dirac()(None, (4, 1, 1)))
    assert moved.ravel().tolist() == [2.0, 3.0, 4.0, 5.0, 0.0]


@pytest.mark.parametrize("scheme", [jinit.identity, jinit.dirac])
def test_a_gain_for_each_layer(scheme):
    gains = np.array([1.0, 0.5]).reshape(2, 1, 1)
    weights = scheme(gains)(None, (2, 3, 3))
    np.testing.assert_array_equal(
        np.asarray(weights), gains * np.asarray(scheme()(None, (2, 3, 3)))
    )
    with pytest.raises(ValueError, match=r"`gain` has shape \(2, 1, 1\), which does not broadcast"):
        scheme(gains)(None, (3, 3, 3))


def test_a_traced_gain():
    weights = jax.jit(lambda gain: jinit.identity(gain)(None, (2, 2)))(3.0)
    assert weights.tolist() == [[3.0, 0.0], [0.0, 3.0]]


@pytest.mark.parametrize("scheme", [jinit.identity, jinit.dirac])
def test_integer_and_boolean_dtypes(scheme):
    assert scheme()(None, (1, 2, 2), jnp.bool_).tolist() == [[[True, False], [False, True]]]
    assert scheme(-3)(None, (1, 2, 2), jnp.int8).tolist() == [[[-3, 0], [0, -3]]]
    with pytest.raises(ValueError, match=r"dtype int8 cannot hold `gain` \(=0.5\); use a floating"):
        scheme(0.5)(None, (1, 2, 2), jnp.int8)


@pytest.mark.parametrize(
    ("init", "shape", "expected"),
    [
        (jinit.identity(-2.0), (4, 16), 0.5),
        (jinit.identity(), (3, 16, 4), 0.25),
        (jinit.dirac(), (4, 4, 2, 4), 0.125),
        (jinit.dirac(groups=2), (4, 1, 2), 0.5),
        (jinit.dirac(groups=2), (4, 9, 8), 1 / 6),
        (jinit.identity(), (0, 4), 0.0),
    ],
)
def test_stated_std_is_the_root_mean_square(init, shape, expected):
    assert init.std(shape) == pytest.approx(expected)
    if expected:
        weights = np.asarray(init(None, shape))
        assert np.sqrt((weights**2).mean()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("init", "shape", "message"),
    [
        (jinit.identity(), (4,), "`shape` (=(4,)) is 1-D, and a matrix needs at least 2 axes"),
        (jinit.dirac(), (4, 4), "`shape` (=(4, 4)) is 2-D; the kernel of a convolution"),
        (jinit.dirac(), (3, 0, 4, 4), "has no taps along an axis (taps: (3, 0))"),
        (
            jinit.dirac(groups=2),
            (3, 4, 5),
            "the outputs (=5) of the kernel (3, 4, 5) must be divisible by `groups` (=2)",
        ),
        (jinit.dirac(layout="OIHW"), (3, 4, 5), "`layout` (='OIHW') names 4 axes"),
    ],
)
def test_a_wrong_shape_is_refused(init, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        init(None, shape)


def test_a_wrong_configuration_is_refused_at_once():
    with pytest.raises(ValueError, match=r"`gain` \(=nan\) must be finite"):
        jinit.identity(float("nan"))
    with pytest.raises(ValueError, match=r"`gain` \(=inf\) must be finite"):
        jinit.dirac(float("inf"))
    with pytest.raises(ValueError, match=r"`groups` \(=0\) must be at least 1"):
        jinit.dirac(groups=0)
