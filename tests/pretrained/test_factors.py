"""Low-rank factors: what the layer computes is what the checkpoint's did."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jinit
from jinit.pretrained import LoadError, low_rank

KEY = jax.random.key(3)
IN, RANK, OUT = 12, 3, 8


def leaf(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.dtype("float32"))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def loaded(method, scale=1.0, kernel=None):
    kernel = drawn(IN, OUT) if kernel is None else kernel
    stack = kernel.shape[:-2]
    target = {
        "fc": {
            "kernel": leaf(*kernel.shape),
            "lora_a": leaf(*stack, IN, RANK),
            "lora_b": leaf(*stack, RANK, OUT),
        }
    }
    law = low_rank(method, scale=scale)
    params, report = jinit.load(
        target, {"fc/kernel": kernel}, on_missing={"fc/lora_*": law}, key=KEY
    )
    base, a, b = (np.asarray(params["fc"][n], np.float64) for n in ("kernel", "lora_a", "lora_b"))
    return base, a, b, report


@pytest.mark.parametrize("method", ["zero_product", "pissa", "olora"])
@pytest.mark.parametrize("scale", [1.0, 2.0, 0.25])
def test_the_effective_weight_is_kept(method, scale):
    """Up to the rounding of the base, half a unit of the last place of about 3: 1.2e-7."""
    kernel = drawn(IN, OUT)
    base, a, b, _ = loaded(method, scale)
    assert np.abs(base + scale * a @ b - kernel).max() <= 2e-6
    assert np.linalg.matrix_rank(a) == RANK


def test_a_stack_of_kernels():
    kernel = drawn(4, IN, OUT)
    base, a, b, _ = loaded("pissa", kernel=kernel)
    assert np.abs(base + a @ b - kernel).max() <= 2e-6


def test_zero_product():
    base, a, b, report = loaded("zero_product")
    np.testing.assert_array_equal(base, drawn(IN, OUT))
    np.testing.assert_array_equal(b, 0)
    assert np.abs(a).max() <= 1 / np.sqrt(IN)
    # 36 uniform values: their standard deviation is off by less than 5 sqrt((1.8 - 1) / (4 n)).
    np.testing.assert_allclose(a.std() * np.sqrt(3 * IN), 1, atol=5 * np.sqrt(0.8 / (4 * a.size)))
    assert [row.outcome for row in report] == ["loaded", "drawn", "drawn"]


def test_principal_components():
    kernel = drawn(IN, OUT)
    values = np.linalg.svd(kernel.astype(np.float64), compute_uv=False)
    base, a, b, report = loaded("pissa", scale=2.0)
    # What is left has the next singular value as its largest; the factors share the roots.
    np.testing.assert_allclose(np.linalg.norm(base, 2), values[RANK], rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(a, axis=0) ** 2, values[:RANK] / 2, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(b, axis=1) ** 2, values[:RANK] / 2, rtol=1e-5)
    assert [row.outcome for row in report] == ["adapted"] * 3
    assert report["fc/lora_a"].source == "fc/kernel"
    assert report["fc/kernel"].how == "low_rank('pissa', scale=2)"


def test_orthonormal_factors():
    _, a, b, _ = loaded("olora")
    np.testing.assert_allclose(b @ b.T, np.eye(RANK), atol=1e-6)
    q, r = np.linalg.qr(drawn(IN, OUT).T.astype(np.float64))
    np.testing.assert_allclose(a @ b, (q[:, :RANK] @ r[:RANK]).T, atol=1e-5)


@pytest.mark.parametrize("around", ["base_module", "layer"])
def test_layers_of_nnx(around):
    tensors = {"kernel": drawn(IN, OUT), "bias": drawn(OUT)}
    rngs = nnx.Rngs(0)
    if around == "layer":
        model = nnx.LoRALinear(IN, OUT, lora_rank=RANK, rngs=rngs)
    else:
        base = nnx.Linear(IN, OUT, rngs=rngs)
        model = nnx.LoRA(IN, RANK, OUT, base_module=base, rngs=rngs)
        tensors = {f"base_module/{name}": value for name, value in tensors.items()}
    made, report = jinit.load(model, tensors, on_missing=low_rank("pissa"))
    assert report.totals["adapted"] == 3
    x = drawn(5, IN, seed=1)
    expected = x @ drawn(IN, OUT) + drawn(OUT)
    np.testing.assert_allclose(made(x), expected, atol=1e-5)


def test_factors_refused():
    target = {"fc": {"kernel": leaf(4, 6), "lora_a": leaf(4, 9), "lora_b": leaf(9, 6)}}
    with pytest.raises(LoadError, match=r"fc/lora_a float32\[4,9\].* the rank 9 is more than"):
        jinit.load(target, {"fc/kernel": drawn(4, 6)}, on_missing=low_rank("pissa"))
    target["fc"]["lora_b"] = leaf(8, 6)
    with pytest.raises(LoadError, match=r"a kernel \[4, 6\] has no factors \[4, 9\] and \[8, 6\]"):
        jinit.load(target, {"fc/kernel": drawn(4, 6)}, on_missing=low_rank("pissa"))
    with pytest.raises(LoadError, match=r"lora_a float32\[4,2\] has no kernel to be a factor of"):
        jinit.load({"lora_a": leaf(4, 2)}, {}, on_missing=low_rank("pissa"))
    target = {"fc": {"kernel": leaf(4, 6), "lora_a": leaf(4, 2), "lora_b": leaf(2, 6)}}
    with pytest.raises(ValueError, match="`key` is needed, to draw fc/lora_a"):
        jinit.load(target, {"fc/kernel": drawn(4, 6)}, on_missing=low_rank())
    with pytest.raises(ValueError, match=r"`method` \(='svd'\) must be one of 'olora', 'pissa'"):
        low_rank("svd")
    with pytest.raises(ValueError, match=r"`scale` \(=0\) must be > 0"):
        low_rank(scale=0)
