"""Every deflection and the Sersic light against lenstronomy and caustics, and against limits."""

import numpy as np
import pytest
import torch
from caustics.constants import G_over_c2, arcsec_to_rad, rad_to_arcsec
from caustics.lenses.func import (
    physical_deflection_angle_tnfw,
    reduced_deflection_angle_external_shear,
    reduced_deflection_angle_point,
    reduced_deflection_angle_sie,
)
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity
from scipy.integrate import quad

from darklens.errors import BadPreset
from darklens.lensing import (
    EPL,
    SIE,
    TNFW,
    LineMass,
    Multipole,
    Perturbers,
    PixelGrid,
    PointMass,
    Scene,
    Sersic,
    Shear,
    source_plane,
)
from darklens.lensing.profiles import MassProfile, sersic_b

TOLERANCE = 1e-8
CENTRE = (0.12, -0.34)
ANGLE = 0.7


def rays(count: int = 500, closest: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Places within 4 arcsec of the profiles' centre, none closer than `closest`."""
    rng = np.random.default_rng(1)
    radius, angle = rng.uniform(closest, 4.0, count), rng.uniform(0, 2 * np.pi, count)
    return CENTRE[0] + radius * np.cos(angle), CENTRE[1] + radius * np.sin(angle)


def relative_error(found: tuple[np.ndarray, ...], truth: tuple[np.ndarray, ...]) -> float:
    """Largest length of the difference of two vector fields over the length of the second."""
    difference = np.hypot(found[0] - truth[0], found[1] - truth[1])
    return float(np.max(difference / np.hypot(*truth)))


def lenstronomy_deflection(
    name: str, x: np.ndarray, y: np.ndarray, **parameters: float
) -> tuple[np.ndarray, np.ndarray]:
    return LensModel([name]).alpha(x, y, [parameters])


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.as_tensor(array, dtype=torch.float64) for array in arrays]


def arrays(deflection: tuple[torch.Tensor, ...]) -> tuple[np.ndarray, ...]:
    return tuple(component.numpy() for component in deflection)


@pytest.mark.parametrize("q", [0.02, 0.05, 0.1, 0.3, 0.5, 0.7522, 0.8181818, 0.95, 0.9999])
def test_sie_is_that_of_lenstronomy_and_caustics(q: float) -> None:
    x, y = rays()
    found = SIE(1.28, q, ANGLE, *CENTRE).deflection(x, y)
    e1, e2 = phi_q2_ellipticity(ANGLE, q)
    centre = {"center_x": CENTRE[0], "center_y": CENTRE[1]}
    truth = lenstronomy_deflection("SIE", x, y, theta_E=1.28, e1=e1, e2=e2, **centre)
    assert relative_error(found, truth) < TOLERANCE
    parameters = tensors(*CENTRE, q, ANGLE, 1.28)
    truth = arrays(reduced_deflection_angle_sie(*parameters, *tensors(x, y)))
    assert relative_error(found, truth) < TOLERANCE


def test_sie_of_axis_ratio_one_is_the_isothermal_sphere() -> None:
    x, y = rays()
    found = SIE(1.28, 1.0, ANGLE, *CENTRE).deflection(x, y)
    radius = np.hypot(x - CENTRE[0], y - CENTRE[1])
    exact = (1.28 * (x - CENTRE[0]) / radius, 1.28 * (y - CENTRE[1]) / radius)
    assert relative_error(found, exact) < 1e-15
    truth = lenstronomy_deflection("SIS", x, y, theta_E=1.28, center_x=0.12, center_y=-0.34)
    assert relative_error(found, truth) < TOLERANCE


def test_sie_series_has_no_step_where_its_length_changes() -> None:
    x, y = rays(50)
    for q in (1 - 1e-14, 1 - 1e-9, 1 - 1e-5):
        close, sphere = (SIE(1.0, ratio).deflection(x, y) for ratio in (q, 1.0))
        assert relative_error(close, sphere) < 2 * (1 - q) + 1e-15


def test_sie_at_its_centre_is_finite() -> None:
    ax, ay = SIE(1.0, 0.5).deflection(np.zeros(1), np.zeros(1))
    assert np.isfinite([ax, ay]).all()


@pytest.mark.parametrize("q", [0.1, 0.7, 0.9999, 1.0])
@pytest.mark.parametrize("slope", [1.2, 1.85, 2.001, 2.15, 2.8])
def test_power_law_is_that_of_lenstronomy(slope: float, q: float) -> None:
    x, y = rays()
    found = EPL(1.28, slope, q, ANGLE, *CENTRE).deflection(x, y)
    e1, e2 = phi_q2_ellipticity(ANGLE, q)
    shape = {"theta_E": 1.28, "e1": e1, "e2": e2, "center_x": CENTRE[0], "center_y": CENTRE[1]}
    truth = lenstronomy_deflection("EPL", x, y, gamma=slope, **shape)
    assert relative_error(found, truth) < TOLERANCE


