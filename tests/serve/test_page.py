"""The page in a real browser, driven as a person would drive it.

Chromium of the system is used (`apt-get install chromium`, or a path in DARKLENS_BROWSER). Pictures
of every tab are kept in the folder that DARKLENS_SCREENSHOTS names, else in pytest's own. Faults of
accessibility are looked for where DARKLENS_AXE names the file `axe.min.js` of npm's axe-core.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from darklens.evaluate import predict
from darklens.serve import Client

TABS = ("classify", "fit", "simulate", "generate", "models")
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
PATIENCE = 120_000  # for an answer of a busy machine [ms]

Picture = Callable[[Any, str], None]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """Keep a picture of the whole page."""
    named = os.environ.get("DARKLENS_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> None:
        width = page.viewport_size["width"]
        page.screenshot(path=folder / f"{name}_{width}.png", full_page=True)

    return take


class Visit:
    """A page, what it asked for, and what went wrong on it."""

    def __init__(self, browser: Any, server: str, size: dict[str, int], scheme: str) -> None:
        self.context = browser.new_context(
            viewport=size, color_scheme=scheme, accept_downloads=True
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._note)
        self.server = server
        self.page.goto(server)
        self.page.wait_for_selector("html[data-ready]")

    def _note(self, message: Any) -> None:
        refused = "Failed to load resource" in message.text  # the browser's word for a 422
        if message.type == "error" and not refused:
            self.problems.append(message.text)

    def end(self) -> None:
        """Nothing has gone wrong, and nothing has left the loopback."""
        self.context.close()
        assert self.problems == []
        own = (self.server, "data:", "blob:")
        assert [url for url in self.requests if not url.startswith(own)] == []


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def visit(request: pytest.FixtureRequest, browser: Any, server: str) -> Iterator[Visit]:
    made = Visit(browser, server, request.param, "light")
    yield made
    made.end()


@pytest.fixture
def wide(browser: Any, server: str) -> Iterator[Visit]:
    made = Visit(browser, server, WIDE, "light")
    yield made
    made.end()


def _downloaded(page: Any, button: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.click(button)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def _wait(page: Any, condition: str) -> None:
    """Wait for a condition; Playwright's own way needs `eval`, which the page's policy forbids."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def test_images_are_classified_as_by_predict(
    visit: Visit, picture: Picture, images: dict[str, Path], tiny_model: Path, tmp_path: Path
) -> None:
    page = visit.page
    paths = [str(images[name]) for name in ("good.npy", "text.npy")]
    page.set_input_files("#classify-files", paths)
    page.wait_for_selector("#classify-rows article")
    picture(page, "classify")
    expected = predict(paths, model=str(tiny_model), quiet=True)
    shown = page.eval_on_selector_all(
        "#classify-rows [data-class]", "all => all.map(one => Number(one.dataset.value))"
    )
    assert shown == expected.loc[0, ["p_no", "p_sphere", "p_vort"]].tolist()
    assert "1 could not be used" in page.inner_text("#classify-status")
    assert "not a .npy file" in page.inner_text("#image-1")
    table = pd.read_csv(_downloaded(page, "#classify-csv", tmp_path))
    assert table["p_vort"].tolist()[0] == pytest.approx(expected["p_vort"][0])
    table = pd.read_parquet(_downloaded(page, "#classify-parquet", tmp_path))
    assert table["path"].tolist() == ["good.npy", "text.npy"]


def test_a_bad_upload_is_a_message_and_the_page_goes_on(
    wide: Visit, images: dict[str, Path]
) -> None:
    page = wide.page
    page.set_input_files("#classify-files", str(images["text.npy"]))
    page.wait_for_selector("#classify-status.bad")
    assert "text.npy" in page.inner_text("#classify-status")
    page.set_input_files("#classify-files", str(images["good.npy"]))
    page.wait_for_selector("#classify-rows article")
    assert page.inner_text("#classify-status") == "1 image classified with tiny."


