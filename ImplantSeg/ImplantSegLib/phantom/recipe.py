"""From what a person asks for (site, weeks, degradation rate, contact) to the fields that have it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numba import njit

from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom import sample
from ImplantSegLib.phantom.bone import SITES, bone
from ImplantSegLib.phantom.corrosion import corrosion, relief
from ImplantSegLib.phantom.explant import ATTENUATION, Explant, contact_level
from ImplantSegLib.phantom.noise import stream
from ImplantSegLib.phantom.screw import Screw, screw_distance

DAYS_PER_YEAR = 365.25
AXIAL_MM = {"diaphysis": 11.3, "metaphysis": 7.0, "epiphysis": 6.0}
"""Where the middle of the field of view lies along the screw, mm from the tip, by site."""


@dataclass(frozen=True)
class Beamline:
    """A beamline's field of view and energy (the paper's table 2)."""

    energy_kev: int
    width_mm: float
    height_mm: float
    circular: bool


BEAMLINES = {
    "p05": Beamline(energy_kev=50, width_mm=7.3, height_mm=3.5, circular=False),
    "p07": Beamline(energy_kev=60, width_mm=11.4, height_mm=3.4, circular=True),
}


@dataclass(frozen=True)
class PhantomJob:
    """What a phantom shall be; ``None`` is drawn from the seed.

    Parameters
    ----------
    seed : int
        Seed of everything: the same seed gives the same bytes.
    weeks : float
        Healing time.
    site : {"diaphysis", "epiphysis", "metaphysis"}
        Implantation site: cortical, sparse or denser trabecular bone.
    beamline : {"p05", "p07"}
        50 keV and a box, or 60 keV and a circular field of view.
    spacing_um : tuple of float
        Voxel size (z, y, x), µm.
    shape : tuple of int, optional
        Voxels (z, y, x); default: the beamline's whole field of view.
    degradation_rate : float, optional
        Target in mm per year over the true surface; default: 0.75 · (weeks/4)^-0.6, the trend of
        doi 10.1093/rb/rbac077, within ± 15 %.
    contact_percent : float, optional
        Target of the bone-implant contact, 2 to 80.
    tilt_deg : float, optional
        Angle between the screw's axis and z; default: up to 12°.
    axial_mm : float, optional
        Position of the field of view's middle along the screw, from the tip; default: by site, ± 1.5 mm.
    supersampling : int
        Points per voxel edge for partial volume.
    noise : float
        Factor on the noise of the beamline.
    screw : Screw
        The screw.
    """

    seed: int = 0
    weeks: float = 12.0
    site: Literal["diaphysis", "epiphysis", "metaphysis"] = "metaphysis"
    beamline: Literal["p05", "p07"] = "p05"
    spacing_um: tuple[float, float, float] = (10.0, 10.0, 10.0)
    shape: tuple[int, int, int] | None = None
    degradation_rate: float | None = None
    contact_percent: float | None = None
    tilt_deg: float | None = None
    axial_mm: float | None = None
    supersampling: int = 2
    noise: float = 1.0
    screw: Screw = field(default_factory=Screw)

    def __post_init__(self) -> None:
        if self.site not in SITES:
            raise InputError(f"got site {self.site!r}", f"choose one of: {', '.join(SITES)}")
        if self.beamline not in BEAMLINES:
            raise InputError(f"got beamline {self.beamline!r}", f"choose one of: {', '.join(BEAMLINES)}")
        if not 0 < self.weeks < math.inf:
            raise InputError(f"got a healing time of {self.weeks} weeks, wanted a number above 0", "pass --weeks 12")
        if self.contact_percent is not None and not 2 <= self.contact_percent <= 80:
            raise InputError(f"got a contact of {self.contact_percent} %, wanted 2 to 80", "pass --contact-percent")
        if not 0 <= self.noise < math.inf:
            raise InputError(f"got noise {self.noise}, wanted a factor of at least 0", "pass --noise 1")
        if min(self.spacing_um) < 2.0:
            raise InputError(f"got a voxel of {min(self.spacing_um)} µm, wanted at least 2", "pass --spacing-um")
        if self.shape is not None and min(self.shape) < 16:
            raise InputError(f"got shape {self.shape}, wanted at least 16 voxels along each axis", "pass --shape")

    @property
    def voxels(self) -> tuple[int, int, int]:
        """Shape (z, y, x)."""
        if self.shape:
            return self.shape
        view = BEAMLINES[self.beamline]
        extent_um = (1000 * view.height_mm, 1000 * view.width_mm, 1000 * view.width_mm)
        z, y, x = (round(length / step) for length, step in zip(extent_um, self.spacing_um, strict=True))
        return z, y, x


@dataclass(frozen=True)
class Phantom:
    """A phantom ready to be sampled: its frame and its fields, and what was drawn."""

    job: PhantomJob
    frame: sample.Frame
    explant: Explant
    drawn: dict[str, float]

    def parameters(self) -> dict[str, Any]:
        """Every number that the phantom depends on."""
        return {
            **asdict(self.job),
            "shape": self.frame.shape,
            "drawn": self.drawn,
            "attenuation_per_cm": self.explant.mu._asdict(),
        }


def prepare(job: PhantomJob, effort: float = 1.0) -> Phantom:
    """Draw what is open, then solve for the depth scale and the contact level that meet the targets.

    Parameters
    ----------
    job : PhantomJob
        What it shall be.
    effort : float
        Factor on the number of random points by which the targets are met; with fewer they are missed by more.

    Raises
    ------
    InputError
        When the screw does not lie in the field of view, or no depth of corrosion gives the rate.
    """
    rng = np.random.Generator(np.random.Philox(stream(job.seed, "recipe")))
    drawn = {
        "degradation_rate": 0.75 * (job.weeks / 4) ** -0.6 * rng.uniform(0.85, 1.15),
        "contact_percent": rng.uniform(6, 58),
        "tilt_deg": rng.uniform(0, 12),
        "axial_mm": AXIAL_MM[job.site] + rng.uniform(-1.5, 1.5),
        "swelling": rng.uniform(0.1, 0.35),
        "detachment_mm": rng.uniform(0.012, 0.03),
        "crack_mm": rng.uniform(0.008, 0.018),
    }
    drawn |= {key: value for key in drawn if (value := getattr(job, key, None)) is not None}
    # a layer in pieces has much surface inside, which bone cannot touch
    drawn["damage"] = 0.2 * rng.uniform(0.2, 1) * min(1.0, max(0.0, 1.6 - drawn["contact_percent"] / 50))
    frame = _frame(job, drawn, rng)
    wear = corrosion(job.seed, drawn["swelling"], drawn["detachment_mm"], drawn["crack_mm"], drawn["damage"])
    mu = ATTENUATION[BEAMLINES[job.beamline].energy_kev]
    explant = Explant(job.screw.shape, wear, bone(job.seed, job.site), mu, stream(job.seed, "tissue"))
    explant = _corrode(explant, frame, job, drawn["degradation_rate"], effort)
    explant = _touch(explant, frame, job.seed, drawn["contact_percent"], effort)
    return Phantom(job, frame, explant, drawn)


def _frame(job: PhantomJob, drawn: dict[str, float], rng: np.random.Generator) -> sample.Frame:
    shape = job.voxels
    z, y, x = (step / 1000 for step in job.spacing_um)
    origin = (-(shape[2] - 1) * x / 2, -(shape[1] - 1) * y / 2, -(shape[0] - 1) * z / 2)
    shift = rng.uniform(-0.15, 0.15, 2)
    pose = _pose(math.radians(drawn["tilt_deg"]), rng) @ _translation(shift[0], shift[1], 0.0)
    pose = _translation(0, 0, drawn["axial_mm"]) @ pose
    view = BEAMLINES[job.beamline]
    radius = min(shape[1], shape[2], 1000 * view.width_mm / job.spacing_um[2]) / 2 - 0.5
    return sample.Frame(
        shape=shape,
        spacing=(z, y, x),
        origin=origin,
        pose=tuple(tuple(float(value) for value in row) for row in pose[:3]),  # type: ignore[arg-type]
        centre_y=(shape[1] - 1) / 2,
        centre_x=(shape[2] - 1) / 2,
        radius=radius if view.circular else math.inf,
    )


def _pose(tilt: float, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Rotation scan → screw: any roll, a tilt in any direction, and either end up."""
    azimuth, roll = rng.uniform(0, 2 * math.pi, 2)
    up = rng.integers(2) * math.pi
    rotation = np.eye(4)
    rotation[:3, :3] = _about_z(roll) @ _about_x(up + tilt) @ _about_z(azimuth)
    return rotation


