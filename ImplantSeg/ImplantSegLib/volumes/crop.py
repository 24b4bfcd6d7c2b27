"""A part of a volume, at its place in the world, read when it is asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from ImplantSegLib.volumes.box import Box
from ImplantSegLib.volumes.fov import KEY, FieldOfView
from ImplantSegLib.volumes.volume import Volume
from ImplantSegLib.volumes.voxels import Array, Slices, how


def cropped(volume: Volume, box: Box) -> Volume:
    """Give the voxels of a box; they lie where they lay in the world, and so does the field of view.

    Parameters
    ----------
    volume : Volume
        Any volume, also one larger than memory.
    box : Box
        Voxels to keep.

    Raises
    ------
    InputError
        When the box is empty or reaches beyond the volume.
    """
    box = box.within(volume.shape)
    z, y, x = (part.stop - part.start for part in box.slices)
    if (z, y, x) == volume.shape:
        return volume
    world = volume.index_to_world @ (*box.starts, 1.0)
    moved = {KEY: str(FieldOfView.of(volume).cropped(box))} if KEY in volume.metadata else {}
    return replace(
        volume,
        array=Slices((z, y, x), volume.dtype, partial(_read, volume, box), f"{how(volume.array)}, cropped"),
        origin_mm=(float(world[0]), float(world[1]), float(world[2])),
        metadata={**volume.metadata, **moved},
    )


def _read(volume: Volume, box: Box, z: slice) -> Array:
    along_z, y, x = box.slices
    wanted = range(along_z.start, along_z.stop)[z]
    result = np.empty((len(wanted), y.stop - y.start, x.stop - x.start), volume.dtype)
    # many slices of a small box are few bytes, but some files give whole slices only: never many of them at once
    step = volume.slab_depth()
    for start in range(0, len(wanted), step):
        part = wanted[start : start + step]
        result[start : start + step] = volume.array[slice(part.start, part.stop, part.step), y, x]
    return result