def test_stretch_and_colours_change_the_picture(wide: Visit, images: dict[str, Path]) -> None:
    page = wide.page
    page.set_input_files("#classify-files", str(images["good.npy"]))
    page.wait_for_selector("#classify-rows canvas")
    read = "document.querySelector('#classify-rows canvas').toDataURL()"
    seen = {page.evaluate(read)}
    for name, values in (("stretch", ("linear", "asinh", "log", "sqrt")), ("colours", ("gray",))):
        for value in values:
            page.select_option(f"#{name}", value)
            seen.add(page.evaluate(read))
    assert len(seen) == 6


def test_an_example_is_one_click_away(wide: Visit) -> None:
    wide.page.click('#classify-examples [data-label="vort"]')
    wide.page.wait_for_selector("#classify-rows article")
    assert wide.page.inner_text(".answer .file").startswith("example-vort-")


def test_sliders_move_the_image_which_can_be_had_as_files(
    visit: Visit, picture: Picture, server: str, tmp_path: Path
) -> None:
    page = visit.page
    page.click("#tab-simulate")
    page.wait_for_selector("#simulate-image[data-drawn]")
    read = "document.querySelector('#simulate-image').toDataURL()"
    before, drawn = page.evaluate(read), page.get_attribute("#simulate-image", "data-drawn")
    page.focus("#slider-einstein_radius")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    _wait(page, f"Number(document.querySelector('#simulate-image').dataset.drawn) > {drawn}")
    _wait(page, "document.querySelector('#simulate-python').textContent !== ''")
    assert page.evaluate(read) != before
    for kind in ("critical", "caustics", "perturbers"):
        page.check(f"#show-{kind}")
    page.wait_for_timeout(500)
    picture(page, "simulate")
    image = np.load(_downloaded(page, '[data-format="npy"]', tmp_path))
    preset = _downloaded(page, '[data-format="yaml"]', tmp_path)
    from darklens.simulation import Simulator

    seed = page.evaluate("document.querySelector('#simulate-python').textContent").split("seed=")
    made = Simulator(preset).lens(0, seed=int(seed[1].split(")")[0])).image
    np.testing.assert_array_equal(made, image)
    page.click("#simulate-classify")
    page.wait_for_selector("#classify-rows article")
    expected = Client(server).classify(image)
    shown = page.get_attribute("#classify-rows [data-class=vort]", "data-value")
    assert float(shown) == expected["p_vort"][0]


def test_an_impossible_lens_is_a_message(wide: Visit) -> None:
    page = wide.page
    page.click("#tab-simulate")
    page.wait_for_selector("#simulate-image[data-drawn]")
    for name in ("exposure", "source_brightness"):
        page.focus(f"#slider-{name}")
        page.keyboard.press("End")
    page.wait_for_selector("#simulate-status.bad")
    assert "more than 65535" in page.inner_text("#simulate-status")
    page.focus("#slider-exposure")
    page.keyboard.press("Home")
    _wait(page, "document.querySelector('#simulate-status').textContent === ''")


def test_a_fit_with_its_errors_and_the_source(
    visit: Visit, picture: Picture, tmp_path: Path
) -> None:
    page = visit.page
    page.click("#tab-fit")
    page.select_option("#fit-preset", "model-1")
    page.click("#fit-example")
    page.wait_for_selector("#fit-results article")
    picture(page, "fit")
    table = pd.read_csv(_downloaded(page, "#fit-results button", tmp_path))
    shown = page.get_attribute('#fit-results [data-name="source_x"]', "data-value")
    assert float(shown) == pytest.approx(table["source_x"][0])
    assert page.locator("#fit-results canvas").count() == 4


def test_a_gallery(visit: Visit, picture: Picture, tmp_path: Path) -> None:
    page = visit.page
    page.click("#tab-generate")
    page.fill("#generate-count", "5")
    page.fill("#generate-steps", "2")
    page.click("#generate-form button[type=submit]")
    page.wait_for_selector("#generate-downloads:not([hidden])")
    picture(page, "generate")
    assert page.locator("#gallery canvas").count() == 5
    assert np.load(_downloaded(page, "#generate-npy", tmp_path)).shape == (5, 150, 150)
    assert page.is_disabled("#game-start")  # this model names no preset to compare with


