"""`python -m jinit`: the command line.

May import: `jinit.cli`.
"""

from jinit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
