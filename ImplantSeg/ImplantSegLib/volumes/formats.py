"""The table of volume formats: which suffix is read and written by which file of this folder."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import refuse_folder


class Format(NamedTuple):
    """One format of volumes.

    Its module has ``read(path) -> Volume`` and ``writer(path, target, compress)``: a context manager that gives
    ``put(block)``, writes the shape, type and place that the volume ``target`` has, and leaves a whole file or none.
    """

    title: str
    suffixes: tuple[str, ...]
    module: str
    magic: tuple[bytes, ...] = ()
    """First bytes of such a file, by which a wrong suffix is noticed."""


FORMATS: dict[str, Format] = {
    "seg.nrrd": Format("Slicer segmentation", (".seg.nrrd",), "segmentation", (b"NRRD",)),
    "nrrd": Format("NRRD", (".nrrd", ".nhdr"), "nrrd", (b"NRRD",)),
    "metaimage": Format("MetaImage", (".mha", ".mhd"), "metaimage", (b"ObjectType", b"NDims", b"Comment")),
    "tiff": Format(
        "TIFF (a file or a folder of slices)", (".tif", ".tiff"), "tiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    ),
    "nifti": Format("NIfTI", (".nii", ".nii.gz"), "nifti"),
    "zarr": Format("OME-Zarr", (".ome.zarr", ".zarr"), "zarr"),
}
"""Formats by name; the first one whose suffix fits a path is its format."""

_ZARR_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


def of_input(path: Path) -> str:
    """Name of the format of a file or folder that is to be read.

    Raises
    ------
    InputError
        When there is no such file, or its suffix is not in the table.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "check the path")
    if path.is_dir():
        return "zarr" if any((path / name).exists() for name in _ZARR_FILES) else "tiff"
    return _by_suffix(path) or _unknown(path, "convert it with Fiji or 3D Slicer")


def of_output(path: Path) -> str:
    """Name of the format that a path asks for by its suffix; no suffix stands for a folder of TIFF slices."""
    return _by_suffix(path) or (_unknown(path, "choose a name that ends so") if path.suffix else "tiff")


def stem(path: Path) -> str:
    """Name of a volume without the suffix of its format: ``scan`` for ``scan.ome.zarr``."""
    name = path.name
    known = [suffix for form in FORMATS.values() for suffix in form.suffixes if name.lower().endswith(suffix)]
    return name[: len(name) - max(map(len, known), default=0)] or name


def module(name: str) -> ModuleType:
    """Import the module of a format."""
    return importlib.import_module(f"ImplantSegLib.volumes.{FORMATS[name].module}")


def check_magic(path: Path, name: str) -> None:
    """Refuse a file whose first bytes are those of another format.

    Raises
    ------
    InputError
        Naming the format that the content looks like.
    """
    if not path.is_file() or not FORMATS[name].magic:
        return
    with path.open("rb") as stream:
        start = stream.read(16)
    if start.startswith(FORMATS[name].magic):
        return
    if not start:
        raise InputError(f"{path} is empty: it has no bytes", "copy or export the file again")
    other = next((form for form in FORMATS.values() if form.magic and start.startswith(form.magic)), None)
    remedy = f"rename it to {other.suffixes[0]}: its content looks like {other.title}" if other else "export it again"
    raise InputError(f"{path} is not {FORMATS[name].title}: its first bytes are {start!r}", remedy)


def check_replaceable(path: Path, name: str) -> None:
    """Refuse to replace a folder that holds anything but a volume that was written here before.

    Raises
    ------
    InputError
        When there is a folder of that name with other things in it, or a folder where a file is to be written.
    """
    marker = {"tiff": "" if path.suffix else "volume.json", "zarr": "zarr.json"}.get(name)
    if not marker:
        refuse_folder(path)
    elif path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
        raise InputError(f"{path} is a folder with other files, which would be lost", "choose another name")


def _by_suffix(path: Path) -> str | None:
    name = path.name.lower()
    return next((key for key, form in FORMATS.items() if name.endswith(form.suffixes)), None)


def _unknown(path: Path, remedy: str) -> str:
    known = ", ".join(suffix for form in FORMATS.values() for suffix in form.suffixes)
    raise InputError(f"got {path.name}, wanted a volume: {known}, or a folder of TIFF slices", remedy)
