"""Coverage of the confidence intervals on small phantoms: how often they hold the truth, and how wide they are.

    python Testing/bench/small_explants.py work/coverage                          phantoms and segmentations
    python Testing/bench/interval_coverage.py work/coverage                       measures, calibrates, prints the table
    python Testing/bench/interval_coverage.py work/coverage --model FILE          writes the calibration into the model
    python Testing/bench/interval_coverage.py work/coverage --cohort test         full-size scans against it

Truth are the measures of the true labels in the true pose. The segmentation is registered by itself, from a start near
the true pose (0.1 mm and 3° off), as one set by hand would be. What is measured is kept and not measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import small_explants
from scipy.spatial.transform import Rotation

from ImplantSegLib import __version__, progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import write_text
from ImplantSegLib.inference.probabilities import StoredProbabilities
from ImplantSegLib.volumes import FieldOfView, Volume, read
from ImplantSegQuantLib import calibration, uncertainty
from ImplantSegQuantLib.calibrate_command import into_model
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.quantify import measure_all, registered
from ImplantSegQuantLib.reference import Reference, load
from ImplantSegQuantLib.register import register
from ImplantSegQuantLib.roi import ROI_MM
from ImplantSegQuantLib.sample import Sample
from ImplantSegQuantLib.spread import Spread

FIRST_VALIDATION_SEED = 2000

Results = dict[str, dict[str, Any]]
Pairs = list[tuple[dict[str, Any], calibration.Calibration]]
"""Results, and the calibration that judges them."""

RESULT = "intervals.json"

KEYS = ("degradation_rate", "degradation_rate_unbiased", "bone_implant_contact", "bone_volume_fraction")


def main() -> None:
    """Measure what is missing, and print the tables."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path)
    command.add_argument("--level", type=float, default=uncertainty.LEVEL)
    command.add_argument("--model", type=Path, help="write the calibration into this model file")
    command.add_argument("--cohort", help="phantoms of this cohort instead of small ones: test, or validation")
    command.add_argument("--only", type=int, metavar="N", help="the first N scans of the cohort")
    options = command.parse_args()
    progress.configure("none")
    small = load(small_explants.REFERENCE)
    learnt = dict(results(folders(options.folder / "calibration"), small, small_explants.ROI_MM))
    found = calibration.calibrate(list(learnt.values()), scans(learnt))
    if options.cohort:
        every = cohort(options.cohort, options.folder / f"cohort-{options.cohort}", options.only)
        tested = dict(results(every, load("screw"), ROI_MM))
        print(each(tested, found, options.level))
    else:
        tested = dict(results(folders(options.folder / "test"), small, small_explants.ROI_MM))
    if options.model:
        into_model(found, options.model)
    pairs = [(one, found) for one in tested.values()]
    exchanged = []
    if not options.cohort:
        other = calibration.calibrate(list(tested.values()), scans(tested))
        exchanged = [(one, other) for one in learnt.values()]
    print(report(pairs, exchanged, options.level))
    made = f"{datetime.now(UTC):%Y-%m-%d}, ImplantSeg {__version__}"
    print(f"\n{len(learnt)} scans calibrate, {len(tested)} test; {made}")


def folders(folder: Path) -> list[Path]:
    """Phantoms of a folder that are segmented."""
    return [where for where in sorted(folder.iterdir()) if (where / small_explants.SEGMENTATION).exists()]


def cohort(name: str, folder: Path, only: int | None) -> list[Path]:
    """Make and segment the phantoms of a cohort, or the first of them, that are not there yet."""
    from ImplantSegLib.phantom.build import build
    from ImplantSegLib.phantom.cohort import jobs

    every = []
    members = jobs("development" if name == "validation" else name).items()
    wanted = [(scan, job) for scan, job in members if name != "validation" or job.seed >= FIRST_VALIDATION_SEED]
    for scan, job in wanted[:only]:
        where = folder / scan
        if not (where / "truth.json").exists():
            build(job, where, reference=False)
        if not (where / small_explants.SEGMENTATION).exists():
            small_explants.segmented(where)
        every.append(where)
    return every


