"""A pose to begin with where none was found: the reference in the middle of the sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.inslicer import load, meshes, names, pose, samples
from ImplantSegQuantLib.inslicer.choice import Choice
from ImplantSegQuantLib.inslicer.geometry import matrix_of, to_world


def start(choice: Choice, node: Any = None) -> Any:
    """Give a pose whose reference can be moved by hand.

    Parameters
    ----------
    choice : Choice
        The sample and its reference.
    node : vtkMRMLLinearTransformNode, optional
        A pose that was found already; then it is this one.

    Raises
    ------
    InputError
        When the reference has no surface to show.
    """
    if node is not None and samples.find(choice.title, names.REFERENCE) is not None:
        return node
    surface = _surface(choice.reference)
    if node is None:
        node = load.new_pose(choice.title)
        bounds = [0.0] * 6
        choice.segmentation.GetRASBounds(bounds)
        step = np.array(bounds).reshape(3, 2).mean(axis=1) - np.array(surface.GetBounds()).reshape(3, 2).mean(axis=1)
        matrix = np.eye(4)
        matrix[:3, 3] = step
        node.SetMatrixTransformToParent(matrix_of(matrix))
        pose.settle(node, {}, choice.inputs())
    load.put_reference(surface, node, choice.title)
    return node


def _surface(reference: Any) -> Any:
    """Surface of the reference in its own world, RAS."""
    if isinstance(reference, str):
        numbers = dict(part.split("=") for part in reference.partition(":")[2].split(","))
        return meshes.outline({key: float(value) for key, value in numbers.items()})
    if isinstance(reference, Path):
        return meshes.read_mesh(reference)
    if reference.IsA("vtkMRMLModelNode"):
        return meshes.moved(reference.GetPolyData(), to_world(reference, "reference"))
    if reference.IsA("vtkMRMLSegmentationNode"):
        return meshes.moved(_closed_surface(reference), to_world(reference, "reference"))
    raise InputError(
        f"the volume {reference.GetName()} has no surface to move by hand", "convert it to a segmentation, or register"
    )


def _closed_surface(node: Any) -> Any:
    """Surfaces of all segments; those that the node has not made yet are made in a copy of it."""
    segmentation, whole = slicer.vtkSegmentation(), vtk.vtkAppendPolyData()
    segmentation.DeepCopy(node.GetSegmentation())
    segmentation.CreateRepresentation("Closed surface")
    for number in range(segmentation.GetNumberOfSegments()):
        surface = segmentation.GetNthSegment(number).GetRepresentation("Closed surface")
        if surface is not None:
            whole.AddInputData(surface)
    if not whole.GetNumberOfInputConnections(0):
        raise InputError(f"the reference {node.GetName()} is empty", "choose another one")
    whole.Update()
    return whole.GetOutput()
