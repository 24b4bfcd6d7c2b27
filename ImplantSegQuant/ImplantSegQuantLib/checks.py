"""What is checked before the long work begins: the voxel size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ImplantSegLib.errors import InputError

if TYPE_CHECKING:
    from ImplantSegLib.volumes import Volume


def check_voxel_size(volume: Volume, role: str) -> None:
    """Refuse a volume whose file tells no voxel size.

    Raises
    ------
    InputError
        Every measure is in mm, so nothing can be said without it.
    """
    if volume.metadata.get("voxel_size_known", "yes") != "yes":
        raise InputError(f"the file of the {role} tells no voxel size", "pass --spacing-um, for example 2.76")
