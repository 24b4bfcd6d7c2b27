"""Voxels that can be cut in any direction, in bounded memory: mapped, read by chunks, or unpacked to disk once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError, size_text
from ImplantSegLib.files import explained_os_errors, remove
from ImplantSegLib.volumes import FieldOfView, Volume, create, read
from ImplantSegLib.volumes.box import Box
from ImplantSegLib.volumes.volume import Voxels
from ImplantSegLib.volumes.voxels import how

Array = npt.NDArray[Any]
logger = logging.getLogger(__name__)

UNPACKED = "unpacked"
"""Folder in the cache for the voxels of compressed files."""
_CHUNK_BYTES = 2**25
_SLAB_BYTES = 2**25
_REMEDY = "free some space, or name another folder by data.cache or IMPLANTSEG_CACHE_DIR"


def indexable(volume: Volume, source: str | Path, cache: Path, in_memory_bytes: int) -> Voxels:
    """Voxels of a file that can be cut in any direction.

    Memory-mapped ones stay as they are; of others, small ones come into memory. A large OME-Zarr is read by chunks
    (those of more than 32 MiB are too large for that). All else is unpacked, slab by slab, to a raw file in the cache
    that later runs find again by path, size and time of the source.

    Parameters
    ----------
    volume : Volume
        As it was read.
    source : path
        Its file or folder.
    cache : Path
        Folder of what can be made again.
    in_memory_bytes : int
        Size up to which voxels are held in memory.

    Raises
    ------
    InputError
        When the source cannot be read, or the disk is too small for what is in it.
    """
    voxels = volume.array
    if how(voxels) == "memory-mapped":
        return voxels
    if _bytes(volume.shape, volume.dtype) <= in_memory_bytes:
        return np.asarray(voxels[0 : volume.shape[0]])
    chunks = getattr(voxels, "chunks", None)
    if chunks and _bytes(chunks, volume.dtype) <= _CHUNK_BYTES:
        return voxels
    return _unpacked(volume, Path(source), cache / UNPACKED)


def _bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize


def _unpacked(volume: Volume, source: Path, folder: Path) -> Voxels:
    target = folder / f"{source.name.partition('.')[0]}-{_identity(source)}.nrrd"
    if not target.is_file():
        size = _bytes(volume.shape, volume.dtype)
        with explained_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
        if free < size:
            raise InputError(
                f"unpacking {source} takes {size_text(size)} in {folder}, where {size_text(free)} are free", _REMEDY
            )
        logger.info("unpacking %s (%s) to %s", source, size_text(size), target)
        # runs that start together, such as the folds on a cluster, may unpack the same file: each to a name of its own
        own = target.with_name(f"{os.getpid()}-{platform.node()}-{target.name}")
        try:
            _write_raw(volume, own)
            own.replace(target)
        finally:
            remove(own)
    return read(target).array


def _write_raw(volume: Volume, path: Path) -> None:
    depth = volume.slab_depth(_SLAB_BYTES)
    with create(path, volume, volume.dtype, metadata={}, compress=False) as put:
        for _, block in progress.track(volume.slabs(depth), "unpack", -(-volume.shape[0] // depth), "slab"):
            put(block)


def _identity(source: Path) -> str:
    """Short hash of path, sizes and times of a file or of all files of a folder."""
    with explained_os_errors(source, "read"):
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        found = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([str(source.resolve()), found]).encode()).hexdigest()[:16]


def valid_voxels(volume: Volume, cache: Path, in_memory_bytes: int) -> Voxels | None:
    """Where a scan was measured: voxels that are 0 outside of its field of view, cut as :func:`indexable`; None: all.

    Raises
    ------
    InputError
        When a mask has another shape than the scan, or cannot be read.
    """
    fov = FieldOfView.of(volume)
    if fov.circle is not None:
        return Cylinder(volume.shape, *fov.circle)
    if fov.mask is None:
        return None
    mask = read(fov.mask)
    box = (fov.box or Box()).within(mask.shape)
    shape = tuple(part.stop - part.start for part in box.slices)
    if shape != volume.shape:
        raise InputError(
            f"the field of view {fov} has shape {shape}, wanted {volume.shape} as the scan",
            "pass a mask on the grid of the scan",
        )
    voxels = indexable(mask, fov.mask, cache, in_memory_bytes)
    return voxels if shape == mask.shape else Part(voxels, box)


class Cylinder:
    """Voxels that are true in a circle of every slice, computed where they are cut.

    Parameters
    ----------
    shape : tuple of int
        Voxels along (z, y, x).
    y, x, radius : float
        The circle in index units, as :class:`~ImplantSegLib.volumes.FieldOfView` has it.
    """

    def __init__(self, shape: tuple[int, int, int], y: float, x: float, radius: float) -> None:
        self.shape, self.dtype = shape, np.dtype(bool)
        self._circle = y, x, radius

    def __getitem__(self, key: Any, /) -> Array:
        z, y, x = (np.arange(size)[part] for size, part in zip(self.shape, _parts(key), strict=True))
        centre_y, centre_x, radius = self._circle
        inside = np.add.outer((y - centre_y) ** 2, (x - centre_x) ** 2) <= radius**2
        return np.broadcast_to(inside, (*np.shape(z), *np.shape(inside)))


class Part:
    """The voxels of a box in others, cut where they lie.

    Parameters
    ----------
    voxels : Voxels, shape (Z, Y, X)
        The whole.
    box : Box
        Which part of it, with all its ends.
    """

    def __init__(self, voxels: Voxels, box: Box) -> None:
        self._ranges = [range(part.start, part.stop) for part in box.slices]
        self.shape, self.dtype = tuple(map(len, self._ranges)), voxels.dtype
        self._voxels = voxels

    def __getitem__(self, key: Any, /) -> Array:
        where = (inner[part] for inner, part in zip(self._ranges, _parts(key), strict=True))
        return np.asarray(self._voxels[tuple(one if isinstance(one, int) else _slice(one) for one in where)])


def _slice(indices: range) -> slice:
    return slice(indices.start, indices.stop, indices.step)


def _parts(key: Any) -> tuple[Any, ...]:
    """One index or slice for each of three axes."""
    given = key if isinstance(key, tuple) else (key,)
    return (*given, *(slice(None),) * (3 - len(given)))
