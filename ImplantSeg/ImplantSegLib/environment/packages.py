"""Packages that ImplantSeg needs: which are there, which are missing, too old or broken.

Slicer installs ImplantSeg without pip, so no metadata of a distribution tells what it needs; this file and the
requirements beside the models do, and a test keeps both equal to pyproject.toml.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from ImplantSegLib.environment.probe import Answer, imported

REQUIREMENTS = Path(__file__).resolve().parents[1] / "data" / "requirements-slicer.txt"
"""Packages that pip may install into 3D Slicer, one requirement per line."""

FROM_SLICER = ("numpy>=2.0", "scipy>=1.14", "SimpleITK>=2.4", "torch>=2.4", "vtk>=9.4")
"""Packages that 3D Slicer or its PyTorch extension supplies: pip must not touch them there."""

EXTRAS = {
    "train": ("lightning-fabric>=2.5", "monai>=1.4", "tensorboard>=2.16"),
    "cluster": ("dask>=2025.1", "distributed>=2025.1", "dask-jobqueue>=0.9"),
}
"""Packages that only some verbs need, by the extra of pip that installs them."""

MODULES = {
    "connected-components-3d": "cc3d",
    "dask-jobqueue": "dask_jobqueue",
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


def found() -> tuple[list[Package], Answer]:
    """Look for the packages that are needed.

    Those of every installation are imported, in another process, as only that shows a broken one; those of extras are
    looked up.

    Returns
    -------
    list of Package
        What is there, and what is not.
    Answer
        Of torch; empty where it is missing.
    """
    wanted = requirements()
    answers = imported([_module(package) for package in wanted if not package.extra and _is_there(package)])
    packages = [_judged(package, answers.get(_module(package))) for package in wanted]
    return packages, answers.get("torch", Answer())


def _split(line: str) -> tuple[str, str]:
    name, bound = line.split(">=")
    return name, f">={bound}"


def _module(package: Package) -> str:
    return MODULES.get(package.name, package.name)


def _is_there(package: Package) -> bool:
    """Whether there is a package, whole or not, without importing it."""
    try:
        return importlib.util.find_spec(_module(package).partition(".")[0]) is not None
    except ModuleNotFoundError:
        return False


def _judged(package: Package, answer: Answer | None) -> Package:
    """Judge a package by the answer to its import; without one it is only looked up."""
    if not _is_there(package):
        return dataclasses.replace(package, state="missing")
    version = _installed_version(package.name)
    if answer and answer.error:
        return dataclasses.replace(package, version=version, state="broken", detail=answer.error)
    version = version or (answer.version if answer else None)
    old = version is not None and _numbers(version) < _numbers(package.wanted)
    return dataclasses.replace(package, version=version, state="old" if old else "ok")


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """Leading numbers of a version, ``>=2.0`` and ``2.13.0+cpu`` alike."""
    release = re.match(r"[>=]*((?:\d+\.?)*)", version)
    return tuple(int(part) for part in release[1].split(".") if part) if release else ()
