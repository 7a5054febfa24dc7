"""Sphinx configuration; `make docs` builds the pages, and any warning is an error."""

import io
import os
from contextlib import redirect_stdout
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

from darklens import __version__
from darklens.cli.main import main

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

# Links to other pages are checked by MyST, their anchors too; a broken one is a warning.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # kernels may have to be compiled
nb_render_markdown_format = "myst"  # tables, too
nb_output_stderr = "remove"  # progress bars, and their advice on widgets

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"darklens {release}"
html_static_path: list[str] = []


class CommandHelp(Directive):
    """`{command-help} VERB`: what `darklens VERB --help` prints."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The help as a block of text."""
        os.environ["COLUMNS"] = "98"
        text = io.StringIO()
        with redirect_stdout(text):
            code = main([*self.arguments[0].split(), "--help"])
        if code or not text.getvalue():
            raise self.error(f"there is no help for {self.arguments[0]}")
        return [nodes.literal_block(text.getvalue(), text.getvalue(), language="text")]


def setup(app: Any) -> None:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
