"""The command line: what it prints, and what it says of arguments that are wrong."""

import ast
import io
import json
import math
import re
import subprocess
import sys

import jax
import pytest

import jinit
from jinit.cli import main


def printed(capsys, *argv):
    assert main(argv) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert "\x1b" not in text  # a pipe gets no colours
    return text


def refused(capsys, *argv, status=2):
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == status
    text, errors = capsys.readouterr()
    assert text == ""
    assert errors.count("\n") == 1
    return errors


# --- What it prints -------------------------------------------------------------------------


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"jinit {jinit.__version__}\n"


@pytest.mark.parametrize("command", ["", "demo", "compare", "schemes", "gain", "fans"])
def test_help_has_examples_that_parse(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([*command.split(), "--help"])
    assert exit_.value.code == 0
    _, examples = capsys.readouterr().out.split("examples:\n")
    lines = examples.strip().splitlines()
    assert lines
    for line in lines:
        assert line.strip().startswith(f"jinit {command}".strip())


def test_schemes_lists_each_once_with_its_law(capsys):
    text = printed(capsys, "schemes")
    names = [line.split()[0] for line in text.splitlines()[2:] if line[0].isalpha()]
    assert names == sorted(names)
    assert {"he_normal", "orthogonal", "zeros"} <= set(names)
    assert "kaiming_normal" not in names
    assert re.search(r"^= kaiming_normal", text, re.MULTILINE)
    assert "All zeros: W = 0." in text
    assert "U[-b, b)" in text  # brackets are no markup


@pytest.mark.parametrize("name", ["he_normal", "kaiming_normal"])
def test_schemes_describes_one(name, capsys):
    text = printed(capsys, "schemes", name)
    signature, blank, law, *_ = text.splitlines()
    assert signature.startswith("jinit.he_normal(in_axis=-2, out_axis=-1, batch_axis=(), dtype=")
    assert "mode='fan_in'" in signature
    assert blank == ""
    assert law.startswith("He (Kaiming) normal")
    assert "Reference: He et al. 2015" in text


def rows(text):
    """First cell and number of each row that has one."""
    found = re.findall(r"^(\S+|std of \S+) +(-?[\d.]+(?:e-?\d+)?)\b", text, re.MULTILINE)
    return {name: float(number) for name, number in found}


def test_gain_of_every_criterion(capsys):
    assert rows(printed(capsys, "gain", "relu")) == {
        "default": 1.414214,
        "second_moment": 1.414214,
        "backward": 1.414214,
        "std": pytest.approx(1 / math.sqrt(0.5 - 0.5 / math.pi), abs=1e-6),
    }
    assert rows(printed(capsys, "gain", "tanh"))["default"] == 1.666667


def test_gain_of_a_leaky_relu_and_of_a_negative_parameter(capsys):
    expected = pytest.approx(math.sqrt(2 / 1.04), abs=1e-6)
    assert rows(printed(capsys, "gain", "leaky_relu", "0.2"))["default"] == expected
    assert rows(printed(capsys, "gain", "leaky_relu", "-0.2"))["default"] == expected


def test_one_criterion_is_one_number(capsys):
    text = printed(capsys, "gain", "relu", "--criterion", "backward")
    assert float(text) == pytest.approx(math.sqrt(2), rel=1e-9)


@pytest.mark.parametrize(
    ("argv", "fan_in", "fan_out"),
    [
        (("784", "512"), 784, 512),
        (("784,512",), 784, 512),
        (("3", "3", "64", "128"), 9 * 64, 9 * 128),
        (("3,3,64,128", "--groups", "2"), 9 * 64, 9 * 64),
        (("(128, 64, 3, 3)", "--layout", "OIHW"), 9 * 64, 9 * 128),
        (("4,4,64,128", "--stride", "2"), 16 * 64, 16 * 128 / 4),
        (("4,4,64,128", "--stride", "2,1", "--transposed"), 16 * 64 / 2, 16 * 128),
        (("512,8,64", "--einsum", "btd,dhk->bthk"), 512, 512),
        (("3,2,3", "--stride", "2"), 6, 4.5),
    ],
)
def test_fans_and_the_stds_they_give(argv, fan_in, fan_out, capsys):
    assert rows(printed(capsys, "fans", *argv)) == {
        "fan_in": fan_in,
        "fan_out": fan_out,
        "std of he": pytest.approx(math.sqrt(2 / fan_in), rel=1e-5),
        "std of xavier": pytest.approx(math.sqrt(2 / (fan_in + fan_out)), rel=1e-5),
        "std of lecun": pytest.approx(math.sqrt(1 / fan_in), rel=1e-5),
    }


# --- The demo -------------------------------------------------------------------------------


def test_demo_prints_and_draws(capsys, tmp_path):
    out = tmp_path / "tiny.png"
    options = "--depth 1 --width 8 --steps 2 --activation tanh --seed 4 --schemes he,xavier,he"
    with jax.numpy_dtype_promotion("standard"):  # optax promotes dtypes itself
        text = printed(capsys, "demo", *options.split(), "--out", str(out))
    assert "1 hidden layer of 8, tanh" in " ".join(text.split())
    assert "jinit.he_normal(nonlinearity='tanh')" in text
    assert len(re.findall(r"^he +forward", text, re.MULTILINE)) == 1
    assert out.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


# --- The comparison -------------------------------------------------------------------------

SMALL = "compare --depth 4 --width 16 --batch 8 --schemes xavier,zeros,xavier --out"


def test_compare_prints_and_draws(capsys, tmp_path):
    out = tmp_path / "small.png"
    text = printed(capsys, *SMALL.split(), str(out))
    assert re.search(r"^xavier +0\.\d+ → 0\.\d+ ", text, re.MULTILINE)
    assert re.search(r"^zeros +0 → 0 .* ✗ zero *$", text, re.MULTILINE)
    assert len(re.findall(r"^xavier", text, re.MULTILINE)) == 1
    assert f"Figure written to {out}" in text.replace("\n", "")
    assert out.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_compare_prints_json(capsys, tmp_path):
    text = printed(capsys, *SMALL.split(), str(tmp_path / "small.png"), "--json")
    told = json.loads(text)
    assert list(told) == ["xavier", "zeros"]
    linear = [row for row in told["xavier"]["rows"] if row["kind"] == "linear"]
    assert [row["name"] for row in linear] == ["first", "hidden[0]", "hidden[1]", "last"]
    assert told["zeros"]["ok"] is False


# --- Errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "jinit: error: the following arguments are required: COMMAND"),
        ("foo", r"invalid choice: 'foo' \(choose from .*demo.*schemes.*gain.*fans"),
        ("demo --depth 0", r"jinit demo: error: `depth` \(=0\) must be at least 1 \(see jinit"),
        ("demo --depth x", "argument --depth: invalid int value: 'x'"),
        ("demo --seed -1", r"`seed` \(=-1\) must be at least 0"),
        ("demo --activation rleu", r"`activation` \(='rleu'\).*did you mean 'relu'"),
        ("demo --schemes he,orthogonl", "no scheme is called 'orthogonl'; did you mean 'orthog"),
        ("demo --schemes ,", "`schemes` names 0; give 1 to 8"),
        ("demo --depth 1 --schemes dirac", "scheme 'dirac' does not fit this network: `shape`"),
        ("demo --out nowhere/a.png", "argument --out: 'nowhere' is not a directory; create it"),
        ("demo --out picture.gif", "argument --out: 'picture.gif' must end in .png"),
        ("compare --depth 2", r"`depth` \(=2\) must be at least 3 \(see jinit compare"),
        ("compare --batch 1", r"`batch` \(=1\) must be at least 2"),
        ("compare --activation rleu", r"`activation` \(='rleu'\).*did you mean 'relu'"),
        ("compare --schemes ,", "`schemes` names none; give one or several"),
        ("compare --width 7 --schemes looks_linear", "scheme 'looks_linear' does not fit this"),
        ("schemes he_norml", "no scheme is called 'he_norml'; did you mean 'he_normal'"),
        ("gain rleu", r"`nonlinearity` \(='rleu'\).*did you mean 'relu'"),
        ("gain relu 0.1", r"`param` \(=0.1\) has no meaning for 'relu'"),
        ("gain relu x", "argument PARAM: invalid float value: 'x'"),
        ("gain relu --criterion foo", r"`criterion` \(='foo'\) must be one of 'backward'"),
        ("fans 3", r"`shape` \(=\(3,\)\) is 1-D"),
        ("fans 3 x", "'3 x' must be integers with spaces or commas between"),
        ("fans 3 3 64 129 --groups 2", r"\(=129\) must be divisible by `groups` \(=2\)"),
        ("fans 3 3 4 4 --stride 1.5", "argument --stride: '1.5' must be integers"),
        ("fans 3 3 4 4 --layout OI", r"`layout` \(='OI'\) names 2 axes"),
    ],
)
def test_errors_are_one_line(line, message, capsys):
    assert re.search(message, refused(capsys, *line.split()))


