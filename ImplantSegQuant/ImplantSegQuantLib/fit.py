"""How well a reference lies on a scan: the two-way score that chooses a pose, and the figures told to the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.align import Stage, final_stages, offset_at, refine
from ImplantSegQuantLib.field import NO_SURFACE_MM, DistanceField
from ImplantSegQuantLib.surface import Scan, surface_points

Array = np.ndarray[Any, Any]

SCORE_POINTS = 6000
"""Surface points of each side that enter the score."""

SOUND_MM = 0.05
"""A flank is sound when it lies this near to the reference, more than the layer swells (or ``SOUND_NODES``)."""

SOUND_NODES = 1.5
"""The same in nodes of the averaged scan, for coarse voxels."""

OUTSIDE_LIMIT_PERCENT = 2.5
"""A fit is refused when more of the implant than this lies outside the reference (right screws: 0.1 at most)."""

SOUND_LIMIT_PERCENT = 12.0
"""A fit is refused when less than this of the surface is sound (a right screw that has lost half its volume: 20)."""

FILLED_LIMIT_PERCENT = 25.0
"""A fit is refused when less than this of the reference in the field of view is implant."""

OFFSET_LIMIT_NODES = 1.25
"""A fit is refused when the labels seem this much too thick or too thin and less than half the surface is sound."""

VOLUME_WARNING_PERCENT = 1.0
"""An initial volume that is less certain than this is told: at a loss of 20 % it is a twentieth of the loss."""

VOLUME_WARNING_DEVIATIONS = 4.0
"""Standard deviations of ``volume_spread_percent`` by which the volume has been off, errors that all patches share
included."""

FIRST_SLIDE_MM, SLIDE_STEP_MM, LONGEST_SLIDE_MM = 0.1, 0.8, 60.0
"""The first and the longest step, and the most, that are gone along the reference's easiest slide for the ambiguity.
One turn of a screw of 3.5 mm is 9 mm."""

SLIDE_VOLUMES = 12
"""Poses of a slide at which the volume is taken, spread evenly."""

LED_FROM_MM, GUIDE_POINTS = 0.4, 1500
"""From where on a slide is led by the surface, and by how many points of it."""

SLIDE_COST = 0.003
"""A slide that raises the mean robust cost by less than this cannot be told from the pose."""


@dataclass(frozen=True)
class Pair:
    """A scan and the reference that is to be laid on it."""

    scan: Scan
    field: DistanceField

    @cached_property
    def reference_points(self) -> Array:
        """Points (N, 3) of the reference's surface, in a mixed order."""
        return surface_points(self.field)

    def score(self, matrix: Array, scale_mm: float) -> float:
        """Two-way robust distance of the surfaces in [0, 1], 0 best.

        Half comes from the scan's surface seen from the reference, half from the part of the reference's
        surface in the field of view seen from the scan: a scan that hides inside a thicker part of the
        reference is found out by the second half.
        """
        one = self.field.rigid_cost(self.scan.points_mm[:SCORE_POINTS], matrix, scale_mm)
        distance = self.scan.field.sample(self.seen_points(matrix, 2 * SCORE_POINTS))
        if not distance.size:
            return 0.5 * one + 0.5
        return 0.5 * one + 0.5 * float(np.mean(distance**2 / (distance**2 + scale_mm**2)))

    def seen_points(self, matrix: Array, count: int) -> Array:
        """Those of the first points of the reference's surface that lie in the field of view, in the scan's world."""
        inverse = np.linalg.inv(matrix)
        points = self.reference_points[:count] @ inverse[:3, :3].T + inverse[:3, 3]
        return np.asarray(points[self.scan.field.sample(points) < 0.01 * NO_SURFACE_MM])


