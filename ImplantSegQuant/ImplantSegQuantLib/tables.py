"""What the tables of a report say: numbers, units and names as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ImplantSegLib.labels import COLOURS, NAMES, TITLES
from ImplantSegQuantLib.definitions import DEFINITIONS, FLANKS, GROUPS, PARTS, REGISTRATION, SCORES, UNITS
from ImplantSegQuantLib.results import rows

UNDEFINED = "undefined"
ABSENT = "–"

KEY_FIGURES = {
    "degradation_rate": "Degradation rate (voxel faces)",
    "bone_implant_contact": "Bone–implant contact",
    "bone_volume_fraction": "Bone volume fraction",
}
"""Measurements that stand at the head of a report."""


REGION_COLUMNS = {
    "initial_volume_mm3": "Initial volume (mm³)",
    "volume_loss_percent": "Volume loss (%)",
    "initial_surface_mm2": "Initial surface, unbiased (mm²)",
    "degradation_rate_mm_per_year": "DR, unbiased (mm/a)",
}
"""Figures of a region, and what they are called."""

FLANK_COLUMNS = {
    "reference_surface_mm2": "Surface of the reference (mm²)",
    "corrosion_depth_um": "Corrosion depth, mean (µm)",
    "recession_rate_mm_per_year": "Recession rate (mm/a)",
    "bone_implant_contact_percent": "BIC (%)",
}
"""Figures of a side of the thread, and what they are called."""


def figure(value: float | None, digits: int = 4) -> str:
    """Write a number with significant digits and a real minus sign; no exponent between 0.001 and a million."""
    if value is None:
        return UNDEFINED
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    decimals = max(0, digits - len(str(int(abs(value))).lstrip("0")))
    return f"{value:.{decimals}f}".replace("-", "−")


def percent_error(value: float | None) -> str:
    """Write a relative error in % with its sign."""
    if value is None:
        return ABSENT
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}".replace("-", "−")


def unit(text: str) -> str:
    """Write a unit with superscripts."""
    return UNITS.get(text, text)


def measurement_groups(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the groups of table rows, in the order of the definitions; those without one are "Other"."""
    by_name = {row["name"]: row for row in rows(result)}
    names = [name for name in DEFINITIONS if name in by_name]
    groups = [
        {"title": group, "rows": [_row(by_name[name]) for name in names if DEFINITIONS[name].group == group]}
        for group in GROUPS
    ]
    groups.append({"title": "Other", "rows": [_row(row) for name, row in by_name.items() if name not in DEFINITIONS]})
    return [group for group in groups if group["rows"]]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    definition = DEFINITIONS.get(row["name"])
    low, high = row["interval_low"], row["interval_high"]
    return {
        "name": row["name"],
        "title": definition.title if definition else humanised(row["name"]),
        "key": row["name"] in KEY_FIGURES,
        "value": figure(row["value"]),
        "unit": unit(row["unit"]),
        "interval": ABSENT if low is None else f"{figure(low)} to {figure(high)}",
        "truth": ABSENT if row["truth"] is None else figure(row["truth"]),
        "error": percent_error(row["relative_error_percent"]),
    }


def interval_heading(result: Mapping[str, Any]) -> str:
    """Heading of the column of intervals."""
    level = (result.get("uncertainty") or {}).get("level")
    return f"{level:g} % interval" if level else "Interval"


