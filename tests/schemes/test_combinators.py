"""Combinators of one initializer: what they change, what they leave to the bit, and refuse."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinit

KEY = jax.random.key(31)
SHAPE = (6, 8)


def plain(key, shape, dtype):
    """A user's function."""
    return jax.random.normal(key, shape, dtype)


INNER = [
    jinit.normal,
    jinit.normal(0.3),
    jax.nn.initializers.he_normal(),
    plain,
    jinit.orthogonal(),
]

inner = pytest.mark.parametrize("init", INNER, ids=lambda i: getattr(i, "__name__", repr(i)))


def of(init, shape=SHAPE, dtype=jnp.float32):
    return np.asarray(init(KEY, shape, dtype))


# --- scaled ---------------------------------------------------------------------------------------


@inner
@pytest.mark.parametrize("factor", [0.3, -2.0, 0.0])
def test_scaled_multiplies(init, factor):
    np.testing.assert_allclose(
        of(jinit.scaled(init, factor)), np.float32(factor) * of(init), rtol=1e-6, atol=1e-9
    )


@inner
@pytest.mark.parametrize("sign", [1, -1])
def test_scaled_by_a_vector_along_an_axis(init, sign):
    for axis in (0, 1, -1, -2):
        factor = sign * np.linspace(0.5, 2.0, SHAPE[axis])
        by = np.moveaxis(
            np.broadcast_to(factor, np.moveaxis(np.empty(SHAPE), axis, -1).shape), -1, axis
        )
        drawn = of(jinit.scaled(init, factor, axis))
        np.testing.assert_allclose(drawn, by * of(init), rtol=1e-6)


def test_scaled_broadcasts_as_numpy_does():
    factor = np.linspace(0.5, 2.0, SHAPE[0])[:, None]
    np.testing.assert_allclose(
        of(jinit.scaled(jinit.normal, factor)), factor * of(jinit.normal), rtol=1e-6
    )


def test_scaled_law_and_std_are_known():
    init = jinit.scaled(jinit.scaled(jinit.he_uniform(), 0.5), 3.0)
    assert init.std((24, 8)) == pytest.approx(1.5 * np.sqrt(2 / 24), rel=1e-6)
    assert jinit.scaled(jinit.orthogonal(), -3.0).std((16, 4)) == pytest.approx(0.75)
    assert jinit.scaled(plain, 3.0).std((16, 4)) is None
    assert jinit.scaled(jinit.truncated_normal(1.0), 2.0).law((3,)).upper == 2.0


def test_scaled_under_jit_takes_a_traced_factor():
    drawn = jax.jit(lambda factor: jinit.scaled(jinit.normal(0.3), factor)(KEY, SHAPE))(0.5)
    np.testing.assert_allclose(drawn, 0.5 * of(jinit.normal(0.3)), rtol=1e-6)


def test_scaled_errors():
    with pytest.raises(ValueError, match=r"`factor` \(=2.0\) must be a vector to run along `axis`"):
        jinit.scaled(plain, 2.0, axis=0)
    with pytest.raises(ValueError, match=r"`factor` \(=1j\) must be real"):
        jinit.scaled(plain, 1j)
    with pytest.raises(ValueError, match=r"`factor` \(=inf\) must be finite"):
        jinit.scaled(plain, float("inf"))
    for init in (plain, jinit.normal):
        with pytest.raises(ValueError, match=r"`factor` has 2 entries and axis 0 .* has 6; give"):
            jinit.scaled(init, [1.0, 2.0], axis=0)(KEY, SHAPE)
        with pytest.raises(ValueError, match=r"has shape \(3,\), which does not broadcast"):
            jinit.scaled(init, [1.0, 2.0, 3.0])(KEY, SHAPE)
        with pytest.raises(ValueError, match=r"`axis` \(=2\) is out of range for the 2-D shape"):
            jinit.scaled(init, [1.0, 2.0], axis=2)(KEY, SHAPE)


# --- masked ---------------------------------------------------------------------------------------


@inner
def test_masked_keeps_the_rest_to_the_bit(init):
    mask = np.arange(48).reshape(SHAPE) % 5 < 2
    np.testing.assert_array_equal(of(jinit.masked(init, mask)), np.where(mask, of(init), 0))


def test_masked_takes_zeros_and_ones_and_broadcasts():
    mask = [1, 0, 1, 1, 0, 0, 1, 0]
    drawn = of(jinit.masked(jinit.constant(7), mask), dtype=jnp.int32)
    assert drawn.dtype == np.int32
    np.testing.assert_array_equal(drawn, np.broadcast_to(7 * np.array(mask), SHAPE))


def test_masked_errors():
    with pytest.raises(
        ValueError, match=r"`mask` \(=\(0.5, 1\)\) must hold booleans, or zeros and"
    ):
        jinit.masked(plain, [0.5, 1])
    with pytest.raises(ValueError, match=r"`mask` has shape \(3,\), which does not broadcast"):
        jinit.masked(plain, [True, False, True])(KEY, SHAPE)


# --- zero_rows ------------------------------------------------------------------------------------


@inner
@pytest.mark.parametrize("rows", [0, -1, [1, 4], [5, -6, 5], None, [], np.int64(2), np.array([3])])
def test_zero_rows_keeps_the_rest_to_the_bit(init, rows):
    expected = of(init).copy()
    if rows is not None:
        expected[np.asarray(rows, np.int64)] = 0
    np.testing.assert_array_equal(of(jinit.zero_rows(init, rows)), expected)


