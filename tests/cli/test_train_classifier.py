"""`darklens train classifier`, as a user runs it: recipes, kills, resumption, the model folder."""

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from darklens.cli.main import main
from darklens.hub import load_card, load_classifier

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("classifier-*.yaml"))
TINY = ['--network={"name": "backbone", "backbone": "test_resnet"}', "--data.batch_size=4"]
STEPS = '--preprocessing=[{"min_max": {}}]'
FEW = ["--data.preset=model-1-legacy", "--data.validation_images=3"]
CROP = '--preprocessing=[{"center_crop": {"size": 32}}]'


def run(*words: str | Path) -> int:
    return main(["train", "classifier", *map(str, words)])


def images(folder: Path, count: int, *, seed: int, classes: tuple[str, ...]) -> None:
    """Files in the DeepLense layout: noise with a bright patch whose place tells the class."""
    generator = np.random.default_rng(seed)
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = generator.random((1, 40, 40))
            image[0, 10 * label : 10 * label + 10] += 2
            np.save(folder / name / f"{number}.npy", image)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders train and val, as the reference protocol wants them."""
    root = tmp_path_factory.mktemp("tree")
    images(root / "train", 8, seed=1, classes=("no", "sphere", "vort"))
    images(root / "val", 10, seed=2, classes=("no", "sphere", "vort"))
    return root


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_trains_for_one_step(recipe: Path, tree: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load(recipe.read_text())
    words = ["--config", recipe, "--output", tmp_path / "run", "--trainer.max_steps=1", "--quiet"]
    words += ["--data.batch_size=4"]
    if settings.get("data", {}).get("prepared_images"):  # its preprocessing is the point
        words += ["--data.prepared_images=4"]
    else:
        words += ["--network.size=32", CROP]
    if settings["network"]["name"] == "subspace":
        words += ["--network.smooth_images=20", "--network.components=4"]
        words += ['--network.options={"width": 4}']
    if settings.get("data", {}).get("preset"):
        words += ["--data.validation_images=6", "--data.epoch_images=8", "--data.workers=1"]
    else:
        words += ["--data.path", tree, "--pretrained=false"]
    assert run(*words) == 0
    card = load_card(tmp_path / "run" / "model")
    assert card.name == settings["name"]
    assert card.classes == ("no", "sphere", "vort")
    assert card.training.images == 4
    assert card.training.command.startswith("darklens ")
    resolved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert resolved["trainer"]["max_steps"] == 1
    assert resolved["network"]["name"] == settings["network"]["name"]


def test_the_reference_recipe_is_the_published_protocol() -> None:
    recipe = next(path for path in RECIPES if path.stem == "classifier-reference")
    settings = yaml.safe_load(recipe.read_text())
    assert settings["network"] == {"name": "reference", "size": 100}
    assert settings["pretrained"] is True
    assert settings["data"]["batch_size"] == 32
    assert settings["budget"] == {"epochs": 30}
    assert settings["training"] == {
        "optimiser": "adam",
        "learning_rate": 3e-4,
        "final_learning_rate": 1e-6,
        "weight_decay": 0.0,
        "schedule": "cosine_restarts",
        "restart_epochs": 15,
    }


def test_a_tree_gives_a_model_that_predicts_and_test_scores(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = [*TINY, STEPS, "--data.path", tree, "--output", folder, "--training.learning_rate=3e-3"]
    words += ["--augmentation.flips=false", "--augmentation.rotations=false", "--quiet"]
    assert run(*words, "--budget.epochs=10", "--name=bands") == 0
    card = load_card(folder / "model")
    assert {metric.name for metric in card.metrics} == {"accuracy", "macro_auc"}
    assert card.metrics[0].data == "test part of the training data, 3 images"
    assert card.training.images == 240
    model = load_classifier(folder / "model")
    val = np.stack([np.load(path) for path in sorted((tree / "val").rglob("*.npy"))])
    table = model.predict(val)
    truth = np.repeat(["no", "sphere", "vort"], 10)
    assert (table["label"] == truth).mean() > 0.6
    assert card.calibration is not None
    assert card.calibration.images == 27
    assert table["set"].notna().all()
    assert table["familiarity"].between(0, 1).all()
    assert (folder / "metrics.csv").is_file()


def test_two_classes_keep_their_names(tmp_path: Path) -> None:
    images(tmp_path / "tree", 6, seed=3, classes=("no_sub", "sub"))
    words = [*TINY, STEPS, "--data.path", tmp_path / "tree", "--data.folds=3", "--budget.epochs=1"]
    assert run(*words, "--output", tmp_path / "run", "--quiet") == 0
    assert load_card(tmp_path / "run" / "model").classes == ("no_sub", "sub")


def test_a_killed_run_ends_with_the_weights_of_one_never_killed(
    tree: Path, same_after_a_kill: Callable[..., None]
) -> None:
    network = '{"name": "subspace", "size": 40, "components": 4, "smooth_images": 8}'
    words = [f"--network={network}", "--network.backbone=test_resnet", "--network.dropout=0.2"]
    words += ["--preprocessing=[]", "--data.path", str(tree), "--data.batch_size=4"]
    words += ["--run.checkpoint_minutes=0", "--training.average_decay=0.9", "--quiet"]
    words += ["--budget.epochs=8"]
    same_after_a_kill("classifier", words, delay=np.random.default_rng().uniform(0, 0.6))


def rare_tree(root: Path, *, test_images: int = 4) -> Path:
    """Two classes, one with so few validation images that none is left for the test."""
    generator = np.random.default_rng(4)
    for part, counts in (("train", (4, 8)), ("val", (3, 10 * test_images or 3))):
        for name, count in zip(("lens", "nonlens"), counts, strict=True):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                image = generator.normal(size=(1, 32, 32))
                np.save(root / part / name / f"{number}.npy", image)
    return root


@pytest.mark.parametrize("test_images", [2, 0])
def test_scores_that_are_not_defined_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], test_images: int
) -> None:
    tree = rare_tree(tmp_path / "tree", test_images=test_images)
    words = [*TINY, STEPS, "--data.path", tree, "--budget.epochs=1"]
    assert run(*words, "--output", tmp_path / "run") == 0
    said = capsys.readouterr().err
    card = load_card(tmp_path / "run" / "model")
    if test_images:
        assert "no macro_auc: the test part has no images of lens" in said
        assert [metric.name for metric in card.metrics] == ["accuracy"]
    else:
        assert "no test scores: the data have no test part" in said
        assert card.metrics == ()
    model = load_classifier(tmp_path / "run" / "model")
    assert model.predict(np.load(tree / "val" / "lens" / "0.npy")[None])["label"].notna().all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name=my model"], "'my model'"),
        (["--name=../elsewhere"], "'../elsewhere'"),
        (["--run.monitor=val_f1"], "choose from val_loss, val_accuracy, val_auc"),
        (["--trainer.accelerator=abacus"], "trainer: "),
        (["--trainer.precision=12-mixed"], "trainer: "),
        (["--budget.epochs=null"], "the run has no limit"),
        (["--freeze"], "give --init or --pretrained"),
        (["--init=default", "--pretrained=true"], "either --init or --pretrained"),
        (["--init=no-such-model"], "there is no model 'no-such-model'"),
        (["--init=lenses-2021"], "is a generator, not a classifier"),
    ],
)
def test_what_is_wrong_with_the_run_shows_before_its_data_are_made(
    words: list[str], message: str, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    prepared = ["--data.preset=common-test-1", "--data.prepared_images=100000"]
    words = [*TINY, *prepared, "--budget.epochs=1", *words, "--output", str(tmp_path / "run")]
    assert run(*words, "--quiet") == 2
    error = error_line()
    assert message in error
    assert not (tmp_path / "run" / "prepared").exists()


def test_a_card_that_could_not_be_read_again_is_refused_before_the_training(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TINY, "--data.path", tree, "--budget.epochs=1", "--card.pixel_scale=.nan"]
    assert run(*words, "--output", tmp_path / "run", "--quiet") == 2
    assert "a finite number" in capsys.readouterr().err
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_run_that_failed_may_begin_again_in_its_folder(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TINY, STEPS, "--data.path", tree, "--output", tmp_path / "run", "--quiet"]
    failing = [*words, "--budget.epochs=1", "--trainer.val_check_interval=99"]
    assert run(*failing) == 2
    assert (tmp_path / "run" / "config.yaml").is_file()
    assert run(*words, "--budget.epochs=1") == 0
    capsys.readouterr()
    assert run(*words, "--budget.epochs=2") == 2
    assert "continue it with --resume" in capsys.readouterr().err
    assert run(*words, "--budget.epochs=2", "--resume") == 0
    with (tmp_path / "run" / "metrics.csv").open() as file:
        epochs = [row["epoch"] for row in csv.DictReader(file) if row["val_loss"]]
    assert epochs == ["0", "1"]


def test_a_damaged_checkpoint_is_told_before_the_data_are_read(
    tmp_path: Path, error_line: Callable[[], str]
) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.write_bytes(b"")
    words = [*TINY, "--data.path=nowhere", "--budget.epochs=1", "--output", tmp_path / "run"]
    assert run(*words, "--resume") == 2
    error = error_line()
    assert "cannot resume from" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "either --data.path or --data.preset"),
        (["--data.path=nowhere"], "nowhere is not a folder"),
        (["--data.preset=model-9"], "no preset"),
        (["--data.preset=model-1", "--data.stream_seed=5", "--data.validation_seed=5"], "differ"),
        (["--data.preset=model-1", "--data.epoch_images=0"], "--data.epoch-images must be from 1"),
        (FEW, "the run has no limit"),
        (["--network.name=transformer", *FEW], "no network 'transformer'"),
        (["--preprocessing=[{sharpen: {}}]", *FEW], "sharpen"),
        (["--trainer.devises=2", "--budget.epochs=1", *FEW], "devises"),
        (["--config=missing.yaml"], "missing.yaml"),
    ],
)
def test_wrong_settings_exit_with_2_and_one_line(
    words: list[str], message: str, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    ends = [] if message == "the run has no limit" else ["--budget.epochs=1"]
    assert run(*ends, *words, "--output", tmp_path / "run", "--quiet") == 2
    error = error_line()
    assert message in error


def test_without_imagenet_weights_the_run_says_what_to_do(
    tree: Path, tmp_path: Path, error_line: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = next(path for path in RECIPES if path.stem == "classifier-reference")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    words = ["--config", recipe, "--data.path", tree, CROP, "--network.size=32"]
    assert run(*words, "--output", tmp_path / "run", "--quiet") == 2
    error = error_line()
    assert "--pretrained false" in error


@pytest.mark.slow
def test_two_processes_train_together(tree: Path, tmp_path: Path) -> None:
    words = [*TINY, STEPS, f"--data.path={tree}", "--budget.epochs=2", "--trainer.devices=2"]
    words += ["--trainer.accelerator=cpu", "--trainer.strategy=ddp"]
    command = [sys.executable, "-m", "darklens", "train", "classifier", *words]
    done = subprocess.run([*command, "--output", str(tmp_path / "run")], check=True, timeout=300)
    assert done.returncode == 0
    assert load_card(tmp_path / "run" / "model").training.images == 2 * 3 * 8
