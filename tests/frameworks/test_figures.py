"""Frameworks that cannot be asked here, MXNet, Caffe, Lux and TensorFlow 1, by their formulas.

What each row says was read in the framework's source, and is written down here as a closed form.
Drawn weights are held against it too: n independent draws have a mean within Z std / sqrt(n), a
variance within Z sqrt((kurtosis - 1) / n) of itself, Z such that one test in 10^7 fails by chance;
there are some 60 rows.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue import Moments, normal_moments, truncated_moments, uniform_moments

from jinit.frameworks import caffe, lux, mxnet, tensorflow

KEY = jax.random.key(14)
Z = 5.33
# In JAX's order: fan_in 600, fan_out 900 of the kernel, 200 and 120 of the matrix.
CONV, DENSE, VECTOR = (3, 5, 40, 60), (200, 120), (24_000,)
SCIPY = 0.87962566103423978  # std of a standard normal cut at 2: TensorFlow's constant


def sym(bound: float) -> Moments:
    return uniform_moments(-bound, bound)


def cut(stddev: float) -> Moments:
    return truncated_moments(stddev)


def moved(law: Moments, by: float) -> Moments:
    return Moments(law.mean + by, law.std, law.kurtosis, law.low + by, law.high + by)


tf, contrib = tensorflow, tensorflow.contrib

ROWS = [
    # MXNet: s = sqrt(magnitude / factor), U(-s, s) or N(0, s).
    (mxnet.Uniform(), DENSE, sym(0.07)),
    (mxnet.Uniform(0.3), DENSE, sym(0.3)),
    (mxnet.Normal(), DENSE, normal_moments(0.01)),
    (mxnet.Normal(0.3), DENSE, normal_moments(0.3)),
    (mxnet.Xavier(), CONV, sym(math.sqrt(3 / 750))),
    (mxnet.Xavier(), DENSE, sym(math.sqrt(3 / 160))),
    (mxnet.Xavier(factor_type="in", magnitude=2.34), CONV, sym(math.sqrt(2.34 / 600))),
    (mxnet.Xavier("gaussian"), CONV, normal_moments(math.sqrt(3 / 750))),
    (mxnet.Xavier("gaussian", "in", 2), CONV, normal_moments(math.sqrt(2 / 600))),
    (mxnet.Xavier("gaussian", "out", 2), CONV, normal_moments(math.sqrt(2 / 900))),
    (mxnet.MSRAPrelu(), CONV, normal_moments(math.sqrt(2 / (1 + 0.0625) / 750))),
    (mxnet.MSRAPrelu("in", 0.0), CONV, normal_moments(math.sqrt(2 / 600))),
    (mxnet.MSRAPrelu("out", 0.5), DENSE, normal_moments(math.sqrt(2 / 1.25 / 120))),
    # Caffe: U(+-sqrt(3 / n)), N(0, 2 / n); fan_in = count / shape[0], of a vector 1.
    (caffe.uniform(), DENSE, uniform_moments(0.0, 1.0)),
    (caffe.uniform(-0.2, 0.1), DENSE, uniform_moments(-0.2, 0.1)),
    (caffe.gaussian(), DENSE, normal_moments(1.0)),
    (caffe.gaussian(0.5, 0.01), DENSE, normal_moments(0.01, 0.5)),
    (caffe.xavier(), CONV, sym(math.sqrt(3 / 600))),
    (caffe.xavier("FAN_OUT"), CONV, sym(math.sqrt(3 / 900))),
    (caffe.xavier("AVERAGE"), CONV, sym(math.sqrt(3 / 750))),
    (caffe.xavier(), VECTOR, sym(math.sqrt(3))),
    (caffe.xavier("FAN_OUT"), VECTOR, sym(math.sqrt(3 / 24_000))),
    (caffe.msra(), CONV, normal_moments(math.sqrt(2 / 600))),
    (caffe.msra("FAN_OUT"), CONV, normal_moments(math.sqrt(2 / 900))),
    (caffe.msra("AVERAGE"), DENSE, normal_moments(math.sqrt(2 / 160))),
    # Lux: (rand - 1/2) * gain * sqrt(24 / (fan_in + fan_out)) and the like; of a vector (1, n).
    (lux.rand32(), DENSE, uniform_moments(0.0, 1.0)),
    (lux.randn32(), DENSE, normal_moments(1.0)),
    (lux.glorot_uniform(), CONV, sym(math.sqrt(24 / 1500) / 2)),
    (lux.glorot_uniform(gain=2.0), DENSE, sym(math.sqrt(24 / 320))),
    (lux.glorot_uniform(), VECTOR, sym(math.sqrt(6 / 24_001))),
    (lux.glorot_normal(), CONV, normal_moments(math.sqrt(2 / 1500))),
    (lux.kaiming_uniform(), CONV, sym(math.sqrt(2) * math.sqrt(3 / 600))),
    (lux.kaiming_uniform(), VECTOR, sym(math.sqrt(6))),
    (lux.kaiming_normal(gain=1.0), CONV, normal_moments(math.sqrt(1 / 600))),
    (lux.kaiming_normal(), DENSE, normal_moments(0.1)),
    (lux.truncated_normal(), DENSE, cut(1.0)),
    (lux.truncated_normal(std=2.0, lo=-1.0, hi=3.0), DENSE, truncated_moments(2.0, -0.5, 1.5)),
    (lux.dense().weight, DENSE, sym(math.sqrt(3 / 200))),
    (lux.dense(activation="relu").weight, DENSE, sym(2.0 * math.sqrt(3 / 200))),
    (lux.dense(activation="leaky_relu").weight, DENSE, sym(1 / math.sqrt(200))),
    (lux.conv(activation="tanh").weight, CONV, sym(5 / 3 * math.sqrt(3 / 600))),
    (lux.dense(24).bias, VECTOR, sym(1 / math.sqrt(24))),
    (lux.conv(8, (3, 5), 2).bias, VECTOR, sym(1 / math.sqrt(60))),
    (lux.embedding().weight, DENSE, uniform_moments(0.0, 1.0)),
    (lux.recurrent(64).weight, DENSE, normal_moments(0.25, -0.125)),
    # TensorFlow 1.
    (tf.random_uniform_initializer(), DENSE, uniform_moments(0.0, 1.0)),
    (tf.random_uniform_initializer(-0.1, 0.3), DENSE, uniform_moments(-0.1, 0.3)),
    (tf.random_normal_initializer(), DENSE, normal_moments(1.0)),
    (tf.random_normal_initializer(0.5, 0.1), DENSE, normal_moments(0.1, 0.5)),
    (tf.truncated_normal_initializer(), DENSE, cut(1.0)),
    (tf.truncated_normal_initializer(0.5, 0.1), DENSE, moved(cut(0.1), 0.5)),
    (tf.variance_scaling_initializer(), CONV, cut(math.sqrt(1 / 600) / SCIPY)),
    (tf.variance_scaling_initializer(legacy=True), CONV, cut(math.sqrt(1 / 600))),
    (
        tf.variance_scaling_initializer(2.0, "fan_out", "NORMAL", legacy=True),
        CONV,
        cut(math.sqrt(2 / 900)),
    ),
    (
        tf.variance_scaling_initializer(2.0, "fan_avg", "untruncated_normal", legacy=True),
        CONV,
        normal_moments(math.sqrt(2 / 750)),
    ),
    (tf.variance_scaling_initializer(distribution="uniform"), VECTOR, sym((3 / 24_000) ** 0.5)),
    (tf.glorot_uniform_initializer(), CONV, sym(math.sqrt(6 / 1500))),
    (tf.glorot_normal_initializer(), CONV, cut(math.sqrt(2 / 1500) / SCIPY)),
    (tf.glorot_normal_initializer(legacy=True), CONV, cut(math.sqrt(2 / 1500))),
    (tf.he_normal(), DENSE, cut(0.1 / SCIPY)),
    (tf.he_normal(legacy=True), DENSE, cut(0.1)),
    (tf.he_uniform(), DENSE, sym(math.sqrt(6 / 200))),
    (tf.lecun_normal(), DENSE, cut(math.sqrt(1 / 200) / SCIPY)),
    (tf.lecun_normal(legacy=True), DENSE, cut(math.sqrt(1 / 200))),
    (tf.lecun_uniform(), DENSE, sym(math.sqrt(3 / 200))),
    (tf.uniform_unit_scaling_initializer(1.43), CONV, sym(1.43 * math.sqrt(3 / 600))),
    (contrib.variance_scaling_initializer(), CONV, cut(math.sqrt(1.3 * 2 / 600))),
    (contrib.variance_scaling_initializer(1.0, "FAN_OUT", True), CONV, sym((3 / 900) ** 0.5)),
    (contrib.xavier_initializer(), CONV, sym(math.sqrt(3 / 750))),
    (contrib.xavier_initializer(False), CONV, cut(math.sqrt(1.3 / 750))),
]


@pytest.mark.parametrize(("init", "shape", "law"), ROWS, ids=lambda value: repr(value)[:70])
def test_formulas(init, shape, law):
    np.testing.assert_allclose(init.std(shape), law.std, rtol=1e-6)
    weights = np.asarray(init(KEY, shape), np.float64)
    assert weights.shape == shape
    n = weights.size
    assert n >= 24_000
    assert abs(weights.mean() - law.mean) < Z * law.std / math.sqrt(n)
    assert abs(weights.var() / law.std**2 - 1) < Z * math.sqrt((law.kurtosis - 1) / n)
    if math.isinf(law.high):
        # Not truncated: that none of 24,000 is beyond 3 std has a chance of exp(-32) on each side.
        assert weights.max() > law.mean + 3 * law.std
        assert weights.min() < law.mean - 3 * law.std
    else:
        slack = 1e-6 * (law.high - law.low)
        # A uniform law reaches its ends, a cut normal has 5% of its greatest density there.
        near = 0.05 * (law.high - law.low)
        assert law.low - slack <= weights.min() < law.low + near
        assert law.high - near < weights.max() <= law.high + slack


@pytest.mark.parametrize(
    "scheme", [mxnet.Xavier, mxnet.MSRAPrelu, caffe.xavier, caffe.msra, lux.kaiming_normal]
)
def test_layouts(scheme):
    """Fans of the framework's own order are those of JAX's."""
    init = scheme(layout="OIHW")
    assert init.std((60, 40, 3, 5)) == pytest.approx(scheme().std(CONV), rel=1e-7)
    assert scheme(layout="OI").std((120, 200)) == pytest.approx(scheme().std(DENSE), rel=1e-7)


# What no variance describes.


@pytest.mark.parametrize("rand_type", ["uniform", "normal"])
@pytest.mark.parametrize("shape", [(8, 12), (12, 8), (2, 2, 3, 5)])
def test_mxnet_orthogonal(rand_type, shape):
    init = mxnet.Orthogonal(rand_type=rand_type)
    matrix = np.asarray(init(KEY, shape), np.float64).reshape(-1, shape[-1]) / 1.414
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(tall.T @ tall, np.eye(tall.shape[1]), atol=1e-5)
    assert init.std(shape) == pytest.approx(1.414 / math.sqrt(max(matrix.shape)))


def test_mxnet_orthogonal_of_a_uniform_matrix_is_its_singular_vectors():
    """Of one column the singular vector is the normalized column: not uniform on the sphere.

    Two uniform coordinates point at an angle from the nearer axis whose tangent is uniform on
    [0, 1): its mean is 1/2, and tan of a uniform angle has mean log(2) / (pi / 2) = 0.4413.
    """
    init = mxnet.Orthogonal(1.0)
    keys = jax.random.split(KEY, 20_000)
    signed = np.asarray(jax.vmap(lambda key: init(key, (2, 1)))(keys), np.float64)
    vectors = np.abs(signed)
    tangent = vectors.min(axis=(1, 2)) / vectors.max(axis=(1, 2))
    tolerance = Z * math.sqrt(1 / 12 / len(tangent))
    # Uniform on [-1, 1), not on [0, 1): both signs are alike as often as not.
    assert abs((signed.prod(axis=(1, 2)) > 0).mean() - 1 / 2) < Z * math.sqrt(1 / 4 / len(tangent))
    assert abs(tangent.mean() - 1 / 2) < tolerance
    of_normal = jax.vmap(lambda key: mxnet.Orthogonal(1.0, "normal")(key, (2, 1)))(keys)
    of_normal = np.abs(np.asarray(of_normal, np.float64))
    tangent = of_normal.min(axis=(1, 2)) / of_normal.max(axis=(1, 2))
    assert abs(tangent.mean() - math.log(2) / (math.pi / 2)) < tolerance


def test_mxnet_bilinear():
    """Element by element, as its loop over a blob (out, in, height, width) does."""
    for height, width in ((3, 3), (4, 4), (6, 6), (2, 5), (1, 1)):
        factor = math.ceil(width / 2)
        centre = (2 * factor - 1 - factor % 2) / (2.0 * factor)
        expected = np.empty((2, 3, height, width))
        for i in range(expected.size):
            x, y = i % width, (i // width) % height
            expected.flat[i] = (1 - abs(x / factor - centre)) * (1 - abs(y / factor - centre))
        weights = mxnet.Bilinear(layout="OIHW")(None, expected.shape)
        np.testing.assert_allclose(weights, expected, atol=1e-7)
        usual = mxnet.Bilinear()(None, (height, width, 3, 2))
        np.testing.assert_array_equal(usual, np.transpose(weights, (2, 3, 1, 0)))
    three = mxnet.Bilinear()(None, (3, 3, 1, 1))[:, :, 0, 0]
    np.testing.assert_allclose(three[1] / three[1, 1], [1 / 3, 1, 1], atol=1e-6)


def test_caffe_bilinear():
    for k in (1, 2, 3, 4, 5, 6):
        factor = math.ceil(k / 2)
        centre = (k - 1) / (2.0 * factor)
        taps = 1 - np.abs(np.arange(k) / factor - centre)
        expected = np.broadcast_to(np.outer(taps, taps), (2, 3, k, k))
        weights = caffe.bilinear(layout="OIHW")(None, expected.shape)
        np.testing.assert_allclose(weights, expected, atol=1e-7)


def test_mxnet_lstm_bias():
    np.testing.assert_array_equal(mxnet.LSTMBias(2.0)(None, (8,)), [0, 0, 2, 2, 0, 0, 0, 0])


def test_caffe_sparse_gaussian():
    """Each weight stays with probability sparse / outputs, on its own."""
    init = caffe.gaussian(std=0.5, sparse=30)
    weights = np.asarray(init(KEY, (200, 120)), np.float64)
    kept = weights != 0
    n, p = kept.size, 30 / 120
    assert abs(kept.mean() - p) < Z * math.sqrt(p * (1 - p) / n)
    assert len(set(kept.sum(0))) > 1
    assert len(set(kept.sum(1))) > 1
    assert abs(weights[kept].std() / 0.5 - 1) < Z * math.sqrt(1 / (2 * kept.sum()))
    assert init.std((200, 120)) == pytest.approx(0.25)
    own = caffe.gaussian(std=0.5, sparse=30, layout="OI")
    np.testing.assert_array_equal(own(KEY, (120, 200)), weights.T)
    assert not np.asarray(caffe.gaussian(sparse=0)(KEY, (5, 4))).any()


def test_caffe_positive_unitball():
    weights = np.asarray(caffe.positive_unitball(layout="OIHW")(KEY, (6, 5, 2, 3)), np.float64)
    np.testing.assert_allclose(weights.sum((1, 2, 3)), 1.0, atol=1e-6)
    assert (weights > 0).all()
    usual = caffe.positive_unitball()(KEY, (2, 3, 5, 6))
    np.testing.assert_array_equal(usual, np.transpose(weights.astype(np.float32), (2, 3, 1, 0)))


def test_lux_identity():
    """As its loop over (rows, columns), then circshift along the rows, does."""
    for shape in ((3, 3), (2, 4), (4, 2)):
        for shift in (0, 1, -1):
            expected = np.roll(1.5 * np.eye(*shape), shift, axis=0)
            init = lux.identity_init(gain=1.5, shift=shift, layout="OI")
            np.testing.assert_array_equal(init(None, shape), expected)
    kernel = np.zeros((4, 3, 2, 3))
    kernel[1, 1, 0, 0] = kernel[1, 1, 1, 1] = 1  # cld(k, 2) counts from 1
    np.testing.assert_array_equal(lux.identity_init()(None, kernel.shape), kernel)
    turned = np.roll(kernel, (1, 1), (2, 3))
    np.testing.assert_array_equal(lux.identity_init(shift=1)(None, kernel.shape), turned)
    assert not lux.identity_init()(None, (5,)).any()
    assert lux.zeros32()(None, (2,)).tolist() == [0.0, 0.0]
    assert lux.ones32()(None, (2,)).tolist() == [1.0, 1.0]


def test_lux_sparse_and_orthogonal():
    weights = np.asarray(lux.sparse_init(sparsity=0.35, layout="OI")(KEY, (20, 30)))
    assert ((weights == 0).sum(0) == 7).all()
    assert not np.asarray(lux.sparse_init(sparsity=1.5)(KEY, (5, 4))).any()
    matrix = np.asarray(lux.orthogonal(gain=2.0)(KEY, (12, 8)), np.float64)
    np.testing.assert_allclose(matrix.T @ matrix, 4 * np.eye(8), atol=1e-5)


def test_lux_gains():
    table = {"relu": 2.0, "tanh": 5 / 3, "selu": 0.75, "sigmoid": 1.0, "identity": 1.0, "gelu": 1.0}
    assert {name: lux.calculate_gain(name) for name in table} == table
    assert lux.calculate_gain("leaky_relu") == pytest.approx(math.sqrt(2 / 1.01))
    assert lux.calculate_gain("leaky_relu", math.sqrt(5)) == pytest.approx(math.sqrt(1 / 3))


def test_tensorflow_constants_repeat_their_last_value():
    init = tensorflow.constant_initializer([[1, 2], [3, 4]])
    assert init(None, (2, 3)).tolist() == [[1, 2, 3], [4, 4, 4]]
    assert init(None, (4,), jnp.int32).tolist() == [1, 2, 3, 4]
    assert tensorflow.constant_initializer()(None, (2,)).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"`value` has 4 elements and weights of \(3,\) have 3"):
        init(None, (3,))


@pytest.mark.slow
def test_tensorflow_convolutions_are_isometries():
    for init, shape in (
        (tensorflow.convolutional_delta_orthogonal(2.0), (3, 4, 6)),
        (tensorflow.convolutional_orthogonal_1d(2.0), (3, 4, 6)),
        (tensorflow.convolutional_orthogonal_2d(2.0), (3, 3, 4, 6)),
        (tensorflow.convolutional_orthogonal_3d(2.0), (2, 2, 2, 4, 6)),
    ):
        kernel = np.asarray(init(KEY, shape), np.float64)
        taps = tuple(range(len(shape) - 2))
        operator = np.fft.fftn(kernel, [5] * len(taps), axes=taps)
        singular = np.linalg.svd(operator, compute_uv=False)
        np.testing.assert_allclose(singular, 2.0, atol=1e-4)
    matrix = np.asarray(tensorflow.orthogonal_initializer()(KEY, (12, 8)), np.float64)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(8), atol=1e-5)
    eye = tensorflow.identity_initializer(3.0)(None, (2, 3))
    np.testing.assert_array_equal(eye, 3 * np.eye(2, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mxnet.Uniform(-1.0), r"`scale` \(=-1.0\) must be >= 0"),
        (lambda: mxnet.Normal(-1.0), r"`sigma` \(=-1.0\) must be >= 0"),
        (lambda: caffe.uniform(1.0, 0.0), r"`min` \(=1.0\) must be below `max` \(=0.0\)"),
        (lambda: lux.truncated_normal(lo=3.0), r"`lo` \(=3.0\) must be below `hi` \(=2\)"),
        (lambda: lux.truncated_normal(std=0.0), r"`std` \(=0.0\) must be > 0"),
        (lambda: tf.random_uniform_initializer(2.0), r"`minval` \(=2.0\) must be below `maxval`"),
        (lambda: tf.uniform_unit_scaling_initializer(-1.0), r"`factor` \(=-1.0\) must be >= 0"),
        (lambda: tf.orthogonal_initializer(-1.0), r"`gain` \(=-1.0\) must be >= 0"),
        (lambda: mxnet.Xavier("cauchy"), r"`rnd_type` \(='cauchy'\) must be one of 'gaussian'"),
        (lambda: mxnet.Xavier(factor_type="fan_in"), r"`factor_type` \(='fan_in'\) must be one of"),
        (lambda: mxnet.Xavier(magnitude=0), r"`magnitude` \(=0\) must be > 0"),
        (lambda: mxnet.Xavier()(KEY, (3,)), r"`shape` \(=\(3,\)\) is 1-D, and fans need two axes"),
        (lambda: mxnet.MSRAPrelu("fan"), r"`factor_type` \(='fan'\) must be one of 'avg'"),
        (lambda: mxnet.Orthogonal(rand_type="x"), r"`rand_type` \(='x'\) must be one of 'normal'"),
        (lambda: mxnet.Bilinear()(None, (3, 4)), r"2-D; MXNet's Bilinear is defined for 4-D"),
        (lambda: mxnet.LSTMBias()(None, (2, 4)), r"2-D; MXNet's LSTMBias is defined for 1-D"),
        (lambda: mxnet.LSTMBias()(None, (6,)), r"must be divisible by the number of `gates`"),
        (lambda: caffe.xavier("FAN"), r"`variance_norm` \(='FAN'\) must be one of 'AVERAGE'"),
        (lambda: caffe.gaussian(sparse=-2), r"`sparse` \(=-2\) must be at least -1"),
        (
            lambda: caffe.gaussian(sparse=5)(KEY, (9, 4)),
            r"`sparse` \(=5\) exceeds the outputs \(=4\) of weights \(9, 4\)",
        ),
        (
            lambda: caffe.bilinear()(None, (3, 4, 1, 1)),
            r"has \(3, 4\) taps; Caffe's bilinear needs as many along every axis",
        ),
        (lambda: caffe.bilinear()(None, (3, 3, 1)), r"3-D; Caffe's bilinear is defined for 4-D"),
        (lambda: lux.orthogonal()(KEY, (3,)), r"1-D, and a matrix needs at least 2 axes"),
        (lambda: lux.sparse_init(sparsity=0.5)(KEY, (2, 3, 4)), r"Lux' sparse_init is defined for"),
        (lambda: lux.glorot_normal(gain=-1), r"`gain` \(=-1\) must be >= 0"),
        (lambda: lux.recurrent(0), r"`hidden_dims` \(=0\) must be at least 1"),
        (lambda: tf.variance_scaling_initializer(0.0), r"`scale` \(=0.0\) must be > 0"),
        (lambda: tf.variance_scaling_initializer(mode="in"), r"`mode` \(='in'\) must be one of"),
        (
            lambda: tf.variance_scaling_initializer(distribution="x"),
            r"`distribution` \(='x'\) must be one of 'normal'",
        ),
        (
            lambda: contrib.variance_scaling_initializer(mode="fan_in"),
            r"`mode` \(='fan_in'\) must be one of 'FAN_AVG', 'FAN_IN'",
        ),
        (lambda: tf.identity_initializer()(None, (3,)), r"1-D; TensorFlow's identity_initializer"),
        (
            lambda: tf.convolutional_orthogonal_2d()(KEY, (3, 5, 2, 4)),
            r"has \(3, 5\) taps; TensorFlow's convolutional_orthogonal_2d needs as many",
        ),
        (
            lambda: tf.convolutional_orthogonal_1d()(KEY, (3, 3, 2, 4)),
            r"4-D; TensorFlow's convolutional_orthogonal_1d is defined for 3-D weights",
        ),
        (
            lambda: tf.convolutional_delta_orthogonal()(KEY, (3, 4, 2)),
            r"more inputs \(=4\) than outputs \(=2\)",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
