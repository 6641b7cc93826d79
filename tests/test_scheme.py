"""Schemes as functions and factories, and initializers as values: edges and messages."""

import inspect
import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.factory import Scheme, registry

KEY = jax.random.key(0)


# --- drawing or configuring -------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, jax.random.PRNGKey(0), np.array([0, 0], np.uint32)], ids=repr)
def test_a_key_first_draws(key):
    drawn = jinit.he_normal(key, (3, 4))
    assert drawn.shape == (3, 4)
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(jinit.he_normal()(KEY, (3, 4))))


def test_a_traced_key_draws():
    for key in (KEY, jax.random.PRNGKey(0)):
        drawn = jax.jit(lambda key: jinit.he_normal(key, (3, 4), jnp.bfloat16))(key)
        assert drawn.dtype == jnp.bfloat16
        assert drawn.shape == (3, 4)
    assert jax.vmap(lambda key: jinit.he_normal(key, (3, 4)))(jax.random.split(KEY, 2)).shape == (
        2,
        3,
        4,
    )


def test_drawing_takes_options():
    drawn = jinit.he_normal(KEY, (3, 4), jnp.float32, mode="fan_out")
    np.testing.assert_array_equal(
        np.asarray(drawn), np.asarray(jinit.he_normal(mode="fan_out")(KEY, (3, 4)))
    )
    by_name = jinit.he_normal(key=KEY, shape=(3, 4), mode="fan_out")
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(by_name))


def test_anything_else_configures():
    assert isinstance(jinit.he_normal(), jinit.Initializer)
    assert isinstance(jinit.constant(np.array([1, 2], np.uint32)), jinit.Initializer)
    assert jinit.constant(np.array([1, 2], np.uint32))(None, (2,), jnp.int32).tolist() == [1, 2]
    assert isinstance(jinit.normal(0.02), jinit.Initializer)


def test_configured_draws_with_keywords():
    init = jinit.normal(0.02, jnp.float16)
    assert init(key=KEY, shape=(2,)).dtype == jnp.float16
    assert init(KEY, (2,), jnp.bfloat16).dtype == jnp.bfloat16


def test_default_dtype_follows_x64():
    assert jinit.normal()(KEY, (2,)).dtype == jnp.float32
    with jax.enable_x64(True):
        assert jinit.normal()(KEY, (2,)).dtype == jnp.float64
    assert jinit.normal()(KEY, (2,)).dtype == jnp.float32


# --- values -----------------------------------------------------------------------------------


def test_equality_ignores_how_options_were_written():
    assert jinit.normal(0.02) == jinit.normal(stddev=0.02) == jinit.normal(np.float64(0.02))
    assert jinit.normal(1) == jinit.normal(1.0)
    assert jinit.he_normal(in_axis=[0, 1]) == jinit.he_normal(in_axis=(0, 1))
    assert jinit.he_normal(-2, -1) == jinit.he_normal()
    assert jinit.normal(dtype=jnp.bfloat16) == jinit.normal(dtype="bfloat16")
    assert jinit.normal(dtype=np.dtype("float32")) == jinit.normal(dtype="f4")
    assert jinit.he_normal(mode="fan_out") != jinit.he_normal()
    assert jinit.he_normal() != jinit.he_uniform()
    assert jinit.constant(1.0) != jinit.constant(True)
    assert jinit.constant([1.0, 2.0]) == jinit.constant(np.array([1.0, 2.0]).tolist())
    one, two = jinit.constant(np.array([1.0, 2.0])), jinit.constant(np.array([1.0, 3.0]))
    assert one != two
    assert jinit.he_normal() != "he_normal"


def test_hash_agrees_with_equality():
    inits = {jinit.normal(1), jinit.normal(1.0), jinit.normal(stddev=1.0), jinit.normal(2.0)}
    assert len(inits) == 2
    assert len({jinit.constant(np.ones(3)), jinit.constant(np.ones(3))}) == 1


def test_array_options_are_copied():
    values = np.ones(3)
    init = jinit.constant(values)
    values[:] = 7
    assert init(None, (3,)).tolist() == [1, 1, 1]


