"""The folder of a run: begun again, continued, or left alone."""

import os
from pathlib import Path

import pytest

from darklens.errors import BadInput
from darklens.train.run_folder import prepare_folder


def begin(folder: Path, *, resume: bool = False) -> None:
    prepare_folder(folder, resume=resume, report=pytest.fail)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("# darklens 0.1: darklens train classifier --config x\n")


FAILED = (
    "config.yaml",
    "metrics.csv",
    "parts.csv",
    "bad_files.csv",
    "tensorboard/events.out.tfevents.1.2",
    "checkpoints/.last.ckpt.77.partial",
    "checkpoints/best.ckpt",
    "previews/epoch-0001.png",
    "prepared/train.npy",
    "prepared/train.yaml",
    "prepared/train.done/3",
    "prepared/codes.npz",
)


def test_a_failed_run_makes_room(tmp_path: Path) -> None:
    write(tmp_path, *FAILED)
    begin(tmp_path)
    assert (tmp_path / "prepared" / "train.npy").is_file()  # images that are prepared stay
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()  # another run's weights
    assert not (tmp_path / "metrics.csv").exists()
    assert not list(tmp_path.rglob(".*.partial"))


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    "name", ["thesis.tex", "checkpoints/my.ckpt", "tensorboard/notes/a", "prepared/train.csv"]
)
def test_a_folder_with_files_of_others_is_refused_and_kept(
    tmp_path: Path, name: str, resume: bool
) -> None:
    write(tmp_path, *FAILED, name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match="not the folder of a training run"):
        begin(tmp_path, resume=resume)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_config_of_something_else_is_kept(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "config.yaml").write_text("server: {port: 80}\n")
    with pytest.raises(BadInput, match=r"config\.yaml"):
        begin(tmp_path, resume=resume)
    assert (tmp_path / "config.yaml").read_text() == "server: {port: 80}\n"


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput):
        begin(tmp_path / "run")


def test_a_run_with_checkpoints_says_resume(tmp_path: Path) -> None:
    write(tmp_path, "config.yaml", "checkpoints/previous.ckpt")
    with pytest.raises(BadInput, match="--resume"):
        begin(tmp_path)


def test_a_model_without_its_run_is_kept(tmp_path: Path) -> None:
    write(tmp_path, "config.yaml", "model/card.yaml")
    for resume in (False, True):
        with pytest.raises(BadInput, match="no checkpoint"):
            begin(tmp_path, resume=resume)


def test_new_and_empty_folders_are_made(tmp_path: Path) -> None:
    for resume in (False, True):
        begin(tmp_path / "a" / "b", resume=resume)
    assert not list((tmp_path / "a" / "b").iterdir())


def test_a_file_and_a_folder_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="is a file"):
        begin(tmp_path / "file")
    with pytest.raises(BadInput, match="cannot write"):
        begin(tmp_path / "file" / "run")
    if os.geteuid() != 0:  # root may write anywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(BadInput, match="cannot write"):
            begin(tmp_path / "locked")
