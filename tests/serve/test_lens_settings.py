"""The sliders as presets, and presets as sliders."""

from dataclasses import fields, replace

import numpy as np
import pytest

from darklens.errors import BadInput
from darklens.files.plain_yaml import dump_yaml, parse_yaml
from darklens.serve import LensSettings
from darklens.serve.lens_settings import limits_of, preset_content, python_lines, settings_like
from darklens.simulation import Simulator, parse_preset, preset_names

SETTINGS = [
    LensSettings(seed=3),
    LensSettings(substructure="vort", axis_ratio=0.7, slope=2.1, lens_light=0.5, noise=False),
    LensSettings(substructure="no", distances="angular", pixels=64, pixel_scale=0.1),
]


def _image(settings: LensSettings) -> np.ndarray:
    return Simulator(parse_preset(preset_content(settings))).lens(0, seed=settings.seed).image


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_parameters_are_the_settings(settings: LensSettings) -> None:
    preset = parse_preset(preset_content(settings))
    lens = Simulator(preset).lens(0, seed=settings.seed)
    assert lens.image.shape == (1, settings.pixels, settings.pixels)
    drawn = lens.parameters
    for name in ("einstein_radius", "shear", "z_lens", "source_x", "source_radius", "exposure"):
        assert drawn[name] == getattr(settings, name)
    brightness = drawn["source_amplitude"] * settings.pixel_scale**2
    assert brightness == pytest.approx(settings.source_brightness)
    assert preset.dtype == (np.uint16 if settings.noise else np.float32)
    assert (drawn.get("line_mass") == settings.line_mass) == (settings.substructure == "vort")
    assert len(drawn.get("subhalo_mass", [])) == 25 * (settings.substructure == "sphere")


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_yaml_makes_the_same_image(settings: LensSettings) -> None:
    text = dump_yaml(preset_content(settings), width=100)
    preset = parse_preset(parse_yaml(text, "text", BadInput))
    np.testing.assert_array_equal(
        Simulator(preset).lens(0, seed=settings.seed).image, _image(settings)
    )


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_lines_of_python_make_the_same_image(settings: LensSettings) -> None:
    names: dict[str, np.ndarray] = {}
    exec(python_lines(settings), names)
    np.testing.assert_array_equal(names["image"], _image(settings))


@pytest.mark.parametrize("preset", preset_names(populations=False))
@pytest.mark.parametrize("label", ["no", "sphere", "vort"])
def test_settings_resemble_the_lenses_of_every_preset(preset: str, label: str) -> None:
    settings = settings_like(preset, label, 4)
    assert settings.substructure == label
    drawn = Simulator(preset, classes=(label,)).lens(0, seed=4)
    assert settings.einstein_radius == pytest.approx(drawn.parameters["einstein_radius"])
    made = _image(settings)
    assert made.shape == drawn.image.shape
    if made.dtype == drawn.image.dtype:  # a CCD's sky is subtracted, photons are counted
        assert made.mean() == pytest.approx(drawn.image.mean(), rel=0.25)


def test_settings_of_common_test_1_are_its_lens_but_for_the_subhalos() -> None:
    settings = settings_like("common-test-1", "no", 7)
    drawn = Simulator("common-test-1", classes=("no",)).lens(0, seed=7)
    made = Simulator(parse_preset(preset_content(replace(settings, noise=False)))).lens(0)
    noise = np.sqrt(made.image)
    assert np.abs((drawn.image - made.image) / noise).mean() == pytest.approx(0.8, abs=0.03)


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInput, match="there is no preset 'x': choose common-test-1"):
        settings_like("x", None, 0)
    with pytest.raises(BadInput, match="has no class 'x'"):
        settings_like("model-1", "x", 0)
    with pytest.raises(BadInput, match=r"z_source must be above z_lens 1, not 0\.5"):
        LensSettings(z_lens=1, z_source=0.5)


def test_defaults_lie_within_the_limits() -> None:
    settings = LensSettings()
    for item in fields(settings):
        value = getattr(settings, item.name)
        if not isinstance(value, bool | str):
            low, high = limits_of(item.name)
            assert low <= value <= high
