"""Volume and surface of the registered reference inside the field of view, in mm³ and mm²."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegLib.metrics import OUTSIDE, FaceCounter, face_areas_mm2, surface_faces

Array = np.ndarray[Any, Any]
Triple = tuple[float, float, float]

_BODY, _REST = 1, 0


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
        self._faces = FaceCounter()
        self._surface_voxels = 0

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
        from ImplantSegLib.metrics import kernels
        from ImplantSegQuantLib import field_kernels

        ends = (inner.start, inner.stop)
        self._slices.append(field_kernels.integrate(distance_mm, inside, ends, np.array(self._spacing_mm)))
        known = inside & (distance_mm < field_kernels.BEYOND_MM)
        body = np.where(known, (distance_mm < 0).astype(np.uint8), np.uint8(OUTSIDE))
        self._faces.add(body[inner])
        touching = kernels.neighbour_bits(body, *ends) & (1 << _REST)
        self._surface_voxels += int(np.count_nonzero(touching[body[inner] == _BODY]))

    def shape(self) -> Shape:
        """Give what was measured."""
        volumes, areas = np.concatenate(self._slices).T
        face_areas = face_areas_mm2(self._spacing_mm)
        return Shape(
            volume_mm3=math.fsum(volumes) * float(np.prod(self._spacing_mm)),
            faces_mm2=float(surface_faces(self._faces.table(), {_BODY}) @ face_areas),
            area_mm2=math.fsum(areas),
            surface_voxels_mm2=self._surface_voxels * float(face_areas.mean()),
        )
