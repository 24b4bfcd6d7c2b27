"""Boundary error of a segmentation against the truth, block of slices by block of slices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib import metrics, progress, threads
from ImplantSegLib.labels import NAMES, Label
from ImplantSegQuantLib.sample import Sample, as_labels, windows

if TYPE_CHECKING:
    from ImplantSegLib.volumes import Volume

Array = np.ndarray[Any, Any]


def boundary_error(sample: Sample, truth: Volume, present: Array) -> dict[str, Any]:
    """Tell how far the surfaces of a segmentation lie from the true ones, per class.

    Memory: one byte for each voxel of at most three reaches of the search (60 slices of cubes), and a few slabs.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    truth : Volume
        Labels 0 to 3 on the same grid; voxels of value 255 do not exist.
    present : bool, shape (4,)
        Whether both have voxels of the class.

    Returns
    -------
    dict
        ``boundary_error_mean_um``, ``boundary_error_95_um`` and ``boundary_error_beyond_percent`` per class, and
        ``boundary_error_reach_um``. See docs/measures.md.
    """
    spacing_mm = _spacing_mm(sample.segmentation, truth)
    if spacing_mm is None:
        undefined = dict.fromkeys(NAMES.values())
        return _named(undefined, dict(undefined), dict(undefined), None)
    where = metrics.search_steps(spacing_mm)
    counts = np.zeros((len(Label), len(where.lengths_um)), np.int64)
    depth, reach = sample.segmentation.shape[0], where.halo - 1
    step = max(sample.slab, reach)
    for window in progress.track(windows(depth, step, reach), "boundaries", -(-depth // step), "slab"):
        counted = partial(_counts, _bits(sample, truth, window.read), where)
        counts += np.sum(threads.each_range(counted, window.inner.start, window.inner.stop), axis=0)
    return _named(
        metrics.boundary_mean_um(counts, where, present),
        metrics.boundary_percentile_um(counts, where, present),
        metrics.boundary_beyond_percent(counts, present),
        float(where.lengths_um[-1]),
    )


def _counts(bits: Array, where: metrics.Search, low: int, high: int) -> Array:
    return metrics.boundary_counts(bits, slice(low, high), where)


def _named(mean: Any, percentile: Any, beyond: Any, reach_um: float | None) -> dict[str, Any]:
    return {
        "boundary_error_mean_um": mean,
        "boundary_error_95_um": percentile,
        "boundary_error_beyond_percent": beyond,
        "boundary_error_reach_um": reach_um,
    }


def _spacing_mm(prediction: Volume, truth: Volume) -> tuple[float, float, float] | None:
    """Voxel size of whichever file tells one."""
    known = [volume for volume in (prediction, truth) if volume.metadata.get("voxel_size_known", "yes") == "yes"]
    return known[0].spacing_mm if known else None


def _bits(sample: Sample, truth: Volume, z: slice) -> Array:
    """Surface voxels of both in some slices, made slab by slab: uint8 (Z, Y, X)."""
    shape = sample.segmentation.shape
    result = np.empty((z.stop - z.start, *shape[1:]), np.uint8)
    for part in windows(z.stop - z.start, sample.slab):
        start, stop = z.start + part.z.start, z.start + part.z.stop
        read = slice(max(0, start - 1), min(shape[0], stop + 1))
        prediction, true = (
            as_labels(np.asarray(volume.array[read]), role)
            for volume, role in ((sample.segmentation, "prediction"), (truth, "truth"))
        )
        inner = slice(start - read.start, stop - read.start)
        result[part.z] = metrics.surface_bits(prediction, true, sample.fov.slab_mask(read, shape), inner)
    return result
