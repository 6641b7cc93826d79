import numpy as np
import pytest

from jinit.demo.activations import ACTIVATIONS
from jinit.nonlinearities import NONLINEARITIES


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_is_the_function_whose_gain_its_name_has(name):
    x = np.linspace(-7, 7, 101)
    expected = NONLINEARITIES[name].bind(None)(x)
    np.testing.assert_allclose(ACTIVATIONS[name](x.astype(np.float32)), expected, atol=2e-6)
