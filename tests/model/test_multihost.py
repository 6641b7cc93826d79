"""Several processes, one model: the example is run, and every leaf must have the right bits."""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jinit

EXAMPLE = Path(__file__).parents[2] / "examples" / "multihost.py"
ROW = re.compile(r"^ *(\S+/\S+) .* (\d+)% +([0-9a-f]{12}) +([0-9a-f]{12}) *$", re.MULTILINE)


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("multihost", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_processes_draw_the_model_of_one(example):
    environment = {**os.environ, "PYTHONPATH": str(Path(jinit.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--processes=2", "--devices=2"],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    rows = {path: (int(share), *digests) for path, share, *digests in ROW.findall(done.stdout)}
    assert rows.keys() == example.SHAPES.keys()
    # Sharded over both processes, which hold a half each; the scale of the norms is replicated.
    shares = {path: share for path, (share, _, _) in rows.items()}
    assert shares.pop("layers/norm/scale") == 100
    assert set(shares.values()) == {50}
    for path, digest in _digests_of_one_process(example).items():
        assert rows[path][1:] == (digest, digest)


def _digests_of_one_process(example):
    """What this process draws, which is none of those."""
    target = {
        path: jax.ShapeDtypeStruct(shape, "float32") for path, shape in example.SHAPES.items()
    }
    key = jax.random.key(0)
    drawn = jinit.initialize(target, example.RULES, key, stacked={"layers/**": 1})
    return {
        path: hashlib.sha256(np.asarray(leaf).tobytes()).hexdigest()[:12]
        for path, leaf in drawn.items()
    }


def test_a_process_that_fails_ends_the_others(example):
    codes = ["import time; time.sleep(100)", "raise SystemExit(3)"]
    processes = [subprocess.Popen([sys.executable, "-c", code]) for code in codes]
    assert example.wait_for(processes) == "exit statuses of the processes: [None, 3]"
    assert processes[0].wait(timeout=10) < 0