def quality(pair: Pair, matrix: Array) -> dict[str, float]:
    """Figures of a fit.

    Returns
    -------
    dict
        ``surface_distance_mean_um`` and ``surface_distance_95_um``: distance of the sound flanks from the
        reference. ``boundary_offset_um``: how much too thick (or thin, negative) the labels are on them all over.
        ``sound_percent``: share of the scan's implant surface that is sound. ``outside_percent``:
        share of the implant's volume clearly outside the reference. ``filled_percent``: share of the
        reference in the field of view that is implant. ``score``: the two-way score in [0, 1], 0 best.
        ``slide_um``: how far the surface can slide along the reference's easiest motion (on a bare shank: the
        helix) without being told from this pose. ``slide_volume_percent``: how much the volume of the
        reference in the field of view changes on that way.
    """
    scan, sound_mm = pair.scan, max(SOUND_MM, SOUND_NODES * pair.scan.node_mm)
    distance = pair.field.sample(scan.points_mm @ matrix[:3, :3].T + matrix[:3, 3])
    sound = np.abs(distance[np.abs(distance) <= sound_mm])
    inside = pair.field.sample(scan.inside_mm[:100_000] @ matrix[:3, :3].T + matrix[:3, 3])
    slide_mm, slide_volume = _slide(pair, matrix)
    return {
        "surface_distance_mean_um": 1000 * float(sound.mean()) if sound.size else float("nan"),
        "surface_distance_95_um": 1000 * float(np.percentile(sound, 95)) if sound.size else float("nan"),
        "boundary_offset_um": 1000 * offset_at(pair.field, scan.points_mm, matrix, final_stages(scan.node_mm)[0]),
        "sound_percent": 100 * sound.size / max(distance.size, 1),
        "outside_percent": 100 * float(np.mean(inside > sound_mm)),
        "filled_percent": _filled_percent(pair, matrix),
        "score": pair.score(matrix, 2 * sound_mm),
        "slide_um": 1000 * slide_mm,
        "slide_volume_percent": slide_volume,
    }


def warnings(figures: Mapping[str, float]) -> list[str]:
    """Say where the initial volume hangs on a pose that the labels do not settle."""
    spread, rivals = (figures.get(name, 0.0) for name in ("volume_spread_percent", "rival_volume_percent"))
    uncertain = max(VOLUME_WARNING_DEVIATIONS * spread if np.isfinite(spread) else 0.0, rivals)
    if uncertain < VOLUME_WARNING_PERCENT:
        return []
    return [
        f"the pose of the reference is uncertain: other poses that fit as well change the initial volume by up to "
        f"{uncertain:.1f} %, and the volume loss by as much; look at the fit, or pass a pose that is known"
    ]


def check(figures: dict[str, float], source: str, node_mm: float) -> None:
    """Refuse a fit that cannot be right.

    Raises
    ------
    InputError
        With the figures that speak against it.
    """
    offset_nodes = abs(figures["boundary_offset_um"]) / (1000 * node_mm)
    if (
        figures["outside_percent"] <= OUTSIDE_LIMIT_PERCENT
        and figures["sound_percent"] >= SOUND_LIMIT_PERCENT
        and figures["filled_percent"] >= FILLED_LIMIT_PERCENT
        and (offset_nodes < OFFSET_LIMIT_NODES or figures["sound_percent"] >= 50)
    ):
        return
    raise InputError(
        f"the reference {source} does not fit the implant: {figures['outside_percent']:.1f} % of the implant lies "
        f"outside it (at most {OUTSIDE_LIMIT_PERCENT:g}), {figures['sound_percent']:.0f} % of the surface touches it "
        f"(at least {SOUND_LIMIT_PERCENT:g}) and lies {figures['boundary_offset_um']:+.0f} µm from it all over, "
        f"{figures['filled_percent']:.0f} % of it is implant (at least {FILLED_LIMIT_PERCENT:g})",
        "check that it is the same type of screw in the same units and that labels 1 and 2 are the implant, "
        "or give another pose to start from",
    )


def _grid(pair: Pair) -> tuple[Array, Array]:
    """Nodes (N, 3) of the scan's coarse field inside the field of view, in the scan's world, and their distances."""
    nodes = np.argwhere(pair.scan.field.values < 0.5 * NO_SURFACE_MM)
    world = np.linalg.inv(pair.scan.field.index_from_world)
    return nodes @ world[:3, :3].T + world[:3, 3], pair.scan.field.values[tuple(nodes.T)]


def _filled_percent(pair: Pair, matrix: Array) -> float:
    nodes, implant = _grid(pair)
    inside = pair.field.sample(nodes @ matrix[:3, :3].T + matrix[:3, 3]) < 0
    return 100 * float(np.mean(implant[inside] < 0)) if inside.any() else 0.0


def volumes(pair: Pair, matrices: Sequence[Array]) -> list[float]:
    """Volume of the reference in the field of view at several poses, in nodes of the scan's coarse field."""
    nodes, _ = _grid(pair)
    return [_volume(pair, nodes, matrix) for matrix in matrices]


