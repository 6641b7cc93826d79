"""The house in order: imports point downwards, names are public once, importing is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jinit

ROOT = Path(jinit.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# Rooms from the ground up; a file may import from its own room and from those before it.
STOREYS = [
    ("core",),
    ("axes", "checks", "notation", "options", "quadrature", "nonlinearities", "shown"),
    ("elementwise", "fans"),
    ("gains", "initializer"),
    ("factory", "theory"),
    ("config", "schemes"),
    ("model",),
    ("frameworks",),
    ("learned", "presets", "tracing"),
    ("pretrained",),
    ("evaluation",),
    ("data_dependent",),
    ("analytic",),
    ("propagation",),
    ("__init__",),
    ("display",),
    ("demo",),
    ("arguments",),
    ("commands",),
    ("cli",),
    ("__main__",),
]
LEVEL = {room: level for level, rooms in enumerate(STOREYS) for room in rooms}
HEAVY = {
    "flax",
    "haiku",
    "equinox",
    "optax",
    "chex",
    "matplotlib",
    "rich",
    "sklearn",
    "scipy",
    "torch",
}

files = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def _room(parts: tuple[str, ...]) -> str:
    return parts[0] if parts else "__init__"


def _adapts(path: Path) -> bool:
    """Whether a file knows one framework, or one format, and is imported only where it is met."""
    return path.parent in (ROOT / "model" / "targets", ROOT / "pretrained" / "formats")


def _imports(path: Path, *, top_level: bool = False) -> list[str]:
    """Modules that a file imports, wherever in the file, or as it is itself imported."""
    tree = ast.parse(path.read_text())
    nodes = _top_level(tree) if top_level else ast.walk(tree)
    found: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def _top_level(tree: ast.Module) -> list[ast.stmt]:
    typing_only = [
        n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)
    ]
    return [node for node in tree.body if node not in typing_only]


def _level(path: Path) -> int:
    return LEVEL[_room(path.relative_to(ROOT).with_suffix("").parts)]


@files
def test_imports_point_downwards(path: Path):
    for name in _imports(path, top_level=True):
        if name.split(".")[0] != "jinit":
            continue
        parts = tuple(part for part in name.split(".")[1:] if part)
        level = LEVEL.get(_room(parts), LEVEL["__init__"])
        assert level <= _level(path), f"{path.name} imports {name} from a higher room"


def test_the_import_check_can_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("from jinit.cli import main\n")
    (name,) = _imports(bad, top_level=True)
    assert LEVEL[_room(tuple(name.split(".")[1:]))] > LEVEL["core"]


@files
def test_no_private_jax_and_nothing_heavy(path: Path):
    names = _imports(path)
    assert not [name for name in names if name.startswith(("jax._src", "jaxlib"))]
    if _room(path.relative_to(ROOT).with_suffix("").parts) in (
        "display",
        "demo",
        "cli",
        "__main__",
    ) or _adapts(path):
        return
    # What makes or needs an optimizer imports optax when it is called.
    allowed = {"optax"} if _room(path.relative_to(ROOT).parts) in ("learned", "presets") else set()
    assert not [name for name in names if name.split(".")[0] in HEAVY - allowed]


@files
def test_every_module_says_what_it_is_for(path: Path):
    doc = ast.get_docstring(ast.parse(path.read_text()))
    assert doc, f"{path} has no docstring"
    if path.name != "__init__.py" or path.parent == ROOT:
        assert "May import:" in doc, f"{path} does not say what it may import"


@files
def test_no_function_bears_its_module_s_name(path: Path):
    names = {n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)}
    assert path.stem not in names


@files
def test_files_and_functions_stay_small(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node, clean=False) or ""
            body = node.body[-1].end_lineno - node.body[0].lineno + 1 - len(doc.splitlines())
            assert body <= 40, f"{node.name} has {body} lines"


def test_public_names():
    assert jinit.__all__ == sorted(jinit.__all__)
    for name in jinit.__all__:
        assert getattr(jinit, name).__doc__, name
    public = {name for name in vars(jinit) if not name.startswith("_")}
    modules = {path.stem for path in ROOT.iterdir()}
    assert public - modules == set(jinit.__all__)


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_import_loads_nothing_heavy_and_starts_no_backend():
    code = (
        "import sys, jax; before = set(sys.modules); import jinit; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new))"
    )
    new = set(ast.literal_eval(_run(code)))
    assert "jinit" in new
    assert not new & (HEAVY | {"unittest", "multiprocessing"})
    # An unknown platform is an error as soon as a backend starts.
    started = (
        "import jax; jax.config.update('jax_platforms', 'nowhere'); import jinit; print('quiet')"
    )
    assert _run(started) == "quiet"
    with pytest.raises(subprocess.CalledProcessError):
        _run(started.replace("print('quiet')", "jinit.zeros(None, (1,))"))


def test_importing_makes_no_array():
    code = (
        "import jax; jax.config.update('jax_platforms', 'cpu'); import jinit, gc; "
        "print(len(jax.live_arrays()))"
    )
    assert _run(code) == "0"
