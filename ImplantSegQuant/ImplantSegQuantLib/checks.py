"""What is checked before the long work begins: the voxel size, and that scan and reference are in the same units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ImplantSegLib.errors import InputError

if TYPE_CHECKING:
    from ImplantSegLib.volumes import Volume
    from ImplantSegQuantLib.reference import Reference

UNITS_RATIO = 100.0
"""Reference and implant differ in size by more than this only when one is in other units."""


def check_voxel_size(volume: Volume, role: str) -> None:
    """Refuse a volume whose file tells no voxel size.

    Raises
    ------
    InputError
        Every measure is in mm, so nothing can be said without it.
    """
    if volume.metadata.get("voxel_size_known", "yes") != "yes":
        raise InputError(f"the file of the {role} tells no voxel size", "pass --spacing-um, for example 2.76")


def check_size(implant_mm: float, reference: Reference) -> None:
    """Refuse a reference in other units than the scan.

    Parameters
    ----------
    implant_mm : float
        Diagonal of the box round the implant in the scan.
    reference : Reference
        The implant before it degraded.

    Raises
    ------
    InputError
        Naming both sizes.
    """
    size_mm = float(np.linalg.norm(np.ptp(reference.bounds_mm, axis=0)))
    ratio = size_mm / implant_mm
    if 1 / UNITS_RATIO <= ratio <= UNITS_RATIO:
        return
    larger, smaller = ("reference", "scan") if ratio > 1 else ("scan", "reference")
    raise InputError(
        f"the reference {reference.source} is {size_mm:.4g} mm across, the implant in the scan {implant_mm:.4g} mm: "
        f"one of them is not in mm",
        f"the {larger} may be in µm, or the {smaller} in m: correct its voxel size or scale the mesh to mm",
    )
