"""Images that are prepared once are those of the preprocessing, and a stopped run keeps them."""

import json
from pathlib import Path

import numpy as np
import pytest

from darklens.cli.main import main
from darklens.errors import BadConfig, BadInput
from darklens.hub import load_card, load_classifier, model_preprocessing
from darklens.simulation import Simulator
from darklens.simulation.presets import preset_text
from darklens.train.prepared_simulations import (
    PreparedSimulations,
    prepare_simulations,
    prepared_columns,
)
from darklens.train.stored_copies import stored_copy

STEPS = [{"center_crop": {"size": 32}}, {"sqrt": {"scale": 0.01}}]
RESIDUAL = {"preset": "common-test-1", "size": 80, "binning": 2}
WANTED = PreparedSimulations(["model-1-legacy"], STEPS, seed=3, count=7, shard=4)


def test_they_are_what_the_preprocessing_makes(tmp_path: Path) -> None:
    dataset = prepare_simulations(WANTED, tmp_path / "train.npy", workers=1, quiet=True)
    assert dataset.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert dataset.classes == ("no", "sphere", "vort")
    image = Simulator("model-1-legacy").lens(6, seed=3).image
    expected = model_preprocessing(STEPS)(image)
    assert np.array_equal(dataset.images([6])[0], expected.astype(np.float16))


def test_what_the_preprocessing_says_is_kept(tmp_path: Path) -> None:
    wanted = PreparedSimulations(
        ["common-test-1"], [{"smooth_residual": RESIDUAL}], seed=3, count=3, shard=2
    )
    prepare_simulations(wanted, tmp_path / "val.npy", workers=1, quiet=True)
    columns = prepared_columns(wanted, tmp_path / "val.npy")
    images = Simulator("common-test-1").simulate(3, seed=3).images
    assert columns == model_preprocessing(wanted.steps).explain(images)[1]
    (tmp_path / "val.done" / "1").write_text("")  # as an older version left it
    assert prepared_columns(wanted, tmp_path / "val.npy") == {}


def test_a_stopped_run_keeps_what_is_done(tmp_path: Path) -> None:
    path = tmp_path / "train.npy"
    whole = np.array(prepare_simulations(WANTED, path, workers=2, quiet=True).images())
    (path.with_suffix(".done") / "1").unlink()
    images = np.load(path, mmap_mode="r+")
    images[0] = 0.0  # of a shard that is done, so it must not be made again
    images[5] = 0.0
    images.flush()
    again = prepare_simulations(WANTED, path, workers=1, quiet=True).images()
    assert not again[0].any()
    assert np.array_equal(again[1:], whole[1:])


def test_other_images_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "train.npy"
    prepare_simulations(WANTED, path, workers=1, quiet=True)
    other = PreparedSimulations(["model-1-legacy"], STEPS, seed=4, count=7)
    with pytest.raises(BadConfig, match="other images"):
        prepare_simulations(other, path, workers=1, quiet=True)


def test_a_swapped_psf_makes_other_images(tmp_path: Path) -> None:
    text = preset_text("model-1-legacy")
    line = text[text.index("instrument:") :].splitlines()[0]
    (tmp_path / "own.yaml").write_text(text.replace(line, "instrument: {psf: {pixels: psf.npy}}"))
    np.save(tmp_path / "psf.npy", np.full((3, 3), 1 / 9))
    wanted = PreparedSimulations([str(tmp_path / "own.yaml")], STEPS, seed=3, count=2)
    prepare_simulations(wanted, tmp_path / "train.npy", workers=1, quiet=True)
    np.save(tmp_path / "psf.npy", np.eye(3) / 3)
    with pytest.raises(BadConfig, match="other images"):
        prepare_simulations(wanted, tmp_path / "train.npy", workers=1, quiet=True)


