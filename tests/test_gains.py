"""Gains against torch's table, closed forms, published digits and a plain midpoint rule."""

import functools
import math
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jinit.gains import CRITERIA, calculate_gain

# --- torch's table ------------------------------------------------------------------------------

TORCH = [
    *[(name, None, 1.0) for name in ("linear", "identity", "sigmoid")],
    *[(f"conv{t}{n}d", None, 1.0) for t in ("", "_transpose") for n in (1, 2, 3)],
    ("tanh", None, 5 / 3),
    ("relu", None, math.sqrt(2.0)),
    ("leaky_relu", None, math.sqrt(2 / 1.0001)),
    ("leaky_relu", 0.2, math.sqrt(2 / 1.04)),
    ("leaky_relu", -1, 1.0),
    ("leaky_relu", np.float32(0.5), math.sqrt(1.6)),
    ("selu", None, 3 / 4),
]


@pytest.mark.parametrize(("name", "param", "expected"), TORCH)
def test_torchs_names_have_torchs_gains(name, param, expected):
    gain = calculate_gain(name, param)
    assert (gain, type(gain)) == (pytest.approx(expected, rel=1e-15), float)


def test_installed_torch_agrees():
    torch = pytest.importorskip("torch")
    rows = [(name, param) for name, param, _ in TORCH if name != "identity"]  # torch: "linear"
    for name, param in rows:
        plain = None if param is None else float(param)
        assert calculate_gain(name, plain) == torch.nn.init.calculate_gain(name, plain)


# --- Exact gains ----------------------------------------------------------------------------------

RELU_STD = math.sqrt(2 / (1 - 1 / math.pi))
SIN = math.sqrt(2 / (1 - math.exp(-2)))
ERF = math.sqrt(math.pi / (2 * math.asin(2 / 3)))


@pytest.mark.parametrize(
    ("name", "param", "second_moment", "std", "backward"),
    [
        ("linear", None, 1, 1, 1),
        ("conv2d", None, 1, 1, 1),
        ("abs", None, 1, 1 / math.sqrt(1 - 2 / math.pi), 1),
        ("relu", None, math.sqrt(2), RELU_STD, math.sqrt(2)),
        ("relu_squared", None, math.sqrt(2 / 3), math.sqrt(4 / 5), math.sqrt(1 / 2)),
        ("sin", None, SIN, SIN, math.sqrt(2 / (1 + math.exp(-2)))),
        ("erf", None, ERF, ERF, math.sqrt(math.pi * math.sqrt(5) / 4)),
        ("selu", None, 1, 1, 0.966025777),
        *[
            (
                name,
                a,
                math.sqrt(2 / (1 + a**2)),
                ((1 + a**2) / 2 - (1 - a) ** 2 / (2 * math.pi)) ** -0.5,
                math.sqrt(2 / (1 + a**2)),
            )
            for name, a in (("leaky_relu", 0.2), ("prelu", 0.25), ("leaky_relu", -0.5))
        ],
    ],
)
def test_closed_forms(name, param, second_moment, std, backward):
    gains = [calculate_gain(name, param, criterion=criterion) for criterion in CRITERIA]
    assert gains == pytest.approx([backward, second_moment, std], rel=1e-9)


# To six decimals; NFNets (arXiv:2101.08692) publish the middle column to three digits or so.
DIGITS = {
    "celu": (1.245198, 1.270843, 1.223429),
    "elu": (1.245198, 1.270843, 1.223429),
    "gelu": (1.533530, 1.700926, 1.481114),
    "gelu_tanh": (1.533581, 1.700917, 1.481168),
    "hard_swish": (1.736657, 1.813871, 1.670076),
    "hard_tanh": (1.392036, 1.392036, 1.210287),
    "log_sigmoid": (1.041867, 1.919126, 1.846229),
    "mish": (1.486848, 1.592025, 1.444755),
    "sigmoid": (1.846229, 4.801313, 4.722646),
    "silu": (1.676533, 1.787187, 1.623320),
    "softplus": (1.041867, 1.919126, 1.846229),
    "softsign": (2.337533, 2.337533, 2.095781),
    "tanh": (1.592537, 1.592537, 1.467414),
}


