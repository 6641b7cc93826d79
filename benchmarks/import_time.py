"""What `import jinit` adds to `import jax`: the median over fresh processes, in milliseconds.

python benchmarks/import_time.py [--rounds 15]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

ALLOWED = 30.0
PROGRAM = (
    "import time, jax; start = time.perf_counter(); import jinit; "
    "print((time.perf_counter() - start) * 1e3)"
)


def main() -> None:
    """Print the median and the quartiles."""
    parser = argparse.ArgumentParser(description="Time of `import jinit` after `import jax`")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    times = []
    with tempfile.TemporaryDirectory() as cache:  # bytecode is kept, as after an installation
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, "-c", PROGRAM]
        for _ in range(rounds + 1):
            done = subprocess.run(command, capture_output=True, check=True, env=environment)
            times.append(float(done.stdout))
    low, median, high = statistics.quantiles(times[1:], n=4)  # the first one compiled
    verdict = "met" if median <= ALLOWED else "MISSED"
    print(f"import jinit: {median:.1f} ms ({low:.1f} to {high:.1f}), asked {ALLOWED:g}: {verdict}")


if __name__ == "__main__":
    main()
