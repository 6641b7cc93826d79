"""Every example runs, on small settings, and prints what it promises."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jinit

EXAMPLES = Path(__file__).parent.parent / "examples"
TORCH = importlib.util.find_spec("torch") is not None
RUNS = {
    "conv_net.py": (["--blocks", "2", "--rate", "0.05", "--epochs", "1"], "branch ends at zero"),
    "custom_scheme.py": (["--epochs", "1"], "the scheme keeps what it promises"),
    "dense.py": (["--layers", "4", "--epochs", "1"], "jinit.orthogonal(scale='relu')"),
    "ensemble.py": (["--members", "4", "--epochs", "4"], "calibration error"),
    "learned_init.py": (["--blocks", "4", "--steps", "40"], "the first epoch's mean loss"),
    "lsuv.py": (["--depth", "12", "--epochs", "4"], "after LSUV"),
    "multihost.py": (["--processes", "2"], "7 of 7 leaves have the bits that one process draws"),
    "partial_load.py": ([], "the backbone loaded is better in"),
    "plan_405b.py": ([], "405,853,388,800 weights"),
    "port_from_torch.py": ([], "40 of 40 tensors are equal" if TORCH else "is not installed"),
    "sharded.py": ([], "collectives"),
    "transformer.py": (["--layers", "2", "--steps", "30"], "first loss is close to log"),
    "with_equinox.py": (["--layers", "4", "--epochs", "1"], "orthogonal"),
    "with_haiku.py": (["--layers", "4", "--epochs", "1"], "delta-orthogonal"),
    "with_nnx.py": (["--blocks", "2", "--epochs", "1"], "by NNX's defaults"),
}


# Published results; a script fails where one does not hold. The modules are those they share.
REPRODUCTIONS = EXAMPLES / "reproduce"
SHARED = {"digits", "drawing", "evidence", "networks", "training"}
CLAIMS = sorted({path.stem for path in REPRODUCTIONS.glob("*.py")} - SHARED)


def run(script: Path, *options: str, folder: Path) -> str:
    """What a script prints, called from an empty folder."""
    package = str(Path(jinit.__file__).parent.parent)
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "", "PYTHONPATH": package}
    done = subprocess.run(
        [sys.executable, str(script), *options],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(RUNS)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_example(name: str, tmp_path: Path):
    options, promised = RUNS[name]
    assert promised in run(EXAMPLES / name, *options, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_reproduction(name: str, tmp_path: Path):
    printed = run(REPRODUCTIONS / f"{name}.py", "--fast", folder=tmp_path)
    assert "the paper" in printed
    record = json.loads((tmp_path / f"{name}.json").read_text())
    assert all(finding["holds"] for finding in record["findings"])
    assert (tmp_path / f"{name}.png").stat().st_size > 5000


@pytest.mark.parametrize("name", CLAIMS)
def test_committed_results_are_whole(name: str):
    """Of full settings, with every claim held, and a figure beside."""
    record = json.loads((REPRODUCTIONS / "results" / f"{name}.json").read_text())
    assert not record["fast"]
    assert record["findings"]
    assert all(finding["holds"] for finding in record["findings"])
    assert (REPRODUCTIONS / "results" / f"{name}.png").exists()
