"""The study of docs/study.md: six phantoms, the bundled model and a coarse annotation, and the pictures of the page.

    python docs/figures/study.py [FOLDER]

Phantoms and results stay in FOLDER (default: work/study); what is there is not made again.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from ImplantSegLib import cli
from ImplantSegLib.labels import NAMES
from ImplantSegLib.volumes import read, write

PICTURES = Path(__file__).parents[1] / "images"
SITES = {"metaphysis": 1000, "diaphysis": 0}
"""Site, and first seed of its phantoms."""
WEEKS = (6, 12, 24)
REPEATS = (1,)
"""Phantoms of every site and time; more of them give groups that can be told apart."""
COARSE = 3
"""The coarse annotation sees so many voxels along each axis as one."""

HEAD = """\
name = "ZX00 screws, phantoms"
reference = "metaphysis-06w-1/reference.nrrd"
models = ["compact_unet"]
primary = "compact_unet"
surfaces = false
titles = {{ compact_unet = "Compact U-Net", coarse = "Coarse annotation" }}
{samples}"""

SAMPLE = """
[[samples]]
name = "{name}"
weeks = {weeks}
site = "{site}"
subject = "{name}"
image = "{name}/image.nrrd"
truth = "{name}/labels.seg.nrrd"
segmentations = {{ coarse = "{name}/coarse.seg.nrrd" }}
"""


def main() -> None:
    """Make what is missing, run the study, and copy its pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "work/study")
    samples = []
    for site, seed in SITES.items():
        for weeks in WEEKS:
            for repeat in REPEATS:
                name = f"{site}-{weeks:02d}w-{repeat}"
                make(folder / name, site, weeks, seed + 10 * weeks + repeat)
                samples.append(SAMPLE.format(name=name, weeks=weeks, site=site))
    cohort = folder / "cohort.toml"
    cohort.write_text(HEAD.format(samples="".join(samples)), encoding="utf-8")
    run("study", cohort, "-o", folder / "study")
    for name in ("figure4", "groups-compact_unet", "agreement-compact_unet"):
        shutil.copyfile(folder / "study" / "figures" / f"{name}.png", PICTURES / f"study-{name.partition('-')[0]}.png")


def make(folder: Path, site: str, weeks: int, seed: int) -> None:
    """Make a phantom, and its coarse annotation."""
    if not (folder / "truth.json").exists():
        run("phantom", folder, "--seed", seed, "--site", site, "--weeks", weeks, "--shape", "90,330,330",
            "--spacing-um", 16)  # fmt: skip
    if not (folder / "coarse.seg.nrrd").exists():
        truth = read(folder / "labels.seg.nrrd")
        labels = np.asarray(truth.array[:])
        shares = [ndimage.uniform_filter((labels == label).astype(np.float32), COARSE) for label in NAMES]
        coarse = np.argmax([share[1::COARSE, 1::COARSE, 1::COARSE] for share in shares], axis=0)
        fine = np.kron(coarse.astype(np.uint8), np.ones((COARSE,) * 3, np.uint8))
        write(truth.like(fine[: labels.shape[0], : labels.shape[1], : labels.shape[2]]), folder / "coarse.seg.nrrd")


def run(*arguments: object) -> None:
    """Run a verb; stop where it fails."""
    if status := cli.main([str(argument) for argument in arguments]):
        sys.exit(status)


if __name__ == "__main__":
    main()
