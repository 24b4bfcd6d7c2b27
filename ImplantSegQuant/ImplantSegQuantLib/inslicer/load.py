"""A folder of results as nodes of the scene; what was there of the same sample is replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.inslicer import colours, meshes, names, pose, samples, tables

ROI_COLOUR = (0.55, 0.80, 0.85)
ROI_OPACITY = 0.25

_REPLACED = (names.RESULTS, names.JSON, names.ROI, names.CONTACT, names.ERRORS, names.ERRORS_SERIES, names.ERRORS_CHART)


def read_results(folder: Path) -> dict[str, Any]:
    """Read ``results.json`` of a folder.

    Raises
    ------
    InputError
        When there is none, or it holds no measurements.
    """
    try:
        result = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"there are no results in {folder}", "choose a folder that quantify has written") from error
    if not isinstance(result, dict) or "measurements" not in result:
        raise InputError(
            f"{folder / 'results.json'} holds no measurements", "choose a folder that quantify has written"
        )
    return result


def load_results(folder: Path, sample: str, inputs: str = "") -> Any:
    """Load the results of a sample: table, pose, surfaces, region of interest.

    Parameters
    ----------
    folder : Path
        What ``quantify`` wrote.
    sample : str
        Name of the sample; nodes of an earlier run of this name are replaced.
    inputs : str
        Fingerprint of what was measured, where its nodes are in the scene.

    Returns
    -------
    vtkMRMLTableNode
        The table of the measures.

    Raises
    ------
    InputError
        When the folder holds no results.
    """
    result = read_results(folder)
    replaced = [node for role in _REPLACED for node in samples.nodes(sample, role)]
    table = samples.add("vtkMRMLTableNode", f"{sample} results", sample, names.RESULTS)
    table.SetAttribute(names.WEEKS, f"{result['job']['weeks']:g}")
    table.SetAttribute(names.FOLDER, str(folder))
    tables.fill_results(table, result)
    text = samples.add("vtkMRMLTextNode", f"{sample} results.json", sample, names.JSON)
    text.SetText(json.dumps(result, ensure_ascii=False))
    table.SetNodeReferenceID(names.JSON, text.GetID())
    _load_pose(folder, sample, result, inputs)
    if (folder / "contact.vtp").is_file():
        model = samples.add("vtkMRMLModelNode", f"{sample} contact", sample, names.CONTACT)
        model.SetAndObservePolyData(meshes.read_surface(folder / "contact.vtp"))
        colours.colour_by_contact(model)
    if (folder / "roi.nrrd").is_file():
        load_roi(folder / "roi.nrrd", sample, float(result["job"]["roi_mm"]))
    for node in replaced:
        samples.remove(node)
    return table


def _load_pose(folder: Path, sample: str, result: dict[str, Any], inputs: str) -> None:
    """Show the pose that was measured in; an accepted one stays, for it is the same."""
    if not (folder / "pose.tfm").is_file():
        return
    node = samples.find(sample, names.POSE) or new_pose(sample)
    pose.read_pose(folder / "pose.tfm", node)
    figures = {name: value for name, value in result.get("registration", {}).items() if name != "pose"}
    pose.settle(node, figures, inputs)
    if (folder / "reference.vtp").is_file():
        colours.show(show_reference(folder / "reference.vtp", node, sample), False)


def new_pose(sample: str) -> Any:
    """Make the pose of a sample: the identity."""
    return samples.add("vtkMRMLLinearTransformNode", f"Pose of {sample}", sample, names.POSE)


def show_reference(path: Path, transform: Any, sample: str) -> Any:
    """Show the surface of the registered reference under its pose, so that it moves with it.

    Parameters
    ----------
    path : Path
        The surface in the world of the scan.
    transform : vtkMRMLLinearTransformNode
        The pose that it was made with.
    sample : str
        Name of the sample.
    """
    surface = meshes.moved(meshes.read_surface(path), np.linalg.inv(pose.scan_from_reference(transform)))
    model = put_reference(surface, transform, sample)
    colours.colour_by_distance(model)
    return model


def put_reference(surface: Any, transform: Any, sample: str) -> Any:
    """Put a surface, RAS in the reference's own world, under its pose."""
    samples.forget(sample, names.REFERENCE)
    model = samples.add("vtkMRMLModelNode", f"{sample} reference", sample, names.REFERENCE)
    model.SetAndObservePolyData(surface)
    model.CreateDefaultDisplayNodes()
    model.GetDisplayNode().SetVisibility2D(True)
    model.SetAndObserveTransformNodeID(transform.GetID())
    pose.centre_handles(transform, surface)
    return model


def load_roi(path: Path, sample: str, reach_mm: float) -> Any:
    """Load the region of interest as a segmentation of one segment, shown in 3D too."""
    volume = slicer.util.loadLabelVolume(str(path))
    node = samples.add("vtkMRMLSegmentationNode", f"{sample} ROI", sample, names.ROI)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(volume, node)
    samples.remove(volume)
    segmentation = node.GetSegmentation()
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        segment.SetName(f"ROI {reach_mm:g} mm")
        segment.SetColor(*ROI_COLOUR)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetOpacity3D(ROI_OPACITY)
    node.GetDisplayNode().SetOpacity2DFill(ROI_OPACITY)
    node.CreateClosedSurfaceRepresentation()
    return node
