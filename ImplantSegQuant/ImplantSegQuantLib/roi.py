"""The region of interest: all that lies within 1 mm of the registered reference, its interior included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from ImplantSegLib.volumes import Volume

Array = np.ndarray[Any, Any]

ROI_MM = 1.0
"""How far the reference is enlarged, in mm (doi:10.3389/fphy.2024.1257512, section 2.3.2)."""

TOLERANCE_MM = 1e-6
"""Rounding that a voxel centre at exactly that distance may have."""


def in_roi(distance_mm: Array, inside: Array, radius_mm: float = ROI_MM) -> Array:
    """Tell which voxels are in the region of interest.

    Parameters
    ----------
    distance_mm : float32, shape (Z, Y, X)
        Signed distance of the voxel centres to the surface of the whole registered reference: what the field
        of view cuts off still reaches into it.
    inside : bool, shape (Z, Y, X)
        The field of view.
    radius_mm : float
        How far the reference is enlarged.

    Returns
    -------
    bool, shape (Z, Y, X)
    """
    return (distance_mm <= radius_mm + TOLERANCE_MM) & inside


class Region:
    """A mask of one bit per voxel that is filled and read in slabs.

    Parameters
    ----------
    shape : tuple of int
        Voxels along (z, y, x).
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._bits = np.zeros((shape[0], shape[1], -(-shape[2] // 8)), np.uint8)

    def put(self, z: slice, mask: Array) -> None:
        """Store slices, bool (Z, Y, X)."""
        self._bits[z] = np.packbits(mask, axis=-1)

    def mask(self, z: slice) -> Array:
        """Slices as bool (Z, Y, X)."""
        return np.unpackbits(self._bits[z], axis=-1, count=self.shape[2]).astype(bool)

    def __getitem__(self, key: Any) -> Array:
        """Read as from an array (z, y, x) of 0 and 1, uint8."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        values = np.unpackbits(self._bits[first], axis=-1, count=self.shape[2])
        return values[(slice(None), *rest)] if values.ndim == 3 else values[tuple(rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Give the whole mask as an array of bytes."""
        return self[:].astype(dtype or self.dtype, copy=bool(copy))


def write_roi(region: Volume, path: str | Path) -> None:
    """Write a region of interest as a label volume of 0 and 1, ``roi.nrrd``."""
    from ImplantSegLib.volumes import write

    write(region, path, compress=True)
