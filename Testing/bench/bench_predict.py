"""Prediction against the naive way: time and peak memory, as ratios.

    python Testing/bench/bench_predict.py [--shape 128,384,384] [--model compact_unet] [--precision float32]

The naive way reads the whole volume as float32, runs the network slice by slice, keeps the softmax of every
slice and takes the largest at the end. Both sides use the same model, each in a fresh process, so that neither
sees the other's memory. The memory of the naive way grows with the volume, that of the streamed one does not.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from ImplantSegLib import arguments
from ImplantSegLib.inference import SegmentJob, segment
from ImplantSegLib.models import load
from ImplantSegLib.models.registry import find
from ImplantSegLib.volumes import Volume, read, write

SIDES = ("naive", "streamed")


def main() -> None:
    """Compare the two sides and print a table."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _make_scan(place, options.shape)
        results = {side: _measured(side, place, options) for side in SIDES}
        same = (read(place / "naive.nrrd").array[:] == read(place / "streamed.nrrd").array[:]).mean()
    print(f"volume {options.shape} uint16, model {options.model}, {options.precision}")
    print(f"{'':<10} {'seconds':>9} {'peak MiB':>9} {'of it beyond the imports':>25}")
    for side, result in results.items():
        print(f"{side:<10} {result['seconds']:>9.1f} {result['peak']:>9.0f} {result['peak'] - result['start']:>25.0f}")
    naive, streamed = (results[side] for side in SIDES)
    own = [result["peak"] - result["start"] for result in (naive, streamed)]
    print(f"time ratio naive / streamed            {naive['seconds'] / streamed['seconds']:.2f}")
    print(f"peak memory ratio naive / streamed     {naive['peak'] / streamed['peak']:.2f}")
    print(f"the same without the imports           {own[0] / own[1]:.2f}")
    print(f"bound that the run planned with        {streamed['bound']:.0f} MiB")
    print(f"voxels with the same label             {100 * same:.3f} %")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=arguments.triple(int), default=(128, 384, 384), metavar="Z,Y,X")
    parser.add_argument("--model", default="compact_unet", help="name of a model, or a model file")
    parser.add_argument("--precision", choices=("auto", "float32", "bf16"), default="float32")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _run_side(options)
        sys.exit()
    return options


def _make_scan(place: Path, shape: tuple[int, int, int]) -> None:
    """Write blobs of several sizes in noise, so that the model finds some of every class."""
    random = np.random.default_rng(0)
    coarse = random.random([-(-size // 24) for size in shape])
    array = ndimage.zoom(coarse, np.divide(shape, coarse.shape), order=1, grid_mode=True, mode="nearest")
    grey = 40000 * array + random.normal(5000, 1500, shape)
    write(Volume(np.clip(grey, 0, 65535).astype(np.uint16), (0.01, 0.01, 0.01)), place / "scan.nrrd")


def _measured(side: str, place: Path, options: argparse.Namespace) -> dict[str, float]:
    chosen = ["--model", options.model, "--precision", options.precision]
    command = [sys.executable, __file__, "--side", side, "--place", str(place), *chosen]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _run_side(options: argparse.Namespace) -> None:
    start, begin = _peak_mib(), time.perf_counter()
    bound = _naive(options) if options.side == "naive" else _streamed(options)
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "peak": _peak_mib(), "start": start, "bound": bound / 2**20}))


def _streamed(options: argparse.Namespace) -> int:
    job = SegmentJob(
        options.place / "scan.nrrd",
        options.place / "streamed.nrrd",
        options.model,
        device="cpu",
        precision=options.precision,
        across=0.0,
        fov="box",
        postprocess=False,
    )
    return int(segment(job).found["plan"]["memory_bytes"])


def _naive(options: argparse.Namespace) -> int:
    scan = read(options.place / "scan.nrrd")
    network = load(find(options.model)).load_network()
    grey = np.asarray(scan.array[:]).astype(np.float32)
    low, high = map(float, np.percentile(grey, [0.1, 99.9]))
    grey = np.clip((grey - low) / (high - low), 0, 1)
    with torch.inference_mode():
        kept = [network(torch.from_numpy(one)[None, None]).softmax(1)[0].numpy() for one in grey]
    labels = np.stack(kept, axis=1).argmax(axis=0).astype(np.uint8)
    write(scan.like(labels), options.place / "naive.nrrd")
    return 0


def _peak_mib() -> float:
    """Largest resident memory so far. Not `getrusage` on Linux: there a child starts with its parent's peak."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
