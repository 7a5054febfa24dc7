"""Populations of halos: what pyHalo draws reaches the image as lenstronomy would have it."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lenstronomy.LensModel.lens_model import LensModel
from numpy.random import Generator, Philox

from darklens.errors import BadPreset
from darklens.lensing import SIE, Cosmology, PixelGrid, Scene, source_plane
from darklens.simulation import Simulator, load_preset, parse_preset
from darklens.simulation.distributions import Constant
from darklens.simulation.halo_populations import draw_halos, draw_realization
from darklens.simulation.priors import HaloPrior

pytest.importorskip("pyHalo")
pytestmark = pytest.mark.filterwarnings("ignore")  # of pyHalo and of what it imports

Z_LENS, Z_SOURCE = 0.5, 1.5
FEW = {"log_lowest_mass": 8.0, "field_of_view": 4.0}
PRIORS = {
    "cold": HaloPrior("cold", **FEW),
    "warm": HaloPrior("warm", log_half_mode_mass=Constant(8.0), **FEW),
    "self_interacting": HaloPrior("self_interacting", cross_section=Constant(100.0), **FEW),
    "fuzzy": HaloPrior("fuzzy", axion_mass=Constant(1e-21), **FEW),
}
TELESCOPES = ("euclid", "hst", "jwst", "roman", "rubin")


def generator() -> Generator:
    return Generator(Philox(key=np.array([1, 2], dtype=np.uint64)))


@pytest.mark.parametrize("model", PRIORS)
def test_rays_through_a_realization_are_those_of_lenstronomy(model: str) -> None:
    cosmology, prior = Cosmology(), PRIORS[model]
    drawn = draw_realization(prior, cosmology, Z_LENS, Z_SOURCE, {}, generator())
    planes = draw_halos(prior, cosmology, Z_LENS, Z_SOURCE, {}, generator())
    assert len(drawn.halos) > 0
    grid = PixelGrid((12, 12), 0.25)
    x, y = grid.coordinates()
    model_of_lenstronomy = LensModel(
        ["SIS", *drawn.names],
        z_source=Z_SOURCE,
        lens_redshift_list=[Z_LENS, *drawn.redshifts],
        multi_plane=True,
        cosmo=cosmology._astropy,
    )
    parameters = [{"theta_E": 1.0}, *drawn.parameters]
    wanted = model_of_lenstronomy.ray_shooting(x.ravel(), y.ravel(), parameters)
    found = source_plane(Scene(SIE(1.0, 1.0), line_of_sight=planes), grid)
    np.testing.assert_allclose(np.reshape(found, (2, -1)), wanted, atol=2e-6)


def test_a_realization_depends_on_its_generator_alone_and_leaves_the_global_one() -> None:
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    records: list[dict] = [{}, {}]
    for record in records:
        draw_halos(PRIORS["cold"], Cosmology(), Z_LENS, Z_SOURCE, record, generator())
    assert records[0] == records[1]
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_every_halo_is_in_the_table_of_true_parameters() -> None:
    record: dict = {}
    planes = draw_halos(PRIORS["cold"], Cosmology(), Z_LENS, Z_SOURCE, record, generator())
    table = pd.DataFrame(
        {k: record[f"halo_{k}"] for k in ("x", "y", "redshift", "mass", "in_lens")}
    )
    assert len(table) == sum(len(plane.halos) for plane in planes.planes)
    assert table["mass"].between(1e8, 1e10).all()
    assert (table.loc[table["in_lens"] == 1, "redshift"] == Z_LENS).all()
    assert table["redshift"].between(0, Z_SOURCE).all()
    assert np.hypot(table["x"], table["y"]).max() < 3


def test_warm_dark_matter_has_fewer_light_halos_than_cold() -> None:
    counts = {}
    for model in ("cold", "warm"):
        record: dict = {}
        draw_halos(PRIORS[model], Cosmology(), Z_LENS, Z_SOURCE, record, generator())
        counts[model] = len(record["halo_x"])
    assert counts["warm"] < 0.7 * counts["cold"]


@pytest.mark.parametrize("telescope", TELESCOPES)
def test_shipped_presets_declare_four_kinds_of_dark_matter(telescope: str) -> None:
    preset = load_preset(f"populations-{telescope}")
    assert tuple(preset.classes) == ("no", "cold", "warm", "self_interacting", "fuzzy")
    image = Simulator(preset).lens(0, seed=3).image[0]
    assert image.shape == preset.grid.shape
    assert np.isfinite(image).all()


def test_the_same_lens_has_the_same_image_again() -> None:
    simulator = Simulator("populations-euclid", classes=("warm",))
    first, again = (simulator.lens(0, seed=2) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    assert first.parameters == again.parameters
    assert first.parameters["log_half_mode_mass"] > 0


@pytest.mark.parametrize(
    ("halos", "reason"),
    [
        ({"model": "warm"}, "warm dark matter: the model needs log_half_mode_mass"),
        ({"model": "cold", "axion_mass": 1e-21}, "cold dark matter: the model has no axion_mass"),
        ({"model": "cold", "log_lowest_mass": 9, "log_highest_mass": 8}, "must be below"),
        ({"model": "hot"}, "model"),
    ],
)
def test_a_wrong_population_is_refused(halos: dict, reason: str) -> None:
    content = {
        "name": "mine",
        "grid": {"shape": [20, 20], "pixel_scale": 0.1},
        "lens": {"redshift": 0.5, "einstein_radius": 1},
        "source": {"redshift": 1, "radius": 0.2, "sersic_index": 1, "amplitude": 1},
        "classes": {"dark": [{"halos": halos}]},
        "instrument": {},
        "noise": {"none": {}},
    }
    with pytest.raises(BadPreset, match=reason):
        parse_preset(content)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyHalo.preset_models", None)
    with pytest.raises(BadPreset, match=r"pip install 'darklens\[populations\]'"):
        draw_halos(PRIORS["cold"], Cosmology(), Z_LENS, Z_SOURCE, {}, generator())


def test_one_class_has_at_most_one_population() -> None:
    preset = load_preset("populations-hst")
    (halos,) = preset.classes["cold"]
    with pytest.raises(BadPreset, match="one population"):
        replace(preset, classes={"cold": (halos, halos)})
