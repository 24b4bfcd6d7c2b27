"""Registration on corroded screws whose pose is known, with SimpleITK's plain registration beside it.

    python Testing/bench/bench_register.py [FOLDER] [--first 9000] [--cases 40] [--coarsen 1] [--simpleitk 6]

Scans of 175 × 365 × 365 voxels of 12 to 20 µm (corroded_screws.py): any rotation, field of view at the tip, the middle
or the head, box or circle, up to 40 % of the metal lost, a crack, islands, 2 % of the voxels with a label at random.
A case succeeds when the surface lies within half a voxel of the true one on average (which a motion along the helix
of a bare shank does not change) and the initial volume is right to 0.1 %; it fails loudly when registration refuses
it, and silently else. SimpleITK starts from the moments of the masks with the optimiser and the sampling that its
examples use, on nodes of about 60 µm; "from the found pose" shows what Mattes mutual information makes of a pose that
is right. Every case is a line of FOLDER/cases.jsonl, and is not done again when the bench is started again. Seeds from
9000 on are for reporting only; choices were made on others.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from corroded_screws import SITES, Case, Made, drawn, made

from ImplantSegLib import __version__, progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.screw import Screw
from ImplantSegQuantLib.field import NO_SURFACE_MM
from ImplantSegQuantLib.field_kernels import integrate
from ImplantSegQuantLib.fit import Pair, warnings
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.reference import Reference, distance_slab, of_screw
from ImplantSegQuantLib.register import register
from ImplantSegQuantLib.surface import averaged, scan_of

Array = np.ndarray[Any, Any]

SURFACE_BAR_VOXELS, VOLUME_BAR_PERCENT = 0.5, 0.1
DEPTH = 25
CLIP_MM = 0.5
METRICS = ("mutual information on masks", "mean squares on masks", "mean squares on distances")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("work/bench_register"))
    parser.add_argument("--first", type=int, default=9000, help="first seed")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--coarsen", type=int, default=1, help="times larger voxels, as many fewer")
    parser.add_argument("--simpleitk", type=int, default=6, help="cases that SimpleITK is tried on")
    options = parser.parse_args()
    progress.configure("none")
    options.folder.mkdir(parents=True, exist_ok=True)
    log = options.folder / "cases.jsonl"
    done = {row["seed"]: row for row in map(json.loads, log.read_text().splitlines())} if log.exists() else {}
    seeds = range(options.first, options.first + options.cases)
    reference = of_screw(Screw())
    for n, seed in enumerate(seeds):
        if seed not in done:
            done[seed] = measured(coarser(drawn(seed), options.coarsen), reference, n < options.simpleitk)
            with log.open("a") as file:
                file.write(json.dumps(done[seed]) + "\n")
            print(summary_of(done[seed]), flush=True)
    print("\n".join(tables([done[seed] for seed in seeds])))


def coarser(case: Case, times: int) -> Case:
    """The same screw in voxels that are so many times larger."""
    z, y, x = (round(n / times) for n in case.shape)
    return replace(case, shape=(z, y, x), voxel_mm=case.voxel_mm * times)


def measured(case: Case, reference: Reference, with_simpleitk: bool) -> dict[str, Any]:
    """Make a scan, register it, and compare with the truth."""
    scan = made(case)
    row: dict[str, Any] = {
        "seed": case.seed,
        "shape": case.shape,
        "site": case.site,
        "voxel_um": 1000 * case.voxel_mm,
        "loss": case.loss,
    }
    row["round_fov"] = case.round_fov
    start = time.perf_counter(), time.process_time()
    try:
        pose = register(scan.labels, reference, scan.fov)
    except InputError as error:
        return row | {"refused": str(error), "cpu_s": time.process_time() - start[1]}
    row |= {"seconds": time.perf_counter() - start[0], "cpu_s": time.process_time() - start[1]}
    row |= errors(scan, reference, pose.matrix) | {"figures": dict(pose.quality), "warnings": warnings(pose.quality)}
    if with_simpleitk:
        row["simpleitk"] = dict(simpleitk(scan, reference, pose.matrix))
    return row


def errors(scan: Made, reference: Reference, matrix: Array) -> dict[str, float]:
    """Mean distance of the truly posed surface in sight from the found one, in voxels; error of the volume in %."""
    pair = Pair(scan_of(scan.labels, scan.fov), reference.field)
    points = pair.seen_points(scan.matrix, 40_000)
    distance = reference.distance(points @ matrix[:3, :3].T + matrix[:3, 3])
    mm3 = initial_volume_mm3(scan, reference, matrix)
    return {
        "surface_voxels": float(np.abs(distance).mean()) / scan.labels.spacing_mm[0],
        "volume_percent": 100 * (mm3 / scan.initial_mm3 - 1),
    }


def initial_volume_mm3(scan: Made, reference: Reference, matrix: Array) -> float:
    """V_i as ``quantify`` measures it."""
    labels = scan.labels
    voxels = 0.0
    for first in range(0, labels.shape[0], DEPTH):
        z = slice(max(first - 1, 0), min(first + DEPTH + 1, labels.shape[0]))
        distance = distance_slab(reference, Pose(matrix), labels, z)
        mask = scan.fov.slab_mask(z, labels.shape)
        inside = np.ones(distance.shape, bool) if mask is None else np.broadcast_to(mask, distance.shape)
        ends = (first - z.start, min(first + DEPTH, labels.shape[0]) - z.start)
        voxels += integrate(distance, np.ascontiguousarray(inside), ends, np.array(labels.spacing_mm))[:, 0].sum()
    return voxels * labels.voxel_volume_mm3


def simpleitk(scan: Made, reference: Reference, found: Array) -> Iterator[tuple[str, dict[str, float]]]:
    """Errors of SimpleITK by metric, from moments and, for mutual information, from the found pose."""
    pair = Pair(scan_of(scan.labels, scan.fov), reference.field)
    start = _by_moments(pair)
    for name in METRICS:
        yield name, _timed(scan, reference, lambda name=name: _simpleitk(pair, start, name))
    yield (
        f"{METRICS[0]}, from the found pose",
        _timed(scan, reference, lambda: _simpleitk(pair, found, METRICS[0], scan)),
    )


def _timed(scan: Made, reference: Reference, find: Callable[[], Array]) -> dict[str, float]:
    start = time.process_time()
    matrix = find()
    return {"cpu_s": time.process_time() - start, **errors(scan, reference, matrix)}


def _by_moments(pair: Pair) -> Array:
    """Centre on centre, principal axes on principal axes; of the two ways up the one with the better score."""
    nodes = np.argwhere(pair.field.values[::4, ::4, ::4] < 0) * 4.0
    world = np.linalg.inv(pair.field.index_from_world)
    inside = nodes @ world[:3, :3].T + world[:3, 3]
    centres = [points.mean(axis=0) for points in (pair.scan.inside_mm, inside)]
    axes = [
        np.linalg.svd(points[:20_000] - centre, full_matrices=False)[2]
        for points, centre in zip(
            (pair.scan.inside_mm, np.random.default_rng(0).permutation(inside)), centres, strict=True
        )
    ]
    found = []
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        turned = axes[1] * np.array([*signs, 1])[:, None]
        rotation = turned.T @ axes[0]
        rotation = turned.T @ np.diag([1, 1, np.sign(np.linalg.det(rotation))]) @ axes[0]
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotation, centres[1] - rotation @ centres[0]
        found.append(matrix)
    return min(found, key=lambda matrix: pair.score(matrix, 0.08))


def _simpleitk(pair: Pair, start: Array, metric: str, scan: Made | None = None) -> Array:
    """Pose after SimpleITK's registration; on nodes of the averaged scan when one is given, else of 60 µm."""
    on_masks = "masks" in metric
    method = sitk.ImageRegistrationMethod()
    if scan is None:
        field = pair.scan.field
        fixed, known, world = -field.values, field.values < 0.5 * NO_SURFACE_MM, np.linalg.inv(field.index_from_world)
        step_mm, fixed = field.spacing_mm[0], _as_moving(-fixed, field.spacing_mm[0], on_masks)
    else:
        nodes = averaged(scan.labels, scan.fov)
        fixed, known, world, step_mm = nodes.share, nodes.known, nodes.world_from_index, nodes.spacing_mm[0]
    step = max(1, round(step_mm / pair.field.spacing_mm[0]))
    values = _as_moving(pair.field.values[::step, ::step, ::step], step * pair.field.spacing_mm[0], on_masks)
    back = np.linalg.inv(pair.field.index_from_world) @ np.diag([step] * 3 + [1.0])
    if "mutual" in metric:
        method.SetMetricAsMattesMutualInformation(32)
    else:
        method.SetMetricAsMeanSquares()
    method.SetMetricFixedMask(_image(known.astype(np.uint8), world))
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.2 if scan is None else 0.05, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(0.1 if scan is None else 0.01, 1e-5, 100 if scan is None else 30)
    method.SetOptimizerScalesFromPhysicalShift()
    centre = pair.scan.inside_mm.mean(axis=0)
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(start[:3, :3].ravel().tolist(), 1e-6)
    transform.SetTranslation((start[:3, 3] + start[:3, :3] @ centre - centre).tolist())
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(_image(fixed, world), _image(values, back))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    return matrix


