"""The data: scikit-learn's handwritten digits, 1797 images of 8 x 8 pixels, no download.

May import: numpy; scikit-learn when called.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Digits", "load_split"]

_HELD_OUT = 360


class Digits(NamedTuple):
    """Images to learn from and images held out, one row of 64 pixels each, with their labels."""

    images: NDArray[np.float32]
    labels: NDArray[np.int32]
    held_out_images: NDArray[np.float32]
    held_out_labels: NDArray[np.int32]

    @property
    def guessing(self) -> float:
        """The accuracy of the best constant guess on the held-out images."""
        return float(np.bincount(self.held_out_labels).max() / len(self.held_out_labels))


def load_split() -> Digits:
    """The digits, split the same way every time.

    Each pixel is centred, and all are divided by one number so that their mean square is 1: the
    scale of the signal that enters the first layer.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    pixels, labels = pixels[order], labels[order].astype(np.int32)
    learned = slice(None, -_HELD_OUT)
    centred = pixels - pixels[learned].mean(axis=0)
    images = (centred / _rms(centred[learned])).astype(np.float32)
    return Digits(images[learned], labels[learned], images[-_HELD_OUT:], labels[-_HELD_OUT:])


def _rms(values: NDArray[Any]) -> Any:
    return np.sqrt(np.mean(np.square(values)))
