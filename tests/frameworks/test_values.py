"""Promises that every borrowed scheme keeps: a value, a function, drawn by its shape and dtype."""

import inspect
import json
import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.factory import Scheme
from jinit.frameworks import caffe, equinox, haiku, keras, lux, mxnet, tensorflow, torch
from jinit.frameworks.borrowing import borrowed

KEY = jax.random.key(15)
FRAMEWORKS = (caffe, equinox, haiku, keras, lux, mxnet, tensorflow, tensorflow.contrib, torch)
MATRIX, KERNEL = (6, 4), (3, 3, 4, 6)
tf = tensorflow

# One example of each with options of its own, and a shape for which it is defined.
EXAMPLES = [
    (caffe.bilinear(), KERNEL),
    (caffe.constant(0.5), MATRIX),
    (caffe.gaussian(0.1, std=0.5, sparse=2), MATRIX),
    (caffe.msra("AVERAGE"), KERNEL),
    (caffe.positive_unitball(layout="OI"), MATRIX),
    (caffe.uniform(-0.5, 0.5), MATRIX),
    (caffe.xavier(variance_norm="FAN_OUT", layout="OIHW"), KERNEL),
    (equinox.default_init(layout="OI"), MATRIX),
    (haiku.Constant([1.0, 2.0, 3.0, 4.0]), MATRIX),
    (haiku.Identity(2.0), MATRIX),
    (haiku.Orthogonal(2.0, 0), MATRIX),
    (haiku.RandomNormal(0.1), MATRIX),
    (haiku.RandomUniform(-1.0), MATRIX),
    (haiku.TruncatedNormal(0.1, upper=3.0), MATRIX),
    (haiku.UniformScaling(2.0), KERNEL),
    (haiku.VarianceScaling(2.0, fan_in_axes=(0, 1)), KERNEL),
    (haiku.default_w_init(), KERNEL),
    (keras.Constant(0.5), MATRIX),
    (keras.GlorotNormal(input_axes=(0,), output_axes=(1,)), MATRIX),
    (keras.GlorotUniform(in_axis=0, out_axis=1), MATRIX),
    (keras.HeNormal(), KERNEL),
    (keras.HeUniform(), KERNEL),
    (keras.Identity(2.0), MATRIX),
    (keras.LecunNormal(), KERNEL),
    (keras.LecunUniform(), KERNEL),
    (keras.Ones(), MATRIX),
    (keras.Orthogonal(2.0), MATRIX),
    (keras.RandomNormal(0.1), MATRIX),
    (keras.RandomUniform(0.0, 1.0), MATRIX),
    (keras.STFT("imag", window=np.array([0.5, 1.0, 0.5])), (3, 1, 3)),
    (keras.TruncatedNormal(0.1), MATRIX),
    (keras.VarianceScaling(2.0, "fan_avg", "uniform"), KERNEL),
    (keras.Zeros(), MATRIX),
    (lux.glorot_normal(gain=2.0), MATRIX),
    (lux.glorot_uniform(gain=2.0), MATRIX),
    (lux.identity_init(shift=1), KERNEL),
    (lux.kaiming_normal(gain=1.0), KERNEL),
    (lux.kaiming_uniform(gain=1.0), KERNEL),
    (lux.ones32(), MATRIX),
    (lux.orthogonal(gain=2.0), MATRIX),
    (lux.rand32(), MATRIX),
    (lux.randn32(), MATRIX),
    (lux.sparse_init(sparsity=0.5), MATRIX),
    (lux.truncated_normal(std=0.5, lo=-1.0), MATRIX),
    (lux.zeros32(), MATRIX),
    (mxnet.Bilinear(layout="OIHW"), KERNEL),
    (mxnet.Constant(0.5), MATRIX),
    (mxnet.LSTMBias(0.5), (8,)),
    (mxnet.MSRAPrelu("in", 0.0), KERNEL),
    (mxnet.Normal(0.5), MATRIX),
    (mxnet.One(), MATRIX),
    (mxnet.Orthogonal(1.0), MATRIX),
    (mxnet.Uniform(0.5), MATRIX),
    (mxnet.Xavier("gaussian", "in", 2), KERNEL),
    (mxnet.Zero(), MATRIX),
    (tf.constant_initializer([1.0, 2.0]), MATRIX),
    (tf.contrib.variance_scaling_initializer(1.0, "FAN_AVG"), KERNEL),
    (tf.contrib.xavier_initializer(False), KERNEL),
    (tf.convolutional_delta_orthogonal(2.0), KERNEL),
    (tf.convolutional_orthogonal_1d(), (3, 2, 4)),
    (tf.convolutional_orthogonal_2d(), (2, 2, 2, 4)),
    (tf.convolutional_orthogonal_3d(), (1, 1, 1, 2, 4)),
    (tf.glorot_normal_initializer(legacy=True), KERNEL),
    (tf.glorot_uniform_initializer(), KERNEL),
    (tf.he_normal(legacy=True), KERNEL),
    (tf.he_uniform(), KERNEL),
    (tf.identity_initializer(2.0), MATRIX),
    (tf.lecun_normal(legacy=True), KERNEL),
    (tf.lecun_uniform(), KERNEL),
    (tf.ones_initializer(), MATRIX),
    (tf.orthogonal_initializer(2.0), MATRIX),
    (tf.random_normal_initializer(0.5), MATRIX),
    (tf.random_uniform_initializer(-1.0), MATRIX),
    (tf.truncated_normal_initializer(0.5), MATRIX),
    (tf.uniform_unit_scaling_initializer(1.43), KERNEL),
    (tf.variance_scaling_initializer(2.0, legacy=True), KERNEL),
    (tf.zeros_initializer(), MATRIX),
    (torch.constant_(0.5), MATRIX),
    (torch.dirac_(2), KERNEL),
    (torch.eye_(), MATRIX),
    (torch.kaiming_normal_(0.2, "fan_out"), KERNEL),
    (torch.kaiming_uniform_(nonlinearity="tanh"), KERNEL),
    (torch.normal_(std=0.5), MATRIX),
    (torch.ones_(), MATRIX),
    (torch.orthogonal_(2, layout="OI"), MATRIX),
    (torch.sparse_(0.5, layout="OI"), MATRIX),
    (torch.trunc_normal_(std=0.5, b=1.0), MATRIX),
    (torch.uniform_(-1.0), MATRIX),
    (torch.xavier_normal_(2.0, batch_axis=0, in_axis=-2), KERNEL),
    (torch.xavier_uniform_(2.0, layout="OIHW"), KERNEL),
    (torch.zeros_(), MATRIX),
]

