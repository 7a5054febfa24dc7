"""`train --init` and `--freeze`: from a model that is there to one of one's own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from darklens.cli.main import main
from darklens.hub import load_card, load_classifier, load_generator

NETWORK = '--network={"name": "backbone", "backbone": "test_resnet", "dropout": 0.1}'


def images(root: Path, *classes: str, seed: int = 0, count: int = 10, channels: int = 1) -> Path:
    generator = np.random.default_rng(seed)
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            image = generator.random((channels, 32, 32))
            image[:, 10 * label : 10 * label + 10] += 2
            np.save(root / name / f"{number}.npy", image)
    return root


def train(kind: str, *words: str | Path) -> int:
    return main(["train", kind, "--quiet", *map(str, words)])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of three classes."""
    root = tmp_path_factory.mktemp("first")
    tree = images(root / "tree", "no", "sphere", "vort")
    words = ["--data.path", tree, "--budget.epochs=1", "--data.batch_size=4", NETWORK]
    steps = '--preprocessing=[{"min_max": {}}, {"center_crop": {"size": 32}}]'
    assert train("classifier", *words, steps, "--output", root / "run") == 0
    return root / "run" / "model"


def weights(model: Path) -> dict[str, np.ndarray]:
    return load_file(model / "weights.safetensors")


def test_without_a_step_the_model_is_the_same(model: Path, tmp_path: Path) -> None:
    tree = images(tmp_path / "tree", "no", "sphere", "vort", seed=1)
    words = ["--data.path", tree, "--init", model, "--budget.epochs=1", "--trainer.max_steps=0"]
    assert train("classifier", *words, "--output", tmp_path / "run") == 0
    again = tmp_path / "run" / "model"
    raw = np.stack([np.load(path) for path in sorted(tree.rglob("*.npy"))])
    expected = load_classifier(model).predict(raw)
    assert load_classifier(again).predict(raw).equals(expected)
    first, card = load_card(model), load_card(again)
    assert (card.network, card.preprocessing) == (first.network, first.preprocessing)
    assert card.training.init == str(model)
    assert first.training.init is None


@pytest.mark.parametrize("freeze", ["--freeze", "--freeze=backbone.layer2", "--freeze=backbone"])
def test_what_is_frozen_does_not_change(model: Path, tmp_path: Path, freeze: str) -> None:
    tree = images(tmp_path / "tree", "no", "sphere", "vort", seed=1)
    words = ["--data.path", tree, "--init", model, freeze, "--budget.epochs=2"]
    words += ["--data.batch_size=4", "--training.learning_rate=0.01"]
    words += ["--training.average_decay=0.5", "--output", tmp_path / "run"]
    assert train("classifier", *words) == 0
    before, after = weights(model), weights(tmp_path / "run" / "model")
    same = {name for name in before if np.array_equal(before[name], after[name])}
    if freeze == "--freeze=backbone.layer2":
        assert {name for name in before if "layer2" in name or "layer1" in name} <= same
        assert not {name for name in before if "layer4" in name and "weight" in name} & same
    else:
        assert same == {name for name in before if name.startswith("backbone.")}


def test_other_classes_get_a_last_layer_of_their_own(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = images(tmp_path / "tree", "no_sub", "sub", seed=1)
    words = ["--data.path", tree, "--init", str(model), "--freeze", "--budget.epochs=1"]
    assert main(["train", "classifier", *map(str, words), "--output", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    message = "the last layer starts from fresh weights: 'classifier' has the classes no, sphere"
    assert message in said
    after, before = weights(tmp_path / "run" / "model"), weights(model)
    assert after["linear.weight"].shape[0] == 2
    kept = [name for name in before if name.startswith("backbone.")]
    assert kept
    assert all(np.array_equal(after[name], before[name]) for name in kept)


def test_a_fine_tuning_resumes(model: Path, tmp_path: Path) -> None:
    tree = images(tmp_path / "tree", "no", "sphere", "vort", seed=1)
    words = ["--data.path", tree, "--init", model, "--freeze", "--output", tmp_path / "run"]
    assert train("classifier", *words, "--budget.epochs=1") == 0
    assert train("classifier", *words, "--budget.epochs=2", "--resume") == 0
    assert load_card(tmp_path / "run" / "model").training.images == 54


@pytest.mark.parametrize(
    ("words", "channels", "message"),
    [
        (["--network.backbone=test_efficientnet"], 1, "its weights do not fit the network"),
        (["--network.pool=avgmax"], 1, "'linear.weight' is 3 x "),
        ([], 3, "is 16 x 1 x 3 x 3 there and 16 x 3 x 3 x 3 here"),
        (["--freeze=backbone.layer9"], 1, "no part 'backbone.layer9'; backbone has"),
        (["--freeze=linear"], 1, "nothing would be left"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(
    model: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
    words: list[str],
    channels: int,
    message: str,
) -> None:
    tree = images(tmp_path / "tree", "no", "sphere", "vort", channels=channels)
    words = ["--data.path", str(tree), "--init", str(model), "--budget.epochs=1", *words]
    assert train("classifier", *words, "--output", tmp_path / "run") == 2
    error = error_line()
    assert message in error


COMPONENTS = (
    '--network={"name": "components", "size": 32, "grid": 4, "components": 3, "width": 16, '
    '"blocks": 1, "embedding": 8}'
)


def test_a_generator_goes_on_in_the_space_of_the_first(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    more = ["--preview_epochs=0", "--budget.epochs=1", "--data.batch_size=4"]
    tree = images(tmp_path / "tree", "no", "vort", count=12)
    words = ["--data.path", tree, COMPONENTS, "--normalise", *more]
    assert train("generator", *words, "--images.minimum=0", "--output", first) == 0
    other = images(tmp_path / "other", "no", "vort", count=12, seed=5)
    words = ["--data.path", other, "--init", first / "model", *more, "--output", second]
    assert train("generator", *words, "--trainer.max_steps=0") == 0
    cards = [load_card(folder / "model") for folder in (first, second)]
    assert cards[0].network == cards[1].network
    assert cards[0].preprocessing == cards[1].preprocessing
    assert cards[0].output == cards[1].output
    assert cards[1].training.init == str(first / "model")
    made = [load_generator(folder / "model").generate(2).images for folder in (first, second)]
    assert np.array_equal(*made)


def test_a_generator_of_other_classes_is_refused(
    tmp_path: Path, tiny_generator: Path, error_line: Callable[[], str]
) -> None:
    tree = images(tmp_path / "tree", "no_sub", "sub")
    words = ["--data.path", tree, "--init", tiny_generator, "--budget.epochs=1"]
    words += ['--preprocessing=[{"resize": {"size": 16}}]', "--data.batch_size=4"]
    assert train("generator", *words, "--output", tmp_path / "run") == 2
    error = error_line()
    assert "its classes are no, sphere, vort, those of the data are no_sub, sub" in error
