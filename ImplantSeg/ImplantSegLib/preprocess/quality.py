"""How good a scan is: signal to noise, contrast to noise and grey histograms, per class.

With labels, the classes are the labels, taken where they are at least some voxels away from any other
class, so that partial volume and mistakes at the borders do not count. Without, they are the classes of a
multi-level Otsu threshold (doi 10.6688/JISE.2001.17.5.1): a first impression, whose deviations are too small
because the thresholds cut the tails off.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IGNORE, NAMES
from ImplantSegLib.preprocess.normalise import Histogram, histogram, masked, slab_depth
from ImplantSegLib.volumes import FieldOfView, Volume

ERODE_VOXELS = 3
"""Distance that voxels keep from any other class; the paper's definition of SNR and CNR masks."""

_BINS = 256
_BACKGROUND = NAMES[0]

Array = npt.NDArray[Any]


@dataclass
class ClassGrey:
    """Grey values of one class.

    Parameters
    ----------
    counts : ndarray of int64, shape (256,)
        Histogram over the edges of the :class:`Quality` that holds it.
    voxels : int
        Voxels that count.
    mean, std : float
        Grey value and its standard deviation; nan for a class without voxels.
    """

    counts: Array
    voxels: int
    mean: float
    std: float

    @property
    def snr(self) -> float:
        """Signal to noise: mean over standard deviation; nan where that is 0."""
        return self.mean / self.std if self.std > 0 else float("nan")


@dataclass
class Quality:
    """What is said about a scan.

    Parameters
    ----------
    source : str
        ``labels`` or ``multi-otsu``.
    edges : ndarray of float64, shape (257,)
        Borders of the histograms' bins; what lies outside is counted in the first and the last bin.
    classes : dict of str to ClassGrey
        By name of the class.
    erode_voxels : int
        Distance that the voxels kept from any other class.
    thresholds : list of float
        Grey values between the classes of ``multi-otsu``.
    """

    source: str
    edges: Array
    classes: dict[str, ClassGrey]
    erode_voxels: int = 0
    thresholds: list[float] = field(default_factory=list)

    def cnr(self) -> dict[str, dict[str, float]]:
        """Contrast to noise of every pair of classes, nan where it is undefined.

        ``over_background`` is |µA − µB| / σ of the background; ``pooled`` is |µA − µB| / √(σA² + σB²).
        """
        background = next(iter(self.classes.values())).std
        result = {}
        for (name_a, a), (name_b, b) in itertools.combinations(self.classes.items(), 2):
            contrast = abs(a.mean - b.mean)
            result[f"{name_a}/{name_b}"] = {
                "over_background": _ratio(contrast, background),
                "pooled": _ratio(contrast, float(np.hypot(a.std, b.std))),
            }
        return result

    def to_dict(self) -> dict[str, Any]:
        """Values for a JSON file; what is undefined becomes None."""
        return {
            "source": self.source,
            "erode_voxels": self.erode_voxels,
            "thresholds": self.thresholds,
            "classes": {
                name: {"voxels": grey.voxels, "mean": _none(grey.mean), "std": _none(grey.std), "snr": _none(grey.snr)}
                for name, grey in self.classes.items()
            },
            "cnr": {pair: {key: _none(value) for key, value in both.items()} for pair, both in self.cnr().items()},
            "histogram": {
                "edges": self.edges.tolist(),
                "counts": {name: grey.counts.tolist() for name, grey in self.classes.items()},
            },
        }


def quality_by_labels(
    volume: Volume, labels: Volume, fov: FieldOfView | None = None, erode_voxels: int = ERODE_VOXELS
) -> Quality:
    """Measure the grey values of every class of a segmentation, streamed.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : Volume
        Its segmentation, on the same grid.
    fov : FieldOfView, optional
        Voxels that count; as the scan's metadata says when left out.
    erode_voxels : int
        Half width of the box around a voxel that must be of one class.

    Raises
    ------
    InputError
        When the grids differ, the labels hold other values than labels, the scan has NaN, infinite or only equal
        voxels, or the box is smaller than nothing.
    """
    if erode_voxels < 0:
        raise InputError(f"got a distance of {erode_voxels} voxels from other classes, wanted at least 0", "correct it")
    if not volume.same_grid(labels):
        raise InputError(
            f"the labels ({labels.describe_grid()}) lie on another grid than the scan ({volume.describe_grid()})",
            "pass the labels of this very scan",
        )
    fov = FieldOfView.of(volume) if fov is None else fov
    counted = histogram(volume, fov)
    edges = np.linspace(counted.percentile(0.01), counted.percentile(99.99), _BINS + 1)
    sums = {value: _Sums(edges) for value in NAMES}
    step = slab_depth(volume)
    starts = range(0, volume.shape[0], step)
    for start in progress.track(starts, "quality", len(starts), "slab"):
        z = slice(start, min(start + step, volume.shape[0]))
        grey = np.asarray(volume.array[z])
        sure = _surely(labels, z, erode_voxels)
        mask = fov.slab_mask(z, volume.shape)
        grey, sure = masked(grey, mask), masked(sure, mask)
        for value, added in sums.items():
            added.add(grey[sure == value])
    return Quality("labels", edges, {NAMES[value]: done.finish() for value, done in sums.items()}, erode_voxels)


