"""How the site is built: pages are notebooks that run during the build, and any warning fails it."""

import logging
import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

# What the pages' kernels are and inherit: this Python and its commands, narrow plain tables, one look of figures.
os.environ["JUPYTER_PATH"] = str(HERE / "_ext")
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ["COLUMNS"] = "96"
os.environ["NO_COLOR"] = "1"
os.environ["BASH_ENV"] = str(HERE / "_ext" / "cells.sh")
os.environ["MATPLOTLIBRC"] = str(HERE / "matplotlibrc")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # pages run side by side (-j): more threads slow each other down
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

logging.getLogger("traitlets").setLevel(logging.WARNING)

project = "limen"
author = "the limen developers"
version = release = version_of("limen")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "command_line",
    "error_index",
    "example_report",
    "gallery",
    "mathml",
    "public_names",
    "shell_cells",
]
exclude_patterns = ["build", "_build", "README.md"]
smartquotes = False

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

html_math_renderer = "mathml"

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
autosummary_generate = False
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"limen {version}"
html_static_path = ["_static"]
html_css_files = ["limen.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
