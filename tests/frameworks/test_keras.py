"""`jinit.frameworks.keras` against Keras' own initializers and layers."""

import inspect
import json

import jax
import numpy as np
import pytest
from frameworks.twins import assert_isometry, assert_twins

import jinit
from jinit.frameworks import keras as ours

KEY = jax.random.key(12)

DENSE, CONV = (150, 300), (3, 5, 40, 60)

LAWS = {
    "RandomNormal": ({}, DENSE),
    "RandomNormal of a mean": ({"mean": 0.5, "stddev": 0.02}, DENSE),
    "TruncatedNormal": ({}, DENSE),
    "TruncatedNormal of a mean": ({"mean": 0.5, "stddev": 0.02}, DENSE),
    "RandomUniform": ({}, DENSE),
    "RandomUniform of a range": ({"minval": 0.0, "maxval": 0.3}, DENSE),
    "VarianceScaling": ({}, DENSE),
    "VarianceScaling normal": ({"scale": 2.0, "distribution": "normal"}, CONV),
    "VarianceScaling untruncated": (
        {"mode": "fan_out", "distribution": "Untruncated_Normal"},
        CONV,
    ),
    "VarianceScaling uniform": ({"mode": "fan_avg", "distribution": "uniform"}, CONV),
    "VarianceScaling axes": ({"input_axes": [0], "output_axes": [-1, 2]}, (12, 15, 8, 50)),
    "GlorotUniform": ({}, CONV),
    "GlorotNormal": ({}, CONV),
    "LecunNormal": ({}, CONV),
    "LecunUniform": ({}, CONV),
    "HeNormal": ({}, CONV),
    "HeUniform": ({}, DENSE),
    "HeUniform axes": ({"input_axes": [2, 0], "output_axes": [1]}, (12, 150, 25)),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws(keras, name):
    options, shape = LAWS[name]
    theirs = getattr(keras.initializers, name.split()[0])(seed=5, **options)(shape)
    init = getattr(ours, name.split()[0])(**options)
    assert_twins(init(KEY, shape), theirs)


@pytest.mark.parametrize("shape", [(), (7,), (7, 5), (2, 7, 5), (2, 3, 7, 5)])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
def test_fans_of_any_rank(keras, shape, mode):
    """A uniform law's bound is exact, and with enough seeds every value is near it at some time."""
    init = keras.initializers.VarianceScaling(1.0, mode, "uniform")
    from keras.src.initializers.random_initializers import compute_fans

    fan_in, fan_out = compute_fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    assert np.abs(np.asarray(init(shape))).max() <= (3 / fan) ** 0.5
    assert ours.VarianceScaling(1.0, mode, "uniform").std(shape) == pytest.approx(fan**-0.5)


@pytest.mark.parametrize("shape", [(8, 12), (12, 8), (3, 3, 4, 6)])
def test_orthogonal(keras, shape):
    assert_isometry(keras.initializers.Orthogonal(1.5, seed=1)(shape), 1.5)
    assert_isometry(ours.Orthogonal(1.5)(KEY, shape), 1.5)


def test_what_needs_no_key(keras):
    peers = keras.initializers
    pairs = [
        (ours.Zeros(), peers.Zeros(), (2, 3)),
        (ours.Ones(), peers.Ones(), (2, 3)),
        (ours.Constant(), peers.Constant(), (2, 3)),
        (ours.Constant(0.3), peers.Constant(0.3), (2, 3)),
        (ours.Identity(), peers.Identity(), (3, 3)),
        (ours.Identity(1.5), peers.Identity(1.5), (2, 4)),
    ]
    for mine, theirs, shape in pairs:
        np.testing.assert_array_equal(mine(None, shape), theirs(shape))


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"periodic": True},
        {"window": "hamming", "scaling": "spectrum"},
        {"window": "blackman", "scaling": None},
        {"window": None},
        {"window": np.linspace(0.1, 1.0, 12), "scaling": "spectrum"},
    ],
    ids=str,
)
def test_stft(keras, side, options):
    theirs = keras.initializers.STFT(side, **options)((12, 1, 7))
    # Keras multiplies angles of up to 2 pi 11 * 6 / 12 in float32, whose rounding is 2^-24 of them.
    np.testing.assert_allclose(ours.STFT(side, **options)(None, (12, 1, 7)), theirs, atol=4e-6)


def test_signatures(keras):
    names = [n for n in ours.__all__ if n[0].isupper() and n != "Recurrent"]
    assert len(names) == 19
    for name in names:
        theirs = inspect.signature(getattr(keras.initializers, name)).parameters.values()
        wanted = [(p.name, p.default) for p in theirs]
        mine = inspect.signature(getattr(ours, name)).parameters.values()
        assert [(p.name, p.default) for p in mine if p.kind is not p.KEYWORD_ONLY] == wanted, name


def test_every_name_is_there(keras):
    from keras.src.initializers import ALL_OBJECTS_DICT

    public = {n for n in dir(keras.initializers) if not n.startswith("_")}
    functions = {"Initializer", "deserialize", "serialize"}
    assert public - functions <= set(ours.__all__)
    # Keras itself cannot make a Constant of its name alone.
    for name in ALL_OBJECTS_DICT.keys() - {"Constant", "Initializer", "constant", "initializer"}:
        theirs, mine = keras.initializers.get(name), ours.get(name)
        assert mine.scheme.__name__ == f"frameworks.keras.{type(theirs).__name__}", name


