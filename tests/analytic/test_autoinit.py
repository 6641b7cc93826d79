"""`jinit.autoinit` as it is called: kinds of parameters, options, reports, errors."""

import io
import json

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from analytic.nets import KEY, floats, tokens
from flax import nnx
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jinit

X = floats(64, 96)
IDS = tokens(64, 96)


def weights(seed=0, scale=0.3, **shapes):
    rng = np.random.default_rng(seed)
    return {n: jnp.asarray(scale * rng.normal(size=s), jnp.float32) for n, s in shapes.items()}


def net(params, x):
    return jax.nn.relu(x @ params["a"]) @ params["b"] + params["bias"][None]


PARAMS = {**weights(a=(96, 64), b=(64, 32)), "bias": jnp.full(32, 0.5)}


def std_of(apply, params, *inputs, mean=0.0, std=1.0):
    keys = jax.random.split(jax.random.key(5), len(inputs))
    pairs = zip(keys, inputs, strict=True)
    return float(
        jnp.std(apply(params, *(mean + std * jax.random.normal(k, x.shape) for k, x in pairs)))
    )


# --- kinds of parameters ----------------------------------------------------------------------


def test_a_tree_comes_back_scaled_and_the_given_one_stays():
    before = jax.tree.map(np.array, PARAMS)
    params, report = jinit.autoinit(net, PARAMS, X)
    assert jax.tree.structure(params) == jax.tree.structure(PARAMS)
    for name, value in before.items():
        np.testing.assert_array_equal(PARAMS[name], value)
    scales = {row.path: row.scale for row in report.rows}
    assert list(scales) == ["a", "b"]
    for name, scale in scales.items():
        np.testing.assert_allclose(params[name], before[name] * scale, rtol=1e-6)
    np.testing.assert_array_equal(params["bias"], before["bias"])
    assert report.untouched == ("bias",)


def test_the_first_scale_is_that_of_the_weights_that_are_there():
    """With unit inputs, an outcome's variance is the sum of its squared weights."""
    _, report = jinit.autoinit(net, PARAMS, X)
    expected = np.mean(np.sum(np.square(np.asarray(PARAMS["a"], np.float64)), axis=0)) ** 0.5
    assert report.rows[0].before == pytest.approx(expected, rel=1e-6)
    # Behind a rectifier: half of the second moment, and the mean through the sum of weights.
    b = np.asarray(PARAMS["b"], np.float64)
    mean = 1 / np.sqrt(2 * np.pi)
    own = (0.5 - mean**2) * np.mean(np.sum(b**2, axis=0)) + mean**2 * np.var(b.sum(axis=0))
    assert report.rows[1].before == pytest.approx(np.sqrt(own), rel=0.01)


def test_linen_variables_keep_their_collections():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.BatchNorm(use_running_average=True)(nn.Dense(64)(x))
            return nn.Dense(32)(nn.relu(x))

    variables = Model().init(jax.random.key(0), jnp.zeros((2, 96)))
    scaled, report = jinit.autoinit(Model(), variables, X)
    assert jax.tree.structure(scaled) == jax.tree.structure(variables)
    chexed = jax.tree.map(np.array_equal, scaled["batch_stats"], variables["batch_stats"])
    assert jax.tree.all(chexed)
    assert {row.path for row in report.rows} == {"Dense_0/kernel", "Dense_1/kernel"}
    assert report.rows[1].place == "Model/Dense_1"
    bare, _ = jinit.autoinit(Model(), {"params": variables["params"], **variables}, X)
    assert jax.tree.all(jax.tree.map(np.array_equal, bare, scaled))


def test_modules_of_nnx_and_equinox():
    module = nnx.Linear(96, 32, rngs=nnx.Rngs(0))
    scaled, report = jinit.autoinit(lambda m, x: m(x), module, X)
    assert isinstance(scaled, nnx.Linear)
    factor = report.rows[0].scale
    np.testing.assert_allclose(scaled.kernel[...], factor * module.kernel[...], rtol=1e-6)
    layer = eqx.nn.Linear(96, 32, key=jax.random.key(0))
    scaled, report = jinit.autoinit(lambda m, x: jax.vmap(m)(x), layer, X)
    assert isinstance(scaled, eqx.nn.Linear)
    np.testing.assert_allclose(scaled.weight, report.rows[0].scale * layer.weight, rtol=1e-6)
    np.testing.assert_array_equal(scaled.bias, layer.bias)


