"""What lsuv does not do, and says so: outcomes without a scale, options, models without weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data_dependent.models import data

import jinit

X = data(16, 8)
W = data(8, 8, seed=1)


def branches(p, x):
    return x @ p["a"] + jnp.tanh(x) @ p["b"]


BROKEN = np.stack([W, 0 * W, W])
FAULTS = {
    "zero": (branches, {"a": W, "b": 0 * W}, r"b \(dot_general\) has outputs that are all 0"),
    "zero in a stack": (
        lambda p, x: jax.lax.scan(lambda h, w: (h, x @ w), 0, p["layers"]["kernel"]),
        {"layers": {"kernel": BROKEN}},
        r"layers/kernel\[1\] \(dot_general\) has outputs that are all 0",
    ),
    "constant": (
        lambda p, x: branches(p, 0 * x + 0.3),
        {"a": np.tile(W[:, :1], (1, 8)), "b": W},
        r"a \(dot_general\) has outputs that are all the same",
    ),
    "not finite": (
        lambda p, x: branches(p, x @ p["first"]),
        {"first": np.full_like(W, np.nan), "a": W, "b": W},
        r"no scale leads there:\n  first \(dot_general\) has outputs that are not finite\ndraw",
    ),
    "overflow": (
        lambda p, x: branches(p, x),
        {"a": W, "b": np.full_like(W, 3e38)},
        r"b \(dot_general\) has outputs that are not finite",
    ),
    "wide bias": (
        lambda p, x: x @ p["w"] + p["b"][None],
        {"w": W, "b": 9 * W[0]},
        r"w \(dot_general\) has a bias that alone goes beyond std 1\ndraw these anew, or leave "
        r"them out with skip=\[\.\.\.\], such as layers that begin at zero",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_outcomes_without_a_scale_are_named(name):
    apply, params, message = FAULTS[name]
    with pytest.raises(ValueError, match=message):
        jinit.lsuv(apply, params, X)


def test_a_long_list_is_cut():
    params = {f"w{n:02}": 0 * W for n in range(12)}
    with pytest.raises(ValueError, match=r"(?s)w07 .*\n  and 4 more\ndraw"):
        jinit.lsuv(lambda p, x: sum(x @ w for w in p.values()), params, X)


def test_what_begins_at_zero_can_be_left_out():
    new, report = jinit.lsuv(branches, {"a": W, "b": 0 * W}, X, skip="b")
    assert abs((X @ np.asarray(new["a"])).std() - 1) < 1e-5
    assert report.left == {"b": "not selected"}


def test_all_uses_together_are_checked_too():
    def apply(p, x):
        return x @ p["w"] @ p["w"]

    with pytest.raises(ValueError, match=r"w \(dot_general\) has outputs that are all 0"):
        jinit.lsuv(apply, {"w": 0 * W}, X, reuse="all")


def test_branches_that_are_not_taken():
    def apply(p, x):
        return jax.lax.cond(x[0, 0] > 1e9, lambda: x @ p["a"], lambda: x @ p["b"])

    new, report = jinit.lsuv(apply, {"a": W, "b": W}, X)
    assert report.left == {"a": "none of its uses was run"}
    assert [row.path for row in report.rows] == ["b"]
    np.testing.assert_array_equal(new["a"], W)


def plain(p, x):
    return x @ p["w"]


OPTIONS = {
    "statistic": ("var", r"`statistic` \(='var'\) must be one of 'rms', 'std'"),
    "per": ("row", r"`per` \(='row'\) must be one of 'channel', 'expert', 'layer'"),
    "reuse": ("last", r"`reuse` \(='last'\) must be one of 'all', 'first'"),
    "target": (0.0, r"`target` \(=0.0\) must be > 0"),
    "tolerance": (-1.0, r"`tolerance` \(=-1.0\) must be > 0"),
    "max_passes": (0, r"`max_passes` \(=0\) must be at least 1"),
    "only": ("head/*", r"leave no weight to rescale; weights are w$"),
    "skip": ("**", r"leave no weight to rescale; weights are w$"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_checked(name):
    value, message = OPTIONS[name]
    with pytest.raises(ValueError, match=message):
        jinit.lsuv(plain, {"w": W}, X, **{name: value})


def test_what_does_not_go_together():
    with pytest.raises(ValueError, match=r'`center=True` needs `reuse="first"`: a bias can remove'):
        jinit.lsuv(plain, {"w": W}, X, center=True, reuse="all")
    with pytest.raises(ValueError, match=r"there is no data: pass a batch"):
        jinit.lsuv(lambda p: X @ p["w"], {"w": W})
    shapes = {"w": jax.ShapeDtypeStruct((8, 8), "float32")}
    with pytest.raises(TypeError, match=r"w is a shape without values; draw the parameters first"):
        jinit.lsuv(plain, shapes, X)
    with pytest.raises(TypeError, match=r"the batch holds a shape without values; pass data"):
        jinit.lsuv(plain, {"w": W}, jax.ShapeDtypeStruct((16, 8), "float32"))
    with pytest.raises(
        TypeError, match=r"are traced and have no values yet; call jinit.lsuv outside"
    ):
        jax.jit(lambda x: jinit.lsuv(plain, {"w": W}, x)[0])(X)
    with pytest.raises(ValueError, match=r"no weight of the model can be rescaled$"):
        jinit.lsuv(lambda p, x: x * p["g"][None], {"g": W[0]}, X)
    message = r"can be rescaled:\n  w: its dot_general is not proportional to it, as it also goes"
    with pytest.raises(ValueError, match=message):
        jinit.lsuv(lambda p, x: x @ jnp.exp(p["w"]), {"w": W}, X)
