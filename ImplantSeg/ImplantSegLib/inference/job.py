"""The job of ``segment``: everything that decides about its labels."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ImplantSegLib import __version__
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors
from ImplantSegLib.volumes import Box

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bf16"]


@dataclass(frozen=True)
class SegmentJob:
    """A run of ``segment``, written beside its result as ``OUT.job.toml``."""

    input: Path
    """Scan to segment."""
    output: Path
    """Labels to write; the suffix chooses the format."""
    model: str = "compact_unet"
    """Name of a model, or a model file."""
    device: Device = "auto"
    """Where the network runs; ``auto`` takes a GPU when there is one."""
    precision: Precision = "auto"
    """Numbers of the network; ``auto`` takes bf16 where the processor computes with it."""
    mirror: bool = False
    """Whether the probabilities of the four mirrored slices are averaged."""
    across: float = 1.0
    """Standard deviation in slices of the Gaussian that averages the probabilities across slices; 0: none."""
    tile: int = 1024
    """Longest side of a window in pixels; a slice that fits is computed in one pass."""
    overlap: int = 128
    """Pixels that neighbouring windows share at least."""
    fov: str = "auto"
    """Field of view; what lies outside becomes background."""
    crop: str = ""
    """Voxels of the scan that are segmented, ``Z0:Z1,Y0:Y1,X0:X1``; all when left out."""
    spacing_um: tuple[float, float, float] | None = None
    """Voxel size (z, y, x) in µm, instead of the file's."""
    postprocess: bool = True
    """Whether islands of implant are taken away."""
    island_mm3: float = 0.001
    """Volume below which a separate piece of implant is an island."""
    keep_largest: bool = False
    """Whether every piece of implant but the largest is an island."""
    probabilities: Path | None = None
    """OME-Zarr to write with the probabilities, uint8, (class, z, y, x), value/255."""
    uncertainty: Path | None = None
    """Volume to write with the entropy of the probabilities over ln 4, uint8, value/255."""
    any_voxel_size: bool = False
    """Whether a scan is segmented however much its voxels differ from those of the model."""
    max_memory: int | None = None
    """Bytes that the run may use; half of what is free when left out."""
    found: dict[str, Any] = field(default_factory=dict)
    """What the run decided and found: device, precision, tiles, grey range, field of view."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Versions, and the hashes of scan and model."""

    def __post_init__(self) -> None:
        if self.crop:
            Box.parse(self.crop)
        if self.tile < 32 or not 0 <= self.overlap <= self.tile // 2:
            raise InputError(
                f"got tiles of {self.tile} with an overlap of {self.overlap} pixels, wanted tiles of at least 32 and "
                "an overlap of at most half a tile",
                "choose other tiles",
            )
        if not 0 <= self.across <= 5:
            raise InputError(f"got an average across {self.across} slices, wanted 0 to 5", "pass another --across")
        if not self.island_mm3 >= 0:
            raise InputError(f"got islands of {self.island_mm3} mm³, wanted a volume of at least 0", "correct it")
        if self.probabilities is not None and not self.probabilities.name.lower().endswith((".ome.zarr", ".zarr")):
            raise InputError(
                f"got {self.probabilities} for the probabilities, wanted a name that ends with .ome.zarr",
                f"pass --probabilities {self.probabilities.with_suffix('.ome.zarr')}",
            )

    @property
    def reach(self) -> int:
        """Slices on either side of a slice that its labels depend on: three standard deviations."""
        return math.ceil(3 * self.across)

    def key(self, model_sha256: str) -> str:
        """Hash of all that decides about the raw labels: two runs with one key give the same.

        Parameters
        ----------
        model_sha256 : str
            Hash of the weights.
        """
        kept = ("device", "precision", "mirror", "across", "tile", "overlap", "fov", "crop", "spacing_um")
        content = {name: value for name, value in asdict(self).items() if name in kept}
        content |= {"model": model_sha256, "version": __version__, "scan": _identity(self.input)}
        content |= {"probabilities": self.probabilities is not None, "uncertainty": self.uncertainty is not None}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def result_key(self, model_sha256: str) -> str:
        """Hash of all that decides about the results as they are written.

        Parameters
        ----------
        model_sha256 : str
            Hash of the weights.
        """
        names = ("output", "postprocess", "island_mm3", "keep_largest", "probabilities", "uncertainty")
        content = [self.key(model_sha256), *(str(getattr(self, name)) for name in names)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def job_path(output: Path) -> Path:
    """Where the job of a result is written: its name and ``.job.toml``."""
    return output.with_name(output.name + ".job.toml")


def _identity(path: Path) -> list[Any]:
    """Names, sizes and times of a scan's files: hashing hundreds of GB at every start would take too long."""
    with explained_os_errors(path, "read"):
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [str(path.resolve()), *((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)]