def quality_by_otsu(volume: Volume, fov: FieldOfView | None = None, classes: int = 4) -> Quality:
    """Measure the grey values of the classes that multi-level Otsu thresholds make, streamed.

    Parameters
    ----------
    volume : Volume
        The scan.
    fov : FieldOfView, optional
        Voxels that count; as the scan's metadata says when left out.
    classes : int
        How many classes, 2 to 5.

    Raises
    ------
    InputError
        When the scan has NaN, infinite, only equal voxels or fewer grey values than classes.
    """
    from skimage.filters import threshold_multiotsu

    counted = histogram(volume, FieldOfView.of(volume) if fov is None else fov)
    edges, counts = _coarse(counted)
    centres = (edges[:-1] + edges[1:]) / 2
    try:
        thresholds = threshold_multiotsu(hist=(counts, centres), classes=classes)
    except ValueError as error:
        raise InputError(f"the scan has too few grey values for {classes} classes", "pass fewer --classes") from error
    which = np.searchsorted(thresholds, centres)  # a centre that is a threshold belongs to the class below
    greys = {
        f"class_{index}": _from_histogram(np.where(which == index, counts, 0), centres) for index in range(classes)
    }
    return Quality("multi-otsu", edges, greys, thresholds=[float(value) for value in thresholds])


class _Sums:
    """Histogram, mean and deviation of values that come in pieces."""

    def __init__(self, edges: Array) -> None:
        self.edges = edges
        self.counts = np.zeros(len(edges) - 1, np.int64)
        self.moments = np.zeros(3)
        self.shift = float(edges.mean())  # near the values, so that the squares do not cancel

    def add(self, values: Array) -> None:
        shifted = values.astype(np.float64) - self.shift
        self.moments += (values.size, shifted.sum(), np.square(shifted).sum())
        self.counts += np.histogram(np.clip(values, self.edges[0], self.edges[-1]), self.edges)[0]

    def finish(self) -> ClassGrey:
        n, first, second = self.moments
        if not n:
            return ClassGrey(self.counts, 0, float("nan"), float("nan"))
        mean = first / n
        return ClassGrey(self.counts, int(n), mean + self.shift, float(np.sqrt(max(second / n - mean**2, 0.0))))


def _surely(labels: Volume, z: slice, margin: int) -> Array:
    """Labels of slices ``z``, -1 where the box around a voxel holds another label too."""
    from scipy.ndimage import maximum_filter, minimum_filter

    low, high = max(z.start - margin, 0), min(z.stop + margin, labels.shape[0])
    block = _checked(np.asarray(labels.array[low:high])).astype(np.int16)
    inner = slice(z.start - low, z.stop - low)
    size = 2 * margin + 1
    same = maximum_filter(block, size, mode="nearest") == minimum_filter(block, size, mode="nearest")
    return np.where(same, block, -1)[inner]


def _checked(labels: Array) -> Array:
    wrong = labels[~np.isin(labels, [*NAMES, IGNORE])]
    if wrong.size:
        known = ", ".join(f"{value} {name}" for value, name in NAMES.items())
        raise InputError(
            f"the labels hold the value {wrong[0]}, wanted {known} or {IGNORE} (skipped)",
            "pass a segmentation as --labels",
        )
    return labels


def _coarse(counted: Histogram) -> tuple[Array, Array]:
    """Histogram of 256 bins over the range that all but one voxel in ten thousand has on either side."""
    low, high = counted.percentile(0.01), counted.percentile(99.99)
    if not low < high:
        low, high = float(counted.edges[0]), float(counted.edges[-1])
    edges = np.linspace(low, high, _BINS + 1)
    centres = counted.edges[:-1] if counted.exact else (counted.edges[:-1] + counted.edges[1:]) / 2
    return edges, np.histogram(np.clip(centres, low, high), edges, weights=counted.counts)[0].astype(np.int64)


def _from_histogram(counts: Array, centres: Array) -> ClassGrey:
    n = int(counts.sum())
    if not n:
        return ClassGrey(counts, 0, float("nan"), float("nan"))
    mean = float((counts * centres).sum() / n)
    return ClassGrey(counts, n, mean, float(np.sqrt((counts * (centres - mean) ** 2).sum() / n)))


def _ratio(contrast: float, noise: float) -> float:
    return contrast / noise if noise > 0 else float("nan")


def _none(value: float) -> float | None:
    return value if np.isfinite(value) else None
