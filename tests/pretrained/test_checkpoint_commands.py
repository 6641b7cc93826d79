"""`jinit inspect` and `jinit convert`: what they print, and what they say of arguments."""

import json
import re
import sys

import numpy as np
import pytest
from pretrained.written import needs_torch, write_safetensors, write_torch

from jinit.cli import main
from jinit.pretrained.sources import open_source

KERNEL = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write_safetensors(tmp_path / "m.safetensors", {"head.weight": np.zeros((8, 8)), "w": KERNEL})


def printed(capsys, *argv):
    assert main(argv) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert "\x1b" not in text
    return text


def refused(capsys, *argv, status=2):
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == status
    text, errors = capsys.readouterr()
    assert text == ""
    assert errors.count("\n") == 1
    return errors


@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    _, examples = capsys.readouterr().out.split("examples:\n")
    assert all(line.strip().startswith(f"jinit {command} ") for line in examples.splitlines())


def test_inspect_prints_a_table(checkpoint, capsys):
    lines = printed(capsys, "inspect", "m.safetensors").splitlines()
    rows = {line.split()[-5]: line.split() for line in lines if "float" in line and "x" in line}
    assert rows["w"][1:] == ["6x4", "float32", f"{KERNEL.mean():.2g}", f"{KERNEL.std():.2g}"]
    assert rows["head.weight"][0] == "!"
    assert lines[-3] == "zero head.weight all 64 values are 0"
    assert lines[-1].startswith("m.safetensors (safetensors): 2 tensors, 88 values, 608 B, float32")
    assert max(map(len, lines)) <= 80


def test_inspect_prints_json(checkpoint, capsys):
    content = json.loads(printed(capsys, "inspect", "m.safetensors", "--json", "--sort", "name"))
    assert [tensor["name"] for tensor in content["tensors"]] == ["head.weight", "w"]
    assert content["tensors"][1]["std"] == pytest.approx(KERNEL.std(dtype=np.float64))


def test_convert_and_back(checkpoint, capsys):
    text = printed(capsys, "convert", "m.safetensors", "m.npz")
    assert text == "m.npz (npz): 2 tensors, 608 B\n"
    text = printed(capsys, "convert", "m.npz", "m.safetensors", "--overwrite")
    assert text == "m.safetensors (safetensors): 2 tensors, 608 B\n"
    printed(capsys, "convert", "m.npz", "weights", "--format", "msgpack")
    with open_source("weights") as source:
        assert np.array_equal(source.read("w"), KERNEL)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("inspect", "jinit inspect: error: the following arguments are required: FILE"),
        ("inspect gone", r"jinit inspect: error: there is no file 'gone' \(see jinit inspect"),
        ("inspect text", "error: text: begins with b'hello'; it is of no known format"),
        ("inspect cut", "cut: ends within its header: .* it is cut off, download or write it ag"),
        ("inspect m.safetensors --sort siz", r"`order` \(='siz'\) .* did you mean 'size'"),
        ("convert m.safetensors", "the following arguments are required: DST"),
        ("convert m.safetensors m.bin", r"'m\.bin' has suffix '\.bin', which is no format that"),
        ("convert m.safetensors text", "there is something at 'text'; choose another name, or"),
        ("convert m.safetensors gone/m.npz", "there is no directory 'gone'; create it first"),
        ("convert m.safetensors m --format npy", r"`format` \(='npy'\) must be one of 'msgpack'"),
        ("convert cut m.npz", "jinit convert: error: cut: ends within its header"),
    ],
)
def test_errors_are_one_line(line, message, checkpoint, capsys, tmp_path):
    (tmp_path / "text").write_text("hello")
    (tmp_path / "cut").write_bytes((tmp_path / "m.safetensors").read_bytes()[:50])
    assert re.search(message, refused(capsys, *line.split()))


@needs_torch
def test_missing_packages_are_named(checkpoint, capsys, tmp_path, monkeypatch):
    write_torch(tmp_path / "m.pt", {"w": KERNEL})
    monkeypatch.setitem(sys.modules, "torch", None)
    error = refused(capsys, "inspect", "m.pt", status=1)
    assert error == (
        "jinit inspect: error: reading 'm.pt' (torch) needs torch, which is not installed; "
        "pip install torch\n"
    )
