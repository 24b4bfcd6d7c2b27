"""Read, write and create volumes in any format of the table."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib import progress
from ImplantSegLib.files import explained_os_errors
from ImplantSegLib.volumes import formats
from ImplantSegLib.volumes.streams import Put
from ImplantSegLib.volumes.volume import Triple, Volume
from ImplantSegLib.volumes.voxels import Array, Blank

_log = logging.getLogger(__name__)

KNOWN = "voxel_size_known"
"""Metadata key that tells whether the voxel size comes from a file or a person (``yes``) or nobody gave it (``no``)."""


def read(path: str | Path, spacing_um: Triple | None = None) -> Volume:
    """Open a volume; its voxels are read when slabs of them are asked for.

    Parameters
    ----------
    path : path
        A file of a format in :data:`~ImplantSegLib.volumes.formats.FORMATS` or a folder of TIFF slices.
    spacing_um : tuple of float, optional
        Voxel size (z, y, x) in µm, instead of what the file says.

    Returns
    -------
    Volume
        With metadata ``voxel_size_known`` = ``no`` and a spacing of 1 mm where neither the file nor the
        caller gives a voxel size.

    Raises
    ------
    InputError
        When there is no such file, or it is damaged, cut off, of another format or not 3D.
    """
    path = Path(path)
    name = formats.of_input(path)
    with explained_os_errors(path, "read"):
        formats.check_magic(path, name)
        volume: Volume = formats.module(name).read(path)
    if spacing_um is not None:
        z, y, x = spacing_um
        return replace(volume, spacing_mm=(z / 1000, y / 1000, x / 1000), metadata={**volume.metadata, KNOWN: "yes"})
    if volume.metadata.get(KNOWN) == "no":
        _log.warning("%s names no voxel size: 1 mm is assumed; pass --spacing-um", path)
    return replace(volume, metadata={KNOWN: "yes", **volume.metadata})


def write(volume: Volume, path: str | Path, compress: bool | None = None) -> None:
    """Write a volume, slab by slab, in the format that the suffix of ``path`` asks for.

    Parameters
    ----------
    volume : Volume
        Any volume, also one larger than memory.
    path : path
        ``.nrrd .seg.nrrd .mha .mhd .tif .tiff .nii .nii.gz .ome.zarr``, or no suffix for a folder of TIFF slices.
    compress : bool, optional
        See :func:`create`.

    Raises
    ------
    InputError
        For an unknown suffix, voxels that the format cannot hold, a full disk or a folder that may not be written.
    """
    depth = volume.slab_depth()
    with create(path, volume, volume.dtype, compress=compress) as put:
        for _, block in progress.track(volume.slabs(depth), "write", -(-volume.shape[0] // depth), "slab"):
            put(block)


@contextmanager
def create(
    path: str | Path,
    like: Volume,
    dtype: npt.DTypeLike,
    shape: tuple[int, int, int] | None = None,
    metadata: Mapping[str, str] | None = None,
    compress: bool | None = None,
) -> Iterator[Put]:
    """Write a volume piece by piece; the file appears under its name only when it is whole.

    Parameters
    ----------
    path : path
        As for :func:`write`.
    like : Volume
        Gives spacing, origin, direction and, unless told otherwise, shape and metadata.
    dtype : numpy type
        Type of a voxel in the file; ``bool`` is written as ``uint8``.
    shape : tuple of int, optional
        Voxels along (z, y, x), when they differ from ``like``.
    metadata : mapping of str to str, optional
        Metadata of the file, instead of those of ``like``.
    compress : bool, optional
        Whether the voxels are compressed. Without it ``.seg.nrrd``, ``.nii.gz``, OME-Zarr and masks (``bool``) are,
        and all else is raw, so that it can be memory-mapped.

    Yields
    ------
    put : callable
        ``put(block)`` appends a block of shape (n, Y, X), in the order of z.

    Raises
    ------
    InputError
        As :func:`write`.
    ValueError
        When the blocks do not have the shape of the volume, or a type that loses values.
    """
    path = Path(path)
    given = np.dtype(dtype)
    voxels = Blank(shape or like.shape, np.dtype(np.uint8) if given == np.bool_ else given)
    target = replace(like, array=voxels, metadata=dict(like.metadata if metadata is None else metadata))
    compress = True if compress is None and given == np.bool_ else compress
    name = formats.of_output(path)
    formats.check_replaceable(path, name)
    with formats.module(name).writer(path, target, compress) as put:
        checked = _Checked(put, target)
        yield checked
        checked.finish()


class _Checked:
    """Passes blocks on to a writer and sees to it that they make up the volume."""

    def __init__(self, put: Put, target: Volume) -> None:
        self._put = put
        self._target = target
        self._slices = 0

    def __call__(self, block: Array) -> None:
        depth, *plane = np.shape(block)
        self._slices += depth
        if tuple(plane) != self._target.shape[1:] or self._slices > self._target.shape[0]:
            raise ValueError(f"got block {np.shape(block)} as slices up to {self._slices} of {self._target.shape}")
        if not _keeps_values(block.dtype, self._target.dtype):
            raise ValueError(f"got a block of {block.dtype} for a file of {self._target.dtype}: convert it first")
        self._put(block)

    def finish(self) -> None:
        if self._slices != self._target.shape[0]:
            raise ValueError(f"got {self._slices} slices, wanted {self._target.shape[0]}")


def _keeps_values(block: np.dtype[Any], file: np.dtype[Any]) -> bool:
    """Whether a type holds the values of another, but for the digits of a float."""
    return np.can_cast(block, file, "safe") or (block.kind == "f" and file.kind == "f")
