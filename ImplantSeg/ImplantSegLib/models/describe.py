"""What models say about themselves, as data and as tables for people."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors, sha256
from ImplantSegLib.models.bundle import Bundle, load
from ImplantSegLib.models.zoo import ZOO

HEAD = ("name", "network", "dim", "voxel", "mIoU", "memory", "size", "from", "summary")

WINDOW = (512, 512)
"""Pixels (Y, X) of the window for which the list tells the memory of a network."""

Entry = dict[str, Any]


def entry(name: str, path: Path, is_bundled: bool, quick: bool = False) -> Entry:
    """Line of the list of models; a damaged file is a line too, so that it can be seen and deleted.

    Parameters
    ----------
    name, path : str, Path
        The model and its file.
    is_bundled : bool
        Whether it comes with ImplantSeg.
    quick : bool
        Whether to leave out what needs torch, whose import takes seconds: memory, parameters, and whether the weights
        fit the network.

    Returns
    -------
    dict
        ``name``, ``from`` (``ImplantSeg`` or ``import``), ``deletable``, ``path``, ``bytes``, ``sha256`` of the file,
        ``weights_sha256``, ``network``, ``dimensions`` (``2D`` or ``3D``), ``summary``, ``licence``, ``trained_on``
        (one line), ``training_data``, ``voxel_size_um`` (z, y, x), ``iou_percent`` by class, ``mean_iou_percent``,
        ``parameters``, ``memory_bytes`` (a bound for one window of ``memory_window`` pixels) and ``problems``: why it
        cannot be used, empty when it can. What cannot be told is None.
    """
    found = _ABSENT | {"name": name, "path": str(path), "problems": []}
    found |= {"from": "ImplantSeg" if is_bundled else "import", "deletable": not is_bundled}
    try:
        with explained_os_errors(path, "read"):
            found |= {"bytes": path.stat().st_size, "sha256": sha256(path)}
        bundle = load(path)
        found |= _said(bundle)
        found |= {} if quick else _needed(bundle)
    except InputError as error:
        found["problems"] = [error.message]
    except (AttributeError, TypeError, ValueError) as error:  # texts for numbers and the like, deep in the header
        found["problems"] = [f"the header of {path} is damaged ({error})"]
    return found


_UNKNOWN = (
    "bytes",
    "sha256",
    "weights_sha256",
    "network",
    "dimensions",
    "licence",
    "voxel_size_um",
    "mean_iou_percent",
)
_ABSENT: Entry = {
    **dict.fromkeys((*_UNKNOWN, "parameters", "memory_bytes")),
    **{"memory_window": WINDOW, "summary": "", "trained_on": "", "training_data": {}, "iou_percent": {}},
}


def _said(bundle: Bundle) -> Entry:
    """Tell what the header says."""
    scores = {key: None if value is None else float(value) for key, value in bundle.scores.items()}
    return {
        "weights_sha256": bundle.weights_sha256,
        "network": bundle.network,
        "dimensions": f"{ZOO[bundle.network].dimensions}D" if bundle.network in ZOO else None,
        "summary": bundle.summary,
        "licence": bundle.licence,
        "trained_on": _trained_on(bundle),
        "training_data": bundle.training_data,
        "voxel_size_um": None if bundle.spacing_mm is None else [round(1000 * step, 6) for step in bundle.spacing_mm],
        "iou_percent": {key.removeprefix(_IOU): value for key, value in scores.items() if key.startswith(_IOU)},
        "mean_iou_percent": scores.get("mean_iou_percent"),
    }


_IOU = "iou_percent."


def _needed(bundle: Bundle) -> Entry:
    """Tell what the network needs, once the weights have its shapes; nothing where torch is missing.

    Raises
    ------
    InputError
        When the network is unknown or the weights do not fit it.
    """
    if bundle.network not in ZOO:
        raise InputError(f"the network {bundle.network!r} is unknown to this version of ImplantSeg", "update it")
    if importlib.util.find_spec("torch") is None:
        return {}
    from ImplantSegLib.models.cost import bytes_per_pixel

    network = bundle.empty_network()
    if {key: tuple(value.shape) for key, value in network.state_dict().items()} != bundle.stored_shapes():
        raise InputError(f"the weights do not fit network {bundle.network!r}", "use a model made by this version")
    return {
        "parameters": sum(value.numel() for value in network.parameters()),
        "memory_bytes": bytes_per_pixel(network.eval()) * WINDOW[0] * WINDOW[1],
    }


def _trained_on(bundle: Bundle) -> str:
    """One line: how many scans, of which cohort, by which recipe."""
    made = bundle.provenance
    scans, recipe = made.get("training", ()), made.get("recipe_name", "")
    cohort = made.get("recipe", {}).get("data", {}).get("cohort", "")
    parts = [f"{len(scans)} scans" if scans else "", f"cohort {cohort}" if cohort else ""]
    return ", ".join(filter(None, [*parts, f"recipe {recipe}" if recipe else ""]))


def list_table(entries: list[Entry]) -> str:
    """Table of several entries."""
    rows = [HEAD, *(_row(one) for one in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(one: Entry) -> tuple[str, ...]:
    score, memory, voxel = one["mean_iou_percent"], one["memory_bytes"], one["voxel_size_um"]
    return (
        one["name"],
        one["network"] or "?",
        one["dimensions"] or "?",
        "?" if one["network"] is None else _voxel(None if voxel is None else [size / 1000 for size in voxel]),
        "?" if score is None else f"{score:.1f} %",
        "?" if memory is None else _megabytes(memory),
        "?" if one["bytes"] is None else _megabytes(one["bytes"]),
        one["from"],
        "; ".join(one["problems"]) or one["summary"],
    )


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
        ("intervals from", str(bundle.calibration.get("scans", ""))),
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


def _voxel(spacing_mm: Sequence[float] | None) -> str:
    """Voxel size in µm, one number when all three are the same."""
    if spacing_mm is None:
        return "any"
    sizes = [f"{1000 * step:.4g}" for step in spacing_mm]
    return " × ".join(sizes[:1] if len(set(sizes)) == 1 else sizes) + " µm"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB"