@pytest.mark.parametrize("name", DIGITS)
def test_known_digits(name):
    gains = [calculate_gain(name, criterion=c) for c in ("second_moment", "std", "backward")]
    assert gains == pytest.approx(DIGITS[name], abs=1e-6)


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "hard_sigmoid", "relu6", "prelu", "elu"])
def test_names_unknown_to_torch_keep_the_second_moment(name):
    assert calculate_gain(name) == calculate_gain(name, criterion="second_moment")


# --- Callables ------------------------------------------------------------------------------------


def midpoint_gains(function):
    """Return the three gains by a midpoint rule of step 1e-4, whose cells end at kinks."""
    z = np.arange(-12, 12, 1e-4) + 5e-5
    mass = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * 1e-4
    with jax.enable_x64(True):
        y, pull = jax.vjp(function, jnp.asarray(z))
        y, slope = np.asarray(y), np.asarray(pull(jnp.ones_like(y))[0])
    mean = mass @ y
    return [(mass @ values) ** -0.5 for values in (slope**2, y**2, (y - mean) ** 2)]


@pytest.mark.parametrize(
    "function",
    [
        jax.nn.gelu,
        jax.nn.mish,
        jax.nn.relu6,
        jax.nn.hard_silu,
        lambda z: jnp.where(z > 0.25, z, 0.1 * z - 1),
        functools.partial(jax.nn.leaky_relu, negative_slope=0.3),
    ],
)
def test_callables_agree_with_the_midpoint_rule(function):
    gains = [calculate_gain(function, criterion=criterion) for criterion in CRITERIA]
    assert gains == pytest.approx(midpoint_gains(function), rel=1e-7)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize(("function", "name"), [(special.erf, "erf"), (np.tanh, "tanh")])
def test_numpy_functions_are_callables_too(function, name, criterion):
    expected = calculate_gain(name, criterion=criterion)
    assert calculate_gain(function, criterion=criterion) == pytest.approx(expected, rel=1e-10)


def test_a_callable_has_the_exact_gain_even_where_torch_has_a_rule_of_thumb():
    assert calculate_gain(jnp.tanh) == pytest.approx(1.5925374, abs=1e-7)


@pytest.mark.parametrize("criterion", [None, "backward"])
def test_float32_functions_are_good_to_six_digits(criterion):
    gain = calculate_gain(lambda z: jnp.sin(z.astype(jnp.float32)), criterion=criterion)
    sign = 1 if criterion == "backward" else -1
    assert gain == pytest.approx(math.sqrt(2 / (1 + sign * math.exp(-2))), rel=1e-6)


def test_backward_follows_the_functions_own_rule():
    @jax.custom_vjp
    def straight_through(z):
        return jnp.sign(z)

    straight_through.defvjp(lambda z: (jnp.sign(z), z), lambda z, g: (g * (jnp.abs(z) < 1),))
    inside = special.erf(math.sqrt(0.5))
    gain = calculate_gain(straight_through, criterion="backward")
    assert gain == pytest.approx(inside**-0.5, rel=1e-9)


