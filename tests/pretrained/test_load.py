"""Loading: every leaf and every tensor accounted for, all of it or nothing."""

import io
import json
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import jinit
import jinit.model.drawing
from jinit.pretrained import LoadError, open_source
from jinit.pretrained.leaves import check_value
from jinit.pretrained.sources import Source, TensorSpec

KEY = jax.random.key(5)
F32 = np.dtype("float32")


def leaf(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, jnp.dtype(dtype))


def drawn(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def model():
    """A body and a head, as shapes."""
    return {
        "body": {"kernel": leaf(4, 8), "bias": leaf(8)},
        "head": {"kernel": leaf(8, 3), "bias": leaf(3)},
    }


def weights():
    return {
        "body/kernel": drawn(4, 8, seed=1),
        "body/bias": drawn(8, seed=2),
        "head/kernel": drawn(8, 3, seed=3),
        "head/bias": drawn(3, seed=4),
    }


RULES = {"**/bias": jinit.zeros, "**/kernel": jinit.he_normal()}


class Noted(Source):
    """Tensors in memory that note when they are read, and whether they were closed."""

    def __init__(self, tensors):
        self.tensors, self.reads, self.closed = tensors, [], 0
        super().__init__({n: TensorSpec(a.shape, a.dtype) for n, a in tensors.items()}, "noted")

    def _read(self, name, window):
        self.reads.append(name)
        return self.tensors[name] if window is None else self.tensors[name][window]

    def close(self):
        self.closed += 1


@pytest.fixture
def draws(monkeypatch):
    """The paths' shapes of all that is drawn."""
    shapes = []
    real = jinit.model.drawing.draw_leaves

    def counting(jobs, keys, **options):
        shapes.extend(job.shape for job in jobs)
        return real(jobs, keys, **options)

    monkeypatch.setattr("jinit.model.planning.draw_leaves", counting)
    return shapes


def assert_sums(report):
    totals = report.totals
    outcomes = ("loaded", "adapted", "drawn", "kept", "missing", "mismatched")
    assert sum(totals[name] for name in outcomes) == totals["leaves"] == len(report.rows)
    assert totals["used"] + totals["ignored"] + totals["unexpected"] == totals["tensors"]


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "params/{}"])
@pytest.mark.parametrize("joint", ["/", "."])
def test_equal_names(form, joint):
    tensors = {form.format(name).replace("/", joint): value for name, value in weights().items()}
    params, report = jinit.load(model(), tensors)
    assert_sums(report)
    assert report.totals["loaded"] == 4
    for name, value in weights().items():
        layer, own = name.split("/")
        assert isinstance(params[layer][own], jax.Array)
        np.testing.assert_array_equal(params[layer][own], value)


def test_nested_trees_and_live_models_are_sources():
    nested = {"body": {"kernel": drawn(4, 8), "bias": drawn(8)}}
    live = nnx.Dict(body=nnx.Linear(4, 8, rngs=nnx.Rngs(0)))
    target = {"body": model()["body"]}
    np.testing.assert_array_equal(
        jinit.load(target, nested)[0]["body"]["kernel"], nested["body"]["kernel"]
    )
    np.testing.assert_array_equal(
        jinit.load(target, live)[0]["body"]["kernel"], live["body"].kernel[...]
    )


def test_a_source_that_was_opened_before_stays_open(tmp_path):
    with Noted(weights()) as source:
        jinit.load(model(), source)
        assert source.closed == 0
        assert sorted(source.reads) == sorted(weights())  # each once
    assert open_source(source) is source


# --- what is missing --------------------------------------------------------------------------


def test_what_is_missing_is_drawn_by_rules_and_only_that(draws):
    tensors = {name: value for name, value in weights().items() if name.startswith("body")}
    params, report = jinit.load(
        model(), tensors, rules=RULES, key=KEY, on_missing={"head/*": "draw"}
    )
    assert sorted(draws) == [(3,), (8, 3)]
    assert_sums(report)
    assert [row.outcome for row in report] == ["loaded", "loaded", "drawn", "drawn"]
    assert report["head/kernel"].how == "jinit.he_normal()"
    assert report["head/kernel"].reason == "missing"
    whole = jinit.initialize(model(), RULES, KEY)  # the same leaf from the same key
    np.testing.assert_array_equal(params["head"]["kernel"], whole["head"]["kernel"])
    np.testing.assert_array_equal(params["body"]["kernel"], tensors["body/kernel"])


