"""Inspections: moments against NumPy in float64, and what looks wrong, planted."""

import json
import tracemalloc

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from rich.console import Console

import jinit
from jinit.pretrained.converting import convert
from jinit.pretrained.inspection import inspect
from jinit.pretrained.measuring import windows
from jinit.pretrained.sources import open_source

GENERATOR = np.random.default_rng(0)
KERNEL = GENERATOR.normal(3.0, 0.5, size=(40, 64)).astype(np.float32)


def report_of(value, name="layer/kernel"):
    (row,) = inspect({name: value}).rows
    return row


def kinds(value, name="layer/kernel"):
    return [finding.kind for finding in report_of(value, name).findings]


# --- Measurements ---------------------------------------------------------------------------


def assert_measured(row, values):
    """Against two-pass float64: n values in parts lose at most n eps of the largest."""
    reals = values.astype(np.float64).ravel()
    slack = 4 * len(reals) * np.finfo(np.float64).eps * np.abs(reals).max()
    assert row.mean == pytest.approx(reals.mean(), abs=slack)
    assert row.std == pytest.approx(reals.std(), abs=slack)
    assert (row.low, row.high) == (reals.min(), reals.max())
    assert row.zero == (reals == 0).sum()
    assert (row.nan, row.infinite) == (0, 0)


@pytest.mark.parametrize("part", [1, 7, 64, 1000, 1 << 20])
def test_moments_in_parts(part, monkeypatch):
    monkeypatch.setattr("jinit.pretrained.measuring._PART", part)
    row = report_of(KERNEL)
    assert (row.shape, row.dtype, row.nbytes, row.size) == ((40, 64), "float32", 10240, 2560)
    assert_measured(row, KERNEL)


def test_moments_far_from_zero(monkeypatch):
    """One-pass sums of squares would lose all digits of this deviation."""
    monkeypatch.setattr("jinit.pretrained.measuring._PART", 100)
    values = 1e8 + GENERATOR.normal(size=5000)
    assert report_of(values).std == pytest.approx(values.std(), rel=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint64", "bool", "float16", "bfloat16", "float8_e5m2"])
def test_moments_of_other_dtypes(dtype):
    values = np.asarray(GENERATOR.integers(0, 2, 50), getattr(ml_dtypes, dtype, None) or dtype)
    assert_measured(report_of(values), values)


def test_complex_values_are_pairs_of_reals():
    values = (KERNEL + 2j * KERNEL[::-1]).astype(np.complex64)
    assert_measured(report_of(values), values.view(np.float32))


def test_what_is_not_finite_is_counted_apart():
    values = KERNEL.copy()
    values[0, :3], values[1, 0] = np.nan, -np.inf
    row = report_of(values)
    finite = values[np.isfinite(values)]
    assert (row.nan, row.infinite) == (3, 1)
    assert row.mean == pytest.approx(finite.mean(dtype=np.float64))
    assert (row.low, row.high) == (finite.min(), finite.max())


def test_nothing_to_measure():
    row = report_of(np.zeros((0, 3)))
    assert (row.mean, row.std, row.low, row.high, row.findings) == (None,) * 4 + ((),)
    assert report_of(np.full(2, np.nan)).mean is None
    assert report_of(np.float32(2)).mean == 2


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4, 5), (0, 3), (3, 0), (1, 1, 7)])
@pytest.mark.parametrize("most", [1, 3, 8, 1000])
def test_windows_cover_each_value_once(shape, most):
    seen = np.zeros(shape, int)
    order = np.arange(seen.size).reshape(shape)
    places = []
    for window in windows(shape, most):
        assert seen[window].size <= most
        seen[window] += 1
        places += order[window].ravel().tolist()
    assert (seen == 1).all()
    assert places == sorted(places)


def test_memory_is_bounded(tmp_path):
    convert({"x": np.zeros(16 << 20, np.int8), "y": np.zeros((2, 8 << 20), np.int8)},
            tmp_path / "m.safetensors")  # fmt: skip
    tracemalloc.start()
    try:
        inspect(tmp_path / "m.safetensors")
        assert tracemalloc.get_traced_memory()[1] < 48 << 20  # in float64 "x" takes 128 MiB
    finally:
        tracemalloc.stop()


# --- Findings -------------------------------------------------------------------------------


def test_sound_tensors_have_none():
    assert kinds(KERNEL) == []
    assert kinds(np.zeros(64, np.float32), "layer/bias") == []
    assert kinds(np.ones(64, np.float32), "norm/scale") == []
    assert kinds(jinit.he_normal(jax.random.key(0), (128, 128), jnp.bfloat16)) == []
    assert kinds(np.arange(4096)) == []


