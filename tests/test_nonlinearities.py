"""Named nonlinearities against the functions that JAX and SciPy give those names."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from jinit.nonlinearities import NONLINEARITIES

LINEAR = ["identity", "linear"] + [f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]

REFERENCES = {
    **dict.fromkeys(LINEAR, lambda x: x),
    "abs": jnp.abs,
    "celu": jax.nn.celu,
    "elu": jax.nn.elu,
    "erf": special.erf,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_silu": jax.nn.hard_silu,
    "hard_swish": jax.nn.hard_swish,
    "hard_tanh": jax.nn.hard_tanh,
    "leaky_relu": jax.nn.leaky_relu,
    "log_sigmoid": jax.nn.log_sigmoid,
    "mish": jax.nn.mish,
    "prelu": lambda x: jax.nn.leaky_relu(x, 0.25),
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "relu_squared": lambda x: jax.nn.relu(x) ** 2,
    "selu": jax.nn.selu,
    "sigmoid": special.expit,
    "silu": jax.nn.silu,
    "sin": jnp.sin,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "swish": jax.nn.swish,
    "tanh": jnp.tanh,
}


def test_every_name_has_a_reference():
    assert set(NONLINEARITIES) == set(REFERENCES)


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_values(name):
    x = np.linspace(-12, 12, 97)
    with jax.enable_x64(True):
        expected = np.asarray(REFERENCES[name](jnp.asarray(x)))
    values = NONLINEARITIES[name].bind(None)(x)
    assert (values.shape, values.dtype) == (x.shape, np.float64)
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "param", "reference"),
    [
        ("leaky_relu", 0.2, jax.nn.leaky_relu),
        ("prelu", 0.1, jax.nn.leaky_relu),
        ("elu", 0.7, jax.nn.elu),
        ("celu", 0.7, jax.nn.celu),
    ],
)
def test_parameters(name, param, reference):
    x = np.linspace(-5, 5, 41)
    with jax.enable_x64(True):
        expected = np.asarray(reference(jnp.asarray(x), param))
    np.testing.assert_allclose(NONLINEARITIES[name].bind(param)(x), expected, rtol=1e-12)


def test_selu_has_the_standard_normal_as_its_fixed_point():
    selu = NONLINEARITIES["selu"].function

    def moment(power):
        def integrand(z):
            return float(selu(np.float64(z))) ** power * stats.norm.pdf(z)

        return sum(integrate.quad(integrand, *ends)[0] for ends in ((-math.inf, 0), (0, math.inf)))

    assert moment(1) == pytest.approx(0, abs=1e-9)
    assert moment(2) == pytest.approx(1, abs=1e-9)