def test_a_leaf_that_is_loaded_is_never_drawn(draws):
    jinit.load(model(), weights(), rules=RULES, key=KEY, on_missing="draw")
    assert draws == []


def test_what_is_missing_is_kept():
    target = {"body": model()["body"], "head": {"kernel": jnp.ones((8, 3)), "bias": jnp.ones(3)}}
    tensors = {name: value for name, value in weights().items() if name.startswith("body")}
    params, report = jinit.load(target, tensors, on_missing="keep")
    assert [row.outcome for row in report] == ["loaded", "loaded", "kept", "kept"]
    assert params["head"]["kernel"] is target["head"]["kernel"]
    with pytest.raises(LoadError, match=r"head/bias float32\[3\] is to be kept and has no value"):
        jinit.load(model(), tensors, on_missing="keep")


def test_rules_that_keep():
    target = {"body": model()["body"], "head": {"kernel": jnp.ones((8, 3)), "bias": jnp.ones(3)}}
    tensors = {name: value for name, value in weights().items() if name.startswith("body")}
    rules = {"head/*": jinit.keep, "**": jinit.normal(1.0)}
    _, report = jinit.load(target, tensors, rules=rules, key=KEY, on_missing="draw")
    assert [row.outcome for row in report] == ["loaded", "loaded", "kept", "kept"]


# --- silence is not an option -----------------------------------------------------------------


def test_absent_weights_are_not_zeros():
    """A checkpoint without some layers must not load as if these were zero."""
    tensors = weights()
    del tensors["head/kernel"], tensors["body/bias"]
    with pytest.raises(LoadError) as caught:
        jinit.load(model(), tensors)
    text = str(caught.value)
    assert "does not fit the model: 2 missing" in text
    assert "missing: body/bias float32[8] has no tensor" in text
    assert "missing: head/kernel float32[8,3] has no tensor" in text
    assert 'on_missing="draw" draws such leaves by `rules`' in text
    assert [row.path for row in caught.value.report.missing] == ["body/bias", "head/kernel"]
    assert_sums(caught.value.report)


def test_a_head_of_another_shape_is_not_silently_new():
    tensors = weights() | {"head/kernel": drawn(8, 1000), "head/bias": drawn(1000)}
    with pytest.raises(LoadError) as caught:
        jinit.load(model(), tensors, rules=RULES, key=KEY, on_missing="draw")
    text = str(caught.value)
    assert "2 mismatched" in text
    message = "mismatched: head/kernel float32[8,3], and head/kernel makes float32[8,1000]"
    assert message in text
    assert "on_mismatch= takes adapters" in text


def test_loaded_weights_are_not_initialized_afterwards(draws):
    """Rules for every leaf, and yet what is loaded has the checkpoint's bits."""
    tensors = weights() | {"head/kernel": drawn(8, 5), "head/bias": drawn(5)}
    params, report = jinit.load(
        model(), tensors, rules=RULES, key=KEY, on_missing="draw", on_mismatch="draw"
    )
    assert sorted(draws) == [(3,), (8, 3)]
    np.testing.assert_array_equal(params["body"]["kernel"], tensors["body/kernel"])
    np.testing.assert_array_equal(params["body"]["bias"], tensors["body/bias"])
    assert [row.reason for row in report] == [None, None, "mismatched", "mismatched"]
    assert report.unexpected == ()
    assert report.ignored == ("head/bias", "head/kernel")
    assert_sums(report)


def test_a_tensor_that_nothing_takes():
    tensors = weights() | {"extra/kernel": drawn(2, 2), "extra/bias": drawn(2)}
    with pytest.raises(LoadError, match=r"2 unexpected\n  unexpected: extra/bias float32\[2\] is"):
        jinit.load(model(), tensors)
    for ignoring in ("ignore", {"extra/*": "ignore"}, {"*.bias": "ignore", "extra.**": "ignore"}):
        _, report = jinit.load(model(), tensors, on_unexpected=ignoring)
        assert report.ignored == ("extra/bias", "extra/kernel")
        assert_sums(report)
    with pytest.raises(LoadError, match="1 unexpected"):
        jinit.load(model(), tensors, on_unexpected={"extra/kernel": "ignore"})


