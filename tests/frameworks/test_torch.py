"""`jinit.frameworks.torch` against `torch.nn.init` and the layers of `torch.nn` themselves."""

import inspect
import math

import jax
import numpy as np
import pytest
from frameworks.twins import assert_isometry, assert_twins

import jinit
from jinit.frameworks import torch as ours

KEY = jax.random.key(11)

# Shapes in torch's order, with fans that differ in both directions.
DENSE, CONV = (300, 200), (80, 40, 3, 5)

FILLS = {
    "uniform_": ({}, (250, 200)),
    "uniform_ of a range": ({"a": -0.3, "b": 0.1}, (250, 200)),
    "normal_": ({}, (250, 200)),
    "normal_ of a mean": ({"mean": 0.5, "std": 0.02}, (250, 200)),
    "constant_": ({"val": 0.3}, (3, 4)),
    "ones_": ({}, (3, 4)),
    "zeros_": ({}, (3, 4)),
    "trunc_normal_": ({}, (250, 200)),
    "trunc_normal_ of a small std": ({"std": 0.02}, (250, 200)),
    "trunc_normal_ of one side": ({"mean": 0.5, "std": 2.0, "a": 0.0, "b": 1.5}, (250, 200)),
    "xavier_uniform_": ({}, DENSE),
    "xavier_uniform_ of a kernel": ({"gain": 1.7}, CONV),
    "xavier_normal_": ({}, DENSE),
    "xavier_normal_ of a kernel": ({"gain": 1.7}, CONV),
    "kaiming_uniform_": ({}, DENSE),
    "kaiming_uniform_ of a kernel": ({"a": 0.5, "mode": "fan_out"}, CONV),
    "kaiming_uniform_ of sigmoid": ({"a": 0.5, "nonlinearity": "sigmoid"}, CONV),
    "kaiming_normal_": ({}, DENSE),
    "kaiming_normal_ of a kernel": ({"mode": "FAN_OUT", "nonlinearity": "relu"}, CONV),
    "kaiming_normal_ of tanh": ({"nonlinearity": "tanh"}, CONV),
}


@pytest.mark.parametrize("name", FILLS)
def test_laws(torch, name):
    options, shape = FILLS[name]
    function = name.split()[0]
    torch.manual_seed(0)
    theirs = getattr(torch.nn.init, function)(torch.empty(shape), **options)
    takes_layout = "layout" in getattr(ours, function).signature.parameters
    init = getattr(ours, function)(**options, **({"layout": "OI..."} if takes_layout else {}))
    assert_twins(init(KEY, shape), theirs.numpy())


def test_kernels_are_in_jax_s_order_unless_told_otherwise():
    for name in ("xavier_normal_", "kaiming_normal_", "kaiming_uniform_", "orthogonal_"):
        scheme = getattr(ours, name)
        own, there = scheme().std((3, 5, 40, 80)), scheme(layout="OIHW").std(CONV)
        assert own == pytest.approx(there, rel=1e-6), name
        assert own != pytest.approx(scheme().std(CONV), rel=1e-2), name


@pytest.mark.parametrize("shape", [(8, 12), (6, 4, 3, 3)])
def test_orthogonal(torch, shape):
    theirs = torch.nn.init.orthogonal_(torch.empty(shape), gain=1.5).numpy()
    weights = ours.orthogonal_(1.5, layout="OI...")(KEY, shape)
    assert_isometry(theirs, 1.5, columns=0)
    assert_isometry(weights, 1.5, columns=0)
    usual = (*shape[2:], shape[1], shape[0])
    assert_isometry(ours.orthogonal_(1.5)(KEY, usual), 1.5)


def test_eye_and_dirac(torch):
    for shape in ((3, 5), (5, 3)):
        theirs = torch.nn.init.eye_(torch.empty(shape)).numpy()
        np.testing.assert_array_equal(ours.eye_()(None, shape), theirs)
    for shape, groups in (((4, 2, 3), 2), ((6, 4, 4, 5), 3), ((2, 3, 3, 3, 3), 1)):
        theirs = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
        np.testing.assert_array_equal(ours.dirac_(groups, layout="OI...")(None, shape), theirs)
        order = (*range(2, len(shape)), 1, 0)
        usual = tuple(shape[axis] for axis in order)
        np.testing.assert_array_equal(ours.dirac_(groups)(None, usual), theirs.transpose(order))


def test_sparse(torch):
    theirs = torch.nn.init.sparse_(torch.empty(200, 300), 0.37, std=0.2).numpy()
    weights = np.asarray(ours.sparse_(0.37, 0.2, layout="OI")(KEY, (200, 300)))
    for array in (theirs, weights, np.asarray(ours.sparse_(0.37, 0.2)(KEY, (300, 200))).T):
        assert ((array == 0).sum(0) == 74).all()
        assert len(set((array == 0).sum(1))) > 1
    assert_twins(weights[weights != 0], theirs[theirs != 0])


