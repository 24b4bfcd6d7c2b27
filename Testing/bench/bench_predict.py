"""Prediction against the naive way: time and peak memory, as ratios.

    python Testing/bench/bench_predict.py [--shape 160,448,448] [--width 8] [--precision float32]

The naive way reads the whole volume as float32, runs the network slice by slice, keeps the softmax of every
slice and takes the largest at the end. Both sides use the same network with random weights, each in a fresh
process, so that neither sees the other's memory.
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

from ImplantSegLib import arguments
from ImplantSegLib.inference import SegmentJob, segment
from ImplantSegLib.models import Bundle, build, load, save
from ImplantSegLib.volumes import Volume, read, write

SIDES = ("naive", "streamed")


def main() -> None:
    """Compare the two sides and print a table."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _make_inputs(place, options.shape, options.width)
        results = {side: _measured(side, place, options.precision) for side in SIDES}
        same = (read(place / "naive.nrrd").array[:] == read(place / "streamed.nrrd").array[:]).mean()
    print(f"volume {options.shape} uint16, U-Net of width {options.width}, {options.precision}")
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
    parser.add_argument("--shape", type=arguments.triple(int), default=(160, 448, 448), metavar="Z,Y,X")
    parser.add_argument("--width", type=int, default=8, help="channels of the first level of the U-Net")
    parser.add_argument("--precision", choices=("auto", "float32", "bf16"), default="float32")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        _run_side(options)
        sys.exit()
    return options


def _make_inputs(place: Path, shape: tuple[int, int, int], width: int) -> None:
    random = np.random.default_rng(0)
    array = random.integers(0, 65535, shape, dtype=np.uint16)
    write(Volume(array, (0.01, 0.01, 0.01)), place / "scan.nrrd")
    save(place / "model.safetensors", Bundle("unet", {"width": width}), build("unet", width=width).state_dict())


def _measured(side: str, place: Path, precision: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", side, "--place", str(place), "--precision", precision]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _run_side(options: argparse.Namespace) -> None:
    start, begin = _peak_mib(), time.perf_counter()
    bound = _naive(options.place) if options.side == "naive" else _streamed(options.place, options.precision)
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "peak": _peak_mib(), "start": start, "bound": bound / 2**20}))


def _streamed(place: Path, precision: str) -> int:
    job = SegmentJob(
        place / "scan.nrrd",
        place / "streamed.nrrd",
        str(place / "model.safetensors"),
        device="cpu",
        precision=precision,
        fov="box",
        postprocess=False,
    )
    return int(segment(job).found["plan"]["memory_bytes"])


def _naive(place: Path) -> int:
    scan = read(place / "scan.nrrd")
    network = load(place / "model.safetensors").load_network()
    grey = np.asarray(scan.array[:]).astype(np.float32)
    low, high = map(float, np.percentile(grey, [0.1, 99.9]))
    grey = np.clip((grey - low) / (high - low), 0, 1)
    with torch.inference_mode():
        kept = [network(torch.from_numpy(one)[None, None]).softmax(1)[0].numpy() for one in grey]
    labels = np.stack(kept, axis=1).argmax(axis=0).astype(np.uint8)
    write(scan.like(labels), place / "naive.nrrd")
    return 0


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    main()
