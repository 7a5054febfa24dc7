"""Changes of presets, and the shipped shifts."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from darklens.data.containers import TRANSFORMATIONS
from darklens.errors import BadPreset
from darklens.evaluate.classifier.stress import Shift, load_shifts
from darklens.evaluate.classifier.stress.changes import Change, Wings, read_content
from darklens.evaluate.classifier.stress.shifts import shifted_preset
from darklens.lensing.instrument import PixelPSF
from darklens.simulation import Simulator
from darklens.simulation.distributions import Constant, PowerLaw, Uniform

CONTENT = read_content("common-test-1")


def test_set_scale_add_and_remove() -> None:
    change = Change(
        set={"lens.axis_ratio": 0.9, "classes.line.points": 10},
        scale={"source.radius": 0.9, "lens.redshift": 2.0, "classes.subhalos.mass": 10},
        add={"source.sersic_index": 0.5, "source.redshift": 1.0},
        remove=("source.offset",),
    )
    preset = CONTENT.changed(change)
    assert preset.lens.axis_ratio == Constant(0.9)
    assert preset.lens.redshift == Uniform(0.8, 1.2)
    assert preset.source.radius == Constant(0.45)
    assert preset.source.sersic_index == Constant(2.0)
    assert preset.source.redshift == Uniform(1.8, 2.2)
    assert preset.source.offset == Constant(0.0)
    assert preset.classes["sphere"][0].mass == PowerLaw(1e7, 1e11, -0.9)
    assert CONTENT.preset().lens.axis_ratio == Constant(1.0), "the content is left as it is"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Change(scale={"lens.einstein_radius": 2}), "has no lens.einstein_radius"),
        (Change(scale={"noise.ccd.read_noise": 2}), "has no noise.ccd"),
        (Change(set={"classes.halo.mass": 2}), "none of the preset's classes has halo"),
        (Change(set={"lens.colour": 2}), "unknown key 'colour'"),
        (Change(set={"source.radius": 1}, without="lens.mass"), "has a lens.mass of its own"),
        (Change(add={"classes.subhalos.mass": 1}), "neither a number nor a distribution"),
    ],
)
def test_a_change_that_does_not_fit_says_why(change: Change, message: str) -> None:
    with pytest.raises(BadPreset, match=message):
        CONTENT.changed(change)


def test_the_first_alternative_that_fits_is_used() -> None:
    changes = (Change(scale={"source.magnitude": 2}), Change(scale={"source.amplitude": 0.5}))
    preset = shifted_preset(CONTENT, Shift("fainter", "source", changes))
    assert preset.source.amplitude == Constant(20000)


def test_a_preset_that_is_so_itself_is_not_shifted() -> None:
    change = Change(set={"source.sersic_index": 1.5})
    with pytest.raises(BadPreset, match="the preset itself"):
        shifted_preset(CONTENT, Shift("index 1.5", "source", (change,)))


def test_wings_take_light_from_the_core() -> None:
    preset = CONTENT.changed(Change(wings=Wings(share=0.1, width=3)))
    psf = preset.instrument.psf
    assert isinstance(psf, PixelPSF)
    point = np.zeros((101, 101))
    point[50, 50] = 1.0
    seen = psf.convolve(point, 0.05)
    before = CONTENT.preset().instrument.observe(point, 0.05)
    assert seen.sum() == pytest.approx(1.0)
    assert 0.89 < seen[50, 50] / before[50, 50] < 0.92
    assert seen[50, 60] > 10 * before[50, 60]


def test_shipped_shifts_change_what_they_say() -> None:
    shifts = {shift.name: shift for shift in load_shifts()}
    assert len(shifts) == len(load_shifts())
    assert {name for shift in shifts.values() for name in shift.image} <= set(TRANSFORMATIONS)
    assert all(shift.changes or shift.image for shift in shifts.values())


def test_shifted_lenses_are_drawn_as_their_names_say() -> None:
    drawn = {}
    for shift in load_shifts():
        simulator = Simulator(shifted_preset(CONTENT, shift))
        drawn[shift.name] = [simulator.lens(index).parameters for index in range(3)]
    first = {name: lenses[0] for name, lenses in drawn.items()}
    offset = first["lens 0.05 arcsec off centre"]
    assert np.hypot(offset["lens_x"], offset["lens_y"]) == pytest.approx(0.05)
    assert first["slope 2.1"]["lens_slope"] == 2.1
    every = first["multipoles m = 1, 3, 4 of 1 % each"]
    assert [every[f"multipole_{order}"] for order in (1, 3, 4)] == [0.01] * 3
    assert first["source with three clumps"]["clump_fraction"] == [0.1] * 3
    assert first["lens light of 20 % of the source"]["lens_light_fraction"] == 0.2
    assert len(drawn["60 subhalos"][1]["subhalo_mass"]) == 60
    assert drawn["vortex of half length 2 arcsec"][2]["line_half_length"] == 2
    assert drawn["vortex of 10 points"][2]["line_points"] == 10


def applicable(name: str) -> set[str]:
    content = read_content(name)
    found = set()
    for shift in load_shifts():
        with suppress(BadPreset):
            assert shifted_preset(content, shift).grid == content.preset().grid
            found.add(shift.name)
    return found


def test_shifts_that_do_not_apply_are_those_of_what_a_preset_lacks_or_is() -> None:
    everything = {shift.name for shift in load_shifts()}
    skies = {"sky 10 % darker", "sky 20 % brighter"}
    assert applicable("common-test-1") == everything
    legacy = everything - skies - {"Sersic index 1", "vortex of 100 points"}
    assert applicable("model-1-legacy") == legacy
    assert applicable("model-2") == everything - {"Sersic index 1", "subhalo masses of slope -1.9"}


def test_a_preset_with_files_is_read_from_its_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "psf.npy", np.ones((3, 3)))
    text = (
        "name: own\ngrid: {shape: [20, 20], pixel_scale: 0.1}\n"
        "lens: {redshift: 0.5, einstein_radius: 1}\n"
        "source: {redshift: 1, radius: 0.3, sersic_index: 1, amplitude: 10}\n"
        "classes: {no: []}\ninstrument: {psf: {pixels: psf.npy}}\nnoise: {photon: {background: 1}}"
    )
    (tmp_path / "own.yaml").write_text(text)
    content = read_content(tmp_path / "own.yaml")
    assert content.changed(Change(scale={"source.radius": 2})).source.radius == Constant(0.6)
    with pytest.raises(BadPreset, match="not a Gaussian"):
        content.changed(Change(wings=Wings(0.1, 3)))
