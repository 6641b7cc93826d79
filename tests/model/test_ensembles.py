"""Ensembles: members are the single models, to the bit, and independent of each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from trees_of_models import gpt2, shape

import jinit

KEY = jax.random.key(21)
RULES = jinit.Rules(
    {
        "**/bias": jinit.zeros,
        "**/scale": jinit.ones,
        "**/c_proj/kernel": jinit.orthogonal(),
        "**/c_fc/kernel": jinit.truncated_normal(0.3),
        "**": jinit.normal(1.0),
    }
)


def assert_member(ensemble, index, alone):
    jax.tree.map(np.testing.assert_array_equal, jinit.member(ensemble, index), alone)


@pytest.mark.parametrize("kind", ["threefry2x32", "rbg"])
def test_members_are_the_single_models(kind):
    key = jax.random.key(3, impl=kind)
    ensemble = jinit.ensemble(gpt2(1), RULES, key, 4)
    for index in range(4):
        assert_member(
            ensemble, index, jinit.initialize(gpt2(1), RULES, jinit.member_key(key, index))
        )


def test_a_larger_ensemble_begins_with_a_smaller_one():
    small, large = (jinit.ensemble({"w": shape(5, 7)}, jinit.he_normal(), KEY, n) for n in (2, 6))
    np.testing.assert_array_equal(large["w"][:2], small["w"])


def test_members_are_independent():
    weights = np.asarray(jinit.ensemble({"w": shape(64, 64)}, jinit.he_normal(), KEY, 16)["w"])
    correlations = np.corrcoef(weights.reshape(16, -1)) - np.eye(16)
    # 120 correlations of 4096 values, each with standard error 1/64.
    assert np.abs(correlations).max() < 5 / 64


def test_members_under_jit():
    eager = jinit.ensemble({"w": shape(5, 7)}, jinit.normal(1.0), KEY, 3)
    jitted = jax.jit(lambda key: jinit.ensemble({"w": shape(5, 7)}, jinit.normal(1.0), key, 3))(KEY)
    np.testing.assert_array_equal(eager["w"], jitted["w"])


def test_kept_and_shared_leaves():
    tree = {"a": jnp.arange(3.0), "b": shape(2, 2), "c": shape(2, 2)}
    rules = {"a": jinit.keep, "**": jinit.normal(1.0)}
    members = jinit.ensemble(tree, rules, KEY, 4, tied=[("b", "c")])
    np.testing.assert_array_equal(members["a"], np.broadcast_to(np.arange(3.0), (4, 3)))
    assert members["b"] is members["c"]


def test_a_member_drawn_anew_leaves_the_others():
    members = jinit.ensemble(gpt2(1), RULES, KEY, 3)
    fresh = jinit.initialize(gpt2(1), RULES, jax.random.key(99))
    changed = jinit.replace_member(members, 1, fresh)
    assert_member(changed, 0, jinit.member(members, 0))
    assert_member(changed, 1, fresh)
    assert_member(changed, 2, jinit.member(members, 2))


@pytest.mark.parametrize("init", [jinit.normal(1.0), jinit.orthogonal()], ids=repr)
def test_members_over_devices(init):
    mesh = Mesh(np.array(jax.devices()[:8]).reshape(4, 2), ("members", "model"))
    alone = jinit.ensemble({"w": shape(8, 6)}, init, KEY, 8)["w"]
    spread = jinit.ensemble(
        {"w": shape(8, 6)},
        init,
        KEY,
        8,
        mesh=mesh,
        axis_name="members",
        shardings=PartitionSpec("model", None),
    )["w"]
    expected = NamedSharding(mesh, PartitionSpec("members", "model", None))
    assert spread.sharding.is_equivalent_to(expected, 3)
    assert spread.addressable_shards[0].data.shape == (2, 4, 6)
    np.testing.assert_array_equal(alone, spread)
    only = jinit.ensemble({"w": shape(8, 6)}, init, KEY, 8, mesh=mesh, axis_name="members")["w"]
    assert only.addressable_shards[0].data.shape == (2, 8, 6)


def test_errors():
    tree = {"w": shape(2, 2)}
    with pytest.raises(ValueError, match=r"`size` \(=0\) must be at least 1"):
        jinit.ensemble(tree, jinit.ones, KEY, 0)
    with pytest.raises(TypeError):
        jinit.ensemble(tree, jinit.ones, KEY, 1.5)
    with pytest.raises(
        ValueError, match=r"`axis_name` \(='m'\) is no axis of the mesh.*pass `mesh=`"
    ):
        jinit.ensemble(tree, jinit.ones, KEY, 2, axis_name="m")
    mesh = Mesh(np.array(jax.devices()[:2]), ("m",))
    with pytest.raises(ValueError, match=r"`size` \(=3\) must be a multiple of the 2 devices"):
        jinit.ensemble(tree, jinit.ones, KEY, 3, axis_name="m", mesh=mesh)
