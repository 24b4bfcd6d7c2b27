"""Named sets of phantoms: the paper's data sets, the development cohort and the test cohort."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.noise import stream
from ImplantSegLib.phantom.recipe import PhantomJob

Spacing = tuple[float, float, float]

BEAMLINE = {"epiphysis": "p07", "metaphysis": "p05", "diaphysis": "p05"}
"""Beamline of each site (the paper's table 1)."""

PAPER = {
    "paper-training": [
        *(("epiphysis", weeks) for weeks in (4, 6, 12, 12)),
        *(("metaphysis", weeks) for weeks in (4, 6)),
    ],
    "paper-test": [("epiphysis", 6), ("metaphysis", 12)],
    "paper-prediction": [("diaphysis", weeks) for weeks in (6, 12, 24) for _ in range(3)],
}
"""Site and healing time in weeks of each sample (the paper's table 3)."""

FIRST_SEED = {"paper-training": 100, "paper-test": 200, "paper-prediction": 300}
DEVELOPMENT_SEEDS = (*range(1000, 1028), *range(2000, 2003))
"""Seeds of the development cohort; those from 2000 on validate."""
TEST_SEEDS = range(9000, 9010)
"""Seeds of the test cohort: for reporting only, never for a choice."""
CROP = (24, 448, 448)
"""Voxels (z, y, x) of the development phantoms, and of the crops of any other cohort: the screw and what is near it."""


def jobs(name: str, spacing_um: Spacing = (10.0, 10.0, 10.0)) -> dict[str, PhantomJob]:
    """Phantoms of a cohort, by the name of their folder.

    Parameters
    ----------
    name : str
        ``development`` (crops of 24 slices, every site, time and beamline), ``test`` (ten crops of 80 slices whose
        mean layer is at least 6 voxels, contact 5 to 60 %), or one of the paper's data sets at the beamlines' whole
        field of view: ``paper-training``, ``paper-test``, ``paper-prediction``. With ``-crop`` behind it the cohort's
        phantoms are made as crops of 24 slices, which train and test in minutes without a GPU.
    spacing_um : tuple of float
        Voxel size (z, y, x), µm; crops keep their number of voxels.

    Raises
    ------
    InputError
        For an unknown name.
    """
    if name.endswith("-crop"):
        whole = jobs(name.removesuffix("-crop"), spacing_um)
        return {folder: dataclasses.replace(job, shape=CROP) for folder, job in whole.items()}
    if name in PAPER:
        return {
            f"{site}-{weeks:02d}w-{FIRST_SEED[name] + n}": PhantomJob(
                seed=FIRST_SEED[name] + n,
                site=site,  # type: ignore[arg-type]
                weeks=weeks,
                beamline=BEAMLINE[site],  # type: ignore[arg-type]
                spacing_um=spacing_um,
            )
            for n, (site, weeks) in enumerate(PAPER[name])
        }
    seeds = {"development": DEVELOPMENT_SEEDS, "test": TEST_SEEDS}
    if name not in seeds:
        known = ", ".join([*seeds, *PAPER])
        raise InputError(f"got cohort {name!r}", f"choose one of: {known}; behind it -crop makes crops")
    shape = (80, *CROP[1:]) if name == "test" else CROP
    drawn = (_draw(seed, shape, spacing_um) for seed in seeds[name])
    return {f"{job.site}-{job.weeks:02.0f}w-{job.seed}": job for job in drawn}


def _draw(seed: int, shape: tuple[int, int, int], spacing_um: Spacing) -> PhantomJob:
    """Draw a crop: site, beamline and weeks by turns, the rest at random."""
    rng = np.random.Generator(np.random.Philox(stream(seed, "cohort")))
    site = ("metaphysis", "epiphysis", "diaphysis")[seed % 3]
    weeks = (6, 12, 24, 12)[seed // 3 % 4]
    beamline = ("p05", "p07")[(seed + seed // 3) % 2]
    # the layer must be resolved: at least 65 µm of metal lost, as these alloys lose in 6 weeks and more
    rate = max(0.75 * (weeks / 4) ** -0.6 * rng.uniform(0.85, 1.15), 0.07 / (weeks * 7 / 365.25))
    return PhantomJob(
        seed=seed,
        weeks=weeks,
        site=site,  # type: ignore[arg-type]
        beamline=beamline,  # type: ignore[arg-type]
        spacing_um=spacing_um,
        shape=shape,
        degradation_rate=float(rate),
        contact_percent=float(rng.uniform(6, 58)),
        axial_mm=float(rng.uniform(2.5, 13.5)),
    )


def make_cohort(name: str, outdir: str | Path, spacing_um: Spacing = (10.0, 10.0, 10.0)) -> list[Path]:
    """Build the phantoms of a cohort that are not there yet.

    Parameters
    ----------
    name : str
        Name of the cohort, see :func:`jobs`.
    outdir : path
        Folder of the cohort; each phantom is a folder in it, beside ``reference.nrrd``, which they share.
    spacing_um : tuple of float
        Voxel size (z, y, x), µm.

    Returns
    -------
    list of Path
        Folders with ``image.nrrd``, ``labels.seg.nrrd`` and ``truth.json``.
    """
    from ImplantSegLib.phantom.build import build, write_reference

    outdir = Path(outdir)
    members = jobs(name, spacing_um)
    reference = outdir / "reference.nrrd"
    if not reference.exists():
        write_reference(next(iter(members.values())).screw, reference)
    for folder, job in progress.track(members.items(), name, len(members), "scan"):
        # truth.json is written last: where it is, the phantom is whole
        if not (outdir / folder / "truth.json").exists():
            build(job, outdir / folder, reference=False)
    return [outdir / folder for folder in members]
