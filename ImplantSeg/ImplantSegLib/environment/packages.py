"""Packages that ImplantSeg needs: which are there, which are missing, too old or broken.

Slicer installs ImplantSeg without pip, so no metadata of a distribution tells what it needs; this file and the
requirements beside the models do, and a test keeps both equal to pyproject.toml.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[1] / "data" / "requirements-slicer.txt"
"""Packages that pip may install into 3D Slicer, one requirement per line."""

FROM_SLICER = ("numpy>=2.0", "scipy>=1.14", "SimpleITK>=2.4", "torch>=2.4", "vtk>=9.4")
"""Packages that 3D Slicer or its PyTorch extension supplies: pip must not touch them there."""

EXTRAS = {"train": ("lightning-fabric>=2.5", "monai>=1.4", "tensorboard>=2.16")}
"""Packages that only some verbs need, by the extra of pip that installs them."""

MODULES = {
    "connected-components-3d": "cc3d",
    "lightning-fabric": "lightning_fabric",
    "matplotlib": "matplotlib.figure",
    "pynrrd": "nrrd",
    "scikit-image": "skimage.measure",
    "scipy": "scipy.ndimage",
    "vtk": "vtkmodules.vtkCommonCore",
}
"""Module that proves a package whole, where it is not named as the package."""


@dataclass(frozen=True)
class Package:
    """A package that is needed."""

    name: str
    """Name of the distribution, as pip knows it."""
    wanted: str
    """Oldest version that will do, as ``>=1.2``."""
    extra: str = ""
    """Extra that needs it; empty: every installation does."""
    version: str | None = None
    """Version that is there; None: none, or it does not tell."""
    state: str = "ok"
    """``ok``, ``missing``, ``old`` or ``broken``."""
    detail: str = ""
    """Why it is broken."""


def requirements() -> list[Package]:
    """List the packages that are needed, those of every installation first; nothing is looked for yet."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    base = sorted([*FROM_SLICER, *(line for line in lines if line and not line.startswith("#"))], key=str.lower)
    wanted = [("", line) for line in base] + [(extra, line) for extra, lines in EXTRAS.items() for line in lines]
    return [Package(*_split(line), extra=extra) for extra, line in wanted]


def found() -> list[Package]:
    """Look for the packages that are needed.

    Those of every installation are imported, as only that shows a broken one; those of extras are looked up.
    """
    with contextlib.redirect_stdout(sys.stderr):  # packages that greet must not break JSON on stdout
        return [_looked_up(package) if package.extra else _imported(package) for package in requirements()]


def _split(line: str) -> tuple[str, str]:
    name, bound = line.split(">=")
    return name, f">={bound}"


def _imported(package: Package) -> Package:
    name = MODULES.get(package.name, package.name)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name.partition(".")[0]:
            return dataclasses.replace(package, state="missing")
        return _broken(package, error)
    except Exception as error:  # noqa: BLE001 - a damaged package may raise anything, and that is the answer here
        return _broken(package, error)
    return _judged(package, _installed_version(package.name) or _told_version(module))


def _looked_up(package: Package) -> Package:
    version = _installed_version(package.name)
    there = version is not None or importlib.util.find_spec(MODULES.get(package.name, package.name)) is not None
    return _judged(package, version) if there else dataclasses.replace(package, state="missing")


def _broken(package: Package, error: Exception) -> Package:
    reason = next(iter(str(error).splitlines()), "")
    detail = f"{type(error).__name__}: {reason}"
    return dataclasses.replace(package, version=_installed_version(package.name), state="broken", detail=detail)


def _judged(package: Package, version: str | None) -> Package:
    old = version is not None and _numbers(version) < _numbers(package.wanted)
    return dataclasses.replace(package, version=version, state="old" if old else "ok")


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _told_version(module: object) -> str | None:
    # vtk inside Slicer has no metadata, and tells its version in its own way
    vtk = getattr(module, "vtkVersion", None)
    told = vtk.GetVTKVersion() if vtk else getattr(module, "__version__", None)
    return None if told is None else str(told)


def _numbers(version: str) -> tuple[int, ...]:
    """Leading numbers of a version, ``>=2.0`` and ``2.13.0+cpu`` alike."""
    release = re.match(r"[>=]*((?:\d+\.?)*)", version)
    return tuple(int(part) for part in release[1].split(".") if part) if release else ()
