"""The built pages, and the templates of all others, are complete without a network."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
KINDS = {".html", ".css", ".js"}
SOURCE = ROOT / "src" / "darklens"
LOADED = {"stylesheet", "preload", "modulepreload", "icon", "preconnect", "dns-prefetch"}
ELSEWHERE = re.compile(r"(https?:)?//", re.IGNORECASE)
IN_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?\s*((?:https?:)?//[^\"')\s;]+)", re.IGNORECASE)

INDEX = """# Pages

A formula: $a$.

```{toctree}
physics
```

```{math}
a &= 1 \\\\
b &= 2
```
"""


class _Loaded(HTMLParser):
    """What a page loads by itself; links that a reader may follow are not among it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.mathematics = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.mathematics += tag == "math"
        named = [values.get("src"), values.get("srcset"), values.get("poster")]
        if tag == "link" and LOADED & set((values.get("rel") or "").split()):
            named.append(values.get("href"))
        self.found += [word for word in named if word]


def _elsewhere(page: Path) -> list[str]:
    """What a page, stylesheet or script asks of another host."""
    text = page.read_text(encoding="utf-8")
    found = IN_STYLES.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    if page.suffix == ".html":
        loaded = _Loaded()
        loaded.feed(text)
        found += [word for word in loaded.found if ELSEWHERE.match(word)]
    if page.suffix == ".js":
        calls = r"(?:import|fetch|importScripts|open)\s*\(?\s*[\"'](?:https?:)?//"
        found += re.findall(calls, text)
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages built as `make docs` builds them: one with formulas, and the index."""
    folder = tmp_path_factory.mktemp("pages")
    source, output = folder / "source", folder / "html"
    source.mkdir()
    shutil.copy(DOCS / "conf.py", source)
    shutil.copytree(DOCS / "_static", source / "_static")
    shutil.copy(DOCS / "physics.md", source)
    (source / "index.md").write_text(INDEX)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", source, output]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


def test_built_pages_load_nothing_from_another_host(built: Path) -> None:
    """Those that `make docs` has built are read as well."""
    folders = [built, DOCS / "_build" / "html"]
    pages = [page for folder in folders for page in folder.rglob("*") if page.suffix in KINDS]
    assert len(pages) > 5
    assert {page.name: found for page in pages if (found := _elsewhere(page))} == {}


def test_templates_load_nothing_from_another_host() -> None:
    pages = [page for page in SOURCE.rglob("*") if page.suffix in KINDS]
    assert {page.parent.name for page in pages} == {"display", "page", "templates"}
    assert {page.name: found for page in pages if (found := _elsewhere(page))} == {}


def test_requests_of_others_are_found(tmp_path: Path) -> None:
    """The search itself: each of these is found, and a link to follow is not."""
    pieces = {
        "a.html": '<script src="https://cdn.example/x.js"></script><a href="https://b.example">',
        "b.html": '<link rel="stylesheet" href="//cdn.example/x.css">',
        "c.css": "@font-face { src: url('https://fonts.example/x.woff2') }",
        "d.css": '@import "https://fonts.example/css";',
        "e.js": 'import("https://cdn.example/x.js")',
    }
    for name, text in pieces.items():
        (tmp_path / name).write_text(text)
        assert len(_elsewhere(tmp_path / name)) == 1, name


@pytest.mark.parametrize(("name", "least"), [("index", 2), ("physics", 30)])
def test_formulas_are_mathml(built: Path, name: str, least: int) -> None:
    loaded = _Loaded()
    text = (built / f"{name}.html").read_text()
    loaded.feed(text)
    assert loaded.mathematics >= least
    assert not re.search(r"\\\(|\\\[|\$[^$<]+\$", text)


def test_a_page_is_whole_without_a_network(built: Path, browser: Any) -> None:
    page = browser.new_page()
    requests: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((built / "index.html").as_uri())
    lines = page.eval_on_selector_all(
        ".formula mtr", "all => all.map(one => one.getBoundingClientRect().height)"
    )
    page.close()
    assert len(lines) == 2
    assert min(lines) > 10
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
