"""A segmentation from its parameters to the node in the scene: files, commands, loading. No widgets.

The panel runs the steps in the background; :func:`segment` runs them and waits, for scripts.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import slicer

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import commands, geometry, mrml, segments, temporary, uncertainty
from ImplantSegLib.inslicer.blocking import run
from ImplantSegLib.inslicer.commands import Network, Part, Preparation
from ImplantSegLib.inslicer.prepared import Prepared
from ImplantSegLib.inslicer.runner import Step
from ImplantSegLib.volumes import Box
from ImplantSegLib.volumes.formats import of_output

LOADED_BYTES = 4 * 2**30
"""Labels on disk that are larger than this (one byte a voxel) are not loaded into the scene."""


@dataclass(frozen=True)
class Scan:
    """The scan: a volume of the scene, or a file or folder on disk with what ``info --json`` tells about it."""

    volume: Any = None
    path: Path | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    voxel_size_um: float = 0.0
    """Side of a voxel where the scan does not say it; 0 to believe the scan."""
    roi: Any = None
    """vtkMRMLMarkupsROINode outside of which nothing is segmented."""

    @property
    def name(self) -> str:
        """Name of the scan, as its results are called after it."""
        return self.volume.GetName() if self.path is None else self.path.name.partition(".")[0]

    @property
    def identity(self) -> str:
        """What tells this scan from others: its path, or the id of its node."""
        return str(self.path) if self.path is not None else str(self.volume.GetID())

    def check(self) -> None:
        """Refuse what cannot be segmented, without looking at its voxels.

        Raises
        ------
        InputError
            When there is no scan, or it is none.
        """
        if self.path is None:
            mrml.check_scan(self.volume)
        elif not self.path.exists():
            raise InputError(f"there is no {self.path}", "choose the scan again")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        if self.path is None:
            return geometry.shape(self.volume)
        z, y, x = self._described()["shape"]
        return z, y, x

    def to_world(self) -> geometry.Matrix:
        """Matrix (4, 4) from voxels (i, j, k) to the world of Slicer (RAS, mm), through linear parent transforms."""
        if self.path is None:
            return geometry.ijk_to_world(self.volume)
        return mrml.ijk_to_ras(self._described(), self.voxel_size_um)

    @property
    def steps_um(self) -> tuple[float, float, float]:
        """Voxel size along (z, y, x) in µm."""
        if self.voxel_size_um > 0:
            return (self.voxel_size_um,) * 3
        if self.path is None:
            return geometry.voxel_size_um(self.volume)
        z, y, x = self._described()["voxel_size_um"]
        return z, y, x

    def crop(self) -> str:
        """Box that the region of interest covers; empty where there is none.

        Raises
        ------
        InputError
            When the region has nothing in common with the scan.
        """
        return str(geometry.roi_box(self.roi, self.to_world(), self.shape)) if self.roi is not None else ""

    @property
    def told_voxel_size_um(self) -> float:
        """Voxel size that a command must be told: a file does not say it, a volume of the scene always does."""
        return self.voxel_size_um if self.path is not None else 0.0

    def _described(self) -> dict[str, Any]:
        assert self.path is not None
        return self.facts or describe(self.path)

    def file(self, folder: Path) -> Path:
        """Give the scan as a file; a volume that is no file yet is written into a folder."""
        if self.path is not None:
            return self.path
        return mrml.file_of(self.volume) or mrml.save_volume(self.volume, folder / "scan.nrrd")


@dataclass(frozen=True)
class Result:
    """What is made of the scan, and where it goes."""

    segmentation: Any = None
    """Node whose segments are replaced; a new one when there is none."""
    path: Path | None = None
    """File for the labels that is kept."""
    uncertainty: bool = False
    uncertainty_volume: Any = None
    surface: bool = False
    """Whether the segments get their 3D surfaces."""
    resume: bool = True
    """Whether an unfinished run of the same file is continued."""


@dataclass(frozen=True)
class Request:
    """One segmentation, as a user asks for it."""

    scan: Scan
    preparation: Preparation = field(default_factory=Preparation)
    network: Network = field(default_factory=Network)
    result: Result = field(default_factory=Result)

    @classmethod
    def of(cls, volume: Any = None, **options: Any) -> Request:
        """Sort options by what they are about: the names are those of the fields.

        A ``path`` is that of the scan, ``output_path`` that of the labels.

        Raises
        ------
        TypeError
            For an option that there is not.
        """
        chosen = {**options, "volume": volume}
        output = {"path": chosen.pop("output_path")} if "output_path" in chosen else {}

        def take(kind: type, *but: str) -> dict[str, Any]:
            names = [one.name for one in fields(kind) if one.name in chosen and one.name not in but]
            return {name: chosen.pop(name) for name in names}

        request = cls(
            Scan(**take(Scan)), Preparation(**take(Preparation)), Network(**take(Network)),
            Result(**take(Result, "path"), **output),
        )  # fmt: skip
        if chosen:
            raise TypeError(f"there are no options {', '.join(chosen)}")
        return request


class Segmenting:
    """The steps of one segmentation, and the files between them.

    Parameters
    ----------
    request : Request
        What is asked for.

    Raises
    ------
    InputError
        When the scan cannot be segmented.
    """

    def __init__(self, request: Request) -> None:
        request.scan.check()
        if request.result.path is not None:
            of_output(request.result.path)  # refuses a suffix that nobody can write
        self.request = request
        self.notes: list[str] = []
        self.folder = temporary.new_folder()
        self.labels = request.result.path or self.folder / "labels.seg.nrrd"
        self._loadable = self.labels if self.labels.name.endswith(".seg.nrrd") else self.folder / "loadable.seg.nrrd"
        volume = request.scan.volume if request.scan.path is None else None
        if volume is not None and request.scan.voxel_size_um > 0:
            geometry.set_voxel_size(volume, request.scan.voxel_size_um)
        self._transform_id = volume.GetTransformNodeID() if volume is not None else None
        self._prepared = Path()
        self._too_large = False

    def steps(self) -> list[Step]:
        """Write what has to be a file, and give the commands.

        Raises
        ------
        InputError
            When there is no space for a copy of the scan, or the region lies outside it.
        """
        request, found = self.request, list[Step]()
        part = Part(request.scan.crop(), request.scan.told_voxel_size_um)
        self._too_large = request.result.path is not None and self._voxels(part.crop) > LOADED_BYTES
        scan = request.scan.file(self.folder)
        if request.preparation.needed:
            found += self._preprocessing(scan, part)
            part, scan = Part(), self._prepared  # what was cropped is not cropped again
        arguments = commands.segment(scan, self.labels, request.network, part, self.uncertainty, self._resumes(scan))
        found.append(Step("segmenting", "segment", arguments))
        if self._loadable != self.labels and not self._too_large:
            found.append(Step("converting", "convert", [self.labels, self._loadable]))
        return found

    def _voxels(self, crop: str) -> int:
        """Voxels of the labels."""
        ranges = Box.parse(crop or ":,:,:").within(self.request.scan.shape).slices
        return math.prod((one.stop - one.start) // self.request.preparation.binning for one in ranges)

    def _preprocessing(self, scan: Path, part: Part) -> list[Step]:
        kept = Prepared(self.labels) if self._outlives(scan) else None
        self._prepared = kept.path if kept else self.folder / "prepared.nrrd"
        arguments = commands.preprocess(scan, self._prepared, self.request.preparation, part)
        if kept:
            if self.request.result.resume and kept.fits(scan, arguments):
                return []
            kept.start(scan, arguments)
        return [Step("preprocessing", "preprocess", arguments)]

    @property
    def uncertainty(self) -> Path | None:
        """File of the uncertainty: beside the labels when they are kept."""
        if not self.request.result.uncertainty:
            return None
        if self.request.result.path is None:
            return self.folder / "uncertainty.nrrd"
        return self.labels.with_name(f"{self.labels.name.partition('.')[0]}-uncertainty.nrrd")

    def _outlives(self, scan: Path) -> bool:
        """Whether labels and scan are there after the run, so that another run can go on with this one."""
        return self.request.result.path is not None and self.folder not in scan.parents

    def _resumes(self, scan: Path) -> bool:
        unfinished = self.labels.with_name(f".{self.labels.name}.work") / "state.json"
        return self._outlives(scan) and self.request.result.resume and unfinished.is_file()

    def load(self) -> tuple[Any, Any]:
        """Put the results into the scene.

        Returns
        -------
        (vtkMRMLSegmentationNode or None, vtkMRMLScalarVolumeNode or None)
            The segmentation, ``None`` where it is too large to be loaded, and the uncertainty.
        """
        scan, result = self.request.scan, self.request.result
        if result.path is not None:
            Prepared(self.labels).remove()
        like = _in_scene(scan.volume) if scan.path is None else None
        if like is not None:
            self._transform_id = like.GetTransformNodeID()  # it may have been moved meanwhile
        if self._too_large:
            self.notes.append(f"the labels are too large to be loaded; they are in {self.labels}")
            return None, None
        node = segments.load(
            self._loadable, f"{scan.name} segmentation", like, _in_scene(result.segmentation), self._transform_id
        )
        if result.surface:
            node.CreateClosedSurfaceRepresentation()
        unsure = None
        if self.uncertainty is not None:
            unsure = uncertainty.load(self.uncertainty, scan.name, _in_scene(result.uncertainty_volume))
            unsure.SetAndObserveTransformNodeID(self._transform_id)
        return node, unsure

    def close(self) -> None:
        """Remove the temporary files."""
        temporary.remove(self.folder)


def segment(request: Request) -> Any:
    """Segment and wait for the result.

    Parameters
    ----------
    request : Request
        What is asked for.

    Returns
    -------
    vtkMRMLSegmentationNode
        The segmentation in the scene.

    Raises
    ------
    InputError
        When the scan cannot be segmented, or the run failed.
    """
    work = Segmenting(request)
    try:
        run(work.steps())
        return work.load()[0]
    finally:
        work.close()


def describe(path: Path) -> dict[str, Any]:
    """Ask what a file is, and wait for the answer."""
    facts: dict[str, Any] = json.loads(run([Step("reading the header", "info", commands.info(path))]))
    return facts


def _in_scene(node: Any) -> Any:
    """Give the node, or ``None`` where it was deleted meanwhile."""
    return node if node is not None and slicer.mrmlScene.IsNodePresent(node) else None
