"""Voxel size of a TIFF: from our own line, from ImageJ, from OME, or from the resolution tags."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from ImplantSegLib.volumes import geometry
from ImplantSegLib.volumes.geometry import MM_PER_UNIT
from ImplantSegLib.volumes.volume import Triple, Volume

OWN = "implantseg="
"""Start of the line of the image description that holds :func:`~ImplantSegLib.volumes.geometry.to_json`."""

PRINT_DPI = (72, 96, 100, 150, 300, 600, 1200)
"""Resolutions that programs write when they know nothing: they say how to print, not how large a voxel is."""

_TAG_UNITS = {2: "inch", 3: "cm"}


def place(tif: Any, source: str) -> dict[str, Any]:
    """Arguments of :class:`Volume` for an open ``tifffile.TiffFile``: spacing, and what else it says.

    Where it says nothing, spacing is left at 1 mm and the metadata tell so.
    """
    own = next((line for line in tif.pages[0].description.splitlines() if line.startswith(OWN)), None)
    if own:
        return geometry.from_json(own.removeprefix(OWN), source)
    spacing_mm = _imagej(tif) or _ome(tif) or _tags(tif)
    if spacing_mm is None:
        return {"metadata": {"voxel_size_known": "no"}}
    return {"spacing_mm": spacing_mm}


def describe(target: Volume, slices: int) -> str:
    """Text of the image description: ImageJ's lines, and one of our own with every digit."""
    lines = [
        "ImageJ=1.54f",
        f"images={slices}",
        f"slices={slices}",
        "unit=um",
        f"spacing={1000 * target.spacing_mm[0]!r}",
        "loop=false",
        OWN + geometry.to_json(target),
    ]
    return "\n".join(lines) + "\n"


def _imagej(tif: Any) -> Triple | None:
    if not tif.is_imagej:
        return None
    values = tif.imagej_metadata or {}
    unit = MM_PER_UNIT.get(str(values.get("unit", "pixel")).lower().replace("\\u00b5", "µ"))
    steps = _steps(tif)
    if unit is None or steps is None:
        return None
    y, x = steps
    z = float(values.get("spacing", 0)) or x
    return geometry.triple((z * unit, y * unit, x * unit))


def _ome(tif: Any) -> Triple | None:
    if not tif.is_ome:
        return None
    pixels = ET.fromstring(tif.ome_metadata).find(".//{*}Pixels")
    if pixels is None or pixels.get("PhysicalSizeX") is None:
        return None
    sizes = []
    for axis in "ZYX":
        size = float(pixels.get(f"PhysicalSize{axis}") or pixels.get("PhysicalSizeX") or 0)
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
        sizes.append(size * MM_PER_UNIT.get(unit, 1e-3))
    return geometry.triple(sizes)


def _tags(tif: Any) -> Triple | None:
    unit = _TAG_UNITS.get(int(getattr(tif.pages[0], "resolutionunit", 1)))
    steps = _steps(tif)
    if unit is None or steps is None:
        return None
    y, x = (step * MM_PER_UNIT[unit] for step in steps)
    if any(abs(25.4 / x - dpi) < 0.5 for dpi in PRINT_DPI):
        return None
    return x, y, x


def _steps(tif: Any) -> tuple[float, float] | None:
    """Distance of pixels along (y, x) in the unit of the file."""
    tags = tif.pages[0].tags
    steps = []
    for name in ("YResolution", "XResolution"):
        if name not in tags or 0 in tags[name].value:
            return None
        dots, units = tags[name].value
        steps.append(units / dots)
    return steps[0], steps[1]