def test_out_must_not_be_a_directory(capsys, tmp_path):
    folder = tmp_path / "a.png"
    folder.mkdir()
    assert "is a directory; add a file name" in refused(capsys, "demo", "--out", str(folder))


def test_out_must_be_writable(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "cannot be written to" in refused(capsys, "demo", "--out", str(tmp_path / "a.png"))


@pytest.mark.parametrize(
    ("line", "missing", "extra"),
    [("gain relu", "rich", "report"), ("demo", "optax", "demo"), ("demo", "sklearn", "demo")],
)
def test_missing_packages_name_the_extra(line, missing, extra, capsys, monkeypatch):
    for name in list(sys.modules):
        if name.startswith((f"{missing}.", "jinit.demo", "jinit.display")) or name == missing:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    error = refused(capsys, *line.split(), status=1)
    assert f'needs {missing}, which is not installed; pip install "jinit[{extra}]"' in error


def test_an_error_of_jinit_s_own_is_not_hidden(monkeypatch):
    def broken(*args, **kwargs):
        raise ModuleNotFoundError("No module named 'jinit.nowhere'", name="jinit.nowhere")

    monkeypatch.setattr(jinit, "calculate_gain", broken)
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        main(["gain", "relu"])


def test_interrupt_is_quiet(monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(jinit, "calculate_gain", interrupted)
    assert main(["gain", "relu"]) == 130
    assert capsys.readouterr() == ("", "")


def test_output_survives_an_encoding_without_bars(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["gain", "tanh"]) == 0
    sys.stdout.flush()
    assert rows(raw.getvalue().decode("ascii").replace("|", " "))["default"] == 1.666667


# --- The process ----------------------------------------------------------------------------


def test_the_module_runs_and_loads_only_what_a_command_needs():
    code = (
        "import sys, runpy; sys.argv = ['jinit', 'fans', '3,3', '--groups', '0']\n"
        "try: runpy.run_module('jinit', run_name='__main__')\n"
        "except SystemExit as end: print((end.code, sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    code, modules = ast.literal_eval(done.stdout)
    assert code == 2
    assert done.stderr.startswith("jinit fans: error: ")
    assert not {"flax", "optax", "sklearn", "matplotlib"} & set(modules)
