"""What models say about themselves, as data and as tables for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegLib.models.bundle import Bundle, load

HEAD = ("name", "network", "voxel", "size", "from", "summary")


def entry(name: str, path: Path, is_bundled: bool) -> dict[str, Any]:
    """Line of the list of models; a damaged file is a line too, so that it can be seen and deleted.

    Parameters
    ----------
    name, path : str, Path
        The model and its file.
    is_bundled : bool
        Whether it comes with ImplantSeg.

    Returns
    -------
    dict
        ``name``, ``from``, ``path``, ``bytes``, ``network``, ``spacing_mm``, ``summary``, and ``problem``: what is
        wrong with the file, else None.
    """
    found: dict[str, Any] = {"name": name, "from": "ImplantSeg" if is_bundled else "import", "path": str(path)}
    found |= {"bytes": path.stat().st_size, "network": None, "spacing_mm": None, "summary": "", "problem": None}
    try:
        bundle = load(path)
    except InputError as error:
        return found | {"problem": error.message}
    return found | {"network": bundle.network, "spacing_mm": bundle.spacing_mm, "summary": bundle.summary}


def list_table(entries: list[dict[str, Any]]) -> str:
    """Table of several entries."""
    rows = [HEAD, *(_row(one) for one in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    size = _megabytes(one["bytes"])
    if one["problem"]:
        return one["name"], "?", "?", size, one["from"], one["problem"]
    return one["name"], one["network"], _voxel(one["spacing_mm"]), size, one["from"], one["summary"]


def facts(bundle: Bundle) -> dict[str, Any]:
    """All that a model file says, ready for JSON."""
    return {"name": bundle.name, **dataclasses.asdict(bundle), "path": str(bundle.path)}


def as_table(bundle: Bundle) -> str:
    """Say what matters about a model as lines ``key  value``; keys without a value are left out."""
    made = bundle.provenance
    rows = [
        ("model", bundle.name),
        ("summary", bundle.summary),
        ("file", str(bundle.path)),
        ("network", _pairs({bundle.network: "", **bundle.options})),
        ("input", _pairs(bundle.preprocessing)),
        ("voxel", _voxel(bundle.spacing_mm)),
        ("labels", _pairs(bundle.labels)),
        *((key, "undefined" if value is None else f"{value:.2f}") for key, value in bundle.scores.items()),
        ("recipe", str(made.get("recipe_name", ""))),
        ("trained on", ", ".join(made.get("training", ()))),
        *_training_rows(bundle.training_data),
        ("validated on", ", ".join(made.get("validation", ()))),
        ("made", _pairs({key: made[key] for key in ("date", "implantseg", "step", "minutes") if key in made})),
        ("licence", bundle.licence),
        ("weights", bundle.weights_sha256),
    ]
    width = max(len(key) for key, _ in rows)
    return "\n".join(f"{key:<{width}}  {text}" for key, text in rows if text)


def _training_rows(trained: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Ranges of the measures of the training scans, as `implantseg quality --model` compares with them."""
    measures = trained.get("measures", {})
    return [(f"trained {name}", f"{low:.4g} to {high:.4g}") for name, (low, high) in measures.items()]


def _pairs(values: Any) -> str:
    return ", ".join(f"{key} {value}".strip() for key, value in values.items())


def _voxel(spacing_mm: tuple[float, float, float] | None) -> str:
    """Voxel size in µm, one number when all three are the same."""
    if spacing_mm is None:
        return "any"
    sizes = [f"{1000 * step:.4g}" for step in spacing_mm]
    return " × ".join(sizes[:1] if len(set(sizes)) == 1 else sizes) + " µm"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB"
