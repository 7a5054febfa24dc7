"""Files, folders and globs name images; nothing at all is an error."""

from pathlib import Path

import pytest

from darklens.data import find_images
from darklens.errors import BadInput


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    names = ["no/2.npy", "no/10.npy", "vort/a.FITS", "vort/deep/b.png", "c[1].jpg", "notes.txt"]
    for name in [*names, ".hidden/d.npy", "no/._2.npy"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def names(paths: list[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_folders_are_searched_and_sorted(tree: Path) -> None:
    expected = ["c[1].jpg", "no/10.npy", "no/2.npy", "vort/a.FITS", "vort/deep/b.png"]
    assert names(find_images([tree]), tree) == expected
    assert find_images(tree) == find_images(str(tree))


def test_globs(tree: Path) -> None:
    assert names(find_images([f"{tree}/no/*.npy"]), tree) == ["no/10.npy", "no/2.npy"]
    assert names(find_images([f"{tree}/n*"]), tree) == ["no/10.npy", "no/2.npy", "notes.txt"]
    assert names(find_images([f"{tree}/**/*.png"]), tree) == ["vort/deep/b.png"]


def test_each_file_comes_once_in_the_order_of_the_inputs(tree: Path) -> None:
    inputs = [tree / "vort", tree / "no" / "2.npy", tree / "vort" / "a.FITS", f"{tree}/no/2*"]
    assert names(find_images(inputs), tree) == ["vort/a.FITS", "vort/deep/b.png", "no/2.npy"]


def test_a_file_may_have_the_signs_of_a_glob_in_its_name(tree: Path) -> None:
    assert names(find_images([tree / "c[1].jpg"]), tree) == ["c[1].jpg"]


def test_what_is_missing_is_kept_beside_what_is_there(tree: Path) -> None:
    inputs = [tree / "no/2.npy", tree / "absent.npy", tree / "empty", f"{tree}/x*.npy"]
    expected = ["no/2.npy", "absent.npy", "empty", "x*.npy"]
    assert names(find_images(inputs), tree) == expected


@pytest.mark.parametrize("inputs", [[], ["empty"], ["absent.npy"], ["x*"], ["absent", "empty"]])
def test_nothing_at_all_is_an_error(tree: Path, inputs: list[str]) -> None:
    with pytest.raises(BadInput, match="no images found"):
        find_images([tree / name for name in inputs])


def test_a_link_to_nothing_is_kept_so_that_it_can_be_reported(tree: Path) -> None:
    (tree / "no" / "gone.npy").symlink_to("nowhere.npy")
    (tree / "no" / "folder.npy").mkdir()
    expected = ["no/10.npy", "no/2.npy", "no/gone.npy"]
    assert names(find_images([tree / "no"]), tree) == expected


def test_a_store_is_pointed_to_the_verbs_that_read_it(tree: Path) -> None:
    (tree / "empty" / "zarr.json").touch()
    with pytest.raises(BadInput, match="stores are for train and evaluate"):
        find_images([tree / "empty"])


def test_an_extension_of_a_fits_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_bytes(b"content")
    assert find_images(f"{tmp_path}/a.fits[SCI]") == [tmp_path / "a.fits[SCI]"]
    with pytest.raises(BadInput, match="no images found"):
        find_images(f"{tmp_path}/b.fits[SCI]")
