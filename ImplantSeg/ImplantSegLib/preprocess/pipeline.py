"""The steps of preprocessing in their order: crop, bin, denoise, scale, write."""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors
from ImplantSegLib.preprocess.binning import binned, tails
from ImplantSegLib.preprocess.nlm import NlmSettings, denoise
from ImplantSegLib.preprocess.normalise import HIGH_PERCENT, KEY, LOW_PERCENT, normalised, robust_range, value_range
from ImplantSegLib.volumes import Box, FieldOfView, Volume, cropped, write

_log = logging.getLogger(__name__)

RECORD = "preprocessing"
"""Metadata key under which a preprocessed scan tells, as JSON, what was done to it."""


@dataclass(frozen=True)
class Steps:
    """What is done to a scan, in this order."""

    bin: int = 1
    """Voxels along each axis that become one; 1 leaves the scan as it is."""
    denoise: Literal["nlm", "none"] = "none"
    """Whether the scan is denoised, by iterative non-local means."""
    nlm: NlmSettings = field(default_factory=NlmSettings)
    """How, when it is."""
    normalise: Literal["robust", "none"] = "robust"
    """Whether grey values are scaled to [0, 1] by percentiles."""
    low_percent: float = LOW_PERCENT
    """Percentile that becomes 0."""
    high_percent: float = HIGH_PERCENT
    """Percentile that becomes 1."""
    fov: str = "auto"
    """Field of view whose voxels count: ``auto``, ``box``, ``circle:CY,CX,R`` (voxels of the input) or a mask."""
    crop: str = ""
    """Voxels of the input that are kept, ``Z0:Z1,Y0:Y1,X0:X1``, before anything else; all when left out."""


def preprocess(volume: Volume, path: Path, steps: Steps) -> dict[str, Any]:
    """Preprocess a scan into a file, slab by slab.

    Parameters
    ----------
    volume : Volume
        The scan.
    path : Path
        File to write, in the format of its suffix.
    steps : Steps
        What is done.

    Returns
    -------
    dict
        The steps with the values they found (noise levels, grey range), as the file's metadata hold them too.

    Raises
    ------
    InputError
        For voxels that are NaN or infinite inside the field of view, a constant volume, or options that do not fit.
    """
    if KEY in volume.metadata and steps.normalise != "none":
        raise InputError("the scan is scaled to [0, 1] already, as its metadata say", "pass --normalise none")
    scan = with_fov(volume, steps.fov)
    scan = cropped(scan, Box.parse(steps.crop)) if steps.crop else scan
    small = binned(scan, steps.bin)
    if any(dropped := tails(scan.shape, steps.bin)):
        _log.warning("binning by %d drops the last %d slices, %d rows and %d columns", steps.bin, *dropped)
    record = {key: value for key, value in dataclasses.asdict(steps).items() if key not in ("fov", "nlm")}
    with _denoised(small, path, steps, record) as clean:
        result = clean
        if steps.normalise == "robust":
            low, high = robust_range(clean, steps.low_percent, steps.high_percent)
            record["low"], record["high"] = low, high
            result = normalised(clean, low, high)
        write(result.like(result.array, **{RECORD: json.dumps(record)}), path)
    return record


def with_fov(volume: Volume, text: str) -> Volume:
    """Give the volume with the field of view in its metadata that an option asks for.

    Parameters
    ----------
    volume : Volume
        The scan; ``auto`` takes what its metadata say, or looks for the reconstructed circle in its grey values.
    text : str
        ``auto``, ``box``, ``circle:CY,CX,R`` or the path of a mask.
    """
    if text == "auto" and "fov" in volume.metadata:
        return volume
    fov = FieldOfView.detect(volume) if text == "auto" else FieldOfView.parse(text)
    return volume.like(volume.array, fov=str(fov))


@contextmanager
def _denoised(volume: Volume, path: Path, steps: Steps, record: dict[str, Any]) -> Iterator[Volume]:
    if steps.denoise == "none":
        yield volume
        return
    if volume.dtype.kind == "f":
        value_range(volume, FieldOfView.of(volume))  # NaN inside the field of view would spread to its neighbours
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained_os_errors(path), tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        denoised, sigmas = denoise(volume, Path(folder), steps.nlm)
        record["nlm"] = {**dataclasses.asdict(steps.nlm), "sigmas": sigmas}
        yield denoised