examples = pytest.mark.parametrize(("init", "shape"), EXAMPLES, ids=lambda v: repr(v)[17:80])


def drawn(init, shape, dtype=jnp.float32):
    return init(None if init.scheme.keyless else KEY, shape, dtype)


def test_every_borrowed_scheme_has_an_example():
    names = [init.scheme.__name__ for init, _ in EXAMPLES]
    assert sorted(names) == sorted(borrowed)


def test_every_borrowed_scheme_is_public_where_its_name_says():
    for name, scheme in borrowed.items():
        room, *path = name.split(".")
        assert room == "frameworks"
        home = jinit.frameworks
        for part in path:
            home = getattr(home, part)
        assert home is scheme, name


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda module: module.__name__)
def test_public_names_are_documented(framework):
    assert len(set(framework.__all__)) == len(framework.__all__)
    for name in framework.__all__:
        value = getattr(framework, name)
        assert inspect.ismodule(value) or inspect.getdoc(value), name
        if isinstance(value, Scheme):
            described = inspect.getdoc(value)
            for option in value.signature.parameters:
                assert f"    {option}: " in described, f"{name} does not describe `{option}`"


@pytest.mark.parametrize("name", sorted(borrowed))
def test_the_first_line_states_the_law(name):
    first = inspect.getdoc(borrowed[name]).splitlines()[0]
    assert re.search(r"[`=~0-9]|Given values|Positive", first), first