def test_no_room_for_the_images_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    wanted = PreparedSimulations(["model-1-legacy"], STEPS, seed=3, count=10**12)
    with pytest.raises(BadInput, match=r"cannot write .*train\.npy"):
        prepare_simulations(wanted, tmp_path / "train.npy", workers=1, quiet=True)
    assert not (tmp_path / "train.npy").exists()


def test_presets_take_turns_lens_by_lens(tmp_path: Path) -> None:
    presets = ["common-test-1", "common-test-1-wide"]
    wanted = PreparedSimulations(presets, STEPS, seed=3, count=8)
    dataset = prepare_simulations(wanted, tmp_path / "train.npy", workers=1, quiet=True)
    assert dataset.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    for index, preset in ((2, presets[0]), (3, presets[1]), (6, presets[0])):
        image = Simulator(preset).lens(index, seed=3).image
        expected = model_preprocessing(STEPS)(image).astype(np.float16)
        assert np.array_equal(dataset.images([index])[0], expected)


def test_presets_of_other_sizes_do_not_mix(tmp_path: Path) -> None:
    wanted = PreparedSimulations(["model-1", "model-2"], STEPS, seed=3, count=8)
    with pytest.raises(BadConfig, match="model-1 and model-2 have different classes or sizes"):
        prepare_simulations(wanted, tmp_path / "train.npy", workers=1, quiet=True)


def test_copies_are_prepared_in_place_of_the_counts(tmp_path: Path) -> None:
    wanted = PreparedSimulations(["model-1-legacy"], STEPS, seed=3, count=6, copies=True)
    made = prepare_simulations(wanted, tmp_path / "train.npy", workers=1, quiet=True).images()
    counts = Simulator("model-1-legacy").simulate(6, seed=3).images
    copies = [stored_copy(counts[i], np.random.default_rng([3, i])) for i in range(6)]
    assert any(not np.array_equal(a, b) for a, b in zip(counts, copies, strict=True))
    expected = model_preprocessing(STEPS).batch(np.stack(copies)).astype(np.float16)
    assert np.array_equal(made, expected)


def test_images_that_cannot_be_fitted_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "train.npy"
    prepare_simulations(WANTED, path, workers=1, quiet=True)
    images = np.load(path, mmap_mode="r+")
    images[[1, 4]] = np.nan  # as the workers leave them
    images.flush()
    dataset = prepare_simulations(WANTED, path, workers=1, quiet=False)
    assert dataset.labels.tolist() == [0, 2, 0, 2, 0]
    assert np.isfinite(dataset.images()).all()
    assert "2 of 7 simulations could not be fitted and are left out" in capsys.readouterr().err


def test_a_run_on_prepared_images(tmp_path: Path) -> None:
    words = [
        "--data.preset=common-test-1",
        "--data.prepared_images=6",
        "--data.validation_images=12",
        "--data.batch_size=3",
        "--data.workers=1",
        "--budget.images=6",
        '--network={"name": "backbone", "backbone": "test_resnet"}',
        "--preprocessing=" + json.dumps([{"smooth_residual": RESIDUAL}]),
        f"--output={tmp_path / 'run'}",
        "--quiet=true",
    ]
    assert main(["train", "classifier", *words]) == 0
    card = load_card(tmp_path / "run" / "model")
    assert (card.input.height, card.channels) == (150, 6)
    assert card.preprocessing[0]["smooth_residual"]["size"] == 80
    assert (card.training.simulations, card.training.simulations_seed) == (6, 1_000_001)
    assert card.calibration is not None
    assert card.calibration.data == "validation part of the training data, 12 images"
    assert card.calibration.diagnostics == ("chi_square",)
    image = Simulator("common-test-1").lens(0, seed=5).image
    table = load_classifier(tmp_path / "run" / "model").predict(image[None])
    assert 0 < table["familiarity"][0] <= 1
    words[1] = "--data.prepared_images=9"
    assert main(["train", "classifier", *words, "--resume=true"]) == 2
