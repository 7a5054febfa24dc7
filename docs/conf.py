"""Sphinx configuration; `make docs` builds the pages, and any warning is an error."""

import html
import io
import os
from contextlib import redirect_stdout
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from math_core import LatexError, LatexToMathML
from sphinx.util import logging

from darklens import __version__
from darklens.cli.main import main

_CONVERTER = LatexToMathML(annotation=True, fancy_error=False)
_LOGGER = logging.getLogger(__name__)

project = "darklens"
author = "The darklens developers"
copyright = "2026, The darklens developers"  # noqa: A001
release = __version__

extensions = [
    "myst_nb",  # pages in Markdown; those with code cells are run
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
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
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"  # drawn by the browser: no script, and nothing from the network


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


def _mathml(node: Any, latex: str, *, display: bool) -> str:
    """One formula as MathML; what cannot be converted is a warning, and stays as it was written."""
    if display and ("\\\\" in latex or "&" in latex):  # several lines, as Sphinx reads them
        latex = f"\\begin{{aligned}}{latex}\\end{{aligned}}"
    try:
        return _CONVERTER.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        _LOGGER.warning("%s: %s", error, latex, location=node)
        return f"<code>{html.escape(latex)}</code>"


def inline_formula(translator: Any, node: Any) -> None:
    """Write a formula in a sentence."""
    translator.body.append(_mathml(node, node.astext(), display=False))
    raise nodes.SkipNode


def displayed_formulas(translator: Any, node: Any) -> None:
    """Write formulas of their own, one for each paragraph of the directive."""
    for latex in filter(str.strip, node.astext().split("\n\n")):
        formula = _mathml(node, latex, display=True)
        translator.body.append(f'<div class="formula" tabindex="0">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Register the directive and the formulas."""
    app.add_directive("command-help", CommandHelp)
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(inline_formula, None),
        block_renderers=(displayed_formulas, None),
    )