def test_round_power_law_has_its_mass_within_the_einstein_radius() -> None:
    x, y = rays()
    ax, ay = EPL(1.28, 1.7, 1.0, 0.0, *CENTRE).deflection(x, y)
    radius = np.hypot(x - CENTRE[0], y - CENTRE[1])
    np.testing.assert_allclose(np.hypot(ax, ay), 1.28 * (radius / 1.28) ** (2 - 1.7), rtol=1e-13)


def test_isothermal_power_law_is_the_ellipsoid_and_its_limit() -> None:
    x, y = rays()
    shape = (0.7, ANGLE, *CENTRE)
    sie, epl = SIE(1.28, *shape), EPL(1.28, 2.0, *shape)
    assert np.array_equal(epl.deflection(x, y), sie.deflection(x, y))
    close = EPL(1.28, 2 + 1e-9, *shape).deflection(x, y)
    assert relative_error(close, sie.deflection(x, y)) < 1e-8


@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0, float("nan")])
def test_impossible_slopes_are_refused(slope: float) -> None:
    with pytest.raises(BadPreset, match="is not between 1 and 3"):
        EPL(1.0, slope)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_multipole_is_that_of_lenstronomy(order: int) -> None:
    x, y = rays()
    found = Multipole(order, 0.013, 0.4, 1.28, *CENTRE).deflection(x, y)
    place = {"center_x": CENTRE[0], "center_y": CENTRE[1], "r_E": 1.28}
    truth = lenstronomy_deflection("MULTIPOLE", x, y, m=order, a_m=0.013, phi_m=0.4, **place)
    assert relative_error(found, truth) < TOLERANCE


@pytest.mark.parametrize("order", [1, 3, 4])
def test_divergence_of_a_multipole_is_its_convergence(order: int) -> None:
    x, y = rays(closest=0.5)
    multipole, step = Multipole(order, 0.013, 0.4, 1.28, *CENTRE), 1e-5
    right, left = (multipole.deflection(x + h, y)[0] for h in (step, -step))
    up, down = (multipole.deflection(x, y + h)[1] for h in (step, -step))
    radius, angle = np.hypot(x - CENTRE[0], y - CENTRE[1]), np.arctan2(y - CENTRE[1], x - CENTRE[0])
    kappa = 0.013 * np.cos(order * (angle - 0.4)) / (2 * radius)
    np.testing.assert_allclose((right - left + up - down) / (4 * step), kappa, atol=1e-9)


def test_power_law_and_multipoles_are_finite_at_their_centre() -> None:
    x = y = np.zeros(1)
    for profile in (EPL(1.0, 1.2, 0.6), EPL(1.0, 2.8, 0.6), Multipole(1, 0.1), Multipole(4, 0.1)):
        assert np.isfinite(profile.deflection(x, y)).all()
    with pytest.raises(BadPreset, match="order 0 must be at least 1"):
        Multipole(0, 0.1)


def test_shear_is_that_of_lenstronomy_and_caustics() -> None:
    x, y = rays()
    found = Shear(0.05, -0.12).deflection(x, y)
    truth = lenstronomy_deflection("SHEAR", x, y, gamma1=0.05, gamma2=-0.12)
    assert relative_error(found, truth) < TOLERANCE
    parameters = tensors(0.0, 0.0, 0.05, -0.12)
    truth = arrays(reduced_deflection_angle_external_shear(*parameters, *tensors(x, y)))
    assert relative_error(found, truth) < TOLERANCE


def test_point_mass_is_that_of_lenstronomy_and_caustics() -> None:
    x, y = rays()
    found = PointMass(0.13, *CENTRE).deflection(x, y)
    truth = lenstronomy_deflection(
        "POINT_MASS", x, y, theta_E=0.13, center_x=CENTRE[0], center_y=CENTRE[1]
    )
    assert relative_error(found, truth) < TOLERANCE
    parameters = tensors(*CENTRE, 0.13)
    truth = arrays(reduced_deflection_angle_point(*parameters, *tensors(x, y)))
    assert relative_error(found, truth) < TOLERANCE


