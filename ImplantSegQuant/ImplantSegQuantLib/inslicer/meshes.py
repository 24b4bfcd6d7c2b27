"""Surfaces of the scene as files and back, and the parametric screw as a shape to push about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.inslicer.geometry import LPS_FROM_RAS, to_world

Array = np.ndarray[Any, Any]


def save_model(node: Any, path: Path, what: str) -> Path:
    """Write a model as PLY, LPS in mm, with its parent transforms applied.

    Raises
    ------
    InputError
        When it has no polygons, a parent transform is not linear, or the file cannot be written.
    """
    mesh = node.GetPolyData()
    if mesh is None or mesh.GetNumberOfPolys() + mesh.GetNumberOfStrips() == 0:
        raise InputError(f"the {what} {node.GetName()} has no surface", "choose a model with polygons")
    triangles, writer = vtk.vtkTriangleFilter(), vtk.vtkPLYWriter()
    triangles.SetInputData(moved(mesh, LPS_FROM_RAS @ to_world(node, what)))
    triangles.PassVertsOff()
    triangles.PassLinesOff()
    writer.SetInputConnection(triangles.GetOutputPort())
    writer.SetFileName(str(path))
    if not writer.Write():
        raise InputError(f"Slicer could not write {path}", "look at the free space on that disk")
    return path


def moved(mesh: Any, matrix: Array) -> Any:
    """Give a copy of a surface, moved by a matrix (4, 4); its polygons are turned where that mirrors them."""
    result, points = vtk.vtkPolyData(), vtk.vtkPoints()
    result.ShallowCopy(mesh)
    xyz = vtk_to_numpy(mesh.GetPoints().GetData()) @ matrix[:3, :3].T + matrix[:3, 3]
    points.SetData(numpy_to_vtk(np.ascontiguousarray(xyz, np.float32), deep=True))
    result.SetPoints(points)
    if np.linalg.det(matrix[:3, :3]) > 0:
        return result
    turned = vtk.vtkReverseSense()
    turned.SetInputData(result)
    turned.Update()
    return turned.GetOutput()


def read_surface(path: Path) -> Any:
    """Read a surface that ``register`` or ``quantify`` wrote, in RAS.

    Raises
    ------
    InputError
        When the file is missing or holds no surface.
    """
    reader = vtk.vtkXMLPolyDataReader()
    if not path.is_file() or not reader.CanReadFile(str(path)):
        raise InputError(f"there is no surface in {path}", "measure the sample again")
    reader.SetFileName(str(path))
    reader.Update()
    surface = moved(reader.GetOutput(), LPS_FROM_RAS)
    surface.GetFieldData().RemoveArray("SPACE")  # it says LPS
    return surface


def outline(numbers: dict[str, float]) -> Any:
    """Give the parametric screw without its thread, RAS in mm: axis along +z, the tip at the origin.

    Parameters
    ----------
    numbers : dict of str to float
        ``diameter``, ``length``, ``head_diameter``, ``head_height``, ``tip`` in mm.
    """
    radius, head = numbers["diameter"] / 2, numbers["head_diameter"] / 2
    neck = numbers["length"] - numbers["head_height"]
    profile = [
        (0, 0),
        (radius / 4, 0),
        (radius, numbers["tip"]),
        (radius, neck),
        (head, neck),
        (head, numbers["length"]),
    ]
    points, line, half = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    line.InsertNextCell(len(profile) + 1)
    for number, (r, z) in enumerate([*profile, (0, numbers["length"])]):
        points.InsertNextPoint(r, 0, z)
        line.InsertCellPoint(number)
    half.SetPoints(points)
    half.SetLines(line)
    lathe = vtk.vtkRotationalExtrusionFilter()
    lathe.SetInputData(half)
    lathe.SetResolution(48)
    lathe.Update()
    return lathe.GetOutput()


def read_mesh(path: Path) -> Any:
    """Read a mesh file, whose numbers are LPS in mm, in RAS.

    Raises
    ------
    InputError
        When it is no mesh that can be shown.
    """
    readers = {
        ".stl": vtk.vtkSTLReader,
        ".obj": vtk.vtkOBJReader,
        ".ply": vtk.vtkPLYReader,
        ".vtk": vtk.vtkPolyDataReader,
        ".vtp": vtk.vtkXMLPolyDataReader,
    }
    kind = readers.get(path.suffix.lower())
    if kind is None or not path.is_file():
        raise InputError(f"{path} is no mesh that can be moved by hand", "load it into the scene and choose it there")
    reader = kind()
    reader.SetFileName(str(path))
    reader.Update()
    if not reader.GetOutput().GetNumberOfPolys():
        raise InputError(f"{path} holds no triangles", "choose a surface mesh of the reference screw")
    return moved(reader.GetOutput(), LPS_FROM_RAS)