def test_an_array_in_two_places_is_scaled_once():
    params = weights(a=(96, 96))
    tied = {"first": params["a"], "second": params["a"]}
    scaled, report = jinit.autoinit(lambda p, x: jnp.tanh(x @ p["first"]) @ p["second"], tied, X)
    assert len(report.rows) == 1
    np.testing.assert_array_equal(scaled["first"], scaled["second"])
    assert len(report.outputs) == 2
    assert report.outputs[1].std == pytest.approx(
        std_of(lambda p, x: jnp.tanh(x @ p["first"]) @ p["second"], scaled, floats(512, 96)),
        rel=0.05,
    )


def test_layers_of_a_stack_have_scales_of_their_own():
    shapes = weights(w=(4, 64, 64))
    w = shapes["w"] * jnp.array([1.0, 2.0, 3.0, 4.0])[:, None, None]

    def stack(p, x):
        return jax.lax.scan(lambda h, w: (jax.nn.gelu(h) @ w, None), x, p["w"])[0]

    def unrolled(p, x):
        for n in range(4):
            x = jax.nn.gelu(x) @ p["w"][n]
        return x

    for apply in (stack, unrolled):
        scaled, report = jinit.autoinit(apply, {"w": w}, floats(64, 64))
        assert [row.indices for row in report.rows] == [(0,), (1,), (2,), (3,)]
        scales = [row.scale for row in report.rows]
        np.testing.assert_allclose(scaled["w"], w * jnp.array(scales)[:, None, None], rtol=1e-6)
        assert [output.std for output in report.outputs] == pytest.approx([1.0] * 4)


def test_narrow_and_numpy_weights_keep_their_type():
    params = {
        "a": np.asarray(PARAMS["a"]),
        "b": PARAMS["b"].astype(jnp.bfloat16),
        "bias": PARAMS["bias"].astype(jnp.bfloat16),
    }

    def narrow(p, x):
        return jax.nn.relu(x @ p["a"]).astype(jnp.bfloat16) @ p["b"] + p["bias"][None]

    scaled, report = jinit.autoinit(narrow, params, X)
    assert isinstance(scaled["a"], np.ndarray)
    assert scaled["a"].dtype == np.float32
    assert scaled["b"].dtype == jnp.bfloat16
    once = (np.asarray(params["b"], np.float32) * np.float32(report.rows[1].scale)).astype(
        jnp.bfloat16
    )
    np.testing.assert_array_equal(scaled["b"], once)


def test_sharded_weights_stay_where_they_are():
    mesh = jax.make_mesh((8,), ("model",), axis_types=(AxisType.Auto,))
    place = NamedSharding(mesh, P(None, "model"))
    params = {**PARAMS, "a": jax.device_put(PARAMS["a"], place)}
    scaled, _ = jinit.autoinit(net, params, X)
    assert scaled["a"].sharding == place
    alone, _ = jinit.autoinit(net, PARAMS, X)
    np.testing.assert_array_equal(scaled["a"], alone["a"])


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [0.25, 3.0])
def test_target(target):
    params, report = jinit.autoinit(net, PARAMS, X, target=target)
    assert [output.std for output in report.outputs] == pytest.approx([target] * 2)
    assert std_of(net, params, floats(4096, 96)) == pytest.approx(target, rel=0.2)


def test_rms_counts_the_mean():
    """Of weights that are all positive, most of the outcome is its mean."""
    params = jax.tree.map(jnp.abs, PARAMS)
    _, report = jinit.autoinit(net, params, X, statistic="rms")
    last = report.outputs[-1]
    assert last.std**2 + last.mean**2 == pytest.approx(1)
    assert last.mean > 0.5


def test_inputs_of_another_law():
    """Twice the inputs, half the first weight."""
    _, one = jinit.autoinit(net, PARAMS, X)
    _, other = jinit.autoinit(net, PARAMS, X, input_std=2.0)
    assert other.rows[0].before == pytest.approx(2 * one.rows[0].before)
    assert other.rows[1].before == pytest.approx(one.rows[1].before)
    params, shifted = jinit.autoinit(net, PARAMS, X, input_mean=1.5)
    assert shifted.rows[0].before > 1.5 * one.rows[0].before
    assert std_of(net, params, floats(4096, 96), mean=1.5) == pytest.approx(1, rel=0.3)


@pytest.mark.parametrize(
    "only", ["b", jinit.by_role("dense") & "b", ["b"], lambda leaf: leaf.path == "b"]
)
def test_only_some_weights(only):
    params, report = jinit.autoinit(net, PARAMS, X, only=only)
    assert [row.path for row in report.rows] == ["b"]
    np.testing.assert_array_equal(params["a"], PARAMS["a"])
    stds = [output.std for output in report.outputs]
    assert stds[0] > 2
    assert stds[1] == pytest.approx(1)


def test_values_of_floating_inputs_do_not_count():
    _, one = jinit.autoinit(net, PARAMS, X)
    _, other = jinit.autoinit(net, PARAMS, 100 * jnp.ones(X.shape))
    assert one == other


