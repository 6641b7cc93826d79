"""Options are visible to editors and type checkers: mypy knows each scheme's own."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import jax
import jinit

key = jax.random.key(0)
init: jinit.Initializer = jinit.he_normal(mode="fan_out", nonlinearity="gelu")
weights: jax.Array = jinit.he_normal(key, (3, 4))
drawn: jax.Array = init(key, (3, 4), "bfloat16")
"""
MISTAKES = {
    'jinit.he_normal(modus="fan_out")': 'Unexpected keyword argument "modus"',
    "jinit.he_normal(mode=3)": 'Argument "mode" to',
    "jinit.normal(0.02, None, 0.5)": "Too many positional arguments",
}


def _mypy(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "program.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_right_calls_pass_and_wrong_ones_do_not(tmp_path):
    done = _mypy(PROGRAM, tmp_path)
    assert done.returncode == 0, done.stdout
    for call, complaint in MISTAKES.items():
        wrong = _mypy(PROGRAM + call + "\n", tmp_path)
        assert wrong.returncode == 1, call
        assert complaint in wrong.stdout or "No overload variant" in wrong.stdout, wrong.stdout
