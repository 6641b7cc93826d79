"""Every example runs, on small settings, and prints what it promises."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jinit

EXAMPLES = Path(__file__).parent.parent / "examples"
TORCH = importlib.util.find_spec("torch") is not None
RUNS = {
    "ensemble.py": (["--members", "4", "--epochs", "4"], "calibration error"),
    "learned_init.py": (["--blocks", "4", "--steps", "40"], "the first epoch's mean loss"),
    "lsuv.py": (["--depth", "12", "--epochs", "4"], "after LSUV"),
    "multihost.py": (["--processes", "2"], "7 of 7 leaves have the bits that one process draws"),
    "partial_load.py": ([], "the backbone loaded is better in"),
    "plan_405b.py": ([], "405,853,388,800 weights"),
    "port_from_torch.py": ([], "40 of 40 tensors are equal" if TORCH else "is not installed"),
    "sharded.py": ([], "collectives"),
}


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(RUNS)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_example(name: str, tmp_path: Path):
    options, promised = RUNS[name]
    package = str(Path(jinit.__file__).parent.parent)
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "", "PYTHONPATH": package}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert promised in done.stdout
