"""Images meant by files, folders and manifests, and what is told about them."""

from pathlib import Path

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.observations import ImageOptions, find_targets
from darklens.observations.companions import files_beside, resolve_name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "survey"
    for name in ("a_sci.fits", "a_rms.fits", "b_sci.fits", "b_wht.fits", "psf.fits", "b_mask.fits"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    return root


def names(targets: list[object]) -> list[str]:
    return [target.path.name for target in targets]  # type: ignore[attr-defined]


def test_companions_in_a_folder_are_no_images(folder: Path) -> None:
    targets, _ = find_targets([str(folder)])
    roles = {target.path.name: target.role for target in targets}
    assert roles == {
        "a_sci.fits": "image",
        "a_rms.fits": "rms",
        "b_sci.fits": "image",
        "b_wht.fits": "weight",
        "b_mask.fits": "mask",
        "psf.fits": "psf",
    }
    matched, _ = find_targets([f"{folder}/*.fits"])
    assert {target.path.name: target.role for target in matched} == roles
    (given,), _ = find_targets([str(folder / "psf.fits")])
    assert given.role == "image"  # whoever names a file means it


def test_files_are_paired_by_the_other_words_of_their_names(folder: Path) -> None:
    first, second = (files_beside(folder / name) for name in ("a_sci.fits", "b_sci.fits"))
    assert first.noise == (folder / "a_rms.fits", "rms")
    assert second.noise == (folder / "b_wht.fits", "weight")
    assert first.psf == second.psf == folder / "psf.fits"
    assert (first.mask, second.mask) == (None, folder / "b_mask.fits")
    (folder / "a_psf.fits").touch()
    assert files_beside(folder / "a_sci.fits").psf == folder / "a_psf.fits"
    assert files_beside(folder / "b_sci.fits").psf == folder / "psf.fits"


def test_patterns(folder: Path) -> None:
    targets, _ = find_targets([str(folder)], ImageOptions(images="*_sci.fits"))
    assert names(targets) == ["a_sci.fits", "b_sci.fits"]
    image = folder / "b_sci.fits"
    assert resolve_name("*_wht.fits[1]", image, "*_sci.fits") == f"{folder}/b_wht.fits[1]"
    assert resolve_name("noise/*.fits", image, None) == f"{folder}/noise/b_sci.fits"
    assert resolve_name("[RMS]", Path(f"{image}[SCI]"), None) == f"{image}[RMS]"
    assert resolve_name("/else/psf.fits", image, None) == "/else/psf.fits"
    with pytest.raises(BadInput, match="does not match the pattern"):
        resolve_name("*_wht.fits", folder / "psf.fits", "*_sci.fits")
    with pytest.raises(BadInput, match="no file matches the pattern images"):
        find_targets([str(folder)], ImageOptions(images="*_drz.fits"))


@pytest.mark.parametrize("beside", [True, False])
def test_what_holds_for_a_folder_is_read_from_it(folder: Path, beside: bool) -> None:
    place = folder.parent / "survey.yaml" if beside else folder / "darklens.yaml"
    place.write_text("images: '*_sci.fits'\npixel_scale: 0.1\nsize: 61\n")
    targets, _ = find_targets([str(folder)], ImageOptions(size=81))
    assert names(targets) == ["a_sci.fits", "b_sci.fits"]
    assert {(t.options.size, t.options.pixel_scale) for t in targets} == {(81, 0.1)}


def test_a_folder_above_speaks_for_those_below(folder: Path) -> None:
    (folder.parent / "darklens.yaml").write_text("pixel_scale: 0.2\n")
    targets, _ = find_targets([str(folder.parent)])
    assert {target.options.pixel_scale for target in targets} == {0.2}
    alone, _ = find_targets([str(folder / "a_sci.fits")])
    assert alone[0].options.pixel_scale is None


def test_a_wrong_yaml_is_the_reason_of_each_image(folder: Path) -> None:
    (folder / "darklens.yaml").write_text("pixel_scale: [1]\n")
    targets, _ = find_targets([str(folder)])
    assert all("darklens.yaml: pixel_scale must be a number" in target.error for target in targets)
    told = folder.parent / "told.yaml"
    told.write_text("pixel_scale: 0.3\n")
    targets, _ = find_targets([str(folder)], survey=told)
    assert {(t.error, t.options.pixel_scale) for t in targets} == {("", 0.3)}


def test_manifests_and_files_together(folder: Path) -> None:
    table = folder.parent / "table.csv"
    table.write_text("image,scale,z\nsurvey/b_sci.fits,0.2,1\nsurvey/none.fits,x,1\n")
    inputs = [str(folder / "a_sci.fits"), str(table)]
    targets, messages = find_targets(inputs, ImageOptions(pixel_scale=0.1, size=61))
    found = {t.path.name: (t.options.pixel_scale, t.options.size, bool(t.error)) for t in targets}
    assert found["b_sci.fits"] == (0.2, 61, False)
    assert found["a_sci.fits"] == (0.1, 61, False)
    assert found["none.fits"][2]
    assert messages == (f"{table}: columns that are not used: z",)


def test_images_of_a_stack_have_their_own_targets(tmp_path: Path) -> None:
    np.savez(tmp_path / "lenses.npz", images=np.zeros((3, 30, 30)))
    targets, _ = find_targets([str(tmp_path)])
    assert names(targets) == ["lenses.npz[0]", "lenses.npz[1]", "lenses.npz[2]"]


def test_nothing_to_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no images found"):
        find_targets([str(tmp_path)])