def test_gains(torch):
    names = ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "selu"]
    for name in names:
        assert ours.calculate_gain(name, 0.3) == torch.nn.init.calculate_gain(name, 0.3)
    for slope in (None, 0, 0.2, math.sqrt(5)):
        expected = torch.nn.init.calculate_gain("leaky_relu", slope)
        assert ours.calculate_gain("leaky_relu", slope) == pytest.approx(expected, rel=1e-15)


def test_signatures(torch):
    names = [n for n in ours.__all__ if n.endswith("_") and n in vars(torch.nn.init)]
    assert len(names) == 14
    for name in [*names, "calculate_gain"]:
        theirs = inspect.signature(getattr(torch.nn.init, name)).parameters.values()
        wanted = [(p.name, p.default) for p in theirs if p.name not in ("tensor", "generator")]
        mine = inspect.signature(getattr(ours, name)).parameters.values()
        assert [(p.name, p.default) for p in mine if p.kind is not p.KEYWORD_ONLY] == wanted, name


def test_every_initializer_is_there(torch):
    theirs = {n for n in vars(torch.nn.init) if n.endswith("_") and not n.startswith("_")}
    # Those without an underscore at the end are deprecated there.
    assert {n for n in theirs if callable(getattr(torch.nn.init, n))} <= set(ours.__all__)