def test_repr_evaluates():
    for init in (
        jinit.he_normal(mode="fan_out", nonlinearity="gelu"),
        jinit.lecun_normal(gain=jax.nn.gelu),
        jinit.normal(0.02, jnp.bfloat16),
        jinit.truncated_normal(1.0, lower=-float("inf"), upper=0.5),
        jinit.constant(np.array([1.0, 2.0], np.float32)),
    ):
        assert eval(repr(init), {"jinit": jinit, "jax": jax, "np": np}) == init
    assert repr(jinit.he_normal()) == "jinit.he_normal()"
    assert repr(jinit.lecun_normal(gain=jax.nn.gelu)) == "jinit.lecun_normal(gain=jax.nn.gelu)"
    assert repr(jinit.xavier_normal) == "jinit.glorot_normal"


def test_options_and_replace():
    init = jinit.he_normal(mode="fan_out")
    assert init.options["mode"] == "fan_out"
    assert init.options["nonlinearity"] == "relu"
    assert init.scheme is jinit.he_normal
    assert init.replace(mode="fan_in") == jinit.he_normal()
    with pytest.raises(TypeError):
        init.options["mode"] = "fan_in"
    with pytest.raises(AttributeError, match=r"is a value; use \.replace\(mode=\.\.\.\)"):
        init.mode = "fan_in"
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del init._options


def test_law_and_std():
    assert jinit.normal(0.5, mean=1.0).law((3,)).mean() == 1.0
    np.testing.assert_allclose(jinit.he_normal().std((50, 3)), 0.2, rtol=1e-6)
    np.testing.assert_allclose(jinit.he_normal().std((50, 3), jnp.complex64), 0.2, rtol=1e-6)


def test_traced_options():
    def draw(scale):
        init = jinit.normal(scale)
        assert init == init
        assert init != jinit.normal(scale + 1)
        hash(init)
        return init(KEY, (3,))

    np.testing.assert_array_equal(
        np.asarray(jax.jit(draw)(0.5)), np.asarray(jinit.normal(0.5)(KEY, (3,)))
    )
    ensemble = jax.vmap(draw)(jnp.array([1.0, 2.0]))
    np.testing.assert_array_equal(np.asarray(ensemble[1]), 2 * np.asarray(ensemble[0]))


def test_cached_draws_do_not_leak_tracers():
    init = jinit.variance_scaling(1.0, "fan_in", "normal")
    jax.jit(lambda key: init(key, (4, 4)))(KEY)
    assert np.isfinite(np.asarray(init(KEY, (4, 4)))).all()
    traced = jax.jit(lambda s: jinit.variance_scaling(s, "fan_in", "normal")(KEY, (4, 4)))(4.0)
    np.testing.assert_allclose(np.asarray(traced), 2 * np.asarray(init(KEY, (4, 4))), rtol=1e-6)


@pytest.mark.parametrize("shape", [[3, 4], np.array([3, 4]), (np.int64(3), 4)])
def test_shapes_of_any_sequence(shape):
    init = jinit.he_normal()
    for _ in range(2):  # a second draw may come from what the first one kept
        np.testing.assert_array_equal(init(KEY, shape), init(KEY, (3, 4)))


def test_schemes_pickle_by_reference_and_have_docs():
    for name, scheme in registry.items():
        assert isinstance(scheme, Scheme)
        assert pickle.loads(pickle.dumps(scheme)) is scheme
        assert scheme.__doc__
        assert ">>>" in scheme.__doc__, name
        assert scheme.__module__.startswith("jinit.schemes.")
        assert inspect.signature(scheme).return_annotation is jinit.Initializer


# --- configuration ----------------------------------------------------------------------------


def test_get():
    assert jinit.get("he_normal", mode="fan_out") == jinit.he_normal(mode="fan_out")
    assert jinit.get("kaiming_normal") == jinit.he_normal()
    assert jinit.get(jinit.he_normal) == jinit.he_normal()
    assert jinit.get(jinit.he_normal(), mode="fan_out") == jinit.he_normal(mode="fan_out")
    assert jinit.get({"scheme": "normal", "options": {"stddev": 2.0}}) == jinit.normal(2.0)
    own = lambda key, shape, dtype: jnp.zeros(shape, dtype)  # noqa: E731
    assert jinit.get(own) is own
    with pytest.raises(
        ValueError, match="no scheme is called 'he_norml'; did you mean 'he_normal'"
    ):
        jinit.get("he_norml")
    with pytest.raises(TypeError, match="cannot make an initializer of 3"):
        jinit.get(3)


