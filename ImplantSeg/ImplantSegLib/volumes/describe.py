"""What a volume is: the facts for ``implantseg info``, as a dictionary and as a table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ImplantSegLib.labels import IGNORE
from ImplantSegLib.volumes import formats
from ImplantSegLib.volumes.fov import KEY, FieldOfView
from ImplantSegLib.volumes.segmentation import CONTENT, SEGMENTS, table
from ImplantSegLib.volumes.segments import IGNORED
from ImplantSegLib.volumes.values import count_values, summarise
from ImplantSegLib.volumes.volume import IDENTITY, Volume
from ImplantSegLib.volumes.voxels import how

_SHOWN_ELSEWHERE = (KEY, CONTENT, SEGMENTS, "voxel_size_known")


def facts(path: Path, volume: Volume, with_values: bool = True) -> dict[str, Any]:
    """Tell what a volume is, ready for JSON.

    Parameters
    ----------
    path : Path
        Where it was read.
    volume : Volume
        The volume.
    with_values : bool
        Whether its voxels are looked at: value range, percentiles, field of view, voxels of each segment.
    """
    result: dict[str, Any] = {
        "path": str(path),
        "format": formats.FORMATS[formats.of_input(path)].title,
        "read": how(volume.array),
        "shape": list(volume.shape),
        "dtype": str(volume.dtype),
        "bytes": math.prod(volume.shape) * volume.dtype.itemsize,
        "voxel_size_um": [1000 * step for step in volume.spacing_mm],
        "voxel_size_known": volume.metadata.get("voxel_size_known") != "no",
        "size_mm": [step * count for step, count in zip(volume.spacing_mm, volume.shape, strict=True)],
        "origin_mm": list(volume.origin_mm),
        "direction": [list(row) for row in volume.direction],
        "metadata": dict(volume.metadata),
    }
    labels = volume.metadata.get(CONTENT) == "labels"
    result |= _field_of_view(volume, look=with_values and not labels)
    if with_values:
        result |= {"segments": _segments(volume)} if labels else {"values": _values(volume)}
    return result


def _field_of_view(volume: Volume, look: bool) -> dict[str, str]:
    if KEY in volume.metadata:
        return {"fov": volume.metadata[KEY], "fov_source": "metadata"}
    if look:
        return {"fov": str(FieldOfView.detect(volume)), "fov_source": "grey values"}
    return {"fov": "box", "fov_source": "default"}


def _values(volume: Volume) -> dict[str, Any]:
    values = summarise(volume)
    return {
        "minimum": _number(values.minimum),
        "maximum": _number(values.maximum),
        "mean": _number(values.mean),
        "not_finite": values.not_finite,
        "percentiles": {f"{percent:g}": _number(value) for percent, value in values.percentiles.items()},
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no NaN


def _segments(volume: Volume) -> list[dict[str, Any]]:
    counts = count_values(volume)
    listed = {segment.value: segment for segment in table(volume.metadata)}
    known = {IGNORE: IGNORED, **listed}
    return [
        {
            "value": value,
            "name": known[value].name if value in known else ("Background" if value == 0 else "without a name"),
            "colour": list(known[value].colour) if value in known else None,
            "voxels": counts.get(value, 0),
            "volume_mm3": counts.get(value, 0) * volume.voxel_volume_mm3,
        }
        for value in sorted({0, *listed, *counts})
    ]


def as_table(found: dict[str, Any]) -> str:
    """Lay the facts out for people to read."""
    known = "" if found["voxel_size_known"] else "  (not known: 1 mm is a guess; pass --spacing-um)"
    straight = found["direction"] == [list(row) for row in IDENTITY]
    rows = [
        ("file", found["path"]),
        ("format", f"{found['format']}, {found['read']}"),
        ("shape", f"{_times(found['shape'])} (z, y, x), {found['dtype']}, {_bytes(found['bytes'])}"),
        ("voxel size", f"{_times(found['voxel_size_um'])} µm (z, y, x){known}"),
        ("size", f"{_times(found['size_mm'])} mm (z, y, x)"),
        ("origin", f"({', '.join(f'{value:.6g}' for value in found['origin_mm'])}) mm (x, y, z), LPS"),
        ("direction", "along the axes" if straight else _matrix(found["direction"])),
        ("field of view", f"{found['fov']}  ({_FOV_SOURCES[found['fov_source']]})"),
        *_value_rows(found.get("values")),
        *_segment_rows(found.get("segments")),
        *(("metadata", f"{key} = {_short(value)}") for key, value in found["metadata"].items() if _is_shown(key)),
    ]
    return "\n".join(f"{name:<14} {text}" for name, text in rows)


_FOV_SOURCES = {
    "metadata": "from the metadata",
    "grey values": "found from the grey values",
    "default": "the metadata name none",
}


def _is_shown(key: str) -> bool:
    return key not in _SHOWN_ELSEWHERE


def _value_rows(values: dict[str, Any] | None) -> list[tuple[str, str]]:
    if values is None:
        return []
    if values["mean"] is None:
        return [("values", f"none is a number: {values['not_finite']} voxels are NaN or infinite")]
    bad = f", {values['not_finite']} NaN or infinite" if values["not_finite"] else ""
    percentiles = ", ".join(f"{percent} %: {value:.6g}" for percent, value in values["percentiles"].items())
    return [
        ("values", f"{values['minimum']:.6g} to {values['maximum']:.6g}, mean {values['mean']:.6g}{bad}"),
        ("percentiles", percentiles),
    ]


def _segment_rows(segments: list[dict[str, Any]] | None) -> list[tuple[str, str]]:
    return [
        ("segment", f"{one['value']:>3}  {one['name']:<20} {one['voxels']:>14} voxels  {one['volume_mm3']:.6g} mm³")
        for one in segments or []
    ]


def _times(values: list[float]) -> str:
    return " × ".join(f"{value:.6g}" for value in values)


def _matrix(rows: list[list[float]]) -> str:
    return "  ".join("(" + ", ".join(f"{value:.4f}" for value in row) + ")" for row in rows)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else line[:87] + "..."


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.4g} {unit}"
        size /= 1000
    return f"{size:.4g} TB"
