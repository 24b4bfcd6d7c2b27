"""Previews: a file too large to be loaded, binned; and some slices of a scan as preprocessing makes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import slicer

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import commands, mrml, temporary
from ImplantSegLib.inslicer.commands import Part, Preparation
from ImplantSegLib.inslicer.runner import Step
from ImplantSegLib.inslicer.segmenting import Scan
from ImplantSegLib.volumes import Box

PREVIEW_BYTES = 200_000_000
"""What a preview of a file takes in memory at most."""

PREVIEW_OF = "ImplantSeg.previewOf"
"""Attribute of a preview: the file or the id of the volume that it shows."""

_VOXEL_BYTES = 4  # a mean is a float32

_MARGIN = 8
"""Slices on either side that are preprocessed too: non-local means look 5 voxels around and compares patches."""


class _Preview:
    """Files and the node of one preview."""

    def __init__(self, scan: Scan, of: str, name: str) -> None:
        scan.check()
        self.scan, self._of, self._name = scan, of, name
        self.folder = temporary.new_folder()
        self.file = self.folder / "preview.nrrd"

    def load(self) -> Any:
        """Put the preview into the scene, in the place of an earlier one, and show it in the slice views."""
        node = mrml.load_volume(self.file, self._name, preview_of(self._of))
        node.SetName(self._name)
        node.SetAttribute(PREVIEW_OF, self._of)
        if self.scan.path is None and self.scan.volume is not None:
            node.SetAndObserveTransformNodeID(self.scan.volume.GetTransformNodeID())
        return node

    def close(self) -> None:
        """Remove the temporary files."""
        temporary.remove(self.folder)


class OfFile(_Preview):
    """A file, binned until it is small.

    Parameters
    ----------
    scan : Scan
        A scan on disk, with its facts.
    """

    def __init__(self, scan: Scan) -> None:
        assert scan.path is not None
        self.binning = binning_for(scan.shape)
        suffix = f" (binned {self.binning})" if self.binning > 1 else ""
        super().__init__(scan, scan.identity, f"{scan.name} preview{suffix}")

    def steps(self) -> list[Step]:
        """Give the commands."""
        title, part = "loading a preview", Part("", self.scan.told_voxel_size_um)
        scan = self.scan.file(self.folder)
        if self.binning == 1:
            return [Step(title, "convert", [scan, self.file, "--no-compress", *part.arguments()])]
        return [Step(title, "preprocess", commands.preprocess(scan, self.file, Preparation(self.binning), part))]

    def load(self) -> Any:
        """Put the preview into the scene and show it."""
        node = super().load()
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        return node


class OfSlice(_Preview):
    """Slices of a scan around the one that a slice view shows, preprocessed.

    Parameters
    ----------
    scan : Scan
        The scan.
    preparation : Preparation
        What is done to it.
    slice_to_ras : ndarray, (4, 4)
        Pose of the slice in the world.

    Raises
    ------
    InputError
        When the slice lies outside the scan.
    """

    def __init__(self, scan: Scan, preparation: Preparation, slice_to_ras: np.ndarray[Any, Any]) -> None:
        scan.check()
        self.box = slab(scan, preparation.binning, slice_to_ras)
        self.preparation = preparation
        super().__init__(scan, f"{scan.identity} slices", f"{scan.name} preprocessed (preview)")

    def steps(self) -> list[Step]:
        """Write what has to be a file, and give the commands."""
        part = Part(str(self.box), self.scan.told_voxel_size_um)
        arguments = commands.preprocess(self.scan.file(self.folder), self.file, self.preparation, part)
        return [Step("preprocessing some slices", "preprocess", arguments)]


def preview_of(what: str) -> Any:
    """Give the preview that is in the scene already, or ``None``."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next((node for node in nodes if node.GetAttribute(PREVIEW_OF) == what), None)


def binning_for(shape: tuple[int, int, int]) -> int:
    """Smallest binning with which a scan of this shape takes at most :data:`PREVIEW_BYTES`."""
    return max(1, math.ceil((math.prod(shape) * _VOXEL_BYTES / PREVIEW_BYTES) ** (1 / 3)))


def slab(scan: Scan, binning: int, slice_to_ras: np.ndarray[Any, Any]) -> Box:
    """Box of the scan around a slice: thin along the axis of the scan that the slice is most perpendicular to.

    Raises
    ------
    InputError
        When the slice lies outside the scan.
    """
    to_world = scan.to_world()
    to_ijk = np.linalg.inv(to_world)
    normal = to_ijk[:3, :3] @ slice_to_ras[:3, 2] * np.linalg.norm(to_world[:3, :3], axis=0)
    axis = int(np.abs(normal).argmax())
    centre = (to_ijk @ slice_to_ras[:, 3])[axis]
    size = scan.shape[2 - axis]
    if not -0.5 <= centre < size - 0.5:
        raise InputError("the slice lies outside the scan", "move the red slice view to the scan")
    middle, margin = round(float(centre)), _MARGIN * binning
    first = max(0, middle - margin) // binning * binning
    ranges: list[tuple[int, int | None]] = [(0, None)] * 3
    ranges[2 - axis] = (first, min(size, middle + margin + 1))
    return Box(*ranges)
