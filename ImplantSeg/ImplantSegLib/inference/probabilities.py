"""Class probabilities on disk: one OME-Zarr, uint8, (class, z, y, x), value/255."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors
from ImplantSegLib.labels import NAMES
from ImplantSegLib.volumes import Volume, geometry

CONTENT = "probabilities"
"""What the metadata of such a file call its content."""

_CHUNK = 256
_ZSTD_LEVEL = 1


class Probabilities:
    """Class probabilities that are written slab by slab.

    Parameters
    ----------
    path : Path
        Folder of the OME-Zarr; one that is there already is continued.
    like : Volume
        Scan that they belong to.
    depth : int
        Slices of a slab, so that each chunk is written once.
    metadata : mapping of str to str, optional
        What else the file shall say: the model, its calibration.
    """

    def __init__(self, path: Path, like: Volume, depth: int, metadata: Mapping[str, str] | None = None) -> None:
        import zarr

        self.path = path
        told = like.like(like.array, content=CONTENT, **(metadata or {}))
        self._array: Any = zarr.open_array(path / "0", mode="r+") if path.exists() else _created(path, told, depth)

    def write(self, z: slice, values: npt.NDArray[np.float32]) -> None:
        """Write the probabilities (4, nz, Y, X) in [0, 1] of the slices ``z``."""
        with explained_os_errors(self.path):
            self._array[:, z] = np.rint(values * np.float32(255)).astype(np.uint8)


class StoredProbabilities:
    """Class probabilities that are read slab by slab; the last slab is kept. Threads may share it.

    Parameters
    ----------
    path : path
        OME-Zarr that ``segment --probabilities`` wrote.

    Raises
    ------
    InputError
        When there is none, or it holds something else.
    """

    def __init__(self, path: str | Path) -> None:
        self._array, self.grid = _opened(Path(path))
        self.classes = int(self._array.shape[0])
        self._last: tuple[slice, npt.NDArray[np.uint8]] | None = None
        self._lock = threading.Lock()

    def slab(self, z: slice) -> npt.NDArray[np.uint8]:
        """Probabilities · 255 of some slices, uint8 (4, nz, Y, X)."""
        with self._lock:  # whoever else wants the same slices waits for them
            if self._last is None or self._last[0] != z:
                self._last = z, self._read(z)
            return self._last[1]

    def _read(self, z: slice) -> npt.NDArray[np.uint8]:
        try:
            return np.ascontiguousarray(self._array[:, z], np.uint8)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"the probabilities have a damaged chunk: {error}", "segment the scan again") from error


class _Grid:
    """Voxels of a shape, without values."""

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __getitem__(self, key: Any) -> Any:
        raise IndexError("a grid has no voxel values")


def _opened(path: Path) -> tuple[Any, Volume]:
    """Array of an OME-Zarr of probabilities, and its grid with what the file says."""
    import zarr

    remedy = "pass the OME-Zarr that `implantseg segment --probabilities` wrote"
    if not path.exists():
        raise InputError(f"there are no probabilities {path}", remedy)
    try:
        group: Any = zarr.open_group(path, mode="r")
        array, text = group["0"], group.attrs["implantseg"]
    except (zarr.errors.BaseZarrError, FileNotFoundError, NotADirectoryError, ValueError, KeyError) as error:
        raise InputError(f"{path} holds no class probabilities of ImplantSeg", remedy) from error
    if array.ndim != 4 or array.shape[0] != len(NAMES) or array.dtype != np.uint8:
        raise InputError(
            f"{path} holds {array.dtype} of shape {array.shape}, wanted uint8 of shape ({len(NAMES)}, z, y, x)", remedy
        )
    return array, Volume(_Grid(array.shape[1:]), **geometry.from_json(str(text), str(path)))


def _created(path: Path, like: Volume, depth: int) -> Any:
    import zarr
    from zarr.codecs import ZstdCodec

    transformations = [
        {"type": "scale", "scale": [1.0, *like.spacing_mm]},
        {"type": "translation", "translation": [0.0, *like.origin_mm[::-1]]},
    ]
    space = [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
    image = {
        "name": "probabilities",
        "axes": [{"name": "c", "type": "channel"}, *space],
        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
    }
    channels = [{"label": name, "window": {"min": 0, "max": 255, "start": 0, "end": 255}} for name in NAMES.values()]
    with explained_os_errors(path):
        group = zarr.open_group(path, mode="w", zarr_format=3)
        ome: Any = {"version": "0.5", "multiscales": [image], "omero": {"channels": channels}}
        group.attrs.update({"ome": ome, "implantseg": geometry.to_json(like)})
        return group.create_array(
            "0",
            shape=(len(NAMES), *like.shape),
            chunks=(1, depth, _CHUNK, _CHUNK),
            dtype=np.uint8,
            dimension_names=("c", "z", "y", "x"),
            compressors=ZstdCodec(level=_ZSTD_LEVEL),
        )
