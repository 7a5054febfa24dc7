"""Single profiles: darklens beside lenstronomy and JAXtronomy on the same processor.

    python benchmarks/profiles.py [--repeats 200]

Deflections and brightness on 150 x 150 rays, one thread, double precision, the sides in turns;
medians of processor time. JAXtronomy's functions are compiled by JAX and called twice before; they
are left out where it is not installed (`pip install jaxtronomy`). The table goes to
`benchmarks/results/profiles.md`.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_ENABLE_X64"] = "1"
os.sched_setaffinity(0, [sorted(os.sched_getaffinity(0))[-1]])

import argparse
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity

from darklens.lensing.grid import PixelGrid
from darklens.lensing.profiles import EPL, SIE, TNFW, Sersic, sersic_b

RESULT = Path(__file__).resolve().parent / "results" / "profiles.md"
X, Y = (c.ravel() for c in PixelGrid((150, 150), 0.05).coordinates())
Q, ANGLE, THETA = 0.7, 0.4, 1.3
E1, E2 = phi_q2_ellipticity(ANGLE, Q)
HALO = {"Rs": 0.3, "alpha_Rs": 0.02, "r_trunc": 1.5}
INDEX, RADIUS = 3.2, 0.5
Work = Callable[[], Any]


def rows() -> dict[str, tuple[Work, str, dict[str, float]]]:
    """Our call, and the name and the arguments of the same profile there; light has `amp`."""
    ellipse = {"theta_E": THETA, "e1": E1, "e2": E2}
    halo_theta = (HALO["alpha_Rs"] * HALO["Rs"] / (1 - np.log(2))) ** 0.5
    epl, sie = EPL(THETA, 2.1, Q, ANGLE), SIE(THETA, Q, ANGLE)
    halo = TNFW(halo_theta, HALO["Rs"], HALO["r_trunc"] / HALO["Rs"])
    light = Sersic(1.0, RADIUS, INDEX, Q, ANGLE, b=sersic_b(INDEX, "lenstronomy"))
    sersic = {"amp": 1.0, "R_sersic": RADIUS, "n_sersic": INDEX, "e1": E1, "e2": E2}
    return {
        "elliptical power law, slope 2.1": (
            lambda: epl.deflection(X, Y),
            "EPL",
            {**ellipse, "gamma": 2.1},
        ),
        "isothermal ellipsoid": (lambda: sie.deflection(X, Y), "SIE", ellipse),
        "truncated NFW halo": (lambda: halo.deflection(X, Y), "TNFW", HALO),
        "elliptical Sersic": (lambda: light.brightness(X, Y), "SERSIC_ELLIPSE", sersic),
    }


def theirs(name: str, arguments: dict[str, float]) -> Work:
    """The same by lenstronomy."""
    if "amp" in arguments:
        light = LightModel([name])
        return lambda: light.surface_brightness(X, Y, [arguments])
    mass = LensModel([name])
    return lambda: mass.alpha(X, Y, [arguments])


def compiled(name: str, arguments: dict[str, float]) -> Work | None:
    """The same by JAXtronomy, compiled; None where it is not installed."""
    if find_spec("jaxtronomy") is None:
        return None
    import jax
    import jax.numpy as jnp
    from jaxtronomy.LensModel.lens_model import LensModel as JaxLensModel
    from jaxtronomy.LightModel.light_model import LightModel as JaxLightModel

    x, y = jnp.asarray(X), jnp.asarray(Y)
    if "amp" in arguments:
        light = JaxLightModel([name])
        call = jax.jit(lambda values: light.surface_brightness(x, y, [values]))
    else:
        mass = JaxLensModel([name])
        call = jax.jit(lambda values: mass.alpha(x, y, [values]))
    return lambda: jax.block_until_ready(call(arguments))


def milliseconds(work: Work) -> float:
    """Processor time of one call [ms]."""
    begin = time.process_time_ns()
    work()
    return (time.process_time_ns() - begin) / 1e6


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    lines = [
        "| profile | darklens [ms] | lenstronomy [ms] | JAXtronomy [ms] | of lenstronomy "
        "| of JAXtronomy | largest difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, (ours, name, arguments) in rows().items():
        sides = [ours, theirs(name, arguments), compiled(name, arguments)]
        found = [side for side in sides if side is not None]
        for side in found * 2:
            side()
        taken = np.median([[milliseconds(side) for side in found] for _ in range(repeats)], axis=0)
        times = [*taken, np.nan][:3]
        truth = np.asarray(found[1]())
        difference = float(np.abs(np.asarray(ours()) - truth).max() / np.abs(truth).max())
        jax_time, factor = ("-", "-")
        if np.isfinite(times[2]):
            jax_time, factor = f"{times[2]:.2f}", f"{times[2] / times[0]:.1f} x as fast"
        lines.append(
            f"| {title} | {times[0]:.2f} | {times[1]:.2f} | {jax_time} "
            f"| {times[1] / times[0]:.1f} x as fast | {factor} | {difference:.0e} |"
        )
        print(lines[-1], flush=True)
    from darklens.train.cards import machine_name  # torch

    names = [name for name in ("lenstronomy", "jaxtronomy", "jax", "numba") if find_spec(name)]
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    head = [
        "# Profiles beside lenstronomy and JAXtronomy",
        "",
        f"{machine_name()}, one used, {date.today()}, `python benchmarks/profiles.py`, {versions}. "
        f"Load average of the machine: {os.getloadavg()[0]:.1f}.",
        "",
        f"150 x 150 rays, double precision, one thread: median processor time of {repeats} calls.",
        "",
    ]
    RESULT.write_text("\n".join([*head, *lines]) + "\n")


if __name__ == "__main__":
    main()
