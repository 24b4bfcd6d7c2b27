"""Streamed measures against the naive way: time and peak memory, as ratios in a Markdown table.

    python Testing/bench/bench_quantify.py [FOLDER] [--shape 160,320,320] [--spacing-um 20] [--repeat 2]

The naive way (naive_measures.py) holds the whole volume in memory: six shifts for the faces, `bincount` for the
confusion matrix, and for the region of interest the reference resampled on the scan with a Euclidean distance
transform of it. Every run is a fresh process that has done its imports and loaded its compiled kernels before the
clock starts. A FOLDER keeps the phantom for the next time; another shape wants another folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import naive_measures
import numpy as np
import scipy
import SimpleITK as sitk  # noqa: N813

from ImplantSegLib import __version__, arguments, metrics, progress
from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegLib.volumes import FieldOfView, Volume, read, write
from ImplantSegQuantLib import reference as references
from ImplantSegQuantLib.pose import Pose, load_pose, save_pose
from ImplantSegQuantLib.quantify import quantify, registered
from ImplantSegQuantLib.roi import Region
from ImplantSegQuantLib.sample import Sample

Array = np.ndarray[Any, Any]

SIDES = ("naive", "streamed")
ROI_SHARE = 0.02
"""Share of the region's voxels that may differ: the naive one is measured from voxel centres and ends where the scan
cuts the reference."""

EXACT = slice(1, 3)
"""Those of :data:`naive_measures.NUMBERS` that are plain counts of voxels."""


def main() -> None:
    """Make the phantom, run every case both ways, check the answers and print the tables."""
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.folder or Path(temporary)
        _make_inputs(place, options)
        runs = {case: _measured(case, place, options.repeat) for case in CASES}
        fixed = _child("reference", place, "streamed")
        agreement = {case: _agreement(case, place) for case in CASES}
        print(f"\nphantom: {read(place / 'labels.seg.nrrd').describe_grid()}; best time of {options.repeat} runs")
        _print_ratios(runs, agreement)
        print(
            f"\nOf the streamed ROI and whole, {fixed['cpu']:.2f} CPU seconds and {fixed['mib']:.0f} MiB go to reading "
            "the reference as a distance field, whatever the size of the scan."
        )
        _print_numbers(*(np.load(place / f"whole-{side}.npy") for side in SIDES))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"load {load} (1, 5, 15 minutes); ImplantSeg {__version__}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}, SimpleITK {sitk.Version.VersionString()}"
    )


def faces(place: Path) -> Array:
    sample, counter = _sample(place), metrics.FaceCounter()
    for window in sample.windows():
        counter.add(sample.labels(window.z))
    table = counter.table()
    return np.stack([metrics.contact_faces(table, IMPLANT, {other}) for other in (Label.BONE, Label.BACKGROUND)])


def confusion(place: Path) -> Array:
    truth, prediction = (read(place / f"{role}.seg.nrrd") for role in ("labels", "prediction"))
    counts = np.zeros((4, 4), np.int64)
    for window in Sample(truth, FieldOfView.of(truth)).windows():
        counts += metrics.confusion(np.asarray(prediction.array[window.z]), np.asarray(truth.array[window.z]))
    return counts


def reference(place: Path) -> references.Reference:
    return references.load(place / "reference.nrrd")


def roi(place: Path) -> Region:
    sample = _sample(place)
    distance = registered(reference(place), load_pose(place / "pose.tfm"), sample.segmentation)
    return Region(sample, distance)


def whole(place: Path) -> Array:
    pose = load_pose(place / "pose.tfm")
    found = quantify(read(place / "labels.seg.nrrd"), reference(place), pose, naive_measures.WEEKS)
    values = {measurement.name: measurement.value for measurement in found}
    return np.array([values[name] for name in naive_measures.NUMBERS], float)


CASES: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any]]] = {
    "faces": (naive_measures.faces, faces),
    "confusion": (naive_measures.confusion, confusion),
    "ROI": (naive_measures.roi, roi),
    "whole": (naive_measures.whole, whole),
}


def _sample(place: Path) -> Sample:
    labels = read(place / "labels.seg.nrrd")
    return Sample(labels, FieldOfView.of(labels))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where the phantom is kept (default: nowhere)")
    parser.add_argument("--shape", type=arguments.triple(int), default=(160, 320, 320), metavar="Z,Y,X")
    parser.add_argument("--spacing-um", type=float, default=20.0)
    parser.add_argument("--repeat", type=int, default=2, help="runs of every case and side")
    parser.add_argument("--case", choices=(*CASES, "reference"), help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _run_side(options)
        sys.exit()
    return options


def _make_inputs(place: Path, options: argparse.Namespace) -> None:
    """Make a phantom, its pose as a file, and a prediction: the labels one voxel off along x."""
    from ImplantSegLib.phantom.build import build
    from ImplantSegLib.phantom.recipe import PhantomJob

    if (place / "prediction.seg.nrrd").exists():
        return
    progress.configure("bar")
    build(
        PhantomJob(seed=1, weeks=naive_measures.WEEKS, shape=options.shape, spacing_um=(options.spacing_um,) * 3),
        str(place),
    )
    truth = json.loads((place / "truth.json").read_text(encoding="utf-8"))
    save_pose(Pose(np.array(truth["pose"])), place / "pose.tfm")
    labels = read(place / "labels.seg.nrrd")
    write(labels.like(np.roll(labels.array[:], 1, axis=2)), place / "prediction.seg.nrrd")


def _measured(case: str, place: Path, repeat: int) -> dict[str, dict[str, float]]:
    """Best time and largest peak of every side, run in turns so that the machine's load meets both."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(repeat):
        for side in SIDES:
            runs[side].append(_child(case, place, side))
    chosen = {"seconds": min, "cpu": min, "mib": max}
    return {side: {key: choose(run[key] for run in runs[side]) for key, choose in chosen.items()} for side in SIDES}


