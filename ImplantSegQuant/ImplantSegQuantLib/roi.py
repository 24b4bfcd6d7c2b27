"""The region of interest: all that lies within 1 mm of the registered reference, its interior included."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from ImplantSegLib.volumes import Volume
    from ImplantSegQuantLib.pose import Pose
    from ImplantSegQuantLib.reference import Reference
    from ImplantSegQuantLib.sample import Sample

Array = np.ndarray[Any, Any]

ROI_MM = 1.0
"""How far the reference is enlarged, in mm (doi:10.3389/fphy.2024.1257512, section 2.3.2)."""

TOLERANCE_MM = 1e-6
"""Rounding that a voxel centre at exactly that distance may have."""


class Registered:
    """The distance to the registered reference at the voxels of a scan.

    Parameters
    ----------
    reference : Reference
        The implant before it degraded.
    pose : Pose
        From the scan to the reference.
    grid : Volume
        The scan; only its geometry is used.
    """

    def __init__(self, reference: Reference, pose: Pose, grid: Volume) -> None:
        self._reference, self._pose, self._grid = reference, pose, grid

    def __call__(self, z: slice) -> Array:
        """Signed distance in mm of some slices, float32 (Z, Y, X), negative inside."""
        from ImplantSegQuantLib.reference import distance_slab

        return distance_slab(self._reference, self._pose, self._grid, z)

    def within(self, z: slice, distance_mm: float) -> Array:
        """Tell which voxels of some slices are within a signed distance, bool (Z, Y, X)."""
        depth, *plane = self._grid.shape
        affine = self._pose.matrix @ self._grid.index_to_world
        slices = range(depth)[z]
        shape = (len(slices), plane[0], plane[1])
        return self._reference.field.within_grid(affine, slices.start, shape, distance_mm)


def within(distance_mm: Array, radius_mm: float = ROI_MM) -> Array:
    """Tell which voxels the enlarged reference covers, bool (Z, Y, X); in the field of view, they are the ROI.

    Parameters
    ----------
    distance_mm : float32, shape (Z, Y, X)
        Signed distance of the voxel centres to the surface of the whole registered reference: what the field
        of view cuts off still reaches into it.
    radius_mm : float
        How far the reference is enlarged.
    """
    return np.asarray(distance_mm <= np.float32(radius_mm + TOLERANCE_MM))


class Region:
    """The region of interest as voxels of 0 and 1 that are found when they are asked for: nothing is kept.

    Parameters
    ----------
    sample : Sample
        The grid and the field of view.
    distance : callable
        Gives the signed distance of slices in mm, float32 (Z, Y, X). A :class:`Registered` reference decides most of
        them without looking at every voxel.
    radius_mm : float
        How far the reference is enlarged.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, sample: Sample, distance: Callable[[slice], Array], radius_mm: float = ROI_MM) -> None:
        self.shape = sample.segmentation.shape
        self.radius_mm = radius_mm
        self._sample, self._distance = sample, distance

    def mask(self, z: slice) -> Array:
        """Slices as bool (Z, Y, X)."""
        if isinstance(self._distance, Registered):
            near = self._distance.within(z, self.radius_mm + TOLERANCE_MM)
        else:
            near = within(self._distance(z), self.radius_mm)
        inside = self._sample.fov.slab_mask(z, self.shape)
        return near if inside is None else np.logical_and(near, inside, out=near)

    def __getitem__(self, key: Any) -> Array:
        """Read as from an array (z, y, x) of 0 and 1, uint8."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        wanted = range(self.shape[0])[first]
        slices = range(wanted, wanted + 1) if isinstance(wanted, int) else wanted
        low, high = (min(slices), max(slices) + 1) if len(slices) else (0, 0)
        values = self.mask(slice(low, high)).view(np.uint8)
        values = values[0] if isinstance(wanted, int) else values[[z - low for z in slices]]
        return values[(slice(None), *rest)] if values.ndim == 3 else values[tuple(rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Give the whole mask as an array of bytes."""
        return self[:].astype(dtype or self.dtype, copy=bool(copy))


def write_roi(region: Volume, path: str | Path) -> None:
    """Write a region of interest as a label volume of 0 and 1, ``roi.nrrd``."""
    from ImplantSegLib.volumes import write

    write(region, path, compress=True)
