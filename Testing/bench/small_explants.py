"""Small phantoms of fresh seeds, segmented with the bundled model: the population of interval_coverage.py.

python Testing/bench/small_explants.py work/coverage        (about 10 s of processor time each; resumable)

Screws of 1.8 mm with a thread of 0.34 mm pitch in 36 × 216 × 216 voxels of 10 µm: one turn of the thread. (On screws of
1.3 mm in 160 × 160 pixels the bundled model takes most of the metal for layer: it must see that metal is deep inside.)
Site, beamline and healing time go by turns, all else is drawn from the seed. Seeds of calibration (60000 and on) and
test (70000 and on) serve nothing else. A phantom that cannot be made is left out and listed.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import write_text
from ImplantSegLib.phantom.build import grid
from ImplantSegLib.phantom.imaging import HALO, IMAGING, image_slabs
from ImplantSegLib.phantom.noise import stream
from ImplantSegLib.phantom.recipe import DAYS_PER_YEAR, Phantom, PhantomJob, prepare
from ImplantSegLib.phantom.sample import sample_slab, view_text
from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.volumes import FieldOfView, write

SEEDS = {"calibration": 60000, "test": 70000}
"""First seed of each population."""

COUNTS = {"calibration": 104, "test": 200}

ROI_MM = 0.15

EFFORT = 0.2
"""Rate and contact need not meet their targets well: the truth is measured."""

SEGMENTATION = "segmentation.seg.nrrd"

SCREW = {
    "diameter": 1.8,
    "length": 6.0,
    "thread_depth": 0.18,
    "pitch": 0.34,
    "crest": 0.05,
    "lead": 0.06,
    "root": 0.1,
    "head_diameter": 2.5,
    "head_height": 0.8,
    "socket": 1.2,
    "socket_depth": 0.4,
    "tip": 0.9,
}
REFERENCE = "screw:" + ",".join(f"{key}={value}" for key, value in SCREW.items())


def draw(seed: int) -> PhantomJob:
    """Draw a small phantom: site, beamline and weeks by turns, the rest at random."""
    rng = np.random.Generator(np.random.Philox(stream(seed, "small explant")))
    weeks = (6, 12, 24)[seed // 3 % 3]
    depth_mm = rng.uniform(0.05, 0.095)
    return PhantomJob(
        seed=seed,
        weeks=weeks,
        site=("metaphysis", "epiphysis", "diaphysis")[seed % 3],  # type: ignore[arg-type]
        beamline=("p05", "p07")[seed % 2],  # type: ignore[arg-type]
        shape=(36, 216, 216),
        degradation_rate=depth_mm / (weeks * 7 / DAYS_PER_YEAR),
        contact_percent=float(rng.uniform(6, 58)),
        axial_mm=float(rng.uniform(1.2, 4.9)),
        supersampling=1,
        screw=Screw(**{f"{key}_mm": value for key, value in SCREW.items()}),
    )


def main() -> None:
    """Make what is missing, calibration and test by turns."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path)
    folder = command.parse_args().folder
    progress.configure("none")
    for name, seed in turns():
        where = folder / name / str(seed)
        if not (where / SEGMENTATION).exists() and not (where / "refused.json").exists():
            try:
                make(seed, where)
            except InputError as error:
                write_text(where / "refused.json", json.dumps({"message": error.message}) + "\n")
                print(f"{name} {seed}: {error.message}", flush=True)


def turns() -> Iterator[tuple[str, int]]:
    """Name of the population and seed, by turns, so that both grow alike."""
    seeds = ([(name, SEEDS[name] + n) for n in range(COUNTS[name])] for name in SEEDS)
    for pair in itertools.zip_longest(*seeds):
        yield from filter(None, pair)


def make(seed: int, where: Path) -> None:
    """Build a phantom and segment it with its probabilities."""
    where.mkdir(parents=True, exist_ok=True)
    if not (where / "truth.json").exists():
        build(prepare(draw(seed), EFFORT), where)
    segmented(where)


def segmented(where: Path) -> None:
    """Segment the scan of a phantom with its probabilities."""
    from ImplantSegLib.inference.job import SegmentJob
    from ImplantSegLib.inference.predict import segment

    segment(SegmentJob(where / "image.nrrd", where / SEGMENTATION, probabilities=where / "probabilities.ome.zarr"))


def build(phantom: Phantom, where: Path) -> None:
    """Write image, labels and pose as `implantseg phantom` does, without the continuous truth, which takes longest."""
    frame, job, like = phantom.frame, phantom.job, grid(phantom.frame)
    metadata = {"fov": view_text(frame), "voxel_size_known": "yes"}
    labels, attenuation, _ = sample_slab(-HALO, frame.shape[0] + 2 * HALO, frame, phantom.explant, job.supersampling)
    inside = FieldOfView.parse(metadata["fov"]).slab_mask(slice(0, frame.shape[0]), frame.shape)
    inner = labels[HALO:-HALO] if inside is None else np.where(inside, labels[HALO:-HALO], 0).astype(np.uint8)
    slabs = image_slabs(iter([(0, attenuation)]), frame, IMAGING[job.beamline], job.seed)
    write(like.like(np.concatenate(list(slabs)).astype(np.uint16), **metadata), where / "image.nrrd")
    write(like.like(inner, **metadata), where / "labels.seg.nrrd")
    found = {"pose": [*map(list, frame.pose), [0.0, 0.0, 0.0, 1.0]], "parameters": phantom.parameters()}
    write_text(where / "truth.json", json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