def _child(case: str, place: Path, side: str) -> dict[str, float]:
    command = [sys.executable, __file__, str(place), "--case", case, "--side", side]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _run_side(options: argparse.Namespace) -> None:
    progress.configure("none")
    run = reference if options.case == "reference" else CASES[options.case][SIDES.index(options.side)]
    if options.side == "streamed":
        _load_kernels()
        _forget_peak()
    before, begin, cpu = _peak_mib(), time.perf_counter(), time.process_time()
    found = run(options.folder)
    seconds, cpu, after = time.perf_counter() - begin, time.process_time() - cpu, _peak_mib()
    if options.case in CASES:
        np.save(options.folder / f"{options.case}-{options.side}.npy", np.asarray(found))
    print(json.dumps({"seconds": seconds, "cpu": cpu, "mib": after - before}))


def _load_kernels() -> None:
    """Run everything once on a few voxels, so that compiling is not measured."""
    labels = np.zeros((24, 24, 24), np.uint8)
    labels[:, 6:18, 6:18], labels[:, 8:16, 8:16], labels[:, 18:] = 2, 1, 3
    volume = Volume(labels, (0.1, 0.1, 0.1))
    metrics.confusion(labels, labels)
    screw = references.of_labels(volume.like((labels > 0).astype(np.uint8) * (labels < 3)))
    quantify(volume, screw, Pose(np.eye(4)), naive_measures.WEEKS)


def _forget_peak() -> None:
    """Let the peak start from what is held now (Linux; elsewhere what the kernels took to load may hide a part)."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float:
    """Largest resident memory so far. Not `getrusage` on Linux: there a child starts with its parent's peak."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _agreement(case: str, place: Path) -> str:
    """Compare the answers of both sides; stop where they differ by more than they may."""
    naive, streamed = (np.load(place / f"{case}-{side}.npy") for side in SIDES)
    if case in ("faces", "confusion"):
        same, text = np.array_equal(naive, streamed), "identical"
    elif case == "ROI":
        share = np.count_nonzero(naive != streamed.astype(bool)) / np.count_nonzero(streamed)
        same, text = bool(share <= ROI_SHARE), f"{100 * share:.2f} % of its voxels differ"
    else:
        same, text = np.allclose(naive[EXACT], streamed[EXACT], rtol=1e-12), "see below"
    if not same:
        sys.exit(f"{case}: the two ways differ: {text if case == 'ROI' else (naive, streamed)}")
    return text


def _print_ratios(runs: dict[str, dict[str, dict[str, float]]], agreement: dict[str, str]) -> None:
    """One row per case: naive, streamed and their ratio in time, processor time (less fooled by load) and memory."""
    print("\nnaive / streamed = ratio; above 1 the streamed way is better\n")
    print("| case | seconds | CPU seconds | peak MiB | answers |\n|---|---|---|---|---|")
    for case, sides in runs.items():
        naive, streamed = (sides[side] for side in SIDES)
        cells = [
            f"{naive[key]:{digits}} / {streamed[key]:{digits}} = {naive[key] / max(streamed[key], 0.01):.2f}"
            for key, digits in (("seconds", ".2f"), ("cpu", ".2f"), ("mib", ".0f"))
        ]
        print(f"| {case} | {' | '.join(cells)} | {agreement[case]} |")


def _print_numbers(naive: Array, streamed: Array) -> None:
    print("\n| number | naive | streamed | difference |\n|---|---:|---:|---:|")
    for name, one, other in zip(naive_measures.NUMBERS, naive, streamed, strict=True):
        print(f"| {name} | {one:.5g} | {other:.5g} | {100 * (one / other - 1):+.2f} % |")
    print()


if __name__ == "__main__":
    main()
