"""Haar matrices: orthogonality, the law, their reflectors, every route and platform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from oracles import KS_LIMIT, kolmogorov_smirnov

from jinit.core import haar
from jinit.core.haar import random_orthogonal

KEY = jax.random.key(7)
F32, F64, C64, C128 = (np.dtype(t) for t in ("f4", "f8", "c8", "c16"))

# P(|z| > 5.07) = 4e-7, the rate that KS_LIMIT has.
Z_LIMIT = 5.07

LARGE = pytest.param((70, 300), C64, marks=pytest.mark.slow)

# One block, its edges (16 is the narrowest), three blocks, tall and wide.
SHAPES = [(1, 1), (2, 2), (15, 15), (16, 16), (17, 17), (33, 33), (40, 17), (2, 5)]


def _defect(q):
    """Largest entry of |Q^H Q - I| (of |Q Q^H - I| if wide) over a stack, in double precision."""
    q = np.asarray(q).astype(np.complex128)
    tall = q if q.shape[-2] >= q.shape[-1] else q.swapaxes(-1, -2)
    return np.abs(tall.conj().swapaxes(-1, -2) @ tall - np.eye(tall.shape[-1])).max()


# --- oracle: Stewart's algorithm, one reflector at a time ---------------------------------------


def _stewart(gaussians):
    """Q of shape (n, p) from p complex vectors of length n, of which vector k lends its end."""
    p, n = gaussians.shape
    q, signs = np.eye(n, p, dtype=np.complex128), np.ones(p, np.complex128)
    for k in reversed(range(p)):
        x = gaussians[k, k:].astype(np.complex128).conj()
        phase = x[0] / abs(x[0])
        v = x.copy()
        v[0] += phase * np.linalg.norm(x)
        q[k:] -= np.outer(v, v.conj() @ q[k:]) * (2 / np.vdot(v, v).real)
        signs[k] = -phase
    return q * signs


@pytest.mark.parametrize(
    ("shape", "dtype"), [((33, 33), F32), ((40, 17), F32), ((5, 9), C64), LARGE], ids=str
)
def test_product_of_the_reflectors_of_one_gaussian_matrix(shape, dtype):
    """Bits of `jax.random.normal`, multiplied out one by one in double precision."""
    gaussians = np.asarray(jax.random.normal(KEY, (min(shape), max(shape)), dtype))
    expected = _stewart(gaussians)
    drawn = random_orthogonal(KEY, *shape, dtype)
    assert drawn.shape == shape
    assert drawn.dtype == dtype
    np.testing.assert_allclose(drawn, expected if shape[0] >= shape[1] else expected.T, atol=1e-5)


# --- orthogonality ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_orthonormal(shape):
    q = random_orthogonal(KEY, *shape)
    assert q.shape == shape
    assert q.dtype == F32
    assert _defect(q) < 1.5e-6


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (5, 9)], ids=str)
def test_unitary(shape):
    q = random_orthogonal(KEY, *shape, C64)
    assert q.shape == shape
    assert q.dtype == C64
    assert _defect(q) < 2e-6


@pytest.mark.parametrize(("n", "dtype"), [(5, F64), (2, C128)], ids=str)
def test_double_precision(n, dtype):
    with jax.enable_x64(True):
        q = random_orthogonal(KEY, n, n, dtype)
        assert q.dtype == dtype
        assert _defect(q) < 5e-15


@pytest.mark.slow
@pytest.mark.parametrize("n", [255, 256, 257, 1000, 1024, 2048])
def test_orthonormal_when_large(n):
    assert _defect(random_orthogonal(KEY, n, n)) < 2e-6


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(300, 70), (70, 300), (129, 129)], ids=str)
def test_unitary_when_large(shape):
    assert _defect(random_orthogonal(KEY, *shape, C64)) < 2e-6


@pytest.mark.slow
def test_worst_of_many_small_matrices():
    """The finite series inside does not cancel: 20,000 matrices of two blocks."""
    assert _defect(random_orthogonal(KEY, 24, 24, batch=20_000)) < 4e-6


def test_one_by_one_is_a_sign_or_a_phase():
    signs = np.asarray(random_orthogonal(KEY, 1, 1, batch=1000))
    assert signs.shape == (1000, 1, 1)
    assert set(signs.ravel().tolist()) == {-1.0, 1.0}
    phases = np.asarray(random_orthogonal(KEY, 1, 1, C64, batch=1000))
    np.testing.assert_allclose(np.abs(phases), 1, rtol=1e-6)
    assert _ks(np.angle(phases), _uniform_angle) < 1


def test_degenerate_draws_stay_orthogonal(monkeypatch):
    """Vectors of zeros, zeros where the sign is read, and squares close to underflow."""
    x = np.random.default_rng(0).standard_normal((6, 6)).astype(F32)
    degenerate = jnp.stack([0 * x, x - np.diag(np.diag(x)), 1e-15 * x])

    def build(x):
        monkeypatch.setattr(haar, "_gaussians", lambda *_: [x])
        return haar._orthonormal_columns(KEY, 6, 6, F32)

    q = jax.jit(jax.vmap(build))(degenerate)
    assert q.shape == (3, 6, 6)
    assert _defect(q) < 1.5e-6


# --- dtypes, shapes, errors ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float8_e4m3fn], ids=str)
def test_narrow_dtypes_are_the_float32_matrix_rounded_once(dtype):
    narrow, wide = random_orthogonal(KEY, 2, 2, dtype), random_orthogonal(KEY, 2, 2)
    assert narrow.dtype == dtype
    np.testing.assert_array_equal(
        np.asarray(narrow, np.float32), np.asarray(wide.astype(dtype), np.float32)
    )


@pytest.mark.parametrize(
    ("rows", "cols", "batch"), [(0, 3, ()), (3, 0, ()), (0, 0, ()), (3, 3, (2, 0)), (3, 3, 0)]
)
def test_zero_size(rows, cols, batch):
    q = random_orthogonal(KEY, rows, cols, batch=batch)
    leading = (batch,) if isinstance(batch, int) else batch
    assert q.shape == (*leading, rows, cols)
    assert q.dtype == F32


def test_errors():
    with pytest.raises(ValueError, match=r"`dtype` \(=int32\) must be a floating or complex dtype"):
        random_orthogonal(KEY, 3, 3, jnp.int32)
    with pytest.raises(ValueError, match=r"must have no negative dimension"):
        random_orthogonal(KEY, -3, 3)
    with pytest.raises(TypeError, match=r"`key` must be a PRNG key"):
        random_orthogonal(3, 3, 3)


# --- one value whatever the route ---------------------------------------------------------------


def test_eager_jit_vmap_and_scan_agree():
    """Exactly under jit; elsewhere products may be summed in another order."""

    def draw(key):
        return random_orthogonal(key, 9, 7)

    keys = jax.random.split(KEY, 3)
    eager = np.stack([draw(key) for key in keys])
    np.testing.assert_array_equal(np.stack([jax.jit(draw)(key) for key in keys]), eager)
    np.testing.assert_allclose(jax.vmap(draw)(keys), eager, atol=2e-6)
    _, scanned = jax.lax.scan(lambda carry, key: (carry, draw(key)), None, keys)
    np.testing.assert_allclose(scanned, eager, atol=2e-6)


def test_keys_decide():
    drawn, legacy, other = (
        random_orthogonal(key, 2, 2) for key in (KEY, jax.random.PRNGKey(7), jax.random.key(8))
    )
    np.testing.assert_array_equal(drawn, legacy)
    assert np.abs(drawn - other).max() > 0.1


def test_other_key_implementations():
    q = random_orthogonal(jax.random.key(0, impl="rbg"), 17, 17)
    assert q.shape == (17, 17)
    assert _defect(q) < 1.5e-6


@pytest.mark.parametrize(("n", "batch"), [(3, (2, 3)), (16, (513,))], ids=["whole", "in groups"])
def test_members_of_a_batch_are_what_their_keys_give(n, batch):
    """513 matrices of 16 x 16 are one more than a CPU takes at a time."""
    stack = random_orthogonal(KEY, n, n, batch=batch)
    assert stack.shape == (*batch, n, n)
    members = np.asarray(stack).reshape(-1, n, n)
    keys = jax.random.split(KEY, len(members))
    for i in (0, len(members) - 2, len(members) - 1):
        np.testing.assert_allclose(members[i], random_orthogonal(keys[i], n, n), atol=3e-6)


@pytest.mark.parametrize("batch", [(), (700,)], ids=["one", "stack"])
def test_lowers_everywhere_without_custom_calls(batch):
    """Matrix products and elementwise operations only: no factorization of any platform's."""
    draw = jax.jit(lambda key: random_orthogonal(key, 20, 18, batch=batch))
    exported = export.export(draw, platforms=("cpu", "cuda", "tpu"))(jax.random.PRNGKey(0))
    text = exported.mlir_module()
    assert "stablehlo.dot_general" in text
    assert "stablehlo.custom_call" not in text


