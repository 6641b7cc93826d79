"""Models of torch through safetensors into Flax and back: equal outputs, and equal bits."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from flax import nnx  # noqa: E402
from pretrained import twins  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import nn as tnn  # noqa: E402

import jinit  # noqa: E402
from jinit.pretrained import flax_to_torch, torch_to_flax  # noqa: E402

KEY = jax.random.key(0)


def saved(module, path) -> str:
    """A checkpoint as torch users have it."""
    file = str(path / "model.safetensors")
    save_file(module.state_dict(), file)
    return file


def assert_same_tensors(made, expected):
    """Equal to the bit, of the same names and dtypes."""
    assert made.keys() == expected.keys()
    for name, value in expected.items():
        assert made[name].dtype == value.dtype, name
        np.testing.assert_array_equal(made[name], value, err_msg=name)


def assert_outputs(mine, theirs):
    """Equal within 1e-5 of outputs that are not tiny themselves."""
    theirs = theirs.detach().numpy()
    assert np.abs(theirs).max() > 0.1
    np.testing.assert_allclose(np.asarray(mine), theirs, atol=1e-5, rtol=1e-5)


def test_resnet(tmp_path):
    module = twins.randomized(twins.TorchResNet())
    target = jinit.with_inputs(twins.ResNet(), jax.ShapeDtypeStruct((1, 32, 32, 3), "float32"))
    file = saved(module, tmp_path)
    variables, report = jinit.load(target, file, match=torch_to_flax(twins.RESNET_PAIRS))

    assert report.totals["loaded"] == report.totals["leaves"] == 62 + 40
    assert report.totals["ignored"] == 20  # num_batches_tracked
    images = twins.inputs(2, 3, 32, 32)
    assert_outputs(
        twins.ResNet().apply(variables, images.transpose(0, 2, 3, 1)),
        module(torch.from_numpy(images)),
    )
    back = flax_to_torch(target, file, twins.RESNET_PAIRS, params=variables)
    assert_same_tensors(back, twins.state(module))


@pytest.mark.parametrize("scanned", [False, True])
@pytest.mark.parametrize("make", [twins.Conv1D, tnn.Linear])
def test_gpt2(tmp_path, make, scanned):
    module = twins.randomized(twins.TorchGPT2(make=make))
    pairs = twins.SCANNED_PAIRS if scanned else twins.GPT2_PAIRS
    untransposed = ("h.*.attn.*", "h.*.mlp.*") if make is twins.Conv1D else ()
    model = twins.GPT2(scanned=scanned)
    target = jinit.with_inputs(model, twins.TOKENS)
    file = saved(module, tmp_path)
    params, report = jinit.load(target, file, match=torch_to_flax(pairs, untransposed=untransposed))

    assert report.totals["loaded"] == report.totals["leaves"]
    assert report.totals["used"] == report.totals["tensors"]
    tokens = np.random.default_rng(0).integers(0, 60, (2, 8))
    assert_outputs(model.apply(params, tokens), module(torch.from_numpy(tokens)))
    back = flax_to_torch(target, file, pairs, untransposed=untransposed, params=params)
    assert_same_tensors(back, twins.state(module))


def test_convolutions_and_transposed_ones_of_one_axis_in_nnx(tmp_path):
    module = twins.randomized(twins.TorchTransposed())
    model, report = jinit.load(
        lambda: twins.Transposed(nnx.Rngs(0)),
        saved(module, tmp_path),
        match=torch_to_flax(),
        key=KEY,
    )
    assert report.totals["loaded"] == report.totals["leaves"] == 10
    signal = twins.inputs(2, 3, 12)
    assert_outputs(model(signal.transpose(0, 2, 1)), module(torch.from_numpy(signal)))
    assert_same_tensors(flax_to_torch(model, twins.state(module)), twins.state(module))


def test_a_concrete_nnx_module_is_left_as_it_was(tmp_path):
    module = twins.randomized(twins.TorchTransposed())
    before = twins.Transposed(nnx.Rngs(0))
    kernel = np.asarray(before.down.kernel[...])
    after, _ = jinit.load(before, module.state_dict(), match=torch_to_flax())
    np.testing.assert_array_equal(before.down.kernel[...], kernel)
    np.testing.assert_array_equal(before.norm.mean[...], np.zeros(8))
    np.testing.assert_array_equal(after.norm.mean[...], twins.state(module)["norm.running_mean"])
