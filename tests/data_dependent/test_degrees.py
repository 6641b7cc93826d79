"""How values scale with parameters: what is claimed of a function holds in numbers."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinit.data_dependent.degrees import Scaling
from jinit.data_dependent.walking import find_sites
from jinit.tracing.reading import read_model

A, B, C = (
    np.random.default_rng(n).uniform(0.5, 2.0, shape).astype(np.float32)
    for n, shape in enumerate([(4, 5), (4, 3), (3, 5)])
)
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)


def norm(w):
    return jnp.sqrt(jnp.sum(w * w, axis=0, keepdims=True))


def standardized(w, eps):
    w = w - jnp.mean(w, axis=0, keepdims=True)
    return w / (jnp.std(w, axis=0, keepdims=True) + eps)


def iterated(a):
    """One over a spectral norm by power iteration."""

    def body(u, _):
        v = a.T @ u
        v = v / jnp.linalg.norm(v)
        u = a @ v
        return u / jnp.linalg.norm(u), None

    u, _ = jax.lax.scan(body, jnp.ones(4), None, length=2)
    return a / jnp.sqrt(jnp.sum((a.T @ u) ** 2))


# By name: weights of shape (4, 5) from a, b, c, and what is expected to rescale them, if anything.
WEIGHTS = {
    "itself": (lambda a, b, c: a, {0: 1}),
    "product": (lambda a, b, c: b @ c, {1: 1}),
    "sum": (lambda a, b, c: a + b @ c, {0: 1, 1: 1}),
    "difference": (lambda a, b, c: 3 * a - b @ c / 7, {0: 1, 1: 1}),
    "squared": (lambda a, b, c: a**2, {0: Fraction(1, 2)}),
    "cubed over squared": (lambda a, b, c: a**3 / a**2, {0: 1}),
    "root": (lambda a, b, c: jnp.sqrt(jnp.abs(a)), {0: 2}),
    "power": (lambda a, b, c: jnp.power(a, 1.5), {0: Fraction(2, 3)}),
    "direction": (lambda a, b, c: a / norm(a), None),
    "gain and direction": (lambda a, b, c: jnp.max(b) * a / norm(a), {1: 1}),
    "gain and guarded direction": (lambda a, b, c: b[:, :1] * a / (norm(a) + 1e-3), {1: 1}),
    "gain and inverse norm": (
        lambda a, b, c: b[:, :1] * a * jax.lax.rsqrt(jnp.sum(a * a, axis=0, keepdims=True)),
        {1: 1},
    ),
    "guarded direction": (lambda a, b, c: a / (norm(a) + 1e-3), None),
    "standardized": (lambda a, b, c: standardized(a, 0.0), None),
    "standardized, guarded": (lambda a, b, c: standardized(a, 1e-3), None),
    "rectified": (lambda a, b, c: jnp.maximum(a - b @ c, 0), {0: 1, 1: 1}),
    "clipped": (lambda a, b, c: jnp.clip(a, 0.2, 1.0), None),
    "exponential": (lambda a, b, c: jnp.exp(a), None),
    "scaled by an exponential": (lambda a, b, c: a * jnp.exp(b[:, :1]), {0: 1}),
    "softmax": (lambda a, b, c: jax.nn.softmax(a, axis=0), None),
    "masked": (lambda a, b, c: jnp.where(a > 1.0, a, 0.0), None),
    "signs": (lambda a, b, c: jnp.sign(a) * b[:, :1], {1: 1}),
    "spectral norm": (lambda a, b, c: iterated(a), None),
    "concatenated": (lambda a, b, c: jnp.concatenate([a[:, :2], b], axis=1), {0: 1, 1: 1}),
    "padded": (lambda a, b, c: jnp.pad(a[:, 1:3], ((0, 0), (1, 2))), {0: 1}),
    "padded with ones": (lambda a, b, c: jnp.pad(a, ((0, 0), (1, 0)), constant_values=1), None),
    "stacked in a scan": (lambda a, b, c: jax.lax.scan(lambda _, w: (0, 2 * w), 0, a)[1], {0: 1}),
    "either": (lambda a, b, c: jax.lax.cond(c[0, 0] > 9, lambda: a, lambda: a * 2), {0: 1}),
    "gathered": (lambda a, b, c: a[jnp.array([3, 1, 0, 0])], {0: 1}),
    "sums": (lambda a, b, c: jnp.cumsum(a, axis=1), {0: 1}),
}


def only_site(weight):
    reading = read_model(lambda p, x: x @ weight(*p), (A, B, C), (X,), {})
    (site,) = find_sites(reading)
    return site


@pytest.mark.parametrize("name", WEIGHTS)
def test_what_rescales_a_weight(name):
    weight, expected = WEIGHTS[name]
    exponents = only_site(weight).scaling.solve([0, 1, 2])
    assert exponents == expected
    for s in (0.5, 3.0) if exponents else ():
        powers = [s ** float(exponents.get(leaf, 0)) for leaf in range(3)]
        rescaled = weight(*(p * w for p, w in zip(powers, (A, B, C), strict=True)))
        np.testing.assert_allclose(rescaled, s * weight(A, B, C), rtol=2e-5)


@pytest.mark.parametrize("name", [name for name, (_, found) in WEIGHTS.items() if not found])
def test_what_nothing_rescales(name):
    """No power of 2, of any of the three, multiplies the weight by 2."""
    weight, _ = WEIGHTS[name]
    expected = 2 * np.asarray(weight(A, B, C))
    compiled = jax.jit(weight)
    for powers in np.ndindex(4, 4, 4):
        scaled = (np.float32(2.0 ** (n - 1)) * w for n, w in zip(powers, (A, B, C), strict=True))
        found = np.asarray(compiled(*scaled))
        assert not np.allclose(found, expected, rtol=1e-4)


def test_first_unknowns_are_preferred_and_no_more_are_taken_than_needed():
    low_rank = Scaling.of(0).beside(Scaling.of(1).times(Scaling.of(2)), "add")
    assert low_rank.solve([0, 2, 1]) == {0: 1, 2: 1}
    assert low_rank.solve([0, 1]) == {0: 1, 1: 1}
    assert low_rank.solve([0]) is None
    assert low_rank.solve([1, 2]) is None
    assert low_rank.broken_by({0: Fraction(1)}).operation == "add"
    assert low_rank.broken_by({0: Fraction(1), 2: Fraction(1)}) is None
