"""The segments in Slicer: the project's terminology, and segmentations made from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer

import ImplantSegLib
from ImplantSegLib.inslicer import header, mrml
from ImplantSegLib.volumes.segments import CONTEXT, STANDARD

TERMINOLOGY = "ImplantSeg.term.json"
"""Entries for residual material, degradation layer and bone, with their colours."""

FOV = "fov"
"""Attribute of a segmentation, and key in the header of its file: the field of view."""

LABELMAP = "Binary labelmap"
"""Name of the representation that holds the voxels."""


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
        The scan: its grid becomes the one that the Segment Editor works on, unless only a part was segmented.
    into : vtkMRMLSegmentationNode, optional
        Node whose segments are replaced.
    transform_id : str, optional
        Parent transform of the scan, which becomes that of the segmentation.
    """
    load_terminology()
    node = mrml.load_segmentation(path, name, into)
    node.SetAndObserveTransformNodeID(transform_id)
    # the field of view is told in voxels of the file, and a node does not keep what a file says beside its segments
    node.SetAttribute(FOV, header.pairs(path).get(FOV))
    if like is not None and _size(node) == like.GetImageData().GetDimensions():
        node.SetReferenceImageGeometryParameterFromVolumeNode(like)
    else:
        _keep_own_grid(node)
    return node


def _size(node: Any) -> tuple[int, ...]:
    layer = node.GetSegmentation().GetNthSegment(0).GetRepresentation(LABELMAP)
    return tuple(layer.GetDimensions())


def _keep_own_grid(node: Any) -> None:
    """Keep the grid of a cropped or binned scan: what lies beside it was not segmented, and is no background."""
    node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), None)
    segmentation = node.GetSegmentation()
    layer = segmentation.GetNthSegment(0).GetRepresentation(LABELMAP)
    geometry = slicer.vtkSegmentationConverter
    segmentation.SetConversionParameter(
        geometry.GetReferenceImageGeometryParameterName(), geometry.SerializeImageGeometry(layer)
    )


def voxels(node: Any) -> list[tuple[str, int, float]]:
    """Count the voxels of the project's segments.

    Returns
    -------
    list of (str, int, float)
        Of each segment its name, voxels and volume in mm³.
    """
    found = []
    for one in STANDARD:
        segment = node.GetSegmentation().GetSegment(one.id)
        if segment is not None:
            count = int(np.count_nonzero(mask(node, one.id)))
            voxel_mm3 = float(np.prod(segment.GetRepresentation(LABELMAP).GetSpacing()))
            found.append((segment.GetName(), count, count * voxel_mm3))
    return found


def mask(node: Any, identity: str) -> np.ndarray[Any, Any]:
    """Voxels (z, y, x) of a segment, on the grid of its layer."""
    from vtk.util.numpy_support import vtk_to_numpy

    segment = node.GetSegmentation().GetSegment(identity)
    layer = segment.GetRepresentation(LABELMAP)
    values = vtk_to_numpy(layer.GetPointData().GetScalars()).reshape(layer.GetDimensions()[::-1])
    return np.asarray(values == segment.GetLabelValue())
