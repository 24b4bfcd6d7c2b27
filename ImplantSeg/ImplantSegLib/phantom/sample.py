"""Voxels of the continuous explant, slab by slab, and the counts from which its exact measures come.

Everything is a sum of whole numbers over points that depend on the voxel and the seed alone, so neither the slab
size nor the number of threads changes a bit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ImplantSegLib.phantom.corrosion import RELIEF_MAX, SWELLING_MAX
from ImplantSegLib.phantom.explant import BACKGROUND, BONE, LAYER, METAL, Explant, is_implant, material
from ImplantSegLib.phantom.noise import lattice_hash, next_hash, uniform
from ImplantSegLib.phantom.screw import screw_distance

ROI_MM = 1.0
"""Width of the region of interest round the reference screw (the paper's section 2.3.2)."""
SEGMENTS = 6
"""Random test segments per voxel near the implant's surface."""
_AT_ONCE = 100_000
"""Segments of one call of compiled code, some tenths of a second."""


class Frame(NamedTuple):
    """Where voxels are: shape (z, y, x), spacing (z, y, x) and origin (x, y, z) in mm, scan → screw pose, FOV circle.

    The field of view is the circle of ``radius`` voxels about (``centre_y``, ``centre_x``); a radius of inf is the box.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    pose: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
    centre_y: float
    centre_x: float
    radius: float


def view_text(frame: Frame) -> str:
    """Field of view as the metadata tell it."""
    if math.isinf(frame.radius):
        return "box"
    return f"circle:{frame.centre_y:g},{frame.centre_x:g},{frame.radius:g}"


class Counts(NamedTuple):
    """Columns of the counts per slice."""

    samples: int = 0
    reference: int = 1
    metal: int = 2
    layer: int = 3
    roi_bone: int = 4
    roi_background: int = 5
    crossings_reference: int = 6
    crossings_bone: int = 7
    crossings_background: int = 8
    crossings_metal: int = 9
    roi: int = 10


COLUMN = Counts()


@njit(cache=True, inline="always")
def to_screw(kz: float, jy: float, ix: float, g: Frame) -> tuple[float, float, float]:
    """Point in the screw's frame of an index (z, y, x), which need not be whole."""
    x = g.origin[0] + ix * g.spacing[2]
    y = g.origin[1] + jy * g.spacing[1]
    z = g.origin[2] + kz * g.spacing[0]
    a, b, c = g.pose
    return (
        a[0] * x + a[1] * y + a[2] * z + a[3],
        b[0] * x + b[1] * y + b[2] * z + b[3],
        c[0] * x + c[1] * y + c[2] * z + c[3],
    )


@njit(cache=True, inline="always")
def _in_view(jy: float, ix: float, g: Frame) -> bool:
    return (jy - g.centre_y) ** 2 + (ix - g.centre_x) ** 2 <= g.radius * g.radius


def sample_slab(
    start: int, depth: int, g: Frame, e: Explant, fine: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Sample ``depth`` slices from slice ``start`` (which may lie outside the volume) at fine³ + 1 points a voxel.

    Returns
    -------
    labels : array of uint8, shape (depth, Y, X)
        The material of most points; of the first in the table on a tie.
    attenuation : array of float32, shape (depth, Y, X)
        Mean attenuation of the points, 1/cm.
    counts : array of int64, shape (depth, 11)
        Points per slice, in the columns of :class:`Counts`; only points of slices inside the volume and the
        field of view count.
    """
    labels = np.empty((depth, *g.shape[1:]), np.uint8)
    attenuation = np.empty((depth, *g.shape[1:]), np.float32)
    counts = np.zeros((depth, len(COLUMN)), np.int64)
    _each_slice(lambda k: _sample_slice(start + k, g, e, fine, labels[k], attenuation[k], counts[k]), depth)
    return labels, attenuation, counts


def _each_slice(work: Callable[[int], None], depth: int) -> None:
    """Run compiled work that lets go of the interpreter on every slice, on all cores."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        list(pool.map(work, range(depth)))
    finally:  # a cancelled run does not wait for the slices at work
        pool.shutdown(wait=False, cancel_futures=True)


@njit(cache=True, nogil=True)
def _sample_slice(
    k: int,
    g: Frame,
    e: Explant,
    fine: int,
    labels: np.ndarray[Any, Any],
    attenuation: np.ndarray[Any, Any],
    counts: np.ndarray[Any, Any],
) -> None:
    diagonal = math.sqrt(g.spacing[0] ** 2 + g.spacing[1] ** 2 + g.spacing[2] ** 2)
    deep = -RELIEF_MAX * e.corrosion.depth_scale - diagonal
    unused = np.zeros(len(COLUMN), np.int64)
    for j in range(g.shape[1]):
        for i in range(g.shape[2]):
            own = counts if 0 <= k < g.shape[0] and _in_view(j, i, g) else unused
            x, y, z = to_screw(k, j, i, g)
            if x * x + y * y < 1.0 and screw_distance(x, y, z, e.screw) < deep:
                labels[j, i] = METAL
                attenuation[j, i] = e.mu.metal
                for column in (COLUMN.samples, COLUMN.reference, COLUMN.metal, COLUMN.roi):
                    own[column] += fine**3 + 1
            else:
                labels[j, i], attenuation[j, i] = _sample_voxel(k, j, i, g, e, fine, own)


@njit(cache=True, nogil=True)
def _sample_voxel(
    k: int, j: int, i: int, g: Frame, e: Explant, fine: int, own: np.ndarray[Any, Any]
) -> tuple[int, float]:
    """Label and mean attenuation of a voxel from a lattice of points and its centre."""
    label, mean, f = material(*to_screw(k, j, i, g), e)
    _count(label, f, own)
    votes = np.zeros(4, np.int64)
    votes[label] += 1
    for n in range(fine**3):
        dz = (n // (fine * fine) + 0.5) / fine - 0.5
        dy = (n // fine % fine + 0.5) / fine - 0.5
        dx = (n % fine + 0.5) / fine - 0.5
        label, mu, f = material(*to_screw(k + dz, j + dy, i + dx, g), e)
        _count(label, f, own)
        votes[label] += 1
        mean += mu
    return int(np.argmax(votes)), mean / (fine**3 + 1)


@njit(cache=True, inline="always")
def _count(label: int, f: float, own: np.ndarray[Any, Any]) -> None:
    own[COLUMN.samples] += 1
    if f < 0.0:
        own[COLUMN.reference] += 1
    if label == METAL:
        own[COLUMN.metal] += 1
    elif label == LAYER:
        own[COLUMN.layer] += 1
    if f <= ROI_MM:
        own[COLUMN.roi] += 1
        if label == BONE:
            own[COLUMN.roi_bone] += 1
        elif label == BACKGROUND:
            own[COLUMN.roi_background] += 1


def cross_slab(start: int, depth: int, g: Frame, e: Explant, seed: int) -> np.ndarray[Any, Any]:
    """Count crossings of surfaces by random segments of a quarter voxel, from random points of voxels near them.

    Cauchy–Crofton: area = 2 · crossings / (segments per volume · segment length). Returns counts per slice in the
    columns of :class:`Counts`, shape (depth, 11).
    """
    counts = np.zeros((depth, len(COLUMN)), np.int64)
    _each_slice(lambda k: _cross_slice(start + k, g, e, seed, counts[k]), depth)
    return counts


@njit(cache=True, nogil=True)
def _cross_slice(k: int, g: Frame, e: Explant, seed: int, own: np.ndarray[Any, Any]) -> None:
    length = segment_length(g)
    margin = 0.5 * math.sqrt(g.spacing[0] ** 2 + g.spacing[1] ** 2 + g.spacing[2] ** 2) + length
    low = -RELIEF_MAX * e.corrosion.depth_scale - margin
    high = SWELLING_MAX + margin
    for j in range(g.shape[1]):
        for i in range(g.shape[2]):
            x, y, z = to_screw(k, j, i, g)
            if not _in_view(j, i, g) or not low < screw_distance(x, y, z, e.screw) < high:
                continue
            h = lattice_hash(i, j, k, seed)
            for _ in range(SEGMENTS):
                h = _segment_crossings(h, k, j, i, length, g, e, own)


@njit(cache=True)
def segment_length(g: Frame) -> float:
    """Length of a test segment, mm: a quarter of the smallest voxel edge."""
    return 0.25 * min(g.spacing[0], g.spacing[1], g.spacing[2])


@njit(cache=True)
def random_segment(
    h: np.uint64, k: int, j: int, i: int, length: float, g: Frame
) -> tuple[np.uint64, tuple[float, float, float], tuple[float, float, float]]:
    """Draw a segment from a random point of a voxel in a random direction, in the screw's frame."""
    h = next_hash(h)
    dz = uniform(h) - 0.5
    h = next_hash(h)
    dy = uniform(h) - 0.5
    h = next_hash(h)
    dx = uniform(h) - 0.5
    h = next_hash(h)
    cosine = 2.0 * uniform(h) - 1.0
    h = next_hash(h)
    angle = 2.0 * math.pi * uniform(h)
    sine = math.sqrt(1.0 - cosine * cosine)
    x, y, z = to_screw(k + dz, j + dy, i + dx, g)
    end = (x + length * sine * math.cos(angle), y + length * sine * math.sin(angle), z + length * cosine)
    return h, (x, y, z), end


@njit(cache=True)
def _segment_crossings(
    h: np.uint64, k: int, j: int, i: int, length: float, g: Frame, e: Explant, own: np.ndarray[Any, Any]
) -> np.uint64:
    h, p, q = random_segment(h, k, j, i, length, g)
    a, _, fa = material(p[0], p[1], p[2], e)
    b, _, fb = material(q[0], q[1], q[2], e)
    if (fa < 0.0) != (fb < 0.0):
        own[COLUMN.crossings_reference] += 1
    if (a == METAL) != (b == METAL):
        own[COLUMN.crossings_metal] += 1
    implant_a = a in (METAL, LAYER)
    if implant_a != (b in (METAL, LAYER)):
        other = b if implant_a else a
        own[COLUMN.crossings_bone if other == BONE else COLUMN.crossings_background] += 1
    return h


def surface_points(
    voxels: np.ndarray[Any, Any], length: float, g: Frame, e: Explant, seed: int
) -> tuple[np.ndarray[Any, Any], int]:
    """Give the points outside the implant of the segments from given voxels (N, 3) that cross its surface.

    Returns
    -------
    points : array of float64, shape (M, 3)
        The segments' ends outside the implant, in the screw's frame.
    reference_crossings : int
        How many of the segments cross the original surface.
    """
    # piece by piece, as no cancellation interrupts compiled code
    starts = range(0, len(voxels), _AT_ONCE)
    parts = [_surface_points(voxels[n : n + _AT_ONCE], n, length, g, e, seed) for n in starts]
    return np.concatenate([points for points, _ in parts]), sum(int(crossings[0]) for _, crossings in parts)


@njit(cache=True)
def _surface_points(
    voxels: np.ndarray[Any, Any], first: int, length: float, g: Frame, e: Explant, seed: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Do the same for voxels that are numbered from ``first``."""
    points = np.empty((len(voxels), 3))
    found = 0
    reference = np.zeros(1, np.int64)
    for n in range(len(voxels)):
        k, j, i = voxels[n]
        _, p, q = random_segment(lattice_hash(first + n, 1, 0, seed), k, j, i, length, g)
        if (screw_distance(p[0], p[1], p[2], e.screw) < 0) != (screw_distance(q[0], q[1], q[2], e.screw) < 0):
            reference[0] += 1
        inside = is_implant(p[0], p[1], p[2], e)
        if inside != is_implant(q[0], q[1], q[2], e):
            for axis in range(3):
                points[found, axis] = q[axis] if inside else p[axis]
            found += 1
    return points[:found], reference
