"""`jinit.frameworks.haiku` and `.equinox` against Haiku's and Equinox' own."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from frameworks.twins import assert_isometry, assert_twins

import jinit
from jinit.frameworks import equinox, haiku

KEY = jax.random.key(13)
DENSE, CONV = (150, 300), (3, 5, 40, 60)

LAWS = {
    "RandomNormal": ({}, DENSE),
    "RandomNormal of a mean": ({"stddev": 0.02, "mean": 0.5}, DENSE),
    "TruncatedNormal": ({}, DENSE),
    "TruncatedNormal of bounds": ({"stddev": 0.1, "mean": 0.5, "lower": -1.0}, DENSE),
    "RandomUniform": ({}, DENSE),
    "RandomUniform of a range": ({"minval": -0.2, "maxval": 0.1}, DENSE),
    "VarianceScaling": ({}, CONV),
    "VarianceScaling normal": ({"scale": 2.0, "mode": "fan_out", "distribution": "Normal"}, CONV),
    "VarianceScaling uniform": ({"mode": "fan_avg", "distribution": "uniform"}, CONV),
    "VarianceScaling axes": ({"fan_in_axes": (0, 2)}, (12, 50, 60)),
    "VarianceScaling axes of a matrix": ({"fan_in_axes": (1,)}, DENSE),
    "VarianceScaling axes and fan_out": ({"fan_in_axes": (2,), "mode": "fan_out"}, (12, 50, 60)),
    "UniformScaling": ({}, CONV),
    "UniformScaling of a factor": ({"scale": 1.43}, DENSE),
}


def drawn_by(hk, init, shape):
    """Haiku's initializers take their key from the context."""
    return hk.transform(lambda: init(shape, jnp.float32)).apply({}, jax.random.key(2))


@pytest.fixture
def peers(hk):
    with jax.numpy_rank_promotion("allow"):
        yield hk.initializers


@pytest.mark.parametrize("name", LAWS)
def test_laws(hk, peers, name):
    options, shape = LAWS[name]
    theirs = drawn_by(hk, getattr(peers, name.split()[0])(**options), shape)
    assert_twins(getattr(haiku, name.split()[0])(**options)(KEY, shape), theirs)


@pytest.mark.parametrize("shape", [(), (7,), (7, 5), (2, 7, 5), (2, 3, 7, 5)])
def test_fans_of_any_rank(peers, shape):
    fan_in, fan_out = _fans(shape)
    assert haiku.VarianceScaling().std(shape) == pytest.approx(fan_in**-0.5)
    assert haiku.VarianceScaling(mode="fan_out").std(shape) == pytest.approx(fan_out**-0.5)


def _fans(shape):
    from haiku._src.initializers import _compute_fans

    return _compute_fans(shape)


@pytest.mark.parametrize(("shape", "axis"), [((8, 12), -1), ((12, 8), 0), ((3, 3, 4, 6), 2)])
def test_orthogonal(hk, peers, shape, axis):
    assert_isometry(drawn_by(hk, peers.Orthogonal(1.5, axis), shape), 1.5, axis)
    assert_isometry(haiku.Orthogonal(1.5, axis)(KEY, shape), 1.5, axis)


def test_what_needs_no_key(hk, peers):
    for mine, theirs, shape in (
        (haiku.Constant(0.3), peers.Constant(0.3), (2, 3)),
        (haiku.Constant([1.0, 2.0]), peers.Constant(jnp.array([1.0, 2.0])), (3, 2)),
        (haiku.Identity(), peers.Identity(), (2, 3)),
        (haiku.Identity(1.5), peers.Identity(1.5), (2, 3, 3)),
    ):
        np.testing.assert_array_equal(mine(None, shape), drawn_by(hk, theirs, shape))


def test_signatures(peers):
    names = [n for n in haiku.__all__ if n[0].isupper()]
    assert {n for n in dir(peers) if n[0].isupper()} - {"Initializer"} == set(names)
    for name in names:
        theirs = inspect.signature(getattr(peers, name)).parameters.values()
        mine = inspect.signature(getattr(haiku, name)).parameters.values()
        assert [(p.name, p.default) for p in mine if p.kind is not p.KEYWORD_ONLY] == [
            (p.name, p.default) for p in theirs
        ], name


