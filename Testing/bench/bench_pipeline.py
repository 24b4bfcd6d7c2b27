"""The data pipeline against the network: patches a second that each could do alone, and their ratio.

    python Testing/bench/bench_pipeline.py [--recipe compact_unet] [--device cpu] [--threads 1] [--set KEY=VALUE]

The pipeline draws, cuts and augments patches of a raw NRRD that is memory-mapped, in one worker; the network takes
whole training steps on batches that are ready. On a processor both have the same number of threads. It ends with 1
where the pipeline delivers less than five times what the network consumes.
"""

from __future__ import annotations

import argparse
import dataclasses
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from ImplantSegLib.models import Bundle
from ImplantSegLib.training import augment, sampling
from ImplantSegLib.training.batches import Batches
from ImplantSegLib.training.command import load_recipe
from ImplantSegLib.training.config import Pair, Recipe
from ImplantSegLib.training.data import Scan, open_scan
from ImplantSegLib.training.fit import Fit
from ImplantSegLib.volumes import Volume, write

BAR = 5.0
SHAPE = (96, 640, 640)


def main() -> None:
    """Measure both and print a table."""
    options = _options()
    torch.set_num_threads(options.threads)
    overrides = [f"run.threads={options.threads}", f"run.device={options.device}", "run.workers=1", *options.set]
    _, recipe = load_recipe(options.recipe, overrides)
    recipe = dataclasses.replace(recipe, run=dataclasses.replace(recipe.run, steps=1_000_000))
    with tempfile.TemporaryDirectory() as folder:
        scan = _make_scan(Path(folder), recipe)
        fit = Fit(recipe, [scan], [], Path(folder), Bundle(recipe.model.network))
        step = _step(fit, recipe, options.seconds)
        pipeline = _pipeline(fit.batches, recipe, options.seconds)
        parts = _parts(fit.batches, recipe)
    size = "x".join(map(str, recipe.sampling.patch))
    print(f"{options.recipe}, batches of {recipe.sampling.batch} patches of {size}, {recipe.run.precision}")
    print(f"{options.device}, {options.threads} threads, {platform.machine()}, torch {torch.__version__}")
    print(f"{'':<28} {'patches/s':>10} {'patches/CPU s':>14}")
    for name, (wall, cpu) in {"pipeline, one worker": pipeline, "network, training steps": step}.items():
        print(f"{name:<28} {wall:>10.1f} {cpu:>14.1f}")
    for name, cpu in parts.items():
        print(f"  {name:<26} {'':>10} {cpu:>14.1f}")
    ratio = pipeline[0] / step[0]
    print(f"ratio {ratio:.1f} (CPU seconds: {pipeline[1] / step[1]:.1f}), wanted at least {BAR:g}")
    sys.exit(ratio < BAR)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="compact_unet", help="name of a recipe, or its file")
    parser.add_argument("--device", default="cpu", help="where the network runs, as in a recipe")
    parser.add_argument("--threads", type=int, default=1, help="threads of the pipeline, and of the network on a CPU")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each side runs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    return parser.parse_args()


def _make_scan(place: Path, recipe: Recipe) -> Scan:
    """Write blobs of all four classes in noise, raw, so that grey values and labels are memory-mapped."""
    random = np.random.default_rng(0)
    coarse = random.random([-(-size // 24) for size in SHAPE], np.float32)
    field = ndimage.zoom(coarse, np.divide(SHAPE, coarse.shape), order=1, grid_mode=True, mode="nearest")
    labels = np.digitize(field, [0.4, 0.55, 0.7]).astype(np.uint8)  # background, metal, layer, bone
    grey = 15000.0 * labels + random.normal(5000, 1500, SHAPE).astype(np.float32)
    image, truth = place / "image.nrrd", place / "labels.nrrd"
    spacing = (0.01, 0.01, 0.01)
    write(Volume(np.clip(grey, 0, 65535).astype(np.uint16), spacing), image)
    write(Volume(labels, spacing), truth)
    return open_scan("bench", Pair(str(image), str(truth)), recipe.data)


def _pipeline(batches: Batches, recipe: Recipe, seconds: float) -> tuple[float, float]:
    """Patches a second, and a CPU second, that one worker delivers."""
    with batches.start(0) as ready:
        next(ready)  # what is imported and read at first use does not count
        done, start, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds:
            next(ready)
            done += recipe.sampling.batch
        return done / (time.perf_counter() - start), done / (time.process_time() - cpu)


def _step(fit: Fit, recipe: Recipe, seconds: float) -> tuple[float, float]:
    """Patches a second, and a CPU second, that training steps consume."""
    ready = [fit.batches.batch(step) for step in range(4)]
    fit.take_step(*ready[0])
    done, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        terms = fit.take_step(*ready[done % len(ready)])
        float(terms["loss"])  # waits for the device
        done += 1
    patches = done * recipe.sampling.batch
    return patches / (time.perf_counter() - start), patches / (time.process_time() - cpu)


def _parts(batches: Batches, recipe: Recipe, repeats: int = 20) -> dict[str, float]:
    """Patches a CPU second of each part of the pipeline alone."""
    spent = {"draw and cut": 0.0, "augment": 0.0}
    for step in range(repeats):
        random = sampling.generator(recipe.run.seed, step)
        start = time.process_time()
        targets = sampling.draw_targets(batches.candidates, recipe.sampling, recipe.data, random)
        images, labels = sampling.cut_batch(batches.scans, targets, recipe.sampling.patch)
        spent["draw and cut"] += time.process_time() - start
        start = time.process_time()
        draws = augment.draw(recipe.augment, len(targets), recipe.sampling.patch, random)
        augment.apply(torch.from_numpy(images), torch.from_numpy(labels), draws)
        spent["augment"] += time.process_time() - start
    return {name: repeats * recipe.sampling.batch / seconds for name, seconds in spent.items()}


if __name__ == "__main__":
    main()
