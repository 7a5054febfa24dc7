"""The trainer of a run: arguments and numbers that it does not take are refused in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch

from darklens.errors import BadConfig
from darklens.nn import RunConfig, build_trainer


@pytest.mark.parametrize(
    "wrong",
    [
        {"devises": 2},
        {"accelerator": "abacus"},
        {"accelerator": "cpu", "devices": -3},
        {"strategy": "hope"},
        {"precision": "12-mixed"},
        {"limit_train_batches": -1},
        {"callbacks": []},
        {"plugins": []},
        {"enable_checkpointing": False},
    ],
)
def test_arguments_that_the_trainer_does_not_take_are_refused_in_one_line(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(BadConfig, match=r"^trainer") as refused:
        build_trainer(tmp_path, RunConfig(), progress_bar=False, report=None, arguments=wrong)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="trainer"):
        build_trainer(
            tmp_path,
            RunConfig(),
            progress_bar=False,
            report=None,
            arguments={"accelerator": "gpu", "devices": 4},
        )


@pytest.mark.parametrize("wrong", [{"patience": -1}, {"checkpoint_minutes": float("nan")}])
def test_wrong_numbers_of_a_run_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match="at least 0"):
        RunConfig(**wrong)


@pytest.mark.parametrize(
    ("features", "precision"),
    [({"avx512_bf16": True}, "bf16-mixed"), ({"avx512_bf16": False}, "32-true"), ({}, "32-true")],
)
def test_the_precision_may_follow_from_the_processor(
    features: dict[str, bool], precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)
    arguments = {"precision": "auto", "accelerator": "cpu"}
    trainer = build_trainer(
        tmp_path, RunConfig(), progress_bar=False, report=None, arguments=arguments
    )
    assert trainer.precision == precision
