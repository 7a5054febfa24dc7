"""Checkpoints as files: one good one is always there, whatever happens to the last."""

import os
import resource
from pathlib import Path

import pytest
import torch

from darklens.errors import BadModel, TrainingFailed
from darklens.nn import best_weights, can_resume, recover
from darklens.nn.checkpoints import CheckpointFiles, last_checkpoint


def state(value: float, size: int = 1) -> dict[str, object]:
    return {
        "state_dict": {"weight": torch.full((size,), value)},
        "loops": {},
        "optimizer_states": [],
        "counts": {},
    }


def value(path: Path) -> float:
    return float(torch.load(path, weights_only=True)["state_dict"]["weight"][0])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def saved(folder: Path, *values: float) -> Path:
    last = last_checkpoint(folder)
    for number in values:
        CheckpointFiles().save_checkpoint(state(number), last)
    return last


def test_the_one_before_is_kept(tmp_path: Path) -> None:
    last = saved(tmp_path, 1.0, 2.0, 3.0)
    assert value(last) == 3.0
    assert value(last.with_name("previous.ckpt")) == 2.0
    assert names(last.parent) == ["last.ckpt", "previous.ckpt"]


def test_it_is_written_beside_its_name_not_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert value(saved(tmp_path, 1.0)) == 1.0


def test_without_links_the_one_before_is_kept_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("this file system has no links")

    monkeypatch.setattr(os, "link", refuse)
    last = saved(tmp_path, 1.0, 2.0)
    assert (value(last), value(last.with_name("previous.ckpt"))) == (2.0, 1.0)


def test_a_full_disk_keeps_what_is_there(tmp_path: Path) -> None:
    last = saved(tmp_path, 1.0, 2.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # stands for a full disk
    try:
        with pytest.raises(TrainingFailed, match="cannot write the checkpoint") as failed:
            CheckpointFiles().save_checkpoint(state(3.0, 1_000_000), last)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(failed.value)
    assert "inline_container" not in str(failed.value)
    assert "--resume continues from them" in str(failed.value)
    assert (value(last), value(last.with_name("previous.ckpt"))) == (2.0, 1.0)
    assert names(last.parent) == ["last.ckpt", "previous.ckpt"]


@pytest.mark.parametrize("damage", ["empty", "cut", "code", "foreign", "missing"])
def test_a_damaged_last_one_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    last = saved(tmp_path, 1.0, 2.0)
    whole = last.read_bytes()
    if damage == "missing":
        last.unlink()
    elif damage == "foreign":
        last.unlink()
        torch.save({"state_dict": {}}, last)
    else:
        content = {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "code": b"cos\nsystem\n(S'x'\ntR.",
        }
        last.unlink()
        last.write_bytes(content[damage])
    lines: list[str] = []
    assert can_resume(tmp_path)
    recover(tmp_path, lines.append)
    assert value(last) == 1.0
    assert len(lines) == 1
    assert "continues from the one before it" in lines[0]
    assert last.with_name("damaged.ckpt").is_file() == (damage != "missing")


def test_good_checkpoints_are_left_alone(tmp_path: Path) -> None:
    last = saved(tmp_path, 1.0, 2.0)
    recover(tmp_path, pytest.fail)
    assert (value(last), value(last.with_name("previous.ckpt"))) == (2.0, 1.0)


def test_two_damaged_ones_are_refused(tmp_path: Path) -> None:
    last = saved(tmp_path, 1.0, 2.0)
    for path in (last, last.with_name("previous.ckpt")):
        path.unlink()
        path.write_bytes(b"")
    with pytest.raises(BadModel, match="cannot resume"):
        recover(tmp_path, pytest.fail)


def test_a_damaged_best_one_is_no_reason_to_lose_the_run(tmp_path: Path) -> None:
    last = saved(tmp_path, 1.0)
    last.with_name("best.ckpt").write_bytes(b"damaged")
    lines: list[str] = []
    assert best_weights(tmp_path, lines.append) is None
    assert "using the last weights" in lines[0]
