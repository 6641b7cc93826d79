"""Peers for the tests of this room: each skips, visibly, where it is not installed."""

import os

import jax
import pytest


@pytest.fixture(scope="session")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def hk():
    return pytest.importorskip("haiku")


@pytest.fixture(scope="session")
def _keras():
    os.environ["KERAS_BACKEND"] = "jax"
    return pytest.importorskip("keras")


@pytest.fixture
def keras(_keras):
    """Keras as it works: without the strictness that this suite has for jinit."""
    if _keras.backend.backend() != "jax":
        pytest.skip("Keras runs on another backend")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield _keras
