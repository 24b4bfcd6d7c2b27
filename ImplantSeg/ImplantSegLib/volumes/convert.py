"""Another type of voxels, given when they are read."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes.volume import Volume
from ImplantSegLib.volumes.voxels import Array, Slices, how


def converted(volume: Volume, dtype: np.dtype[Any]) -> Volume:
    """Give a volume whose voxels are converted when they are read: rounded where integers are asked for.

    Values that the new type cannot hold raise an :class:`InputError` when their slab is read.
    """
    if dtype == volume.dtype:
        return volume
    read = partial(_converted, volume.array, dtype)
    return volume.like(Slices(volume.shape, dtype, read, f"{how(volume.array)}, converted to {dtype}"))


def _converted(array: Any, dtype: np.dtype[Any], z: slice) -> Array:
    block = np.asarray(array[z])
    if dtype.kind == "f":
        return block.astype(dtype)
    if block.dtype.kind == "f":
        block = np.rint(block)
    limits = np.iinfo(dtype)
    inside = (block >= limits.min) & (block <= limits.max)  # NaN is in no range
    if not inside.all():
        raise InputError(
            f"got the value {block[~inside][0]}, wanted {limits.min} to {limits.max} for {dtype}",
            "choose a wider --dtype, or scale the values first: implantseg preprocess --normalise robust",
        )
    return block.astype(dtype)
