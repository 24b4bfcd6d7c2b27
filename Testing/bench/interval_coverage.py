"""Coverage of the confidence intervals on small phantoms: how often they hold the truth, and how wide they are.

    python Testing/bench/small_explants.py work/coverage                          phantoms and segmentations
    python Testing/bench/interval_coverage.py work/coverage                       measures, calibrates, prints the table
    python Testing/bench/interval_coverage.py work/coverage --calibration C.json  writes the calibration, too

Truth are the measures of the true labels in the true pose. The segmentation is registered by itself, from a start near
the true pose (0.1 mm and 3° off), as one set by hand would be. What is measured is kept and not measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping
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
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.quantify import measure_all, registered
from ImplantSegQuantLib.reference import Reference, load
from ImplantSegQuantLib.register import register
from ImplantSegQuantLib.sample import Sample
from ImplantSegQuantLib.spread import Spread

Results = dict[str, dict[str, Any]]

RESULT = "intervals.json"


def main() -> None:
    """Measure what is missing, and print the tables."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path)
    command.add_argument("--level", type=float, default=uncertainty.LEVEL)
    command.add_argument("--calibration", type=Path, help="write the calibration here")
    options = command.parse_args()
    progress.configure("none")
    reference = load(small_explants.REFERENCE)
    learnt, tested = (dict(results(options.folder / name, reference)) for name in small_explants.SEEDS)
    found = calibration.calibrate(list(learnt.values()), scans(learnt))
    if options.calibration:
        calibration.save(found, options.calibration)
    print(report(tested, found, options.level))
    print(
        f"\n{len(learnt)} scans calibrate, {len(tested)} test; {datetime.now(UTC):%Y-%m-%d}, ImplantSeg {__version__}"
    )


def results(folder: Path, reference: Reference) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what was measured on the phantoms of a folder, measuring what is missing; refused ones are left out."""
    for where in sorted(folder.iterdir()):
        if not (where / small_explants.SEGMENTATION).exists():
            continue
        if not (where / RESULT).exists():
            try:
                found = measured(where, reference)
            except InputError as error:
                found = {"refused": error.message}
            write_text(where / RESULT, json.dumps(found) + "\n")
        found = json.loads((where / RESULT).read_text(encoding="utf-8"))
        if "refused" in found:
            print(f"{where.name}: {found['refused']}")
        else:
            yield where.name, found


def measured(where: Path, reference: Reference) -> dict[str, Any]:
    """Measure a phantom with bounds and spreads, as `quantify --probabilities --truth` does."""
    drawn = json.loads((where / "truth.json").read_text(encoding="utf-8"))
    segmentation = in_memory(where / small_explants.SEGMENTATION)
    fov, weeks, true_pose = FieldOfView.of(segmentation), drawn["parameters"]["weeks"], Pose(np.array(drawn["pose"]))
    pose = register(segmentation, reference, fov, displaced(true_pose, segmentation, int(where.name)))
    subject = uncertainty.Subject(Sample(segmentation, fov), reference, pose, weeks, small_explants.ROI_MM)
    distance = registered(reference, pose, segmentation)
    found = measure_all([subject.sample], distance, weeks, small_explants.ROI_MM, {"thickness"})[0]
    bounded, shifts = uncertainty.with_bounds(found.measurements, subject)
    sampling = uncertainty.Sampling(errors=uncertainty.ErrorModel(seed=int(where.name)))
    drawn_values = uncertainty.drawn_values(subject, StoredProbabilities(where / "probabilities.ome.zarr"), sampling)
    posed_values = uncertainty.posed_values(subject, sampling)
    spreads = uncertainty.spreads(uncertainty.values_of(bounded), shifts, drawn_values, posed_values)
    truth = Sample(in_memory(where / "labels.seg.nrrd"), fov)
    true_subject = uncertainty.Subject(truth, reference, true_pose, weeks, small_explants.ROI_MM)
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


def report(tested: Results, found: calibration.Calibration, level: float) -> str:
    """Markdown: per measure coverage and width, uncalibrated and calibrated, against the half-voxel bound."""
    lines = [
        "| measure | scans | uncalibrated: coverage, % | median width | calibrated: coverage, % | median width | "
        "half-voxel bound, median width | width / bound |",
        "|---" * 8 + "|",
    ]
    for name in found.measures:
        rows = [row for one in tested.values() if (row := judged(one, name, found, level)) is not None]
        if rows:
            lines.append(line(name, rows))
    return "\n".join(lines)


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


def line(name: str, rows: list[list[float]]) -> str:
    """One row of the table."""
    table = np.array(rows)
    cells = [f"{table[:, 0].mean():.1f}", f"{np.median(table[:, 1]):.3g}"]
    cells += [f"{table[:, 2].mean():.1f}", f"{np.median(table[:, 3]):.3g}", f"{np.median(table[:, 4]):.3g}"]
    return f"| `{name}` | {len(rows)} | {' | '.join(cells)} | {np.median(table[:, 3] / table[:, 4]):.2f} |"


if __name__ == "__main__":
    main()
