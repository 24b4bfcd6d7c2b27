"""How a run is cut so that it stays within its memory: windows, batch and depth of a slab."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from ImplantSegLib.errors import MemoryLimitError, size_text
from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.inference.runtime import CLASSES, Windows
from ImplantSegLib.inference.tiling import partition
from ImplantSegLib.volumes import Volume

_BASE_BYTES = 512 * 2**20  # Python, torch and its kernels, before any voxel
_SMALLEST_TILE = 128
_DEPTH = 32
_BATCH = 16
_BATCH_PIXELS = 2**18  # beyond it a larger batch gains nothing and costs memory
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
    memory_bytes: int
    """Bound on the memory of the process."""

    @property
    def windows(self) -> Windows:
        """Windows of a slice."""
        return Windows(self.tile, self.overlap, self.batch)

    def slabs(self, slices: int) -> list[slice]:
        """Slabs of a volume of so many slices, from the first to the last, each slice in exactly one."""
        return [tile.write[0] for tile in partition((slices,), (self.depth,), (0,))]


def cut(scan: Volume, job: SegmentJob, pixel_bytes: int, device: torch.device) -> Plan:
    """Plan of a job: :func:`make_plan` with what the job asks for and what a GPU has room for."""
    tile = gpu_tile(device, job.tile, pixel_bytes)
    return make_plan(scan, pixel_bytes, tile, min(job.overlap, tile // 2), job.max_memory, job.reach)


def make_plan(
    scan: Volume, pixel_bytes: int, tile: int, overlap: int, budget: int | None = None, reach: int = 0
) -> Plan:
    """Find the largest windows and slabs that fit.

    Parameters
    ----------
    scan : Volume
        What is segmented.
    pixel_bytes : int
        Memory of the network per pixel, as :func:`ImplantSegLib.inference.runtime.bytes_per_pixel` bounds it.
    tile, overlap : int
        Wished side of a window and overlap, in pixels; halved until the window fits.
    budget : int, optional
        Bytes that the process may use; half of the free memory when left out.
    reach : int
        Slices beside a slab that are computed with it, at either end.

    Raises
    ------
    MemoryLimitError
        When not even the smallest window and slab fit.
    """
    budget = free_bytes() // 2 if budget is None else budget
    depth, height, width = scan.shape
    slice_bytes = height * width * (2 * scan.dtype.itemsize + 4 + 4 * (CLASSES + (1 if reach else 0)) + 2)
    while True:
        window = min(height, tile) * min(width, tile)
        # the network on one window, and probabilities and weights of the whole slice
        batch_bytes = window * pixel_bytes + height * width * (CLASSES + 2) * 4
        need = _BASE_BYTES + batch_bytes + (1 + 2 * reach) * slice_bytes
        if need <= budget:
            break
        if tile // 2 < _SMALLEST_TILE:
            raise MemoryLimitError(
                f"segmenting {scan.shape} needs at least {size_text(need)}, allowed are {size_text(budget)}",
                "pass a larger --max-memory, close programs, or bin the scan first",
            )
        tile, overlap = tile // 2, overlap // 2
    rest = budget - _BASE_BYTES - 2 * reach * slice_bytes
    batch = max(1, min(_BATCH, _BATCH_PIXELS // window, (rest - slice_bytes) // batch_bytes, depth))
    slab = min(_DEPTH, (rest - batch * batch_bytes) // slice_bytes, depth)
    slab = max(slab // batch * batch, 1)
    memory = _BASE_BYTES + batch * batch_bytes + (slab + 2 * reach) * slice_bytes
    return Plan(tile, overlap, batch, slab, memory)


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
