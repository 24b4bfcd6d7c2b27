"""What is checked before the long work begins: voxel size, and the folder for the results."""

from __future__ import annotations

import os
from pathlib import Path
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
