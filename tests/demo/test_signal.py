import jax
import jax.numpy as jnp
import numpy as np
import perceptron
import pytest

import jinit
from jinit.demo.activations import ACTIVATIONS
from jinit.demo.network import MLP
from jinit.demo.signal import signal_meter

IMAGES = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
LABELS = np.arange(20, dtype=np.int32) % 10


def network(init, activation="relu", depth=4):
    return MLP(depth, 8, ACTIVATIONS[activation], (init, init, init))


def drawn(net, seed=0):
    return net.init(jax.random.key(seed), jnp.asarray(IMAGES))["params"]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_signal_is_that_of_a_pass_by_hand(activation):
    net = network(jinit.he_normal(), activation)
    params = drawn(net)
    signal = signal_meter(net, jnp.asarray(IMAGES), jnp.asarray(LABELS))(params)
    expected = perceptron.run(perceptron.weights(params), IMAGES, LABELS, activation)
    assert len(signal.forward) == len(signal.backward) == 4
    np.testing.assert_allclose(
        signal.forward, [perceptron.rms(z) for z in expected.pre_activations], rtol=1e-5
    )
    np.testing.assert_allclose(
        signal.backward, [perceptron.rms(d) for d in expected.deltas], rtol=1e-4
    )


def test_tiny_signals_are_not_rounded_to_zero():
    net = network(jinit.normal(1e-8), depth=3)
    signal = signal_meter(net, jnp.asarray(IMAGES), jnp.asarray(LABELS))(drawn(net))
    assert 0 < signal.forward[2] < 1e-20


def test_zeros_give_zero():
    net = network(jinit.zeros(), depth=3)
    signal = signal_meter(net, jnp.asarray(IMAGES), jnp.asarray(LABELS))(drawn(net))
    assert signal == ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def test_an_overflow_shows():
    net = network(jinit.constant(1e20), depth=2)
    signal = signal_meter(net, jnp.asarray(IMAGES), jnp.asarray(LABELS))(drawn(net))
    assert 1e19 < signal.forward[0] < 1e22
    assert signal.forward[1] == np.inf


def test_one_program_serves_all_parameters():
    traces = []

    def counted(x):
        traces.append(x)
        return jax.nn.relu(x)

    net = MLP(1, 8, counted, (jinit.he_normal(),) * 3)
    both = drawn(net, 0), drawn(net, 1)
    measure = signal_meter(net, jnp.asarray(IMAGES), jnp.asarray(LABELS))
    first = measure(both[0])
    count = len(traces)
    assert measure(both[1]) != first
    assert len(traces) == count
