"""Each layer of torch, and what it becomes in Flax, Equinox and Haiku: equal outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import equinox as eqx  # noqa: E402
import haiku as hk  # noqa: E402
from flax import linen as nn  # noqa: E402
from flax import nnx  # noqa: E402
from pretrained.twins import inputs, randomized, state  # noqa: E402
from torch import nn as tnn  # noqa: E402

import jinit  # noqa: E402
from jinit.pretrained import LoadError, flax_to_torch, torch_to_flax  # noqa: E402

KEY = jax.random.key(0)


def twin(module, model, *args, pairs=None, **kwargs):
    """The Linen model's variables, loaded from a module of torch called "m"; and the way back."""
    target = jinit.with_inputs(model, *args, **kwargs)
    tensors = {f"m.{name}": value for name, value in state(module).items()}
    variables, report = jinit.load(target, tensors, match=torch_to_flax(pairs or {"m": ""}))
    assert report.totals["loaded"] == len(report)
    back = flax_to_torch(target, tensors, pairs or {"m": ""}, params=variables)
    for name, value in tensors.items():
        if "bias_" not in name:  # of two biases that were added, the first is the sum
            np.testing.assert_array_equal(back[name], value, err_msg=name)
    return variables


def assert_close(mine, theirs):
    theirs = theirs.detach().numpy()
    assert np.abs(theirs).max() > 0.05
    np.testing.assert_allclose(np.asarray(mine), theirs, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(("axes", "groups"), [(1, 1), (1, 2), (2, 4), (3, 2)])
def test_convolutions(axes, groups):
    module = randomized(getattr(tnn, f"Conv{axes}d")(4, 8, 3, padding=1, groups=groups))
    model = nn.Conv(8, (3,) * axes, feature_group_count=groups)
    x = inputs(2, 4, *(5, 6, 4)[:axes])
    y = np.moveaxis(x, 1, -1)
    made = model.apply(twin(module, model, y), y)
    assert_close(np.moveaxis(made, -1, 1), module(torch.from_numpy(x)))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("axes", [1, 2])
def test_transposed_convolutions(axes, mirrored):
    """Stride 2, kernel 4, padding 1 in torch is "SAME" in Flax."""
    module = randomized(getattr(tnn, f"ConvTranspose{axes}d")(3, 5, 4, 2, 1))
    model = nn.ConvTranspose(5, (4,) * axes, (2,) * axes, transpose_kernel=mirrored)
    x = inputs(2, 3, *(5, 6)[:axes])
    y = np.moveaxis(x, 1, -1)
    made = model.apply(twin(module, model, y), y)
    assert_close(np.moveaxis(made, -1, 1), module(torch.from_numpy(x)))


def test_embedding_norms_and_a_scale():
    for module, model, x in [
        (tnn.LayerNorm(6), nn.LayerNorm(epsilon=1e-5), inputs(3, 6)),
        (tnn.PReLU(), nn.PReLU(), inputs(3, 6)),
        (tnn.GroupNorm(2, 6), nn.GroupNorm(2, epsilon=1e-5), inputs(3, 6)),
        (tnn.Embedding(7, 5), nn.Embed(7, 5), np.array([[1, 6, 0]])),
    ]:
        made = model.apply(twin(randomized(module), model, x), x)
        assert_close(made, module(torch.from_numpy(x)))


class Attention(tnn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attn = tnn.MultiheadAttention(8, 2, batch_first=True, **options)


class Attending(nn.Module):
    @nn.compact
    def __call__(self, x, y):
        return nn.MultiHeadDotProductAttention(2, qkv_features=8, name="attn")(x, y)


@pytest.mark.parametrize("options", [{}, {"kdim": 6, "vdim": 6}], ids=["fused", "separate"])
def test_attention(options):
    """In one matrix, or in three where keys have another width."""
    module = randomized(Attention(**options))
    x, y = inputs(2, 5, 8), inputs(2, 4, options.get("kdim", 8), seed=2)
    theirs, _ = module.attn(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(y))
    made = Attending().apply(twin(module, Attending(), x, y), x, y)
    assert_close(made, theirs)


def test_attention_in_nnx():
    module = randomized(Attention())
    model = nnx.Dict(attn=nnx.MultiHeadAttention(2, 8, decode=False, rngs=nnx.Rngs(0)))
    loaded, report = jinit.load(model, module.state_dict(), match=torch_to_flax())
    assert report.totals["loaded"] == len(report) == 8
    x = inputs(2, 5, 8)
    y = torch.from_numpy(x)
    assert_close(loaded["attn"](x), module.attn(y, y, y)[0])


@pytest.mark.parametrize(
    ("prefix", "path", "pairs"),
    [
        ("module.", "fc", {"module": ""}),
        ("", "backbone/fc", {"": "backbone"}),
        ("model.encoder.", "fc", {"model.encoder": ""}),
        ("a.", "b/fc", {"*": "b"}),
        ("a.", "b/fc", {"a": "c", "a.fc": "b/fc"}),
    ],
)
def test_prefixes(prefix, path, pairs):
    """Wrappers in a checkpoint, and wrappers in a model; what fits most of a name counts."""
    tensors = {f"{prefix}fc.weight": np.ones((3, 4), np.float32)}
    model = {"kernel": jax.ShapeDtypeStruct((4, 3), jnp.float32)}
    for name in reversed(path.split("/")):
        model = {name: model}
    if "c" in pairs.values():
        model["c"] = {"kernel": jax.ShapeDtypeStruct((1,), jnp.float32)}
    on_missing = "error" if "c" not in model else {"c/*": "draw"}
    _, report = jinit.load(
        model,
        tensors,
        match=torch_to_flax(pairs),
        on_missing=on_missing,
        rules=jinit.zeros,
        key=KEY,
    )
    assert report[f"{path}/kernel"].outcome == "loaded"


class Fused(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(12, name="qkv")(x)


def test_separate_matrices_fused():
    module = randomized(tnn.ModuleDict({name: tnn.Linear(4, 4) for name in ("q", "k", "v")}))
    x = inputs(3, 4)
    pairs = {("m.q", "m.k", "m.v"): "qkv"}
    made = Fused().apply(twin(module, Fused(), x, pairs=pairs), x)
    theirs = torch.cat([module[name](torch.from_numpy(x)) for name in ("q", "k", "v")], dim=-1)
    assert_close(made, theirs)


class Recurrent(nn.Module):
    cell: type

    @nn.compact
    def __call__(self, x):
        return nn.RNN(self.cell(5, name="cell"))(x)


@pytest.mark.parametrize(
    ("layer", "cell"),
    [
        (tnn.LSTM, nn.OptimizedLSTMCell),
        (tnn.LSTM, nn.LSTMCell),
        (tnn.GRU, nn.GRUCell),
        (tnn.RNN, nn.SimpleCell),
    ],
)
def test_recurrent_layers(layer, cell):
    module = randomized(layer(3, 5, batch_first=True))
    x = inputs(2, 4, 3)
    made = Recurrent(cell).apply(twin(module, Recurrent(cell), x, pairs={"m": "cell"}), x)
    assert_close(made, module(torch.from_numpy(x))[0])


def test_a_layer_of_several_of_a_recurrent_net():
    module = randomized(tnn.LSTM(5, 5, num_layers=2, batch_first=True))
    tensors = state(module)
    cells = [nnx.OptimizedLSTMCell(5, 5, rngs=nnx.Rngs(0)) for _ in range(2)]
    model = nnx.Dict(first=nnx.RNN(cells[0]), second=nnx.RNN(cells[1]))
    pairs = {"l0": "first/cell", "l1": "second/cell"}
    loaded, _ = jinit.load(model, tensors, match=torch_to_flax(pairs))
    x = inputs(2, 4, 5)
    made = loaded["second"](loaded["first"](x))
    assert_close(made, module(torch.from_numpy(x))[0])


def test_a_gru_whose_cell_lacks_a_bias():
    module = tnn.GRU(3, 5)
    cell = nnx.GRUCell(3, 5, rngs=nnx.Rngs(0))
    with pytest.raises(LoadError, match="one bias for its candidate, and PyTorch's has two"):
        jinit.load(cell, state(module), match=torch_to_flax())


class Stack(nn.Module):
    """Two convolutions with statistics, stacked in one."""

    @nn.compact
    def __call__(self, x):
        def body(module, x, _):
            return nn.BatchNorm(use_running_average=True, epsilon=1e-5, name="norm")(x), None

        axes = {"params": 0, "batch_stats": 0}
        scan = nn.scan(body, variable_axes=axes, split_rngs={"params": True}, length=2)
        return scan(self, x, None)[0]


def test_statistics_are_stacked_like_their_parameters():
    module = randomized(tnn.Sequential(tnn.BatchNorm1d(4), tnn.BatchNorm1d(4)))
    x = inputs(3, 4)
    variables = twin(module, Stack(), x, pairs={"m.*": "norm"})
    assert variables["batch_stats"]["norm"]["mean"].shape == (2, 4)
    assert_close(Stack().apply(variables, x), module(torch.from_numpy(x)))


def test_equinox():
    """Equinox keeps most kernels as torch does."""
    key = jax.random.key(0)
    model = {
        "fc": eqx.nn.Linear(4, 3, key=key),
        "conv": eqx.nn.Conv2d(2, 4, 3, groups=2, key=key),
        "norm": eqx.nn.LayerNorm(3),
        "up": eqx.nn.ConvTranspose1d(4, 3, 4, 2, padding=1, key=key),
    }
    module = randomized(
        tnn.ModuleDict(
            {
                "fc": tnn.Linear(4, 3),
                "conv": tnn.Conv2d(2, 4, 3, groups=2),
                "norm": tnn.LayerNorm(3),
                "up": tnn.ConvTranspose1d(4, 3, 4, 2, 1),
            }
        )
    )
    loaded, report = jinit.load(model, state(module), match=torch_to_flax())
    assert report.totals["loaded"] == len(report) == 8
    for name, shape in {"fc": (4,), "conv": (2, 5, 5), "norm": (3,), "up": (4, 5)}.items():
        x = inputs(*shape)
        assert_close(loaded[name](x), module[name](torch.from_numpy(x)[None])[0])


def test_haiku():
    def run(x):
        x = hk.Conv2D(4, 3, name="conv")(x)
        x = hk.Conv2DTranspose(3, 4, 2, name="up")(x)
        return hk.Linear(2, name="fc")(x)

    transformed = hk.transform(run)
    x = inputs(1, 2, 5, 5)
    y = np.moveaxis(x, 1, -1)
    module = randomized(
        tnn.ModuleDict(
            {
                "conv": tnn.Conv2d(2, 4, 3, padding=1),
                "up": tnn.ConvTranspose2d(4, 3, 4, 2, 1),
                "fc": tnn.Linear(3, 2),
            }
        )
    )
    target = jinit.with_inputs(transformed, y)
    params, report = jinit.load(target, state(module), match=torch_to_flax())
    assert report.totals["loaded"] == len(report) == 6
    theirs = module["up"](module["conv"](torch.from_numpy(x)))
    theirs = module["fc"](theirs.permute(0, 2, 3, 1))
    assert_close(transformed.apply(params, None, y), theirs)


def test_a_square_matrix_is_transposed_whatever_its_shape_allows():
    """A (4, 4) would fit either way; only one is what torch computes."""
    module = randomized(tnn.Linear(4, 4))
    x = inputs(3, 4)
    made = nn.Dense(4).apply(twin(module, nn.Dense(4), x), x)
    assert_close(made, module(torch.from_numpy(x)))


def test_kernels_of_unknown_axes_are_not_guessed():
    bare = {"conv": {"kernel": jax.ShapeDtypeStruct((3, 3, 4, 4), jnp.float32)}}
    tensors = {"conv.weight": np.zeros((4, 4, 3, 3), np.float32)}
    message = r"conv/kernel float32\[3,3,4,4\] is of a kind that its shape does not tell; pass the"
    with pytest.raises(LoadError, match=message):
        jinit.load(bare, tensors, match=torch_to_flax())
    layouts = {"conv/kernel": "HWIO"}
    _, report = jinit.load(bare, tensors, match=torch_to_flax(), layouts=layouts)
    assert report["conv/kernel"].how == "transpose(2, 3, 1, 0)"


PAIRS = [
    ({"nothing": "fc"}, "the pair 'nothing' in `pairs` fits no module; the nearest are 'other'"),
    ({"fc": "head"}, "the pair 'fc' sends 'fc' to 'head', which is no module; the nearest are"),
    ({("fc", "tail"): "fc"}, r"the pair \('fc', 'tail'\) in `pairs` fits no module; the nearest"),
    (
        {("fc", "other"): "fc"},
        r"fc/kernel float32\[4,3\], and fc.weight, other.weight: parts of diff",
    ),
    (
        {"*": "fc"},
        r"fc/kernel float32\[4,3\], stacked along no axis, would be made of fc.weight, ot",
    ),
]


@pytest.mark.parametrize(("pairs", "message"), PAIRS)
def test_pairs_that_miss(pairs, message):
    model = {
        "fc": {"kernel": jax.ShapeDtypeStruct((4, 3), jnp.float32)},
        "other": {"kernel": jax.ShapeDtypeStruct((4, 3), jnp.float32)},
    }
    tensors = {
        "fc.weight": np.zeros((3, 4), np.float32),
        "other.weight": np.zeros((3, 5), np.float32),
    }
    with pytest.raises(LoadError, match=message):
        jinit.load(model, tensors, match=torch_to_flax(pairs))


@pytest.mark.parametrize("pairs", ["fc", [("a", "b", "c")], 3])
def test_what_is_no_pairs(pairs):
    with pytest.raises(TypeError, match=r"`pairs`"):
        torch_to_flax(pairs)


def test_names_that_may_be_several():
    leaf = {"kernel": jax.ShapeDtypeStruct((4, 3), jnp.float32)}
    tensors = {"h.0.weight": np.zeros((3, 4), np.float32)}
    with pytest.raises(LoadError, match=r"'h\.0' may be any of 'h/0', 'h_0'; say which in `pairs`"):
        jinit.load({"h_0": leaf, "h": {"0": leaf}}, tensors, match=torch_to_flax())


def test_a_matrix_that_is_kept_the_other_way():
    """Where it is not square the shape tells, and the message what to say."""
    model = {"fc": {"kernel": jax.ShapeDtypeStruct((4, 6), jnp.float32)}}
    tensors = {"fc.weight": np.ones((4, 6), np.float32)}
    message = (
        r"fc/kernel float32\[4,6\], and fc.weight makes float32\[6,4\] by transpose\(1, 0\); it "
        "fits as it is: if it is kept so, name its module in `untransposed`"
    )
    with pytest.raises(LoadError, match=message):
        jinit.load(model, tensors, match=torch_to_flax())
    _, report = jinit.load(model, tensors, match=torch_to_flax(untransposed=["fc"]))
    assert report["fc/kernel"].how == ""


def test_batch_axes_are_no_matrix():
    """Experts in one kernel: what no matrix of torch is."""
    model = {"fc": {"kernel": jax.ShapeDtypeStruct((2, 4, 6), jnp.float32)}}
    layouts = {"fc/kernel": "ebd,edf->ebf"}
    tensors = {"fc.weight": np.ones((6, 4), np.float32)}
    with pytest.raises(LoadError, match=r"fc/kernel float32\[2,4,6\]"):
        jinit.load(model, tensors, match=torch_to_flax(), layouts=layouts)


def test_a_pattern_of_untransposed_modules_that_fits_none():
    model = {"fc": {"kernel": jax.ShapeDtypeStruct((4, 6), jnp.float32)}}
    tensors = {"fc.weight": np.ones((6, 4), np.float32)}
    message = r"the pattern 'f\.\*' in `untransposed` fits no module"
    with pytest.raises(LoadError, match=message):
        jinit.load(model, tensors, match=torch_to_flax(untransposed=["f.*"]))


def test_fused_and_stacked():
    """Gate and input of three layers, side by side within a layer."""
    layers = {f"layer{n}.w{side}": tnn.Linear(4, 5) for n in (1, 2, 10) for side in (1, 3)}
    tensors = {
        f"{name}.{own}": value
        for name, module in layers.items()
        for own, value in state(randomized(module, seed=len(name))).items()
    }
    model = {
        "mlp": {
            "kernel": jax.ShapeDtypeStruct((3, 4, 10), jnp.float32),
            "bias": jax.ShapeDtypeStruct((3, 10), jnp.float32),
        }
    }
    options = {"match": torch_to_flax({("layer*.w1", "layer*.w3"): "mlp"}), "stacked": {"mlp/*": 1}}
    params, _ = jinit.load(model, tensors, **options)
    for place, n in enumerate((1, 2, 10)):
        expected = [tensors[f"layer{n}.w{side}.weight"].T for side in (1, 3)]
        np.testing.assert_array_equal(params["mlp"]["kernel"][place], np.concatenate(expected, 1))
    del tensors["layer2.w3.weight"], tensors["layer2.w3.bias"]
    with pytest.raises(LoadError, match="not as many of each in all layers"):
        jinit.load(model, tensors, **options)


def test_attention_that_the_model_lacks_or_that_is_all_there_is():
    module = randomized(Attention())
    model = {"out": {"kernel": jax.ShapeDtypeStruct((8, 8), jnp.float32)}}
    with pytest.raises(LoadError, match="1 missing, 4 unexpected") as caught:
        jinit.load(model, state(module), match=torch_to_flax())
    assert "attn.out_proj.weight" in caught.value.report.unexpected

    x = inputs(2, 5, 8)
    made = nn.MultiHeadDotProductAttention(2)
    target = jinit.with_inputs(made, x, x)
    variables, _ = jinit.load(target, state(module.attn), match=torch_to_flax())
    y = torch.from_numpy(x)
    assert_close(made.apply(variables, x, x), module.attn(y, y, y)[0])
