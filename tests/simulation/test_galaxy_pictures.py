"""Real galaxies as sources: what is read, what is drawn, and what is said about wrong files."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import yaml
from astropy.io import fits
from PIL import Image
from scipy import ndimage

from darklens.cli.main import main
from darklens.errors import BadPreset
from darklens.lensing import SIE, PictureLight, Scene, Sersic, render
from darklens.modelling import LensDescriber, SmoothFitter
from darklens.simulation import Simulator, load_preset, parse_preset
from darklens.simulation.galaxy_pictures import galaxy_picture, read_galaxies

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIDE = 48
SMALL = """
name: real
grid: {shape: [40, 40], pixel_scale: 0.1}
lens: {redshift: 0.5, einstein_radius: {uniform: [0.8, 1.2]}, axis_ratio: 0.8, shear: 0.03}
source:
  redshift: 1.5
  radius: {uniform: [0.2, 0.4]}
  sersic_index: {uniform: [1, 2]}
  magnitude: {uniform: [21, 22]}
  offset: {uniform: [0, 0.1]}
  offset_angle: {uniform: [0, 360]}
  pictures: {files: galaxies, pixel_scale: 0.03}
lens_light: {radius: 0.5, sersic_index: 4, fraction: {uniform: [0.1, 0.2]}}
classes:
  "no": []
  sphere: [subhalos: {number: {poisson: 5}, mass: 1.0e+9, radius: {uniform: [0, 2]}}]
instrument: {psf: {gaussian: {fwhm: 0.15}}, zero_point: 25, sky_magnitude: 22, supersampling: 2}
exposure: 1000
noise: {ccd: {read_noise: 4}}
"""


def galaxy(radius: float = 4.0, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """A round exponential galaxy of peak one, with its half-light radius and place [pixel]."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
    light = Sersic(1.0, radius, 1.0).brightness(columns - x, rows - y)
    return ndimage.gaussian_filter(light, 0.7) / light.max()


