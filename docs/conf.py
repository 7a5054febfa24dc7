"""Sphinx configuration; `make docs` builds the pages, and any warning is an error."""

from darklens import __version__

project = "darklens"
author = "The darklens developers"
copyright = "2026, The darklens developers"  # noqa: A001
release = __version__

extensions = [
    "myst_nb",  # pages in Markdown; those with code cells are run
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # kernels may have to be compiled
nb_output_stderr = "remove"  # progress bars, and their advice on widgets

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"darklens {release}"
html_static_path: list[str] = []
