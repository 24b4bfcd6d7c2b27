"""What is checked before the long work begins: voxel size, units of the reference, the folder for the results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib.errors import InputError

if TYPE_CHECKING:
    from ImplantSegLib.volumes import Volume
    from ImplantSegQuantLib.sample import Box

UNIT_RATIO = 100.0
"""A reference this many times longer, or shorter, than the implant in the scan is in another unit: a screw of 16 mm
is about 5 times as long as what a field of view of 3.4 mm shows of it, and µm taken for mm are a factor of 1000."""


def check_voxel_size(volume: Volume, role: str) -> None:
    """Refuse a volume whose file tells no voxel size.

    Raises
    ------
    InputError
        Every measure is in mm, so nothing can be said without it.
    """
    if volume.metadata.get("voxel_size_known", "yes") != "yes":
        raise InputError(f"the file of the {role} tells no voxel size", "pass --spacing-um, for example 2.76")


def check_units(implant: Box, spacing_mm: tuple[float, float, float], bounds_mm: Any) -> None:
    """Refuse a reference in another unit than the scan.

    Parameters
    ----------
    implant : tuple of slice
        Smallest box round the implant in the segmentation, (z, y, x).
    spacing_mm : tuple of float
        Voxel size (z, y, x).
    bounds_mm : array, shape (2, 3)
        Lower and upper corner of the reference.

    Raises
    ------
    InputError
        When one is more than :data:`UNIT_RATIO` times as long as the other.
    """
    seen_mm = max((side.stop - side.start) * step for side, step in zip(implant, spacing_mm, strict=True))
    reference_mm = float(np.max(np.diff(np.asarray(bounds_mm), axis=0)))
    ratio = reference_mm / seen_mm
    if 1 / UNIT_RATIO < ratio < UNIT_RATIO:
        return
    sizes = f"the reference is {reference_mm:.4g} mm long and the implant in the scan {seen_mm:.4g} mm"
    if ratio > 1:
        cause = "the reference's numbers seem to be µm, or the voxel size of the scan to be in m"
        remedy = "write the reference in mm, or pass the voxel size of the scan as --spacing-um"
    else:
        cause = "the voxel size of the scan seems to be µm written as mm, or the reference to be in m"
        remedy = "pass the voxel size of the scan as --spacing-um, or write the reference in mm"
    raise InputError(f"{sizes}, a factor of {max(ratio, 1 / ratio):.0f}: {cause}", remedy)


def check_writable(folder: str | Path) -> None:
    """Refuse a folder for results that cannot be made or written, before an hour of work is lost on it.

    Raises
    ------
    InputError
        When it, or what stands at its place, is no folder that may be written.
    """
    nearest = Path(folder).absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"cannot write results into {folder}: {nearest} is a file", "choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"cannot write results into {folder}: {nearest} may not be written", "choose another folder")
