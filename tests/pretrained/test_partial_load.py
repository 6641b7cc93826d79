"""A checkpoint into a model that is not quite its own: what fits is taken, the rest said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import jinit
from jinit.pretrained import fit_channels, grow_rows, resize_positions, select_units

KEY = jax.random.key(2)


class Encoder(nn.Module):
    """A vision transformer: patches, a class token, positions, one layer, a head."""

    size: int = 16
    classes: int = 10
    width: int = 12
    layers: int = 2

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(self.width, (4, 4), (4, 4), name="stem")(x)
        x = x.reshape(x.shape[0], -1, self.width)
        token = self.param("token", nn.initializers.normal(1.0), (1, 1, self.width))
        x = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, self.width)), x], axis=1)
        places = (1, x.shape[1], self.width)
        x = x + self.param("positions", nn.initializers.normal(1.0), places)
        for layer in range(self.layers):
            y = nn.LayerNorm(name=f"norm_{layer}")(x)
            x = x + nn.MultiHeadDotProductAttention(4, name=f"attn_{layer}")(y)
        return nn.Dense(self.classes, name="head")(x[:, 0])


RULES = {"head/bias": jinit.zeros, "head/kernel": jinit.normal(0.02), "**": jinit.ones}


def image(size, channels):
    return jax.ShapeDtypeStruct((1, size, size, channels), jnp.dtype("float32"))


@pytest.fixture(scope="module")
def checkpoint() -> dict:
    """Values that owe nothing to jinit."""
    rng = np.random.default_rng(3)
    shapes = jax.eval_shape(Encoder().init, jax.random.key(0), image(16, 3))["params"]
    return jax.tree.map(lambda one: rng.normal(0, 0.3, one.shape).astype(np.float32), shapes)


def leaves(tree):
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {"/".join(key.key for key in path): np.asarray(value) for path, value in flat}


def test_another_resolution_another_head_grey_images(checkpoint):
    model = Encoder(size=24, classes=3)
    variables, report = jinit.load(
        jinit.with_inputs(model, image(24, 1)),
        checkpoint,
        rules=RULES,
        key=KEY,
        on_mismatch={
            "head/*": "draw",
            "positions": resize_positions(prefix=1),
            "stem/kernel": fit_channels(),
        },
    )
    totals = report.totals
    assert totals == totals | {"leaves": 26, "loaded": 22, "adapted": 2, "drawn": 2, "kept": 0}
    assert totals["tensors"] == 26
    assert report.ignored == ("head/bias", "head/kernel")

    made, before = leaves(variables["params"]), leaves(checkpoint)
    for row in report.loaded:
        np.testing.assert_array_equal(made[row.path], before[row.path])
    fresh = leaves(jinit.initialize(jinit.with_inputs(model, image(24, 1)), RULES, KEY)["params"])
    for row in report.drawn:
        np.testing.assert_array_equal(made[row.path], fresh[row.path])
    np.testing.assert_array_equal(made["positions"][:, 0], before["positions"][:, 0])
    assert model.apply(variables, jnp.ones((2, 24, 24, 1))).shape == (2, 3)


def test_a_grey_image_is_embedded_as_its_grey_colours_were(checkpoint):
    """With the same resolution and head, the whole model says the same of grey images."""
    grey = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype(np.float32)
    variables, report = jinit.load(
        jinit.with_inputs(Encoder(), image(16, 1)),
        checkpoint,
        on_mismatch={"stem/kernel": fit_channels()},
    )
    assert report.totals["adapted"] == 1
    np.testing.assert_allclose(
        Encoder().apply(variables, grey),
        Encoder().apply({"params": checkpoint}, np.repeat(grey, 3, axis=-1)),
        atol=1e-5,
    )


def test_a_smaller_model_of_the_family(checkpoint):
    """Fewer units, evenly spaced; fewer layers, the first; the head drawn."""
    model = Encoder(width=8, layers=1, classes=3)
    variables, report = jinit.load(
        jinit.with_inputs(model, image(16, 3)),
        checkpoint,
        rules=RULES,
        key=KEY,
        on_mismatch={"head/*": "draw", "**": select_units()},
        on_unexpected={"{attn,norm}_1/**": "ignore"},
    )
    made, before = leaves(variables["params"]), leaves(checkpoint)
    assert report.totals["adapted"] == 14
    assert report.totals["loaded"] == 0
    np.testing.assert_array_equal(
        made["stem/bias"], before["stem/bias"][np.round(np.linspace(0, 11, 8)).astype(int)]
    )
    assert all(name.startswith(("attn_1", "norm_1", "head")) for name in report.ignored)


def test_new_words_begin_as_the_average_of_the_old():
    """Logits of old words stay; a new one's is their mean, so that none is thrown off."""
    table = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(8, 40)).astype(np.float32)
    target = {
        "embed": {"embedding": jax.ShapeDtypeStruct((44, 8), jnp.dtype("float32"))},
        "head": {"kernel": jax.ShapeDtypeStruct((8, 44), jnp.dtype("float32"))},
    }
    params, report = jinit.load(
        target,
        {"embed/embedding": table, "head/kernel": kernel},
        key=KEY,
        on_mismatch=grow_rows(),
    )
    assert report.totals["adapted"] == 2
    x = np.random.default_rng(2).normal(size=(5, 8)).astype(np.float32)
    before, after = x @ kernel, x @ np.asarray(params["head"]["kernel"])
    np.testing.assert_array_equal(after[:, :40], before)
    # New columns are within sqrt(1e-5) of the spread around the mean: 5 of those.
    spread = np.sqrt(1e-5) * before.std(axis=1, keepdims=True)
    assert (np.abs(after[:, 40:] - before.mean(axis=1, keepdims=True)) < 5 * spread).all()
