"""MXNet's initializers of whole models, as rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit
from jinit.frameworks import mxnet

KEY = jax.random.key(18)


@pytest.fixture
def params():
    return {
        "conv": {"kernel": jnp.zeros((3, 3, 2, 4)), "bias": jnp.ones(4)},
        "fc": {"kernel": jnp.zeros((4, 5)), "bias": jnp.ones(5)},
    }


def test_mixed_takes_the_first_pattern_that_a_path_begins_with(params):
    rules = mxnet.Mixed(
        ["fc/bias", ".*bias", "conv", "ker|fc"],
        [mxnet.Constant(2.0), mxnet.Zero(), mxnet.One(), mxnet.Constant(3.0)],
    )
    drawn = jinit.initialize(params, rules, KEY)
    found = {
        f"{layer}/{name}": float(leaf.ravel()[0])
        for layer, leaves in drawn.items()
        for name, leaf in leaves.items()
    }
    assert found == {"conv/kernel": 1, "conv/bias": 0, "fc/kernel": 3, "fc/bias": 2}
    assert jinit.Rules.from_config(rules.to_config()) == rules


def test_mixed_is_not_silent(params):
    with pytest.raises(jinit.RuleError, match=r"rule re.compile.*\(\?:gamma\)'\) hits no leaf"):
        jinit.initialize(params, mxnet.Mixed(["gamma", ".*"], [mxnet.One(), mxnet.Zero()]), KEY)
    with pytest.raises(jinit.RuleError, match="no rule hits conv/bias"):
        jinit.initialize(params, mxnet.Mixed([".*kernel"], [mxnet.Xavier()]), KEY)
    with pytest.raises(ValueError, match="there are 2 `patterns` and 1 `initializers`"):
        mxnet.Mixed(["a", "b"], [mxnet.Zero()])
    with pytest.raises(ValueError, match=r"the pattern '\(' is no regular expression"):
        mxnet.Mixed(["("], [mxnet.Zero()])


def test_load_copies_by_name_and_draws_the_rest(params):
    kernel = np.arange(20.0, dtype=np.float32).reshape(4, 5)
    rules = mxnet.Load({"arg:fc/kernel": kernel, "aux:conv/bias": [1, 2, 3, 4]}, mxnet.Xavier())
    # What has no fan gets no Xavier: say it first.
    layouts = {"conv/kernel": "HWIO"}
    whole = rules.override({"fc/bias": mxnet.Zero()})
    drawn = jinit.initialize(params, whole, KEY, layouts=layouts)
    np.testing.assert_array_equal(drawn["fc"]["kernel"], kernel)
    np.testing.assert_array_equal(drawn["conv"]["bias"], [1, 2, 3, 4])
    assert not drawn["fc"]["bias"].any()
    assert np.asarray(drawn["conv"]["kernel"]).std() > 0
    assert jinit.Rules.from_config(rules.to_config()) == rules


def test_load_is_exact(params):
    whole = {"a.b": np.zeros(2, np.float32)}
    with pytest.raises(jinit.RuleError, match=r"no rule hits axb"):
        jinit.initialize({"a.b": jnp.ones(2), "axb": jnp.ones(2)}, mxnet.Load(whole), KEY)
    with pytest.raises(ValueError, match=r"`array` has shape \(3,\), but weights of \(4,\)"):
        jinit.initialize({"b": jnp.ones(4)}, mxnet.Load({"b": [1.0, 2.0, 3.0]}), KEY)
    with pytest.raises(jinit.RuleError, match="hits no leaf"):
        jinit.initialize({"b": jnp.ones(1)}, mxnet.Load({"b": [1.0], "c": [1.0]}), KEY)
    with pytest.raises(ValueError, match="`param` has two arrays for 'b'"):
        mxnet.Load({"arg:b": [1.0], "b": [2.0]})
    with pytest.raises(TypeError, match=r"`param` \(='net.params'\) must be a mapping"):
        mxnet.Load("net.params")
