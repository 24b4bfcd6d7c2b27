"""What the section Model shows about the models: rows of its table, details, and what speaks against a model."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ImplantSegLib.labels import NAMES

CLASSES = ("residual_material", "degradation_layer", "bone")
"""Classes whose IoU is shown, in the order of the columns."""

HEADERS = (
    "Name", "Network", "Dim.", "Voxel (µm)", "IoU residual", "IoU layer", "IoU bone", "Memory (GiB)", "Trained on",
)  # fmt: skip
"""Headers of the columns of :meth:`Entry.row`."""

CLOSE_FACTOR = 1.2
"""Voxels that differ by less from those of the training are like them: training scales by 0.8 to 1.25."""

REFUSED_FACTOR = 4.0
"""Voxels that differ by more are refused by ``segment``: the network would see structures of another kind."""

Voxel = tuple[float, float, float]


@dataclass(frozen=True)
class Entry:
    """One model of ``models list --json``."""

    name: str
    network: str = ""
    dimensions: str = ""
    """``2D`` or ``3D``."""
    trained_on: str = ""
    voxel_um: Voxel | None = None
    """Voxel size (z, y, x) of the training scans; ``None`` when they differ among each other."""
    iou_percent: Mapping[str, float] = field(default_factory=dict)
    """By class."""
    memory_bytes: int | None = None
    """Memory of the network for one window of 512 × 512 pixels; ``None`` where torch is missing."""
    problems: tuple[str, ...] = ()
    """Why it cannot be used."""
    deletable: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Entry:
        """Read one entry of the list."""
        voxel_um, scores = told["voxel_size_um"], told["iou_percent"]
        return cls(
            name=told["name"],
            network=told["network"] or "",
            dimensions=told["dimensions"] or "",
            trained_on=told["trained_on"] or told["summary"],
            voxel_um=None if voxel_um is None else (voxel_um[0], voxel_um[1], voxel_um[2]),
            iou_percent={key: scores[key] for key in CLASSES if scores.get(key) is not None},
            memory_bytes=told["memory_bytes"],
            problems=tuple(told["problems"]),
            deletable=told["deletable"],
        )

    def row(self) -> list[str | float]:
        """Cells of the table; numbers are rounded as they are shown, so that columns sort by them."""
        return [
            self.name,
            self.network or "?",
            self.dimensions,
            "" if self.voxel_um is None else _one_size(self.voxel_um),
            *(round(self.iou_percent[key], 1) if key in self.iou_percent else "" for key in CLASSES),
            "" if self.memory_bytes is None else round(self.memory_bytes / 2**30, 2),
            self.trained_on,
        ]


def new_name(stem: str, known: Mapping[str, Entry]) -> str:
    """Name under which a file is imported: its own, with what no name may have replaced, and not that of a bundled one.

    Parameters
    ----------
    stem : str
        Name of the file without its suffix.
    known : mapping of str to Entry
        The models by name.
    """
    name = re.sub(r"[^\w.+-]+", "_", stem).lstrip(".+-") or "model"
    while name in known and not known[name].deletable:
        name += "_imported"
    return name


def voxel_ratio(model_um: Voxel | None, scan_um: Voxel | None) -> float:
    """Side of the voxels of a scan over that of a model's, as geometric mean; 1 where either is unknown.

    Parameters
    ----------
    model_um, scan_um : tuple of float or None
        Voxel sizes (z, y, x) in µm.
    """
    if model_um is None or scan_um is None:
        return 1.0
    return (scan_um[0] * scan_um[1] * scan_um[2] / (model_um[0] * model_um[1] * model_um[2])) ** (1 / 3)


def voxel_warning(model_um: Voxel | None, scan_um: Voxel | None) -> str:
    """Tell how far the voxels of a scan are from those of a model; empty when they are close, or unknown."""
    ratio = voxel_ratio(model_um, scan_um)
    if model_um is None or scan_um is None or 1 / CLOSE_FACTOR <= ratio <= CLOSE_FACTOR:
        return ""
    remedy = f"bin it by {round(1 / ratio)} in the section Preprocessing" if round(1 / ratio) >= 2 else ""
    if not remedy and not is_usable(ratio):
        remedy = "choose another model"
    return (
        f"The voxels of the scan ({micrometres(scan_um)}) are {ratio:.2f} times as large as the "
        f"{micrometres(model_um)} that the model was trained at{'; ' if remedy else ''}{remedy}."
    )


def is_usable(ratio: float) -> bool:
    """Whether ``segment`` accepts a scan whose voxels are so many times as large as the model's."""
    return 1 / REFUSED_FACTOR <= ratio <= REFUSED_FACTOR


def micrometres(size_um: Voxel) -> str:
    """Text of a voxel size, one number when all three are the same."""
    size = _one_size(size_um)
    return f"{size} µm" if isinstance(size, str) else f"{size:g} µm"


def _one_size(size_um: Voxel) -> str | float:
    sizes = [float(f"{step:.4g}") for step in size_um]
    return sizes[0] if len(set(sizes)) == 1 else " × ".join(f"{step:g}" for step in sizes)


def details(told: Mapping[str, Any]) -> str:
    """Table in HTML of what ``models show --json`` tells; what it does not tell is left out."""
    made = told.get("provenance", {})
    scores = told.get("scores", {})
    iou = {NAMES[label]: scores.get(f"iou_percent.{NAMES[label]}") for label in NAMES}
    rows = {
        "Summary": told.get("summary"),
        "Network": _pairs({told.get("network", ""): "", **told.get("options", {})}),
        "Training": _some(made.get("training", ())),
        "Validation": _some(made.get("validation", ())),
        "IoU": ", ".join(f"{name.replace('_', ' ')} {value:.1f} %" for name, value in iou.items() if value is not None),
        "Made": _made(made),
        "Licence": told.get("licence"),
    }
    cells = (
        f"<tr><td><b>{key}</b>&nbsp;</td><td>{html.escape(str(text))}</td></tr>" for key, text in rows.items() if text
    )
    return f"<table>{''.join(cells)}</table>"


def origin(told: Mapping[str, Any]) -> str:
    """File and checksum of ``models show --json``, too long for a line of a panel: for a tooltip."""
    parts = {"File": told.get("path"), "SHA-256 of the weights": told.get("weights_sha256")}
    return "\n".join(f"{key}: {text}" for key, text in parts.items() if text)


def _made(made: Mapping[str, Any]) -> str:
    version, recipe = made.get("implantseg"), made.get("recipe_name")
    parts = {"": str(made.get("date", ""))[:10], "with ImplantSeg": version, "recipe": recipe}
    return ", ".join(f"{key} {text}".strip() for key, text in parts.items() if text)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}".strip() for key, value in values.items())


def _some(names: Any, shown: int = 3) -> str:
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
