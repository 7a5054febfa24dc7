"""Units, exposures and gains, and the photon noise that follows."""

import numpy as np
import pytest
from astropy.io import fits

from darklens.observations.photometry import electrons_in_unit, photon_noise, read_photometry


@pytest.mark.parametrize(
    ("unit", "exposure", "gain", "expected"),
    [
        ("ELECTRONS", None, None, 1.0),
        ("electron/s", 2200.0, None, 2200.0),
        ("electron s-1", 2200.0, None, 2200.0),
        ("e-/sec", 100.0, 7.0, 100.0),
        ("ADU", None, 1.6, 1.6),
        ("counts/s", 100.0, 1.6, 160.0),
        ("counts", None, None, None),
        ("electrons/s", None, None, None),
        ("MJy/sr", 100.0, 1.6, None),
        ("nJy", 100.0, 1.6, None),
        ("", 100.0, 1.6, None),
    ],
)
def test_electrons_in_a_unit(
    unit: str, exposure: float | None, gain: float | None, expected: float | None
) -> None:
    assert electrons_in_unit(unit, exposure, gain) == expected


def test_headers_in_their_order_and_what_is_given_before_them() -> None:
    own = fits.Header({"BUNIT": "ELECTRONS/S"})
    primary = fits.Header({"EXPTIME": 500.0, "BUNIT": "counts", "CCDGAIN": 2})
    found = read_photometry((own, primary))
    assert (found.unit, found.exposure, found.gain) == ("ELECTRONS/S", 500.0, 2.0)
    assert found.electrons == 500.0
    given = read_photometry((own, primary), unit="adu", gain=4.0)
    assert given.electrons == 4.0
    assert read_photometry(()).electrons is None


def test_photon_noise_is_that_of_poisson() -> None:
    """An image of electrons per second: the scatter of draws at a constant level."""
    generator = np.random.default_rng(0)
    rate, seconds, sky = 5.0, 100.0, 2.0
    image = generator.poisson((rate + sky) * seconds, (200, 200)) / seconds
    told = photon_noise(image, seconds, sky)
    assert float(np.median(told)) == pytest.approx(np.sqrt(rate / seconds), rel=0.02)
    assert np.hypot(np.median(told), np.sqrt(sky / seconds)) == pytest.approx(image.std(), rel=0.02)
    assert photon_noise(np.full((5, 5), 1.0), 10.0, 2.0).max() == 0