def test_switches_and_keys_are_arguments():
    def apply(params, x, key, train):
        h = jax.nn.relu(x @ params["a"])
        if train:
            h = jnp.where(jax.random.bernoulli(key, 0.5, h.shape), h / 0.5, 0)
        return h @ params["b"]

    _, kept = jinit.autoinit(apply, PARAMS, X, KEY, train=False)
    _, dropped = jinit.autoinit(apply, PARAMS, X, jax.random.key(3), train=True)
    # E[(m h / p)^2] = E[h^2] / p: the variance 1/2 - 1/2 pi becomes 1 - 1/2 pi, up to the means.
    assert dropped.rows[1].before > 1.2 * kept.rows[1].before


# --- what cannot be done ----------------------------------------------------------------------


def test_zero_and_broken_weights_are_named():
    for value, reason in ((0.0, "all its values are 0"), (np.nan, "values that are not finite")):
        broken = {**PARAMS, "b": PARAMS["b"].at[:].set(value)}
        with pytest.raises(
            ValueError, match=rf"std of 1: 'b': .*{reason}.*Draw them anew, or name"
        ):
            jinit.autoinit(net, broken, X)


def test_constant_outcomes_are_named():
    def behind_zero(params, x):
        return (0 * x) @ params["a"]

    with pytest.raises(ValueError, match=r"'a': what it is applied to is 0 throughout"):
        jinit.autoinit(behind_zero, {"a": PARAMS["a"]}, X)

    def behind_one(params, x):
        return jnp.exp(0 * x) @ params["a"]

    with pytest.raises(ValueError, match=r"'a': its outcome is constant, 96 throughout"):
        jinit.autoinit(behind_one, {"a": jnp.ones((96, 4))}, X)
    jinit.autoinit(behind_one, {"a": jnp.ones((96, 4))}, X, statistic="rms")


def test_zero_weights_can_be_left_out():
    params = {**PARAMS, "b": jnp.zeros((64, 32))}
    _, report = jinit.autoinit(net, params, X, only=~jinit.by_role("bias") & "a")
    assert [output.std for output in report.outputs] == pytest.approx([1.0, 0.0])


