"""The scan and the model of a job, opened, and whether they fit each other."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.preprocess.refuse import refuse_labels
from ImplantSegLib.volumes import Box, Volume, cropped, read

if TYPE_CHECKING:
    from torch import nn

    from ImplantSegLib.models import Bundle

_WARNED_FACTOR = 1.2
"""Training scales its patches by 0.8 to 1.25: within that, a network has seen such voxels."""

_USELESS_FACTOR = 2.5
"""Between 2, where mean IoU on a phantom falls from 88 % to 67 %, and 3, where it is 25 % (decision 7)."""

REFUSED_FACTOR = 4.0
"""Voxels that are this many times as large, or as small, as the model's show it structures of another kind."""

_WARNED_ANISOTROPY = 1.5


class Model:
    """A model whose network is read when it is first needed, and once however many scans it segments.

    Parameters
    ----------
    path : Path
        The model file.
    """

    def __init__(self, path: Path) -> None:
        from ImplantSegLib.models import load

        self.bundle: Bundle = load(path)

    @cached_property
    def network(self) -> nn.Module:
        """The network with its weights."""
        return self.bundle.load_network()

    @cached_property
    def pixel_bytes(self) -> int:
        """Bound on the memory of the network per pixel; asked for before a predictor fuses the network."""
        from ImplantSegLib.inference import runtime

        return runtime.bytes_per_pixel(self.network)


def open_model(name_or_path: str) -> Model:
    """Open a model by its name or its file."""
    from ImplantSegLib.models.registry import find

    return Model(find(name_or_path))


def open_scan(job: SegmentJob, bundle: Bundle, look: bool = True) -> Volume:
    """Open the scan of a job, whole.

    Parameters
    ----------
    job : SegmentJob
        Names it.
    bundle : Bundle
        The model that it is for.
    look : bool
        Whether voxels may be read to see if it is a scan.

    Raises
    ------
    InputError
        When there is no scan, it is a label volume, or its voxels are far from those of the model.
    """
    scan = read(job.input, job.spacing_um)
    refuse_labels(scan, job.input, look)
    refuse_voxel_size(scan, bundle, job)
    return scan


def part_of(scan: Volume, job: SegmentJob) -> Volume:
    """Give the part of the scan that is segmented."""
    return cropped(scan, Box.parse(job.crop)) if job.crop else scan


def refuse_voxel_size(scan: Volume, bundle: Bundle, job: SegmentJob) -> None:
    """Refuse a scan whose voxels are too far from those that the model was trained on.

    Raises
    ------
    InputError
        Naming the way to mend it, in numbers.
    """
    ratio = _ratio(scan, bundle)
    if ratio is None or job.any_voxel_size or 1 / REFUSED_FACTOR <= ratio <= REFUSED_FACTOR:
        return
    raise InputError(
        f"{_differs(scan, bundle, ratio)}, wanted a factor of at most {REFUSED_FACTOR:g}",
        f"{_remedy(bundle, ratio)}, correct a wrong voxel size with --spacing-um, or pass --any-voxel-size",
    )


def advice(scan: Volume, bundle: Bundle) -> list[str]:
    """Sentences about what in the scan's grid the model was not trained for."""
    found = []
    if scan.metadata.get("voxel_size_known") == "no" and bundle.spacing_mm is not None:
        found.append(
            "the voxel size of the scan is unknown; "
            f"the model was trained at {_microns(bundle.spacing_mm)}: pass --spacing-um"
        )
    ratio = _ratio(scan, bundle)
    if ratio is not None and not 1 / _WARNED_FACTOR <= ratio <= _WARNED_FACTOR:
        use = "" if 1 / _USELESS_FACTOR <= ratio <= _USELESS_FACTOR else ", so that its labels will hardly be of use"
        found.append(f"{_differs(scan, bundle, ratio)}{use}: {_remedy(bundle, ratio)}")
    if max(scan.spacing_mm) > _WARNED_ANISOTROPY * min(scan.spacing_mm):
        found.append(f"the voxels of the scan ({_microns(scan.spacing_mm)}) are no cubes, as the model knows them")
    return found


def _ratio(scan: Volume, bundle: Bundle) -> float | None:
    """Side of the scan's voxels over that of the model's, as geometric mean; None where either is unknown."""
    if bundle.spacing_mm is None or scan.metadata.get("voxel_size_known") == "no":
        return None
    return float(np.exp(np.mean(np.log(np.divide(scan.spacing_mm, bundle.spacing_mm)))))


def _differs(scan: Volume, bundle: Bundle, ratio: float) -> str:
    assert bundle.spacing_mm is not None
    return (
        f"the voxels of the scan ({_microns(scan.spacing_mm)}) are {ratio:.2f} times as large as the "
        f"{_microns(bundle.spacing_mm)} that the model was trained at"
    )


def _remedy(bundle: Bundle, ratio: float) -> str:
    assert bundle.spacing_mm is not None
    factor = round(1 / ratio)
    if factor >= 2:
        return f"bin the scan first (implantseg preprocess SCAN BINNED --bin {factor})"
    wanted = 1000 * float(np.prod(bundle.spacing_mm)) ** (1 / 3)
    return f"take a model trained near {wanted * ratio:.4g} µm, or a reconstruction with voxels of {wanted:.4g} µm"


def _microns(spacing_mm: tuple[float, float, float]) -> str:
    return " × ".join(f"{1000 * step:.4g}" for step in spacing_mm) + " µm"
