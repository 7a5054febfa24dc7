"""Pictures before and after: what their panels hold."""

import io

import numpy as np
import pytest
from astropy.wcs import WCS
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from darklens.evaluate import inspection_figure
from darklens.lensing import GaussianPSF, PixelPSF
from darklens.observations import ImageOptions, Observation, Sky, prepare_observation

SIDE = 61


def seen(**changes: object) -> Observation:
    y, x = np.indices((SIDE, SIDE)) - 30.0
    noise = np.random.default_rng(0).normal(size=x.shape)
    image = np.exp(-0.5 * ((np.hypot(x, y) - 12) / 1.5) ** 2) + 0.02 * noise
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150, 2], [31, 31]
    wcs.wcs.cdelt = [-0.1 / 3600, 0.1 / 3600]
    given: dict[str, object] = {"name": "lens_$1.fits", "image": image, "pixel_scale": 0.1}
    given |= {"mask": np.zeros(image.shape, dtype=bool), "sky": Sky(0.0, 0.02), "wcs": wcs}
    return Observation(**(given | changes))  # type: ignore[arg-type]


def drawn(figure: Figure) -> None:
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=50)
    assert len(memory.getvalue()) > 10_000


@pytest.mark.parametrize("psf", [GaussianPSF(0.3, 4), PixelPSF(np.ones((5, 5))), None])
def test_before_and_after(psf: GaussianPSF | PixelPSF | None) -> None:
    found = seen(psf=psf)
    prepared = prepare_observation(found, ImageOptions(centre="25,35", size=41))
    figure = inspection_figure(found, prepared, title=found.name)
    drawn(figure)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == [
        "as read: 61 x 61, 6.1 x 6.1 arcsec",
        "prepared: 41 x 41, 4.1 x 4.1 arcsec",
        "noise: estimated",
    ]
    assert titles[3] == {GaussianPSF: "PSF: 11 pixels", PixelPSF: "PSF: 5 pixels"}.get(
        type(psf), ""
    )
    (box,) = (patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle))
    assert (box.get_x(), box.get_y(), box.get_width()) == (4.5, 14.5, 41.0)
    assert {text.get_text() for text in figure.axes[0].texts} >= {"N", "E"}
    labels = [axes.get_xlabel() for axes in figure.axes[:3]]
    assert labels == ["column [pixel]", "x [arcsec]", "x [arcsec]"]
    assert figure.axes[1].get_xlim() == pytest.approx((-2.05, 2.05))


def test_an_image_that_cannot_be_prepared_is_shown_as_read() -> None:
    figure = inspection_figure(seen(pixel_scale=None, wcs=None, sky=None))
    drawn(figure)
    assert [axes.get_title() for axes in figure.axes] == ["as read: 61 x 61", "", "", ""]