TRANSFORMATIONS = {
    "jit": jax.jit,
    "vmap": lambda f: lambda x: jax.vmap(f)(x[None])[0],
    "grad": jax.grad,
    "scan": lambda f: lambda x: jax.lax.scan(lambda c, _: (f(x), None), x, None, length=1)[0],
    "shard_map": lambda f: (
        lambda x: jax.shard_map(
            f, mesh=jax.make_mesh((1,), ("x",)), in_specs=jax.P(), out_specs=jax.P()
        )(x)
    ),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_callables_are_evaluated_at_once_under(name):
    gains = []

    def scaled(x):
        gains.append(calculate_gain(lambda z: z * jnp.abs(z), criterion="second_moment"))
        return x * gains[-1]

    result = TRANSFORMATIONS[name](scaled)(jnp.float32(1))
    assert type(gains[0]) is float
    assert gains[0] == pytest.approx(1 / math.sqrt(3), rel=1e-12)
    np.testing.assert_allclose(result, gains[0], rtol=1e-6)


def test_a_callable_is_evaluated_once():
    calls = []

    def counted(z):
        calls.append(z.shape)
        return z

    gain = calculate_gain(counted)
    first = len(calls)
    assert first > 0
    assert calculate_gain(counted) == gain
    assert len(calls) == first
    assert len(set(calls)) == 1  # one shape, one compilation


def test_a_callable_that_cannot_be_hashed_is_evaluated_each_time():
    class Doubled:
        __hash__ = None

        def __call__(self, z):
            return 2 * z

    assert calculate_gain(Doubled()) == pytest.approx(0.5)


NO_BACKEND = """
from jinit.gains import calculate_gain
calculate_gain("relu"), calculate_gain("mish", criterion="backward")
try:
    calculate_gain(lambda z: z)
except RuntimeError:
    print("callables alone need a backend")
"""


def test_names_start_no_backend():
    environment = {**os.environ, "JAX_PLATFORMS": "absent", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", NO_BACKEND], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "callables alone need a backend\n"), done.stderr


# --- Errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("ReLU",), {}, "`nonlinearity` (='ReLU') must be one of 'abs', 'celu', 'conv1d'"),
        (("ReLU",), {}, "or a callable; did you mean 'relu'?"),
        (("hardtanh",), {}, "did you mean 'hard_tanh'?"),
        (("xyz",), {}, "or a callable; pass the function itself for any other."),
        (("relu",), {"criterion": "fwd"}, "`criterion` (='fwd') must be one of 'backward', 'sec"),
        (("tanh", 0.1), {}, "`param` (=0.1) has no meaning for 'tanh'; it is taken by 'celu', 'el"),
        (("leaky_relu", True), {}, "`param` (=True) of 'leaky_relu' must be a finite number"),
        (("leaky_relu", "0.1"), {}, "`param` (='0.1') of 'leaky_relu' must be"),
        (("elu", math.nan), {}, "`param` (=nan) of 'elu' must be a finite number"),
        (("celu", 0), {}, "`param` (=0.0), the alpha of celu, must be positive"),
        ((jnp.tanh, 0.1), {}, "`param` (=0.1) belongs to a named nonlinearity; bind it"),
    ],
)
def test_configuration_errors(arguments, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        calculate_gain(*arguments, **options)


@pytest.mark.parametrize("wrong", [None, 2.0, ("relu",)])
def test_only_names_and_callables_have_gains(wrong):
    message = f"`nonlinearity` (={wrong!r}) must be a name, such as 'relu', or an elementwise"
    with pytest.raises(TypeError, match=re.escape(message)):
        calculate_gain(wrong)


@pytest.mark.parametrize(
    ("function", "criterion", "message"),
    [
        (jnp.sum, None, "maps float64[1024] to float64[]; it must be elementwise and real"),
        (lambda z: z[::2], None, "maps float64[1024] to float64[512]"),
        (lambda z: 1j * z, None, "to complex128[1024]"),
        (jax.nn.softmax, None, "value at one element depends on the others, as softmax's does"),
        (jnp.cumsum, None, "value at one element depends on the others"),
        (jnp.sqrt, None, "the nonlinearity, or its derivative, is nan at z = "),
        (lambda z: 0 * z, None, "the 'second_moment' moment of the nonlinearity is 0"),
        (
            lambda z: jnp.cos(z) ** 2 + jnp.sin(z) ** 2,
            "std",
            "the 'std' moment of the nonlinearity is 0",
        ),
        (jnp.sign, "backward", "the 'backward' moment of the nonlinearity is 0"),
        (lambda z: jnp.exp(z * z), None, "did not converge"),
        (lambda z: jnp.sqrt(jnp.abs(z)), "backward", "did not converge"),
    ],
)
def test_what_has_no_gain_is_refused(function, criterion, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        calculate_gain(function, criterion=criterion)


def test_a_function_of_scalars_is_told_apart():
    with pytest.raises(TypeError) as error:
        calculate_gain(math.tanh)
    assert "numpy.vectorize adapts others" in error.value.__notes__[0]
