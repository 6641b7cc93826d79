"""Parameters and batches over several devices: the same scales, all where they were."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data_dependent.models import data
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jinit

PARAMS = {
    "stack": data(3, 16, 16, seed=1) * 2,
    "packed": data(16, 32, seed=2),
    "bias": data(4, seed=4) * np.float32(0.1),
    "head": data(32, 4, seed=3),
}
X = data(64, 16)


def apply(p, x):
    x, _ = jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, p["stack"])
    x = jax.nn.relu(jnp.concatenate([x @ p["packed"][:, :16], x @ p["packed"][:, 16:]], axis=1))
    return x @ p["head"] + p["bias"][None]


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("options", [{}, {"per": "channel", "center": True}])
def test_the_same_scales_on_a_mesh(options, kind):
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind, kind))

    def place(x, *names):
        return jax.device_put(x, NamedSharding(mesh, PartitionSpec(*names)))

    automatic = kind == AxisType.Auto  # where axes are explicit, the model has to allow for them
    sharded = {
        "stack": place(PARAMS["stack"], None, *(("data", "model") if automatic else ())),
        "packed": place(PARAMS["packed"], *(("model",) if automatic else ())),
        "bias": place(PARAMS["bias"]),
        "head": place(PARAMS["head"], None, "model"),
    }
    alone, _ = jinit.lsuv(apply, PARAMS, X, **options)
    new, report = jinit.lsuv(apply, sharded, place(X, "data"), verify=True, **options)
    assert report.deviation < 1e-5
    for name, leaf in new.items():
        np.testing.assert_allclose(leaf, alone[name], rtol=1e-5, atol=1e-6)
        moved = name in report.left
        assert moved or leaf.sharding.is_equivalent_to(sharded[name].sharding, leaf.ndim), name


def test_inside_shard_map_nothing_is_rescaled():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))

    def apply(p, x):
        def shard(x, w):
            return jnp.tanh(x @ w)

        specs = (PartitionSpec("data"), PartitionSpec())
        inner = jax.shard_map(shard, mesh=mesh, in_specs=specs, out_specs=PartitionSpec("data"))
        return inner(x, p["w"]) @ p["head"]

    new, report = jinit.lsuv(apply, {"w": PARAMS["stack"][0], "head": PARAMS["head"][:16]}, X)
    assert report.left == {"w": "taken by shard_map, not by a linear operation beside data"}
    y = np.tanh(X @ PARAMS["stack"][0]) @ np.asarray(new["head"])
    assert abs(y.std() - 1) < 1e-5


def test_a_mesh_that_is_set():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(mesh):
        x = jax.device_put(X, PartitionSpec("data"))
        params = jax.device_put(PARAMS, PartitionSpec())
        new, _ = jinit.lsuv(apply, params, x)
    alone, _ = jinit.lsuv(apply, PARAMS, X)
    for name, leaf in new.items():
        np.testing.assert_allclose(leaf, alone[name], rtol=1e-5)
