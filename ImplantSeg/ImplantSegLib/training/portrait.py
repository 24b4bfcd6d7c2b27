"""What the training scans look like, for the model file: the same measures that later scans are compared by."""

from __future__ import annotations

from typing import Any

from ImplantSegLib import progress
from ImplantSegLib.training.config import Pair
from ImplantSegLib.training.data import Scan
from ImplantSegLib.volumes import Volume


def portrait(scans: list[Scan], pairs: dict[str, Pair]) -> dict[str, Any]:
    """Measure training scans, a few slices of each.

    Parameters
    ----------
    scans : list of Scan
        The scans that train; they tell how their grey values are scaled.
    pairs : dict of str to Pair
        Their files, by the names of the scans.

    Returns
    -------
    dict
        As :func:`ImplantSegLib.preprocess.familiar.training_data` sums them up.
    """
    from ImplantSegLib.preprocess.familiar import training_data
    from ImplantSegLib.preprocess.fingerprint import fingerprint

    prints = (fingerprint(_as_trained(scan, pairs[scan.name])) for scan in scans)
    return training_data(list(progress.track(prints, "look", len(scans), "scan")))


def _as_trained(scan: Scan, pair: Pair) -> Volume:
    from ImplantSegLib.preprocess.normalise import KEY
    from ImplantSegLib.volumes import read

    volume = read(pair.image)
    return volume.like(volume.array, **{KEY: f"{scan.low!r},{scan.high!r}"})
