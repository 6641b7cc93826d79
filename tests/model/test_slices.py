"""A part of a draw against the whole draw, cut: bits, memory, programs compiled, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import compilations
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jax.sharding import NamedSharding, PartitionSpec
from oracles import threefry

import jinit
from jinit.model.parts import as_part
from jinit.model.slices import draw_slice

KEY = jax.random.key(7)
SHAPE = (6, 10, 8)
BY_LAYER = np.geomspace(0.1, 1.0, 6).astype(np.float32)[:, None, None]
VALUES = np.arange(480, dtype=np.float32).reshape(SHAPE)

# Names of schemes to schemes, and the shape of the whole.
ALONE = {
    "he_normal": jinit.he_normal(),
    "uniform": jinit.uniform(0.5),
    "normal": jinit.normal(0.02),
    "truncated_normal": jinit.truncated_normal(0.02, lower=-1.0, upper=2.5),
    "tail": jinit.truncated_normal(0.02, lower=3.5, upper=5.0),
    "scheme": jinit.lecun_normal,
    "bfloat16": jinit.glorot_uniform(dtype="bfloat16"),
    "complex": jinit.normal(0.5, dtype="complex64"),
    "one spread a layer": jinit.normal(BY_LAYER),
    "one spread a layer, of JAX": jinit.normal(jnp.asarray(BY_LAYER)),
    "one spread a column": jinit.truncated_normal(np.linspace(0.1, 1, 8, dtype=np.float32)),
    "spreads and means": jinit.normal(BY_LAYER, mean=VALUES[0, :, :1]),
    "scaled": jinit.scaled(jinit.he_uniform(), tuple(range(6)), axis=0),
    "zeros": jinit.zeros,
    "vector": jinit.constant(np.arange(8.0)),
    "from_array": jinit.from_array(VALUES),
    "lstm_bias": jinit.lstm_bias(),
}
COMPOUND = {
    "zero_rows": jinit.zero_rows(jinit.normal(), [0, -2], axis=1),
    "zero_rows, none": jinit.zero_rows(jinit.normal(), None),
    "masked": jinit.masked(jinit.normal(), np.arange(80).reshape(10, 8) % 3 == 0),
    "clipped": jinit.clipped(jinit.normal(), -0.5, BY_LAYER),
    "scaled, negative": jinit.scaled(jinit.normal(), BY_LAYER - 0.5),
    "scaled, along": jinit.scaled(jinit.orthogonal(), np.linspace(-1, 1, 10), axis=1),
    "stacked": jinit.stacked(jinit.he_normal()),
    "stacked twice": jinit.stacked(jinit.normal(), axes=2),
    "stacked, bfloat16": jinit.stacked(jinit.uniform(bound=0.5), dtype="bfloat16"),
    "stacked split": jinit.stacked(jinit.split(jinit.glorot_normal(), parts=2)),
    "split": jinit.split([jinit.he_normal(), jinit.zeros, jinit.orthogonal()], [3, 1, 6], axis=1),
    "split equally": jinit.split(jinit.lecun_uniform(), parts=3, axis=-3),
    "zero_rows of a stack": jinit.zero_rows(jinit.stacked(jinit.embedding()), 3, axis=1),
    "stacked function": jinit.stacked(jax.nn.initializers.uniform(0.5)),
}
WHOLE = {
    "orthogonal": jinit.orthogonal(),
    "eye": jinit.eye,
    "from_function": jinit.from_function(jax.nn.initializers.he_normal()),
    "function of JAX": jax.nn.initializers.he_normal(),
    "function of NumPy": lambda key, shape, dtype: np.ones(shape, dtype),
}
INDICES = [
    (slice(2, 5), slice(0, 4), slice(3, 8)),
    (slice(1, 2),),
    (..., slice(-3, None)),
    (4, ..., -1),
]


def _check(scheme, index, dtype=None, key=KEY, shape=SHAPE):
    whole = np.asarray(scheme(key, shape, dtype) if dtype else _drawn(scheme, key, shape))
    part = draw_slice(scheme, key, shape, index, dtype)
    assert isinstance(part, jax.Array)
    assert part.dtype == whole.dtype
    assert part.shape == whole[index].shape
    np.testing.assert_array_equal(np.asarray(part), whole[index])


def _drawn(scheme, key, shape):
    ours = isinstance(scheme, (jinit.Initializer, type(jinit.zeros)))
    return scheme(key, shape) if ours else scheme(key, shape, jnp.float32)


@pytest.mark.parametrize("scheme", ALONE.values(), ids=ALONE)
def test_independent_weights(scheme):
    _check(scheme, INDICES[0])


@pytest.mark.parametrize("scheme", COMPOUND.values(), ids=COMPOUND)
def test_schemes_made_of_others(scheme):
    _check(scheme, INDICES[0])


def test_a_stack_of_matrices_is_drawn_whole():
    """One of them drawn alone would differ in its last bits: matrix products round by batch."""
    for index in (3, slice(2, 5)):
        _check(jinit.stacked(jinit.orthogonal()), index, shape=(7, 64, 64))


@pytest.mark.parametrize("scheme", WHOLE.values(), ids=WHOLE)
def test_schemes_that_are_drawn_whole(scheme):
    _check(scheme, INDICES[0], shape=(6, 10, 10) if scheme is jinit.eye else SHAPE)


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float64", "complex128"])
def test_dtypes(dtype):
    with jax.enable_x64(dtype in ("float64", "complex128")):
        _check(jinit.truncated_normal(0.02), INDICES[0], dtype)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_indices_mean_what_they_mean_in_numpy(data):
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    index = data.draw(arrays.basic_indices(shape, allow_newaxis=False, allow_ellipsis=True))
    whole = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    part, left = as_part(_with_steps_of_one(index), shape)
    expected = whole[_with_steps_of_one(index)]
    assert left == np.shape(expected)
    np.testing.assert_array_equal(part.of(whole).reshape(left), expected)


def _with_steps_of_one(index):
    if isinstance(index, tuple):
        return tuple(_with_steps_of_one(entry) for entry in index)
    return slice(index.start, index.stop) if isinstance(index, slice) else index


@pytest.mark.parametrize(
    "index",
    [*INDICES, (), ..., 3, slice(2, 4), np.int64(-1), (slice(9, 99), 0), slice(5, 2)],
    ids=repr,
)
def test_forms_of_an_index(index):
    for scheme in (jinit.normal(BY_LAYER), COMPOUND["split"]):
        _check(scheme, index)


def test_scalars_and_empty_arrays():
    _check(jinit.normal(), (), shape=())
    _check(jinit.normal(), (slice(1, 3),), shape=(4, 0))
    assert draw_slice(jinit.orthogonal(), KEY, (2**20, 2**20), slice(0, 0)).shape == (0, 2**20)


def test_key_forms():
    legacy = jax.random.PRNGKey(3)
    _check(jinit.normal(), INDICES[0], key=legacy)
    assert draw_slice(jinit.ones, None, (4, 4), (slice(2), 0)).tolist() == [1.0, 1.0]
    keys = jax.random.split(KEY, 3)
    init = jinit.stacked(jinit.normal())
    together = jax.vmap(lambda key: draw_slice(init, key, SHAPE, INDICES[0]))(keys)
    alone = [draw_slice(init, key, SHAPE, INDICES[0]) for key in keys]
    np.testing.assert_array_equal(np.asarray(together), np.stack(alone))


# --- what it costs ----------------------------------------------------------------------------


def test_past_two_to_the_thirty_four():
    """Against Threefry on Python integers, where no whole draw can be had."""
    key = tuple(np.asarray(jax.random.key_data(KEY)).tolist())
    for shape, index in [
        ((2**34,), (slice(2**33 - 2, 2**33 + 3),)),
        ((2**17, 2**17), (slice(2**17 - 2, None), slice(5, 8))),
        ((2**20, 2, 2**13), (-3, slice(0, 2), slice(2**13 - 2, None))),
    ]:
        drawn = np.asarray(draw_slice(jinit.uniform(1.0), KEY, shape, index))
        positions = [0]
        for extent, entry in zip(shape, index, strict=True):
            along = range(extent)[entry]
            along = along if isinstance(entry, slice) else [along]
            positions = [p * extent + i for p in positions for i in along]
        words = [threefry(key, position) for position in positions]
        expected = [((first ^ second) >> 9) / 2**23 for first, second in words]
        np.testing.assert_array_equal(drawn.ravel(), expected)


@pytest.mark.parametrize(
    ("scheme", "shape", "index"),
    [
        (jinit.lecun_normal(), (2**17, 2**17), (slice(2**16, 2**16 + 1024), slice(0, 1024))),
        (jinit.zero_rows(jinit.embedding(), 0), (2**20, 2**14), (slice(64), slice(0, 2**14))),
        (jinit.split(jinit.he_normal(), 3), (2**17, 3 * 2**16), (slice(8), slice(2**16, 2**17))),
        (jinit.stacked(jinit.he_normal()), (2**16, 2**9, 2**9), slice(3, 5)),
    ],
    ids=["independent", "zero_rows", "split", "stacked"],
)
def test_only_the_part_is_there(scheme, shape, index):
    """Parts of 4 MiB and less, of wholes of 48 GiB and more."""
    compiled = jax.jit(lambda key: draw_slice(scheme, key, shape, index)).lower(KEY).compile()
    memory = compiled.memory_analysis()
    _, left = as_part(index, shape)
    assert memory.output_size_in_bytes == 4 * np.prod(left)
    assert memory.temp_size_in_bytes < 2**24
    if scheme == jinit.lecun_normal():
        assert memory.temp_size_in_bytes < 0.01 * memory.output_size_in_bytes


@pytest.mark.parametrize(
    "scheme",
    [jinit.he_normal(), jinit.normal(BY_LAYER), jinit.stacked(jinit.normal())],
    ids=["he_normal", "one spread a layer", "stacked"],
)
def test_parts_of_one_size_share_programs(scheme):
    draw_slice(scheme, KEY, (6, 40, 40), (slice(0, 2), slice(0, 16), slice(8, 24)))
    with compilations() as compiled:
        for start in range(5):
            index = (slice(start, start + 2), slice(start, start + 16), slice(2, 18))
            draw_slice(scheme, KEY, (6, 40, 40), index)
    assert not compiled


@pytest.mark.parametrize("spec", [("x", "y"), ("y",), (None, ("x", "y"))], ids=str)
def test_array_from_callback(spec):
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    sharding = NamedSharding(mesh, PartitionSpec(*spec))
    init = jinit.lecun_normal(dtype="bfloat16")
    sharded = jax.make_array_from_callback(
        (64, 48), sharding, lambda index: draw_slice(init, KEY, (64, 48), index)
    )
    whole = init(KEY, (64, 48))
    np.testing.assert_array_equal(np.asarray(sharded), np.asarray(whole))
    assert sharded.dtype == whole.dtype


def test_lowers_for_every_platform():
    for scheme in (jinit.he_normal(), *COMPOUND.values()):
        traced = jax.jit(lambda key, s=scheme: draw_slice(s, key, SHAPE, INDICES[0])).trace(KEY)
        traced.lower(lowering_platforms=("cpu", "cuda", "tpu"))


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        (slice(0, 4, 2), ValueError, r"slice\(0, 4, 2\) for axis 0; slices must have step 1 or"),
        ((0, slice(None, None, -1)), ValueError, "for axis 1; slices must have step 1"),
        ((0, 0, 0, 0), IndexError, r"has 4 entries and 0 Ellipsis; an array of 3 axes takes up to"),
        ((..., 0, ...), IndexError, r"has 1 entries and 2 Ellipsis"),
        ((0, 10), IndexError, r"has 10 for axis 1 of the shape \(6, 10, 8\); .* \[-10, 9\]"),
        ((None, 0), TypeError, "None of type NoneType for axis 0; allowed: an int, a slice"),
        ((True,), TypeError, "True of type bool for axis 0; allowed"),
        (([0, 1],), TypeError, "of type list for axis 0; allowed"),
        ((np.arange(3),), TypeError, r"int64\[3\] for axis 0; allowed"),
    ],
    ids=str,
)
def test_indices_that_are_not(index, error, text):
    with pytest.raises(error, match=text):
        draw_slice(jinit.normal(), KEY, SHAPE, index)


@pytest.mark.parametrize("implementation", ["rbg", "unsafe_rbg"])
def test_other_keys(implementation):
    key = jax.random.key(0, impl=implementation)
    text = f"implementation '{implementation}'; allowed: 'threefry2x32'. Make the key with"
    for scheme in (jinit.normal(), jinit.orthogonal(), jinit.stacked(jinit.normal())):
        with pytest.raises(NotImplementedError, match=text):
            draw_slice(scheme, key, (4, 4, 4), 0)
    assert draw_slice(jinit.zeros, key, (4, 4), 0).shape == (4,)


@pytest.mark.parametrize(
    ("scheme", "shape", "error", "text"),
    [
        ("he_normal", (4, 4), TypeError, r"`scheme` \(='he_normal'\) must be a scheme of jinit"),
        (jinit.he_normal(), (4,), ValueError, None),
        (jinit.normal(np.ones(3)), (4, 4), ValueError, r"shape \(3,\), which does not broadcast"),
        (jinit.from_array(np.ones((4, 5))), (5, 4), ValueError, "it has that shape transposed"),
        (jinit.masked(jinit.normal(), np.ones(3)), (4, 4), ValueError, "`mask` has shape"),
        (jinit.zero_rows(jinit.normal(), 9), (4, 4), (ValueError, IndexError), "9.*out of"),
        (jinit.zero_rows(jinit.normal(), 0, axis=2), (4, 4), ValueError, r"`axis` \(=2\)"),
        (jinit.scaled(jinit.orthogonal(), [1.0], axis=0), (4, 4), ValueError, "has 1 entries"),
        (jinit.stacked(jinit.normal(), 3), (4, 4), ValueError, "no 3 leading axes"),
        (jinit.split(jinit.normal(), 3), (4, 4), ValueError, "must be the sum of its parts"),
        (jinit.split(jinit.normal(), 2, 2), (4, 4), ValueError, r"`axis` \(=2\)"),
        (lambda key, shape, dtype: jnp.ones(3), (4, 4), ValueError, r"returned \(3,\)"),
    ],
)
def test_errors_are_those_of_the_whole_draw(scheme, shape, error, text):
    with pytest.raises(error, match=text):
        draw_slice(scheme, KEY, shape, 0)