def test_zero_rows_of_stacked_tables():
    """The row counts along its own axis, and not along the members'."""
    shape = (3, 6, 8)
    table = jinit.embedding(1.0)
    expected = of(table, shape).copy()
    expected[:, 2] = 0
    np.testing.assert_array_equal(of(jinit.zero_rows(table, 2, axis=1), shape), expected)
    within = of(jinit.stacked(jinit.zero_rows(table, 2)), shape)
    np.testing.assert_array_equal(
        (within == 0).all(axis=2), [[False, False, True] + 3 * [False]] * 3
    )


def test_zero_rows_states_the_spread_of_the_others():
    assert jinit.zero_rows(jinit.embedding(), 0).std((9, 64)) == 0.125


def test_zero_rows_errors():
    for row in (6, -7):
        with pytest.raises(ValueError, match=rf"`rows` has {row}, .* rows lie in \[-6, 5\]"):
            jinit.zero_rows(plain, [0, row])(KEY, SHAPE)
    with pytest.raises(ValueError, match=r"`axis` \(=3\) is out of range"):
        jinit.zero_rows(plain, 0, axis=3)(KEY, SHAPE)
    for rows in (1.5, True, [0, "a"]):
        with pytest.raises(TypeError, match=r"must be an int, several, or None"):
            jinit.zero_rows(plain, rows)


# --- clipped --------------------------------------------------------------------------------------


@inner
@pytest.mark.parametrize("ends", [(-0.1, 0.2), (None, 0.1), (-0.1, None), (0.1, 0.1)])
def test_clipped_is_numpys_clip(init, ends):
    low, high = (None if end is None else np.float32(end) for end in ends)
    np.testing.assert_array_equal(of(jinit.clipped(init, *ends)), np.clip(of(init), low, high))


def test_clipped_errors():
    with pytest.raises(ValueError, match=r"needs `low`, `high` or both"):
        jinit.clipped(plain)
    with pytest.raises(ValueError, match=r"`low` \(=1\) must not be above `high` \(=0\)"):
        jinit.clipped(plain, 1, 0)
    with pytest.raises(ValueError, match=r"`high` \(=nan\) must be finite"):
        jinit.clipped(plain, 0, float("nan"))
    with pytest.raises(ValueError, match=r"complex64\) have no order and cannot be clipped"):
        jinit.clipped(jinit.normal, 0, 1)(KEY, SHAPE, jnp.complex64)


# --- of all ---------------------------------------------------------------------------------------

MADE = {
    "scaled": lambda init: jinit.scaled(init, 0.3),
    "negated": lambda init: jinit.scaled(init, -0.3),
    "masked": lambda init: jinit.masked(init, np.eye(6, 8, dtype=bool)),
    "zero_rows": lambda init: jinit.zero_rows(init, 0),
    "clipped": lambda init: jinit.clipped(init, -0.01, 0.015),
    "stacked": jinit.stacked,
    "split": lambda init: jinit.split(init, 2),
    "icnr": lambda init: jinit.icnr(init, (2,)),
    "from_function": jinit.from_function,
}

made = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


@made
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float8_e4m3fn])
def test_narrow_weights_are_float32_rounded_once(make, dtype):
    """Of a function too that would, asked for bfloat16, draw from 128 values."""
    init = make(plain)
    np.testing.assert_array_equal(
        of(init, (6, 8), dtype).astype(np.float32),
        of(init, (6, 8)).astype(dtype).astype(np.float32),
    )


@made
def test_a_scheme_is_its_defaults(make):
    assert make(jinit.he_normal) == make(jinit.he_normal())
    assert hash(make(jinit.he_normal)) == hash(make(jinit.he_normal()))


@made
def test_values_survive_pickle_and_json(make):
    init = make(jinit.scaled(jinit.he_normal(mode="fan_out"), 0.5))
    assert pickle.loads(pickle.dumps(init)) == init
    assert jinit.from_config(json.loads(json.dumps(jinit.to_config(init)))) == init
    assert eval(repr(init), {"jinit": jinit, "np": np}) == init
    assert init != make(jinit.he_normal(mode="fan_out"))


@made
def test_what_is_no_initializer_is_refused(make):
    with pytest.raises(
        TypeError, match=r"must be an initializer: .* jinit.get\('he_normal'\) make"
    ):
        make("he_normal")
    with pytest.raises(TypeError, match=r"\(=0.5\) must be an initializer: a scheme of jinit, or"):
        make(0.5)


@made
def test_a_dtype_within_does_not_go_unheard(make):
    with pytest.raises(ValueError, match=r"sets a dtype of its own.*give the whole `dtype='bfloat"):
        make(jinit.normal(dtype=jnp.bfloat16))


def test_dtype_of_the_whole_decides():
    whole = jinit.scaled(jinit.normal(0.5, jnp.float16), 0.5, dtype=jnp.bfloat16)
    assert whole(KEY, SHAPE).dtype == jnp.bfloat16


@made
def test_float64_is_drawn_in_float64(make):
    with jax.enable_x64(True):
        weights = np.asarray(make(plain)(KEY, (6, 8), jnp.float64))
        assert weights.dtype == np.float64
        drawn = weights[weights != 0]
        assert (drawn.astype(np.float32) != drawn).mean() > 0.1
