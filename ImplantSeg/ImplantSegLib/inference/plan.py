"""How a run is cut so that it stays within its memory: windows, batch and depth of a slab."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ImplantSegLib.errors import MemoryLimitError
from ImplantSegLib.inference.runtime import CLASSES, Windows
from ImplantSegLib.inference.tiling import Tile, partition
from ImplantSegLib.volumes import Volume

HALO = 16
"""Slices read beyond a slab when it is also sliced along y and x: the network sees past the slab's ends."""

_BASE_BYTES = 512 * 2**20  # Python, torch and its kernels, before any voxel
_SMALLEST_TILE = 128
_DEPTH = {1: 32, 3: 64}
_BATCH = 16
_BATCH_PIXELS = 2**20  # beyond it a larger batch gains nothing
_UNKNOWN_FREE = 4 * 2**30


@dataclass(frozen=True)
class Plan:
    """How a run is cut."""

    tile: int
    """Longest side of a window in pixels."""
    overlap: int
    """Pixels that neighbouring windows share at least."""
    batch: int
    """Slices that are computed at once."""
    depth: int
    """Slices of a slab."""
    halo: int
    """Slices read beyond a slab on either side."""
    memory_bytes: int
    """Bound on the memory of the process."""

    @property
    def windows(self) -> Windows:
        """Windows of a slice."""
        return Windows(self.tile, self.overlap, self.batch)

    def slabs(self, shape: tuple[int, int, int]) -> Iterator[Tile]:
        """Slabs of a volume, from the first slice to the last."""
        return partition(shape, (self.depth, *shape[1:]), (self.halo, 0, 0))


def make_plan(scan: Volume, pixel_bytes: int, tile: int, overlap: int, axes: int, budget: int | None = None) -> Plan:
    """Find the largest windows and slabs that fit.

    Parameters
    ----------
    scan : Volume
        What is segmented.
    pixel_bytes : int
        Memory of the network per pixel, as :func:`ImplantSegLib.inference.runtime.bytes_per_pixel` bounds it.
    tile, overlap : int
        Wished side of a window and overlap, in pixels; halved until the window fits.
    axes : {1, 3}
        Slicing axes.
    budget : int, optional
        Bytes that the process may use; half of the free memory when left out.

    Raises
    ------
    MemoryLimitError
        When not even the smallest window and slab fit.
    """
    budget = free_bytes() // 2 if budget is None else budget
    halo = HALO if axes > 1 else 0
    needs = _needs(scan, axes)
    least = min(1 + 2 * halo, scan.shape[0])
    while (need := _BASE_BYTES + needs.batch(tile, pixel_bytes) + least * needs.slice_bytes) > budget:
        if tile // 2 < _SMALLEST_TILE:
            raise MemoryLimitError(
                f"segmenting {scan.shape} needs at least {need / 2**30:.2f} GiB, allowed are {budget / 2**30:.2f} GiB",
                "pass a larger --max-memory, close programs, or bin the scan first",
            )
        tile, overlap = tile // 2, overlap // 2
    rest, one = budget - _BASE_BYTES, needs.batch(tile, pixel_bytes)
    batch = min(_BATCH, _BATCH_PIXELS // needs.window(tile), (rest - least * needs.slice_bytes) // one)
    batch = max(1, min(batch, scan.shape[0]))
    depth = min((rest - batch * one) // needs.slice_bytes - 2 * halo, _DEPTH[axes], scan.shape[0])
    depth = max(depth // batch * batch if not halo else depth, 1)
    used = _BASE_BYTES + batch * one + min(depth + 2 * halo, scan.shape[0]) * needs.slice_bytes
    return Plan(tile, overlap, batch, depth, halo, used)


@dataclass(frozen=True)
class _Needs:
    """Sizes that decide about memory: the two longest sides of a slice, and the bytes of a slab's slice."""

    sides: tuple[int, int]
    slice_bytes: int

    def window(self, tile: int) -> int:
        """Pixels of a window."""
        return min(self.sides[0], tile) * min(self.sides[1], tile)

    def batch(self, tile: int, pixel_bytes: int) -> int:
        """Bytes for one slice of a batch: the network on a window, probabilities and weights of the whole slice."""
        return self.window(tile) * pixel_bytes + self.sides[0] * self.sides[1] * (CLASSES + 2) * 4


def _needs(scan: Volume, axes: int) -> _Needs:
    depth, height, width = scan.shape
    sides = sorted((height, width, min(depth, _DEPTH[3] + 2 * HALO) if axes > 1 else 0))[1:]
    results = 2 if axes > 1 else 1  # the sum over the axes, and one axis
    return _Needs((sides[0], sides[1]), height * width * (2 * scan.dtype.itemsize + 4 + 4 * CLASSES * results + 2))


def free_bytes() -> int:
    """Memory that is free for this process, in bytes; 4 GiB where the system does not tell."""
    found = []
    meminfo, limit = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")
    if meminfo.exists():
        lines = meminfo.read_text().splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        found.append(int(text))  # a job of a cluster or a container has less than its machine
    return min(found, default=_UNKNOWN_FREE)


def gpu_tile(device: torch.device, tile: int, pixel_bytes: int) -> int:
    """Side of a window that fits into the free memory of a GPU, halved as often as needed; as it is on a CPU."""
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        while tile * tile * pixel_bytes > 0.8 * free and tile // 2 >= _SMALLEST_TILE:
            tile //= 2
    return tile