def test_config_round_trip_of_every_kind_of_option():
    for init in (
        jinit.he_normal(mode="fan_out", in_axis=(0, 1)),
        jinit.lecun_normal(gain=jax.nn.gelu),
        jinit.truncated_normal(lower=-float("inf")),
        jinit.constant(np.arange(6, dtype=np.float32).reshape(2, 3)),
        jinit.normal(0.5, jnp.bfloat16),
    ):
        config = json.loads(json.dumps(jinit.to_config(init), allow_nan=False))
        assert jinit.from_config(config) == init


def test_config_errors():
    with pytest.raises(ValueError, match=r"option `gain` \(=.*lambda.*\) has no JSON form"):
        jinit.to_config(jinit.lecun_normal(gain=lambda x: x))
    with pytest.raises(ValueError, match="must be a mapping with 'scheme'"):
        jinit.from_config({"name": "normal"})
    with pytest.raises(ValueError, match="no scheme is called 'nromal'; did you mean 'normal'"):
        jinit.from_config({"scheme": "nromal"})
    hostile = {"scheme": "lecun_normal", "options": {"gain": {"function": "os.system"}}}
    with pytest.raises(ValueError, match=r"'os\.system' is not a function of jax\.lax, jax\.nn"):
        jinit.from_config(hostile)


# --- errors -----------------------------------------------------------------------------------

AT_CONFIGURATION = [
    (lambda: jinit.he_normal(mode="fan_it"), ValueError, "`mode` .='fan_it'. must be one of 'fan_avg', 'fan_geo_avg', 'fan_in', 'fan_out'; did you mean 'fan_in'"),
    (lambda: jinit.he_normal(mode="FAN_IN"), ValueError, "did you mean 'fan_in'"),
    (lambda: jinit.variance_scaling(1.0, "fanin", "normal"), ValueError, "`mode` .='fanin'."),
    (lambda: jinit.variance_scaling(1.0, "fan_in", "gaussian"), ValueError, "`distribution` .='gaussian'. must be one of 'normal', 'truncated_normal', 'uniform'"),
    (lambda: jinit.he_normal(distribution="uniform"), ValueError, "must be one of 'normal', 'truncated_normal'"),
    (lambda: jinit.variance_scaling(-1.0, "fan_in", "normal"), ValueError, "`scale` .=-1.0. must be >= 0"),
    (lambda: jinit.variance_scaling(float("nan"), "fan_in", "normal"), ValueError, "`scale` .=nan. must be finite"),
    (lambda: jinit.variance_scaling("1", "fan_in", "normal"), TypeError, "`scale` .='1'. must be a number"),
    (lambda: jinit.normal(-0.1), ValueError, "`stddev` .=-0.1. must be >= 0"),
    (lambda: jinit.normal(True), TypeError, "`stddev` .=True. must be a number"),
    (lambda: jinit.normal(1.0, mean=float("inf")), ValueError, "`mean` .=inf. must be finite"),
    (lambda: jinit.glorot_normal(gain=-1.0), ValueError, "`gain` .=-1.0. must be >= 0"),
    (lambda: jinit.glorot_normal(gain="rleu"), ValueError, "relu"),
    (lambda: jinit.he_normal(gain=1.0, nonlinearity="tanh"), ValueError, "each set the gain; give one"),
    (lambda: jinit.he_normal(nonlinearity="tanh", negative_slope=0.1), ValueError, "belongs to 'leaky_relu', 'prelu' or 'relu'"),
    (lambda: jinit.he_normal(in_axis=-1, out_axis=-1), ValueError, "`in_axis` .=-1. and `out_axis` .=-1. both name axis -1; give each axis one role"),
    (lambda: jinit.he_normal(batch_axis=-1), ValueError, "both name axis -1"),
    (lambda: jinit.he_normal(fans=(0, 3)), ValueError, "`fans` .=.0, 3.. must be positive"),
    (lambda: jinit.he_normal(fans=3), ValueError, "must be a pair .fan_in, fan_out."),
    (lambda: jinit.uniform(low=1.0, high=0.0), ValueError, "`low` .=1.0. must be below `high` .=0.0."),
    (lambda: jinit.uniform(low=1.0), ValueError, "`high` is missing"),
    (lambda: jinit.uniform(0.5, bound=0.5), ValueError, "given by `scale` and `bound`; give it one way only"),
    (lambda: jinit.truncated_normal(1.0, lower=2.0, upper=1.0), ValueError, "`lower` .=2.0. must be below `upper` .=1.0."),
    (lambda: jinit.truncated_normal(1.0, lower=-1.0, bounds=(-1.0, 1.0)), ValueError, "give them one way only"),
    (lambda: jinit.truncated_normal(1.0, bounds=3.0), ValueError, "must be a pair .low, high."),
    (lambda: jinit.truncated_normal(0.0, bounds=(-1.0, 1.0)), ValueError, "`stddev` .=0.0. must be > 0"),
    (lambda: jinit.truncated_normal(1.0, -2.0, 2.0), TypeError, "`dtype` .=-2.0. is not a dtype; give one such as"),
    (lambda: jinit.normal(dtype=jnp.int32), ValueError, "`dtype` .=int32. must be a floating or complex dtype"),
    (lambda: jinit.he_normal(dtype="bool"), ValueError, "must be a floating or complex dtype"),
    (lambda: jinit.he_normal(modus="fan_in"), TypeError, "unexpected keyword argument 'modus'; options are `batch_axis`, `distribution`"),
    (lambda: jinit.constant(), TypeError, "missing a required argument: 'value'; options are `dtype`, `value`"),
    (lambda: jinit.he_normal(KEY), TypeError, "was given a key and no shape; call jinit.he_normal.key, shape, dtype."),
]  # fmt: skip

