"""What is measured, and with what: the choices of the form as one value."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer.section import sentence
from ImplantSegQuantLib.inslicer import fov, labels
from ImplantSegQuantLib.inslicer.geometry import to_world

_LONGEST_FOLDER = 100
"""Characters of a folder's name: file systems take 255 bytes, Windows 260 characters with all that is around."""


@dataclass(frozen=True)
class Choice:
    """A sample, its reference and how it is measured; nodes may be missing while the form is not filled in.

    Parameters
    ----------
    segmentation : vtkMRMLSegmentationNode or None
        Labels of the sample.
    reference : node, Path, str or None
        The screw before it degraded: a segmentation, label volume or model of the scene, a file, or
        ``screw:KEY=VALUE,...``.
    weeks : float
        Healing time.
    truth : vtkMRMLSegmentationNode or None
        What is right, on the grid of the segmentation.
    scan : vtkMRMLScalarVolumeNode or None
        Grey values for the pictures of the report.
    roi_mm : float
        Reach of the region of interest.
    fov : str, node or None
        Field of view: ``auto``, ``box``, ``circle:CY,CX,R`` in voxels, or a segmentation or volume as mask.
    name : str
        Name of the sample; else that of the segmentation.
    probabilities : Path or None
        Class probabilities of the segmentation, for confidence intervals.
    study : Path or None
        Folder in which the folder of the results is made; else the results are not kept.
    """

    segmentation: Any
    reference: Any
    weeks: float
    truth: Any = None
    scan: Any = None
    roi_mm: float = 1.0
    fov: Any = "auto"
    name: str = ""
    probabilities: Path | None = None
    study: Path | None = None

    @property
    def title(self) -> str:
        """Name of the sample."""
        return self.name.strip() or (self.segmentation.GetName().strip() if self.segmentation else "")

    @property
    def results(self) -> Path:
        """Folder of the results: of the sample's name, in the study's folder or in one that Slicer clears."""
        folder = re.sub(r"[^\w.-]+", "_", self.title)[:_LONGEST_FOLDER].strip("._") or "sample"
        return (self.study or Path(slicer.app.temporaryPath) / f"ImplantSegQuant-{os.getpid()}") / folder

    def problems(self, measure: bool = True) -> list[str]:
        """Tell why the sample cannot be measured (or registered only), one sentence each."""
        checks = [self._check_segmentation, self._check_reference, self._check_fov]
        checks += [self._check_weeks, self._check_roi, self._check_truth, self._check_files] if measure else []
        sentences = []
        for check in checks:
            try:
                check()
            except InputError as error:
                sentences.append(sentence(error.message, error.remedy))
        return sentences

    def inputs(self) -> str:
        """Give a fingerprint of what a pose depends on: segmentation, reference and where both lie."""
        parts = []
        for what, thing in (("segmentation", self.segmentation), ("reference", self.reference)):
            node = hasattr(thing, "GetID")
            parts.append(f"{thing.GetID()} {to_world(thing, what).round(9).tolist()}" if node else str(thing))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def _check_segmentation(self) -> None:
        if self.segmentation is None:
            raise InputError("no segmentation was chosen", "choose the segmented sample")
        labels.check(self.segmentation, "segmentation")
        to_world(self.segmentation, "segmentation")

    def _check_reference(self) -> None:
        if self.reference is None:
            raise InputError("no reference screw was chosen", "choose the screw before it degraded")
        if isinstance(self.reference, Path) and not self.reference.exists():
            raise InputError(f"there is no file {self.reference}", "correct the path of the reference screw")
        if self.reference is self.segmentation and self.reference is not None:
            raise InputError("the reference is the segmentation itself", "choose the screw before it degraded")
        if hasattr(self.reference, "GetID"):
            to_world(self.reference, "reference")

    def _check_fov(self) -> None:
        if self.fov is None:
            raise InputError("no mask of the field of view was chosen", "choose one, or another field of view")
        if isinstance(self.fov, str):
            fov.check(self.fov)

    def _check_weeks(self) -> None:
        if not self.weeks > 0:
            raise InputError(
                f"got a healing time of {self.weeks:g} weeks, wanted more than 0", "enter the weeks since implantation"
            )

    def _check_roi(self) -> None:
        if not self.roi_mm > 0:
            raise InputError(f"got a region of interest of {self.roi_mm:g} mm, wanted more than 0", "enter 1.0")

    def _check_truth(self) -> None:
        if self.truth is not None:
            labels.check(self.truth, "ground truth")
        if self.truth is not None and self.truth is self.segmentation:
            raise InputError("the ground truth is the segmentation itself", "choose another one, or none")

    def _check_files(self) -> None:
        if self.probabilities is not None and not self.probabilities.is_dir():
            raise InputError(f"there is no folder {self.probabilities}", "correct the path of the probabilities")
        folder = self.study
        while folder is not None and not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise InputError(f"the folder {folder} cannot be written", "choose another folder for the results")