def test_products_ask_for_full_precision():
    """TF32 or bfloat16 passes would leave |Q^T Q - I| at 1e-3."""
    jaxpr = str(jax.make_jaxpr(lambda key: random_orthogonal(key, 20, 18))(KEY))
    highest = "precision=(Precision.HIGHEST, Precision.HIGHEST)"
    assert jaxpr.count("dot_general[") == jaxpr.count(highest) > 3


# --- the law ------------------------------------------------------------------------------------
# Each check is a score over its limit: Haar matrices stay below 1, but for 4e-7 of seeds a check.
# Moments of traces: Diaconis and Shahshahani (1994), exact for the low powers used here.


def _z(samples, mean=0.0):
    samples = np.asarray(samples, np.float64)
    return abs(samples.mean() - mean) / (samples.std() / np.sqrt(samples.size)) / Z_LIMIT


def _ks(samples, cdf):
    return kolmogorov_smirnov(samples, cdf) / KS_LIMIT


def _uniform_angle(angle):
    return (angle + np.pi) / (2 * np.pi)


def _traces(q):
    trace = np.trace(q, axis1=1, axis2=2)
    return trace, np.einsum("nij,nji->n", q, q)


def _sphere_cdf(n):
    """Distribution of one coordinate of a uniform unit vector: density (1 - t^2)^((n - 3) / 2)."""
    # By quadrature in the angle t = -cos(a), whose density sin(a)^(n - 2) has no singularity.
    angles = np.linspace(0, np.pi, 20_001)
    density = np.sin(angles) ** (n - 2) if n > 2 else np.ones_like(angles)
    mass = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return lambda t: np.interp(np.arccos(np.clip(-t, -1, 1)), angles, mass / mass[-1])


