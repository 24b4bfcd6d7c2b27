"""How surfaces are coloured: contact with bone in two colours, distances from blue over white to orange."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from ImplantSegQuantLib.inslicer import names

_BLUE, _WHITE, _ORANGE = (0.13, 0.40, 0.67), (0.97, 0.97, 0.97), (0.90, 0.38, 0.0)
_CONTACT = (("No contact", (0.55, 0.60, 0.66)), ("Bone contact", (0.93, 0.70, 0.13)))

RANGES_UM = (20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Ends of the colour scale of distances; the first that holds 95 % of them is taken."""


def colour_by_contact(model: Any) -> None:
    """Colour the faces of an implant by the cell array ``contact``."""
    table = _table("Contact", [(_(name), colour) for name, colour in _CONTACT])
    display = _by_scalars(model, table, "contact", vtk.vtkAssignAttribute.CELL_DATA, (0.0, 1.0))
    display.SetBackfaceCulling(False)
    legend = _legend(model, _("Bone–implant contact"), "%s")
    legend.SetUseColorNamesForLabels(True)
    legend.SetNumberOfLabels(len(_CONTACT))
    legend.SetMaxNumberOfColors(len(_CONTACT))


def colour_by_distance(model: Any) -> None:
    """Colour a reference by the point array ``distance_um``."""
    steps = np.linspace(-1, 1, 256)
    ramps = [np.interp(steps, (-1, 0, 1), ends) for ends in zip(_BLUE, _WHITE, _ORANGE, strict=True)]
    table = _table(
        "Distance", [(f"{step:+.2f}", colour) for step, colour in zip(steps, zip(*ramps, strict=True), strict=True)]
    )
    end = range_um(model.GetPolyData())
    _by_scalars(model, table, "distance_um", vtk.vtkAssignAttribute.POINT_DATA, (-end, end))
    _legend(model, _("Distance from the reference (µm)"), "%.0f")


def show(model: Any, shown: bool) -> None:
    """Show or hide a coloured surface, and the legend of its colours with it."""
    model.GetDisplayNode().SetVisibility(shown)
    legend = legend_of(model)
    if legend is not None:
        legend.SetVisibility(shown)


def legend_of(model: Any) -> Any:
    """Give the legend of the colours of a surface, or None."""
    return slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(model)


def range_um(surface: Any) -> float:
    """End of the colour scale for the distances of a surface."""
    data = surface.GetPointData()
    distance, inside = data.GetArray("distance_um"), data.GetArray("inside_fov")
    if distance is None or not distance.GetNumberOfValues():
        return RANGES_UM[0]
    values = np.abs(vtk_to_numpy(distance))
    values = values[vtk_to_numpy(inside) != 0] if inside is not None else values
    far = float(np.percentile(values, 95)) if values.size else 0.0
    return next((end for end in RANGES_UM if far <= end), RANGES_UM[-1])


def _by_scalars(model: Any, table: Any, array: str, where: int, limits: tuple[float, float]) -> Any:
    model.CreateDefaultDisplayNodes()
    display = model.GetDisplayNode()
    display.SetActiveScalar(array, where)
    display.SetAndObserveColorNodeID(table.GetID())
    display.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseManualScalarRange)
    display.SetScalarRange(*limits)
    display.SetScalarVisibility(True)
    return display


def _table(kind: str, colours: list[tuple[str, Any]]) -> Any:
    """Colour node of this module, one for all samples."""
    known = slicer.mrmlScene.GetSingletonNode(names.PREFIX + kind, "vtkMRMLColorTableNode")
    if known is not None:
        return known
    node = slicer.vtkMRMLColorTableNode()
    node.SetSingletonTag(names.PREFIX + kind)
    node.SetName(f"ImplantSeg {kind.lower()}")
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colours))
    node.GetLookupTable().SetTableRange(0, len(colours) - 1)
    for number, (name, colour) in enumerate(colours):
        node.SetColor(number, name, *map(float, colour), 1.0)
    return slicer.mrmlScene.AddNode(node)


def _legend(model: Any, title: str, numbers: str) -> Any:
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(model)
    legend.SetTitleText(title)
    legend.SetLabelFormat(numbers)
    return legend