def test_get(keras):
    for theirs in (keras.initializers.HeNormal(seed=3), keras.initializers.Constant(0.5)):
        written = json.loads(json.dumps(keras.initializers.serialize(theirs)))
        mine = ours.get(written)
        assert mine == getattr(ours, type(theirs).__name__)(**theirs.get_config())
    assert ours.get(None) is None
    assert ours.get(ours.HeNormal) == ours.HeNormal()
    assert ours.get(np.eye(2, dtype=np.float32)) == jinit.from_array(np.eye(2, dtype=np.float32))


def test_layers(keras):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    dense, conv, table = layers.Dense(300), layers.Conv2D(60, (3, 5)), layers.Embedding(300, 80)
    transposed = layers.Conv2DTranspose(60, 5)
    for layer, shape, start in (
        (dense, (1, 150), ours.dense()),
        (conv, (1, 9, 9, 40), ours.conv()),
        (transposed, (1, 9, 9, 40), ours.conv()),
    ):
        layer.build(shape)
        kernel, bias = (np.asarray(weight) for weight in layer.trainable_weights)
        assert_twins(start.weight(KEY, kernel.shape), kernel)
        np.testing.assert_array_equal(start.bias(None, bias.shape), bias)
    table.build((1,))
    (weights,) = table.trainable_weights
    assert_twins(ours.embedding().weight(KEY, weights.shape), weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "start"),
    [("SimpleRNN", ours.simple_rnn), ("LSTM", ours.lstm), ("GRU", ours.gru)],
)
def test_recurrent(keras, name, start):
    keras.utils.set_random_seed(1)
    layer = getattr(keras.layers, name)(40)
    layer.build((1, 3, 640))
    kernel, recurrent, bias = (np.asarray(weight) for weight in layer.trainable_weights)
    mine = start()
    assert_twins(mine.kernel(KEY, kernel.shape), kernel)
    for weights in (recurrent, mine.recurrent_kernel(KEY, recurrent.shape)):
        assert_isometry(weights, 1.0)
    np.testing.assert_array_equal(mine.bias(None, bias.shape), bias)


def test_lstm_without_the_forget_gate_s_one():
    assert ours.lstm(unit_forget_bias=False).bias == jinit.zeros()


ERRORS = {
    "a mode": (
        lambda: ours.VarianceScaling(mode="FAN_IN"),
        lambda peers: peers.VarianceScaling(mode="FAN_IN"),
        r"`mode` \(='FAN_IN'\) must be one of 'fan_avg', 'fan_in', 'fan_out'",
    ),
    "a scale of zero": (
        lambda: ours.VarianceScaling(0.0),
        lambda peers: peers.VarianceScaling(0.0),
        r"`scale` \(=0.0\) must be > 0",
    ),
    "a distribution": (
        lambda: ours.VarianceScaling(distribution="gaussian"),
        lambda peers: peers.VarianceScaling(distribution="gaussian"),
        r"`distribution` \(='gaussian'\) must be one of 'normal', 'truncated_normal'",
    ),
    "an identity of one axis": (
        lambda: ours.Identity()(None, (3,)),
        lambda peers: peers.Identity()((3,)),
        r"`shape` \(=\(3,\)\) is 1-D; Keras' Identity is defined for 2-D weights",
    ),
    "an orthogonal vector": (
        lambda: ours.Orthogonal()(KEY, (3,)),
        lambda peers: peers.Orthogonal()((3,)),
        r"`shape` \(=\(3,\)\) is 1-D, and a matrix needs at least 2 axes",
    ),
    "a name": (
        lambda: ours.get("glorot_unifrom"),
        lambda peers: peers.get("glorot_unifrom"),
        r"Keras has no initializer called 'glorot_unifrom'; did you mean 'glorot_uniform'\?",
    ),
    "a side": (
        lambda: ours.STFT("left"),
        lambda peers: peers.STFT("left"),
        r"`side` \(='left'\) must be one of 'imag', 'real'",
    ),
    "a window": (
        lambda: ours.STFT(window=np.ones(3))(None, (4, 1, 3)),
        lambda peers: peers.STFT(window=np.ones(3))((4, 1, 3)),
        r"`window` has shape \(3,\), and the kernel 4 taps",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_keras_s(keras, case):
    mine, theirs, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        mine()
    with pytest.raises(ValueError, match=r"."):
        theirs(keras.initializers)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ours.RandomUniform(1.0), r"`minval` \(=1.0\) must be below `maxval` \(=0.05\)"),
        (lambda: ours.Orthogonal(-1.0), r"`gain` \(=-1.0\) must be >= 0"),
        (
            lambda: ours.HeNormal(input_axes=[0]),
            r"`input_axes` \(=\(0,\)\) and `output_axes` \(=None\) must be given together",
        ),
        (
            lambda: ours.HeNormal(input_axes=[0], output_axes=[1], in_axis=0, out_axis=1),
            r"`input_axes` .* both name the kernel's axes; give one",
        ),
        (
            lambda: ours.get({"class_name": "Zeros"}),
            r"must have 'class_name' and 'config', as keras.initializers.serialize gives them",
        ),
        (
            lambda: ours.STFT()(None, (4, 2, 3)),
            r"`shape` \(=\(4, 2, 3\)\) must be \(taps, 1, frequencies\)",
        ),
        (lambda: ours.STFT(window="kaiser"), r"`window` \(='kaiser'\) must be one of 'blackman'"),
    ],
)
def test_errors_that_keras_does_not_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()
