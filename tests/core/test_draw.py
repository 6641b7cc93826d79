"""Fused draws: laws in detail, bits on every route, memory, sharding, dtypes."""

import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import compilations
from jax.sharding import NamedSharding, PartitionSpec
from oracles import KS_LIMIT, kolmogorov_smirnov, threefry

from jinit.core import programs
from jinit.core.bits import Window
from jinit.core.draw import prepare, sample
from jinit.core.laws import Constant, Normal, TruncatedNormal, Uniform

F32, C64 = np.dtype(np.float32), np.dtype(np.complex64)
KEY = jax.random.key(99)
LAWS = [
    Uniform(0.0, 1.0, 0.3),
    Uniform(-1.0, 1.0, 0.3),
    Uniform(-0.37, 2.1),
    Normal(0.0, 0.02),
    Normal(1.5, 0.02),
    TruncatedNormal(0.0, 0.02),
    TruncatedNormal(0.5, 0.02, -1.3, 2.7),
    TruncatedNormal(0.0, 0.02, -0.3, math.inf),
    TruncatedNormal(0.0, 0.02, 3.5, 5.0),
]
laws = pytest.mark.parametrize("law", LAWS, ids=str)


def _phi(x):
    return np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(x)


def _cdf(law):
    if isinstance(law, Uniform):
        low, high = law.low * law.scale, law.high * law.scale
        return lambda w: np.clip((w - low) / (high - low), 0, 1)
    lower, upper = getattr(law, "lower", -math.inf), getattr(law, "upper", math.inf)
    # In the upper tail the complement keeps the digits.
    survival = lambda x: _phi(-x)  # noqa: E731
    whole = survival(lower) - survival(upper)
    return lambda w: (survival(lower) - survival((w - law.center) / law.stddev)) / whole


@laws
def test_distribution(law):
    """Kolmogorov-Smirnov on 200,000 draws; false alarm rate 4e-7 a law."""
    weights = np.asarray(sample(law, KEY, (200_000,), F32), np.float64)
    assert weights.shape == (200_000,)
    assert kolmogorov_smirnov(weights, _cdf(law)) < KS_LIMIT


@laws
def test_one_value_whatever_the_route(law):
    shape = (64, 33)
    eager = np.asarray(sample(law, KEY, shape, F32))
    routes = {
        "jit": jax.jit(lambda key: sample(law, key, shape, F32))(KEY),
        "jit with a constant key": jax.jit(lambda: sample(law, KEY, shape, F32))(),
        "vmap": jax.vmap(lambda key: sample(law, key, shape, F32))(KEY[None])[0],
        "jitted vmap": jax.jit(jax.vmap(lambda key: sample(law, key, shape, F32)))(KEY[None])[0],
        "scan": jax.lax.scan(lambda c, key: (c, sample(law, key, shape, F32)), 0, KEY[None])[1][0],
    }
    for route, weights in routes.items():
        np.testing.assert_array_equal(np.asarray(weights), eager, err_msg=route)


@laws
@pytest.mark.parametrize("columns", [3, 5, 6, 7, 16])
def test_rows_of_any_length_have_the_bits_of_the_flat_draw(law, columns):
    flat = np.asarray(sample(law, KEY, (64 * columns,), F32))
    rows = np.asarray(sample(law, KEY, (64, columns), F32))
    assert rows.shape == (64, columns)
    np.testing.assert_array_equal(rows.ravel(), flat)


@laws
def test_window_is_the_part_of_the_whole(law):
    whole = np.asarray(sample(law, KEY, (40, 50), F32))
    part = sample(law, KEY, (7, 9), F32, window=Window.at((40, 50), (30, 41)))
    np.testing.assert_array_equal(np.asarray(part), whole[30:37, 41:50])


def test_window_past_the_low_word():
    """Uniform draws on both sides of index 2**32, from Threefry on integers."""
    window = Window.at((2**17, 2**16), (2**16 - 1, 2**16 - 2))
    drawn = np.asarray(sample(Uniform(), KEY, (2, 2), F32, window=window))
    key = tuple(np.asarray(jax.random.key_data(KEY)).tolist())
    for row, column in np.ndindex(2, 2):
        position = (2**16 - 1 + row) * 2**16 + 2**16 - 2 + column
        first, second = threefry(key, position)
        assert drawn[row, column] == ((first ^ second) >> 9) / 2**23


@pytest.mark.parametrize("near", [3.0, 5.25, 12.0, 1000.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_tail(near, sign):
    """Beyond `near` the excess x^2 / 2 loses exp(-d(n + d/2)) M(n + d) / M(n): checked by KS."""
    bounds = (near, math.inf) if sign > 0 else (-math.inf, -near)
    law = TruncatedNormal(0.0, 1.0, *bounds)
    x = sign * np.asarray(sample(law, KEY, (100_000,), F32), np.float64)
    assert x.shape == (100_000,)
    assert x.min() > near
    if near < 30:
        log_survival = np.vectorize(lambda v: math.log(math.erfc(v / math.sqrt(2))))
        expected = lambda v: -np.expm1(log_survival(v) - log_survival(near))  # noqa: E731
        assert kolmogorov_smirnov(x, expected) < KS_LIMIT
    else:  # exponential of rate `near`, to a part in near**2; float32 is coarse out there
        np.testing.assert_allclose((x - near).mean() * near, 1, atol=5 / np.sqrt(x.size))


def test_tail_reaches_both_ends():
    x = np.asarray(sample(TruncatedNormal(0.0, 1.0, 3.0, 3.001), KEY, (10_000,), F32))
    assert 3.0 < x.min() < 3.00001
    assert 3.00099 < x.max() < 3.001


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"])
@laws
def test_narrow_dtypes_round_once(law, dtype):
    narrow = sample(law, KEY, (64, 64), np.dtype(dtype))
    wide = np.asarray(sample(law, KEY, (64, 64), F32))
    assert narrow.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(
        np.asarray(narrow).astype(np.float32), wide.astype(dtype).astype(np.float32)
    )


@pytest.mark.parametrize(
    ("law", "power", "largest"),
    [
        (Normal(0.0, 2.0), 4.0, None),
        (Uniform(-1.0, 1.0, 2.0), 2.0, 2.0),
        (TruncatedNormal(0.0, 2.0), 4 * (1 - 4 / math.expm1(4)), 4.0),
    ],
    ids=str,
)
def test_complex_laws(law, power, largest):
    n = 400_000
    w = np.asarray(sample(law, KEY, (n,), C64), np.complex128)
    square = np.abs(w) ** 2
    tolerance = 5 * square.std() / math.sqrt(n)
    assert abs(square.mean() - power) < tolerance
    assert abs(w.mean()) < 5 * math.sqrt(2 * power / n)
    # Circular: E w^2 = 0, and the angle is uniform.
    assert abs((w**2).mean()) < 5 * math.sqrt(2 * (square**2).mean() / n)
    angles = (np.angle(w) + np.pi) / (2 * np.pi)
    assert kolmogorov_smirnov(angles, lambda a: np.clip(a, 0, 1)) < KS_LIMIT
    if largest is not None:
        assert 0.99 * largest < np.abs(w).max() <= largest * (1 + 1e-6)


def test_complex_needs_symmetry():
    for law in (Uniform(0.0, 1.0), TruncatedNormal(0.0, 1.0, -1.0, 2.0)):
        with pytest.raises(ValueError, match="must be symmetric about zero"):
            sample(law, KEY, (3,), C64)


def test_parameters_may_be_arrays_or_traced():
    scales = np.array([[1.0], [10.0]], np.float32)
    unit = np.asarray(sample(Normal(), KEY, (2, 5), F32))
    scaled = np.asarray(sample(Normal(0.0, scales), KEY, (2, 5), F32))
    np.testing.assert_array_max_ulp(scaled, unit * scales, maxulp=2)
    traced = jax.jit(lambda s: sample(Normal(0.0, s), KEY, (2, 5), F32))(jnp.float32(10.0))
    np.testing.assert_array_equal(np.asarray(traced)[1], scaled[1])
    bounds = jax.jit(lambda b: sample(TruncatedNormal(0.0, 1.0, -b, b), KEY, (2, 500), F32))(0.5)
    assert float(jnp.abs(bounds).max()) < 0.5
    slope = jax.grad(lambda s: sample(Normal(0.0, s), KEY, (2, 5), F32).sum())(2.0)
    np.testing.assert_allclose(slope, unit.sum(), rtol=1e-5)
    with pytest.raises(
        ValueError, match=r"shape \(3,\), which does not broadcast to weights of shape \(2, 5\)"
    ):
        sample(Normal(0.0, np.ones(3)), KEY, (2, 5), F32)


def test_constant_fills_any_dtype():
    filled = sample(Constant(np.arange(3)), None, (2, 3), np.dtype(np.int8))
    assert filled.dtype == jnp.int8
    assert filled.tolist() == [[0, 1, 2], [0, 1, 2]]


# --- memory and compilation -------------------------------------------------------------------


@pytest.mark.parametrize("law", [Uniform(-1.0, 1.0), Normal(), TruncatedNormal()], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_no_temporaries(law, dtype):
    shape = (2048, 2048)
    program = jax.jit(lambda key: sample(law, key, shape, np.dtype(dtype)))
    memory = program.lower(KEY).compile().memory_analysis()
    assert memory.output_size_in_bytes == 2048 * 2048 * np.dtype(dtype).itemsize
    assert memory.temp_size_in_bytes < 0.01 * memory.output_size_in_bytes


def test_scales_and_keys_share_one_program():
    before = programs.normal._cache_size()
    for seed, scale in enumerate([0.1, 0.2, 0.3]):
        sample(Normal(0.0, scale), jax.random.key(seed), (17, 19), F32)
    assert programs.normal._cache_size() == before + 1


@laws
def test_windows_share_one_program(law):
    """Wherever they start, on either side of 2**32 too: one program for a size and a whole."""

    def draw(*start):
        return sample(law, KEY, (3, 5), F32, window=Window.at((2**18, 2**18), start))

    draw(0, 0)
    with compilations() as compiled:
        for start in [(2, 1), (2**14, 0), (2**18 - 3, 2**18 - 5)]:
            draw(*start)
    assert not compiled


@pytest.mark.parametrize("law", [Uniform(-1.0, 1.0), Normal(), TruncatedNormal()], ids=str)
@pytest.mark.parametrize("whole", [(2**14, 2**14), (2**20, 2**20)], ids=str)
def test_a_window_needs_no_temporaries(law, whole):
    shape, window = (1024, 1024), Window.at(whole, (17, 40))
    program, parameters = prepare(law, shape, F32)
    lowered = program.lower(KEY, parameters, shape=shape, dtype=F32, window=window)
    memory = lowered.compile().memory_analysis()
    assert memory.output_size_in_bytes == 4 * 1024 * 1024
    assert memory.temp_size_in_bytes < 0.01 * memory.output_size_in_bytes


@laws
@pytest.mark.parametrize("whole", [(64, 64), (2**20, 2**20)], ids=str)
def test_windows_lower_for_every_platform(law, whole):
    program, parameters = prepare(law, (8, 8), F32)
    traced = program.trace(
        KEY, parameters, shape=(8, 8), dtype=F32, window=Window.at(whole, (1, 2))
    )
    for platform in ("cpu", "cuda", "tpu"):
        assert "stablehlo.xor" in traced.lower(lowering_platforms=(platform,)).as_text()


# --- sharding ---------------------------------------------------------------------------------

COLLECTIVE = re.compile(r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter")
MESHES = [(8, 1), (4, 2), (2, 4), (1, 8)]


def _mesh(shape, kind):
    types = (getattr(jax.sharding.AxisType, kind),) * 2
    return jax.make_mesh(shape, ("x", "y"), axis_types=types)


@pytest.mark.parametrize("kind", ["Auto", "Explicit"])
@pytest.mark.parametrize("mesh_shape", MESHES, ids=str)
def test_every_mesh_gives_the_same_bits(mesh_shape, kind):
    sharding = NamedSharding(_mesh(mesh_shape, kind), PartitionSpec("x", "y"))
    for law in (Uniform(-1.0, 1.0), Normal(), TruncatedNormal()):
        whole = np.asarray(sample(law, KEY, (16, 24), F32))
        parts = sample(law, KEY, (16, 24), F32, sharding)
        assert parts.sharding.is_equivalent_to(sharding, 2)
        np.testing.assert_array_equal(np.asarray(parts), whole)


@pytest.mark.parametrize("kind", ["Auto", "Explicit"])
@pytest.mark.parametrize("mesh_shape", MESHES, ids=str)
def test_each_device_draws_only_its_shard(mesh_shape, kind):
    sharding = NamedSharding(_mesh(mesh_shape, kind), PartitionSpec("x", "y"))
    for law in (Uniform(-1.0, 1.0), Normal(), TruncatedNormal()):
        run = functools.partial(sample, law, shape=(2048, 1024), dtype=F32, out_sharding=sharding)
        compiled = jax.jit(lambda key, run=run: run(key)).lower(KEY).compile()
        memory = compiled.memory_analysis()
        assert memory.output_size_in_bytes == 2048 * 1024 * 4 // 8
        assert memory.temp_size_in_bytes < 0.01 * memory.output_size_in_bytes
        assert not COLLECTIVE.search(compiled.as_text())


def test_partition_spec_needs_a_mesh():
    with pytest.raises(ValueError, match=r"no mesh is set; enter one with jax\.set_mesh"):
        sample(Normal(), KEY, (8, 8), F32, PartitionSpec("x"))


@pytest.mark.parametrize("kind", ["Auto", "Explicit"])
def test_partition_spec_under_a_mesh(kind):
    whole = np.asarray(sample(Normal(), KEY, (8, 8), F32))
    mesh = _mesh((4, 2), kind)
    with jax.set_mesh(mesh):
        eager = sample(Normal(), KEY, (8, 8), F32, PartitionSpec("x", "y"))
        jitted = jax.jit(lambda key: sample(Normal(), key, (8, 8), F32, PartitionSpec("x", "y")))(
            KEY
        )
    for parts in (eager, jitted):
        np.testing.assert_array_equal(np.asarray(parts), whole)
        assert parts.sharding.is_equivalent_to(NamedSharding(mesh, PartitionSpec("x", "y")), 2)


@pytest.mark.parametrize("kind", ["Auto", "Explicit"])
def test_a_sharded_draw_compiles_once(kind):
    """Its program is kept: a second draw, of another key and scale, starts at once."""
    sharding = NamedSharding(_mesh((4, 2), kind), PartitionSpec("x", "y"))
    sample(Normal(), KEY, (40, 24), F32, sharding)
    key = jax.random.key(1)
    with compilations() as compiled:
        sample(Normal(0.0, 0.1), key, (40, 24), F32, sharding)
        assert len(compiled) == 0
        sample(Normal(0.0, 0.1), key, (40, 32), F32, sharding)
        assert len(compiled) == 1


@pytest.mark.parametrize("kind", ["Auto", "Explicit"])
def test_a_sharded_window_past_the_low_word(kind):
    """Counters of two words under the partitioner: each device has its own, as in large leaves."""
    sharding = NamedSharding(_mesh((4, 2), kind), PartitionSpec(None, "x", "y"))
    window = Window.at((2**12, 2**12, 2**12), (2**10, 2**11, 8))
    for law in (Uniform(-1.0, 1.0), Normal(), TruncatedNormal()):
        alone = np.asarray(sample(law, KEY, (2, 8, 6), F32, window=window))
        parts = sample(law, KEY, (2, 8, 6), F32, sharding, window)
        assert parts.sharding.is_equivalent_to(sharding, 3)
        np.testing.assert_array_equal(np.asarray(parts), alone)


@pytest.mark.parametrize("mesh_shape", MESHES, ids=str)
def test_leaves_past_the_low_word_are_drawn_by_shard(mesh_shape):
    """2**36 weights: compiled only, for what a device would need."""
    sharding = NamedSharding(_mesh(mesh_shape, "Auto"), PartitionSpec(None, "x", "y"))
    draw = lambda key: sample(Normal(), key, (2**8, 2**14, 2**14), F32, sharding)  # noqa: E731
    compiled = jax.jit(draw).lower(KEY).compile()
    memory = compiled.memory_analysis()
    assert memory.output_size_in_bytes == 2**38 // 8
    assert memory.temp_size_in_bytes < 2**10
    assert not COLLECTIVE.search(compiled.as_text())


def test_shard_map_of_windows():
    """A device can draw its own window by hand, from its index on the mesh, with the same bits."""
    whole = np.asarray(sample(Normal(), KEY, (16, 8), F32))
    mesh = _mesh((4, 2), "Auto")

    def shard(key):
        start = 4 * jax.lax.axis_index("x"), 4 * jax.lax.axis_index("y")
        return sample(Normal(), key, (4, 4), F32, window=Window.at((16, 8), start))

    spec = PartitionSpec("x", "y")
    draw = jax.jit(jax.shard_map(shard, mesh=mesh, in_specs=PartitionSpec(), out_specs=spec))
    parts = draw(KEY)
    assert parts.shape == (16, 8)
    np.testing.assert_array_equal(np.asarray(parts), whole)
    assert not COLLECTIVE.search(draw.lower(KEY).compile().as_text())


def test_eager_shard_map():
    """Bounds whose error function has not been needed before, inside a transformation."""
    mesh = jax.make_mesh((8,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = PartitionSpec("x")
    law = TruncatedNormal(0.0, 1.0, -1.234, 2.0)

    def member(keys):
        return sample(law, keys[0], (4, 4), F32)[None]

    keys = jax.random.split(KEY, 8)
    together = jax.shard_map(member, mesh=mesh, in_specs=spec, out_specs=spec)(keys)
    alone = np.stack([np.asarray(sample(law, key, (4, 4), F32)) for key in keys])
    np.testing.assert_array_equal(np.asarray(together), alone)
