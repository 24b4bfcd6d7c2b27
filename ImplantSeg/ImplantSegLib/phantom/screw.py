"""The parametric cortical screw: its shape as a signed distance, exact in sign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange

from ImplantSegLib.errors import InputError

HEX_COSINE = math.cos(math.pi / 6)


class ScrewShape(NamedTuple):
    """The numbers of a screw as compiled code wants them, all in mm."""

    core: float
    outer: float
    length: float
    pitch: float
    root: float
    lead: float
    crest: float
    tip_radius: float
    tip_slope: float
    head_radius: float
    head_height: float
    socket_depth: float
    socket_flat: float


@dataclass(frozen=True)
class Screw:
    """A cortical bone screw; the defaults are the ZX00 screw of doi 10.3389/fphy.2024.1257512 (3.5 mm × 16 mm).

    Its frame: axis along +z, the tip at z = 0, the top of the head at z = length. The thread is right-handed.

    Parameters
    ----------
    diameter_mm, length_mm : float
        Outer diameter of the thread; total length with the head.
    thread_depth_mm, pitch_mm : float
        Height of the thread above the core; axial distance of its turns.
    crest_mm, lead_mm, root_mm : float
        Axial length of the thread's crest, of its steep flank and of the core between two turns; the
        sloping flank is what is left of the pitch.
    head_diameter_mm, head_height_mm : float
        Head, with a 45° underside.
    socket_mm, socket_depth_mm : float
        Hexagon across flats and its depth.
    tip_mm : float
        Length over which the tip tapers to a quarter of the core's radius.

    Raises
    ------
    InputError
        When the numbers do not make a screw.
    """

    diameter_mm: float = 3.5
    length_mm: float = 16.0
    thread_depth_mm: float = 0.5
    pitch_mm: float = 1.25
    crest_mm: float = 0.15
    lead_mm: float = 0.2
    root_mm: float = 0.45
    head_diameter_mm: float = 5.0
    head_height_mm: float = 2.2
    socket_mm: float = 2.5
    socket_depth_mm: float = 1.2
    tip_mm: float = 1.8

    def __post_init__(self) -> None:
        if not 0 < 2 * self.thread_depth_mm < self.diameter_mm:
            raise InputError(
                f"got a thread depth of {self.thread_depth_mm} mm on a diameter of {self.diameter_mm} mm",
                "the thread must be thinner than the radius",
            )
        if self.crest_mm + self.lead_mm + self.root_mm >= self.pitch_mm:
            raise InputError(
                f"got crest + flank + root = {self.crest_mm + self.lead_mm + self.root_mm:.3g} mm "
                f"for a pitch of {self.pitch_mm} mm",
                "they must leave room for the second flank",
            )
        if self.length_mm <= self.head_height_mm + self.tip_mm:
            raise InputError(
                f"got a screw of {self.length_mm} mm, wanted more than head and tip", "pass a larger length"
            )

    @property
    def shape(self) -> ScrewShape:
        """Numbers for :func:`screw_distance`."""
        core = self.diameter_mm / 2 - self.thread_depth_mm
        return ScrewShape(
            core=core,
            outer=self.diameter_mm / 2,
            length=self.length_mm,
            pitch=self.pitch_mm,
            root=self.root_mm,
            lead=self.lead_mm,
            crest=self.crest_mm,
            tip_radius=core / 4,
            tip_slope=(self.diameter_mm / 2 - core / 4) / self.tip_mm,
            head_radius=self.head_diameter_mm / 2,
            head_height=self.head_height_mm,
            socket_depth=self.socket_depth_mm,
            socket_flat=self.socket_mm / 2,
        )

    @property
    def bounds_mm(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Lower and upper corner (x, y, z) of the box round the screw, in its frame."""
        radius = max(self.diameter_mm, self.head_diameter_mm) / 2
        return (-radius, -radius, 0.0), (radius, radius, self.length_mm)

    def signed_distance(self, points: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Signed distance of points to the surface, in mm.

        Parameters
        ----------
        points : array of float, shape (N, 3)
            Points (x, y, z) in the screw's frame, mm.

        Returns
        -------
        array of float32, shape (N,)
            Negative inside. The sign is exact; the value is the distance in the plane through axis and point
            (1 % more than the true distance on the thread) and a lower bound beside edges of head and tip.
        """
        return _distances(np.ascontiguousarray(points, dtype=np.float64), self.shape)


@njit(cache=True, parallel=True)
def _distances(points: np.ndarray[Any, Any], shape: ScrewShape) -> np.ndarray[Any, Any]:
    result = np.empty(len(points), np.float32)
    for n in prange(len(points)):
        result[n] = screw_distance(points[n, 0], points[n, 1], points[n, 2], shape)
    return result


@njit(cache=True)
def screw_distance(x: float, y: float, z: float, s: ScrewShape) -> float:
    """Signed distance of one point (mm, the screw's frame) to the surface; negative inside."""
    r = math.sqrt(x * x + y * y)
    shaft = _thread_distance(r, math.atan2(y, x), z, s)
    # the tip's cone also caps the shaft at z = 0
    slope = 1.0 / math.sqrt(1.0 + s.tip_slope * s.tip_slope)
    cone = (r - s.tip_radius - s.tip_slope * z) * slope
    body = max(shaft, cone, -z, z - s.length)
    under = (r - s.head_radius + (s.length - s.head_height + s.head_radius - s.core - z)) * math.sqrt(0.5)
    head = max(r - s.head_radius, z - s.length, under)
    return max(min(body, head), -_socket_distance(x, y, z, s))


@njit(cache=True)
def _thread_distance(r: float, angle: float, z: float, s: ScrewShape) -> float:
    """Distance to the thread's profile in the plane (axial, radial); the profile repeats every pitch."""
    u = z - s.pitch * angle / (2.0 * math.pi)
    u -= s.pitch * math.floor(u / s.pitch)
    u0, u1, u2, u3 = 0.0, s.root, s.root + s.lead, s.root + s.lead + s.crest
    best = 1e9
    for turn in range(-1, 2):
        v = u + turn * s.pitch
        best = min(best, _segment(v, r, u0, s.core, u1, s.core), _segment(v, r, u1, s.core, u2, s.outer))
        best = min(best, _segment(v, r, u2, s.outer, u3, s.outer), _segment(v, r, u3, s.outer, s.pitch, s.core))
    distance = math.sqrt(best)
    return -distance if r < _profile(u, s) else distance


@njit(cache=True, inline="always")
def _profile(u: float, s: ScrewShape) -> float:
    """Radius of the thread at axial phase u in [0, pitch)."""
    u1, u2 = s.root, s.root + s.lead
    u3 = u2 + s.crest
    if u < u1:
        return s.core
    if u < u2:
        return s.core + (s.outer - s.core) * (u - u1) / s.lead
    if u < u3:
        return s.outer
    return s.outer - (s.outer - s.core) * (u - u3) / (s.pitch - u3)


@njit(cache=True, inline="always")
def _segment(px: float, py: float, ax: float, ay: float, bx: float, by: float) -> float:
    """Squared distance of a point to a segment of the plane."""
    dx, dy = bx - ax, by - ay
    t = ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)
    t = min(1.0, max(0.0, t))
    ex, ey = px - ax - t * dx, py - ay - t * dy
    return ex * ex + ey * ey


@njit(cache=True, inline="always")
def _socket_distance(x: float, y: float, z: float, s: ScrewShape) -> float:
    """Distance to the hexagonal hole in the head; negative in the hole."""
    ax, ay = abs(x), abs(y)
    hexagon = max(ax, 0.5 * ax + HEX_COSINE * ay) - s.socket_flat
    return max(hexagon, s.length - s.socket_depth - z)