@pytest.mark.parametrize("scale_radius", [0.05, 0.4, 2.0])
@pytest.mark.parametrize("truncation", [0.7, 1.0, 5.0, 40.0])
def test_tnfw_is_that_of_lenstronomy_and_caustics(scale_radius: float, truncation: float) -> None:
    x, y = rays()
    theta = 0.2
    found = TNFW(theta, scale_radius, truncation, *CENTRE).deflection(x, y)
    truth = lenstronomy_deflection(
        "TNFW",
        x,
        y,
        Rs=scale_radius,
        alpha_Rs=theta**2 / scale_radius * (1 - np.log(2)),
        r_trunc=truncation * scale_radius,
        center_x=CENTRE[0],
        center_y=CENTRE[1],
    )
    assert relative_error(found, truth) < TOLERANCE
    m0 = theta**2 * arcsec_to_rad / (4 * G_over_c2 * rad_to_arcsec)  # at a distance of 1 Mpc
    parameters = tensors(*CENTRE, scale_radius, truncation)
    truth = arrays(physical_deflection_angle_tnfw(*parameters, *tensors(x, y), *tensors(m0, 1.0)))
    # Within 1 % of the scale radius caustics uses a series with an error of 1e-7.
    radius = np.hypot(x - CENTRE[0], y - CENTRE[1]) / scale_radius
    clear = abs(radius - 1) > 0.0101
    found, truth = (tuple(a[clear] for a in field) for field in (found, truth))
    assert relative_error(found, truth) < TOLERANCE


def test_tnfw_is_smooth_at_its_scale_radius() -> None:
    x = 0.5 * (1 + np.linspace(-3e-4, 3e-4, 601))
    ax, _ = TNFW(1.0, 0.5, 5.0).deflection(x, np.zeros_like(x))
    smooth = np.polynomial.Polynomial.fit(x, ax, 3)(x)
    np.testing.assert_allclose(ax, smooth, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 25, 100])
def test_line_of_points_is_the_sum_of_its_points(count: int) -> None:
    half_length = 0.0 if count == 1 else 0.85
    line = Perturbers(lines=np.array([[*CENTRE, ANGLE, half_length, 0.3, count]]))
    points = line.profiles()
    assert len(points) == count
    step = half_length * np.array([np.cos(ANGLE), np.sin(ANGLE)])
    ends = [(p.x, p.y) for p in (points[0], points[-1])]
    np.testing.assert_allclose(ends, [CENTRE - step, CENTRE + step])

    grid = PixelGrid((41, 41), 0.173)
    x, y = grid.coordinates()
    truth = LensModel(["POINT_MASS"] * count).alpha(x, y, lenstronomy_points(points))
    assert relative_error(sum_deflections(points, x, y), truth) < TOLERANCE
    beta = source_plane(Scene(SIE(0.0), perturbers=line), grid)
    assert relative_error((x - beta[0], y - beta[1]), truth) < TOLERANCE


def lenstronomy_points(points: list[MassProfile]) -> list[dict[str, float]]:
    return [
        {"theta_E": p.einstein_radius, "center_x": p.x, "center_y": p.y}
        for p in points
        if isinstance(p, PointMass)
    ]


