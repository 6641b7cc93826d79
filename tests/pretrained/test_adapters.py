"""Adapters: what each makes of values, against the paper's formula or the function it keeps."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.pretrained import (
    LoadError,
    fit_channels,
    grow_rows,
    resize_kernel,
    resize_positions,
    select_units,
    widen,
    widened_units,
)

KEY = jax.random.key(3)


def leaf(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.dtype("float32"))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def adapted(value, shape, adapter, **options):
    """The leaf "w" of another shape, made of `value`."""
    params, report = jinit.load({"w": leaf(*shape)}, {"w": value}, on_mismatch=adapter, **options)
    assert report["w"].outcome == "adapted"
    assert report["w"].how == repr(adapter)
    assert params["w"].shape == shape
    return np.asarray(params["w"], np.float64)


def refused(value, shape, adapter, message):
    with pytest.raises(LoadError, match=message):
        jinit.load({"w": leaf(*shape)}, {"w": value}, on_mismatch=adapter, key=KEY)


# --- vocabularies -----------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_that_are_the_mean(axis):
    table = np.moveaxis(drawn(50, 8), 0, axis)
    made = adapted(table, np.moveaxis(np.zeros((53, 8)), 0, axis).shape, grow_rows("mean"))
    made = np.moveaxis(made, axis, 0)
    np.testing.assert_array_equal(made[:50], np.moveaxis(table, axis, 0))
    mean = np.moveaxis(table, axis, 0).astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(made[50:], np.broadcast_to(mean, (3, 8)), rtol=1e-6)


def test_rows_have_the_covariance_of_the_old_ones():
    """With scale 1, 20,000 new rows have the old rows' mean and covariance.

    The largest of 36 entries of a covariance is off by less than 5 of its standard errors,
    sqrt((S_ii S_jj + S_ij^2) / n).
    """
    mixing = drawn(8, 8, seed=2)
    table = drawn(300, 8) @ mixing + 3
    new = adapted(table, (20300, 8), grow_rows(scale=1.0), key=KEY)[300:]
    exact = table.astype(np.float64)
    covariance = np.cov(exact.T, bias=True)
    spread = np.sqrt(np.diag(covariance) / len(new))
    assert (np.abs(new.mean(axis=0) - exact.mean(axis=0)) < 5 * spread).all()
    errors = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2)
    off = np.cov(new.T, bias=True) - covariance
    assert (np.abs(off) < 5 * errors / np.sqrt(len(new))).all()
    assert np.linalg.matrix_rank(new - new.mean(axis=0)) == 8


def test_the_default_scale_of_rows():
    """New rows lie within a few sqrt(1e-5) of the spread of the old ones around the mean."""
    table = drawn(400, 6)
    new = adapted(table, (2400, 6), grow_rows(), key=KEY)[400:]
    ratio = new.std(axis=0) / table.std(axis=0)
    # The standard error of a standard deviation of n values is 1 / sqrt(2 n) of it.
    np.testing.assert_allclose(ratio, np.sqrt(1e-5), rtol=5 / np.sqrt(2 * 2000))


def test_rows_given_and_rows_beyond_those_used():
    table, rows = drawn(10, 4), drawn(3, 4, seed=1)
    made = adapted(table, (13, 4), grow_rows(rows=rows))
    np.testing.assert_array_equal(made[10:], rows)
    made = adapted(table, (13, 4), grow_rows("mean", used=8))
    np.testing.assert_allclose(made[8:], np.tile(table[:8].mean(axis=0), (5, 1)), rtol=1e-5)
    # Also where padding is all that changes.
    target = {"wte": {"embedding": leaf(10, 4)}, "head": {"kernel": leaf(4, 10)}}
    tensors = {"wte/embedding": table, "head/kernel": table.T.copy()}
    params, report = jinit.load(target, tensors, adapt={"**": grow_rows("mean", used=8)})
    for made in (params["wte"]["embedding"], params["head"]["kernel"].T):
        np.testing.assert_array_equal(made[:8], table[:8])
        np.testing.assert_allclose(made[8:], np.tile(table[:8].mean(axis=0), (2, 1)), rtol=1e-5)
    assert report.totals["adapted"] == 2


def test_rows_depend_on_the_leaf_s_own_key():
    target = {"a": leaf(5, 3), "b": leaf(5, 3)}
    tensors = {"a": drawn(4, 3), "b": drawn(4, 3)}
    params, _ = jinit.load(target, tensors, on_mismatch=grow_rows(scale=1.0), key=KEY)
    assert not np.array_equal(params["a"][4], params["b"][4])
    with pytest.raises(ValueError, match="`key` is needed, to draw a, b"):
        jinit.load(target, tensors, on_mismatch=grow_rows())


def test_rows_refused():
    refused(
        drawn(6, 4), (5, 4), grow_rows("mean"), r"w float32\[5,4\] has 5 rows along axis 0, few"
    )
    refused(drawn(6, 4), (7, 5), grow_rows("mean"), r"\[6, 4\] .* differ along axes \[0, 1\]; one")
    refused(drawn(6, 4), (8, 4), grow_rows(rows=drawn(1, 4)), r"`rows` have the shape \(1, 4\); .*")
    refused(drawn(6, 4), (8, 4), grow_rows("mean", used=7), r"`used` \(=7\) must be from 1 to the")
    refused(
        drawn(6), (8, 4), grow_rows("mean"), r"the tensor has 1 axes \[6\], and w float32\[8,4\]"
    )
    with pytest.raises(
        ValueError, match="`method` \\(='median'\\) must be one of 'mean', 'mean_cov"
    ):
        grow_rows("median")


# --- positions --------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [((4, 4), (7, 7)), ((6, 6), (3, 3)), ((4, 5), (8, 3))])
@pytest.mark.parametrize("method", ["cubic", "linear"])
def test_positions_are_resized_as_jax_resizes_images(old, new, method):
    table = drawn(1, 2 + old[0] * old[1], 5)
    adapter = resize_positions(prefix=2, old_grid=old, new_grid=new, method=method)
    made = adapted(table, (1, 2 + new[0] * new[1], 5), adapter)
    np.testing.assert_array_equal(made[:, :2], table[:, :2])
    grid = jnp.asarray(table[0, 2:].reshape(*old, 5))
    expected = jax.image.resize(grid, (*new, 5), method).reshape(-1, 5)
    np.testing.assert_allclose(made[0, 2:], expected, atol=2e-6)


def test_parabolas_are_kept_inside():
    """Keys' cubic reproduces them, cell by cell; a grid of twice the cells has half cells."""
    x = np.arange(12) + 0.5
    table = np.stack([x**2, 3 * x - 1, np.ones(12)], axis=1).astype(np.float32)
    made = adapted(table, (24, 3), resize_positions(dims=1))
    y = (np.arange(24) + 0.5) / 2
    expected = np.stack([y**2, 3 * y - 1, np.ones(24)], axis=1)
    np.testing.assert_allclose(made[4:-4], expected[4:-4], rtol=1e-5)


