"""`predict` on files of all kinds: odd names, large pictures, stacks, extensions of FITS files."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from PIL import Image

from darklens.cli.main import main
from darklens.evaluate import predict_files
from darklens.hub import load_card, load_classifier


def test_names_of_any_bytes_are_in_every_table(
    lenses: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = os.fsdecode(b"no/\xff\x1b[31m\r.npy")
    (lenses / "no" / "1.npy").rename(lenses / name)
    found = f"{lenses}/no/\\xff\\x1b[31m\\r.npy"
    words = [str(lenses / "no"), "--model", str(tiny_model)]
    for ending in ("csv", "json", "parquet"):
        output = tmp_path / f"table.{ending}"
        assert main(["predict", *words, "--output", str(output)]) == 0
        assert getattr(pd, f"read_{ending}")(output)["path"].tolist() == [found]
    assert main(["predict", *words, "--figures", str(tmp_path / "pictures")]) == 0
    assert found in capsys.readouterr().out
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 1
    assert main(["predict", str(lenses / os.fsdecode(b"\xfe\x1b[2J.npy"))]) == 2
    shown = capsys.readouterr().err
    assert "\\xfe\\x1b[2J.npy" in shown
    assert "\x1b" not in shown


def test_a_process_prints_names_that_its_terminal_cannot_show(
    lenses: Path, tiny_model: Path
) -> None:
    (lenses / "no" / "1.npy").rename(lenses / "no" / "Linsé レンズ.npy")
    command = [sys.executable, "-m", "darklens", "predict", str(lenses / "no")]
    result = subprocess.run(
        [*command, "--model", str(tiny_model)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    assert result.returncode == 0, result.stderr
    assert "Linsé \\u30ec\\u30f3\\u30ba.npy".encode("latin-1") in result.stdout


@pytest.mark.parametrize("sign", "=+-@")
def test_no_name_is_a_formula_in_a_spreadsheet(
    sign: str, lenses: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lenses / "no")
    Path("1.npy").rename(f"{sign}cmd.npy")
    output = tmp_path / "table.csv"
    words = [".", "--model", str(tiny_model), "--output", str(output)]
    assert main(["predict", *words]) == 0
    path = pd.read_csv(output)["path"][0]
    assert path == f"./{sign}cmd.npy"
    assert Path(path).is_file()


def test_names_that_hold_mathematics_are_text_in_pictures(
    lenses: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (lenses / "no" / "1.npy").rename(lenses / "no" / "$x^2_$ レ.npy")
    pictures = tmp_path / "pictures"
    words = [str(lenses / "no"), "--model", str(tiny_model), "--figures", str(pictures)]
    assert main(["predict", *words]) == 0
    assert len(list(pictures.glob("*.png"))) == 1


def test_very_long_names_have_pictures(lenses: Path, tiny_model: Path, tmp_path: Path) -> None:
    (lenses / "no" / "1.npy").rename(lenses / "no" / f"{'a' * 250}.npy")
    words = [str(lenses / "no"), "--model", str(tiny_model), "--figures", str(tmp_path / "p")]
    assert main(["predict", *words]) == 0
    assert len(list((tmp_path / "p").glob("*.png"))) == 1


def test_large_pictures_of_a_few_bytes_are_not_unpacked(tmp_path: Path, tiny_model: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    first = folder / "0.png"
    Image.new("1", (6000, 6000)).save(first)
    for k in range(1, 12):
        (folder / f"{k}.png").hardlink_to(first)
    card = load_card(tiny_model)
    classifier = load_classifier(tiny_model)
    classifier.card = replace(card, preprocessing=({"min_max": {}},))
    tracemalloc.start()
    rows = list(predict_files(classifier, sorted(folder.iterdir())))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {row.error for row in rows} == {
        f"is 6000 x 6000 pixels; the model '{card.name}' takes 150 x 150"
    }
    assert peak < 20e6


def test_each_image_of_a_stack_has_its_row(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(3).poisson(30, (20, 150, 150)).astype(np.uint16)
    (tmp_path / "set" / "no").mkdir(parents=True)
    stack, few = tmp_path / "set" / "no" / "stack.npz", tmp_path / "few.npy"
    np.savez_compressed(stack, images=images)
    np.save(few, images[:2, None])
    output, pictures = tmp_path / "table.csv", tmp_path / "pictures"
    words = ["--model", str(tiny_model), "--output", str(output)]
    inputs = [str(tmp_path / "set"), str(few), "--figures", str(pictures)]
    assert main(["predict", *inputs, *words, "--batch", "7", "--workers", "3"]) == 0
    table = pd.read_csv(output)
    wanted = [f"{stack}[{k}]" for k in range(20)] + [f"{few}[0]", f"{few}[1]"]
    assert table["path"].tolist() == wanted
    expected = load_classifier(tiny_model).predict(images)
    np.testing.assert_allclose(table["p_no"][:20], expected["p_no"], rtol=1e-5)
    assert len(list(pictures.glob("*_no_stack-17.png"))) == 1
    assert main(["predict", wanted[17], f"{stack}[20]", *words]) == 1
    again = pd.read_csv(output)
    np.testing.assert_allclose(again["p_no"][0], table["p_no"][17], rtol=1e-5)
    assert again["error"][1] == "there is no image 20 in the stack; its images are 0 to 19"
    np.save(few, images[:5])
    capsys.readouterr()
    assert main(["predict", str(few), *words]) == 0
    assert "read as 5 images of one channel" in capsys.readouterr().err
    assert main(["predict", str(few), "--stack", "false", *words]) == 2
    assert "has 5 channels" in capsys.readouterr().err


def test_an_extension_of_fits_files(tiny_model: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(3).poisson(30, (2, 150, 150)).astype(np.float32)
    path = tmp_path / "lens.fits"
    extensions = [fits.ImageHDU(images[0], name="SCI"), fits.ImageHDU(images[1], name="MODEL")]
    fits.HDUList([fits.PrimaryHDU(), *extensions]).writeto(path)
    expected = load_classifier(tiny_model).predict(images)["p_no"]
    output = tmp_path / "table.csv"
    words = ["--model", str(tiny_model), "--output", str(output)]
    cases = [([str(path)], 0), ([str(path), "--extension", "MODEL"], 1)]
    cases += [([str(path), "--extension", "1"], 0), ([f"{path}[2]"], 1)]
    for given, number in cases:
        assert main(["predict", *given, *words]) == 0
        assert pd.read_csv(output)["p_no"][0] == pytest.approx(expected[number], rel=1e-5)
    assert main(["predict", str(path), "--extension", "ERR", *words]) == 2
    assert "ERR" in pd.read_csv(output)["error"][0]


def test_a_page_alone_and_beside_the_table(
    lenses: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (lenses / "empty.npy").touch()
    pages = [tmp_path / name for name in ("one.html", "two.html")]
    words = ["predict", str(lenses), "--model", str(tiny_model), "--quiet"]
    assert main([*words, "--html", str(pages[0])]) == 1
    assert "empty.npy" in capsys.readouterr().out  # no table is written, so it is printed
    assert (tmp_path / "one.html.config.yaml").is_file()
    table = tmp_path / "table.csv"
    assert main([*words, "--html", str(pages[1]), "--output", str(table)]) == 1
    assert capsys.readouterr().out == ""
    rows = pd.read_csv(table)
    for page in pages:
        html = page.read_text()
        assert html.count("<tr data-kinds=") == len(rows) == 5
        assert all(Path(path).name in html for path in rows["path"])
        assert html.count("data:image/webp") == 4
    assert not list(tmp_path.glob(".*.partial*"))


@pytest.mark.parametrize("name", ["page.htm", "page", "lenses/no/1.npy"])
def test_a_page_that_cannot_be_written_is_refused_before_the_work(
    name: str, lenses: Path, tiny_model: Path, error_line: Callable[[], str]
) -> None:
    page = lenses.parent / name
    assert main(["predict", str(lenses), "--model", str(tiny_model), "--html", str(page)]) == 2
    assert "must end in .html" in error_line()
