"""One scale for each layer, channel or expert; biases; statistics; dtypes; orthonormal kernels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data_dependent.models import data, init, outcomes

import jinit

X = data(64, 8) + 0.5


def conv(w, x, groups=1):
    return jax.lax.conv_general_dilated(
        x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups
    )


EXPERTS = data(4, 8, 6, seed=1) * np.arange(1, 5, dtype=np.float32)[:, None, None]
KERNELS = data(3, 3, 3, 2, 4, seed=2) * np.arange(1, 4, dtype=np.float32)[:, None, None, None, None]
BATCHED = data(3, 2, 6, 6, 2, seed=3)

# By name: the model, its weight, its input; the axes of its outcome that are experts, or channels.
UNITS = {
    "einsum": (
        lambda w, x: jnp.einsum("ebd,edf->ebf", x, w),
        EXPERTS,
        data(4, 32, 8),
        (0,),
        (0, 2),
    ),
    "convolutions under vmap": (jax.vmap(conv), KERNELS, BATCHED, (0,), (0, 4)),
    "heads": (lambda w, x: jnp.einsum("bd,dhk->hbk", x, w), data(8, 2, 3), X, (), (0, 2)),
    "transposed": (lambda w, x: x @ w.T, data(6, 8, seed=4), X, (), (1,)),
    "split": (lambda w, x: x @ w.reshape(8, 6), data(8, 2, 3, seed=5), X, (), (1,)),
    "depthwise": (
        lambda w, x: conv(w, x, groups=4),
        data(3, 3, 1, 8, seed=6),
        data(2, 6, 6, 4),
        (),
        (3,),
    ),
}


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("per", ["expert", "channel"])
def test_scales_of_units(name, per):
    apply, weight, x, experts, channels = UNITS[name]
    new, report = jinit.lsuv(apply, weight, x, per=per, target=2.0, verify=True)
    y = np.asarray(jax.jit(apply)(new, x), np.float64)
    kept = experts if per == "expert" else channels
    over = tuple(axis for axis in range(y.ndim) if axis not in kept)
    np.testing.assert_allclose(y.std(axis=over), 2, rtol=1e-5)
    count = int(np.prod([y.shape[axis] for axis in kept]))
    assert np.size(report.rows[0].scale) == count
    assert report.deviation < 1e-5


def test_rows_of_experts_are_judged_as_one_layer():
    sizes = jnp.array([16, 48], jnp.int32)

    def apply(w, x):
        return jax.lax.ragged_dot(x, w["experts"], sizes)

    w = {"experts": data(2, 8, 6, seed=1)}
    new, _ = jinit.lsuv(apply, w, X)
    y = np.vstack([X[:16] @ np.asarray(new["experts"][0]), X[16:] @ np.asarray(new["experts"][1])])
    assert abs(y.std() - 1) < 1e-5
    with pytest.raises(ValueError, match=r"the experts of its ragged_dot_general do not lie along"):
        jinit.lsuv(apply, w, X, per="expert")


# --- biases -----------------------------------------------------------------------------------


def layer(p, x):
    return x @ p["w"] + p["b"][None]


W, B = data(8, 6, seed=1), data(6, seed=2) * np.float32(0.5)


@pytest.mark.parametrize("statistic", ["std", "rms"])
def test_the_whole_outcome_is_judged_and_the_bias_stays(statistic):
    new, report = jinit.lsuv(layer, {"w": W, "b": B}, X, statistic=statistic, target=1.5)
    y = X.astype(np.float64) @ np.asarray(new["w"], np.float64) + B
    assert abs((y.std() if statistic == "std" else np.sqrt((y**2).mean())) - 1.5) < 1e-5
    np.testing.assert_array_equal(new["b"], B)
    y = X.astype(np.float64) @ W + B
    before = y.std() if statistic == "std" else np.sqrt((y**2).mean())
    assert abs(float(report["w"].before) / before - 1) < 1e-5


@pytest.mark.parametrize("per", ["layer", "channel"])
def test_centering_by_the_bias(per):
    p = {"a": {"w": W, "b": B}, "c": {"w": data(6, 4, seed=3), "b": np.ones(4, np.float32)}}
    new, report = jinit.lsuv(
        lambda p, x: layer(p["c"], jax.nn.relu(layer(p["a"], x))), p, X, center=True, per=per
    )
    h = X.astype(np.float64)
    for name in ("a", "c"):
        y = h @ np.asarray(new[name]["w"], np.float64) + np.asarray(new[name]["b"], np.float64)
        np.testing.assert_allclose(y.mean(axis=0), 0, atol=2e-6)
        axis = 0 if per == "channel" else None
        np.testing.assert_allclose(y.std(axis=axis), 1, rtol=1e-5)
        h = np.maximum(y, 0)
    assert [row.centered for row in report.rows] == ["a/b", "c/b"]
    assert not {"a/b", "c/b"} & report.left.keys()


def test_centering_of_stacks_and_heads_and_of_layers_without_bias():
    p = {
        "stack": {"w": data(3, 8, 8, seed=4), "b": data(3, 8, seed=5)},
        "heads": {"w": data(8, 2, 3, seed=6), "b": data(2, 3, seed=7)},
        "bare": data(6, 4, seed=8),
    }

    def apply(p, x):
        x, _ = jax.lax.scan(lambda x, layers: (jnp.tanh(layer(layers, x)), None), x, p["stack"])
        y = jnp.einsum("bd,dhk->bhk", x, p["heads"]["w"]) + p["heads"]["b"][None]
        return jnp.tanh(y).reshape(64, 6) @ p["bare"]

    new, report = jinit.lsuv(apply, p, X, center=True)
    h = X
    for w, b in zip(*map(np.asarray, (new["stack"]["w"], new["stack"]["b"])), strict=True):
        y = h @ w + b
        np.testing.assert_allclose(y.mean(axis=0), 0, atol=2e-6)
        assert abs(y.std() - 1) < 1e-5
        h = np.tanh(y)
    y = np.einsum("bd,dhk->bhk", h, new["heads"]["w"]) + np.asarray(new["heads"]["b"])
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=2e-6)
    y = np.tanh(y).reshape(64, 6) @ np.asarray(new["bare"])
    assert abs(y.std() - 1) < 1e-5
    assert report.not_centered == ("bare",)
    assert "No bias to center: bare." in str(report)


def test_a_shared_layer_is_centered_once():
    def apply(p, x):
        return layer(p, jnp.tanh(layer(p, x)))

    new, _ = jinit.lsuv(apply, {"w": data(8, 8, seed=9), "b": data(8, seed=2)}, X, center=True)
    y = X @ np.asarray(new["w"]) + np.asarray(new["b"])
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=2e-6)


@pytest.mark.parametrize("statistic", ["std", "rms"])
def test_many_entries_far_from_zero(statistic):
    """100,000 outcomes around 50, and a bias: float32 sums must neither cancel nor stall."""
    x = data(25_000, 8, seed=11) + 10
    p = {"w": np.abs(W[:, :4]), "b": B[:4]}
    new, _ = jinit.lsuv(layer, p, x, statistic=statistic, target=3.0)
    y = x.astype(np.float64) @ np.asarray(new["w"], np.float64) + B[:4]
    assert abs((y.std() if statistic == "std" else np.sqrt((y**2).mean())) / 3 - 1) < 1e-4


# --- dtypes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "close"), [("bfloat16", 4e-3), ("float16", 5e-4)])
def test_narrow_weights_are_rounded_once(dtype, close):
    """Statistics are in float32; weights, all rounded up at worst, are off by 2^-9 or 2^-12."""
    narrow = jnp.asarray(W, dtype)
    new, _ = jinit.lsuv(lambda w, x: x.astype(dtype) @ w, narrow, X)
    assert new.dtype == narrow.dtype
    y = np.asarray(jnp.asarray(X, dtype), np.float64) @ np.asarray(new, np.float64)
    assert abs(y.std() - 1) < close


def test_double_precision():
    with jax.enable_x64(True):
        w, x = W.astype(np.float64), X.astype(np.float64)
        new, _ = jinit.lsuv(lambda w, x: x @ w, w, x)
        assert new.dtype == np.float64
        assert abs((x @ np.asarray(new)).std() - 1) < 1e-13


def test_complex_weights():
    w = W + 1j * data(8, 6, seed=3)
    new, _ = jinit.lsuv(lambda w, x: jax.lax.complex(x, 2 * x) @ w, w, X)
    y = (X + 2j * X) @ np.asarray(new)
    assert new.dtype == np.complex64
    assert abs(y.std() - 1) < 1e-5


# --- orthonormal kernels ----------------------------------------------------------------------


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(6, (3, 3), name="conv")(x))
        x = nn.DenseGeneral((2, 5), axis=(1, 2, 3), name="heads")(x)
        return nn.Dense(4, name="head")(x.reshape(-1, 10))


def test_orthonormal_kernels():
    x = data(8, 4, 4, 3)
    with jax.numpy_rank_promotion("allow"):
        variables = init(Net(), x)
        key = jax.random.key(7)
        new, _ = jinit.lsuv(Net(), variables, x, orthonormal=True, key=key)
        found = outcomes(Net(), new, x)
    assert len(found) == 3
    np.testing.assert_allclose([y.std() for y in found.values()], 1, atol=1e-3)
    for name, columns in (("conv", 6), ("heads", 10), ("head", 4)):
        w = np.asarray(new["params"][name]["kernel"], np.float64).reshape(-1, columns)
        gram = w.T @ w
        np.testing.assert_allclose(gram / gram[0, 0], np.eye(columns), atol=1e-5)
    with pytest.raises(ValueError, match=r"needs a PRNG key: `key=`"):
        jinit.lsuv(Net(), variables, x, orthonormal=True)
