"""Class probabilities on disk: one OME-Zarr, uint8, (class, z, y, x), value/255."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.files import explained_os_errors
from ImplantSegLib.labels import NAMES
from ImplantSegLib.volumes import Volume, geometry

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
    """

    def __init__(self, path: Path, like: Volume, depth: int) -> None:
        import zarr

        self.path = path
        self._array: Any = zarr.open_array(path / "0", mode="r+") if path.exists() else _created(path, like, depth)

    def write(self, z: slice, values: npt.NDArray[np.float32]) -> None:
        """Write the probabilities (4, nz, Y, X) in [0, 1] of the slices ``z``."""
        with explained_os_errors(self.path):
            self._array[:, z] = np.rint(values * np.float32(255)).astype(np.uint8)


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
