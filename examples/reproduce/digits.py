"""The data of the classifiers: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

CLASSES = 10
_HELD_OUT = 360


class Digits(NamedTuple):
    """Images to learn from and images held out, one row of 64 pixels each, and their labels."""

    images: jax.Array
    labels: jax.Array
    held_out_images: jax.Array
    held_out_labels: jax.Array


def load() -> Digits:
    """The digits, split the same way every time; the pixels' mean is 0 and their variance 1."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    pixels, labels = pixels[order], labels[order]
    learned, held_out = slice(None, -_HELD_OUT), slice(-_HELD_OUT, None)
    centred = pixels - pixels[learned].mean(0)
    images = jnp.asarray(centred / centred[learned].std(), "float32")
    labels = jnp.asarray(labels, "int32")
    return Digits(images[learned], labels[learned], images[held_out], labels[held_out])
