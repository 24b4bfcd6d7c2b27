"""The truth of a phantom, from its continuous fields; no code here knows how voxels are measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from ImplantSegLib.phantom.recipe import DAYS_PER_YEAR, Phantom
from ImplantSegLib.phantom.sample import COLUMN, SEGMENTS, segment_length, view_text


def truth(phantom: Phantom, counts: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Measures of the continuous explant inside the field of view.

    Volumes are shares of sample points, surfaces are counted by random segments (Cauchy–Crofton, for example
    doi 10.1007/978-3-540-78859-1). The names are those of ``results.json`` where both mean the same: areas are true
    areas, hence ``..._unbiased``; contact is a share of true area, hence ``..._weighted``.

    Parameters
    ----------
    phantom : Phantom
        The phantom.
    counts : array of int64, shape (11,)
        Sums over its slices, in the columns of :class:`~ImplantSegLib.phantom.sample.Counts`.

    Returns
    -------
    dict
        ``seed``, ``parameters``, ``pose`` (4×4, scan → reference, LPS, mm), ``fov`` and ``measurements``.
    """
    values = _values(phantom, {name: int(counts[column]) for name, column in COLUMN._asdict().items()})
    return {
        "seed": phantom.job.seed,
        "parameters": phantom.parameters(),
        "pose": [*map(list, phantom.frame.pose), [0.0, 0.0, 0.0, 1.0]],
        "fov": view_text(phantom.frame),
        "measurements": {name: {"value": value, "unit": unit} for name, (value, unit) in values.items()},
        "counts": {name: int(counts[column]) for name, column in COLUMN._asdict().items()},
    }


def _values(phantom: Phantom, n: dict[str, int]) -> dict[str, tuple[float | None, str]]:
    voxel = float(np.prod(phantom.frame.spacing))
    volume = voxel / (phantom.job.supersampling**3 + 1)
    area = 2 * voxel / (SEGMENTS * segment_length(phantom.frame))
    years = phantom.job.weeks * 7 / DAYS_PER_YEAR
    lost = (n["reference"] - n["metal"]) * volume
    surface = n["crossings_reference"] * area
    touching = n["crossings_bone"] + n["crossings_background"]
    around = n["roi_bone"] + n["roi_background"]
    return {
        "initial_volume": (n["reference"] * volume, "mm^3"),
        "residual_volume": (n["metal"] * volume, "mm^3"),
        "degradation_layer_volume": (n["layer"] * volume, "mm^3"),
        "volume_loss": (lost, "mm^3"),
        "volume_loss_fraction": (_percent(n["reference"] - n["metal"], n["reference"]), "%"),
        "initial_surface_unbiased": (surface, "mm^2"),
        "residual_surface": (n["crossings_metal"] * area, "mm^2"),
        "implant_surface": (touching * area, "mm^2"),
        "degradation_rate_unbiased": (lost / (surface * years) if surface else None, "mm/a"),
        "bone_implant_contact_weighted": (_percent(n["crossings_bone"], touching), "%"),
        "bone_volume_fraction": (_percent(n["roi_bone"], around), "%"),
        "roi_volume": (n["roi"] * volume, "mm^3"),
        "degradation_layer_mean_thickness": (1000 * n["layer"] * volume / surface if surface else None, "µm"),
    }


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
