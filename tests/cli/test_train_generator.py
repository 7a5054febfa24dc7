"""`darklens train generator`, as a user runs it: recipes, kills, resumption, the model folder."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from darklens.cli.main import main
from darklens.hub import load_card, load_generator, model_preprocessing

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("generator-*.yaml"))
TINY = (
    '--network={"name": "components", "size": 16, "grid": 4, "components": 3, "width": 16, '
    '"blocks": 1, "embedding": 8}'
)
PIXELS = '--network={"name": "reference", "size": 16, "widths": [8, 8], "train_steps": 60}'
RESIZED = ['--preprocessing=[{"resize": {"size": 16}}, {"affine": {"scale": 0.008, "shift": -1}}]']
SCALED = ['--preprocessing=[{"resize": {"size": 16}}, {"affine": {"scale": 2, "shift": -1}}]']
FEW = ["--data.preset=common-test-1", "--data.validation_images=3", "--data.prepared_images=8"]


def run(*words: str | Path) -> int:
    return main(["train", "generator", *map(str, words)])


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey JPEGs of two classes, as in the data set of 2021."""
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for name in ("no_sub", "sub"):
        (root / name).mkdir()
        for number in range(12):
            pixels = generator.integers(0, 255, (24, 24), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.jpg")
    return root


@pytest.fixture(scope="session")
def scaled_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of two classes with values from 0 to 1, as the benchmark's are."""
    root = tmp_path_factory.mktemp("scaled")
    generator = np.random.default_rng(0)
    for name in ("no", "vort"):
        (root / name).mkdir()
        for number in range(12):
            np.save(root / name / f"{number}.npy", generator.random((1, 24, 24)))
    return root


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_trains_for_one_step(
    recipe: Path, pictures: Path, scaled_files: Path, tmp_path: Path
) -> None:
    settings = yaml.safe_load(recipe.read_text())
    scaled = settings["data"].get("value_range") == [0.0, 1.0]
    kind = settings["network"]["name"]
    words = ["--config", recipe, "--output", tmp_path / "run", "--trainer.max_steps=1", "--quiet"]
    words += ["--data.batch_size=4", "--preview_epochs=1", "--preview_steps=2"]
    if kind == "components":
        words += ["--network.grid=4", "--network.components=3", "--network.width=16"]
        words += ["--network.blocks=1", "--network.embedding=8"]
    elif kind == "lens_and_masses":
        words += ["--network.masses=3", "--network.width=16", "--network.embedding=8"]
    else:
        words += ["--network.size=16", "--network.widths=[16, 16]", "--network.steps=2"]
        words += SCALED if scaled else RESIZED
    if settings["data"].get("preset"):
        words += ["--data.validation_images=6", "--data.prepared_images=8"]
    else:
        words += ["--data.path", scaled_files if scaled else pictures]
        words += ["--network.size=24"] if kind == "components" else []
    if kind == "diffusers":
        words += ["--network.head_width=8"]
    assert run(*words) == 0
    model = tmp_path / "run" / "model"
    card = load_card(model)
    assert (card.name, card.kind) == (settings["name"], "generator")
    assert card.training.images == 4
    assert card.training.command.startswith("darklens ")
    assert (tmp_path / "run" / "previews" / "epoch-0001.png").is_file()
    made = load_generator(model).generate(2, steps=2)
    if settings["data"].get("preset"):
        assert made.images.dtype == np.uint16
        measured = [list(step) for step in card.preprocessing[-1:]]  # the measured constants
        assert measured == ([] if kind == "lens_and_masses" else [["affine"]])
    else:
        assert 0 <= made.images.min() <= made.images.max() <= 1
    assert (model / "unet" / "config.json").is_file() == (kind == "diffusers")


@pytest.mark.parametrize(
    "recipe", [path for path in RECIPES if "reference" in path.stem], ids=lambda path: path.stem
)
def test_values_reach_the_reference_network_from_minus_1_to_1(recipe: Path) -> None:
    settings = yaml.safe_load(recipe.read_text())
    low, high = settings["data"]["value_range"]
    images = np.full((1, 1, 64, 64), low)
    images[..., 16:48, 16:48] = high
    values = model_preprocessing(settings["preprocessing"]).batch(images)
    assert (values.min(), values.max()) == pytest.approx((-1, 1), abs=1e-4)
    limits = settings["images"]
    unit = limits.get("unit", 1.0)
    assert (limits["minimum"] * unit, limits["maximum"] * unit) == (low, high)


def test_the_reference_recipe_is_the_published_protocol() -> None:
    recipe = next(path for path in RECIPES if path.stem == "generator-reference")
    settings = yaml.safe_load(recipe.read_text())
    assert settings["network"] == {
        "name": "reference",
        "size": 144,
        "widths": [16, 32, 32, 64],
        "loss": "l1",
        "train_steps": 1000,
    }
    assert settings["data"]["batch_size"] == 16
    assert settings["budget"] == {"epochs": 100}
    assert settings["training"]["learning_rate"] == 3e-4
    assert (settings["preview_epochs"], settings["preview_steps"]) == (5, 50)


def test_the_saved_folder_loads_in_plain_diffusers(pictures: Path, tmp_path: Path) -> None:
    recipe = next(path for path in RECIPES if path.stem == "generator-reference-diffusers")
    words = ["--config", recipe, "--data.path", pictures, "--output", tmp_path / "run", "--quiet"]
    words += ["--network.size=16", "--network.widths=[16, 16]", "--network.head_width=8", *RESIZED]
    words += ["--trainer.max_steps=1", "--preview_epochs=0"]
    assert run(*words) == 0
    code = (
        "import sys\n"
        "from diffusers import DDPMPipeline\n"
        "pipeline = DDPMPipeline.from_pretrained(sys.argv[1])\n"
        "pipeline.set_progress_bar_config(disable=True)\n"
        "print(pipeline(num_inference_steps=2, output_type='np').images.shape)\n"
        "assert 'darklens' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run" / "model")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "(1, 16, 16, 1)"


def test_normalised_data_have_zero_mean_and_unit_scale(pictures: Path, tmp_path: Path) -> None:
    words = [TINY, "--preprocessing=[{resize: {size: 16}}]", "--normalise=true", "--quiet"]
    words += ["--data.path", pictures, "--data.folds=2", "--budget.epochs=1"]
    assert run(*words, "--output", tmp_path / "run") == 0
    affine = load_card(tmp_path / "run" / "model").preprocessing[-1]["affine"]
    mean = -affine["shift"] / affine["scale"]
    assert 110 < mean < 145
    assert 1 / affine["scale"] < 75


def test_prepared_images_are_preprocessed_once(tmp_path: Path) -> None:
    words = [PIXELS, "--preprocessing=[{center_crop: {size: 16}}, {sqrt: {scale: 1.0}}]"]
    words += ["--data.preset=common-test-1", "--data.validation_images=3", "--preview_steps=2"]
    words += ["--normalise=true", "--data.batch_size=2", "--data.epoch_images=4"]
    words += ["--preview_epochs=0", "--budget.epochs=1", "--quiet"]
    prepared = ["--data.prepared_images=4", "--data.workers=1"]
    assert run(*words, "--output", tmp_path / "fresh") == 0
    assert run(*words, *prepared, "--output", tmp_path / "prepared") == 0
    fresh, once = (load_card(tmp_path / name / "model") for name in ("fresh", "prepared"))
    assert [list(step) for step in once.preprocessing] == [["center_crop"], ["sqrt"], ["affine"]]
    assert once.preprocessing[-1]["affine"] == pytest.approx(
        fresh.preprocessing[-1]["affine"],
        rel=1e-3,  # half precision
    )
    assert fresh.training.preparation_seconds is None
    assert once.training.preparation_seconds is not None


def test_a_killed_run_ends_with_the_weights_of_one_never_killed(
    pictures: Path, same_after_a_kill: Callable[..., None]
) -> None:
    words = [TINY, "--preprocessing=[{resize: {size: 16}}]", "--data.path", str(pictures)]
    words += ["--data.batch_size=2", "--run.checkpoint_minutes=0", "--budget.epochs=6", "--quiet"]
    words += ["--normalise=true", "--preview_epochs=3", "--preview_steps=2"]
    same_after_a_kill("generator", words)


def test_codes_are_made_once_and_belong_to_their_images(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [TINY, "--preprocessing=[{resize: {size: 16}}]", "--data.path", str(pictures)]
    words += ["--normalise=true", "--preview_epochs=0", "--augmentation.flips=true"]
    words += ["--output", str(tmp_path / "run"), "--quiet"]
    assert run(*words, "--budget.epochs=1") == 0
    codes = tmp_path / "run" / "prepared" / "codes.npz"
    with np.load(codes) as kept:
        assert kept["train_codes"].shape == (4 * 20, 3)  # of 24 images, 4 are kept out
        assert kept["val_codes"].shape == (4, 3)
    made = codes.stat().st_mtime_ns
    assert run(*words, "--budget.epochs=2", "--resume") == 0
    assert codes.stat().st_mtime_ns == made
    assert run(*words, "--budget.epochs=3", "--resume", "--augmentation.flips=false") == 2
    assert "holds other images" in capsys.readouterr().err
    codes.write_bytes(b"nothing")
    assert run(*words, "--budget.epochs=3", "--resume") == 2
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "either --data.path or --data.preset"),
        (["--data.preset=model-9"], "no preset"),
        ([*FEW, "--network.name=gan"], "no network 'gan'"),
        ([*FEW, "--network.size=64"], "change --network.size"),
        ([*FEW, "--preview_steps=0"], "--preview-steps must be"),
        ([*FEW, "--preview_epochs=-1"], "--preview-epochs must be"),
        ([*FEW, "--preprocessing=[{min_max: {}}]"], "cannot be undone"),
        ([*FEW, "--images.noise=gauss"], "--images.noise must be one of"),
        ([*FEW], "the run has no limit"),
        (["--data.preset=model-1-legacy", "--data.expected=true"], "not that of photons"),
        ([*FEW, PIXELS, "--network.size=150", "--data.expected=true"], "of components only"),
        ([*FEW, "--data.prepared_images=0", "--budget.epochs=1"], "how many simulations"),
        (
            [*FEW, "--augmentation.rotations=true", "--budget.epochs=1"],
            "neither rotations nor shifts",
        ),
    ],
)
def test_wrong_settings_exit_with_2_and_one_line(
    words: list[str], message: str, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    ends = [] if message == "the run has no limit" else ["--budget.epochs=1"]
    assert run(*ends, *words, "--output", tmp_path / "run", "--quiet") == 2
    error = error_line()
    assert message in error


DESCRIBED = (
    '--network={"name": "lens_and_masses", "masses": 4, "width": 16, "blocks": 1, "embedding": 8}'
)


def test_descriptions_are_made_once_and_training_continues_from_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [DESCRIBED, *FEW, "--data.expected=true", "--preview_epochs=0", "--quiet"]
    words += ["--images.values=counts", "--images.noise=poisson"]
    folder = tmp_path / "run"
    assert run(*words, "--budget.epochs=1", "--output", folder) == 0
    codes = folder / "prepared" / "codes.npz"
    with np.load(codes) as kept:
        assert kept["train_codes"].shape == (8, 7 + 6 + 3 * 4)
        assert kept["val_labels"].tolist() == [0, 1, 2]
    made = codes.stat().st_mtime_ns
    assert run(*words, "--budget.epochs=2", "--output", folder, "--resume") == 0
    assert codes.stat().st_mtime_ns == made
    first = load_generator(folder / "model").generate(3, seed=1)
    assert first.images.shape == (3, 1, 150, 150)
    assert first.images.dtype == np.uint16
    begun = [*words[1:], "--init", folder / "model", "--output", tmp_path / "again"]
    assert run(*begun, "--budget.epochs=1") == 0
    spaces = [
        load_generator(place).network.space
        for place in (folder / "model", tmp_path / "again" / "model")
    ]
    assert spaces[0] is not None
    assert spaces[1] is not None
    assert np.array_equal(*(space.state_dict()["quantiles"] for space in spaces))
    capsys.readouterr()
    assert (
        run(
            *words, "--budget.epochs=3", "--output", folder, "--resume", "--data.prepared_images=11"
        )
        == 2
    )
    assert "holds other images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--data.expected=false"], "learns from simulations"),
        (["--augmentation.flips=true"], "neither augmentation nor steps"),
        (["--normalise=true"], "neither augmentation nor steps"),
        (["--network.preset=model-3"], "noise of photons"),
        (["--network.preset=model-1-unknown"], "preset must be the whole content"),
        (["--network.coordinates=6"], "coordinates must be 7"),
        (["--network.preset={}"], "network: "),
    ],
)
def test_what_descriptions_cannot_be_made_of_is_one_line(
    changes: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [DESCRIBED, *FEW, "--data.expected=true", "--preview_epochs=0", "--quiet"]
    words += ["--output", str(tmp_path / "run"), "--budget.epochs=1"]
    assert run(*words, *changes) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