def test_squares_are_seen():
    assert adapted(drawn(17, 4), (26, 4), resize_positions(prefix=1)).shape == (26, 4)
    refused(
        drawn(17, 4), (26, 4), resize_positions(), r"17 positions after a prefix of 0 fill no sq"
    )
    refused(
        drawn(16, 4), (26, 4), resize_positions(), r"26 positions after a prefix of 0 fill no sq"
    )
    refused(
        drawn(16, 4), (12, 4), resize_positions(new_grid=(3, 3)),
        r"`new_grid` \(=\(3, 3\)\) has 9 places, and w float32\[12,4\] needs 12 after the prefix",
    )  # fmt: skip
    refused(
        drawn(16, 4), (25, 5), resize_positions(), r"differ along axes \[0, 1\]; one is allowed"
    )


def test_another_grid_of_as_many_positions():
    table = drawn(12, 2)
    adapter = resize_positions(old_grid=(3, 4), new_grid=(4, 3))
    params, _ = jinit.load({"w": leaf(12, 2)}, {"w": table}, adapt={"w": adapter})
    expected = jax.image.resize(jnp.asarray(table.reshape(3, 4, 2)), (4, 3, 2), "cubic")
    np.testing.assert_allclose(params["w"], expected.reshape(12, 2), atol=2e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dims": 3}, r"`dims` \(=3\) must be 1 or 2"),
        ({"dims": 1, "old_grid": (2, 2)}, r"belong to dims=2; a sequence has none"),
        ({"method": "nearest"}, r"`method` \(='nearest'\) must be one of 'cubic', 'linear'"),
        ({"prefix": -1}, r"`prefix` \(=-1\) must be at least 0"),
        ({"old_grid": (3,)}, r"`old_grid` \(=\(3,\)\) must be two positive extents"),
    ],
)
def test_positions_options(options, message):
    with pytest.raises(ValueError, match=message):
        resize_positions(**options)