@pytest.mark.parametrize("name", ["layer/kernel", "transformer.h.0.mlp.c_fc.weight"])
def test_weights_that_are_one_value(name):
    row = report_of(np.zeros((8, 8), np.float32), name)
    assert [(f.kind, f.path, f.detail) for f in row.findings] == [
        ("zero", name, "all 64 values are 0")
    ]
    assert kinds(np.full((8, 8), 0.5, np.float32), name)[0] == "constant"


def test_nan_and_infinities():
    values = KERNEL.copy()
    values[0, :3], values[1, 0] = np.nan, np.inf
    (finding,) = report_of(values).findings
    assert finding.kind == "nonfinite"
    assert finding.severity == "error"
    assert finding.detail == "3 NaN and 1 infinite among 2,560 values"


def test_draws_in_low_precision():
    values = jax.random.normal(jax.random.key(0), (128, 128), jnp.bfloat16)
    (finding,) = report_of(values).findings
    assert finding.kind == "coarse"
    assert "different values among 4,096 of bfloat16" in finding.detail


@pytest.mark.parametrize(
    ("narrow", "wide", "times"),
    [("bfloat16", "float32", 2), ("float16", "float32", 2), ("float32", "float64", 2)],
)
def test_values_of_a_narrower_dtype(narrow, wide, times):
    narrowed = GENERATOR.normal(size=(32, 32)).astype(getattr(jnp, narrow))
    (finding,) = report_of(narrowed.astype(wide)).findings
    assert (finding.kind, finding.severity) == ("rounded", "warning")
    assert finding.detail == f"all values are of {narrow}, in {times} times the bytes"
    assert finding.advice == "keep it in that dtype"
    one_off = narrowed.astype(wide)
    one_off[-1, -1] = np.pi
    assert kinds(one_off) == []


# --- Results --------------------------------------------------------------------------------


def four_tensors():
    return {
        "b/kernel": KERNEL,
        "a/kernel": np.zeros((8, 8), np.float32),
        "c/\x1b[31mkernel": GENERATOR.normal(size=(70, 70)),
        "steps": np.asarray(7),
    }


def test_orders():
    seen = inspect({str(i): np.full(n, v, np.float32) for i, (n, v) in
                    enumerate([(3, 2.0), (9, -5.0), (6, 1.0)])})  # fmt: skip
    names = {order: [row.name for row in seen.sorted_by(order).rows]
             for order in ("file", "name", "size", "mean")}  # fmt: skip
    assert names == {
        "file": ["0", "1", "2"],
        "name": ["0", "1", "2"],
        "size": ["1", "2", "0"],
        "mean": ["1", "0", "2"],
    }
    assert inspect(four_tensors()).sorted_by("findings").rows[0].name == "a/kernel"
    assert inspect(four_tensors()).sorted_by("std").rows[0].name.startswith("c/")
    with pytest.raises(ValueError, match=r"`order` \(='siz'\) must be one of .*mean 'size'"):
        seen.sorted_by("siz")


def test_json_has_all_digits():
    seen = inspect(four_tensors())
    content = json.loads(seen.to_json())
    assert content["totals"] == {"tensors": 4, "values": 7525, "bytes": 49704, "findings": 1}
    by_name = {tensor["name"]: tensor for tensor in content["tensors"]}
    assert by_name["b/kernel"]["mean"] == pytest.approx(KERNEL.mean(dtype=np.float64), rel=1e-12)
    assert by_name["a/kernel"]["findings"][0]["kind"] == "zero"
    assert content["description"] == "dict in memory"


@pytest.mark.parametrize("width", [80, 120])
def test_fits_the_terminal(width):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(inspect(four_tensors()))
    text = console.export_text()
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= width
    assert ("size" in lines[0]) == (width >= 100)
    assert any(line.startswith("!  a/kernel") for line in lines)
    assert any(line.startswith("zero a/kernel") for line in lines)
    assert "\x1b" not in text
    assert "c/\\x1b[31mkernel" in text
    assert "4 tensors, 7,525 values, 48.5 KiB, float32, float64, int64" in " ".join(text.split())


def test_text_and_html():
    seen = inspect(four_tensors())
    assert "all 64 values are 0" in str(seen)
    assert repr(seen).startswith("<Inspection: dict in memory: 4 tensors, 7,525 values")
    html = seen._repr_html_()
    assert "a/kernel" in html
    assert "\x1b" not in html


def test_many_tensors_are_cut_in_the_middle():
    seen = inspect({f"t{i:04}": np.float32(i) for i in range(500)})
    text = str(seen)
    assert "... 100 more" in text
    assert "t0199" in text
    assert "t0250" not in text


def test_a_source_stays_open():
    with open_source({"x": KERNEL}) as source:
        inspect(source)
        assert source.read("x").shape == (40, 64)
