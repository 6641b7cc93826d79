import numpy as np
from sklearn.datasets import load_digits

from jinit.demo.data import load_split


def test_every_digit_is_in_one_part():
    digits = load_split()
    assert digits.images.shape == (1437, 64)
    assert digits.held_out_images.shape == (360, 64)
    assert digits.images.dtype == np.float32
    labels = np.concatenate([digits.labels, digits.held_out_labels])
    assert np.bincount(labels).tolist() == np.bincount(load_digits().target).tolist()


def test_images_keep_their_labels():
    digits = load_split()
    pixels, labels = load_digits(return_X_y=True)
    known = {}  # an image up to shift and scale of each pixel, as its rank pattern per class mean
    for label in range(10):
        known[label] = pixels[labels == label].mean(axis=0)
    centres = np.stack([known[label] for label in range(10)])
    centres = centres - pixels.mean(axis=0)
    cosine = digits.images @ centres.T / np.linalg.norm(centres, axis=1)
    # Nearest mean recognizes some 90 % of digits; shuffled labels would give 10 %.
    assert np.mean(cosine.argmax(axis=1) == digits.labels) > 0.8


def test_images_to_learn_from_are_centred_with_mean_square_one():
    images = load_split().images.astype(float)
    np.testing.assert_allclose(images.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.mean(images**2), 1, atol=1e-5)


def test_guessing_is_the_share_of_the_most_frequent_digit():
    digits = load_split()
    shares = [np.mean(digits.held_out_labels == digit) for digit in range(10)]
    assert digits.guessing == max(shares)


def test_the_split_is_always_the_same():
    assert np.array_equal(load_split().held_out_images, load_split().held_out_images)
