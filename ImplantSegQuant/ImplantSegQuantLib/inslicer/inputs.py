"""The files that a run reads, and the arguments that name them."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from ImplantSegLib.inslicer.runner import Step
from ImplantSegQuantLib.inslicer import fov, labels, meshes
from ImplantSegQuantLib.inslicer.choice import Choice


@dataclass(frozen=True)
class Inputs:
    """Files of one run in a folder of their own."""

    folder: Path
    segmentation: Path
    reference: str
    fov: str
    truth: Path | None = None
    scan: Path | None = None

    def register(self, start: Path | None = None) -> Step:
        """Give the step that finds the pose, or refines the one to start from."""
        arguments: list[str | Path] = [self.segmentation, "--reference", self.reference, "--fov", self.fov]
        arguments += ["-o", self.folder / "pose.tfm", "--surface", self.folder / "reference.vtp", "--json"]
        arguments += ["--start", start] if start else []
        return Step("Registration", "register", arguments)

    def quantify(self, choice: Choice, pose: Path | None = None) -> Step:
        """Give the step that measures."""
        arguments: list[str | Path] = [self.segmentation, "--reference", self.reference, "--fov", self.fov]
        arguments += ["--weeks", f"{choice.weeks:g}", "--roi-mm", f"{choice.roi_mm:g}", "-o", choice.results]
        for option, path in (("--pose", pose), ("--truth", self.truth), ("--image", self.scan)):
            arguments += [option, path] if path else []
        arguments += ["--probabilities", choice.probabilities] if choice.probabilities else []
        return Step("Measuring", "quantify", arguments)

    def discard(self) -> None:
        """Delete the files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write(choice: Choice, measure: bool = True) -> Inputs:
    """Write what a run needs into a new temporary folder.

    Parameters
    ----------
    choice : Choice
        What was chosen.
    measure : bool
        Whether truth and scan are needed too.

    Raises
    ------
    InputError
        When a node cannot be written as a file.
    """
    folder = Path(tempfile.mkdtemp(prefix="ImplantSegQuant-", dir=slicer.app.temporaryPath))
    try:
        return Inputs(
            folder,
            labels.save_labels(choice.segmentation, folder / "segmentation.nrrd"),
            _reference(choice.reference, folder),
            _fov(choice, folder),
            labels.save_labels(choice.truth, folder / "truth.nrrd", "ground truth")
            if measure and choice.truth
            else None,
            labels.save_volume(choice.scan, folder / "scan.nrrd", "scan") if measure and choice.scan else None,
        )
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _reference(reference: Any, folder: Path) -> str:
    if isinstance(reference, (str, Path)):
        return str(reference)
    if reference.IsA("vtkMRMLModelNode"):
        return str(meshes.save_model(reference, folder / "reference.ply", "reference"))
    return str(labels.save_mask(reference, folder / "reference.nrrd", "reference"))


def _fov(choice: Choice, folder: Path) -> str:
    if not isinstance(choice.fov, str):
        return str(labels.save_mask(choice.fov, folder / "fov.nrrd", "field of view"))
    return fov.known(choice.segmentation, choice.truth, choice.scan) if choice.fov == "auto" else choice.fov
