"""Bilinear kernels interpolate; ICNR kernels start as nearest-neighbour upsampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(3)

TAPS = {
    1: [1],
    2: [1 / 2, 1 / 2],
    3: [1 / 2, 1, 1 / 2],
    4: [1 / 4, 3 / 4, 3 / 4, 1 / 4],
    5: [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3],
    6: [1 / 6, 3 / 6, 5 / 6, 5 / 6, 3 / 6, 1 / 6],
    7: [1 / 4, 2 / 4, 3 / 4, 1, 3 / 4, 2 / 4, 1 / 4],
    8: [1 / 8, 3 / 8, 5 / 8, 7 / 8, 7 / 8, 5 / 8, 3 / 8, 1 / 8],
}


@pytest.mark.parametrize("k", TAPS)
def test_taps(k):
    taps = jinit.bilinear()(None, (k, 1, 1))
    assert taps.shape == (k, 1, 1)
    np.testing.assert_allclose(np.ravel(taps), TAPS[k], rtol=1e-6)


@pytest.mark.parametrize("k", range(1, 14))
def test_every_phase_of_the_stride_sums_to_one(k):
    taps = np.ravel(jinit.bilinear()(None, (k, 1, 1)))
    stride = -(-k // 2)
    for phase in range(stride):
        np.testing.assert_allclose(taps[phase::stride].sum(), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("taps", "strides"), [((4, 3), (2, 2)), ((6, 5), (3, 3)), ((4, 6), (2, 3))]
)
def test_a_plane_is_interpolated(taps, strides):
    """A transposed convolution maps the plane a + b y + c x to itself on the finer grid."""
    rows, columns = np.meshgrid(np.arange(7.0), np.arange(8.0), indexing="ij")
    channels = np.stack([2 + 3 * rows - columns, 1 - rows + 5 * columns], axis=-1)
    kernel = jinit.bilinear()(None, (*taps, 2, 2))
    fine = jax.lax.conv_transpose(
        jnp.asarray(channels[None], jnp.float32),
        kernel,
        strides,
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    whole = np.asarray(fine)[0]
    inner = whole[taps[0] : -taps[0], taps[1] : -taps[1]]
    assert inner.shape[-1] == 2
    slopes = np.array([[3, -1], [-1, 5]])  # by channel, by axis
    for channel in range(2):
        for axis in range(2):
            steps = np.diff(inner[..., channel], axis=axis)
            np.testing.assert_allclose(steps, slopes[channel, axis] / strides[axis], atol=2e-5)


def test_depthwise_kernel_upsamples_each_channel_alone():
    x = jax.random.normal(KEY, (1, 6, 6, 3))
    numbers = ("NHWC", "HWIO", "NHWC")
    depthwise = jinit.bilinear(groups=3)(None, (4, 4, 1, 3))
    dense = jinit.bilinear()(None, (4, 4, 3, 3))

    def up(kernel, groups):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), [(3, 3), (3, 3)], (2, 2), None, numbers, feature_group_count=groups
        )

    np.testing.assert_allclose(up(depthwise, 3), up(dense, 1), atol=1e-5)


def test_channels_of_groups():
    kernel = np.asarray(jinit.bilinear(groups=2)(None, (1, 2, 4)))[0]
    assert kernel.tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]


def test_bilinear_errors():
    with pytest.raises(ValueError, match=r"inputs \(=1\) times `groups` \(=1\) must equal outputs"):
        jinit.bilinear()(None, (4, 4, 1, 3))
    with pytest.raises(ValueError, match=r"is 2-D; the kernel of a convolution is 3-D, 4-D or"):
        jinit.bilinear()(None, (4, 4))
    with pytest.raises(ValueError, match=r"`channels` \(='each'\) must be one of 'all', 'diagon"):
        jinit.bilinear(channels="each")
    with pytest.raises(ValueError, match=r"`groups` \(=2\) belongs to channels='diagonal'"):
        jinit.bilinear(channels="all", groups=2)
    with pytest.raises(ValueError, match=r"`groups` \(=0\) must be at least 1"):
        jinit.bilinear(groups=0)


# --- ICNR -----------------------------------------------------------------------------------------


def small_integers(key, shape, dtype):
    """Values whose sums of products are exact in float32, whatever their order."""
    return jax.random.randint(key, shape, -8, 9).astype(dtype)


def convolve(x, kernel):
    spatial = "HWD"[: kernel.ndim - 2]
    numbers = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    return np.asarray(
        jax.lax.conv_general_dilated(
            x, kernel, (1,) * len(spatial), "SAME", dimension_numbers=numbers
        )
    )


def pixel_shuffle(x, r, order):
    """Channel by channel and pixel by pixel, as the two layouts are defined."""
    spatial = x.shape[1:-1]
    count = r ** len(spatial)
    channels = x.shape[-1] // count
    out = np.full((x.shape[0], *(n * r for n in spatial), channels), np.nan, x.dtype)
    for offset in np.ndindex(*(r,) * len(spatial)):
        position = int(np.ravel_multi_index(offset, (r,) * len(spatial)))
        for c in range(channels):
            source = c * count + position if order == "crd" else position * channels + c
            where = tuple(slice(start, None, r) for start in offset)
            out[(slice(None), *where, c)] = x[..., source]
    return out


def nearest(x, r):
    for axis in range(1, x.ndim - 1):
        x = np.repeat(x, r, axis=axis)
    return x


@pytest.mark.parametrize("order", ["crd", "dcr"])
@pytest.mark.parametrize(
    ("taps", "r"),
    [((3,), 3), ((3, 3), 2), ((1, 3), 3), pytest.param((3, 3, 3), 2, marks=pytest.mark.slow)],
    ids=str,
)
def test_icnr_is_nearest_neighbour_upsampling(taps, r, order):
    inputs, channels = 4, 3
    x = small_integers(KEY, (2, *(4,) * len(taps), inputs), jnp.float32)
    init = jinit.icnr(small_integers, r, order=order)
    kernel = init(KEY, (*taps, inputs, channels * r ** len(taps)))
    base = small_integers(KEY, (*taps, inputs, channels), jnp.float32)
    shuffled = pixel_shuffle(convolve(x, kernel), r, order)
    assert np.abs(shuffled).max() > 0
    np.testing.assert_array_equal(shuffled, nearest(convolve(x, base), r))


def test_default_order_is_torchs_pixel_shuffle():
    torch = pytest.importorskip("torch")
    x = small_integers(KEY, (2, 5, 5, 4), jnp.float32)
    kernel = jinit.icnr(small_integers, 2)(KEY, (3, 3, 4, 12))
    y = torch.from_numpy(np.moveaxis(convolve(x, kernel), -1, 1).copy())
    shuffled = np.moveaxis(torch.nn.functional.pixel_shuffle(y, 2).numpy(), 1, -1)
    base = small_integers(KEY, (3, 3, 4, 3), jnp.float32)
    np.testing.assert_array_equal(shuffled, nearest(convolve(x, base), 2))


def test_icnr_hands_the_small_kernel_to_init():
    init = jinit.icnr(jinit.he_normal(mode="fan_out", distribution="normal"), 2)
    assert init.std((3, 3, 8, 64)) == pytest.approx(np.sqrt(2 / (9 * 16)), rel=1e-6)
    assert jinit.icnr(small_integers, 2).std((3, 3, 8, 64)) is None


def test_icnr_errors():
    with pytest.raises(ValueError, match=r"the outputs \(=10\) of the kernel .* the 4 pixels"):
        jinit.icnr(jinit.normal, 2)(KEY, (3, 3, 8, 10))
    with pytest.raises(ValueError, match=r"`shape` \(=\(8, 12\)\) is 2-D; the kernel of a pixel"):
        jinit.icnr(jinit.normal, 2)(KEY, (8, 12))
    with pytest.raises(ValueError, match=r"`order` \(='rcd'\) must be one of 'crd', 'dcr'"):
        jinit.icnr(jinit.normal, 2, order="rcd")
    with pytest.raises(ValueError, match=r"`factor` \(=0\) must be at least 1"):
        jinit.icnr(jinit.normal, 0)
    with pytest.raises(TypeError, match=r"`factor` \(=1.5\) must be an int"):
        jinit.icnr(jinit.normal, 1.5)
    with pytest.raises(TypeError, match=r"`init` \(=3\) must be an initializer"):
        jinit.icnr(3, 2)