def test_shapes_without_values_are_refused():
    shapes = jax.eval_shape(lambda: PARAMS)
    with pytest.raises(
        ValueError, match=r"'a' \(float32\[96, 64\]\) is a shape without values.*jinit.initialize"
    ):
        jinit.autoinit(net, shapes, X)
    with pytest.raises(ValueError, match=r"'a' \(float32\[96, 64\]\) is traced.*outside of jit"):
        jax.jit(lambda p: jinit.autoinit(net, p, X)[0])(PARAMS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 0.0}, r"`target` \(=0.0\) must be > 0"),
        ({"target": np.inf}, r"`target` \(=inf\) must be finite"),
        ({"statistic": "var"}, r"`statistic` \(='var'\) must be one of 'rms', 'std'"),
        ({"input_std": -1.0}, r"`input_std` \(=-1.0\) must be > 0"),
        ({"input_mean": np.nan}, r"`input_mean` \(=nan\) must be finite"),
        (
            {"only": jinit.by_layer("Dense")},
            r"`only` has jinit.by_layer\('Dense'\), which selects no",
        ),
        ({"only": "c"}, r"`only` has 'c', which selects no parameter; there are 'a', 'b', 'bias'"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        jinit.autoinit(net, PARAMS, X, **options)


def test_no_parameter():
    with pytest.raises(ValueError, match=r"holds no parameter"):
        jinit.autoinit(lambda p, x: x, {}, X)


# --- what is approximated ---------------------------------------------------------------------


def noted(apply, *inputs, params=PARAMS):
    _, report = jinit.autoinit(apply, params, *inputs)
    return [(each.operation, each.what) for each in report.approximations]


def test_nothing_is_guessed_silently():
    assert noted(net, X) == []

    def unknown(params, x):
        with jax.named_scope("sorted"):
            return jnp.sort(x, axis=-1) @ params["a"]

    _, report = jinit.autoinit(unknown, PARAMS, X)
    (each,) = report.approximations
    assert (each.operation, each.place) == ("sort", "sorted")
    assert "no rule for it: its outcome is taken to be as its operand" in each.what


def first(h):
    return lambda params, *xs: h(*xs) @ params["a"]


@pytest.mark.parametrize(
    ("apply", "inputs", "operation", "what"),
    [
        (first(lambda x: jnp.fft.fft(x).real), (X,), "fft", "no rule for it"),
        (
            first(lambda x, i: x * i.astype(jnp.float32)),
            (X, IDS),
            "convert_element_type",
            "integer",
        ),
        (
            first(lambda x, i: jnp.where(i > 3, x, 0)),
            (X, IDS),
            "select_n",
            "condition on integer inputs",
        ),
        (
            first(lambda x: jax.lax.cond(x[0, 0] > 0, jnp.tanh, jnp.exp, x)),
            (X,),
            "cond",
            "each branch",
        ),
        (
            first(lambda x: jax.lax.while_loop(lambda h: h.sum() > 0, lambda h: h - 1, x)),
            (X,),
            "while",
            "depends on the inputs: one step",
        ),
        (
            first(lambda x: x / jax.random.normal(jax.random.key(0), x.shape)),
            (X,),
            "div",
            "cut off where its denominator is near 0",
        ),
        (
            first(lambda x: x @ (x.T @ x)),
            (X,),
            "dot_general",
            "common source are taken as independent",
        ),
        (first(lambda x: jnp.log(x)), (X,), "log", "nearest value that is"),
        (first(lambda x: x.reshape(96, 64).T + x), (X,), "reshape", "are mixed in"),
        (
            lambda params, x: x @ jnp.exp(params["a"]),
            (X,),
            "dot_general",
            "do not scale with a, which is left as it is",
        ),
    ],
)
def test_approximations_are_named(apply, inputs, operation, what):
    found = noted(apply, *inputs)
    assert any(name == operation and what in text for name, text in found), found


def test_weights_behind_a_normalization():
    """Their own scale cancels: with a gain, that is scaled; without one, nothing can be."""

    def apply(params, x):
        v = params["v"]
        kernel = v / jnp.linalg.norm(v, axis=0, keepdims=True)
        return x @ (kernel * params["g"][None] if "g" in params else kernel)

    params = {"v": PARAMS["a"], "g": jnp.full(64, 5.0)}
    scaled, report = jinit.autoinit(apply, params, X)
    np.testing.assert_allclose(scaled["g"], 1.0, rtol=1e-5)
    assert report.untouched == ("v",)
    _, report = jinit.autoinit(apply, {"v": PARAMS["a"]}, X, target=2.0)
    assert report.rows == ()
    assert report.outputs[0].std == pytest.approx(1)
    (each,) = report.approximations
    assert each.what == "its weights do not scale with v, which is left as it is"


def test_a_product_of_scaled_weights_is_scaled_by_both():
    def apply(params, x):
        h = jnp.tanh(x @ params["a"]) @ params["b"]
        return h, x @ (params["a"] @ params["b"])

    params = weights(a=(96, 64), b=(64, 32))
    scaled, report = jinit.autoinit(apply, params, X)
    both = np.asarray(scaled["a"], np.float64) @ np.asarray(scaled["b"], np.float64)
    expected = np.sqrt(np.mean(np.sum(both**2, axis=0)))
    assert report.outputs[-1].std == pytest.approx(expected, rel=1e-5)


def test_powers_of_weights():
    """Of a weight that enters as a square, the scale is the root."""
    _, report = jinit.autoinit(lambda p, x: x @ p["a"] ** 2, PARAMS, X)
    before = np.sqrt(np.mean(np.sum(np.asarray(PARAMS["a"], np.float64) ** 4, axis=0)))
    assert report.rows[0].before == pytest.approx(before, rel=1e-5)
    assert report.rows[0].scale == pytest.approx(before**-0.5, rel=1e-5)


# --- the report -------------------------------------------------------------------------------


def test_the_report_prints_and_has_json():
    def apply(params, x):
        return jnp.sort(jax.nn.relu(x @ params["a"])) @ params["b"]

    _, report = jinit.autoinit(apply, PARAMS, X)
    text = str(report)
    assert "weight" in text
    assert "std before" in text
    assert "2 weights scaled to a predicted std of 1; 1 other parameters left alone." in " ".join(
        text.split()
    )
    assert "sort" in text
    html = report._repr_html_()
    assert html.count("<table") == 2
    config = json.loads(report.to_json())
    assert [row["path"] for row in config["rows"]] == ["a", "b"]
    assert config["approximations"][0]["operation"] == "sort"
    assert config["outputs"][0]["std"] == pytest.approx(1)
    assert config["untouched"] == ["bias"]


def test_a_long_report_is_cut_and_a_narrow_one_has_fewer_columns():
    from rich.console import Console

    from jinit.display.analytic import autoinit_tables

    _, report = jinit.autoinit(net, PARAMS, X)
    many = jinit.AutoinitReport(1.0, "std", report.rows * 300, (), (), ())
    (table,) = autoinit_tables(many)
    assert table.row_count == 401
    (narrow,) = autoinit_tables(many, width=60)
    assert len(narrow.columns) == 3
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(report)
    assert "dot_general" in console.export_text()
