"""The paper's own four networks, each trained in two ways on the paper's split of phantoms: a table of both.

    python Testing/bench/networks.py work/networks                       four networks, two ways, seed 0
    python Testing/bench/networks.py work/networks --seeds 0 1 2         three seeds
    python Testing/bench/networks.py work/networks --full                published widths, whole volumes: for a GPU

*uniform* is how the paper's framework trains: crops anywhere, cross-entropy of the hardest pixels. *targeted* takes
patches by class, contact and surface, and adds the losses for the layer and the interface. All else is alike: network,
initial weights, steps, optimiser, augmentation. Crops of the paper's six training phantoms train (fold 0 of four
validates), those of its two test phantoms and of the ten of the test cohort test: nine of sites that were trained on,
epiphysis and metaphysis, and three of the diaphysis, which was not, as in the paper. Measures are taken in the true
pose, so that no registration speaks in. What is done is kept in the folder and not done again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib import __version__, cli, progress
from ImplantSegLib.files import write_text
from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.inference.predict import segment
from ImplantSegLib.metrics.overlap import confusion, iou_percent, mean_iou_percent
from ImplantSegLib.phantom.cohort import make_cohort
from ImplantSegLib.volumes import FieldOfView, Volume, read
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.quantify import measure_all, registered
from ImplantSegQuantLib.reference import load
from ImplantSegQuantLib.sample import Sample

COMPACT = {
    "unet": "{ width = 8, align_corners = false }",
    "hrnet": "{ width = 8, stem = 16, blocks = 2, modules = [1, 2, 1] }",
    "u2net": "{ width = 8 }",
    "scaled_unet": "{ width = 4, align_corners = false }",
}
"""Options of networks whose step takes less than a second of one core."""

COMMON = """\
[model]
network = "{network}"
options = {options}

[data]
cohort = "{cohort}"

[optimiser]
lr = 2e-3
warmup = 50
clip_norm = 5.0
ema = 0.99

[run]
seed = {seed}
steps = {steps}
validate_every = {steps}
checkpoint_every = 250
precision = "bf16-mixed"
"""

WAYS = {
    "uniform": """
[sampling]
patch = {patch}
batch = {batch}
by_class = 0.0
contact = 0.0
surface = 0.0

[loss]
dice = 0.0
cross_entropy = 1.0
hardest = 100_000
hardest_below = 0.9
""",
    "targeted": """
[sampling]
patch = {patch}
batch = {batch}
by_class = 0.25
contact = 0.3
surface = 0.25
distance_um = 300.0

[loss]
dice = 1.0
cross_entropy = 1.0
interface_weight = 2.0
interface_px = 2
contact = 0.1
""",
}
"""Sampling and losses of the two ways."""

TESTS = ("paper-test", "test")

FIGURES = {
    "IoU residual material": "iou_percent.residual_material",
    "IoU degradation layer": "iou_percent.degradation_layer",
    "IoU bone": "iou_percent.bone",
    "mIoU": "mean_iou_percent",
    "DR error": "degradation_rate",
    "BV/TV error": "bone_volume_fraction",
    "BIC error": "bone_implant_contact",
}
"""Columns of the table; errors are relative, in %, and their absolute value is averaged."""


@dataclass(frozen=True)
class Trial:
    """One training: a network, a way to train it, a seed."""

    network: str
    way: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.network}-{self.way}-{self.seed}"


Row = dict[str, Any]
Done = dict[Trial, list[Row]]


def main() -> None:
    """Train and test what is missing, then print the tables."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path, help="where phantoms, runs and results are kept")
    command.add_argument("--networks", nargs="+", default=list(COMPACT), choices=COMPACT)
    command.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    command.add_argument("--seeds", nargs="+", type=int, default=[0])
    command.add_argument("--steps", type=int, default=600)
    command.add_argument("--patch", type=int, default=256)
    command.add_argument("--batch", type=int, default=4)
    command.add_argument("--full", action="store_true", help="published widths on whole phantoms")
    command.add_argument("--table", action="store_true", help="only print what is done")
    options = command.parse_args()
    progress.configure("none")
    trials = [Trial(*parts) for parts in itertools.product(options.networks, options.ways, options.seeds)]
    trials.sort(key=lambda trial: trial.seed)
    for trial in trials if not options.table else []:
        train(trial, options)
        rows = test(trial, options)
        print(trial.name, ", ".join(f"{name} {average(rows, name):.1f}" for name in FIGURES), flush=True)
    done = {
        trial: json.loads(path.read_text("utf-8")) for trial in trials if (path := rows_of(trial, options)).exists()
    }
    for site, is_meant in (("sites that were trained on", seen), ("diaphysis, not trained on", unseen)):
        some = {trial: [row for row in rows if is_meant(row)] for trial, rows in done.items()}
        print(f"{site}:", table(some), paired(some), sep="\n\n", end="\n\n")
    print(footing(done, options))


def unseen(row: Row) -> bool:
    """Whether a scan is of a site that the training phantoms do not have."""
    return row["scan"].startswith("diaphysis")


def seen(row: Row) -> bool:
    """Whether a scan is of a site that was trained on."""
    return not unseen(row)


def cohort(name: str, options: argparse.Namespace) -> Path:
    """Folder of a cohort: crops, or whole phantoms for a GPU."""
    return options.folder / "cohorts" / (name if options.full else f"{name}-crop")