def _about_z(angle: float) -> np.ndarray[Any, Any]:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _about_x(angle: float) -> np.ndarray[Any, Any]:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _translation(x: float, y: float, z: float) -> np.ndarray[Any, Any]:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def _random_voxels(frame: sample.Frame, count: int, seed: int) -> np.ndarray[Any, Any]:
    """Draw voxels of the field of view, shape (about count, 3)."""
    rng = np.random.Generator(np.random.Philox(seed))
    voxels = rng.integers((0, 0, 0), frame.shape, size=(count, 3))
    radius2 = (voxels[:, 1] - frame.centre_y) ** 2 + (voxels[:, 2] - frame.centre_x) ** 2
    return voxels[radius2 <= frame.radius**2]


def _to_screw(points: np.ndarray[Any, Any], frame: sample.Frame) -> np.ndarray[Any, Any]:
    """Points in the screw's frame of indices (N, 3) in (z, y, x)."""
    world = points[:, ::-1] * frame.spacing[::-1] + frame.origin
    pose = np.asarray(frame.pose)
    return world @ pose[:, :3].T + pose[:, 3]


def _corrode(explant: Explant, frame: sample.Frame, job: PhantomJob, rate: float, effort: float) -> Explant:
    """Choose the depth scale that loses the volume of the wanted rate.

    A point is lost where f > -scale · relief, that is where -f / relief < scale: the scale is a quantile of that
    ratio over random points of the screw.
    """
    voxels = _random_voxels(frame, round(effort * 400_000), stream(job.seed, "corrode"))
    points = _to_screw(voxels.astype(float), frame)
    inside = points[job.screw.signed_distance(points) < 0]
    if len(inside) < effort * 2000:
        raise InputError("the screw hardly lies in the field of view", "pass another --axial-mm or a larger --shape")
    ratio = _loss_ratios(inside, explant)
    surface, volume = _reference_surface_and_volume(explant, frame, job.seed, len(inside) / len(voxels), effort)
    if surface <= 0:
        raise InputError("the field of view lies inside the screw and sees no surface of it", "pass a larger --shape")
    lost = rate * job.weeks * 7 / DAYS_PER_YEAR * surface / volume
    if not 0 < lost < 0.95:
        raise InputError(
            f"{rate:.3g} mm/a over {job.weeks:g} weeks takes {100 * lost:.0f} % of the screw, wanted 0 to 95 %",
            "pass a smaller --degradation-rate or fewer --weeks",
        )
    scale = float(np.quantile(ratio, lost))
    return explant._replace(corrosion=explant.corrosion._replace(depth_scale=scale))