def _orthogonal_scores(q):
    """Scores of a stack (N, n, n) against the Haar law of O(n)."""
    q = np.asarray(q, np.float64)
    n = q.shape[-1]
    trace, trace_of_square = _traces(q)
    determinant = np.linalg.det(q)
    scores = {
        "E tr Q = 0": _z(trace),
        "E (tr Q)^2 = 1": _z(trace**2, 1),
        "E tr Q^2 = 1": _z(trace_of_square, 1),
        "E det Q = 0": _z(determinant),
        # The last column's sign is free of all other columns'.
        "E det Q sign(q_00) = 0": _z(determinant * np.sign(q[:, 0, 0])),
        "E q_0n q_n0 q_00 q_nn": _z(
            q[:, 0, -1] * q[:, -1, 0] * q[:, 0, 0] * q[:, -1, -1], -1 / ((n - 1) * n * (n + 2))
        ),
    }
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    return scores | {f"law of q{c}": _ks(q[:, *c], _sphere_cdf(n)) for c in corners}


def _unitary_scores(q):
    """Scores of a stack (N, n, n) against the Haar law of U(n)."""
    q = np.asarray(q).astype(np.complex128)
    n = q.shape[-1]
    trace, trace_of_square = _traces(q)
    determinant = np.linalg.det(q)
    scores = {
        "E tr Q = 0": max(_z(trace.real), _z(trace.imag)),
        "E |tr Q|^2 = 1": _z(np.abs(trace) ** 2, 1),
        "E |tr Q^2|^2 = min(2, n)": _z(np.abs(trace_of_square) ** 2, min(2, n)),
        "arg det Q": _ks(np.angle(determinant), _uniform_angle),
        "arg det Q / q_00": _ks(np.angle(determinant / q[:, 0, 0]), _uniform_angle),
        "arg q_nn": _ks(np.angle(q[:, -1, -1]), _uniform_angle),
        # |q_ij|^2 is Beta(1, n - 1).
        "|q_0n|^2": _ks(np.abs(q[:, 0, -1]) ** 2, lambda t: 1 - (1 - t) ** (n - 1)),
    }
    if n > 2:
        return scores
    # Two eigenvalues repel: their angle apart has density (1 - cos a) / (2 pi) on the circle.
    first, second = np.angle(np.linalg.eigvals(q)).T
    apart = (first - second) % (2 * np.pi)
    return scores | {"eigenangles": _ks(apart, lambda a: (a - np.sin(a)) / (2 * np.pi))}


def _assert_passes(scores):
    assert {name: score for name, score in scores.items() if not score < 1} == {}


@pytest.mark.parametrize(
    ("n", "draws"), [(2, 8000), (4, 8000), pytest.param(33, 4000, marks=pytest.mark.slow)]
)
def test_haar_on_orthogonal_matrices(n, draws):
    """The matrices as they are, and turned from the left and from the right."""
    q = np.asarray(random_orthogonal(KEY, n, n, batch=draws), np.float64)
    assert q.shape == (draws, n, n)
    turn = np.linalg.qr(np.random.default_rng(n).standard_normal((n, n)))[0]
    for turned in (q, turn @ q, q @ turn):
        _assert_passes(_orthogonal_scores(turned))