def test_the_game_counts_what_was_told_apart(visit: Visit, picture: Picture) -> None:
    """Five simulated and five generated images; all are marked, the last one by keyboard."""
    page = visit.page
    page.click("#tab-generate")
    page.select_option("#generate-model", "tiny-player")
    page.fill("#generate-steps", "2")
    page.click("#game-start")
    page.wait_for_selector("#game .tile")
    tiles = page.locator("#game .tile")
    assert tiles.count() == 10
    marked = [0, 3, 4, 9]
    for place in marked[:-1]:
        tiles.nth(place).click()
    tiles.nth(marked[-1]).press("Space")
    page.get_by_role("button", name="Done").click()
    picture(page, "game")
    words = page.locator("#game .word").all_inner_texts()
    simulated = [place for place, word in enumerate(words) if word.startswith("simulated")]
    assert len(simulated) == 5
    right = [(place in marked) == (place in simulated) for place in range(10)]
    assert [word.endswith("right") for word in words] == right
    assert page.inner_text("#game .verdict").startswith(f"{sum(right)} of 10 right.")
    assert page.locator("#game .tile.wrong").count() == 10 - sum(right)
    assert all(tiles.nth(place).is_disabled() for place in range(10))


def test_cards_of_the_models(visit: Visit, picture: Picture) -> None:
    visit.page.click("#tab-models")
    visit.page.wait_for_selector("#models-list article")
    picture(visit.page, "models")
    assert visit.page.locator("#models-list article").count() == 3
    assert "guesses" in visit.page.inner_text("#models-list")


def test_nothing_is_wider_than_a_phone(visit: Visit) -> None:
    page = visit.page
    for tab in TABS:
        page.click(f"#tab-{tab}")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_tabs_by_keyboard_and_by_address(wide: Visit, server: str) -> None:
    page = wide.page
    page.focus("#tab-classify")
    for key, tab in (("ArrowRight", "fit"), ("End", "models"), ("ArrowRight", "classify")):
        page.keyboard.press(key)
        assert page.get_attribute(f"#tab-{tab}", "aria-selected") == "true"
        assert page.is_visible(f"#{tab}")
    page.goto(f"{server}/#models")
    page.reload()
    page.wait_for_selector("#models-list article")


def test_light_and_dark(browser: Any, server: str, picture: Picture) -> None:
    made = Visit(browser, server, WIDE, "dark")
    assert made.page.evaluate("document.documentElement.dataset.theme") == "dark"
    picture(made.page, "dark")
    made.page.click("#theme")
    assert made.page.evaluate("document.documentElement.dataset.theme") == "light"
    made.end()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(
    scheme: str, browser: Any, server: str, images: dict[str, Path]
) -> None:
    script = os.environ.get("DARKLENS_AXE")
    if not script:
        pytest.skip("set DARKLENS_AXE to the file axe.min.js of npm's axe-core")
    made = Visit(browser, server, WIDE, scheme)
    made.context.set_default_timeout(PATIENCE)
    page = made.page
    page.set_input_files("#classify-files", [str(images["good.npy"]), str(images["text.npy"])])
    page.wait_for_selector("#classify-rows article")
    page.evaluate(Path(script).read_text())  # the policy of the page lets no script be added
    serious: dict[str, list[str]] = {}
    for tab in TABS:
        page.click(f"#tab-{tab}")
        page.wait_for_timeout(300)
        found = page.evaluate("axe.run()")["violations"]
        for fault in found:
            if fault["impact"] in ("serious", "critical"):
                targets = [str(node["target"]) for node in fault["nodes"]]
                serious.setdefault(f"{tab}: {fault['id']}", []).extend(targets)
    made.end()
    assert serious == {}
