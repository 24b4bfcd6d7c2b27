"""Accuracy of a model on a phantom cohort: segment, quantify, compare with the truth; a table against the bars.

    python Testing/bench/accuracy.py work/accuracy                 the ten test phantoms, the bundled model
    python Testing/bench/accuracy.py work/accuracy --model my.safetensors --cohort development

The table is printed as Markdown. What is done is kept in the folder and not done again; delete the folder after a
change of code or model.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

from ImplantSegLib import __version__, cli, progress
from ImplantSegLib.phantom.cohort import jobs, make_cohort

BARS = {
    "IoU residual material": ("≥", 97.0),
    "IoU bone": ("≥", 93.0),
    "IoU degradation layer": ("≥", 75.0),
    "DR error": ("±", 5.0),
    "BV/TV error": ("±", 3.0),
    "BIC error": ("±", 25.0),
}
"""What the project asks of the bundled model, on every scan of the test cohort, in %."""


def main() -> None:
    """Run the cohort and print the table."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path, help="where phantoms, segmentations and results are kept")
    command.add_argument("--cohort", default="test")
    command.add_argument("--model", default="compact_unet")
    command.add_argument("--only", type=int, metavar="N", help="the first N scans")
    options = command.parse_args()
    progress.configure("bar")
    scans = make_cohort(options.cohort, options.folder / options.cohort)[: options.only]
    weeks = {name: job.weeks for name, job in jobs(options.cohort).items()}
    rows = {scan.name: measure(scan, weeks[scan.name], options.model) for scan in scans}
    print(report(rows, options))


def measure(scan: Path, weeks: float, model: str) -> dict[str, float]:
    """Segment and quantify one scan, and give the figures of its row."""
    out = scan / f"with-{Path(model).stem}"
    if not (out / "results.json").exists():
        segmentation = str(out / "segmentation.seg.nrrd")
        if not Path(segmentation).exists():
            run("segment", str(scan / "image.nrrd"), segmentation, "--model", model)
        truth = ("--truth", str(scan / "labels.seg.nrrd"), "--reference", str(scan.parent / "reference.nrrd"))
        run(
            "quantify", segmentation, *truth, "--weeks", str(weeks), "--image", str(scan / "image.nrrd"), "-o", str(out)
        )
    return row(json.loads((out / "results.json").read_text(encoding="utf-8")))


def run(*arguments: str) -> None:
    """Run a verb as the command line does; stop where it fails."""
    if status := cli.main(list(arguments)):
        sys.exit(status)


def row(result: dict) -> dict[str, float]:
    """Figures of one scan."""
    iou, error = result["iou_percent"], result["relative_error_percent"]
    return {
        "DR, mm/a": result["truth"]["degradation_rate"]["value"],
        "BV/TV, %": result["truth"]["bone_volume_fraction"]["value"],
        "BIC, %": result["truth"]["bone_implant_contact"]["value"],
        "IoU residual material": iou["residual_material"],
        "IoU degradation layer": iou["degradation_layer"],
        "IoU bone": iou["bone"],
        "mIoU": result["mean_iou_percent"],
        "DR error": error["degradation_rate"],
        "BV/TV error": error["bone_volume_fraction"],
        "BIC error": error["bone_implant_contact"],
    }


def report(rows: dict[str, dict[str, float]], options: argparse.Namespace) -> str:
    """Markdown: the table, the medians, and how many scans meet each bar."""
    names = list(next(iter(rows.values())))
    lines = [f"| scan | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {scan} | " + " | ".join(show(name, values[name]) for name in names) + " |" for scan, values in rows.items()
    ]
    middle = {name: statistics.median(values[name] for values in rows.values()) for name in names}
    lines.append("| **median** | " + " | ".join(f"**{show(name, middle[name])}**" for name in names) + " |")
    lines += ["", "| bar | met by |", "|---|---|"]
    for name, (kind, bound) in BARS.items():
        values = [values[name] for values in rows.values()]
        met = sum(value >= bound if kind == "≥" else abs(value) <= bound for value in values)
        lines.append(f"| {name} {kind} {bound:g} % | {met} of {len(values)} |")
    made = f"{datetime.now(UTC):%Y-%m-%d}, cohort {options.cohort}, model {options.model}, ImplantSeg {__version__}"
    return "\n".join([*lines, "", f"{made}, Python {platform.python_version()}, {platform.machine()}"])


def show(name: str, value: float) -> str:
    """Write a figure with its sign where it is an error."""
    if name.endswith("error"):
        return f"{value:+.1f}"
    return f"{value:.3f}" if name.startswith("DR") else f"{value:.1f}"


if __name__ == "__main__":
    main()
