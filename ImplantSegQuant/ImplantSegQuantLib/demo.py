"""The verb ``implantseg demo``: every step from a scan to a report, on a phantom whose truth is known."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ImplantSegLib import arguments
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors, remove, write_text
from ImplantSegLib.labels import NAMES, TITLES
from ImplantSegQuantLib.results import number
from ImplantSegQuantLib.tables import figure, interval, interval_heading, percent_error, unit

COMMANDS = "implantseg-demo.txt"
"""File with the commands that were run; a folder that has one may be made anew."""

CONTENTS = (
    "phantom",
    "scan.nrrd",
    "scan.nrrd.job.toml",
    "segmentation.seg.nrrd",
    "segmentation.seg.nrrd.job.toml",
    "probabilities.ome.zarr",
)
RESULTS = "results"

SHAPE = "128,384,384"
SPACING_UM = 12.0
WEEKS = 12.0
SEED = 7

_ROWS = {
    "degradation_rate": "Degradation rate (DR)",
    "bone_implant_contact": "Bone-implant contact (BIC)",
    "bone_volume_fraction": "Bone volume fraction (BV/TV)",
}


def main(argv: list[str]) -> None:
    """Run the demo from the command line."""
    command = arguments.parser(
        "demo",
        "Make an explant phantom, segment it with the bundled model, quantify it against the reference screw and the "
        "known truth, and write a report. The commands that do it are shown and kept in OUT/" + COMMANDS + ".",
        """
        implantseg demo
        implantseg demo tour --seed 11
        implantseg demo fine --spacing-um 10 --shape 200,480,480
        """,
    )
    add = command.add_argument
    add("out", metavar="OUT", nargs="?", default="demo", type=Path, help="folder to write (default: demo)")
    add("--seed", type=int, default=SEED, help=f"another seed makes another explant (default: {SEED})")
    add("--spacing-um", type=float, default=SPACING_UM, metavar="UM", help=f"voxel edge (default: {SPACING_UM:g})")
    add("--shape", default=SHAPE, metavar="Z,Y,X", help=f"voxels of the phantom (default: {SHAPE})")
    add("--model", metavar="NAME_OR_FILE", help="model to segment with (default: the bundled one)")
    options = arguments.parse(command, argv)

    start = time.monotonic()
    make_room(options.out)
    lines = [[verb, *map(str, rest)] for verb, *rest in _commands(options)]
    write_text(options.out / COMMANDS, "".join(f"implantseg {shlex.join(line)}\n" for line in lines))
    shown = ["--progress", options.progress, *(["--verbose"] if options.verbose else [])]
    verbs = _verbs()
    for verb, *rest in lines:
        print(f"\n$ implantseg {shlex.join([verb, *rest])}", flush=True)
        with contextlib.redirect_stdout(io.StringIO()):  # what a verb prints at its end is in the table below
            verbs[verb]([*rest, *shown])
    results = options.out / RESULTS
    print("\n" + table(json.loads((results / "results.json").read_text(encoding="utf-8"))))
    print(f"\n{time.monotonic() - start:.0f} s in all. The report: {results / 'report.html'}")


def make_room(out: Path) -> None:
    """Delete what an earlier demo left in a folder.

    Raises
    ------
    InputError
        When the folder has content that no demo made.
    """
    with explained_os_errors(out):
        if out.exists() and not out.is_dir():
            raise InputError(f"got {out}, which is a file, wanted a folder", "pass the path of a new folder")
        if out.is_dir() and any(out.iterdir()) and not (out / COMMANDS).is_file():
            raise InputError(f"{out} is not empty and was not made by a demo", "pass the path of a new folder")
        for name in (*CONTENTS, RESULTS):
            remove(out / name)


def _commands(options: Any) -> list[list[Any]]:
    """Command lines of the demo, in order."""
    out = options.out
    phantom, scan, segmentation = out / "phantom", out / "scan.nrrd", out / "segmentation.seg.nrrd"
    probabilities = out / "probabilities.ome.zarr"
    return [
        ["phantom", phantom, "--seed", options.seed, "--shape", options.shape,
         "--spacing-um", f"{options.spacing_um:g}", "--weeks", f"{WEEKS:g}"],
        ["preprocess", phantom / "image.nrrd", scan],
        ["segment", scan, segmentation, "--probabilities", probabilities,
         *(["--model", options.model] if options.model else [])],
        ["quantify", segmentation, "--reference", phantom / "reference.nrrd", "--weeks", f"{WEEKS:g}",
         "--probabilities", probabilities, "--truth", phantom / "labels.seg.nrrd", "--image", scan,
         "-o", out / RESULTS],
    ]  # fmt: skip


def _verbs() -> dict[str, Callable[[list[str]], None]]:
    """Give the functions that the command line calls for the verbs of the demo."""
    from ImplantSegLib.inference.command import segment
    from ImplantSegLib.phantom.command import main as phantom
    from ImplantSegLib.preprocess.command import preprocess
    from ImplantSegQuantLib.command import quantify

    return {"phantom": phantom, "preprocess": preprocess, "segment": segment, "quantify": quantify}


def table(result: Mapping[str, Any]) -> str:
    """Text of the table at the end of the demo: value, interval, truth and relative error, then the overlap."""
    head = f"{'':<30}{'value':>10}{interval_heading(result):>20}{'truth':>10}{'unit':>7}{'relative error (%)':>21}"
    lines = [head, "-" * len(head)]
    truth, errors = result.get("truth") or {}, result.get("relative_error_percent") or {}
    for name, title in _ROWS.items():
        measurement = result["measurements"][name]
        value, known = figure(measurement["value"]), figure(number(truth.get(name)))
        error = percent_error(number(errors.get(name)))
        between = interval(measurement.get("interval"))
        lines.append(f"{title:<30}{value:>10}{between:>20}{known:>10}{unit(measurement['unit']):>7}{error:>21}")
    lines.append("-" * len(head))
    iou = result.get("iou_percent") or {}
    for label, name in NAMES.items():
        lines.append(f"{'IoU ' + TITLES[label].lower():<30}{figure(iou.get(name)):>10}{'':>30}{'%':>7}")
    lines.append(f"{'Mean IoU':<30}{figure(result.get('mean_iou_percent')):>10}{'':>30}{'%':>7}")
    return "\n".join(lines)
