"""What can be traced: modules, states, variables and trees, with the paths that plans have."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from tracing.flax_models import NnxNet, NnxTransformer, Perceptron
from tracing.other_models import EquinoxNet, haiku_convs, haiku_net
from trees_of_models import shape

import jinit
from jinit.tracing.tracer import trace

IMAGES = shape(2, 8, 8, 3)
TOKENS = shape(2, 12, dtype="int32")
X = shape(4, 8)


@pytest.fixture(autouse=True)
def _promotion_as_users_have_it():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def _call(model, *inputs):
    return model(*inputs)


def _paths(target):
    return [row.path for row in jinit.plan(target, jinit.normal()).rows]


def test_nnx_modules_have_the_paths_of_plans():
    model = NnxNet(nnx.Rngs(0))
    usage = trace(_call, model, IMAGES)
    assert sorted(usage) == sorted(_paths(model))
    assert usage["again/kernel"].repetitions == usage["layers/0/kernel"].repetitions == 2


def test_nnx_states_are_as_good_as_modules():
    model = NnxTransformer(nnx.Rngs(0))
    graphdef, state = nnx.split(model)
    usage = trace(lambda state, x: nnx.merge(graphdef, state)(x), state, TOKENS)
    assert {path: use.role for path, use in usage.items()} == {
        path: use.role for path, use in trace(_call, model, TOKENS).items()
    }


def test_tracing_leaves_nnx_modules_alone():
    model = NnxNet(nnx.Rngs(0))
    before = jax.tree.leaves(nnx.state(model))
    trace(_call, model, IMAGES)
    assert all(a is b for a, b in zip(before, jax.tree.leaves(nnx.state(model)), strict=True))


def test_equinox_modules_have_the_paths_of_plans():
    model = EquinoxNet(jax.random.key(0))
    usage = trace(_call, model, shape(3, 8, 8), shape(5, dtype="int32"))
    assert sorted(usage) == sorted(_paths(model))


def test_equinox_state_is_no_parameter():
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(4, axis_name="batch", mode="batch")

    def apply(both, x):
        norm, state = both
        return jax.vmap(lambda x: norm(x, state)[0], axis_name="batch")(x)

    usage = trace(apply, (norm, state), shape(6, 4))
    assert {path: use.role for path, use in usage.items()} == {
        "0/weight": "norm_scale",
        "0/bias": "norm_bias",
    }


def test_linen_modules_take_variables_or_parameters():
    model = Perceptron()
    variables = jax.eval_shape(model.init, jax.random.key(0), X)
    usage = trace(model, variables, X)
    assert list(usage) == _paths(variables)
    assert list(trace(model, variables["params"], X)) == list(usage)
    assert list(trace(model.apply, variables, X)) == list(usage)


def test_linen_s_boxes_are_opened():
    init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))
    model = nn.Dense(8, kernel_init=init)
    variables = jax.eval_shape(model.init, jax.random.key(0), X)
    usage = trace(model, variables, X)
    assert list(usage) == _paths(variables)
    assert usage["kernel"].role == "dense"


def test_haiku_functions_stand_for_their_apply():
    net = haiku_net()
    params = jax.eval_shape(net.init, jax.random.key(0), X)
    assert list(trace(net.apply, params, X)) == list(trace(net, params, X)) == _paths(params)
    convs = haiku_convs()
    params, state = jax.eval_shape(convs.init, jax.random.key(0), IMAGES)
    assert list(trace(convs, params, state, None, IMAGES)) == _paths(params)


def test_arrays_and_shapes_tell_the_same():
    shapes = {"w": shape(8, 4)}
    arrays = {"w": jnp.zeros((8, 4))}

    def apply(params, x):
        return jnp.tanh(x @ params["w"])

    assert dict(trace(apply, shapes, X)) == dict(trace(apply, arrays, jnp.zeros((4, 8))))


def test_what_is_no_array_stays_as_it_is():
    def apply(params, x, activate, *, power):
        assert activate is True
        assert power == 2
        return jax.nn.relu(x @ params["w"]) ** power

    assert trace(apply, {"w": shape(8, 4)}, X, True, power=2)["w"].activation == "relu_squared"


def test_keys_are_inputs():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Dense(8)(x))
            return nn.Dense(3)(nn.Dropout(0.5, deterministic=False)(x))

    model, key = Model(), jax.random.key(0)
    variables = jax.eval_shape(model.init, {"params": key, "dropout": key}, X)
    usage = trace(model, variables, X, rngs={"dropout": jax.random.key(1)})
    assert usage["Dense_0/kernel"].activation == "relu"
    assert usage["Dense_1/kernel"].role == "dense"


def test_one_array_in_two_places_is_one_parameter():
    w = jnp.zeros((8, 8))
    usage = trace(lambda p, x: x @ p["a"] @ p["b"].T, {"a": w, "b": w}, X)
    assert usage["a"].tied
    assert [use.in_axes for use in usage["b"].uses] == [(0,), (1,)]


def test_numpy_s_own_dtypes_are_read_as_jax_s():
    table = np.zeros((8, 8))
    usage = trace(lambda p, tokens: p["table"][tokens], {"table": table}, np.arange(4))
    assert usage["table"].role == "embedding"