def _volume(pair: Pair, nodes: Array, matrix: Array) -> float:
    """Volume of the reference in the field of view, in nodes; those at the surface count in part."""
    distance = pair.field.sample(nodes @ matrix[:3, :3].T + matrix[:3, 3])
    return float(np.clip(0.5 - distance / min(pair.scan.field.spacing_mm), 0, 1).sum())


def _slide(pair: Pair, matrix: Array) -> tuple[float, float]:
    """Length in mm of the slide that cannot be told apart, and the range of the volume along it in percent."""
    if not pair.seen_points(matrix, 4 * SCORE_POINTS).size:
        return float("nan"), float("nan")  # a pose that takes the reference out of sight
    slide = easiest_slide(pair, matrix)
    way = [*_along(pair, matrix, slide, 1.0), *_along(pair, matrix, slide, -1.0)]
    some = np.unique(np.linspace(0, len(way) - 1, SLIDE_VOLUMES).astype(int)) if way else ()
    found = volumes(pair, [matrix, *(way[i][1] for i in some)])
    longest_mm = max((length_mm for length_mm, _ in way), default=0.0)
    return longest_mm, 100 * float(np.ptp(found)) / max(found[0], 1e-9)


def _along(pair: Pair, matrix: Array, slide: tuple[Array, Array, Array], sign: float) -> Iterator[tuple[float, Array]]:
    """Poses on a slide to one side, with the length in mm to each, as long as they cannot be told from the first.

    A slide that has gone its first steps is led by the surface from there on: the least error of its pitch would end it
    within a turn.
    """
    # only the scan's own points: the same ones before and after, so that the sample adds no noise
    points, scale_mm = pair.scan.points_mm[:SCORE_POINTS], 2 * pair.scan.node_mm
    most = pair.field.rigid_cost(points, matrix, scale_mm) + SLIDE_COST
    length_mm, guide = 0.0, Stage(scale_mm, steps=3)
    while length_mm < LONGEST_SLIDE_MM:
        step_mm = min(max(length_mm, FIRST_SLIDE_MM), SLIDE_STEP_MM)
        moved = screw_motion(slide, sign * step_mm) @ matrix
        if length_mm >= LED_FROM_MM:
            led = refine(pair.field, points[:GUIDE_POINTS], moved, (guide,)).matrix
            if _distance_mm(points, led, matrix) < step_mm / 2:
                return  # drawn back to where it came from
            moved = led
        if pair.field.rigid_cost(points, moved, scale_mm) > most:
            return
        length_mm, matrix = length_mm + step_mm, moved
        yield length_mm, matrix


def _distance_mm(points: Array, one: Array, other: Array) -> float:
    """Root mean square distance between the places to which two poses take points."""
    difference = one - other
    moved = points @ difference[:3, :3].T + difference[:3, 3]
    return float(np.sqrt((moved**2).sum(axis=1).mean()))


def screw_motion(slide: tuple[Array, Array, Array], length_mm: float) -> Array:
    """Rigid matrix (4, 4) of a slide of some length, however long: the exponential of its twist."""
    from scipy.linalg import expm

    rotation, translation, centre = slide
    twist = np.zeros((4, 4))
    twist[:3, :3] = np.cross(np.eye(3), rotation)
    twist[:3, 3] = translation - np.cross(rotation, centre)
    return np.asarray(expm(length_mm * twist))


def easiest_slide(pair: Pair, matrix: Array) -> tuple[Array, Array, Array]:
    """Rotation vector, translation and centre of the motion that moves the reference most along itself.

    The motion is scaled to 1 mm of mean displacement of the surface in the field of view (slippage
    analysis: Gelfand & Guibas 2004, doi:10.1145/1057432.1057461).
    """
    seen = pair.seen_points(matrix, 4 * SCORE_POINTS) @ matrix[:3, :3].T + matrix[:3, 3]
    _, normals = pair.field.sample_with_gradient(seen)
    centre = seen.mean(axis=0)
    arm = seen - centre
    length = float(np.sqrt((arm**2).sum(axis=1).mean()))
    columns = np.hstack([np.cross(arm, normals) / length, normals])
    twist = np.linalg.eigh(columns.T @ columns)[1][:, 0]
    rotation, translation = twist[:3] / length, twist[3:]
    moved = np.cross(rotation, arm) + translation
    scale = 1 / float(np.sqrt((moved**2).sum(axis=1).mean()))
    return scale * rotation, scale * translation, centre