def _reference_surface_and_volume(
    explant: Explant, frame: sample.Frame, seed: int, share: float, effort: float
) -> tuple[float, float]:
    """Area (mm²) and volume (mm³) of the original screw in the field of view, from random segments."""
    length = 0.05
    voxels = _random_voxels(frame, round(effort * 1_500_000), stream(seed, "area"))
    view = _view_volume(frame)
    _, crossings = sample.surface_points(voxels, length, frame, explant, stream(seed, "segments"))
    return 2 * crossings / (len(voxels) * length) * view, share * view


def _view_volume(frame: sample.Frame) -> float:
    z, y, x = frame.shape
    area = math.pi * frame.radius**2 if math.isfinite(frame.radius) else y * x
    return float(z * area * np.prod(frame.spacing))


def _touch(explant: Explant, frame: sample.Frame, seed: int, percent: float, effort: float) -> Explant:
    """Choose the level of the contact field above which bone touches: a quantile over random surface points."""
    voxels = _random_voxels(frame, round(effort * 2_500_000), stream(seed, "touch"))
    points, _ = sample.surface_points(voxels, 0.01, frame, explant, stream(seed, "contact segments"))
    levels = np.sort(_contact_levels(points, explant))[::-1]
    rank = round(percent / 100 * len(levels))
    if rank >= np.isfinite(levels).sum():
        raise InputError(
            f"cracks and pits leave only {100 * np.isfinite(levels).mean():.0f} % of the surface to bone, "
            f"wanted a contact of {percent:g} %",
            "pass a smaller --contact-percent",
        )
    return explant._replace(bone=explant.bone._replace(contact=float(levels[rank])))


@njit(cache=True)
def _loss_ratios(points: np.ndarray[Any, Any], e: Explant) -> np.ndarray[Any, Any]:
    ratios = np.empty(len(points))
    for n, (x, y, z) in enumerate(points):
        f = screw_distance(x, y, z, e.screw)
        ratios[n] = -f / relief(x, y, z, f, e.corrosion)
    return ratios


@njit(cache=True)
def _contact_levels(points: np.ndarray[Any, Any], e: Explant) -> np.ndarray[Any, Any]:
    levels = np.empty(len(points))
    for n, (x, y, z) in enumerate(points):
        levels[n] = contact_level(x, y, z, e)
    return levels
