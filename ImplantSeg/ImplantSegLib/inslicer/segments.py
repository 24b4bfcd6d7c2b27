"""The segments in Slicer: the project's terminology, and segmentations made from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

import ImplantSegLib
from ImplantSegLib.inslicer import mrml
from ImplantSegLib.volumes.segments import CONTEXT, STANDARD

TERMINOLOGY = "ImplantSeg.term.json"
"""Entries for residual material, degradation layer and bone, with their colours."""


def load_terminology() -> None:
    """Make the project's terms known to the Segment Editor, once."""
    logic = slicer.modules.terminologies.logic()
    if logic.IsTerminologyContextLoaded(CONTEXT):
        return
    path = Path(ImplantSegLib.__path__[0]) / "data" / TERMINOLOGY
    if not logic.LoadTerminologyFromFile(str(path)):
        raise RuntimeError(f"Slicer does not accept the terminology {path}")


def load(path: Path, name: str, like: Any = None, into: Any = None, transform_id: str | None = None) -> Any:
    """Load labels so that they lie on the scan that they were made from.

    Parameters
    ----------
    path : Path
        A ``.seg.nrrd``.
    name : str
        Name of a new node.
    like : vtkMRMLScalarVolumeNode, optional
        The scan: its grid becomes the one that the Segment Editor works on.
    into : vtkMRMLSegmentationNode, optional
        Node whose segments are replaced.
    transform_id : str, optional
        Parent transform of the scan, which becomes that of the segmentation.
    """
    load_terminology()
    node = mrml.load_segmentation(path, name, into)
    node.SetAndObserveTransformNodeID(transform_id)
    if like is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(like)
    return node


def voxels(node: Any) -> list[tuple[str, int, float]]:
    """Count the voxels of a segmentation of one layer.

    Returns
    -------
    list of (str, int, float)
        Of each segment its name, voxels and volume in mm³.
    """
    import numpy as np
    from vtk.util.numpy_support import vtk_to_numpy

    segmentation = node.GetSegmentation()
    segments = [segmentation.GetSegment(one.id) for one in STANDARD]
    found = []
    for segment in filter(None, segments):
        layer = segment.GetRepresentation("Binary labelmap")
        count = int(np.count_nonzero(vtk_to_numpy(layer.GetPointData().GetScalars()) == segment.GetLabelValue()))
        found.append((segment.GetName(), count, count * float(np.prod(layer.GetSpacing()))))
    return found
