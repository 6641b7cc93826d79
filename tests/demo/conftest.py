"""Optax, which the demo trains with, promotes dtypes itself: no strictness here."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def _standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield
