"""Drawing whole models: the same bits whatever the route, and few compiled programs."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import compilations
from hypothesis import given, settings
from hypothesis import strategies as st
from trees_of_models import dense, gpt2, shape

import jinit

KEY = jax.random.key(11)
RULES = jinit.Rules(
    {
        "**/bias": jinit.zeros,
        "**/scale": jinit.ones,
        "**/embedding": jinit.embedding(0.02),
        "**/c_proj/kernel": jinit.orthogonal(),
        "**/kernel": jinit.he_normal(),
    }
)


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)
    assert jax.tree.structure(one) == jax.tree.structure(other)


LAWS = [
    jinit.uniform(bound=0.3),
    jinit.normal(0.3),
    jinit.truncated_normal(0.3),
    jinit.he_normal(),
    jinit.constant(0.1),
    jinit.truncated_normal(1.0, lower=4.0, upper=9.0),
]


@pytest.mark.parametrize(
    ("dims", "dtype"),
    [
        ((3, 5), "float32"),
        ((3, 5), "complex64"),
        ((), "float32"),
        ((0, 4), "float32"),
        ((257, 1), "bfloat16"),
        ((1000, 300), "float32"),  # above the size up to which leaves share programs
        ((5, 6), "float16"),
    ],
)
def test_every_leaf_is_its_scheme_drawn_alone(dims, dtype):
    """Small leaves are cut from longer draws; nobody can tell."""
    laws = [law for law in LAWS if not (dtype == "complex64" and law == LAWS[-1])]
    if len(dims) != 2:
        laws.remove(jinit.he_normal())
    tree = {f"w{i}": shape(*dims, dtype=dtype) for i in range(len(laws))}
    rules = {f"w{i}": law for i, law in enumerate(laws)}
    params = jinit.initialize(tree, rules, KEY)
    for i, law in enumerate(laws):
        weights = params[f"w{i}"]
        assert weights.shape == dims
        assert weights.dtype == jnp.dtype(dtype)
        alone = law(jinit.leaf_key(KEY, f"w{i}"), dims, dtype)
        np.testing.assert_array_equal(np.asarray(weights), np.asarray(alone))


def test_jit_equals_eager():
    eager = jinit.initialize(gpt2(3), RULES, KEY)
    jitted = jax.jit(lambda key: jinit.initialize(gpt2(3), RULES, key))(KEY)
    plan = jinit.plan(gpt2(3), RULES)
    again = jax.jit(plan.initialize)(KEY)
    for other in (jitted, again):
        for row in plan:
            one, two = eager, other
            for part in row.leaf.parts:
                one, two = one[part], two[part]
            if "c_proj/kernel" in row.path:  # matrix products are not ordered alike everywhere
                np.testing.assert_allclose(one, two, atol=2e-6)
            else:
                np.testing.assert_array_equal(one, two)


def test_keys_of_every_kind():
    typed = jinit.initialize(gpt2(1), RULES, jax.random.key(5))
    legacy = jinit.initialize(gpt2(1), RULES, jax.random.PRNGKey(5))
    assert_equal(typed, legacy)
    other = jinit.initialize(gpt2(1), RULES, jax.random.key(5, impl="rbg"))
    kernel = np.asarray(other["h_0"]["mlp"]["c_fc"]["kernel"])
    assert np.isfinite(kernel).all()
    alone = jinit.leaf_key(jax.random.key(5, impl="rbg"), "h_0/mlp/c_fc/kernel")
    np.testing.assert_array_equal(kernel, jinit.he_normal(alone, (32, 128)))
    # Their draws are no beginnings of longer ones, and must not be cut from them.
    odd = jinit.initialize({"w": shape(5, 7)}, jinit.normal(1.0), jax.random.key(5, impl="rbg"))
    alone = jinit.leaf_key(jax.random.key(5, impl="rbg"), "w")
    np.testing.assert_array_equal(odd["w"], jinit.normal(alone, (5, 7), stddev=1.0))
    with pytest.raises(TypeError, match="`key` must be a PRNG key"):
        jinit.initialize(gpt2(1), RULES, 5)


names = st.sampled_from("abcdefgh")
trees = st.dictionaries(
    names, st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=6
)


@settings(max_examples=15, deadline=None)
@given(trees, trees, st.randoms())
def test_other_leaves_do_not_matter(one, other, random):
    """Adding, removing and reordering leaves leaves the rest as it was, to the bit."""
    merged = {**other, **one}
    order = list(merged)
    random.shuffle(order)
    alone = jinit.initialize({n: shape(*d) for n, d in one.items()}, jinit.normal(1.0), KEY)
    among = jinit.initialize({n: shape(*merged[n]) for n in order}, jinit.normal(1.0), KEY)
    for name, weights in alone.items():
        np.testing.assert_array_equal(weights, among[name])


def test_names_that_run_together_differ():
    tree = {"ab": {"cdef": shape(8)}, "abc": {"def": shape(8)}}
    params = jinit.initialize(tree, jinit.normal(1.0), KEY)
    assert not (params["ab"]["cdef"] == params["abc"]["def"]).any()


def test_equal_shapes_do_not_correlate():
    tree = {f"h_{i}": {"kernel": shape(64, 32), "up": shape(32, 64)} for i in range(6)}
    params = jinit.initialize(tree, jinit.he_normal(), KEY)
    flat = np.stack([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(params)])
    correlations = np.corrcoef(flat) - np.eye(12)
    assert np.abs(correlations).max() < 5 / 2048**0.5


def test_programs_do_not_grow_with_depth():
    def programs(layers, width):
        plan = jinit.plan(
            gpt2(layers, width), RULES.override({"**/c_proj/kernel": jinit.he_normal()})
        )
        with compilations() as counted:
            jax.block_until_ready(plan.initialize(KEY))
        return len(counted)

    jax.clear_caches()
    shallow = programs(2, 40)
    jax.clear_caches()
    deep = programs(12, 40)
    assert 0 < shallow == deep


def test_programs_do_not_grow_with_shapes():
    tree = {f"w{i}": shape(60 + i, 50 + i) for i in range(30)}
    jax.clear_caches()
    with compilations() as counted:
        jax.block_until_ready(jinit.initialize(tree, jinit.lecun_uniform(), KEY))
    # One cheap cut a shape, and draws of 4096 and of 8192 values; keys are made on the host.
    assert len(counted) <= 30 + 2


def test_programs_are_compiled_once():
    tree = {f"w{i}": shape(41 + i, 2**15) for i in range(4)}  # too large to share programs by size
    plan, other = jinit.plan(tree, {"w0": jinit.zeros, "**": jinit.normal(1.0)}), jax.random.key(12)
    with compilations() as counted:
        jax.block_until_ready(plan.initialize(KEY))
    assert len(counted) == 4
    with compilations() as counted:
        jax.block_until_ready(plan.initialize(other))
    assert len(counted) == 0


def test_x64_for_a_while():
    with jax.enable_x64(True):
        tree = {"a": shape(3, 5, dtype="float64"), "b": shape(7, dtype="float64")}
        params = jinit.initialize(tree, jinit.normal(1.0), KEY)
        for name, leaf in tree.items():
            alone = jinit.normal(jinit.leaf_key(KEY, name), leaf.shape, "float64", stddev=1.0)
            assert params[name].dtype == jnp.float64
            np.testing.assert_array_equal(params[name], alone)


def test_under_a_mesh_that_is_set():
    mesh = jax.make_mesh((8,), ("x",), axis_types=(jax.sharding.AxisType.Explicit,))
    free = jinit.initialize(gpt2(1), RULES, KEY)
    with jax.set_mesh(mesh):
        bound = jinit.initialize(gpt2(1), RULES, KEY)
    jax.tree.map(np.testing.assert_array_equal, free, jax.tree.map(np.asarray, bound))


def test_a_model_s_own_jit_stays_short():
    def lines(layers):
        tree = {f"h_{i}": dense(64, 64) for i in range(layers)}
        rules = {"**/bias": jinit.zeros, "**": jinit.normal(0.02)}
        jitted = jax.jit(lambda key: jinit.initialize(tree, rules, key))
        text = jitted.lower(KEY).compile().as_text()
        return len(re.findall(r"u32\[[\d,]*64,64[\d,]*\]\S* xor", text))

    assert 0 < lines(4) == lines(24)


def test_keys_are_checked_before_anything_is_planned():
    with pytest.raises(TypeError, match="`key` must be a PRNG key"):
        jinit.initialize(object(), {}, None)


def test_a_report_needs_values():
    report = jax.jit(lambda key: jinit.initialize(gpt2(1), RULES, key, report=True))
    with pytest.raises(ValueError, match=r"`report` measures weights, which have no values under"):
        report(KEY)