def results(every: Iterable[Path], reference: Reference, roi_mm: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what was measured on phantoms, measuring what is missing; refused ones are left out."""
    for where in every:
        if not (where / RESULT).exists():
            try:
                found = measured(where, reference, roi_mm)
            except InputError as error:
                found = {"refused": error.message}
            write_text(where / RESULT, json.dumps(found) + "\n")
        found = json.loads((where / RESULT).read_text(encoding="utf-8"))
        if "refused" in found:
            print(f"{where.name}: {found['refused']}")
        else:
            yield where.name, found


def measured(where: Path, reference: Reference, roi_mm: float) -> dict[str, Any]:
    """Measure a phantom with bounds and spreads, as `quantify --probabilities --truth` does."""
    drawn = json.loads((where / "truth.json").read_text(encoding="utf-8"))
    segmentation = in_memory(where / small_explants.SEGMENTATION)
    fov, weeks, true_pose = FieldOfView.of(segmentation), drawn["parameters"]["weeks"], Pose(np.array(drawn["pose"]))
    pose = register(segmentation, reference, fov, displaced(true_pose, segmentation, seed_of(where)))
    subject = uncertainty.Subject(Sample(segmentation, fov), reference, pose, weeks, roi_mm)
    distance = registered(reference, pose, segmentation)
    found = measure_all([subject.sample], distance, weeks, roi_mm, {"thickness"})[0]
    bounded, shifts = uncertainty.with_bounds(found.measurements, subject)
    sampling = uncertainty.Sampling(errors=uncertainty.ErrorModel(seed=seed_of(where)))
    drawn_values = uncertainty.drawn_values(subject, StoredProbabilities(where / "probabilities.ome.zarr"), sampling)
    posed_values = uncertainty.posed_values(subject, sampling)
    spreads = uncertainty.spreads(uncertainty.values_of(bounded), shifts, drawn_values, posed_values)
    truth = Sample(in_memory(where / "labels.seg.nrrd"), fov)
    true_subject = uncertainty.Subject(truth, reference, true_pose, weeks, roi_mm)
    true = true_subject.measure([truth.segmentation], parts={"thickness"})[0]
    return {
        "measurements": {
            one.name: dataclasses.asdict(one) for one in uncertainty.with_intervals(bounded, spreads, None)
        },
        "truth": {name: {"value": value} for name, value in true.items()},
        "drawn": drawn_values,
        "posed": posed_values,
        "uncertainty": {
            "draws": sampling.draws,
            "poses": sampling.poses,
            "correlation_voxels": sampling.errors.correlation_voxels,
            "spacing_um": [1000 * step for step in segmentation.spacing_mm],
            "model_sha256": segmentation.metadata["model_sha256"],
        },
        "parameters": drawn["parameters"],
    }


def seed_of(where: Path) -> int:
    """Seed of a phantom: the last number of its folder's name."""
    return int(where.name.rpartition("-")[2])


def in_memory(path: Path) -> Volume:
    """Read a small volume whole."""
    volume = read(path)
    return volume.like(np.asarray(volume.array[:]))


def displaced(pose: Pose, scan: Volume, seed: int) -> Pose:
    """A start as set by hand: 0.1 mm and 3° off, about the middle of the scan."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(2, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    middle = (scan.index_to_world @ [*((n - 1) / 2 for n in scan.shape), 1])[:3]
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_rotvec(np.radians(3) * directions[0]).as_matrix()
    moved[:3, 3] = middle - moved[:3, :3] @ middle + 0.1 * directions[1]
    return Pose(pose.matrix @ moved)


def scans(learnt: Results) -> str:
    """Say what the calibration was learnt on."""
    seeds = sorted(map(int, learnt))
    return (
        f"{len(learnt)} synthetic explants (seeds {seeds[0]} to {seeds[-1]}): threaded magnesium screws of 1.8 mm, "
        "voxels of 10 µm, 6 to 24 weeks, all three sites, 50 and 60 keV"
    )


def report(pairs: Pairs, exchanged: Pairs, level: float) -> str:
    """Markdown: per measure coverage and width, uncalibrated and calibrated, against the half-voxel bound.

    Coverage stands once for the test phantoms, and once with those of the calibration as well, judged by a calibration
    on the test phantoms: roles exchanged, so that twice as many are judged, none by a calibration that knows it.
    """
    lines = [
        "| measure | scans | uncalibrated: holds, % | median width | calibrated: holds, % | with roles exchanged, too: "
        "scans | holds, % | median width | half-voxel bound, median width | width / bound |",
        "|---" * 10 + "|",
    ]
    for name in pairs[0][1].measures:
        rows, more = ([judged(one, name, by, level) for one, by in some] for some in (pairs, exchanged))
        known = [row for row in rows if row is not None]
        if known:
            lines.append(line(name, known, known + [row for row in more if row is not None]))
    return "\n".join(lines)


def each(tested: Results, found: calibration.Calibration, level: float) -> str:
    """Markdown: value, interval and truth of the key measures of every scan."""
    lines = ["| scan | " + " | ".join(f"{name}: value, interval, truth" for name in KEYS) + " |"]
    lines.append("|---" * (len(KEYS) + 1) + "|")
    for scan, one in tested.items():
        cells = []
        for name in KEYS:
            entry, truth = one["measurements"][name], one["truth"][name]["value"]
            plain = Measurement(name, entry["value"], entry["unit"])
            low, high = uncertainty.with_intervals([plain], {name: Spread.of(entry)}, found, level)[0].interval
            cells.append(
                f"{entry['value']:.3g}, {low:.3g} to {high:.3g}, {truth:.3g}{'' if low <= truth <= high else ' ✗'}"
            )
        lines.append(f"| {scan} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def judged(one: Mapping[str, Any], name: str, found: calibration.Calibration, level: float) -> list[float] | None:
    """Whether plain and calibrated interval hold the truth, their widths, and that of the bound."""
    entry, truth = one["measurements"].get(name), (one["truth"].get(name) or {}).get("value")
    if entry is None or truth is None or (spread := Spread.of(entry)) is None:
        return None
    plain = Measurement(name, entry["value"], entry["unit"])
    intervals = [
        uncertainty.with_intervals([plain], {name: spread}, calibrated, level)[0].interval
        for calibrated in (None, found)
    ]
    bound = entry["uncertainty"]["bound_half_voxel"] or (np.nan, np.nan)
    row = []
    for interval in intervals:
        low, high = interval or (np.nan, np.nan)
        row += [100.0 * (low <= truth <= high), high - low]
    return [*row, bound[1] - bound[0]]


def line(name: str, rows: list[list[float]], every: list[list[float]]) -> str:
    """One row of the table."""
    table, both = np.array(rows), np.array(every)
    cells = [f"{table[:, 0].mean():.1f}", f"{np.median(table[:, 1]):.3g}", f"{table[:, 2].mean():.1f}"]
    cells += [str(len(both)), f"{both[:, 2].mean():.1f}"]
    cells += [f"{np.median(table[:, 3]):.3g}", f"{np.median(table[:, 4]):.3g}"]
    return f"| `{name}` | {len(rows)} | {' | '.join(cells)} | {np.median(table[:, 3] / table[:, 4]):.2f} |"


if __name__ == "__main__":
    main()