# --- channels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["mean", "repeat"])
@pytest.mark.parametrize("channels", [1, 6, 12])
def test_equal_channels_mean_what_one_did(method, channels):
    """On an image whose channels are equal, the response is the old one: sums are kept."""
    if method == "repeat" and channels == 1:
        channels = 3 * 3  # of one channel alone, another's colours are not known
    kernel = drawn(3, 3, 3, 8)
    made = adapted(kernel, (3, 3, channels, 8), fit_channels(method))
    np.testing.assert_allclose(made.sum(axis=2), kernel.sum(axis=2), rtol=2e-5, atol=1e-6)


def test_channels_in_turn():
    kernel = drawn(3, 3, 3, 2)
    made = adapted(kernel, (3, 3, 5, 2), fit_channels("repeat"))
    for channel in range(5):
        np.testing.assert_allclose(made[:, :, channel], kernel[:, :, channel % 3] * 0.6, rtol=1e-6)
    refused(
        kernel, (5, 5, 1, 2), fit_channels(), r"differ along axes \[0, 1, 2\]; one is allowed, a"
    )


# --- kernel sizes -----------------------------------------------------------------------------


def test_a_padded_kernel_is_the_same_function():
    kernel, x = drawn(3, 3, 2, 4), drawn(1, 8, 8, 2, seed=1)
    made = adapted(kernel, (5, 7, 2, 4), resize_kernel("pad"))

    def run(kernel):
        layout = jax.lax.conv_dimension_numbers(x.shape, kernel.shape, ("NHWC", "HWIO", "NHWC"))
        kernel = jnp.asarray(kernel, jnp.float32)
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)

    np.testing.assert_allclose(run(made), run(kernel), atol=1e-6)
    cut = adapted(made.astype(np.float32), (3, 3, 2, 4), resize_kernel("pad"))
    np.testing.assert_array_equal(cut, kernel)


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_interpolated_kernels_keep_their_sum(method):
    kernel = drawn(3, 3, 2, 4) + 1
    made = adapted(kernel, (6, 6, 2, 4), resize_kernel(method))
    np.testing.assert_allclose(made.sum(axis=(0, 1)), kernel.sum(axis=(0, 1)), rtol=0.1)
    flat = adapted(np.ones((3, 3, 1, 1), np.float32), (6, 6, 1, 1), resize_kernel(method))
    np.testing.assert_allclose(flat, 0.25, rtol=1e-6)