def _as_moving(distance: Array, step_mm: float, mask: bool) -> Array:
    """Occupancy or clipped signed distance of nodes."""
    values = np.clip(0.5 - distance / step_mm, 0, 1) if mask else np.clip(distance, -CLIP_MM, CLIP_MM)
    return np.ascontiguousarray(values, dtype=np.float32)


def _image(values: Array, world_from_index: Array) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    columns = world_from_index[:3, [2, 1, 0]]
    spacing = np.linalg.norm(columns, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(world_from_index[:3, 3].tolist())
    image.SetDirection((columns / spacing).ravel().tolist())
    return image


def verdict(row: dict[str, Any]) -> str:
    """``ok``, ``refused``, ``warned`` or ``SILENT``."""
    if "refused" in row:
        return "refused"
    if row["surface_voxels"] <= SURFACE_BAR_VOXELS and abs(row["volume_percent"]) <= VOLUME_BAR_PERCENT:
        return "ok"
    return "warned" if row["warnings"] else "SILENT"


def summary_of(row: dict[str, Any]) -> str:
    text = f"{row['seed']} {row['site']:6} {row['voxel_um']:.1f} µm, loss {100 * row['loss']:.0f} %: {verdict(row)}"
    if "refused" in row:
        return f"{text}: {row['refused']}"
    spread = row["figures"]["volume_spread_percent"]
    return (
        f"{text}, surface {row['surface_voxels']:.3f} voxels, volume {row['volume_percent']:+.3f} % "
        f"(spread {spread:.3f} %), {row['cpu_s']:.1f} CPU s"
    )


def tables(rows: list[dict[str, Any]]) -> list[str]:
    """Markdown: by site, and SimpleITK beside it."""
    lines = [f"ImplantSeg {__version__}, {' × '.join(map(str, rows[0]['shape']))} voxels", ""]
    lines += ["| field of view | cases | ok | refused | warned | silent | surface, voxels: median, max | volume, %: median, max | CPU s: median, max |"]  # fmt: skip  # noqa: E501
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    for site in (*SITES, "all"):
        chosen = [row for row in rows if site in (row["site"], "all")]
        words = [verdict(row) for row in chosen]
        counts = " | ".join(str(words.count(word)) for word in ("ok", "refused", "warned", "SILENT"))
        found = [row for row in chosen if "refused" not in row]
        figures = " | ".join(
            f"{np.median(values):.3g}, {max(values):.3g}"
            for values in (
                [row["surface_voxels"] for row in found],
                [abs(row["volume_percent"]) for row in found],
                [row["cpu_s"] for row in chosen],
            )
        )
        lines.append(f"| {site} | {len(chosen)} | {counts} | {figures} |")
    return [*lines, "", *_simpleitk_table([row for row in rows if "simpleitk" in row])]


def _simpleitk_table(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = ["| SimpleITK | cases | ok | surface, voxels: median, max | volume, %: median, max | CPU s: median |"]
    lines += ["|---|---|---|---|---|---|"]
    for name in rows[0]["simpleitk"]:
        found = [row["simpleitk"][name] for row in rows]
        ok = sum(verdict(row | {"warnings": []}) == "ok" for row in found)
        surface, volume = ([abs(row[key]) for row in found] for key in ("surface_voxels", "volume_percent"))
        lines.append(
            f"| {name} | {len(found)} | {ok} | {np.median(surface):.3g}, {max(surface):.3g} | "
            f"{np.median(volume):.3g}, {max(volume):.3g} | {np.median([row['cpu_s'] for row in found]):.1f} |"
        )
    return lines


if __name__ == "__main__":
    main()
