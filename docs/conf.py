"""How the documentation is built: `sphinx-build -W docs docs/_build/html`.

Pages in MyST run their code as they are built; notebooks show the outputs they are committed with,
which CI makes anew.
"""

import importlib.metadata
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from docstrings import to_rst  # noqa: E402 (beside this file)

project = "jinit"
author = "The jinit authors"
copyright = "The jinit authors"
release = importlib.metadata.version("jinit")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]

# Pages that run.
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "cache")
nb_execution_excludepatterns = ["notebooks/*"]
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_render_markdown_format = "gfm"  # tables
suppress_warnings = ["misc.highlighting_failure"]  # messages of errors have backticks
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# The reference.
autosummary_generate = True
autodoc_typehints = "none"  # signatures have them
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries = False

# What people see.
html_theme = "furo"
html_title = f"jinit {release}"
html_static_path = ["_static"]
html_css_files = ["jinit.css"]
html_copy_source = False
templates_path = []
exclude_patterns = ["_build", "**.ipynb_checkpoints"]


def _gather(app: object) -> None:
    """Bring the notebooks in: they live beside the package, where people run them."""
    target = HERE / "notebooks"
    target.mkdir(exist_ok=True)
    for old in target.glob("*.ipynb"):
        old.unlink()
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(notebook, target)


def _translate(*args: object, **kwargs: object) -> None:
    """Take docstrings as they are written, before anything else reads them."""
    lines = args[-1]
    lines[:] = to_rst(lines)


def setup(app: object) -> None:
    """Sphinx asks for this."""
    app.connect("builder-inited", _gather)  # type: ignore[attr-defined]
    app.connect("autodoc-process-docstring", _translate, priority=100)  # type: ignore[attr-defined]