@pytest.mark.parametrize(
    ("n", "draws"), [(2, 8000), (3, 8000), pytest.param(18, 4000, marks=pytest.mark.slow)]
)
def test_haar_on_unitary_matrices(n, draws):
    q = np.asarray(random_orthogonal(KEY, n, n, C64, batch=draws))
    assert q.shape == (draws, n, n)
    parts = np.random.default_rng(n).standard_normal((2, n, n))
    turn = np.linalg.qr(parts[0] + 1j * parts[1])[0]
    for turned in (q, turn @ q, q @ turn):
        _assert_passes(_unitary_scores(turned))


@pytest.mark.parametrize(("rows", "cols"), [(5, 2), (2, 5)])
def test_rectangles_are_uniform(rows, cols):
    """Every entry is a coordinate of a uniform unit vector, and entries are uncorrelated."""
    q = np.asarray(random_orthogonal(KEY, rows, cols, batch=8000), np.float64)
    assert q.shape == (8000, rows, cols)
    cdf = _sphere_cdf(5)
    scores = {(i, j): _ks(q[:, i, j], cdf) for i in range(rows) for j in range(cols)}
    flat = q.reshape(8000, -1)
    pairs = [(i, j) for i in range(flat.shape[1]) for j in range(i)]
    _assert_passes(scores | {pair: _z(flat[:, pair[0]] * flat[:, pair[1]]) for pair in pairs})


def test_eigenangles_of_rotations_are_uniform():
    """In O(2), determinant 1: a rotation by a uniform angle."""
    q = np.asarray(random_orthogonal(KEY, 2, 2, batch=8000), np.float64)
    q = q[np.linalg.det(q) > 0]
    assert _ks(np.arctan2(q[:, 1, 0], q[:, 0, 0]), _uniform_angle) < 1


def test_members_of_a_batch_are_independent():
    """The quotient of independent Haar matrices is Haar; of equal ones, the identity."""
    q = np.asarray(random_orthogonal(KEY, 4, 4, batch=8000), np.float64)
    _assert_passes(_orthogonal_scores(q[0::2].swapaxes(1, 2) @ q[1::2]))


# --- the checks above can fail ------------------------------------------------------------------


def _qr_samples(n, draws, fix_signs):
    x = np.random.default_rng(1).standard_normal((draws, n, n))
    q, r = np.linalg.qr(x)
    return q * np.sign(np.einsum("nii->ni", r))[:, None, :] if fix_signs else q


def _unitary_qr_samples(n, draws, fix_signs):
    x, y = np.random.default_rng(1).standard_normal((2, draws, n, n))
    q, r = np.linalg.qr(x + 1j * y)
    diagonal = np.einsum("nii->ni", r)
    return q * (diagonal / np.abs(diagonal))[:, None, :] if fix_signs else q


def _stewart_samples(n, draws, complex_values, last_sign):
    x, y = np.random.default_rng(2).standard_normal((2, draws, n, n))
    vectors = x + 1j * y if complex_values else x
    if not last_sign:
        vectors[:, -1, -1] = np.abs(vectors[:, -1, -1])
    q = np.stack([_stewart(v) for v in vectors])
    return q if complex_values else q.real


@pytest.mark.parametrize("n", [2, 4])
def test_scores_accept_haar_matrices_made_otherwise(n):
    _assert_passes(_orthogonal_scores(_qr_samples(n, 8000, fix_signs=True)))
    _assert_passes(_unitary_scores(_unitary_qr_samples(n, 8000, fix_signs=True)))


@pytest.mark.parametrize("n", [2, 4])
def test_scores_reject_qr_without_the_signs(n):
    assert max(_orthogonal_scores(_qr_samples(n, 8000, fix_signs=False)).values()) > 1
    assert max(_unitary_scores(_unitary_qr_samples(n, 8000, fix_signs=False)).values()) > 1


def test_scores_reject_a_last_sign_that_is_not_random():
    """And nothing else about the samples: with the sign they pass."""
    _assert_passes(_orthogonal_scores(_stewart_samples(2, 4000, False, last_sign=True)))
    _assert_passes(_unitary_scores(_stewart_samples(2, 4000, True, last_sign=True)))
    scores = _orthogonal_scores(_stewart_samples(2, 4000, False, last_sign=False))
    assert scores["E det Q sign(q_00) = 0"] > 1
    scores = _unitary_scores(_stewart_samples(2, 4000, True, last_sign=False))
    assert scores["arg det Q / q_00"] > 1


def test_scores_reject_members_that_share_a_draw():
    q = _qr_samples(4, 4000, fix_signs=True)
    same = np.repeat(q[::2], 2, axis=0)
    assert _orthogonal_scores(same[0::2].swapaxes(1, 2) @ same[1::2])["E tr Q = 0"] > 1
