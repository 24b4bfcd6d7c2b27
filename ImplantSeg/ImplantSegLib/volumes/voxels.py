"""Voxels that stay on disk until a slab of them is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, int, int]


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the type with the byte order of this machine, as numba and torch want it."""
    return dtype.newbyteorder("=")


def how(voxels: Any) -> str:
    """Tell people how voxels are read from their file."""
    return str(getattr(voxels, "how", "in memory" if isinstance(voxels, np.ndarray) else "chunk by chunk"))


class Blank:
    """Shape and type of voxels that are yet to be written."""

    def __init__(self, shape: Shape, dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    def __getitem__(self, key: Any, /) -> Any:
        raise TypeError(f"voxels that are yet to be written cannot be read (asked for {key})")


class RawVoxels:
    """Uncompressed voxels in a file, memory-mapped for the time of each access.

    The map is closed after each access: the pages that were touched do not pile up in the memory
    of the process, the object can be pickled, and the file can be replaced on Windows.

    Parameters
    ----------
    path : Path
        The file.
    dtype : numpy.dtype
        Type of a voxel in the file, with its byte order.
    shape : tuple of int
        Voxels along (z, y, x), x fastest.
    offset : int
        Bytes in front of the first voxel.
    """

    how = "memory-mapped"

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: Shape, offset: int = 0) -> None:
        self.path = path
        self.shape = shape
        self.dtype = native(dtype)
        self._stored = dtype
        self._offset = offset

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def _file(self) -> Path | IO[bytes]:
        return self.path

    def __getitem__(self, key: Any, /) -> Any:
        mapped = np.memmap(self._file(), self._stored, "r", self._offset, self.shape)
        return np.array(mapped[key], dtype=self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)


class Slices:
    """Voxels that a function reads slice by slice (or chunk by chunk).

    Parameters
    ----------
    shape : tuple of int
        Voxels along (z, y, x).
    dtype : numpy.dtype
        Type of a voxel.
    read : callable
        ``read(slice) -> array (n, Y, X)`` reads the slices of a ``slice`` along z.
    how : str
        How the slices are read, for people.
    """

    def __init__(self, shape: Shape, dtype: np.dtype[Any], read: Callable[[slice], Array], how: str) -> None:
        self.shape = shape
        self.dtype = native(dtype)
        self.how = how
        self._read = read

    def __getitem__(self, key: Any, /) -> Any:
        along_z, *rest = key if isinstance(key, tuple) else (key,)
        if along_z is Ellipsis:
            along_z, rest = slice(None), [Ellipsis, *rest]
        if isinstance(along_z, slice):
            return self._slab(along_z)[(slice(None), *rest)]
        z = range(self.shape[0])[along_z]  # IndexError past the end, and negative numbers count from there
        return self._slab(slice(z, z + 1))[(0, *rest)]

    def _slab(self, z: slice) -> Array:
        return np.asarray(self._read(z), dtype=self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)
