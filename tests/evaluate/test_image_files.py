"""The loop that inspect, fit and detect share."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from darklens.errors import BadInput
from darklens.evaluate.image_files import ImageRun, attempt, only_images
from darklens.observations import ImageOptions, Target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    root.mkdir()
    for name in ("a", "b", "a_rms"):
        np.save(root / f"{name}.npy", np.ones((30, 30)))
    return root


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    given = {"inputs": [str(folder)], "options": ImageOptions(size=25), "survey": None}
    return given | {"output": None, "figures": None, "workers": 2, "quiet": True} | more


def test_results_are_in_order_with_names_of_pictures(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.csv"
    run = ImageRun("fit", settings(folder, output=output))
    images = only_images(run.targets)
    found = list(run.results(lambda target: target.path.stem, images, "naming"))
    assert found == [("000000_images_a.png", "a"), ("000001_images_b.png", "b")]
    table = run.finish(pd.DataFrame({"path": [stem for _, stem in found]}))
    pd.testing.assert_frame_equal(pd.read_csv(output), table)
    written = yaml.safe_load(Path(f"{output}.config.yaml").read_text())
    assert (written["size"], written["inputs"]) == (25, [str(folder)])


def test_outputs_are_checked_before_any_image_is_read(folder: Path) -> None:
    for name in ("figures", "maps"):
        with pytest.raises(BadInput, match=r"a\.npy"):
            ImageRun("detect", settings(folder, **{name: folder / "a.npy"}))
    with pytest.raises(BadInput, match="--workers"):
        ImageRun("fit", settings(folder, workers=0))


def test_a_failure_is_a_result_with_its_reason(folder: Path) -> None:
    def work(target: Target) -> tuple[str, str]:
        if target.path.stem == "a":
            raise BadInput("too dark")
        return target.path.stem, ""

    def failed(path: Path, reason: str) -> tuple[str, str]:
        return path.stem, reason

    assert attempt(work, Target(folder / "b.npy"), failed) == ("b", "")
    assert attempt(work, Target(folder / "a.npy"), failed) == ("a", "too dark")
    assert attempt(work, Target(folder / "b.npy", error="no row"), failed) == ("b", "no row")


def test_companions_are_left_out_and_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = ImageRun("fit", settings(folder)).targets
    assert [target.path.stem for target in only_images(targets)] == ["a", "b"]
    assert "left out 1 file that is a noise map" in capsys.readouterr().err
    with pytest.raises(BadInput, match="none is an image"):
        only_images([target for target in targets if target.role != "image"])