def uncertainty_rows(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Interval, bound and what the interval's variance is made of, for every measurement that has any of them."""
    table = []
    for name, entry in result["measurements"].items():
        told = entry.get("uncertainty") or {}
        if told:
            table.append(
                {
                    "title": DEFINITIONS[name].title if name in DEFINITIONS else humanised(name),
                    "interval": interval(entry.get("interval")),
                    "bound": interval(told.get("bound_half_voxel")),
                    "unit": unit(entry["unit"]),
                    **{part: _share(told, part) for part in PARTS},
                    "dominated": PARTS.get(told.get("dominated_by") or "", ABSENT),
                }
            )
    return table


def interval(ends: Any) -> str:
    """Two ends as text."""
    return ABSENT if ends is None else f"{figure(ends[0])} to {figure(ends[1])}"


def _share(told: Mapping[str, Any], part: str) -> str:
    """Share of the variance in %."""
    squares = {one: (told.get(f"sd_{one}") or 0.0) ** 2 for one in PARTS}
    whole = sum(squares.values())
    if told.get(f"sd_{part}") is None or not whole:
        return ABSENT
    return f"{100 * squares[part] / whole:.0f}"


def uncertainty_sentences(result: Mapping[str, Any]) -> list[str]:
    """How the intervals were made, and what dominates those of the key figures, in plain words."""
    told = result.get("uncertainty") or {}
    if not told:
        return []
    calibration = told.get("calibration")
    made = (
        f"The intervals hold the true value in {told['level']:g} of 100 scans like those of the calibration: "
        f"{calibration['scans']}."
        if calibration
        else f"The intervals are not calibrated: {told['level']:g} % of the spread of the labels and the pose."
    )
    parts: dict[str, list[str]] = {}
    for name, title in KEY_FIGURES.items():
        part = (result["measurements"].get(name, {}).get("uncertainty") or {}).get("dominated_by")
        if part:
            parts.setdefault(part, []).append(title.partition(" (")[0])
    return [
        made,
        *(f"{', '.join(names)}: most of the interval comes from {PARTS[part]}." for part, names in parts.items()),
    ]


def key_figures(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Cards at the head of a report: title, value, unit, and a note with truth and relative error."""
    by_name = {row["name"]: row for row in rows(result)}
    cards = []
    for name, title in KEY_FIGURES.items():
        if row := by_name.get(name):
            notes = []
            if row["interval_low"] is not None:
                ends = f"{figure(row['interval_low'], 3)} to {figure(row['interval_high'], 3)}"
                notes.append(f"{interval_heading(result)} {ends}")
            if row["truth"] is not None:
                notes.append(f"truth {figure(row['truth'], 3)}, error {percent_error(row['relative_error_percent'])} %")
            cards.append(_card(title, row["value"], row["unit"], "; ".join(notes)))
    if result.get("mean_iou_percent") is not None:
        cards.append(_card("Mean IoU", result["mean_iou_percent"], "%", "against the true labels"))
    return cards


def _card(title: str, value: float | None, unit_key: str, note: str) -> dict[str, str]:
    return {"title": title, "value": figure(value, 3), "unit": unit(unit_key), "note": note}


def scores(result: Mapping[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    """Headings, and one row per class with its colour and scores; empty when there is no truth."""
    columns = [key for key in SCORES if result.get(key)]
    classes = [
        {
            "title": TITLES[label],
            "colour": "#" + "".join(f"{round(255 * part):02x}" for part in COLOURS[label]),
            "values": [_score(result[key].get(name), result["iou_percent"][name] is None) for key in columns],
            "width": result["iou_percent"][name] or 0,
        }
        for label, name in NAMES.items()
        if name in (result.get("iou_percent") or {})
    ]
    return [SCORES[key] for key in columns], classes


def _score(value: float | None, absent: bool) -> str:
    return f"{value:.2f}" if value is not None else "absent" if absent else UNDEFINED


def region_rows(result: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Region of the screw, and its figures as in :data:`REGION_COLUMNS`; empty where nothing is known of regions."""
    regions = (result.get("profiles") or {}).get("degradation_by_region") or {}
    return [(humanised(name), [figure(figures[key]) for key in REGION_COLUMNS]) for name, figures in regions.items()]


def flank_rows(result: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Side of the thread, and its figures as in :data:`FLANK_COLUMNS`; empty where nothing is known of flanks."""
    flanks = (result.get("profiles") or {}).get("degradation_by_flank") or {}
    return [
        (FLANKS[name][:1].upper() + FLANKS[name][1:], [figure(figures[key]) for key in FLANK_COLUMNS])
        for name, figures in flanks.items()
    ]


def registration_rows(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, figure on the segmentation and figure on the truth, for whatever the fits say of themselves."""
    own = dict(flat(result.get("registration") or {}, digits=4))
    true = dict(flat(result.get("truth_registration") or {}, digits=4))
    names = [*own, *(name for name in true if name not in own)]
    return [(REGISTRATION.get(name) or humanised(name), own.get(name, ABSENT), true.get(name, "")) for name in names]


def humanised(key: str) -> str:
    """Turn a key into words: ``mean_distance_mm`` into ``Mean distance (mm)``."""
    for suffix, text in {"_mm": " (mm)", "_um": " (µm)", "_s": " (s)", "_percent": " (%)", "_degrees": " (°)"}.items():
        if key.endswith(suffix):
            key = key.removesuffix(suffix) + text
            break
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def flat(value: Mapping[str, Any], prefix: str = "", digits: int = 6) -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested mappings as ``(path, text)``, for tables of what a result was made with."""
    for key, item in value.items():
        path = f"{prefix}{key}"
        if isinstance(item, Mapping):
            yield from flat(item, f"{path}.", digits)
        else:
            yield path, _text(item, digits)


def _text(item: Any, digits: int) -> str:
    if isinstance(item, bool) or item is None:
        return {True: "yes", False: "no", None: ABSENT}[item]
    if isinstance(item, float):
        return f"{item:.{digits}g}".replace("-", "−")
    if isinstance(item, (list, tuple)):
        lines = any(isinstance(part, (list, tuple)) for part in item)
        return ("\n" if lines else ", ").join(_text(part, digits) for part in item)
    return str(item)
