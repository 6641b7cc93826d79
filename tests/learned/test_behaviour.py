"""What learned scales are for: starts that are off by orders of magnitude come right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

WIDTH, CLASSES, BLOCKS, DEPTH = 32, 10, 8, 16


def batch_of(step):
    rng = np.random.default_rng(step)
    x = rng.normal(size=(64, WIDTH)).astype(np.float32)
    return x, np.eye(CLASSES, dtype=np.float32)[rng.integers(CLASSES, size=64)]


def learnable_batch(step):
    """Labels that follow from the inputs: the largest of ten of them."""
    x, _ = batch_of(step)
    return x, np.eye(CLASSES, dtype=np.float32)[x[:, :CLASSES].argmax(axis=1)]


def cross_entropy(logits, labels):
    return -(jax.nn.log_softmax(logits) * labels).sum(axis=-1).mean()


def he(seed, *shape):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(0, np.sqrt(2 / shape[0]), shape), jnp.float32)


def residual_start():
    """Without normalization each block about triples the variance."""
    ups, downs = (
        jnp.stack([he(2 * i + odd, WIDTH, WIDTH) for i in range(BLOCKS)]) for odd in (0, 1)
    )
    return {"blocks": {"up": ups, "down": downs}, "head": he(99, WIDTH, CLASSES)}


def residual_loss(params, batch):
    def block(x, weights):
        return x + jax.nn.relu(x @ weights["up"]) @ weights["down"], None

    x, labels = batch
    return cross_entropy(jax.lax.scan(block, x, params["blocks"])[0] @ params["head"], labels)


def after_one_step(params, optimizer, eta):
    """The loss of one batch after an optimizer's first step on another."""
    gradient = jax.grad(residual_loss)(params, learnable_batch(500))
    norm = np.sqrt(sum(float((g**2).sum()) for g in jax.tree.leaves(gradient)))
    rule = jnp.sign if optimizer == "adam" else lambda g: g / np.float32(norm)
    moved = jax.tree.map(lambda w, g: w - np.float32(eta) * rule(g), params, gradient)
    return float(residual_loss(moved, learnable_batch(501)))


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "eta", "gamma"), [("sgd", 0.1, 1.0), ("adam", 1e-3, np.inf)])
def test_gradinit_lowers_the_loss_after_one_step(optimizer, eta, gamma):
    start = residual_start()
    learned, report = jinit.gradinit(
        residual_loss,
        start,
        learnable_batch,
        optimizer=optimizer,
        steps=120,
        learning_rate=0.03,
        stacked={"blocks/*": 1},
    )
    before, after = (after_one_step(params, optimizer, eta) for params in (start, learned))
    assert before > 100
    # Equal probabilities have a loss of log 10; the step gains on that, or on what it came from.
    assert after < np.log(CLASSES) + 0.05
    assert after < float(residual_loss(learned, learnable_batch(501)))
    assert report.loss[0] > 100 > np.log(CLASSES) + 1 > report.loss[-1]
    assert report.gamma == gamma
    late = report.gradient_norm[-20:]
    assert np.median(late) <= gamma
    assert (late <= 2 * gamma).all()
    assert report.kinds.count("norm") == (report.gradient_norm > gamma).sum()


def test_scales_stop_at_their_bounds():
    """A loss that only shrinks the weights takes each scale to its bound, biases to 0."""
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}

    def loss(params, batch):
        return sum((leaf**2).sum() for leaf in jax.tree.leaves(params))

    options = {"steps": 60, "learning_rate": 0.1, "min_scale": 0.05}
    _, report = jinit.gradinit(loss, params, lambda step: step, overlap=1, **options)
    assert report.scales["kernel"] == np.float32(0.05)
    assert report.scales["bias"] < 0.05
    _, report = jinit.metainit(loss, params, lambda step: step, **options)
    assert report.scales["kernel"] == np.float32(0.05)


def plain_loss(params, batch):
    def layer(x, kernel):
        return jax.nn.relu(x @ kernel), None

    x, labels = batch
    return cross_entropy(jax.lax.scan(layer, x, params["hidden"])[0] @ params["head"], labels)


def test_metainit_recovers_from_weights_four_times_too_small():
    """Sixteen layers at a quarter of He's scale: gradients of 1e-9, and a quotient of one.

    Norms come back to within a factor of two of He's, the gradient to order 1e-2.
    """
    hidden = jnp.stack([0.25 * he(i, WIDTH, WIDTH) for i in range(DEPTH - 1)])
    start = {"hidden": hidden, "head": 0.25 * he(99, WIDTH, CLASSES)}
    _, report = jinit.metainit(
        plain_loss, start, batch_of, steps=100, learning_rate=0.03, stacked={"hidden": 1}
    )
    assert report.gradient_norm[0] < 1e-7
    assert report.gradient_norm[-1] > 1e-3
    np.testing.assert_allclose(report.objective[0], 1.0, atol=1e-3)
    assert report.objective[-1] < 0.7
    of_he = 0.25 * np.append(report.scales["hidden"], report.scales["head"])
    assert of_he.shape == (DEPTH,)
    assert ((of_he > 0.5) & (of_he < 2)).all(), of_he
