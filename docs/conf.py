"""Sphinx configuration; `make docs` builds the pages, and any warning is an error."""

import html
import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from math_core import LatexError, LatexToMathML
from sphinx.errors import ExtensionError
from sphinx.util import logging

from darklens import __version__
from darklens.cli.main import main

_CONVERTER = LatexToMathML(annotation=True, fancy_error=False)
_LOGGER = logging.getLogger(__name__)
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
_COMMANDS = re.compile(r'<div class="highlight-(?:console|sh) .*?</pre>', re.DOTALL)
_WORD = re.compile(r"(<[^>]*>)|([\w./-]*-[\w./-]+)")
_RESULTS_BLOCK = re.compile(r"^```\{results\} (.+)\n(:.+)\n```$", re.MULTILINE)

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

smartquotes_action = "qe"  # quotes and ellipses; two dashes begin an option

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
        shown = text.getvalue()
        return [nodes.literal_block(shown, shown, language="text", classes=["help"])]


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


def include_results(app: Any, name: str, source: list[str]) -> None:  # noqa: ARG001
    """`{results} NAME... `: files of benchmarks/results, whole, with headings of the page.

    A name may be a pattern. Before more than ten files stands a list of them.
    """

    def included(found: re.Match[str]) -> str:
        groups = {word: sorted(RESULTS.glob(f"{word}.md")) for word in found[1].split()}
        if missing := [word for word, group in groups.items() if not group]:
            raise ExtensionError(f"{name}: no results {', '.join(missing)}")
        paths = [path for group in groups.values() for path in group]
        listed, text = len(paths) > 10, ""
        titles = [path.read_text().partition("\n")[0].removeprefix("# ") for path in paths]
        for path, title in zip(paths, titles, strict=True) if listed else []:
            file = f" ({path.stem})" if titles.count(title) > 1 else ""
            text += f"- [{title}](#result-{path.stem}){file}\n"
        for path in paths:
            text += f"\n(result-{path.stem})=" if listed else ""
            text += f"\n```{{include}} ../benchmarks/results/{path.name}\n{found[2]}\n```\n"
        return text

    source[0] = _RESULTS_BLOCK.sub(included, source[0])


def keep_words(app: Any, page: str, template: str, context: Any, doctree: Any) -> None:  # noqa: ARG001
    """Where a long command is continued on the next line, no option is parted at its hyphens."""

    def kept(block: re.Match[str]) -> str:
        whole = r'<span class="whole">\2</span>'
        return _WORD.sub(lambda found: found[1] or found.expand(whole), block[0])

    if "body" in context:
        context["body"] = _COMMANDS.sub(kept, context["body"])


def setup(app: Any) -> None:
    """Register the directives and the formulas."""
    app.connect("source-read", include_results)
    app.connect("html-page-context", keep_words)
    app.add_directive("command-help", CommandHelp)
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(inline_formula, None),
        block_renderers=(displayed_formulas, None),
    )
