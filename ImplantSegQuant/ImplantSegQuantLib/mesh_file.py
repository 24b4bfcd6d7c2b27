"""A surface with numbers on it, and its file: VTK polygons (``.vtp``) that ParaView and Slicer read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path

Array = np.ndarray[Any, Any]

SUFFIX = ".vtp"


@dataclass(frozen=True)
class Surface:
    """Polygons in the world of a scan.

    Parameters
    ----------
    points_mm : float32, shape (N, 3)
        Corners (x, y, z), LPS, in mm.
    cells : int32, shape (M, 3) or (M, 4)
        Corners of every triangle or quad, counter-clockwise seen from outside.
    point_data, cell_data : mapping of str to array
        Numbers of the N points and of the M cells; not uint8, which VTK takes for colours.
    facts : mapping of str to number
        What is to be known of the whole; field data in the file.
    """

    points_mm: Array
    cells: Array
    point_data: Mapping[str, Array] = field(default_factory=dict)
    cell_data: Mapping[str, Array] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)


def check_suffix(path: str | Path) -> None:
    """Refuse a name of another format.

    Raises
    ------
    InputError
        When the name does not end with ``.vtp``.
    """
    if Path(path).suffix.lower() != SUFFIX:
        raise InputError(f"got the surface {path}, wanted a name that ends with {SUFFIX}", "choose another name")


def write_surface(surface: Surface, path: str | Path) -> None:
    """Write a surface; the field data ``SPACE`` says that its world is LPS, which Slicer heeds.

    Raises
    ------
    InputError
        When the name does not end with ``.vtp``, the folder may not be written or the disk is full.
    """
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    check_suffix(path)
    with atomic_path(path) as temporary:
        writer = vtkXMLPolyDataWriter()
        writer.SetFileName(str(temporary))
        writer.SetInputData(polydata(surface))
        writer.SetHeaderTypeToUInt64()
        if not writer.Write():
            raise InputError(f"cannot write {path}", "check that the disk is not full and the folder may be written")


def polydata(surface: Surface) -> Any:
    """Give a surface as ``vtkPolyData``."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import vtkPoints, vtkStringArray
    from vtkmodules.vtkCommonDataModel import vtkPolyData

    result, points = vtkPolyData(), vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(surface.points_mm, np.float32), deep=True))
    result.SetPoints(points)
    result.SetPolys(_cell_array(surface.cells))
    numbers = {name: np.array([value]) for name, value in surface.facts.items()}
    for data, arrays in (
        (result.GetPointData(), surface.point_data),
        (result.GetCellData(), surface.cell_data),
        (result.GetFieldData(), numbers),
    ):
        for name, values in arrays.items():
            array = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
            array.SetName(name)
            data.AddArray(array)
    space = vtkStringArray()
    space.SetName("SPACE")
    space.InsertNextValue("LPS")
    result.GetFieldData().AddArray(space)
    return result


def _cell_array(cells: Array) -> Any:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonCore import VTK_TYPE_INT32
    from vtkmodules.vtkCommonDataModel import vtkCellArray

    corners = cells.shape[1]
    offsets = np.arange(0, corners * len(cells) + 1, corners, dtype=np.int32)
    result = vtkCellArray()
    result.SetData(
        numpy_to_vtk(offsets, deep=True, array_type=VTK_TYPE_INT32),
        numpy_to_vtk(np.ascontiguousarray(cells, np.int32).ravel(), deep=True, array_type=VTK_TYPE_INT32),
    )
    return result
