"""Volume and surface of the registered reference inside the field of view, in mm³ and mm²."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegLib import threads
from ImplantSegLib.metrics import face_areas_mm2

Array = np.ndarray[Any, Any]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """Size of the reference inside the field of view.

    Parameters
    ----------
    volume_mm3 : float
        Volume, integrated with sub-voxel weights.
    faces_mm2 : float
        Area of the voxel faces between voxel centres inside and outside.
    area_mm2 : float
        Area of the surface itself, whatever its orientation.
    surface_voxels_mm2 : float
        Number of voxels inside that share a face with one outside, times the (mean) area of a voxel's face.
    """

    volume_mm3: float
    faces_mm2: float
    area_mm2: float
    surface_voxels_mm2: float


class ShapeMeter:
    """Measures a body by its signed distance, slab by slab; no result depends on where the slabs are cut.

    The volume weights a voxel with the part of it that lies behind a plane: the plane has the gradient of the
    distance (central differences) and the mean distance over the voxel, which is the distance at its centre plus
    a 24th of the second differences; so the error by the surface's curvature drops out. The area is the integral
    of a linear hat function of the distance, as wide on both sides as the sum of its absolute first differences
    (Engquist, Tornberg & Tsai 2005, doi:10.1016/j.jcp.2004.09.018).

    Parameters
    ----------
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    """

    def __init__(self, spacing_mm: Triple) -> None:
        self._spacing_mm = spacing_mm
        self._slices: list[Array] = []
        self._counts = np.zeros(4, np.int64)  # faces per axis, and surface voxels

    def add(self, distance_mm: Array, inside: Array, inner: slice) -> None:
        """Take in the next slices.

        Parameters
        ----------
        distance_mm : float32, shape (Z, Y, X)
            Signed distance at the voxel centres, with one slice more on both sides where there is one.
        inside : bool, shape (Z, Y, X)
            The field of view.
        inner : slice
            Which slices are meant; the others are neighbours.
        """
        from ImplantSegQuantLib.field_kernels import count_surface, integrate

        spacing = np.array(self._spacing_mm)
        distance_mm, inside = np.ascontiguousarray(distance_mm), np.ascontiguousarray(inside)
        for measures, counts in threads.each_range(
            lambda low, high: (
                integrate(distance_mm, inside, (low, high), spacing),
                count_surface(distance_mm, inside, (low, high)),
            ),
            inner.start,
            inner.stop,
        ):
            self._slices.append(measures)
            self._counts += counts

    def shape(self) -> Shape:
        """Give what was measured."""
        volumes, areas = np.concatenate(self._slices).T
        face_areas = face_areas_mm2(self._spacing_mm)
        return Shape(
            volume_mm3=math.fsum(volumes) * float(np.prod(self._spacing_mm)),
            faces_mm2=float(self._counts[:3] @ face_areas),
            area_mm2=math.fsum(areas),
            surface_voxels_mm2=int(self._counts[3]) * float(face_areas.mean()),
        )
