"""The shipped presets: what they draw, and that they are the published simulators."""

import numpy as np
import pandas as pd
import pytest
import yaml
from lenstronomy.SimulationAPI.sim_api import SimAPI

from darklens.lensing import GaussianPSF
from darklens.lensing.noise import DeepLenseSimNoise, PhotonNoise
from darklens.modelling import ImageFitter
from darklens.simulation import Simulator, load_preset, preset_names
from darklens.simulation.population import draw_scene
from darklens.simulation.presets import preset_text

SHIPPED = [
    "common-test-1",
    "common-test-1-wide",
    "galaxy",
    "model-1",
    "model-1-legacy",
    "model-2",
    "model-2-legacy",
    "model-3",
]


def test_shipped_presets() -> None:
    assert preset_names(populations=False) == SHIPPED
    others = set(preset_names()) - set(SHIPPED)
    assert others == {f"populations-{name}" for name in ("euclid", "hst", "jwst", "roman", "rubin")}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_preset_is_read_and_simulates_each_class(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert preset.description
    lenses = Simulator(preset).simulate(3, seed=1)
    assert lenses.classes == ("no", "sphere", "vort")
    assert lenses.images.shape == (3, 1, *preset.grid.shape)
    assert lenses.images.dtype == preset.dtype
    assert np.isfinite(lenses.images.astype(np.float64)).all()
    assert (lenses.images.max(axis=(1, 2, 3)) > lenses.images.mean(axis=(1, 2, 3))).all()


def true_parameters(name: str, count: int, label: str = "no") -> pd.DataFrame:
    """True parameters of lenses that are not rendered."""
    preset, rng = load_preset(name), np.random.default_rng(0)
    return pd.DataFrame([draw_scene(preset, label, rng)[1] for _ in range(count)])


def test_einstein_radii_of_the_presets() -> None:
    radii = {name: true_parameters(name, 100)["einstein_radius"] for name in SHIPPED}
    assert radii["model-1-legacy"].unique() == pytest.approx([1.28], abs=0.005)
    for name in ("model-1", "model-2", "model-3"):
        assert radii[name].unique() == pytest.approx([1.66], abs=0.005)
    assert radii["common-test-1"].between(0.83, 1.67).all()
    assert radii["common-test-1"].nunique() == 100


def test_legacy_numbers_are_those_of_the_published_code() -> None:
    spheres = true_parameters("model-1-legacy", 200, "sphere")
    assert spheres["exposure"].between(1000, 10**3.5).all()
    assert spheres[["source_x", "source_y"]].abs().to_numpy().max() <= 0.35
    assert (spheres["subhalo_mass"].map(len) == 25).all()
    radius = np.hypot(*(np.concatenate(spheres[f"subhalo_{axis}"].to_list()) for axis in "xy"))
    assert (radius >= 0.25 - 1e-12).all()
    assert (radius <= 2 + 1e-12).all()
    vortices = true_parameters("model-1-legacy", 200, "vort")
    half_length = 0.03 * 1e-22 / vortices["axion_mass"]
    np.testing.assert_allclose(vortices["line_half_length"], half_length)
    assert half_length.between(0.03, 3.0).all()
    assert (vortices["line_mass"] == 3e10).all()


def test_common_test_1_numbers_are_those_of_the_specification() -> None:
    preset = load_preset("common-test-1")
    assert preset.noise == PhotonNoise(background=10.0)
    psf = preset.instrument.psf
    assert isinstance(psf, GaussianPSF)
    assert psf.kernel(0.05).size == 11
    assert psf.fwhm == pytest.approx(0.087 * 2 * np.sqrt(2 * np.log(2)))
    table = true_parameters("common-test-1", 300)
    # Angles of up to 6.28 degrees, negative because rows run down.
    for name in ("shear_angle", "source_position_angle"):
        assert table[name].between(-2 * np.pi, 0).all()
    assert table["shear"].between(0, 0.3).all()
    assert table["source_axis_ratio"].between(0.4, 1).all()
    assert np.hypot(table["source_x"], table["source_y"]).max() <= 0.5


def test_legacy_preset_has_the_noise_of_deeplensesim() -> None:
    assert load_preset("model-1-legacy").noise == DeepLenseSimNoise(background_rms=0.01)


def test_all_numbers_of_the_shipped_files_are_read_as_numbers() -> None:
    # In YAML 1.1 `1e12` is a word; the shipped files write 1.0e+12.
    def words(value: object) -> list[str]:
        if isinstance(value, dict):
            return [word for item in value.values() for word in words(item)]
        if isinstance(value, list):
            return [word for item in value for word in words(item)]
        return [value] if isinstance(value, str) else []

    for name in SHIPPED:
        for word in words(yaml.safe_load(preset_text(name))):
            with pytest.raises(ValueError, match="could not convert"):
                float(word)


def test_model_2_legacy_is_twice_the_image_of_lenstronomy() -> None:
    """The published code adds the model image once more where noise should be."""
    preset = load_preset("model-2-legacy")
    lens = Simulator(preset, classes=["no"]).lens(0, seed=4)
    theta = preset.cosmology.einstein_radius(1e12, 0.5, 1.0)
    assert lens.parameters["einstein_radius"] == pytest.approx(theta)
    assert theta == pytest.approx(1.28, abs=0.005)
    band = {
        "read_noise": 4.2,
        "pixel_scale": 0.101,
        "ccd_gain": 1.0,
        "exposure_time": 565.0,
        "sky_brightness": 22.35,
        "magnitude_zero_point": 24.0,
        "num_exposures": 4,
        "seeing": 0.16,
        "psf_type": "GAUSSIAN",
    }
    models = {
        "lens_model_list": ["SIE", "SHEAR"],
        "source_light_model_list": ["SERSIC_ELLIPSE"],
    }
    simulation = SimAPI(64, band, models)
    source = {"R_sersic": 0.25, "n_sersic": 1, "e1": -0.1, "e2": 0.1}
    centre = {
        "center_x": lens.parameters["source_x"],
        "center_y": lens.parameters["source_y"],
    }
    _, light, _ = simulation.magnitude2amplitude(
        kwargs_source_mag=[{"magnitude": 20, **source, **centre}]
    )
    mass = {"theta_E": theta, "e1": 0.1, "e2": 0.0, "center_x": 0.0, "center_y": 0.0}
    shear = {"gamma1": 0.05, "gamma2": 0.0, "ra_0": 0.0, "dec_0": 0.0}
    image = simulation.image_model_class({}).image([mass, shear], kwargs_source=light)
    assert np.abs(lens.image[0] - 2 * image).max() < 0.01 * image.max()
    assert lens.image.sum() == pytest.approx(2 * image.sum(), rel=1e-3)


def test_an_image_of_model_2_as_published_is_explained() -> None:
    preset = load_preset("model-2-legacy")
    lens = Simulator(preset, classes=["no"]).lens(0, seed=4)
    found = ImageFitter(preset, draws=300).fit(lens.image[0])
    assert found.verdict(5.0) == "ok"
    assert found.fit.chi_square < 1e-3
    assert found.fit.values["source_x"] == pytest.approx(lens.parameters["source_x"], abs=1e-3)
