"""Orthogonal convolutions, held against the definition of a circular convolution in float64."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from structures import assert_isometry, centre_matrix, conv_isometry, draw, label, matrix_at_centre

import jinit

KEY = jax.random.key(11)


@pytest.mark.parametrize(
    ("init", "shape", "check"),
    [
        (jinit.delta_orthogonal(2.0), (5, 3, 4), matrix_at_centre(2.0)),
        (jinit.delta_orthogonal("relu", 0), (4, 1, 2, 4, 4), matrix_at_centre(2**0.5)),
        (jinit.conv_orthogonal(2.0), (5, 4, 4), conv_isometry(2.0)),
        (jinit.conv_orthogonal(), (4, 1, 3, 5), conv_isometry()),
        (jinit.conv_orthogonal("tanh"), (2, 3, 2, 3, 4), conv_isometry(5 / 3)),
        (jinit.conv_orthogonal(), (3, 4, 1, 1), conv_isometry(spread=False)),
    ],
    ids=label,
)
def test_the_convolution_is_an_isometry(init, shape, check):
    check(draw(init, shape))


@pytest.mark.parametrize("name", ["conv_orthogonal", "delta_orthogonal"])
def test_norms_of_images_are_kept(name):
    """`lax`'s own convolution, of images padded round by hand."""
    kernel = jnp.asarray(draw(getattr(jinit, name)(), (3, 3, 3, 4)), jnp.float32)
    images = jax.random.normal(jax.random.key(1), (5, 6, 6, 3))
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="wrap")
    out = jax.lax.conv_general_dilated(
        padded, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    assert out.shape == (5, 6, 6, 4)
    norms = [np.asarray((x**2).sum((1, 2, 3))) for x in (images, out)]
    np.testing.assert_allclose(norms[1], norms[0], rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 2, 2), (2, 5, 2, 3), (1, 6, 3, 1, 2)])
def test_jax_has_the_same_centre(shape):
    theirs = np.asarray(jax.nn.initializers.delta_orthogonal()(KEY, shape))
    ours = draw(jinit.delta_orthogonal(), shape)
    np.testing.assert_array_equal(ours != 0, theirs != 0)


@pytest.mark.parametrize("shape", [(4, 1, 1), (5, 3, 3), (3, 4, 4)])
def test_weight_gathers_about_the_middle(shape):
    """The mean tap is the winding number of det K(w) over n: each factor adds rank(I - P) / n.

    Half of n, rounded down and up in turn.
    """
    taps, n = shape[0], shape[-1]
    energy = (draw(jinit.conv_orthogonal(), shape) ** 2).sum((1, 2)) / n
    delays = [n // 2 if factor % 2 == 0 else n - n // 2 for factor in range(taps - 1)]
    assert energy @ np.arange(taps) == pytest.approx(sum(delays) / n, abs=1e-5)


def test_factors_are_independent():
    """Equal projectors would leave all weight in the corners; equal axes, a symmetric kernel."""
    kernel = draw(jinit.conv_orthogonal(), (3, 3, 4, 4))
    energy = (kernel**2).sum((2, 3))
    assert energy.min() > 0.01
    assert abs(energy - energy.T).max() > 0.01


def test_complex_kernels_are_unitary():
    kernel = draw(jinit.conv_orthogonal(), (3, 4, 5), jnp.complex64)
    assert np.abs(kernel.imag).max() > 0.05
    conv_isometry()(kernel)


def test_float64_is_orthogonal_in_float64():
    with jax.enable_x64(True):
        kernel = draw(jinit.conv_orthogonal(), (3, 2, 4, 4), jnp.float64)
        delta = draw(jinit.delta_orthogonal(), (3, 2, 4), jnp.float64)
    conv_isometry(atol=1e-13)(kernel)
    assert_isometry(centre_matrix(delta), atol=1e-13)


@pytest.mark.parametrize("name", ["conv_orthogonal", "delta_orthogonal"])
def test_stated_std(name):
    init = getattr(jinit, name)(3.0)
    assert init.std((3, 3, 4, 16)) == pytest.approx(3 / 12)
    assert init.std((3, 3, 0, 16)) == 0


@pytest.mark.parametrize("name", ["conv_orthogonal", "delta_orthogonal"])
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 4), "`shape` (=(4, 4)) is 2-D; the kernel of a convolution is 3-D, 4-D or 5-D"),
        ((1, 1, 1, 1, 4, 4), "is 6-D"),
        ((3, 3, 5, 4), "more inputs (=5) than outputs (=4), and no such convolution keeps"),
        ((3, 3, 5, 4), "jinit.scaled_uniform_orthogonal(delta=True)"),
        ((3, 0, 4, 4), "`shape` (=(3, 0, 4, 4)) has no taps along an axis (taps: (3, 0))"),
    ],
)
def test_a_wrong_shape_is_refused(name, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(jinit, name)()(KEY, shape)


def test_a_wrong_configuration_is_refused_at_once():
    with pytest.raises(ValueError, match=r"`scale` \(=-1\) must be >= 0"):
        jinit.delta_orthogonal(-1)
    with pytest.raises(ValueError, match=r"`scale` \(=-1\) must be >= 0"):
        jinit.conv_orthogonal(-1)
    with pytest.raises(ValueError, match=r"`column_axis` \(=2\) must be one of -2, -1, 0, 1"):
        jinit.delta_orthogonal(column_axis=2)
