"""Whether a scan looks like those that a model was trained on.

A model file carries the range of every measure of :mod:`~ImplantSegLib.preprocess.fingerprint` over its training
scans. A scan is unfamiliar where a measure is more than :data:`MARGIN` times above the highest or below the
lowest. Grey histograms are compared as cumulated shares: what the training scans span is a band, and a scan's
distance is the mean height by which it leaves that band (the Wasserstein distance to the nearest curve inside it).
How far is usual is told by the training scans: the largest distance of one of them from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.preprocess.fingerprint import Fingerprint

MARGIN = 1.2
"""Factor by which a measure may lie beyond those of the training scans."""

LEAST_DISTANCE = 0.01
"""Distance of grey histograms that is always usual: of 28 phantoms, one is 0.008 away from the band of the others."""

DISTANCE_FROM_ONE = 0.05
"""Distance that is usual from a single training scan, whose band has no height; the middle of a phantom differs by
as much from the whole."""

GREY_DISTANCE = "grey_distance"

SENTENCES = {
    "voxel_size_um": "its voxels have {value:.3g} µm, in training {span} µm",
    "noise_percent": "its noise is {value:.3g} % of the grey range, in training {span} %",
    "snr": "its signal to noise is {value:.3g}, in training {span}",
    "cnr": "its contrast to noise is {value:.3g}, in training {span}",
    "mean_grey": "its mean is {value:.2f} between dark (0) and bright (1), in training {span}",
    GREY_DISTANCE: "its grey values are spread otherwise (distance {value:.2g}, in training {span}): other materials, "
    "inverted contrast, or a part of the sample that was not shown in training",
}
"""What is told of a measure that is out of range, by its name."""

Curve = npt.NDArray[np.float64]


def training_data(prints: Sequence[Fingerprint]) -> dict[str, Any]:
    """Sum up the scans that a model was trained on, for its file.

    Parameters
    ----------
    prints : sequence of Fingerprint
        One per scan, at least one.

    Returns
    -------
    dict
        ``scans`` (their number), ``measures`` (``[low, high]`` by name, ``grey_distance`` among them), ``histogram``
        (mean share of each of 64 bins) and ``band`` (lowest and highest cumulated shares).
    """
    curves = np.stack([one.cumulated for one in prints])  # (scans, 64)
    measures = {}
    for name in prints[0].measures:
        values = [value for one in prints if (value := one.measures[name]) is not None]
        if values:
            measures[name] = _rounded([min(values), max(values)])
    measures[GREY_DISTANCE] = _rounded([0.0, _usual_distance(curves)])
    return {
        "scans": len(prints),
        "measures": measures,
        "histogram": _rounded(np.mean([one.histogram for one in prints], axis=0)),
        "band": [_rounded(curves.min(axis=0)), _rounded(curves.max(axis=0))],
    }


def unfamiliar(scan: Fingerprint, trained: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tell where a scan lies outside of what a model was trained on.

    Parameters
    ----------
    scan : Fingerprint
        The scan, scaled as the model asks for it.
    trained : mapping
        As :func:`training_data` gives it; empty for a model that does not tell: then nothing is found.

    Returns
    -------
    list of dict
        ``measure``, ``value``, ``low`` and ``high`` (of the training scans, without the margin), ``sentence``.
    """
    if not trained:
        return []
    low, high = (np.asarray(curve) for curve in trained["band"])
    values = {**scan.measures, GREY_DISTANCE: _distance(scan.cumulated, low, high)}
    return [
        {"measure": name, "value": value, "low": low, "high": high, "sentence": _sentence(name, value, low, high)}
        for name, (low, high) in trained["measures"].items()
        if (value := values.get(name)) is not None and not low / MARGIN <= value <= high * MARGIN
    ]


def _sentence(name: str, value: float, low: float, high: float) -> str:
    span = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return SENTENCES[name].format(value=value, span=span)


def _distance(curve: Curve, low: Curve, high: Curve) -> float:
    return float(np.mean(np.maximum(curve - high, 0) + np.maximum(low - curve, 0)))


def _usual_distance(curves: Curve) -> float:
    if len(curves) == 1:
        return DISTANCE_FROM_ONE
    others = (np.delete(curves, index, axis=0) for index in range(len(curves)))
    distances = (_distance(one, rest.min(axis=0), rest.max(axis=0)) for one, rest in zip(curves, others, strict=True))
    return max(LEAST_DISTANCE, *distances)


def _rounded(values: Sequence[float] | Curve) -> list[float]:
    return [round(float(value), 6) for value in values]