@examples
def test_value(init, shape):
    again = eval(repr(init), {"jinit": jinit, "np": np})
    thawed = pickle.loads(pickle.dumps(init))
    written = jinit.from_config(json.loads(json.dumps(jinit.to_config(init))))
    for copy in (again, thawed, written):
        assert copy == init
        assert hash(copy) == hash(init)
        assert repr(copy) == repr(init)
    assert init != jinit.normal(123.0)
    assert pickle.loads(pickle.dumps(init.scheme)) is init.scheme


@examples
def test_shape_dtype_and_routes(init, shape):
    weights = drawn(init, shape)
    assert weights.shape == shape
    assert weights.dtype == jnp.float32
    assert np.isfinite(weights).all()
    whole = init.scheme(KEY, shape, jnp.float32, **init.changed())
    np.testing.assert_array_equal(whole, weights)
    narrow = drawn(init, shape, jnp.bfloat16)
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_array_equal(
        np.asarray(narrow, np.float32), np.asarray(weights).astype(jnp.bfloat16).astype(np.float32)
    )
    if not init.scheme.keyless:
        other = init(jax.random.key(16), shape)
        assert (np.asarray(other) != np.asarray(weights)).any()


@examples
def test_dtype_option(init, shape):
    halved = init.replace(dtype="float16")
    key = None if init.scheme.keyless else KEY
    assert halved(key, shape).dtype == jnp.float16
    assert halved(key, shape, jnp.float32).dtype == jnp.float32


@pytest.mark.parametrize(
    ("init", "shape"),
    [(init, shape) for init, shape in EXAMPLES if shape in (MATRIX, KERNEL)],
    ids=lambda v: repr(v)[17:80],
)
def test_empty_shapes(init, shape):
    """A layer without inputs has no weights, and is no error."""
    empty = (*shape[:-2], 0, shape[-1])
    assert drawn(init, empty).shape == empty


EXACT = re.compile(r"orthogonal|eye_|identity\(|dirac_", re.IGNORECASE)


@pytest.mark.parametrize(
    ("init", "shape"),
    [(init, shape) for init, shape in EXAMPLES if EXACT.search(repr(init))],
    ids=lambda v: repr(v)[17:80],
)
def test_stated_spread_of_matrices(init, shape):
    """The root mean square that such weights have, exactly."""
    weights = np.asarray(drawn(init, shape), np.float64)
    np.testing.assert_allclose(np.sqrt((weights**2).mean()), init.std(shape), rtol=1e-4)


@pytest.mark.parametrize(
    "init",
    [torch.kaiming_normal_(), caffe.gaussian(sparse=2), mxnet.Orthogonal(), haiku.default_w_init()],
    ids=repr,
)
def test_jit_and_vmap(init):
    keys = jax.random.split(KEY, 3)
    mapped = jax.jit(jax.vmap(lambda key: init(key, MATRIX)))(keys)
    alone = [init(key, MATRIX) for key in keys]
    np.testing.assert_allclose(mapped, np.stack(alone), atol=2e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda s: torch.normal_(std=s),
        lambda s: torch.xavier_uniform_(s),
        lambda s: keras.VarianceScaling(s),
        lambda s: tf.variance_scaling_initializer(s, legacy=True),
        lambda s: mxnet.Xavier(magnitude=s),
        lambda s: caffe.gaussian(std=s),
        lambda s: haiku.TruncatedNormal(s),
        lambda s: lux.kaiming_normal(gain=s),
        lambda s: equinox.default_init(s),
    ],
)
def test_scales_may_be_traced(make):
    """As in a search for the best scale: one program for all of them."""
    jitted = jax.jit(lambda key, s: make(s)(key, MATRIX))(KEY, jnp.float32(0.3))
    np.testing.assert_allclose(jitted, make(0.3)(KEY, MATRIX), rtol=1e-6)