@pytest.mark.slow
def test_haiku_layers(hk, peers):
    def net(x, image, tokens):
        hk.Linear(300, name="linear")(x)
        hk.Conv2D(60, (3, 5), name="conv")(image)
        hk.Conv2DTranspose(60, 5, name="transposed")(image)
        hk.Embed(300, 80, name="embed")(tokens)
        hk.GRU(150, name="gru")(x, jnp.zeros((1, 150)))
        return hk.LayerNorm(-1, True, True, name="norm")(x)

    inputs = (jnp.zeros((1, 150)), jnp.zeros((1, 9, 9, 40)), jnp.zeros((1,), jnp.int32))
    params = jax.jit(hk.transform(net).init)(jax.random.key(0), *inputs)
    for name, start in (("linear", haiku.linear()), ("conv", haiku.conv())):
        kernel = params[name]["w"]
        assert_twins(start.weight(KEY, kernel.shape), kernel)
        assert start.bias == jinit.zeros()
        assert not params[name]["b"].any()
    # Stored as (taps, out, in), and with the fan of its inputs.
    transposed = params["transposed"]["w"].swapaxes(-1, -2)
    assert_twins(haiku.conv().weight(KEY, transposed.shape), transposed)
    table = params["embed"]["embeddings"]
    assert_twins(haiku.embed().weight(KEY, table.shape), table)
    for name in ("w_i", "w_h"):
        kernel = params["gru"][name]
        assert_twins(haiku.gru().weight(KEY, kernel.shape), kernel)
    np.testing.assert_array_equal(haiku.layer_norm().weight(None, (150,)), params["norm"]["scale"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: haiku.VarianceScaling(-1.0), r"`scale` \(=-1.0\) must be >= 0"),
        (lambda: haiku.VarianceScaling(mode="fan"), r"`mode` \(='fan'\) must be one of 'fan_avg'"),
        (
            lambda: haiku.VarianceScaling(distribution="cauchy"),
            r"`distribution` \(='cauchy'\) must be one of 'normal'",
        ),
        (
            lambda: haiku.VarianceScaling(fan_in_axes=(-1,)),
            r"`fan_in_axes` \(=-1\) must be at least 0",
        ),
        (
            lambda: haiku.VarianceScaling(fan_in_axes=(0,), in_axis=0, out_axis=1),
            r"`fan_in_axes` .* both name the kernel's axes",
        ),
        (lambda: haiku.Identity()(None, (3,)), r"1-D, and a matrix needs at least 2 axes"),
        (lambda: haiku.Orthogonal()(KEY, (3,)), r"1-D, and a matrix needs at least 2 axes"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Equinox.


@pytest.fixture(scope="session")
def eqx():
    return pytest.importorskip("equinox")


@pytest.mark.slow
def test_equinox_layers(eqx):
    keys = iter(jax.random.split(jax.random.key(3), 4))
    cases = (
        (eqx.nn.Linear(150, 300, key=next(keys)), equinox.linear, (150,)),
        (eqx.nn.Conv2d(32, 400, 5, groups=4, key=next(keys)), equinox.conv, (32, (5, 5), 4)),
        (eqx.nn.ConvTranspose2d(40, 60, 5, key=next(keys)), equinox.conv, (40, (5, 5))),
    )
    for layer, start, sizes in cases:
        shape = layer.weight.shape
        assert_twins(start(layout="OI...").weight(KEY, shape), layer.weight)
        stored, usual = start(layout="OI..."), (*shape[2:], shape[1], shape[0])
        assert start().weight.std(usual) == pytest.approx(stored.weight.std(shape))
        bound = math.sqrt(3) * start(*sizes).bias.std(layer.bias.shape)
        assert bound == pytest.approx(math.sqrt(3) * stored.weight.std(shape))
        largest = np.abs(layer.bias).max()
        assert bound * (1 - math.log(1e7) / layer.bias.size) < largest <= bound


def test_equinox_cells_and_tables(eqx):
    cell = eqx.nn.LSTMCell(144, 144, key=KEY)
    for name in ("weight_ih", "weight_hh"):
        theirs = getattr(cell, name)
        assert_twins(equinox.lstm_cell(144).weight(KEY, theirs.shape), theirs)
    assert np.abs(cell.bias).max() <= math.sqrt(3) * equinox.gru_cell(144).bias.std((4 * 144,))
    table = eqx.nn.Embedding(300, 80, key=KEY).weight
    assert_twins(equinox.embedding().weight(jax.random.key(9), table.shape), table)
    norm = eqx.nn.LayerNorm(4)
    np.testing.assert_array_equal(equinox.layer_norm().weight(None, (4,)), norm.weight)
    slope = eqx.nn.PReLU().negative_slope
    np.testing.assert_array_equal(equinox.prelu().weight(None, slope.shape), slope)


def test_a_limit_that_is_given():
    assert equinox.default_init(0.25).law((3,)) == jinit.uniform(bound=0.25).law((3,))
    with pytest.raises(ValueError, match=r"`lim` \(=-1\) must be >= 0"):
        equinox.default_init(-1)