AT_THE_DRAW = [
    (lambda: jinit.he_normal(KEY, (5,)), ValueError, "1-D, and the default `in_axis` .=-2. needs at least 2 axes. Pass `fans=`"),
    (lambda: jinit.he_normal(KEY, ()), ValueError, "0-D"),
    (lambda: jinit.he_normal(in_axis=5)(KEY, (3, 4)), ValueError, "`in_axis` .=5. is out of range for the 2-D shape .3, 4."),
    (lambda: jinit.he_normal(out_axis=(0, 1))(KEY, (3, 4)), ValueError, "share axis 0"),
    (lambda: jinit.normal()(KEY, (3, -1)), ValueError, "`shape` .=.3, -1.. must have no negative dimension"),
    (lambda: jinit.normal()(KEY, (3, 1.5)), TypeError, "`shape` must be a sequence of non-negative integers"),
    (lambda: jinit.normal()(KEY, "ab"), TypeError, "`shape` must be a sequence of integers"),
    (lambda: jinit.normal()((3, 4), KEY), TypeError, "`key` must be a PRNG key, got .3, 4. of type tuple; make one with jax.random.key"),
    (lambda: jinit.normal()(None, (3,)), TypeError, "`key` must be a PRNG key, got None"),
    (lambda: jinit.normal()(0, (3,)), TypeError, "`key` must be a PRNG key, got 0 of type int"),
    (lambda: jinit.normal()(jax.random.split(KEY), (3,)), ValueError, "got an array of keys of shape .2,.; map over the keys with jax.vmap"),
    (lambda: jinit.normal()(jax.random.split(jax.random.PRNGKey(0)), (3,)), TypeError, "map over a batch of keys with jax.vmap"),
    (lambda: jinit.normal()(KEY, (3,), jnp.int32), ValueError, "`dtype` .=int32. must be a floating or complex dtype"),
    (lambda: jinit.constant([1.0, 2.0])(None, (3,)), ValueError, "`value` has shape .2,., which does not broadcast to weights of shape .3,."),
    (lambda: jinit.constant(0.5)(None, (3,), jnp.int32), ValueError, "dtype int32 cannot hold `value` .=0.5.; use a floating dtype"),
    (lambda: jinit.from_array([[1.0, 2.0]])(None, (2, 1)), ValueError, "`array` has shape .1, 2., but weights of .2, 1. are asked for; it has that shape transposed"),
    (lambda: jinit.from_array([1.0, 2.0])(None, (2, 2)), ValueError, "`array` has shape .2,., but weights of .2, 2. are asked for"),
    (lambda: jinit.variance_scaling(1.0, "fan_in", "normal", groups=3)(KEY, (3, 3, 4, 8)), ValueError, "must be divisible by `groups` .=3."),
    (lambda: jinit.uniform()(KEY, (3,), jnp.complex64), ValueError, "has no law on the complex plane"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), AT_CONFIGURATION + AT_THE_DRAW)
def test_errors_name_the_value_and_the_remedy(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


@pytest.mark.parametrize(("call", "kind", "text"), AT_CONFIGURATION[:-1])
def test_configuration_is_checked_before_any_draw(call, kind, text, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("drew")

    monkeypatch.setattr(jinit.Initializer, "__call__", forbidden)
    with pytest.raises(kind):
        call()
