"""Binning: the mean of n × n × n voxels becomes one, out of core, in its right place in the world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegLib.volumes.voxels import Slices


def binned(volume: Volume, factor: int) -> Volume:
    """Bin a volume; its voxels are computed when they are read.

    Parameters
    ----------
    volume : Volume
        The scan, any real type.
    factor : int
        Voxels along each axis that become one. What is left at the far ends (see :func:`tails`) is dropped.

    Returns
    -------
    Volume
        Means in float32; the spacing is ``factor`` times as large, the origin lies ``(factor - 1) / 2`` voxels
        further along each axis (the centre of the first block), a field of view in the metadata is scaled.

    Raises
    ------
    InputError
        For a factor below 1 or larger than the volume.
    """
    z, y, x = (size // factor if factor >= 1 else 0 for size in volume.shape)
    if not z * y * x:
        raise InputError(
            f"got binning {factor} for a volume of shape {volume.shape}", "pass a factor from 1 to the smallest size"
        )
    if factor == 1:
        return volume
    shift = (factor - 1) / 2
    world = volume.index_to_world @ (shift, shift, shift, 1.0)
    dz, dy, dx = volume.spacing_mm
    return replace(
        volume,
        array=Slices((z, y, x), np.dtype(np.float32), lambda part: _means(volume, factor, part), "binned when read"),
        spacing_mm=(dz * factor, dy * factor, dx * factor),
        origin_mm=(float(world[0]), float(world[1]), float(world[2])),
        metadata={**volume.metadata, **_binned_fov(FieldOfView.of(volume), factor)},
    )


def tails(shape: tuple[int, int, int], factor: int) -> tuple[int, int, int]:
    """Slices, rows and columns at the far ends that do not fill a block and are dropped."""
    z, y, x = (size % factor for size in shape)
    return z, y, x


def _means(volume: Volume, factor: int, part: slice) -> npt.NDArray[np.float32]:
    z0, z1, step = part.indices(volume.shape[0] // factor)
    _, y, x = (size // factor for size in volume.shape)
    block: npt.NDArray[Any] = np.asarray(volume.array[z0 * factor : z1 * factor])[:, : y * factor, : x * factor]
    sums = block.reshape(z1 - z0, factor, y * factor, x * factor).sum(axis=1, dtype=np.float32)
    sums = sums.reshape(z1 - z0, y, factor, x * factor).sum(axis=2)
    return sums.reshape(z1 - z0, y, x, factor).sum(axis=3)[::step] * np.float32(1 / factor**3)


def _binned_fov(fov: FieldOfView, factor: int) -> dict[str, str]:
    if fov.mask is not None:
        raise InputError(f"got the mask {fov.mask} as field of view, which cannot be binned along", "pass a circle")
    return {"fov": str(fov.binned(factor))} if fov.circle is not None else {}
