import math

import jax
import jax.numpy as jnp
import numpy as np
import perceptron
import pytest

import jinit
from jinit.demo.activations import ACTIVATIONS
from jinit.demo.data import Digits, load_split
from jinit.demo.network import MLP
from jinit.demo.training import BATCH, Run, Trainer, best_run


@pytest.fixture(scope="module")
def digits():
    return load_split()


def make(steps, digits, activation=ACTIVATIONS["relu"]):
    net = MLP(2, 12, activation, (jinit.he_normal(),) * 3)
    params = net.init(jax.random.key(3), jnp.asarray(digits.images[:1]))["params"]
    return Trainer(net, digits, steps, seed=5), params


def test_first_step_is_adam_s_by_hand(digits):
    trainer, params = make(1, digits)
    run = trainer.train(params, 0.003, lambda: None)
    batch = np.random.default_rng(5).integers(len(digits.labels), size=(1, BATCH))[0]
    layers = perceptron.weights(params)
    start = perceptron.run(layers, digits.images, digits.labels)
    gradients = perceptron.run(layers, digits.images[batch], digits.labels[batch]).gradients
    # After bias correction Adam's first step is -rate * g / (|g| + 1e-8).
    moved = [
        tuple(p - 0.003 * g / (np.abs(g) + 1e-8) for p, g in zip(layer, grads, strict=True))
        for layer, grads in zip(layers, gradients, strict=True)
    ]
    end = perceptron.run(moved, digits.images, digits.labels)
    held_out = perceptron.run(moved, digits.held_out_images, digits.held_out_labels)
    assert run.steps == (0, 1)
    # Adam divides by gradients as small as float32's noise, which moves single weights.
    np.testing.assert_allclose(run.losses, [start.losses.mean(), end.losses.mean()], rtol=1e-3)
    accuracy = np.mean(held_out.logits.argmax(axis=1) == digits.held_out_labels)
    assert run.accuracies[1] == pytest.approx(accuracy, abs=2 / 360)


def test_looks_are_spread_over_all_steps_and_change_nothing(digits, monkeypatch):
    trainer, params = make(41, digits)
    ticks = []
    run = trainer.train(params, 1e-3, lambda: ticks.append(1))
    assert (run.steps[0], run.steps[-1]) == (0, 41)
    assert set(np.diff(run.steps)) == {2, 3}
    assert len(ticks) == trainer.ticks == len(run.losses) == len(run.accuracies) == 21
    assert run.losses[-1] < run.losses[0]
    monkeypatch.setattr("jinit.demo.training.MARKS", 1)
    unbroken = make(41, digits)[0].train(params, 1e-3, lambda: None)
    assert unbroken.steps == (0, 41)
    assert unbroken.losses == (run.losses[0], run.losses[-1])


def test_one_program_serves_every_start_rate_and_stretch(digits):
    traces = []

    def counted(x):
        traces.append(x)
        return jax.nn.relu(x)

    trainer, params = make(41, digits, counted)
    traces.clear()
    trainer.train(params, 1e-3, lambda: None)
    count = len(traces)
    assert count > 0
    trainer.train(jax.tree.map(jnp.zeros_like, params), 3e-3, lambda: None)
    assert len(traces) == count


def test_best_run_has_the_lowest_training_loss_whatever_its_accuracy():
    def run(rate, loss, accuracy):
        return Run(rate, (0, 1), (2.3, loss), (0.1, accuracy))

    runs = [run(1, math.nan, 0.9), run(2, 0.2, 0.5), run(3, 0.1, 0.4), run(4, math.inf, 0.9)]
    assert best_run(runs).learning_rate == 3
    assert best_run(runs[:1]).learning_rate == 1


def test_digits_travel_as_they_are(digits):
    assert isinstance(jax.tree.map(jnp.asarray, digits), Digits)
