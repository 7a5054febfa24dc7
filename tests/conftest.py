"""What all tests share: one thread, no screen, no network, checked array shapes, real images.

The environment is set before NumPy and torch are imported, and reaches the verbs that tests run
as processes.
"""

import gc
import hashlib
import inspect
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, get_args

import jaxtyping
import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch and BLAS; two tests can then run at a time
os.environ["MPLBACKEND"] = "Agg"
os.environ["HF_HUB_OFFLINE"] = "1"


def _kernel_cache() -> Path:
    """A cache for the kernels as they are now: numba's own looks at a kernel's file alone, not at
    what it calls in other files.
    """
    texts = (path.read_bytes() for path in sorted(SOURCE.rglob("*.py")))
    digest = hashlib.sha256(b"".join(text for text in texts if b"from numba" in text))
    return ROOT / ".pytest_cache" / "numba" / digest.hexdigest()[:16]


os.environ.setdefault("NUMBA_CACHE_DIR", str(_kernel_cache()))

os.environ["DARKLENS_CACHE"] = str(ROOT / ".pytest_cache" / "darklens")

settings.register_profile("darklens", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("darklens")


def _checkable_modules() -> list[str]:
    """Modules whose annotations are checked: all but those that numba compiles.

    The hook wraps each function below its other decorators, where numba would have to compile
    the wrapper.
    """
    files = (path for path in SOURCE.rglob("*.py") if "from numba" not in path.read_text())
    parts = (path.relative_to(SOURCE).with_suffix("").parts for path in files)
    return [".".join(names) for names in parts if not names[-1].startswith("__")]


def _names_arrays(annotation: Any) -> bool:
    """Whether an annotation, or a part of it, is an array with a shape."""
    if isinstance(annotation, str):
        return True  # it may be
    parts = annotation if isinstance(annotation, list) else get_args(annotation)
    array = inspect.isclass(annotation) and issubclass(annotation, jaxtyping.AbstractArray)
    return array or any(map(_names_arrays, parts))


_check_shapes = jaxtyping.jaxtyped


def _check(*, typechecker: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The decorator of the import hook: shapes are bound only where annotations have any.

    Binding costs many times a check of the types, and most functions that run thousands of times
    take plain numbers.
    """

    def checked(item: Any) -> Any:
        function = item.__init__ if inspect.isclass(item) else item
        annotations = getattr(function, "__annotations__", {})
        if any(map(_names_arrays, annotations.values())):
            return _check_shapes(item, typechecker=typechecker)
        if not inspect.isclass(item):
            return typechecker(item)
        if "__dataclass_fields__" in vars(item):
            item.__init__ = typechecker(item.__init__)
        return item

    return checked


jaxtyping.jaxtyped = _check  # type: ignore[assignment]  # by this name the hook finds it

# Whole numbers are welcome where the annotation says float, as type checkers see it.
jaxtyping.install_import_hook(
    _checkable_modules(),
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect garbage once, not a hundred times, while all modules are imported to stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real images; tests that ask for it are skipped where there is none."""
    folder = Path(os.environ.get("DARKLENS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}; set DARKLENS_SHARED_DATA")
    return folder


@pytest.fixture
def error_line(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """A function that gives what a refused command printed: one line, which says what is wrong."""

    def read() -> str:
        error = capsys.readouterr().err
        assert error.startswith("darklens: error: ")
        assert error.count("\n") == 1
        return error

    return read


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system, or the program in DARKLENS_BROWSER; tests are skipped without it, and
    where it cannot be started.

    While it is open, asyncio cannot be used in this process: it must not outlive its module.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    named = os.environ.get("DARKLENS_BROWSER")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome"]
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no browser: apt-get install chromium, or name one in DARKLENS_BROWSER")
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"{program} cannot be started: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture(scope="session")
def straight_vortices() -> Any:
    """The preset `common-test-1` with vortices that are continuous lines of one length."""
    from dataclasses import replace

    from darklens.simulation import load_preset
    from darklens.simulation.distributions import Constant, Uniform
    from darklens.simulation.priors import LinePrior

    line = LinePrior(
        mass=Uniform(1.5e10, 5.0e10),
        half_length=Constant(0.85),
        position_angle=Uniform(0.0, 180.0),
        radius=Uniform(0.0, 1.5),
    )
    preset = load_preset("common-test-1")
    return replace(preset, classes={**preset.classes, "vort": (line,)})


def save_untrained(folder: Path, network: str, channels: int, **card: Any) -> Path:
    """Write an untrained classifier of 1 x 150 x 150 images with a small timm backbone.

    Args:
        folder: Where to write; its name is the model's.
        network: Name of the backbone.
        channels: Channels of the preprocessed images.
        card: Further parts of the card: preprocessing, preset, metrics.
    """
    import torch

    from darklens.classify import build_network
    from darklens.hub import InputCard, ModelCard, TrainingCard, save_model

    torch.manual_seed(0)
    spec = {"name": "backbone", "backbone": network}
    training = TrainingCard(
        command="none",
        images=0,
        seconds=0.0,
        machine="any",
        date="2026-01-01",
        version="0",
        preset=card.pop("preset"),
    )
    untrained = ModelCard(
        name=folder.name,
        kind="classifier",
        description="An untrained network for tests.",
        classes=("no", "sphere", "vort"),
        input=InputCard(channels=1, height=150, width=150, pixel_scale=0.05, values="counts"),
        network=spec if channels == 1 else {**spec, "in_channels": channels},
        temperature=1.0,
        training=training,
        licence="MIT",
        **card,
    )
    save_model(folder, build_network(spec, in_channels=channels), untrained)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained classifier of 0.1 million parameters for 1 x 150 x 150 images."""
    from darklens.hub import Metric

    return save_untrained(
        tmp_path_factory.mktemp("models") / "tiny",
        "test_efficientnet",
        1,
        preprocessing=({"min_max": {}}, {"center_crop": {"size": 64}}),
        preset="model-1-legacy",
        metrics=(Metric("accuracy", 1 / 3, 0.3, 0.4, "guesses", "none"),),
    )


@pytest.fixture(scope="session")
def residual_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained classifier of what the fit of a smooth lens leaves."""
    step = {"preset": "common-test-1", "size": 80, "binning": 2}
    return save_untrained(
        tmp_path_factory.mktemp("models") / "residual",
        "test_resnet",
        6,
        preprocessing=({"smooth_residual": step},),
        preset="common-test-1",
    )


@pytest.fixture(scope="session")
def tiny_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained generator of 16 x 16 photon counts of three classes."""
    return save_untrained_generator(tmp_path_factory.mktemp("generators") / "tiny", 16)


@pytest.fixture(scope="session")
def lens_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained generator of 150 x 150 photon counts of three classes."""
    return save_untrained_generator(tmp_path_factory.mktemp("generators") / "lens", 150)


@pytest.fixture(scope="session")
def playing_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a preset, so that its images can be compared with simulated ones."""
    folder = tmp_path_factory.mktemp("generators") / "player"
    return save_untrained_generator(folder, 150, name="tiny-player", preset="model-1-legacy")


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File with random weights of Inception's shapes; their sha256 is not the published one."""
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    import torch

    class Untrained(fidelity.FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict: object) -> None:
            pass

    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "empty.pth")
    torch.manual_seed(0)
    network = Untrained("any", ["2048"], feature_extractor_weights_path=folder / "empty.pth")
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight)  # features that differ between images
    torch.save(network.state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def save_untrained_generator(
    folder: Path, size: int, *, name: str = "tiny-generator", preset: str | None = None
) -> Path:
    """Write the folder of an untrained generator of photon counts of three classes."""
    import torch

    from darklens.diffusion import build_generator, generator_spec
    from darklens.hub import InputCard, ModelCard, OutputCard, TrainingCard, save_model

    torch.manual_seed(0)
    spec = {"name": "components", "size": size, "grid": 8, "components": 8, "width": 16}
    network = build_generator({**spec, "blocks": 1, "embedding": 8})
    space = network.space
    assert space is not None
    space.fit(space.frequencies(torch.randn(40, *network.shape)))
    card = ModelCard(
        name=name,
        kind="generator",
        description="An untrained generator for tests.",
        classes=("no", "sphere", "vort"),
        input=InputCard(channels=1, height=size, width=size, pixel_scale=0.05, values="counts"),
        preprocessing=({"sqrt": {"scale": 1.0}}, {"affine": {"scale": 0.5, "shift": -3.0}}),
        network=generator_spec(network),
        output=OutputCard("photon counts", minimum=0.0, noise="poisson", scaled_files=True),
        training=TrainingCard(
            command="none",
            images=0,
            seconds=0.0,
            machine="any",
            date="2026-01-01",
            version="0",
            preset=preset,
        ),
        licence="MIT",
    )
    save_model(folder, network, card)
    return folder
