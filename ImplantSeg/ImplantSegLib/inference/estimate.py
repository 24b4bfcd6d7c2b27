"""What a run of ``segment`` would need and take, told before it is started; the voxels are not looked at."""

from __future__ import annotations

import dataclasses
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ImplantSegLib.errors import size_text
from ImplantSegLib.inference.inputs import Model, advice, open_scan, part_of
from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.inference.outputs import check_outputs
from ImplantSegLib.inference.plan import cut
from ImplantSegLib.inference.predict import disk_bytes

if TYPE_CHECKING:
    from ImplantSegLib.inference.plan import Plan
    from ImplantSegLib.inference.runtime import Predictor
    from ImplantSegLib.models import Bundle
    from ImplantSegLib.volumes import Volume

_TIMED_PIXELS = {"cpu": 512, "cuda": 1024}
"""Side of the window that is timed: large enough to use all cores, small enough to take a moment."""

_OTHER_S_PER_VOXEL = 2e-7
"""Reading, averaging across slices, islands and writing: measured on two cores, 0.15 to 0.28 µs per voxel."""


@dataclass(frozen=True)
class Estimate:
    """What a run would need and take."""

    input: str
    """The scan."""
    output: str
    """The labels."""
    model: str
    """Name of the model and of its network."""
    shape: tuple[int, int, int]
    """Voxels (z, y, x) that are segmented."""
    voxel_size_um: tuple[float, float, float]
    """Voxel size (z, y, x)."""
    device: str
    """Where the network would run."""
    precision: str
    """Numbers it would compute with."""
    windows: int
    """Windows of a slice."""
    window: tuple[int, int]
    """Pixels (y, x) of a window."""
    slabs: int
    """Slabs that are computed one after the other."""
    slab_depth: int
    """Slices of a slab."""
    memory_bytes: int
    """Bound on the memory of the process."""
    disk_bytes: int
    """Bound on the disk space while it runs."""
    seconds: float
    """Time it would take, from one window that was timed."""
    warnings: list[str] = field(default_factory=list)
    """What speaks against the run, one sentence each."""

    def __str__(self) -> str:
        size = " × ".join(f"{step:.4g}" for step in self.voxel_size_um)
        lines = [
            f"scan        {self.input}: {self.shape} (z, y, x), voxel {size} µm",
            f"model       {self.model}",
            f"runs on     {self.device} in {self.precision}",
            f"windows     {self.windows} of {self.window[0]} × {self.window[1]} pixels a slice",
            f"slabs       {self.slabs} of {self.slab_depth} slices",
            f"memory      at most {size_text(self.memory_bytes)}",
            f"disk        at most {size_text(self.disk_bytes)} while it runs",
            f"time        about {_clock(self.seconds)}",
            f"writes      {self.output}",
        ]
        return "\n".join(lines + [f"warning     {sentence}" for sentence in self.warnings])

    def to_dict(self) -> dict[str, object]:
        """Values for JSON."""
        return {**dataclasses.asdict(self), "seconds": round(self.seconds, 1)}


def estimate(job: SegmentJob, model: Model) -> Estimate:
    """Tell what a run would need and take; the network is timed on one small window.

    Parameters
    ----------
    job : SegmentJob
        What would be done.
    model : Model
        With which model.

    Raises
    ------
    InputError
        As the run would, as far as it can be known without looking at the voxels.
    MemoryLimitError
        When the smallest possible cut does not fit into the memory allowed.
    """
    from ImplantSegLib.inference import runtime

    check_outputs(job)
    scan = part_of(open_scan(job, model.bundle, look=False), job)
    device = runtime.choose_device(job.device)
    precision = runtime.choose_precision(job.precision, device)
    plan = cut(scan, job, model.pixel_bytes, device)
    predictor = runtime.Predictor(model.network, plan.windows, device, precision, job.mirror)
    windows = plan.windows.of(scan.shape[1:])
    height, width = (part.stop - part.start for part in windows[0])
    needed = disk_bytes(job, scan)
    return Estimate(
        input=str(job.input),
        output=str(job.output),
        model=f"{model.bundle.name} ({model.bundle.network})",
        shape=scan.shape,
        voxel_size_um=(1000 * scan.spacing_mm[0], 1000 * scan.spacing_mm[1], 1000 * scan.spacing_mm[2]),
        device=str(device),
        precision=precision,
        windows=len(windows),
        window=(height, width),
        slabs=len(plan.slabs(scan.shape[0])),
        slab_depth=plan.depth,
        memory_bytes=plan.memory_bytes,
        disk_bytes=needed,
        seconds=_seconds(predictor, plan, scan, job.reach),
        warnings=advice(scan, model.bundle) + _too_small(scan, model.bundle) + _too_full(job, needed),
    )


def _seconds(predictor: Predictor, plan: Plan, scan: Volume, reach: int) -> float:
    windows = plan.windows.of(scan.shape[1:])
    height, width = (part.stop - part.start for part in windows[0])
    again = 1 + 2 * reach * (len(plan.slabs(scan.shape[0])) - 1) / scan.shape[0]  # ends of slabs are computed twice
    pixels = scan.shape[0] * len(windows) * height * width * again
    voxels = scan.shape[0] * scan.shape[1] * scan.shape[2]
    return pixels * _seconds_per_pixel(predictor, height, width) + voxels * _OTHER_S_PER_VOXEL


def _seconds_per_pixel(predictor: Predictor, height: int, width: int) -> float:
    import torch

    side = _TIMED_PIXELS.get(predictor.device.type, 512)
    image = torch.zeros(1, min(height, side), min(width, side))
    predictor.slices(image)  # the first pass prepares the kernels
    start = time.perf_counter()
    predictor.slices(image)
    return (time.perf_counter() - start) / image.numel()


def _too_small(scan: Volume, bundle: Bundle) -> list[str]:
    """Say when slices are smaller than what the network saw while it was trained."""
    rows, columns = scan.shape[1:]
    patch = bundle.provenance.get("recipe", {}).get("sampling", {}).get("patch", (0, 0))
    if min(rows, columns) >= min(patch):
        return []
    return [
        f"the slices ({rows} × {columns} pixels) are smaller than the patches of {patch[0]} × {patch[1]} that the "
        "model was trained on: its labels may be worse than its scores"
    ]


def _too_full(job: SegmentJob, needed: int) -> list[str]:
    folder = Path(job.output).absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return (
        [f"the run needs {size_text(needed)} of disk, {size_text(free)} are free in {folder}"] if free < needed else []
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