ERRORS = {
    "a mode": (
        lambda: ours.kaiming_normal_(mode="fan_avg"),
        lambda t, init: init.kaiming_normal_(t, mode="fan_avg"),
        r"`mode` \(='fan_avg'\) must be one of 'fan_in', 'fan_out'",
    ),
    "an activation": (
        lambda: ours.kaiming_uniform_(nonlinearity="gelu"),
        lambda t, init: init.kaiming_uniform_(t, nonlinearity="gelu"),
        r"`nonlinearity` \(='gelu'\) must be one of torch's, .*jinit.calculate_gain knows more",
    ),
    "a gain's name": (
        lambda: ours.calculate_gain("ReLU"),
        lambda t, init: init.calculate_gain("ReLU"),
        r"`nonlinearity` \(='ReLU'\) must be one of torch's",
    ),
    "a slope": (
        lambda: ours.calculate_gain("leaky_relu", True),
        lambda t, init: init.calculate_gain("leaky_relu", True),
        r"`param` \(=True\) of 'leaky_relu' must be a finite number",
    ),
    "a vector": (
        lambda: ours.xavier_normal_()(KEY, (3,)),
        lambda t, init: init.xavier_normal_(t[0, 0]),
        r"`shape` \(=\(3,\)\) is 1-D, and fans need two axes at least",
    ),
    "an orthogonal vector": (
        lambda: ours.orthogonal_()(KEY, (3,)),
        lambda t, init: init.orthogonal_(t[0, 0]),
        r"`shape` \(=\(3,\)\) is 1-D, and a matrix needs at least 2 axes",
    ),
    "an identity of three axes": (
        lambda: ours.eye_()(None, (2, 3, 4)),
        lambda t, init: init.eye_(t),
        r"`shape` \(=\(2, 3, 4\)\) is 3-D; torch's eye_ is defined for 2-D weights",
    ),
    "a dirac of two axes": (
        lambda: ours.dirac_(layout="OI...")(None, (3, 4)),
        lambda t, init: init.dirac_(t[0]),
        r"2-D; torch's dirac_ is defined for 3-D, 4-D or 5-D weights",
    ),
    "groups": (
        lambda: ours.dirac_(2)(None, (3, 4, 3)),
        lambda t, init: init.dirac_(t.new_empty(3, 4, 3), 2),
        r"outputs \(=3\) of the kernel \(3, 4, 3\) must be divisible by `groups` \(=2\)",
    ),
    "sparse weights of three axes": (
        lambda: ours.sparse_(0.5)(KEY, (2, 3, 4)),
        lambda t, init: init.sparse_(t, 0.5),
        r"3-D; torch's sparse_ is defined for 2-D weights",
    ),
    "a negative std": (
        lambda: ours.normal_(std=-1.0),
        lambda t, init: init.normal_(t, std=-1.0),
        r"`std` \(=-1.0\) must be >= 0",
    ),
    "bounds in the wrong order": (
        lambda: ours.uniform_(1.0, 0.0),
        lambda t, init: init.uniform_(t, 1.0, 0.0),
        r"`a` \(=1.0\) must be below `b` \(=0.0\)",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_torch_s(torch, case):
    mine, theirs, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        mine()
    with pytest.raises((ValueError, RuntimeError)):
        theirs(torch.empty(2, 3, 4), torch.nn.init)


# Layers.


# Torch's module, jinit's start of it and its sizes, and how the module stores its weight.
LAYERS = {
    "Linear": (("Linear", 150, 300), ours.linear, (150,), "OI"),
    "Conv1d": (("Conv1d", 60, 200, 5), ours.conv1d, (60, 5), "OIW"),
    "Conv2d": (("Conv2d", 24, 200, (3, 5)), ours.conv2d, (24, (3, 5)), "OIHW"),
    "grouped": (("Conv2d", 32, 400, 5, 1, 0, 1, 4), ours.conv2d, (32, 5, 4), "OIHW"),
    "depthwise": (("Conv2d", 900, 900, 5, 1, 0, 1, 900), ours.conv2d, (900, 5, 900), "OIHW"),
    "strided": (("Conv2d", 24, 200, 3, 2), ours.conv2d, (24, 3), "OIHW"),
    "Conv3d": (("Conv3d", 12, 100, 3), ours.conv3d, (12, 3), "OIDHW"),
    "ConvTranspose1d": (("ConvTranspose1d", 90, 60, 5), ours.conv_transpose1d, (60, 5), "IOW"),
    "ConvTranspose2d": (("ConvTranspose2d", 64, 40, 4), ours.conv_transpose2d, (40, 4), "IOHW"),
    "ConvTranspose3d": (("ConvTranspose3d", 40, 24, 3), ours.conv_transpose3d, (24, 3), "IODHW"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(torch, name):
    torch.manual_seed(1)
    (module, *arguments), start, sizes, layout = LAYERS[name]
    layer = getattr(torch.nn, module)(*arguments)
    weight, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))
    stored = start(layout=layout).weight
    assert_twins(stored(KEY, weight.shape), weight)
    usual = [weight.shape[layout.index(axis)] for axis in sorted(set(layout) - {"I", "O"})]
    usual += [weight.shape[layout.index(axis)] for axis in "IO"]
    assert start().weight.std(usual) == pytest.approx(stored.std(weight.shape), rel=1e-6)
    assert start(*sizes).bias.std(bias.shape) == pytest.approx(stored.std(weight.shape), rel=1e-6)
    # A bias has few values: none exceeds the bound, and the largest of n is nearly there; that
    # it lies further than log(1e7) / n below has a chance of 1e-7.
    bound = math.sqrt(3) * start(*sizes).bias.std(bias.shape)
    assert bound * (1 - math.log(1e7) / bias.size) < np.abs(bias).max() <= bound


def test_a_grouped_transposed_convolution(torch):
    module = torch.nn.ConvTranspose2d(48, 96, 5, groups=3)
    torch.manual_seed(2)
    module.reset_parameters()
    weight = module.weight.detach().numpy()
    assert weight.shape == (48, 32, 5, 5)
    start = ours.conv_transpose2d(96, 5, 3, layout="IOHW")
    assert_twins(start.weight(KEY, weight.shape), weight)
    # The same kernel as Equinox and lax have it: one group's inputs, every group's outputs.
    in_jax = ours.conv_transpose2d(96, 5, 3)
    assert in_jax.weight.std((5, 5, 16, 96)) == pytest.approx(start.weight.std(weight.shape))
    assert in_jax.bias.std((96,)) == pytest.approx(1 / math.sqrt(3 * 32 * 25))


def test_bilinear_embedding_norms(torch):
    torch.manual_seed(3)
    weight = torch.nn.Bilinear(60, 20, 50).weight.detach().numpy()
    usual = (60, 20, 50)
    theirs = weight.transpose(1, 2, 0)
    assert_twins(ours.bilinear(60).weight(KEY, usual), theirs)
    assert_twins(ours.bilinear().weight(KEY, usual), theirs)
    assert ours.bilinear().bias is None
    table = torch.nn.Embedding(300, 100, padding_idx=2).weight.detach().numpy()
    rows = np.asarray(ours.embedding(2).weight(KEY, (300, 100)))
    assert not rows[2].any()
    assert not table[2].any()
    rest = np.arange(300) != 2
    assert_twins(rows[rest], table[rest])
    assert ours.embedding().weight == jinit.normal(1.0)
    for module, start in (
        (torch.nn.LayerNorm(4), ours.layer_norm()),
        (torch.nn.BatchNorm1d(4), ours.batch_norm()),
    ):
        np.testing.assert_array_equal(start.weight(None, (4,)), module.weight.detach().numpy())
        np.testing.assert_array_equal(start.bias(None, (4,)), module.bias.detach().numpy())
    np.testing.assert_array_equal(ours.prelu().weight(None, (1,)), torch.nn.PReLU().weight.detach())


@pytest.mark.parametrize(
    ("name", "start"), [("RNN", ours.rnn), ("LSTM", ours.lstm), ("GRU", ours.gru)]
)
def test_recurrent(torch, name, start):
    torch.manual_seed(4)
    module = getattr(torch.nn, name)(160, 144)
    cell = start(144)
    assert cell._fields == ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for field, init in cell._asdict().items():
        theirs = getattr(module, f"{field}_l0").detach().numpy()
        if theirs.size >= 20_000:
            assert_twins(init(KEY, theirs.shape), theirs)
        assert np.abs(theirs).max() <= math.sqrt(3) * init.std(theirs.shape)
    with pytest.raises(TypeError, match=r"uniform_by_hidden\(hidden_size=None\) goes by the leaf"):
        start().weight_ih(KEY, (3, 4), None)


def test_attention(torch):
    torch.manual_seed(5)
    module = torch.nn.MultiheadAttention(144, 4, add_bias_kv=True)
    start = ours.multihead_attention(144)
    packed = module.in_proj_weight.detach().numpy().T
    assert_twins(start.in_proj_weight(KEY, packed.shape), packed)
    for name, part in zip(("query", "key", "value"), np.split(packed, 3, axis=1), strict=True):
        assert_twins(getattr(start, name)(KEY, (144, 144)), part)
    out = module.out_proj.weight.detach().numpy()
    assert_twins(start.out_proj_weight(KEY, out.shape), out)
    for bias in (start.in_proj_bias, start.out_proj_bias):
        assert bias == jinit.zeros()
    # xavier_normal_ of (1, 1, 144): both fans are 144.
    assert start.bias_k.std((1, 1, 144)) == pytest.approx(1 / 12)
    assert start.bias_v == start.bias_k
    many = np.stack(
        [torch.nn.init.xavier_normal_(torch.empty(1, 1, 144)).numpy() for _ in range(150)]
    )
    assert_twins(jax.vmap(lambda k: start.bias_k(k, (1, 1, 144)))(jax.random.split(KEY, 150)), many)


def test_attention_of_other_widths(torch):
    torch.manual_seed(6)
    module = torch.nn.MultiheadAttention(144, 4, kdim=200, vdim=160)
    start = ours.multihead_attention(144, kdim=200, vdim=160)
    assert start.in_proj_weight is None
    for name, inputs in (("query", 144), ("key", 200), ("value", 160)):
        theirs = getattr(module, f"{name[0]}_proj_weight").detach().numpy().T
        assert theirs.shape == (inputs, 144)
        assert_twins(getattr(start, name)(KEY, theirs.shape), theirs)


def test_in_a_layer_of_flax():
    """As `kernel_init` and `bias_init`: torch's bound, reached and not passed."""
    from flax import linen as nn

    start = ours.conv2d(16, 3)
    layer = nn.Conv(400, (3, 3), kernel_init=start.weight, bias_init=start.bias)
    params = layer.init(KEY, np.zeros((1, 4, 4, 16), np.float32))["params"]
    for weights in params.values():
        largest = float(np.abs(weights).max())
        # The largest of n is log(1e7) / n below the bound, or further, once in 10^7.
        assert 1 - math.log(1e7) / weights.size < largest * 12 <= 1 + 1e-6


def test_biases_without_sizes_read_the_kernel_beside_them():
    start = ours.conv2d()
    rules = jinit.Rules({"**/kernel": start.weight, "**/bias": start.bias})
    shapes = {
        "conv": {
            "kernel": jax.ShapeDtypeStruct((3, 3, 16, 32), "float32"),
            "bias": jax.ShapeDtypeStruct((32,), "float32"),
        }
    }
    plan = jinit.plan(shapes, rules, layouts={"conv/kernel": "HWIO"})
    assert plan["conv/bias"].std == pytest.approx(plan["conv/kernel"].std)
    assert plan["conv/bias"].std == pytest.approx(1 / math.sqrt(3 * 9 * 16))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ours.conv2d(16), r"channels \(=16\) and `kernel_size` \(=None\); give both"),
        (
            lambda: ours.conv2d(16, (3, 3, 3)),
            r"`kernel_size` \(=\(3, 3, 3\)\) must be one int or 2",
        ),
        (lambda: ours.conv1d(16, 3, 3), r"channels \(=16\) must be divisible by `groups` \(=3\)"),
        (lambda: ours.linear(-1), r"`in_features` \(=-1\) must be at least 0"),
        (lambda: ours.embedding(-1), r"`padding_idx` \(=-1\) must be at least 0"),
    ],
)
def test_layers_check_their_sizes(make, message):
    with pytest.raises(ValueError, match=message):
        make()
