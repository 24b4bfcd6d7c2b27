"""A distance field from a closed surface mesh: STL, OBJ, VTK, VTP or PLY."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.field import DistanceField
from ImplantSegQuantLib.implicit import field_of

Array = np.ndarray[Any, Any]

READERS = {
    ".stl": "vtkSTLReader",
    ".obj": "vtkOBJReader",
    ".ply": "vtkPLYReader",
    ".vtk": "vtkPolyDataReader",
    ".vtp": "vtkXMLPolyDataReader",
}
"""Reader of each format, by the file's suffix."""


def field_of_mesh(path: Path) -> DistanceField:
    """Signed distance from a closed mesh whose coordinates are (x, y, z) in mm.

    Raises
    ------
    InputError
        When the file is missing or no mesh, or the surface is empty or not closed.
    """
    from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

    surface = _read(path)
    _check_closed(surface, path)
    distance = vtkImplicitPolyDataDistance()
    distance.SetInput(surface)
    bounds = np.array(surface.GetBounds()).reshape(3, 2).T
    return field_of(lambda points: _evaluate(distance, points), bounds)


def _read(path: Path) -> Any:
    from vtkmodules import vtkIOGeometry, vtkIOLegacy, vtkIOPLY, vtkIOXML
    from vtkmodules.vtkCommonCore import vtkObject
    from vtkmodules.vtkFiltersCore import vtkCleanPolyData, vtkTriangleFilter

    if not path.is_file():
        raise InputError(f"there is no file {path}", "correct the path of the reference")
    name = READERS[path.suffix.lower()]
    module = next(part for part in (vtkIOGeometry, vtkIOPLY, vtkIOLegacy, vtkIOXML) if hasattr(part, name))
    reader = getattr(module, name)()
    reader.SetFileName(str(path))
    triangles, clean = vtkTriangleFilter(), vtkCleanPolyData()
    triangles.SetInputConnection(reader.GetOutputPort())
    clean.SetInputConnection(triangles.GetOutputPort())  # STL repeats the corners of every triangle
    vtkObject.GlobalWarningDisplayOff()  # a broken file is told by our own error
    try:
        clean.Update()
    finally:
        vtkObject.GlobalWarningDisplayOn()
    if clean.GetOutput().GetNumberOfPolys() == 0:
        raise InputError(f"{path} holds no triangles", "pass a surface mesh of the reference screw")
    return clean.GetOutput()


def _check_closed(surface: Any, path: Path) -> None:
    from vtkmodules.vtkFiltersCore import vtkFeatureEdges

    edges = vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.BoundaryEdgesOn()
    edges.NonManifoldEdgesOff()
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.Update()
    open_edges = edges.GetOutput().GetNumberOfCells()
    if open_edges:
        raise InputError(
            f"the surface {path} is not closed: {open_edges} edges belong to one triangle only",
            "close its holes, or pass a label volume",
        )


def _evaluate(distance: Any, points: Array) -> Array:
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkDoubleArray

    contiguous = np.ascontiguousarray(points, float)
    result = vtkDoubleArray()
    distance.FunctionValue(numpy_to_vtk(contiguous), result)
    return vtk_to_numpy(result).astype(np.float32)
