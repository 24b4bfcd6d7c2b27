"""What a scan looks like to a network, in a few numbers that need no labels: noise, contrast, spread of the greys.

They are measured on the grey values as the model sees them, scaled to [0, 1], on a few slices evenly spaced,
so that it takes a second or two however large the scan is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import InputError
from ImplantSegLib.preprocess.nlm import noise_level
from ImplantSegLib.preprocess.normalise import HIGH_PERCENT, KEY, LOW_PERCENT, robust_range, scale
from ImplantSegLib.volumes import FieldOfView, Volume

SLICES = 16
"""Slices that are looked at, at most."""

BINS = 64
"""Bins of the grey histogram, from 0 to 1."""

_PIXELS = 2**24  # of all slices together: 64 MiB of float32
_CLASSES = 4
_FINE_BINS = 256

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Fingerprint:
    """What a scan looks like.

    Parameters
    ----------
    measures : dict of str to float or None
        ``voxel_size_um`` (geometric mean of the three sides), ``noise_percent`` (of the grey range), ``snr`` and
        ``cnr`` (mean of the brightest of four Otsu classes, and its difference from the darkest, over the noise),
        ``mean_grey`` (in [0, 1]). None is unknown or undefined.
    histogram : ndarray of float64, shape (64,)
        Share of the voxels in each bin of [0, 1].
    """

    measures: dict[str, float | None]
    histogram: Array

    @property
    def cumulated(self) -> Array:
        """Share of the voxels up to the end of each bin, shape (64,)."""
        return np.cumsum(self.histogram)


def fingerprint(scan: Volume) -> Fingerprint:
    """Measure what a scan looks like to a network.

    Parameters
    ----------
    scan : Volume
        The scan; the grey values that become 0 and 1 are those of its metadata ``normalised``, see
        :func:`as_seen`. Its field of view counts.

    Raises
    ------
    InputError
        When no voxel of the slices lies inside the field of view.
    """
    sample = _sample(scan)
    greys = sample[np.isfinite(sample)]
    if not greys.size:
        raise InputError("no voxel lies inside the field of view", "correct --fov")
    noise = _noise(sample)
    dark, bright = _extremes(greys)
    known = scan.metadata.get("voxel_size_known") != "no"
    return Fingerprint(
        {
            "voxel_size_um": round(1000 * float(np.prod(scan.spacing_mm)) ** (1 / 3), 6) if known else None,
            "noise_percent": 100 * noise,
            "snr": bright / noise if noise else None,
            "cnr": (bright - dark) / noise if noise else None,
            "mean_grey": float(greys.mean()),
        },
        np.histogram(greys, BINS, (0, 1))[0] / greys.size,
    )


def as_seen(scan: Volume, low_percent: float = LOW_PERCENT, high_percent: float = HIGH_PERCENT) -> Volume:
    """Tell in a scan's metadata which grey values become 0 and 1; the voxels stay raw.

    Parameters
    ----------
    scan : Volume
        Raw, or scaled to [0, 1] already as its metadata say.
    low_percent, high_percent : float
        Percentiles of a raw scan that become 0 and 1, as the model asks for them.
    """
    low, high = (0.0, 1.0) if KEY in scan.metadata else robust_range(scan, low_percent, high_percent)
    return scan.like(scan.array, **{KEY: f"{low!r},{high!r}"})


def _sample(scan: Volume) -> npt.NDArray[np.float32]:
    """Slices in [0, 1], NaN outside of the field of view, shape (n, Y, X)."""
    depth, height, width = scan.shape
    low, high = map(float, scan.metadata[KEY].split(","))
    count = min(int(np.clip(_PIXELS // (height * width), 1, SLICES)), depth)
    fov, slices = FieldOfView.of(scan), []
    for index in ((np.arange(count) + 0.5) * depth / count).astype(int):
        z = slice(int(index), int(index) + 1)
        grey = scale(np.asarray(scan.array[z]), low, high)
        if (mask := fov.slab_mask(z, scan.shape)) is not None:
            grey[~mask] = np.nan
        slices.append(grey)
    return np.concatenate(slices)


def _noise(sample: npt.NDArray[np.float32]) -> float:
    try:
        return noise_level(Volume(sample))
    except InputError:  # every patch is constant
        return 0.0


def _extremes(greys: Array) -> tuple[float, float]:
    """Mean grey value of the darkest and of the brightest class that Otsu thresholds make."""
    from skimage.filters import threshold_multiotsu

    counts, edges = np.histogram(greys, _FINE_BINS, (0, 1))
    centres = (edges[:-1] + edges[1:]) / 2
    classes = min(_CLASSES, int(np.count_nonzero(counts)))
    if classes < 2:
        return float(greys.mean()), float(greys.mean())
    thresholds = threshold_multiotsu(hist=(counts, centres), classes=classes)
    ends = centres <= thresholds[0], centres > thresholds[-1]
    dark, bright = (float(np.average(centres[end], weights=counts[end])) for end in ends)
    return dark, bright
