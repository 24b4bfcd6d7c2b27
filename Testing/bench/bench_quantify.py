"""Streamed measures against the naive way: time and peak memory, as ratios in Markdown tables.

    python Testing/bench/bench_quantify.py [FOLDER] [--shape 160,320,320] [--spacing-um 20] [--repeat 2]

The naive way (naive_measures.py) holds the whole volume in memory: six padded shifts for the faces, `bincount` for the
confusion matrix, and for the region of interest a Euclidean distance transform of the reference. Every run is a fresh
process that has done its imports and loaded its compiled kernels before the clock starts.

First on arrays in memory, 400 × 512 × 512 labels of synthetic.py, where the bars of :data:`CASES` must be met: else the
exit code is 1. Then on the files of a phantom, reading included. A FOLDER keeps the inputs for the next time; another
shape wants another folder.
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
from typing import Any, NamedTuple

import naive_measures
import numpy as np
import scipy
import SimpleITK as sitk  # noqa: N813
from synthetic import labels_of

from ImplantSegLib import __version__, arguments, metrics, progress, threads
from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegLib.volumes import FieldOfView, Volume, read, write
from ImplantSegQuantLib import reference as references
from ImplantSegQuantLib.pose import Pose, load_pose, save_pose
from ImplantSegQuantLib.quantify import quantify, registered
from ImplantSegQuantLib.roi import Region
from ImplantSegQuantLib.sample import Sample, windows

Array = np.ndarray[Any, Any]

SIDES = ("naive", "streamed")
ROI_SHARE = 0.02
"""Share of the region's voxels that may differ: the naive one is measured from voxel centres and ends where the scan
cuts the reference."""

ARRAY_SHAPE, ARRAY_SPACING_MM = (400, 512, 512), (0.012,) * 3
"""Of the arrays in memory."""

EXACT = slice(1, 3)
"""Those of :data:`naive_measures.NUMBERS` that are plain counts of voxels."""


class Case(NamedTuple):
    """One thing to do in two ways."""

    naive: Callable[..., Any]
    streamed: Callable[..., Any]
    inputs: Callable[[Path, str], tuple[Any, ...]]
    """Gives the arguments of a side, before the clock starts."""
    bar: tuple[float, float] = (0.0, 0.0)
    """How many times less time, and less memory, the streamed way must take."""


def main() -> None:
    """Make the inputs, run every case both ways, check the answers and the bars, and print the tables."""
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        _make_arrays(place)
        _make_files(place, options)
        runs = {name: _measured(name, place, options.repeat) for name in CASES}
        fixed = _child("reference", place, "streamed")
        agreement = {name: _agreement(name, place) for name in CASES}
        print(f"\narrays of {ARRAY_SHAPE}; phantom: {read(place / 'labels.seg.nrrd').describe_grid()}; ", end="")
        print(f"best time of {options.repeat} runs, {threads.count()} threads")
        _print_ratios(runs, agreement)
        print(
            f"\nOf the streamed ROI and whole from files, {fixed['cpu']:.2f} CPU seconds and {fixed['mib']:.0f} MiB go "
            "to reading the reference as a distance field, whatever the size of the scan."
        )
        _print_numbers(*(np.load(place / f"whole-{side}.npy") for side in SIDES))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"load {load} (1, 5, 15 minutes); ImplantSeg {__version__}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}, SimpleITK {sitk.Version.VersionString()}"
    )
    missed = [name for name, case in CASES.items() if not _is_met(runs[name], case.bar)]
    if missed:
        sys.exit(f"the bar is missed: {', '.join(missed)}")


def _is_met(sides: dict[str, dict[str, float]], bar: tuple[float, float]) -> bool:
    naive, streamed = (sides[side] for side in SIDES)
    return naive["seconds"] >= bar[0] * streamed["seconds"] and naive["mib"] >= bar[1] * streamed["mib"]


def faces_of(labels: Array) -> Array:
    table = metrics.count_faces(labels)
    return np.stack([metrics.contact_faces(table, IMPLANT, {other}) for other in (Label.BONE, Label.BACKGROUND)])


def confusion_of(truth: Array, prediction: Array) -> Array:
    return metrics.confusion(prediction, truth)


def roi_of(sample: Sample, distance: Callable[[slice], Array]) -> Array:
    return Region(sample, distance).mask(slice(0, sample.segmentation.shape[0]))


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


def _arrays(place: Path, _: str) -> tuple[Array, ...]:
    return np.load(place / "labels.npy"), np.load(place / "prediction.npy")


def _roi_inputs(place: Path, side: str) -> tuple[Any, ...]:
    grid = Volume(np.load(place / "labels.npy"), ARRAY_SPACING_MM)
    distance = registered(references.load("screw"), Pose(_upright(grid)), grid)
    if side == "naive":
        return distance.within(slice(0, grid.shape[0]), 0.0), ARRAY_SPACING_MM
    return Sample(grid, FieldOfView()), distance


def _files(place: Path, _: str) -> tuple[Path]:
    return (place,)


CASES = {
    "faces": Case(naive_measures.faces_of, faces_of, lambda place, side: _arrays(place, side)[:1], (10.0, 5.0)),
    "confusion": Case(naive_measures.confusion_of, confusion_of, _arrays, (10.0, 5.0)),
    "ROI": Case(naive_measures.roi_of, roi_of, _roi_inputs, (3.0, 0.0)),
    "faces from a file": Case(naive_measures.faces, faces, _files),
    "confusion from files": Case(naive_measures.confusion, confusion, _files),
    "ROI from files": Case(naive_measures.roi, roi, _files),
    "whole": Case(naive_measures.whole, whole, _files),
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


def _upright(grid: Volume) -> Array:
    """Pose of the parametric screw: its shaft in the middle of the scan, turned by 20°."""
    turn = np.deg2rad(20)
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    middle = grid.index_to_world @ [*((n - 1) / 2 for n in grid.shape), 1]
    matrix[:3, 3] = np.array([0, 0, 7.5]) - matrix[:3, :3] @ middle[:3]
    return matrix


def _make_arrays(place: Path) -> None:
    """Make labels and a prediction: the labels one voxel off along x."""
    if (place / "prediction.npy").exists():
        return
    grid = Volume(np.broadcast_to(np.uint8(0), ARRAY_SHAPE), ARRAY_SPACING_MM)
    distance = registered(references.load("screw"), Pose(_upright(grid)), grid)
    labels = np.empty(ARRAY_SHAPE, np.uint8)
    for window in windows(ARRAY_SHAPE[0], 32):
        labels[window.z] = labels_of(distance(window.z), window.z.start, ARRAY_SPACING_MM, ARRAY_SHAPE[1])
    np.save(place / "labels.npy", labels)
    np.save(place / "prediction.npy", np.roll(labels, 1, axis=2))


def _make_files(place: Path, options: argparse.Namespace) -> None:
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
    case = CASES.get(options.case, Case(reference, reference, _files))
    arguments = case.inputs(options.folder, options.side)
    if options.side == "streamed":
        _load_kernels()
    _forget_peak()
    before, begin, cpu = _peak_mib(), time.perf_counter(), time.process_time()
    found = getattr(case, options.side)(*arguments)
    seconds, cpu, after = time.perf_counter() - begin, time.process_time() - cpu, _peak_mib()
    if options.case in CASES:
        np.save(_answer(options.folder, options.case, options.side), np.asarray(found))
    print(json.dumps({"seconds": seconds, "cpu": cpu, "mib": after - before}))


def _answer(place: Path, name: str, side: str) -> Path:
    return place / f"{name.replace(' ', '-')}-{side}.npy"


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


def _agreement(name: str, place: Path) -> str:
    """Compare the answers of both sides; stop where they differ by more than they may."""
    naive, streamed = (np.load(_answer(place, name, side)) for side in SIDES)
    if name == "whole":
        same, text = np.allclose(naive[EXACT], streamed[EXACT], rtol=1e-12), "see below"
    elif "ROI" in name:
        share = np.count_nonzero(naive != streamed.astype(bool)) / np.count_nonzero(streamed)
        same, text = bool(share <= ROI_SHARE), f"{100 * share:.2f} % of its voxels differ"
    else:
        same, text = np.array_equal(naive, streamed), "identical"
    if not same:
        sys.exit(f"{name}: the two ways differ: {text if 'ROI' in name else (naive, streamed)}")
    return text


def _print_ratios(runs: dict[str, dict[str, dict[str, float]]], agreement: dict[str, str]) -> None:
    """One row per case: naive, streamed and their ratio in time, processor time (less fooled by load) and memory."""
    print("\nnaive / streamed = ratio; above 1 the streamed way is better\n")
    print("| case | seconds | CPU seconds | peak MiB | bar | answers |\n|---|---|---|---|---|---|")
    for case, sides in runs.items():
        naive, streamed = (sides[side] for side in SIDES)
        cells = [
            f"{naive[key]:{digits}} / {streamed[key]:{digits}} = {naive[key] / max(streamed[key], least):.1f}"
            for key, digits, least in (("seconds", ".3f", 1e-3), ("cpu", ".3f", 1e-3), ("mib", ".0f", 1.0))
        ]
        time_bar, memory_bar = CASES[case].bar
        bar = f"{time_bar:g} × time" * (time_bar > 0) + f", {memory_bar:g} × memory" * (memory_bar > 0)
        print(f"| {case} | {' | '.join(cells)} | {bar} | {agreement[case]} |")


def _print_numbers(naive: Array, streamed: Array) -> None:
    print("\n| number | naive | streamed | difference |\n|---|---:|---:|---:|")
    for name, one, other in zip(naive_measures.NUMBERS, naive, streamed, strict=True):
        print(f"| {name} | {one:.5g} | {other:.5g} | {100 * (one / other - 1):+.2f} % |")
    print()


if __name__ == "__main__":
    main()