def spiral(turn: float = 0.0) -> np.ndarray:
    """A two-armed galaxy."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
    angle, distance = np.arctan2(rows, columns), np.hypot(rows, columns)
    return np.exp(-distance / 4) * (1 + 0.8 * np.cos(2 * (angle - turn) - distance / 2))


def write(folder: Path, text: str = SMALL) -> Path:
    """The preset in a folder, with three pictures of different kinds beside it."""
    (folder / "galaxies" / "more").mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.01, (3, SIDE, SIDE))
    np.save(folder / "galaxies" / "a.npy", spiral() + noise[0] + 0.3)
    fits.writeto(folder / "galaxies" / "b.fits", galaxy(6, 1, 0) + noise[1], overwrite=True)
    grey = 255 * np.clip(galaxy(3) + noise[2] + 0.05, 0, 1)
    Image.fromarray(grey.astype(np.uint8)).save(folder / "galaxies" / "more" / "c.png")
    path = folder / "real.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("denoise", [0.0, 3.0])
def test_centre_and_half_light_radius_are_measured(denoise: float) -> None:
    found = galaxy_picture(galaxy(4.0, 2.0, -1.5), denoise=denoise)
    margin = 0.5 * (found.spline.shape[0] - SIDE)
    centre = 0.5 * (SIDE - 1) + margin
    assert (found.column - centre, found.row - centre) == pytest.approx((2.0, -1.5), abs=0.05)
    assert found.radius == pytest.approx(4.1, abs=0.1)  # blurred by 0.7 pixels


def test_background_noise_and_neighbours_are_removed() -> None:
    truth = galaxy(4.0)
    noisy = truth + 0.7 + np.random.default_rng(1).normal(0, 0.01, truth.shape)
    noisy += 0.5 * galaxy(1.0, -17.0, 13.0)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    found = {}
    for denoise in (0.0, 3.0):
        picture = galaxy_picture(noisy, denoise=denoise)
        light = PictureLight(picture.spline, truth.sum(), 1.0, 3.0, 3.0)  # as wide as its margin
        found[denoise] = light.brightness(columns, rows)
    neighbour = np.s_[34:39, 4:9]
    assert found[0.0][neighbour].sum() > 0.2
    assert found[3.0][neighbour].sum() < 0.02
    sky = np.hypot(rows - 23.5, columns - 23.5) > 19
    assert found[3.0][sky].max() < 0.01
    middle = np.hypot(rows - 23.5, columns - 23.5) < 8
    rms = np.sqrt(np.mean((found[3.0] - truth)[middle] ** 2))
    assert rms < 0.01  # below the noise that was added
    edge = np.concatenate([found[0.0][0], found[0.0][-1], found[0.0][:, 0], found[0.0][:, -1]])
    assert edge.max() < 1e-3


def test_flux_radius_and_centre_are_those_that_the_preset_draws(tmp_path: Path) -> None:
    """The picture alone, without a lens: an independent sum over the rendered pixels."""
    preset = load_preset(write(tmp_path))
    fine = replace(preset.grid, shape=(300, 300), pixel_scale=0.02)
    x, y = fine.coordinates()
    for index in range(6):
        scene, truth = Simulator(preset).scene(index, seed=1)
        light = render(Scene(SIE(1e-9, 1.0), pictures=scene.pictures), fine)
        total = light.sum()
        assert total == pytest.approx(preset.instrument.count_rate(truth["source_magnitude"]), 5e-3)
        assert truth["source_flux"] == pytest.approx(total, rel=5e-3)
        centre = ((x * light).sum() / total, (y * light).sum() / total)
        assert centre == pytest.approx((truth["source_x"], truth["source_y"]), abs=0.005)
        away = np.hypot(x - centre[0], y - centre[1])
        assert light[away < truth["source_radius"]].sum() / total == pytest.approx(0.5, abs=0.02)


def test_the_table_says_which_picture_was_turned_and_scaled_how(tmp_path: Path) -> None:
    simulator = Simulator(write(tmp_path))
    table = simulator.simulate(40, seed=2).parameters
    assert set(table["source_picture"]) == {"a.npy", "b.fits", "more/c.png"}
    assert table["source_rotation"].between(0, 360).all()
    assert table["source_rotation"].nunique() == 40
    galaxies = {g.name: g for g in simulator.preset.source.pictures.galaxies}
    own = table["source_picture"].map(lambda name: galaxies[name].radius * 0.03)
    np.testing.assert_allclose(table["source_scale"] * own, table["source_radius"])
    assert table["source_radius"].between(0.2, 0.4).all()
    assert not {"source_sersic_index", "source_amplitude"} & set(table)
    for index in (0, 7):
        (light,), row = simulator.scene(index, seed=2)[0].pictures, table.loc[index]
        assert light.spline is galaxies[row["source_picture"]].spline
        assert light.rotation == pytest.approx(np.deg2rad(row["source_rotation"]))
        assert light.pixel_scale == pytest.approx(0.03 * row["source_scale"])


def test_a_galaxy_may_keep_its_size(tmp_path: Path) -> None:
    text = SMALL.replace("pixel_scale: 0.03}", "pixel_scale: 0.03, keep_size: true, rotation: 30}")
    simulator = Simulator(write(tmp_path, text))
    galaxies = {g.name: g for g in simulator.preset.source.pictures.galaxies}
    for index in range(4):
        truth = simulator.lens(index).parameters
        assert (truth["source_scale"], truth["source_rotation"]) == (1.0, 30.0)
        own = galaxies[truth["source_picture"]].radius * 0.03
        assert truth["source_radius"] == pytest.approx(own)


def test_everything_but_the_source_is_as_with_its_sersic_profile(tmp_path: Path) -> None:
    preset = load_preset(write(tmp_path))
    real, plain = Simulator(preset), Simulator(preset.with_sersic_source())
    for index in range(4):
        (one, truth), (other, known) = (s.scene(index, seed=3) for s in (real, plain))
        assert not one.sources
        assert not other.pictures
        assert (
            replace(one, perturbers=other.perturbers, pictures=(), sources=other.sources) == other
        )
        np.testing.assert_array_equal(one.perturbers.points, other.perturbers.points)
        shared = truth.keys() & known.keys()
        assert {"source_x", "source_radius", "source_magnitude", "lens_light_fraction"} < shared
        assert {name: truth[name] for name in shared} == {name: known[name] for name in shared}


def test_an_image_is_the_same_bytes_for_any_workers_and_a_changed_picture_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, images = write(tmp_path), []
    for workers in ("1", "2"):
        output = tmp_path / f"lenses-{workers}"
        given = ["--preset", str(path), "--count", "40", "--format", "npy", "--quiet"]
        assert main(["simulate", str(output), *given, "--workers", workers]) == 0
        files = sorted(output.rglob("*.*"))
        images.append([file.read_bytes() for file in files if "yaml" not in file.name])
    assert len(images[0]) == 41
    assert images[0] == images[1]
    again = Simulator(path).lens(7).image
    np.testing.assert_array_equal(np.load(tmp_path / "lenses-1" / "sphere" / "00000007.npy"), again)

    np.save(tmp_path / "galaxies" / "a.npy", spiral(turn=0.5))
    output = tmp_path / "lenses-1"
    assert main(["simulate", str(output), *given, "--workers", "1"]) == 2
    assert "a file that the preset names (such as its PSF" in capsys.readouterr().err


def test_pictures_come_as_a_stack_a_pattern_or_a_channel(tmp_path: Path) -> None:
    options = MappingProxyType({"border": 0.25, "denoise": 3.0})
    np.save(tmp_path / "stack.npy", np.stack([galaxy(3 + 0.1 * k) for k in range(20)]))
    found = read_galaxies(tmp_path / "stack.npy", **options)
    assert [g.name for g in found[:2]] == ["stack.npy[0]", "stack.npy[1]"]
    assert len(found) == 20
    assert found[19].radius > found[0].radius + 1.5
    colour = np.stack([galaxy(3), galaxy(5), galaxy(7)], axis=-1)
    Image.fromarray((250 * colour).astype(np.uint8)).save(tmp_path / "colour.png")
    (red,), (blue,) = (
        read_galaxies(tmp_path / "col*.png", **options, channel=channel) for channel in (0, 2)
    )
    assert blue.radius > red.radius + 3


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nothing", "", "no images found in .*nothing"),
        ("empty", "", "no images found in .*empty"),
        ("x\\0y", "", "must be the name of a file"),
        ("words.npy", "", r"words.npy cannot be read: .*numbers"),
        ("nan.npy", "", "nan.npy cannot be read: some pixels are NaN"),
        ("cut.fits", "", "cut.fits cannot be read"),
        ("colour.png", "", "colour.png has 3 channels: choose one with channel: 0 to 2"),
        ("colour.png", ", channel: 3", "colour.png has no channel 3 but 3"),
        ("colour.png", ", channel: -1", "channel must be at least 0"),
        ("small.npy", "", "small.npy: a picture of a galaxy needs 16 pixels a side"),
        ("noise.npy", "", "noise.npy: nothing in it is 5 standard deviations brighter"),
        ("corner.npy", "", "corner.npy: it is dark but for its border"),
        ("a.npy", ", border: 0", "border must be at least 0.05"),
        ("a.npy", ", scale: 2", "unknown key 'scale'"),
        ("a.npy", ", galaxies: [1]", r"galaxies\[0\] cannot be given here"),
    ],
)
def test_wrong_files_are_one_line_and_exit_code_2(
    name: str, options: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "galaxies"
    described = f'{{files: "galaxies/{name}", pixel_scale: 0.03{options}}}'
    path = write(tmp_path, SMALL.replace("{files: galaxies, pixel_scale: 0.03}", described))
    rng = np.random.default_rng(0)
    (folder / "empty").mkdir()
    np.save(folder / "words.npy", np.array([["a"]]))
    np.save(folder / "nan.npy", np.full((20, 20), np.nan))
    (folder / "cut.fits").write_bytes(b"SIMPLE  =                    T")
    Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8)).save(folder / "colour.png")
    np.save(folder / "small.npy", galaxy()[16:26, 16:26])
    np.save(folder / "noise.npy", rng.normal(size=(32, 32)))
    np.save(folder / "corner.npy", np.pad(np.ones((2, 2)), (0, 30)))
    assert main(["simulate", str(tmp_path / "out"), "--preset", str(path), "--count", "2"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("darklens: error: ")
    assert "source.pictures" in error
    assert re.search(message, error), error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  pictures:",
            "  clumps: {number: 1, fraction: 0.1, offset: 0, radius: 1}\n  pictures:",
            "source: give either clumps or pictures",
        ),
        ("pixel_scale: 0.03", "pixel_scale: 0", "source.pictures.pixel_scale must be above 0"),
        ("files: galaxies, ", "", "source.pictures.files is missing"),
        (
            "fraction: {uniform: [0.1, 0.2]}}",
            "fraction: 0.1, pictures: {files: galaxies, pixel_scale: 1}}",
            "lens_light: only the source has clumps or pictures",
        ),
    ],
)
def test_wrong_presets_are_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert SMALL.count(old) == 1
    with pytest.raises(BadPreset, match=message):
        load_preset(write(tmp_path, SMALL.replace(old, new)))


def test_a_preset_without_a_file_cannot_name_pictures() -> None:
    with pytest.raises(BadPreset, match="a preset without a file of its own cannot name files"):
        parse_preset(yaml.safe_load(SMALL))


def test_too_many_pixels_are_refused_while_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darklens.simulation.galaxy_pictures._MOST_PIXELS", 2 * SIDE**2)
    with pytest.raises(BadPreset, match="galaxies holds more than 4608 pixels in all"):
        load_preset(write(tmp_path))


def test_a_fit_takes_the_sersic_profile_that_goes_with_the_pictures(tmp_path: Path) -> None:
    preset = load_preset(write(tmp_path))
    lens = Simulator(preset).lens(0, seed=1)
    fit, plain = (
        SmoothFitter(kind, draws=100).fit(lens.image[0])
        for kind in (preset, preset.with_sersic_source())
    )
    assert fit.values == plain.values
    assert {"source_log_radius", "source_sersic_index", "source_log_amplitude"} <= set(fit.names)
    assert fit.values["einstein_radius"] == pytest.approx(
        lens.parameters["einstein_radius"], abs=0.1
    )


def test_a_generator_that_describes_lenses_refuses_pictures(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.replace("{ccd: {read_noise: 4}}", "{photon: {}}"))
    with pytest.raises(BadPreset, match="real: pictures of galaxies have no description"):
        LensDescriber(load_preset(path), 4)


def test_a_preset_shows_its_pictures(tmp_path: Path) -> None:
    assert "3 pictures" in load_preset(write(tmp_path))._repr_html_()
    assert "halos in the lens" in load_preset("populations-hst")._repr_html_()


def test_a_galaxy_of_the_hubble_deep_field_is_lensed(tmp_path: Path) -> None:
    """Its picture in scikit-image is public, 8-bit and stretched: not linear in flux."""
    data = pytest.importorskip("skimage.data")
    field = Path(data.__file__).parent / "hubble_deep_field.jpg"
    if not field.is_file():
        pytest.skip("the picture is not in this scikit-image")
    pixels = np.asarray(Image.open(field).convert("L"))
    path = write(tmp_path)
    shutil.rmtree(tmp_path / "galaxies")
    (tmp_path / "galaxies").mkdir()
    for row, column in ((166, 819), (403, 420), (550, 90)):  # bright and compact
        cut = pixels[row - 32 : row + 32, column - 32 : column + 32]
        Image.fromarray(cut).save(tmp_path / "galaxies" / f"{row}-{column}.png")
    simulator = Simulator(path)
    for galaxy in simulator.preset.source.pictures.galaxies:
        middle = 0.5 * (galaxy.spline.shape[0] - 1)
        assert abs(galaxy.row - middle) < 3
        assert abs(galaxy.column - middle) < 3
        assert 4 < galaxy.radius < 12
    images = [simulator.expected_rate(simulator.scene(k, seed=4)[0]) for k in range(3)]
    for k, image in enumerate(images):
        truth = simulator.scene(k, seed=4)[1]
        magnification = image.sum() / truth["source_flux"]
        assert 3 < magnification < 40
        x, y = simulator.preset.grid.coordinates()
        brightest = np.hypot(x, y).ravel()[np.argsort(image.ravel())[-40:]]
        assert np.median(brightest) == pytest.approx(truth["einstein_radius"], abs=0.35)


def test_the_example_of_the_documentation_simulates(
    tmp_path: Path, blocks_of: Callable[[str], list[str]]
) -> None:
    """The file on the page, with galaxies of this test in its folder."""
    (text,) = blocks_of("Real galaxies as sources")
    path = write(tmp_path, text)
    galaxies = tmp_path / yaml.safe_load(text)["source"]["pictures"]["files"]
    if not galaxies.exists():
        (tmp_path / "galaxies").rename(galaxies)
    lens = Simulator(path).lens(0)
    assert lens.parameters["source_picture"] in {"a.npy", "b.fits", "more/c.png"}
    assert np.isfinite(lens.image).all()


@pytest.fixture
def blocks_of() -> Callable[[str], list[str]]:
    """A function that gives the YAML files in a section of the page on simulation."""

    def find(title: str) -> list[str]:
        page = (DOCS / "simulate.md").read_text()
        section = page.split(f"## {title}\n")[1].split("\n## ")[0]
        return re.findall(r"^```yaml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)

    return find
