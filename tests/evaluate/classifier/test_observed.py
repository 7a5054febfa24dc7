"""The benchmark on images that nobody here simulated reads what there is, or says what is not."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "observed.py"


@pytest.fixture(scope="module")
def observed() -> ModuleType:
    spec = spec_from_file_location("observed", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["observed"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def test_without_the_images_it_says_so_in_one_line(
    observed: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKLENS_SHARED_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(sys, "argv", ["observed.py"])
    with pytest.raises(SystemExit) as stop:
        observed.main()
    assert stop.value.code == f"no real images at {tmp_path / 'none'}; set DARKLENS_SHARED_DATA"


def test_every_image_of_the_benchmark_has_a_source(observed: ModuleType, shared_data: Path) -> None:
    parts = list(observed.common_test_1(shared_data))
    assert [part.labels[0] for part in parts] == [0, 1, 2, 0, 1, 2]
    assert sum(len(part.labels) for part in parts[:3]) == 17
    assert [len(part.labels) for part in parts[3:]] == [43, 39, 39]
    for part in parts:
        assert part.images.shape == (len(part.labels), 1, 150, 150)
        assert len(part.sources) == len(part.labels)
    assert len({source for part in parts for source in part.sources}) == 7


def test_other_images_suit_the_model(observed: ModuleType, shared_data: Path) -> None:
    lenses = observed.lenses_2021(shared_data, 4)
    assert (lenses.shape, lenses.dtype) == ((4, 1, 150, 150), np.uint8)
    images = dict(observed.telescope_images(shared_data, 150))
    assert len(images) == 15, "four bands of Euclid and one image of HST, each in three ways"
    assert {image.shape for image in images.values()} == {(1, 150, 150)}
    assert [len(part.labels) for part in observed.deeplensesim(shared_data)] == [150] * 3
