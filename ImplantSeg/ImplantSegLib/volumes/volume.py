"""The one value that crosses stages: voxels with their place in the world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from ImplantSegLib.errors import InputError

Triple = tuple[float, float, float]
Matrix = tuple[Triple, Triple, Triple]

IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Voxels(Protocol):
    """Voxels that can be read slab by slab: an array, a memory map, a chunked file, a lazy stack."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        ...

    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True)
class Volume:
    """A 3D image or label map in physical space.

    Parameters
    ----------
    array : Voxels, shape (Z, Y, X)
        Voxel values; ``array[z0:z1]`` reads a slab, also where the file is larger than memory.
    spacing_mm : tuple of float
        Distance of voxel centres along (z, y, x), in mm.
    origin_mm : tuple of float
        World position (x, y, z), LPS, of the centre of voxel (0, 0, 0), in mm.
    direction : 3 tuples of 3 floats
        Direction cosines as ITK writes them: column i is the world direction of index axis (x, y, z)[i].
    metadata : mapping of str to str
        What else the file says: ``fov``, ``voxel_size_known``, the normalisation, the provenance.

    Raises
    ------
    InputError
        When the array is not 3D or a spacing is not a positive number.
    """

    array: Voxels
    spacing_mm: Triple = (1.0, 1.0, 1.0)
    origin_mm: Triple = (0.0, 0.0, 0.0)
    direction: Matrix = IDENTITY
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.array.shape) != 3:
            raise InputError(
                f"got an array of shape {tuple(self.array.shape)}, wanted a 3D volume (z, y, x) of one channel",
                "pass one grey volume; convert colour images to grey first",
            )
        if not all(np.isfinite(step) and step > 0 for step in self.spacing_mm):
            raise InputError(
                f"got voxel spacing {self.spacing_mm} mm, wanted three positive numbers", "pass --spacing-um"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        z, y, x = self.array.shape
        return int(z), int(y), int(x)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return self.array.dtype

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return float(np.prod(self.spacing_mm))

    @property
    def index_to_world(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Affine 4×4 that takes an index (z, y, x, 1) to a world point (x, y, z, 1), LPS, in mm."""
        affine = np.eye(4)
        affine[:3, :3] = (np.asarray(self.direction) * self.spacing_mm[::-1])[:, ::-1]
        affine[:3, 3] = self.origin_mm
        return affine

    def like(self, array: Voxels, **metadata: str) -> Volume:
        """Give a volume of the same place in the world with other voxels, and metadata added."""
        return replace(self, array=array, metadata={**self.metadata, **metadata})

    def same_grid(self, other: Volume, tolerance: float = 1e-6) -> bool:
        """Whether both have the same shape, spacing, origin and direction (relative to a voxel)."""
        return self.shape == other.shape and bool(
            np.allclose(self.index_to_world, other.index_to_world, rtol=0, atol=tolerance * min(self.spacing_mm))
        )

    def slabs(self, depth: int) -> Iterator[tuple[slice, np.ndarray[Any, Any]]]:
        """Yield ``(slice(z0, z1), array[z0:z1])`` from the first slice to the last, ``depth`` slices each."""
        for start in range(0, self.shape[0], depth):
            z = slice(start, min(start + depth, self.shape[0]))
            yield z, np.asarray(self.array[z])

    def slab_depth(self, max_bytes: int = 2**26) -> int:
        """Slices that a slab of at most ``max_bytes`` holds (at least one; whole chunks where the file has chunks)."""
        slice_bytes = self.shape[1] * self.shape[2] * self.dtype.itemsize
        depth = max(1, min(max_bytes // max(slice_bytes, 1), self.shape[0]))
        chunk = getattr(self.array, "chunks", (1,))[0]
        return max(depth // chunk * chunk, min(chunk, self.shape[0]))

    def describe_grid(self) -> str:
        """Shape, voxel size in µm and origin in mm, for messages."""
        size = " × ".join(f"{1000 * step:.4g}" for step in self.spacing_mm)
        origin = ", ".join(f"{value:.4g}" for value in self.origin_mm)
        return f"shape {self.shape} (z, y, x), voxel {size} µm, origin ({origin}) mm"
