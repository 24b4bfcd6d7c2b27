"""A scan without its voxels: what an estimate needs to know of it, and a file of that size that takes no space."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ImplantSegLib.inslicer import geometry
from ImplantSegLib.volumes import Box

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.segmenting import Scan

_DTYPES = {1: "uint8", 2: "uint16", 4: "float32", 8: "float64"}


@dataclass(frozen=True)
class Grid:
    """Voxels that a network would see, after cropping and binning."""

    shape: tuple[int, int, int]
    """Along (z, y, x)."""
    voxel_um: tuple[float, float, float]
    """Along (z, y, x)."""
    voxel_bytes: int = 2

    @classmethod
    def of(cls, scan: Scan, binning: int = 1) -> Grid:
        """Take it from a scan that can be segmented.

        Raises
        ------
        InputError
            When the region of interest lies outside the scan.
        """
        crop = scan.crop()
        starts_stops = (Box.parse(crop) if crop else Box()).within(scan.shape).ranges
        nz, ny, nx = (max(((stop or 0) - start) // binning, 1) for start, stop in starts_stops)
        z, y, x = (step * binning for step in _voxel_um(scan))
        return cls((nz, ny, nx), (z, y, x), _voxel_bytes(scan))

    def write(self, path: Path) -> Path:
        """Write a Zarr array of this shape with no chunk in it: by the format, absent chunks are full of zeros.

        https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html
        """
        path.mkdir()
        array = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": self.shape,
            "data_type": _DTYPES[self.voxel_bytes],
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [16, 256, 256]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0,
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "attributes": {},
        }
        (path / "zarr.json").write_text(json.dumps(array), encoding="utf-8")
        return path

    def options(self) -> list[str]:
        """Options that tell a verb the voxel size, which the file does not."""
        return ["--spacing-um", ",".join(f"{step:.9g}" for step in self.voxel_um)]


def _voxel_um(scan: Scan) -> tuple[float, float, float]:
    if scan.voxel_size_um > 0:
        return scan.voxel_size_um, scan.voxel_size_um, scan.voxel_size_um
    if scan.path is None:
        return geometry.voxel_size_um(scan.volume)
    z, y, x = scan.facts["voxel_size_um"]
    return z, y, x


def _voxel_bytes(scan: Scan) -> int:
    if scan.path is None:
        return int(scan.volume.GetImageData().GetScalarSize())
    return np.dtype(scan.facts["dtype"]).itemsize