def test_factories_draw_with_their_defaults():
    np.testing.assert_array_equal(
        torch.kaiming_normal_(KEY, MATRIX), torch.kaiming_normal_()(KEY, MATRIX)
    )
    np.testing.assert_array_equal(keras.Zeros(None, MATRIX), np.zeros(MATRIX))


def test_options_that_do_not_exist():
    with pytest.raises(
        TypeError, match=r"jinit.frameworks.torch.normal_: .*options are `dtype`, `mean`, `std`"
    ):
        torch.normal_(stddev=1.0)


def test_configurations_name_what_there_is():
    with pytest.raises(ValueError, match=r"no scheme is called 'frameworks\.torch\.kaiming'"):
        jinit.from_config({"scheme": "frameworks.torch.kaiming"})
    with pytest.raises(ValueError, match=r"no scheme is called 'frameworks\.os\.system'"):
        jinit.from_config({"scheme": "frameworks.os.system"})
    assert jinit.get("frameworks.keras.HeNormal") == keras.HeNormal()


# In whole models.


def test_fans_follow_the_use_of_a_leaf_and_gains_do_not():
    from flax import linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.gelu(nn.DenseGeneral((4, 8), name="heads")(x))
            return nn.Conv(6, (3,), strides=2, name="conv")(x)

    x = jnp.zeros((1, 5, 16))
    rules = {
        "**/heads/kernel": torch.kaiming_normal_(),
        "**/conv/kernel": torch.kaiming_normal_(mode="fan_out"),
        "**": jinit.zeros,
    }
    params = jax.eval_shape(Net().init, KEY, x)
    usage = jinit.trace(Net().apply, params, x)
    stds = {
        row.path.split("/")[-2]: row.std
        for row in jinit.plan(params, rules, usage=usage)
        if row.std
    }
    # Torch's own gain, though a GELU follows the heads, and no stride in its fan_out.
    assert stds == pytest.approx({"heads": (2 / 16) ** 0.5, "conv": (2 / (3 * 6)) ** 0.5})
    native = jinit.plan(
        params, {"**/heads/kernel": jinit.he_normal, "**": jinit.zeros}, usage=usage
    )
    assert "gelu" in repr([row.init for row in native])


def test_axes_that_are_given_stand():
    """In the framework's own words too."""
    shapes = {"heads": {"kernel": jax.ShapeDtypeStruct((16, 4, 8), jnp.float32)}}
    rules = {"**": keras.HeNormal(input_axes=(0,), output_axes=(1, 2))}
    layouts = {"heads/kernel": "BIO"}
    plan = jinit.plan(shapes, rules, layouts=layouts)
    assert plan["heads/kernel"].std == pytest.approx((2 / 16) ** 0.5)


def test_structures_follow_the_order_of_a_leaf():
    """Equinox stores (out, in, *taps): what has a layout is told so."""
    eqx = pytest.importorskip("equinox")

    def models():
        return eqx.nn.Linear(200, 30, key=KEY), eqx.nn.Conv2d(3, 5, 3, key=KEY)

    linear, conv = eqx.filter_eval_shape(models)
    rules = {"weight": torch.sparse_(0.4), "**": jinit.zeros}
    weight = jinit.initialize(linear, rules, KEY).weight
    assert weight.shape == (30, 200)
    assert ((np.asarray(weight) == 0).sum(0) == 12).all()
    rules = {"weight": torch.dirac_(), "**": jinit.zeros}
    kernel = jinit.initialize(conv, rules, KEY).weight
    expected = np.zeros((5, 3, 3, 3))
    expected[np.arange(3), np.arange(3), 1, 1] = 1
    np.testing.assert_array_equal(kernel, expected)