def test_everything_wrong_is_told_at_once_and_nothing_is_read():
    tensors = weights() | {"body/kernel": drawn(4, 9), "extra": drawn(1)}
    del tensors["head/bias"]
    source = Noted(tensors)
    with pytest.raises(LoadError) as caught:
        jinit.load(model(), source)
    assert "noted does not fit the model: 1 missing, 1 mismatched, 1 unexpected" in str(
        caught.value
    )
    assert source.reads == []
    report = caught.value.report
    assert [row.outcome for row in report] == ["loaded", "mismatched", "missing", "loaded"]
    assert report.unexpected == ("extra",)
    assert_sums(report)


def test_long_lists_are_cut():
    target = {f"w{i:02}": leaf(1) for i in range(20)}
    with pytest.raises(LoadError, match="missing: and 8 more"):
        jinit.load(target, {"w": drawn(1)})


def test_shapes_without_values_do_not_get_out():
    """Whatever is asked for, what comes back has values."""
    for on_missing in ("keep", "draw", "error"):
        with pytest.raises((LoadError, ValueError)):
            jinit.load(model(), {}, on_missing=on_missing)
    params, _ = jinit.load(model(), weights())
    assert all(isinstance(value, jax.Array) for value in jax.tree.leaves(params))


# --- options ----------------------------------------------------------------------------------