def train(trial: Trial, options: argparse.Namespace) -> None:
    """Train one network, unless its model is there."""
    folder = options.folder / trial.name
    if (folder / "done").exists():
        return
    training = cohort("paper-training", options)
    make_cohort(training.name, training)
    recipe = folder.with_suffix(".toml")
    sizes = {"patch": [options.patch] * 2, "batch": options.batch, "steps": options.steps}
    chosen = {"network": trial.network, "options": "{}" if options.full else COMPACT[trial.network], "seed": trial.seed}
    write_text(recipe, (COMMON + WAYS[trial.way]).format(**chosen, **sizes, cohort=training.resolve()))
    resume = ["--resume"] if (folder / "checkpoint.pt").exists() else []
    if status := cli.main(["train", str(recipe), "-o", str(folder), "--progress", "none", *resume]):
        sys.exit(status)
    write_text(folder / "done", "")


def rows_of(trial: Trial, options: argparse.Namespace) -> Path:
    """File with what a model reaches on every test scan."""
    return options.folder / trial.name / "test.json"


def test(trial: Trial, options: argparse.Namespace) -> list[Row]:
    """Measure what a model reaches on every test scan, unless it is known."""
    path = rows_of(trial, options)
    if not path.exists():
        scans = (scan for name in TESTS for scan in make_cohort(cohort(name, options).name, cohort(name, options)))
        rows = [measured(scan, options.folder / trial.name / "model.safetensors") for scan in scans]
        write_text(path, json.dumps(rows, indent=1) + "\n")
    return json.loads(path.read_text("utf-8"))


def measured(scan: Path, model: Path) -> Row:
    """Segment a scan; IoU in %, and errors of the measures against those of the true labels, in %."""
    labels = model.parent / f"{scan.name}.seg.nrrd"
    segment(SegmentJob(scan / "image.nrrd", labels, str(model)))
    found, true = in_memory(labels), in_memory(scan / "labels.seg.nrrd")
    counts = confusion(np.asarray(found.array), np.asarray(true.array))
    row = {"scan": scan.name, "mean_iou_percent": mean_iou_percent(counts)}
    row |= {f"iou_percent.{name}": value for name, value in iou_percent(counts).items()}
    drawn = json.loads((scan / "truth.json").read_text("utf-8"))
    fov, pose, weeks = FieldOfView.of(true), Pose(np.array(drawn["pose"])), drawn["parameters"]["weeks"]
    distance = registered(load(scan.parent / "reference.nrrd"), pose, true)
    results = measure_all([Sample(found, fov), Sample(true, fov)], distance, weeks)
    values = [{one.name: one.value for one in result.measurements} for result in results]
    labels.unlink()
    return row | {key: 100 * (values[0][key] / values[1][key] - 1) for key in FIGURES.values() if key in values[0]}


def in_memory(path: Path) -> Volume:
    """Read a small volume whole."""
    volume = read(path)
    return volume.like(np.asarray(volume.array[:]))


def figure(row: Row, name: str) -> float:
    """Figure of one scan: an IoU, or how far a measure is off."""
    return abs(row[FIGURES[name]])


def average(rows: list[Row], name: str) -> float:
    """Mean of a figure over the test scans."""
    return statistics.mean(figure(row, name) for row in rows)


def table(done: Done) -> str:
    """Markdown: every network and way, means over test scans and seeds, and the spread of the seeds."""
    lines = [f"| network | trained | seeds | {' | '.join(FIGURES)} |", "|---" * (3 + len(FIGURES)) + "|"]
    for (network, way), runs in grouped(done).items():
        cells = [spread([average(rows, name) for rows in runs.values()], "{:.1f}") for name in FIGURES]
        lines.append(f"| {network} | {way} | {len(runs)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def paired(done: Done) -> str:
    """Markdown: targeted less uniform, scan by scan (each the mean over the seeds that both have)."""
    lines = [f"| targeted − uniform | {' | '.join(FIGURES)} |", "|---" * (1 + len(FIGURES)) + "|"]
    groups = grouped(done)
    for network in dict.fromkeys(network for network, _ in groups):
        ways = [groups.get((network, way), {}) for way in ("uniform", "targeted")]
        if seeds := sorted(ways[0].keys() & ways[1].keys()):
            cells = [difference([[runs[seed] for seed in seeds] for runs in ways], name) for name in FIGURES]
            lines.append(f"| {network} | {' | '.join(cells)} |")
    return "\n".join(lines)


def difference(ways: list[list[list[Row]]], name: str) -> str:
    """Mean and standard deviation over the scans of the difference, and on how many scans it is an improvement."""
    uniform, targeted = (
        [statistics.mean(figure(rows[n], name) for rows in runs) for n in range(len(runs[0]))] for runs in ways
    )
    gains = [one - other for one, other in zip(targeted, uniform, strict=True)]
    better = sum((gain < 0) == name.endswith("error") for gain in gains if gain)
    return f"{spread(gains, '{:+.1f}')} ({better} of {len(gains)})"


def grouped(done: Done) -> dict[tuple[str, str], dict[int, list[Row]]]:
    """Rows by network and way, then by seed."""
    groups: dict[tuple[str, str], dict[int, list[Row]]] = {}
    for trial, rows in done.items():
        groups.setdefault((trial.network, trial.way), {})[trial.seed] = rows
    return groups


def spread(values: list[float], form: str) -> str:
    """Mean ± standard deviation."""
    middle = form.format(statistics.mean(values))
    return f"{middle} ± {statistics.stdev(values):.1f}" if len(values) > 1 else middle


def footing(done: Done, options: argparse.Namespace) -> str:
    """What the tables were made with."""
    scans = len(next(iter(done.values()))) if done else 0
    size = "published widths" if options.full else f"compact widths {COMPACT}"
    return (
        f"{scans} test scans, {options.steps} steps of {options.batch} patches of {options.patch}², {size}; "
        f"{datetime.now(UTC):%Y-%m-%d}, ImplantSeg {__version__}, torch {version('torch')}, {platform.machine()}"
    )


if __name__ == "__main__":
    main()
