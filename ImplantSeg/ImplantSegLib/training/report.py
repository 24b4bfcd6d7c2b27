"""``report.html`` of a run: its curves, scores, worst slices, recipe and provenance, in one file."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ImplantSegLib import __version__
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import write_text
from ImplantSegLib.labels import NAMES, TITLES
from ImplantSegLib.training import page
from ImplantSegLib.training.journal import LOG, read_log
from ImplantSegLib.training.pictures import FOLDER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ImplantSegLib.models import Bundle

REPORT = "report.html"

ERRORS = {
    "bic_error_percent": "BIC, whole scans",
    "bic_bias_percent": "BIC, whole scans, with its sign",
    "contact_error_percent": "contact faces in slices",
    "contact_bias_percent": "contact faces in slices, with its sign",
}
"""Errors of the contact among the scores, in %."""

_NO_TERMS = {"step", "seconds", "lr", "loss", "validation", "worst", "data_wait_percent", "stopped", "best_step"}


def write_report(folder: Path) -> Path:
    """Write the report of a run, finished or not, from the files in its folder.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputError
        When the folder holds no log of a training.
    """
    records = read_log(folder)
    if not records:
        raise InputError(f"{folder} holds no {LOG} of a training", "pass the folder that `implantseg train -o` wrote")
    bundle = _bundle(folder)
    made = dict(bundle.provenance) if bundle else {}
    text = page.render(
        "training.html.j2",
        version=__version__,
        title=made.get("recipe_name") or folder.name,
        facts=_facts(records, bundle, made),
        scores=dict(bundle.scores) if bundle else {},
        curves=_curves(records, made.get("step")),
        pictures=list(_pictures(folder)),
        training=made.get("training", []),
        validation=made.get("validation", []),
        recipe=_text(folder / "recipe.toml"),
        provenance=made,
    )
    write_text(folder / REPORT, text)
    return folder / REPORT


def _bundle(folder: Path) -> Bundle | None:
    from ImplantSegLib import models

    path = folder / "model.safetensors"
    return models.load(path) if path.exists() else None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _facts(records: list[dict[str, Any]], bundle: Bundle | None, made: Mapping[str, Any]) -> dict[str, str]:
    """Tell what stands at the top of the page."""
    last = records[-1]
    steps = made.get("recipe", {}).get("run", {}).get("steps")
    facts = {
        "network": f"{bundle.network} {json.dumps(dict(bundle.options)) if bundle.options else ''}" if bundle else "",
        "done": f"step {last['step']}" + (f" of {steps}" if steps else ""),
        "kept": f"weights of step {made['step']}" if "step" in made else "none yet",
        "time": f"{last.get('seconds', 0) / 60:.1f} min",
        "stopped early": "no better score" if any("stopped" in record for record in records) else "",
        "started from": str(made["init_from"]["name"]) if made.get("init_from") else "",
    }
    return {name: fact for name, fact in facts.items() if fact}


def _curves(records: list[dict[str, Any]], kept: int | None) -> str:
    """Draw all curves; gives a PNG in base64."""
    from matplotlib.figure import Figure

    steps = [record for record in records if "loss" in record]
    validations = [{"step": one["step"], **one["validation"]} for one in records if one.get("validation")]
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    loss, rate, overlap, contact = figure.subplots(2, 2).ravel()
    terms = dict.fromkeys(name for record in steps for name in record if name not in _NO_TERMS)
    shown = {name: name for name in terms} if len(terms) > 1 else {}
    _draw(loss, steps, {"loss": "loss, the sum", **shown}, "loss")
    if any(record["loss"] > 0 for record in steps):
        loss.set_yscale("log")
    _draw(rate, steps, {"lr": "learning rate"}, "learning rate")
    classes = {f"iou_percent.{name}": TITLES[value].lower() for value, name in NAMES.items()}
    _draw(overlap, validations, {"mean_iou_percent": "mean", **classes}, "IoU, %")
    _draw(contact, validations, ERRORS, "error, %")
    contact.axhline(0, color="0.6", linewidth=0.8)
    for axes in (loss, rate, overlap, contact):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if kept is not None:
            axes.axvline(kept, color="0.3", linestyle="--", linewidth=1)
    return page.embedded(figure)


def _draw(axes: Axes, records: list[dict[str, Any]], names: Mapping[str, str], label: str) -> None:
    for name, title in names.items():
        points = [(record["step"], record[name]) for record in records if record.get(name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 40 else "", label=title)
    axes.set_ylabel(label)
    if len(axes.get_lines()) > 1:
        axes.legend(frameon=False, fontsize="small")


def _pictures(folder: Path) -> Iterable[dict[str, str]]:
    from PIL import Image

    for path in sorted((folder / FOLDER).glob("*.png"), key=lambda path: (path.stem.startswith("middle"), path.stem)):
        with Image.open(path) as image:
            caption = str(image.info.get("Description", path.stem))
        yield {
            "caption": caption,
            "kind": path.stem.partition("-")[0],
            "png": base64.b64encode(path.read_bytes()).decode(),
        }
