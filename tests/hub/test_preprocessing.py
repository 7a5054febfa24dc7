"""Declared preprocessing with the fit of the smooth lens among its steps."""

from typing import Any

import numpy as np
import pytest

from darklens.errors import BadModel
from darklens.hub.preprocessing import model_preprocessing
from darklens.simulation import Simulator

STEP = {"preset": "model-2", "size": 32, "binning": 2}


def test_the_fit_is_a_step_like_others() -> None:
    spec = [{"smooth_residual": STEP}, {"center_crop": {"size": 10}}]
    preprocessing = model_preprocessing(spec)
    assert preprocessing.spec == spec
    image = Simulator("model-2").lens(0).image
    maps = preprocessing(image)
    assert maps.shape == (6, 10, 10)
    assert maps.dtype == np.float32
    again = model_preprocessing(preprocessing.spec)
    assert np.array_equal(again(image), maps)


def test_other_steps_need_no_physics() -> None:
    image = np.arange(16, dtype=np.uint16).reshape(1, 4, 4)
    assert model_preprocessing([{"min_max": {}}])(image).max() == 1.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"size": 33}, "multiple of binning"),
        ({"size": "large"}, "must be a whole number"),
        ({"binning": 2.5}, "must be a whole number"),
        ({"orientations": True}, "must be a whole number"),
        ({"largest_chi_square": None}, "must be a number"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(BadModel, match=message):
        model_preprocessing([{"smooth_residual": STEP | parameters}])


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(BadModel, match="preset"):
        model_preprocessing([{"smooth_residual": {"size": 32, "binning": 2}}])
