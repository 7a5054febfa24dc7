"""The HTML reports of four commands in a real browser: wide and narrow, light and dark, on paper.

Faults of accessibility are looked for where DARKLENS_AXE names the file `axe.min.js` of npm's
axe-core. Pictures are kept in the folder that DARKLENS_SCREENSHOTS names.
"""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darklens.cli.main import main

REPORTS = ("demo", "classifier", "generator", "catalogue")
WIDTHS = (1280, 390)
PAPER = {"width": 680, "height": 960}  # of an A4 page without its margins [CSS pixel]


@pytest.fixture(scope="module")
def reports(
    tiny_model: Path,
    residual_model: Path,
    lens_generator: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """The reports of tiny models, by name."""
    folder = tmp_path_factory.mktemp("reports")
    model = ["--model", str(tiny_model)]
    lenses, others = folder / "lenses", folder / "others"
    for output, count in ((lenses, 3), (others, 30)):
        simulation = ["simulate", str(output), "--preset", "model-1-legacy", "--format", "npy"]
        assert main([*simulation, "--count", str(count), "--seed", str(count), "--quiet"]) == 0
    np.save(lenses / "broken.npy", np.zeros((3, 3)))
    shown = {name: folder / name / "report.html" for name in REPORTS[:3]}
    places = {name: ["--output", str(path.parent)] for name, path in shown.items()}
    few = ["--count", "3", "--quiet"]
    stress = ["--stress", "--stress-count", "1", "--workers", "1", "--resamples", "20"]
    drawn = ["--generator", str(lens_generator), "--generated", "3"]
    assert main(["demo", *model, *few, *drawn, *places["demo"]]) == 0
    assert main(["evaluate", "classifier", *model, *few, *stress, *places["classifier"]]) == 0
    sets = ["--generated", str(others), "--preset", "model-1-legacy", "--count", "30"]
    known = ["--classifier", str(tiny_model), "--splits", "1", "--quiet"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*Less than half of the Voronoi")  # few images
        assert main(["evaluate", "generator", *sets, *known, *places["generator"]]) == 0
    shown["catalogue"] = folder / "catalogue.html"
    last = ["--model", str(residual_model), "--html", str(shown["catalogue"]), "--quiet"]
    assert main(["predict", str(lenses), *last]) == 1, "one file cannot be read"
    return shown


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest, reports: dict[str, Path]) -> Path:
    return reports[request.param]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that must ask for nothing and report no fault."""
    made = browser.new_page()
    problems: list[str] = []
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.on("console", lambda message: message.type == "error" and problems.append(message.text))
    made.on("request", lambda request: problems.append(request.url) if _asks(request) else None)
    yield made
    made.close()
    assert problems == []


def _asks(request: Any) -> bool:
    return not request.url.startswith(("file:", "data:"))


def _show(page: Any, report: Path, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 860})
    page.emulate_media(color_scheme=scheme, media="screen")
    page.goto(report.as_uri())


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(page: Any, report: Path, width: int) -> None:
    _show(page, report, width, "light")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if folder := os.environ.get("DARKLENS_SCREENSHOTS"):
        name = f"{report.parent.name}_{report.stem}_{width}.png"
        page.screenshot(path=Path(folder) / name, full_page=True)


def test_nothing_is_cut_off_on_paper(page: Any, report: Path) -> None:
    """Tables do not scroll there, and nothing that needs a mouse is printed."""
    _show(page, report, 1280, "dark")
    page.set_viewport_size(PAPER if report.stem == "report" else {"width": 1000, "height": 680})
    page.emulate_media(media="print", color_scheme="light")
    wide = "all => all.map(one => one.scrollWidth - one.clientWidth).filter(over => over > 1)"
    assert page.eval_on_selector_all("main, .scroll, .card, .meter", wide) == []
    hidden = page.locator(".toolbar, .screen-only, dialog")
    assert not any(one.is_visible() for one in hidden.all())
    heads = page.locator("thead th").all()
    assert all(one.inner_text().strip() for one in heads)
    assert page.pdf().startswith(b"%PDF")


def test_the_key_of_the_blind_comparison_is_on_paper_only(
    page: Any, reports: dict[str, Path]
) -> None:
    _show(page, reports["generator"], 1280, "light")
    key = page.locator(".print-only")
    assert not key.is_visible()
    page.emulate_media(media="print")
    generated = page.eval_on_selector_all(
        ".blind .lens", "all => all.map(one => one.classList.contains('generated'))"
    )
    numbers = ", ".join(str(k) for k, one in enumerate(generated, 1) if one)
    assert key.inner_text() == f"Generated at the top of this report: {numbers}."


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_serious_fault_of_accessibility(
    page: Any, report: Path, width: int, scheme: str
) -> None:
    """As it opens, and with a picture enlarged."""
    script = os.environ.get("DARKLENS_AXE")
    if not script:
        pytest.skip("set DARKLENS_AXE to the file axe.min.js of npm's axe-core")
    page.set_default_timeout(120_000)
    _show(page, report, width, scheme)
    page.evaluate(Path(script).read_text())
    assert _serious(page) == []
    page.locator("button.zoom").first.click()
    assert page.locator("dialog").is_visible()
    assert _serious(page) == []


def _serious(page: Any) -> list[str]:
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10
    return [
        f"{fault['id']}: {node['target']}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
