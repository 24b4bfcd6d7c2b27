"""`implantseg quantify` on a label volume of the size of a synchrotron scan: time and peak memory.

    python Testing/bench/bench_full_size.py FOLDER [--shape 1267,2640,2640] [--spacing-um 2.8] [--limit-gib 4] [--keep]

FOLDER needs room for the volume (8.8 GB) and its ROI. The volume (synthetic.py) is written slab by slab, then the whole
verb runs in a child process: check, fit of the given pose, all measures, regions, surfaces, ROI and report. Its
memory is limited by the system (RLIMIT_DATA: private memory that can be written, of every process that it starts), so
that one that wants more fails; and it is looked at ten times a second: `RssAnon`, what it holds itself, summed
over its processes. Pages of files that are mapped or cached belong to the system, which drops them when it needs to.
The run fails when the limit is passed or when volumes differ from the counts of what was written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from synthetic import labels_of

from ImplantSegLib import __version__, arguments, progress, threads
from ImplantSegLib.volumes import Volume, create
from ImplantSegQuantLib import reference as references
from ImplantSegQuantLib.pose import Pose, save_pose
from ImplantSegQuantLib.quantify import registered
from ImplantSegQuantLib.sample import SLAB_VOXELS, windows

REFERENCE = "screw"
WEEKS = 12.0
TILT_DEGREES = 5.0
OUTPUTS = ("labels.nrrd", "pose.tfm", "counts.json", "results")


def main() -> None:
    """Make the volume unless it is there, quantify it, tell what that took."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    progress.configure("bar")
    if not (options.folder / "counts.json").exists():
        _make(options.folder, options.shape, options.spacing_um / 1000)
    run = _quantify(options.folder, int(options.limit_gib * 2**30))
    found = json.loads((options.folder / "results" / "results.json").read_text(encoding="utf-8"))
    _check(found, json.loads((options.folder / "counts.json").read_text(encoding="utf-8")))
    _print(options, run, found)
    if not options.keep:
        for name in OUTPUTS:
            _delete(options.folder / name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the volume and the results are kept")
    parser.add_argument("--shape", type=arguments.triple(int), default=(1267, 2640, 2640), metavar="Z,Y,X")
    parser.add_argument("--spacing-um", type=float, default=2.8)
    parser.add_argument("--limit-gib", type=float, default=4.0, help="what the child process may hold")
    parser.add_argument("--keep", action="store_true", help="keep the volume and the results")
    return parser.parse_args()


def _make(folder: Path, shape: tuple[int, int, int], spacing_mm: float) -> None:
    """Write the volume, the pose, and how many voxels there are of every label."""
    grid = Volume(np.broadcast_to(np.uint8(0), shape), (spacing_mm,) * 3)
    radius = 0.5 * min(shape[1:]) - 1
    middle_yx = [(n - 1) / 2 for n in shape[1:]]
    circle = f"circle:{middle_yx[0]:g},{middle_yx[1]:g},{radius:g}"
    screw = references.load(REFERENCE)
    pose = Pose(_matrix(grid))
    save_pose(pose, folder / "pose.tfm")
    distance, counts = registered(screw, pose, grid), np.zeros(256, np.int64)
    depth = max(1, SLAB_VOXELS // (shape[1] * shape[2]))
    y, x = np.ogrid[: shape[1], : shape[2]]
    inside = (y - middle_yx[0]) ** 2 + (x - middle_yx[1]) ** 2 <= radius**2
    steps = -(-shape[0] // depth)
    with create(folder / "labels.nrrd", grid, np.uint8, metadata={"fov": circle}, compress=False) as put:
        for window in progress.track(windows(shape[0], depth), "make", steps, "slab"):
            labels = labels_of(distance(window.z), window.z.start, grid.spacing_mm, radius)
            counts += sum(np.bincount(one[inside], minlength=256) for one in labels)
            put(labels)
    (folder / "counts.json").write_text(json.dumps({"counts": counts[:4].tolist(), "spacing_mm": spacing_mm}))


def _matrix(grid: Volume) -> np.ndarray:
    """From the scan to the screw: its shaft in the middle of the scan, a little tilted."""
    middle = grid.index_to_world @ [*((n - 1) / 2 for n in grid.shape), 1]
    tilt = np.deg2rad(TILT_DEGREES)
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    matrix[:3, 3] = np.array([0, 0, 7.5]) - matrix[:3, :3] @ middle[:3]
    return matrix


def _quantify(folder: Path, limit: int) -> dict[str, object]:
    """Run the verb in a child process with limited memory, and watch it."""
    command = [sys.executable, "-m", "ImplantSegLib", "quantify", str(folder / "labels.nrrd"), "--progress", "json"]
    command += ["--reference", REFERENCE, "--pose", str(folder / "pose.tfm"), "--weeks", str(WEEKS)]
    command += ["-o", str(folder / "results")]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),  # noqa: PLW1509
    )
    peak, stages = [0], {}
    watch = threading.Thread(target=_watch, args=(child.pid, peak))
    watch.start()
    for line in child.stderr or ():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "progress":
            first, _ = stages.get(event["stage"], (time.perf_counter() - begin, 0.0))
            stages[event["stage"]] = first, time.perf_counter() - begin
        else:
            print(line.rstrip(), file=sys.stderr)
    code = child.wait()
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    watch.join()
    if code:
        sys.exit(f"quantify ended with {code}")
    if peak[0] > limit:
        sys.exit(f"quantify held {peak[0] / 2**30:.2f} GiB, wanted at most {limit / 2**30:g}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "gib": peak[0] / 2**30, "stages": stages}


def _watch(pid: int, peak: list[int]) -> None:
    """Note the largest sum of what a process and those that it started hold themselves, until it has ended."""
    while (held := sum(map(_held, _family(pid)))) > 0:
        peak[0] = max(peak[0], held)
        time.sleep(0.1)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            yield from _family(int(child))


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def _check(found: dict[str, dict], made: dict[str, object]) -> None:
    """Stop unless the volumes are the voxels that were written."""
    for name, label in (("residual_volume", 1), ("degradation_layer_volume", 2)):
        wanted = made["counts"][label] * made["spacing_mm"] ** 3  # type: ignore[index,operator]
        value = found["measurements"][name]["value"]
        if abs(value / wanted - 1) > 1e-12:
            sys.exit(f"{name} is {value}, wanted {wanted}")


def _print(options: argparse.Namespace, run: dict, found: dict) -> None:
    voxels = np.prod(options.shape, dtype=np.int64)
    print(f"\nvolume {options.shape}, {voxels / 1e9:.2f} Gvoxel of {options.spacing_um} µm")
    print(
        f"wall {run['seconds']:.0f} s, CPU {run['cpu']:.0f} s, peak {run['gib']:.2f} GiB ({threads.count()} threads)\n"
    )
    print("| stage | from s | to s |\n|---|---:|---:|")
    for stage, (first, last) in run["stages"].items():
        print(f"| {stage} | {first:.0f} | {last:.0f} |")
    print("\n| number | value | unit |\n|---|---:|---|")
    for name, entry in found["measurements"].items():
        print(
            f"| {name} | {'undefined' if entry['value'] is None else format(entry['value'], '.6g')} | {entry['unit']} |"
        )
    for warning in found["warnings"]:
        print(f"warning: {warning}")
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\nload {load} (1, 5, 15 minutes); ImplantSeg {__version__}, Python {platform.python_version()}")


def _delete(path: Path) -> None:
    from ImplantSegLib.files import remove

    remove(path)


if __name__ == "__main__":
    main()
