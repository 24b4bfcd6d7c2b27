"""Stand-in of ``slicer.packaging``: requirements are truly checked, and kept instead of installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import slicer
from packaging.requirements import Requirement

installed: list[str] = []
"""Requirements that modules asked for since the last reset; :func:`pip_check` takes them as present."""

Requirements = str | Requirement | list[Any]


def load_requirements(path: str | Path) -> list[Requirement]:
    """Read a requirements file; comments and options are dropped, as Slicer does."""
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def _listed(requirements: Requirements) -> list[Requirement]:
    if isinstance(requirements, str):
        return [Requirement(word) for word in requirements.split()]
    if isinstance(requirements, Requirement):
        return [requirements]
    if not isinstance(requirements, list):
        raise TypeError(f"Expected str, Requirement, or list, got {type(requirements).__name__}")
    return [Requirement(found) if isinstance(found, str) else found for found in requirements]


def pip_check(req: Requirements) -> bool:
    """Whether all requirements are met here."""
    return all(_met(requirement) for requirement in _listed(req))


def _met(requirement: Requirement) -> bool:
    if str(requirement) in installed or (requirement.marker and not requirement.marker.evaluate()):
        return True
    try:
        return metadata.version(requirement.name) in requirement.specifier
    except metadata.PackageNotFoundError:
        return False


def pip_ensure(
    requirements: Requirements,
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Install what is missing after asking; ``host.answers["confirm"]`` is the answer.

    Raises
    ------
    RuntimeError
        When the user declines.
    """
    missing = [str(requirement) for requirement in _listed(requirements) if not pip_check(requirement)]
    if not missing:
        return None
    if prompt_install and not slicer.util.confirmOkCancelDisplay(
        f"{len(missing)} Python packages need to be installed.", requester or "", detailedText="\n".join(missing)
    ):
        raise RuntimeError("User declined package installation")
    return pip_install(missing, constraints, skip_packages=skip_packages, requester=requester)


def pip_install(
    requirements: str | list[str],
    constraints: str | Path | None = None,
    no_deps_requirements: str | list[str] | None = None,
    skip_packages: list[str] | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> list[str] | None:
    """Keep the requirements in :data:`installed`."""
    if skip_packages is not None and (no_deps_requirements is not None or not blocking):
        raise ValueError("skip_packages needs blocking=True and no no_deps_requirements")
    installed.extend(requirements.split() if isinstance(requirements, str) else requirements)
    if completedCallback is not None and not blocking:
        completedCallback(0)
    return [] if skip_packages is not None else None


def pip_uninstall(requirements: str | list[str]) -> None:
    """Refuse: modules never take packages away from Slicer."""
    raise RuntimeError(f"the module asked to uninstall {requirements}")