def test_an_inflated_kernel_sees_a_still_clip_as_its_image():
    kernel = drawn(1, 3, 3, 2, 4)
    made = adapted(kernel, (5, 3, 3, 2, 4), resize_kernel("inflate"))
    np.testing.assert_allclose(made.sum(axis=0), kernel[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(made[0], made[4])


def test_patches_enlarged_embed_to_what_they_did():
    """`<B x, w'> = <x, w>` for every patch x, where B enlarges bilinearly."""
    kernel, patch = drawn(4, 4, 1, 6), drawn(4, 4, 1, seed=1)
    made = adapted(kernel, (8, 8, 1, 6), resize_kernel("pseudoinverse"))
    enlarged = np.asarray(jax.image.resize(patch, (8, 8, 1), "linear"), np.float64)
    np.testing.assert_allclose(
        np.einsum("hwi,hwio->o", enlarged, made), np.einsum("hwi,hwio->o", patch, kernel), atol=2e-5
    )


def test_kernels_refused():
    refused(
        drawn(3, 3, 2, 4), (4, 4, 2, 4), resize_kernel("pad"), r"3 taps have no middle place amo"
    )
    refused(drawn(3, 3, 2, 4), (5, 5, 3, 4), resize_kernel(), r"differ along axes \[2\] too")
    refused(drawn(3, 3, 2, 4), (5, 3, 2, 4), resize_kernel("inflate"), r"'inflate' repeats one tap")
    refused(drawn(5, 2, 4), (3, 2, 4), resize_kernel("pseudoinverse"), r"'pseudoinverse' enlarges")


# --- selection --------------------------------------------------------------------------------


def test_units_are_evenly_spaced():
    """Of 12 units 4: 0, 3, 6, 9; of 10 units 4: round(linspace(0, 9, 4)) = 0, 3, 6, 9."""
    for old in (12, 10):
        kernel = drawn(old, 6)
        made = adapted(kernel, (4, 3), select_units())
        np.testing.assert_array_equal(made, kernel[[0, 3, 6, 9]][:, [0, 2, 4]])
    kernel = drawn(7)
    np.testing.assert_array_equal(adapted(kernel, (5,), select_units()), kernel[[0, 2, 3, 4, 6]])
    refused(drawn(4, 6), (4, 7), select_units(), r"\[4, 6\] has fewer units along axis 1 than w fl")


def test_layers_of_a_stack_are_the_first_or_even_ones():
    kernel = drawn(6, 4)
    stacked = {"w": 1}
    first = adapted(kernel, (2, 2), select_units(), stacked=stacked)
    np.testing.assert_array_equal(first, kernel[:2][:, [0, 2]])
    even = adapted(kernel, (2, 2), select_units(layers="even"), stacked=stacked)
    np.testing.assert_array_equal(even, kernel[[0, 3]][:, [0, 2]])


# --- Net2Net ----------------------------------------------------------------------------------


def mlp(params, x):
    for name in sorted(params):
        x = x @ np.asarray(params[name]["kernel"], np.float64) + np.asarray(params[name]["bias"])
        x = np.maximum(x, 0) if name != sorted(params)[-1] else x
    return x


def perceptron(*widths):
    return {
        f"fc_{n}": {"kernel": drawn(*pair, seed=n), "bias": drawn(pair[1], seed=9 + n)}
        for n, pair in enumerate(itertools.pairwise(widths))
    }


def shapes(tree):
    return jax.tree.map(lambda value: leaf(*value.shape), tree)


def test_a_wider_net_computes_what_it_did():
    old = perceptron(6, 8, 5, 3)
    units = [widened_units(jax.random.key(n), *pair) for n, pair in enumerate([(8, 13), (5, 9)])]
    adapters = {
        "fc_0/*": widen(outputs=units[0]),
        "fc_1/kernel": widen(inputs=units[0], outputs=units[1]),
        "fc_1/bias": widen(outputs=units[1]),
        "fc_2/kernel": widen(inputs=units[1]),
    }
    wide, report = jinit.load(shapes(perceptron(6, 13, 9, 3)), old, on_mismatch=adapters)
    assert report.totals == report.totals | {"adapted": 5, "loaded": 1}
    x = drawn(20, 6, seed=5).astype(np.float64)
    np.testing.assert_allclose(mlp(wide, x), mlp(old, x), rtol=1e-5, atol=1e-5)


def test_a_wider_convolution_computes_what_it_did():
    units = widened_units(KEY, 4, 7)
    old = {"a": {"kernel": drawn(3, 3, 2, 4)}, "b": {"kernel": drawn(3, 3, 4, 3, seed=1)}}
    new = {"a": {"kernel": leaf(3, 3, 2, 7)}, "b": {"kernel": leaf(3, 3, 7, 3)}}
    adapters = {"a/*": widen(outputs=units), "b/*": widen(inputs=units)}
    wide, _ = jinit.load(new, old, on_mismatch=adapters)

    def run(params, x):
        for name in ("a", "b"):
            layout = ("NHWC", "HWIO", "NHWC")
            kernel = jnp.asarray(params[name]["kernel"])
            x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)
            x = jax.nn.relu(x)
        return x

    x = drawn(1, 6, 6, 2, seed=4)
    np.testing.assert_allclose(run(wide, x), run(old, x), rtol=1e-5, atol=1e-5)


def test_a_deeper_net_computes_what_it_did():
    """A layer more is the identity after a rectifier: a rule, for leaves that are missing."""
    old = perceptron(6, 8, 3)
    deep = shapes({"fc_0": old["fc_0"], "fc_2": old["fc_1"]})
    deep["fc_1"] = {"kernel": leaf(8, 8), "bias": leaf(8)}
    tensors = {"fc_0": old["fc_0"], "fc_2": old["fc_1"]}
    rules = {"fc_1/kernel": jinit.identity(), "fc_1/bias": jinit.zeros, "**": jinit.normal(1.0)}
    made, report = jinit.load(deep, tensors, rules=rules, key=KEY, on_missing={"fc_1/*": "draw"})
    assert report.totals["drawn"] == 2
    x = drawn(20, 6, seed=5).astype(np.float64)
    np.testing.assert_allclose(mlp(made, x), mlp(old, x), rtol=1e-5, atol=1e-5)


def test_units_are_copied_evenly():
    """Of 4 units 4 + 40,000 drawn: each about 10,000 times, within 5 sqrt(n p (1 - p))."""
    units = widened_units(KEY, 4, 40004)
    np.testing.assert_array_equal(units[:4], np.arange(4))
    counts = np.bincount(units[4:], minlength=4)
    assert (np.abs(counts - 10000) < 5 * np.sqrt(40000 * 0.25 * 0.75)).all()


def test_widening_refused():
    with pytest.raises(ValueError, match=r"`new` \(=3\) must be at least `old` \(=4\)"):
        widened_units(KEY, 4, 3)
    with pytest.raises(ValueError, match=r"must be the old unit that each new one copies"):
        widen(outputs=[0, 2])
    with pytest.raises(ValueError, match=r"give `outputs`, the units that the layer makes, `inp"):
        widen()
    refused(drawn(4, 3), (4, 6), widen(outputs=[0, 1, 1]), r"2 to 3 units are widened, and axis 1")
    units = [0, 1, 2, 0, 1, 2]
    refused(
        drawn(4, 3), (5, 6), widen(outputs=units), r"the tensor \[4, 3\] widened is \[4, 6\], not"
    )
    refused(drawn(3), (6,), widen(inputs=units), r"axis -2 is none of the 1 axes of w float32\[6\]")


# --- what adapters share ----------------------------------------------------------------------


def test_axes_refused():
    refused(
        drawn(6, 4), (8, 4), grow_rows("mean", axis=2), r"`axis` \(=2\) is none of the 2 axes of"
    )
    refused(
        drawn(6, 4), (8, 4), grow_rows("mean", axis=1), r"differ along axes \[0\]; one is allowed"
    )
    with pytest.raises(LoadError, match=r"w float32\[6,4\] has the tensor's shape; name the axis"):
        jinit.load({"w": leaf(6, 4)}, {"w": drawn(6, 4)}, adapt={"w": grow_rows("mean")})


ADAPTERS = {
    "grow_rows('mean_covariance')": grow_rows(),
    "grow_rows(rows given)": grow_rows(rows=np.zeros((1, 2))),
    "grow_rows('mean', used=3)": grow_rows("mean", used=3),
    "resize_positions(dims=2, prefix=1, cubic)": resize_positions(prefix=1),
    "resize_positions(dims=2, linear (2, 2) to None)": resize_positions(
        old_grid=(2, 2), method="linear"
    ),
    "fit_channels('repeat')": fit_channels("repeat"),
    "resize_kernel('pad')": resize_kernel(),
    "select_units()": select_units(),
    "select_units(layers='even')": select_units(layers="even"),
    "widen(outputs 2 to 3, inputs 1 to 2)": widen(outputs=[0, 1, 1], inputs=[0, 0]),
}


@pytest.mark.parametrize("text", ADAPTERS)
def test_adapters_say_what_they_do(text):
    assert repr(ADAPTERS[text]) == text
