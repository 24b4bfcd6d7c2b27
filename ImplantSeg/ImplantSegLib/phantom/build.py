"""Build a phantom slab by slab: image, labels, reference and the truth, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.files import all_or_none, write_text
from ImplantSegLib.phantom.imaging import HALO, IMAGING, image_slabs
from ImplantSegLib.phantom.noise import stream
from ImplantSegLib.phantom.recipe import Phantom, PhantomJob, prepare
from ImplantSegLib.phantom.sample import COLUMN, Frame, cross_slab, sample_slab, view_text
from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.phantom.truth import truth
from ImplantSegLib.volumes import Volume, create

DEPTH = 16
"""Slices worked on at a time; any other number gives the same bytes."""


def build(job: PhantomJob, outdir: str | Path, depth: int = DEPTH, reference: bool = True) -> Path:
    """Write a phantom: ``image.nrrd``, ``labels.seg.nrrd``, ``reference.nrrd`` and ``truth.json``; all of them or none.

    Parameters
    ----------
    job : PhantomJob
        What it shall be.
    outdir : path
        Folder of the four files.
    depth : int
        Slices worked on at a time: the memory it takes; the bytes are the same.
    reference : bool
        Whether to write the reference screw too (a cohort shares one).

    Returns
    -------
    Path
        The folder.
    """
    outdir = Path(outdir)
    phantom = prepare(job)
    frame = phantom.frame
    like = grid(frame)
    counts = np.zeros(len(COLUMN), np.int64)
    imaging = IMAGING[job.beamline]
    imaging = replace(imaging, noise=job.noise * imaging.noise)
    metadata = {"fov": view_text(frame), "voxel_size_known": "yes"}
    with all_or_none(outdir) as folder:
        with (
            create(folder / "image.nrrd", like, np.uint16, metadata=metadata) as put_image,
            create(folder / "labels.seg.nrrd", like, np.uint8, metadata=metadata) as put_labels,
            progress.stage("phantom", frame.shape[0], "slice") as advance,
        ):

            def windows() -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
                for start, labels, attenuation, own in _sampled(phantom, depth):
                    counts[:] += own
                    put_labels(labels)
                    yield start, attenuation

            for slab in image_slabs(windows(), frame, imaging, job.seed):
                put_image(slab)
                advance(len(slab))
        if reference:
            write_reference(job.screw, folder / "reference.nrrd")
        result = truth(phantom, counts)
        write_text(folder / "truth.json", json.dumps({**result, "imaging": vars(imaging)}, indent=1) + "\n")
    return outdir


def _sampled(
    phantom: Phantom, depth: int
) -> Iterator[tuple[int, np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Yield start, labels (depth), attenuation (with halo) and counts of each slab; each slice is sampled once."""
    frame, explant, job = phantom.frame, phantom.explant, phantom.job
    seed = stream(job.seed, "crossings")
    outside = frame.radius**2 < _radius2(frame)
    labels, attenuation, counts = sample_slab(-HALO, 2 * HALO, frame, explant, job.supersampling)
    for start in range(0, frame.shape[0], depth):
        size = min(depth, frame.shape[0] - start)
        new_labels, new_attenuation, new_counts = sample_slab(start + HALO, size, frame, explant, job.supersampling)
        labels = np.concatenate([labels, new_labels])
        attenuation = np.concatenate([attenuation, new_attenuation])
        counts = np.concatenate([counts, new_counts])
        own = counts[HALO : HALO + size] + cross_slab(start, size, frame, explant, seed)
        inner = labels[HALO : HALO + size].copy()
        inner[:, outside] = 0
        yield start, inner, attenuation, own.sum(axis=0)
        labels, attenuation, counts = labels[size:], attenuation[size:], counts[size:]


def _radius2(frame: Frame) -> np.ndarray[Any, Any]:
    y, x = np.ogrid[: frame.shape[1], : frame.shape[2]]
    return (y - frame.centre_y) ** 2 + (x - frame.centre_x) ** 2


def grid(frame: Frame) -> Volume:
    """Give an empty volume on the phantom's grid."""
    return Volume(_Nothing(frame.shape, np.uint8), frame.spacing, frame.origin)


class _Nothing:
    """Voxels of a shape, without values: a grid for writers."""

    def __init__(self, shape: tuple[int, int, int], dtype: type) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)

    def __getitem__(self, key: Any) -> Any:
        raise IndexError("a grid has no voxel values")


def write_reference(screw: Screw, path: str | Path, spacing_mm: float = 0.02) -> None:
    """Write the whole screw, before implantation, as a label volume in its own frame (1 = screw).

    Parameters
    ----------
    screw : Screw
        The screw.
    path : path
        File to write.
    spacing_mm : float
        Voxel edge of the reference scan; the grid leaves a margin of four voxels.
    """
    low, high = (np.asarray(corner) for corner in screw.bounds_mm)
    first = np.floor(low / spacing_mm).astype(int) - 4
    last = np.ceil(high / spacing_mm).astype(int) + 4
    nx, ny, nz = (last - first + 1).tolist()
    origin = tuple(float(value) for value in first * spacing_mm)
    like = Volume(_Nothing((nz, ny, nx), np.uint8), (spacing_mm,) * 3, origin)  # type: ignore[arg-type]
    y, x = np.meshgrid(origin[1] + spacing_mm * np.arange(ny), origin[0] + spacing_mm * np.arange(nx), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    with create(path, like, np.uint8, metadata={"voxel_size_known": "yes"}) as put:
        for k in progress.track(range(nz), "reference", nz, "slice"):
            points[:, 2] = origin[2] + spacing_mm * k
            put((screw.signed_distance(points) < 0).reshape(1, ny, nx).astype(np.uint8))
