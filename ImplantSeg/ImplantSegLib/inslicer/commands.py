"""The arguments that the Slicer modules pass to the verbs: what a user would type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

Arguments = list[str | Path]


@dataclass(frozen=True)
class Network:
    """Which model segments, and how: what the section Model chooses."""

    model: str = ""
    """Name of a model or a model file; empty for the one that comes with the program."""
    device: str = "auto"
    """``auto``, ``cuda`` or ``cpu``."""
    mirror: bool = False
    """Whether to average over mirrored slices."""
    across: float = 1.0
    """Standard deviation in slices of the average across slices."""
    memory_gib: float = 0.0
    """Memory that the run may use; 0 for half of what is free."""

    @classmethod
    def of(cls, parameters: Any) -> Network:
        """Read it from the parameter node of ImplantSeg."""
        return cls(
            model=parameters.model,
            device=parameters.device.value,
            mirror=parameters.mirror,
            across=parameters.across,
            memory_gib=parameters.memoryGib,
        )

    def arguments(self) -> Arguments:
        """Options of ``segment``; what is as usual is left out."""
        usual = Network()
        return [
            *(["--model", self.model.strip()] if self.model.strip() else []),
            *(["--device", self.device]),
            *(["--mirror"] if self.mirror else []),
            *(["--across", f"{self.across:g}"] if self.across != usual.across else []),
            *(["--max-memory", f"{self.memory_gib:g}GiB"] if self.memory_gib > 0 else []),
        ]


@dataclass(frozen=True)
class Preparation:
    """What is done to a scan before it is segmented: what the section Preprocessing chooses."""

    binning: int = 1
    """Voxels along each axis that become one."""
    denoise_strength: float = 0.0
    """Factor on the estimated noise of non-local means; 0 for no denoising."""
    percentiles: tuple[float, float] | None = None
    """Percentiles that become 0 and 1; ``None`` where the model scales the scan itself."""

    @classmethod
    def of(cls, parameters: Any) -> Preparation:
        """Read it from the parameter node of ImplantSeg."""
        return cls(
            binning=parameters.binning,
            denoise_strength=parameters.denoiseStrength if parameters.denoise else 0.0,
            percentiles=(parameters.lowPercent, parameters.highPercent) if parameters.scaleByPercentiles else None,
        )

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return self != Preparation()

    def arguments(self) -> Arguments:
        """Options of ``preprocess``."""
        low_high = [f"{percent:g}" for percent in self.percentiles or ()]
        return [
            *(["--bin", str(self.binning)] if self.binning > 1 else []),
            *(["--denoise", "nlm", "--strength", f"{self.denoise_strength:g}"] if self.denoise_strength > 0 else []),
            *(["--percentiles", *low_high] if low_high else ["--normalise", "none"]),
        ]


@dataclass(frozen=True)
class Part:
    """Which voxels of a scan are meant, and how large they are."""

    crop: str = ""
    """Half-open box ``Z0:Z1,Y0:Y1,X0:X1``; empty for the whole scan."""
    voxel_size_um: float = 0.0
    """Side of a voxel instead of what the file says; 0 to believe the file."""

    def arguments(self) -> Arguments:
        """Options of ``convert``, ``preprocess`` and ``segment``."""
        return [
            *(["--crop", self.crop] if self.crop else []),
            *(["--spacing-um", f"{self.voxel_size_um:g}"] if self.voxel_size_um > 0 else []),
        ]


def preprocess(image: Path, prepared: Path, preparation: Preparation, part: Part = Part()) -> Arguments:
    """Arguments of ``preprocess``."""
    return [image, prepared, *preparation.arguments(), *part.arguments()]


def segment(
    image: Path,
    labels: Path,
    network: Network = Network(),
    part: Part = Part(),
    uncertainty: Path | None = None,
    resume: bool = False,
) -> Arguments:
    """Arguments of ``segment``.

    Parameters
    ----------
    image : Path
        The scan.
    labels : Path
        Labels to write.
    network : Network
        The model and how it runs.
    part : Part
        What of the scan is segmented.
    uncertainty : Path, optional
        Uncertainty to write.
    resume : bool
        Whether to go on with an unfinished run of the same job.
    """
    more: Arguments = ["--uncertainty", uncertainty] if uncertainty else []
    return [image, labels, *network.arguments(), *part.arguments(), *more, *(["--resume"] if resume else [])]


def info(path: Path, voxel_size_um: float = 0.0) -> Arguments:
    """Arguments of ``info`` that ask for the header alone, as JSON."""
    return [path, "--json", "--header-only", *Part("", voxel_size_um).arguments()]


def quality(image: Path, model: str, figure: Path, voxel_size_um: float = 0.0) -> Arguments:
    """Arguments of ``quality``: values and warnings as JSON, histograms as a picture."""
    chosen = ["--model", model.strip()] if model.strip() else []
    return [image, *chosen, "--json", "--figure", figure, *Part("", voxel_size_um).arguments()]
