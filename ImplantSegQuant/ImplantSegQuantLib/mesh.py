"""A distance field from a surface mesh: STL, OBJ, VTK, VTP or PLY."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.field import DistanceField
from ImplantSegQuantLib.implicit import Nodes, nodes_for
from ImplantSegQuantLib.mesh_repair import repaired
from ImplantSegQuantLib.redistance import volume_and_area

Array = np.ndarray[Any, Any]

READERS = {
    ".stl": "vtkSTLReader",
    ".obj": "vtkOBJReader",
    ".ply": "vtkPLYReader",
    ".vtk": "vtkPolyDataReader",
    ".vtp": "vtkXMLPolyDataReader",
}
"""Reader of each format, by the file's suffix."""

VOLUME_TOLERANCE = 0.02
"""The field must have the volume inside the triangles to this share, or the mesh intersects itself."""


def field_of_mesh(path: Path) -> DistanceField:
    """Signed distance from a mesh whose coordinates are (x, y, z) in mm; small faults are mended with a warning.

    Raises
    ------
    InputError
        When the file is missing or no mesh, or the surface is empty, cannot be closed or intersects itself.
    """
    surface, volume_mm3 = repaired(_read(path), path)
    nodes = nodes_for(np.array(surface.GetBounds()).reshape(3, 2).T)
    field = nodes.field(_values(surface, nodes, _inside(surface, nodes)))
    return _with_volume(field, volume_mm3, path)


def _inside(surface: Any, nodes: Nodes) -> Array:
    """Which nodes lie inside, by scan lines: the sign of VTK's point distance fails on sliver triangles."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

    stencil, image = vtkPolyDataToImageStencil(), vtkImageStencilToImage()
    stencil.SetInputData(surface)
    stencil.SetOutputOrigin(*nodes.lower_mm)
    stencil.SetOutputSpacing(*[nodes.step_mm] * 3)
    stencil.SetOutputWholeExtent(*(bound for n in nodes.shape[::-1] for bound in (0, n - 1)))
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetOutputScalarTypeToUnsignedChar()
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.Update()
    return vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape(nodes.shape).astype(bool)


def _values(surface: Any, nodes: Nodes, inside: Array) -> Array:
    """Signed distance at the two layers of nodes on either side of the surface; its sign alone elsewhere."""
    from scipy.ndimage import binary_dilation, binary_erosion
    from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

    distance = vtkImplicitPolyDataDistance()
    distance.SetInput(surface)
    near = binary_dilation(inside, iterations=2) & ~binary_erosion(inside, iterations=2)
    values = np.where(inside, np.float32(-3 * nodes.step_mm), np.float32(3 * nodes.step_mm))
    points = np.argwhere(near)[:, ::-1] * nodes.step_mm + nodes.lower_mm
    values[near] = np.copysign(_evaluate(distance, points), values[near])
    return np.asarray(values)


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


def _with_volume(field: DistanceField, wanted_mm3: float, path: Path) -> DistanceField:
    """Shift the level until the volume is that of the mesh: between nodes, a field cuts off what is round."""
    got_mm3, area_mm2 = volume_and_area(field.values, field.spacing_mm)
    if not abs(got_mm3 - wanted_mm3) <= VOLUME_TOLERANCE * wanted_mm3:
        raise InputError(
            f"the surface {path} is not clean: {got_mm3:.4g} mm³ lie inside it, but its triangles enclose "
            f"{wanted_mm3:.4g} mm³",
            "mend triangles that intersect, or pass a label volume",
        )
    return replace(field, values=field.values - np.float32((wanted_mm3 - got_mm3) / area_mm2))


def _evaluate(distance: Any, points: Array) -> Array:
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkDoubleArray

    contiguous = np.ascontiguousarray(points, float)
    result = vtkDoubleArray()
    distance.FunctionValue(numpy_to_vtk(contiguous), result)
    return vtk_to_numpy(result).astype(np.float32)