def sum_deflections(
    profiles: list[MassProfile], x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    fields = [profile.deflection(x, y) for profile in profiles]
    return sum(f[0] for f in fields), sum(f[1] for f in fields)


def test_closed_line_is_the_limit_of_many_points() -> None:
    x, y = off_the_line(closest=0.2)
    closed = LineMass(0.3, 0.85, ANGLE, *CENTRE).deflection(x, y)
    # Points at the middle of equal pieces: the error of that sum falls as 1 / count^2.
    errors = []
    for count in (50, 500, 5000):
        t = (np.arange(count) + 0.5) / count * 2 * 0.85 - 0.85
        points: list[MassProfile] = [
            PointMass(
                0.3 / np.sqrt(count), CENTRE[0] + s * np.cos(ANGLE), CENTRE[1] + s * np.sin(ANGLE)
            )
            for s in t
        ]
        errors.append(relative_error(closed, sum_deflections(points, x, y)))
    assert errors[2] < TOLERANCE * 10
    assert errors[1] / errors[0] == pytest.approx(0.01, rel=0.3)
    assert errors[2] / errors[1] == pytest.approx(0.01, rel=0.3)


def test_closed_line_is_the_integral_over_points() -> None:
    x, y = off_the_line(closest=0.1, count=40)
    closed = LineMass(0.3, 0.85, ANGLE, *CENTRE).deflection(x, y)
    cos, sin = np.cos(ANGLE), np.sin(ANGLE)
    truth = np.empty((2, x.size))
    for i, (dx, dy) in enumerate(zip(x - CENTRE[0], y - CENTRE[1], strict=True)):
        u, v = cos * dx + sin * dy, cos * dy - sin * dx
        scale = 0.3**2 / (2 * 0.85)
        accuracy = {"epsabs": 1e-14, "epsrel": 1e-12, "limit": 500}
        along = quad(lambda t, u=u, v=v: (u - t) / ((u - t) ** 2 + v**2), -0.85, 0.85, **accuracy)
        across = quad(lambda t, u=u, v=v: v / ((u - t) ** 2 + v**2), -0.85, 0.85, **accuracy)
        truth[:, i] = (
            scale * (cos * along[0] - sin * across[0]),
            scale * (sin * along[0] + cos * across[0]),
        )
    assert relative_error(closed, (truth[0], truth[1])) < TOLERANCE


def test_points_of_the_line_mass_add_up_to_it_in_lenstronomy() -> None:
    x, y = off_the_line(closest=0.3)
    line = Perturbers(lines=np.array([[*CENTRE, ANGLE, 0.85, 0.3, 4000]]))
    truth = LensModel(["POINT_MASS"] * 4000).alpha(x, y, lenstronomy_points(line.profiles()))
    closed = LineMass(0.3, 0.85, ANGLE, *CENTRE).deflection(x, y)
    # End to end, the two outermost points stick out by half a spacing: an error of 1 / count.
    assert relative_error(closed, truth) < 1e-3


def off_the_line(closest: float, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Rays at least `closest` from the line of half length 0.85 in the tests above."""
    x, y = rays(count)
    u = np.cos(ANGLE) * (x - CENTRE[0]) + np.sin(ANGLE) * (y - CENTRE[1])
    v = np.cos(ANGLE) * (y - CENTRE[1]) - np.sin(ANGLE) * (x - CENTRE[0])
    clear = np.hypot(np.maximum(abs(u) - 0.85, 0), v) > closest
    return x[clear], y[clear]


@pytest.mark.parametrize("half_length", [1e-4, 1e-2])
def test_a_short_line_is_a_point_mass(half_length: float) -> None:
    x, y = rays(closest=0.5)
    found = LineMass(0.3, half_length, ANGLE, *CENTRE).deflection(x, y)
    truth = PointMass(0.3, *CENTRE).deflection(x, y)
    # Next order: (half_length / r)^2 / 3; the closed form loses eps * r / half_length.
    assert relative_error(found, truth) < 1.4 * half_length**2 + 1e-15 / half_length


def test_deflection_keeps_the_shape_of_the_coordinates() -> None:
    x, y = np.ones((2, 3)), np.ones((2, 3))
    for profile in (SIE(1.0), Shear(0.1), PointMass(0.1), LineMass(0.1, 1.0), TNFW(0.1, 1.0, 2.0)):
        ax, ay = profile.deflection(x, y)
        assert ax.shape == ay.shape == (2, 3)
        assert ax.dtype == np.float64


@pytest.mark.parametrize("index", [0.5, 1.0, 1.5, 4.0])
def test_sersic_is_that_of_lenstronomy(index: float) -> None:
    x, y = rays(closest=1e-6)
    x[0], y[0] = CENTRE  # both soften the centre in the same way
    sersic = Sersic(20.0, 0.25, index, 0.75, ANGLE, *CENTRE, b=sersic_b(index, "lenstronomy"))
    e1, e2 = phi_q2_ellipticity(ANGLE, 0.75)
    model = LightModel(["SERSIC_ELLIPSE"])
    parameters = {
        "amp": 20.0,
        "R_sersic": 0.25,
        "n_sersic": index,
        "e1": e1,
        "e2": e2,
        "center_x": CENTRE[0],
        "center_y": CENTRE[1],
    }
    truth = model.surface_brightness(x, y, [parameters])
    np.testing.assert_allclose(sersic.brightness(x, y), truth, rtol=1e-10, atol=1e-200)
    assert sersic.total_flux == pytest.approx(model.total_flux([parameters])[0], rel=1e-10)


@pytest.mark.parametrize("index", [0.5, 1.0, 1.5, 4.0])
def test_exact_b_puts_half_of_the_light_within_the_radius(index: float) -> None:
    sersic = Sersic(3.0, 0.5, index)

    def light(radius: float) -> float:
        return float(2 * np.pi * radius * sersic.brightness(np.array(radius), np.array(0.0)))

    half = quad(light, 0, 0.5, epsrel=1e-10)[0]
    assert half == pytest.approx(0.5 * sersic.total_flux, rel=2e-6)  # the softened centre


def test_b_formulas() -> None:
    assert sersic_b(1.0, "lenstronomy") == pytest.approx(1.9992 - 0.3271)
    assert sersic_b(1.5, "prugniel") == pytest.approx(2.6733, abs=1e-4)
    assert sersic_b(4.0) == pytest.approx(7.66924944, abs=1e-8)
    with pytest.raises(BadPreset, match="none of exact, lenstronomy, prugniel"):
        sersic_b(1.0, "mine")