OPTIONS = [
    (
        {"on_missing": "drop"},
        r"`on_missing` \(='drop'\) must be 'draw', 'error', 'keep', jinit.pre",
    ),
    ({"on_missing": {"**": 3}}, r"`on_missing` \(=3\) must be"),
    ({"on_mismatch": "resize"}, r"`on_mismatch` \(='resize'\) must be .* an adapter of jinit"),
    ({"on_unexpected": "drop"}, r"`on_unexpected` \(='drop'\) must be 'error' or 'ignore'"),
    ({"on_unexpected": {"no.*": "ignore"}}, r"the pattern 'no\.\*' in `on_unexpected` fits no"),
    ({"on_missing": {"tail/*": "draw"}}, r"'tail/\*' in `on_missing` selects no leaf; the nearest"),
    ({"on_mismatch": {"tail/*": "draw"}}, r"'tail/\*' in `on_mismatch` selects no leaf"),
    ({"adapt": {"tail/*": lambda array, leaf: array}}, r"'tail/\*' in `adapt` selects no leaf"),
    ({"rules": RULES, "on_missing": "draw"}, r"`key` is needed, to draw head/bias, head/kernel"),
    ({"key": KEY, "on_missing": "draw"}, r"`rules` are needed, to draw head/bias, head/kernel"),
    (
        {"key": KEY, "on_missing": "draw", "rules": {"head/kernel": jinit.zeros}},
        "no rule hits head/bias",
    ),
    (
        {"key": KEY, "on_missing": "draw", "rules": {"tail": jinit.zeros, "**": jinit.ones}},
        "rule 'tail' hits no leaf",
    ),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options_are_checked_before_anything_is_read(options, message):
    source = Noted({name: value for name, value in weights().items() if name.startswith("body")})
    with pytest.raises(ValueError, match=message):
        jinit.load(model(), source, **options)
    assert source.reads == []


def test_rules_must_fit_even_where_nothing_is_drawn():
    with pytest.raises(jinit.RuleError, match="rule 'tail/kernel' hits no leaf; the nearest paths"):
        jinit.load(model(), weights(), rules={"tail/kernel": jinit.zeros, "**": jinit.ones})


def test_keys_are_checked():
    with pytest.raises(TypeError, match=r"`key` must be a PRNG key"):
        jinit.load(model(), weights(), key=3)


# --- dtypes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_values_are_cast_once(dtype):
    """From float64 straight to 16 bits: by way of float32 some would round twice."""
    exact = np.array([1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-11 + 2.0**-40, 0.1])
    params, report = jinit.load({"w": leaf(3)}, {"w": exact}, dtype=dtype)
    assert params["w"].dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(np.asarray(params["w"]), exact.astype(jnp.dtype(dtype)))
    assert report["w"].how == "cast from float64"
    assert report["w"].dtype == dtype


def test_what_is_drawn_has_the_dtype_too():
    params, _ = jinit.load(
        {"w": leaf(3), "v": leaf(4), "count": leaf(2, dtype="int32")},
        {"w": drawn(3), "count": np.array([1, 2], np.int32)},
        dtype="bfloat16", rules=jinit.normal(1.0), key=KEY, on_missing="draw",
    )  # fmt: skip
    assert params["w"].dtype == params["v"].dtype == jnp.bfloat16
    assert params["count"].dtype == jnp.int32


def test_8_bit_floats_are_read():
    tensors = {"w": drawn(3).astype(ml_dtypes.float8_e4m3fn)}
    params, _ = jinit.load({"w": leaf(3)}, tensors)
    np.testing.assert_array_equal(params["w"], tensors["w"].astype(np.float32))


def test_values_beyond_a_narrower_dtype():
    with pytest.raises(ValueError, match=r"w float16\[2\]: 1 values are beyond .* such as 70000"):
        jinit.load({"w": leaf(2, dtype="float16")}, {"w": np.array([1.0, 7e4], np.float32)})
    tensors = {"w": np.array([np.inf, -np.inf, np.nan], np.float32)}
    params, _ = jinit.load({"w": leaf(3, dtype="float16")}, tensors)  # as they were
    np.testing.assert_array_equal(np.asarray(params["w"]), tensors["w"].astype(np.float16))


@pytest.mark.parametrize(
    ("old", "new"),
    [("int32", "float32"), ("float32", "int32"), ("complex64", "float32"), ("int64", "int32")],
)
def test_kinds_of_numbers_are_not_mixed(old, new):
    message = rf"w {new}\[2\], and w makes {old}\[2\]: {old} would be cast"
    with pytest.raises(LoadError, match=message):
        jinit.load({"w": leaf(2, dtype=new)}, {"w": np.ones(2, old)})


# --- statistics -------------------------------------------------------------------------------


class Normed(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.BatchNorm(use_running_average=True, name="norm")(x)


def normed(**changes):
    tensors = {
        "params/norm/scale": drawn(3, seed=1),
        "params/norm/bias": drawn(3, seed=2),
        "batch_stats/norm/mean": drawn(3, seed=3),
        "batch_stats/norm/var": drawn(3, seed=4),
    }
    return {name: value for name, value in (tensors | changes).items() if value is not None}


def test_statistics_are_leaves():
    target = jinit.with_inputs(Normed(), leaf(1, 3))
    variables, report = jinit.load(target, normed())
    assert [row.path for row in report][2:] == ["batch_stats/norm/mean", "batch_stats/norm/var"]
    np.testing.assert_array_equal(
        variables["batch_stats"]["norm"]["var"], normed()["batch_stats/norm/var"]
    )
    incomplete = normed(**{"batch_stats/norm/var": None})
    with pytest.raises(LoadError, match=r"1 missing\n  missing: batch_stats/norm/var float32\[3\]"):
        jinit.load(target, incomplete)
    with pytest.raises(ValueError, match="`key` is needed, to compute batch_stats/norm/var as the"):
        jinit.load(target, incomplete, on_missing="keep")
    for choice in ("keep", "draw"):
        variables, report = jinit.load(target, incomplete, on_missing=choice, key=KEY)
        np.testing.assert_array_equal(variables["batch_stats"]["norm"]["var"], np.ones(3))
        np.testing.assert_array_equal(
            variables["batch_stats"]["norm"]["mean"], normed()["batch_stats/norm/mean"]
        )
        assert report["batch_stats/norm/var"].outcome == "kept"
        assert_sums(report)


def test_statistics_of_variables_that_have_values():
    variables = Normed().init(KEY, jnp.ones((1, 3)))
    loaded, _ = jinit.load(variables, normed())
    np.testing.assert_array_equal(
        loaded["batch_stats"]["norm"]["mean"], normed()["batch_stats/norm/mean"]
    )
    np.testing.assert_array_equal(variables["batch_stats"]["norm"]["mean"], np.zeros(3))
    kept, report = jinit.load(
        variables, normed(**{"batch_stats/norm/var": None}), on_missing="keep"
    )
    np.testing.assert_array_equal(kept["batch_stats"]["norm"]["var"], np.ones(3))
    assert report.totals["kept"] == 1


def test_shapes_alone_are_enough_where_the_checkpoint_has_it_all():
    """`jax.eval_shape(model.init, ...)`, `nnx.eval_shape(...)`: as other loaders take them."""
    shapes = jax.eval_shape(Normed().init, KEY, leaf(1, 3))
    variables, report = jinit.load(shapes, normed())
    assert report.totals["loaded"] == 4
    np.testing.assert_array_equal(
        variables["batch_stats"]["norm"]["mean"], normed()["batch_stats/norm/mean"]
    )
    message = "batch_stats/norm/var are shapes without values, no parameters, and not in the"
    with pytest.raises(ValueError, match=message):
        jinit.load(shapes, normed(**{"batch_stats/norm/var": None}), on_missing="keep")

    abstract = nnx.eval_shape(lambda: nnx.Dict(norm=nnx.BatchNorm(3, rngs=nnx.Rngs(0))))
    tensors = {name.partition("/")[2]: value for name, value in normed().items()}
    loaded, _ = jinit.load(abstract, tensors)
    np.testing.assert_array_equal(loaded["norm"].var[...], tensors["norm/var"])
    state, _ = jinit.load(nnx.state(abstract), tensors)
    np.testing.assert_array_equal(state["norm"]["var"][...], tensors["norm/var"])
    dropped = nnx.eval_shape(lambda: nnx.Dropout(0.5, rngs=nnx.Rngs(0)))
    with pytest.raises(ValueError, match="rngs/count, rngs/key are shapes without values"):
        jinit.load(dropped, {})


def test_what_is_neither_parameter_nor_statistic_stays():
    """Keys and counters of NNX are no leaves; they are what the model makes them."""

    def build():
        rngs = nnx.Rngs(3)
        return nnx.Dict(fc=nnx.Linear(2, 2, rngs=rngs), drop=nnx.Dropout(0.5, rngs=rngs))

    tensors = {"fc/kernel": drawn(2, 2), "fc/bias": drawn(2)}
    loaded, report = jinit.load(build, tensors, key=KEY)
    assert len(report) == 2
    assert loaded["drop"].rngs.count[...] == build()["drop"].rngs.count[...]
    np.testing.assert_array_equal(loaded["fc"].kernel[...], tensors["fc/kernel"])
    with pytest.raises(ValueError, match="`key` is needed, to compute what the model keeps beside"):
        jinit.load(build, tensors)


class Buffered(eqx.Module):
    fc: eqx.nn.Linear
    buffer: jax.Array

    def __init__(self):
        self.fc = eqx.nn.Linear(2, 3, key=jax.random.key(1))
        self.buffer = jnp.arange(4)


def test_equinox_keeps_what_is_no_parameter():
    tensors = {"fc/weight": drawn(3, 2), "fc/bias": drawn(3)}
    for target in (Buffered(), Buffered):
        loaded, report = jinit.load(target, tensors, key=KEY)
        assert [row.path for row in report] == ["fc/weight", "fc/bias"]
        np.testing.assert_array_equal(loaded.fc.weight, tensors["fc/weight"])
        np.testing.assert_array_equal(loaded.buffer, np.arange(4))
    with pytest.raises(ValueError, match="`key` is needed, to compute what the model keeps"):
        jinit.load(Buffered, tensors)


def test_nothing_without_a_value_gets_out():
    with pytest.raises(
        ValueError, match=r"'w' has no value but ShapeDtypeStruct.*nothing was load"
    ):
        check_value("w", leaf(2))
    with pytest.raises(ValueError, match=r"'w' has no value but None"):
        check_value("w", None)


def test_metadata_boxes_survive():
    class Boxed(nn.Module):
        @nn.compact
        def __call__(self, x):
            init = nn.with_partitioning(nn.initializers.zeros, (None, "model"))
            return nn.Dense(4, kernel_init=init, name="fc")(x)

    tensors = {"fc/kernel": drawn(2, 4), "fc/bias": drawn(4)}
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("model",))
    variables, _ = jinit.load(jinit.with_inputs(Boxed(), leaf(1, 2)), tensors, mesh=mesh)
    box = variables["params"]["fc"]["kernel"]
    assert box.names == (None, "model")
    assert box.value.sharding.shard_shape((2, 4)) == (2, 2)
    np.testing.assert_array_equal(box.value, tensors["fc/kernel"])


# --- leaves that are one array ----------------------------------------------------------------


class Tied(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(5, 4, rngs=rngs)
        self.head = self.embed


def test_tied_leaves():
    table = drawn(5, 4)
    target = Tied(nnx.Rngs(0))
    for tensors in (
        {"embed/embedding": table},
        {"head/embedding": table},
        {"embed/embedding": table, "head/embedding": table.copy()},
    ):
        loaded, report = jinit.load(target, tensors)
        assert loaded.head is loaded.embed
        np.testing.assert_array_equal(loaded.embed.embedding[...], table)
        assert report.totals["loaded"] == len(report) == 2
        assert [row.shared_with for row in report].count(None) == 1
        assert_sums(report)


def test_tied_leaves_that_the_checkpoint_has_twice():
    tensors = {"embed/embedding": drawn(5, 4), "head/embedding": drawn(5, 4, seed=1)}
    with pytest.raises(ValueError, match="is one array with others in the model, and in the"):
        jinit.load(Tied(nnx.Rngs(0)), tensors)
    larger = {name: np.concatenate([table, table]) for name, table in tensors.items()}
    with pytest.raises(ValueError, match="is one array with others in the model, and in the"):
        jinit.load(Tied(nnx.Rngs(0)), larger, on_mismatch=lambda table, leaf: table[:5])


def test_tied_leaves_are_drawn_once(draws):
    loaded, report = jinit.load(
        Tied(nnx.Rngs(0)), {}, rules=jinit.normal(1.0), key=KEY, on_missing="draw"
    )
    assert draws == [(5, 4)]
    assert loaded.head is loaded.embed
    assert report.totals["drawn"] == 2


# --- adapters given as functions --------------------------------------------------------------


def test_a_function_adapts():
    def middle(array, leaf):
        return array[1:-1]

    tensors = {"w": drawn(6)}
    params, report = jinit.load({"w": leaf(4)}, tensors, on_mismatch={"w": middle})
    np.testing.assert_array_equal(params["w"], tensors["w"][1:-1])
    assert report["w"].how == "middle"
    assert report["w"].source_shape == (6,)
    with pytest.raises(ValueError, match=r"w float32\[4\] was given values of shape \[5\]"):
        jinit.load({"w": leaf(4)}, tensors, on_mismatch={"w": lambda array, leaf: array[1:]})


def test_an_adapter_that_fails_is_named():
    def fails(array, leaf):
        raise RuntimeError("no way")

    with pytest.raises(RuntimeError, match="no way") as caught:
        jinit.load({"w": leaf(4)}, {"v": drawn(6)}, match={"v": "w"}, on_mismatch={"w": fails})
    assert caught.value.__notes__ == ["while fails adapted v to w float32[4]"]


def test_adapt_applies_where_shapes_are_equal():
    params, report = jinit.load({"w": leaf(3)}, {"w": drawn(3)}, adapt={"w": lambda a, leaf: 2 * a})
    np.testing.assert_array_equal(params["w"], 2 * drawn(3))
    assert report["w"].outcome == "adapted"


# --- the report -------------------------------------------------------------------------------


def test_reports_print_and_are_stored():
    tensors = weights() | {"extra": drawn(1), "head/kernel": drawn(8, 5)}
    options = {"rules": RULES, "key": KEY, "on_mismatch": "draw", "on_unexpected": "ignore"}
    _, report = jinit.load(model(), tensors, **options)
    text = str(report)
    assert "4 leaves: 3 loaded, 1 drawn. 5 tensors of dict in memory: 3 used, 2 ignored." in text
    assert "he_normal()" in text
    assert repr(report) == "<LoadReport: 4 leaves: 3 loaded, 1 drawn>"
    assert "<table" in report._repr_html_()
    stored = json.loads(report.to_json())
    assert stored["totals"] == report.totals
    assert stored["rows"][3] == {
        "path": "head/kernel", "outcome": "drawn", "shape": [8, 3], "dtype": "float32",
        "source": None, "source_shape": None, "how": "jinit.he_normal()", "reason": "mismatched",
        "shared_with": None,
    }  # fmt: skip
    with pytest.raises(KeyError, match="no leaf has the path 'nowhere'; paths are such as"):
        report["nowhere"]


def test_a_failed_report_names_what_is_unexpected():
    with pytest.raises(LoadError) as caught:
        jinit.load(model(), weights() | {"extra": drawn(1)})
    assert "Unexpected: extra." in str(caught.value.report)


def test_reports_in_narrow_places():
    from rich.console import Console

    _, report = jinit.load(model(), weights())
    for width, columns in ((50, {"leaf", "outcome", "shape"}), (120, {"leaf", "dtype", "from"})):
        console = Console(width=width, record=True, file=io.StringIO())
        console.print(report)
        head = console.export_text().splitlines()[0].split()
        assert columns <= set(head)
        assert ("from" in head) == (width > 60)
    rows = tuple(report.rows) * 150
    text = str(replace(report, rows=rows))
    assert "... 200 more" in text
    assert len(text.splitlines()) < 410
