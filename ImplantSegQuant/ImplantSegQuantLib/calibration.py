"""Calibration of intervals on scans with known truth: split conformal prediction, normalised and signed.

A score says by how many spreads the truth lay above the value: s = (t − v) / √(σ_labels² + σ_registration² + τ²), on a
scale on which scans are alike. A new scan is as likely as any of the n calibration scans to have the k-th smallest
score, so the interval between two of their order statistics holds its truth with a probability that is known for any
model and any distribution: Vovk, Gammerman & Shafer 2005 (doi:10.1007/b106715); Lei et al. 2018
(doi:10.1080/01621459.2017.1307116). Dividing by a spread makes it narrow where a scan is easy (Papadopoulos, Vovk &
Gammerman 2011, doi:10.1613/jair.3198); taking both tails by themselves makes it lopsided where the model errs to one
side (Romano, Patterson & Candès 2019, arXiv:1905.03222). All that it asks is that the new scan is like those of the
calibration.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib import __version__, jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors, write_text
from ImplantSegQuantLib.spread import Spread

FORMAT = 1
"""Version of the file; a reader refuses later ones."""

LEAST_MODEL = 0.5
"""Share of the errors' standard deviation that is the model's own at least.

The rest averages out in a large scan: so its interval is never less than half as wide as on the calibration scans, also
where the labels' spread was taken too large on those.
"""

LIKE = ("model_sha256", "correlation_voxels", "draws", "poses")
"""What the results of one calibration must have in common, and a scan with its calibration."""


@dataclass(frozen=True)
class Scores:
    """How far the truth of one measure lay from its value, over the calibration scans.

    Parameters
    ----------
    model_sd : float
        τ: what is left of the errors' spread when that of labels and registration is taken away, and half of it at
        least, on the measure's scale (half voxels, or logarithm); the model's own error, which no averaging over a
        large scan takes away.
    scores : tuple of float
        Signed scores, rising.
    """

    model_sd: float
    scores: tuple[float, ...]

    def quantiles(self, level: float) -> tuple[float, float] | None:
        """Scores between which a new one lies with a probability of at least ``level`` %; None for too few scans."""
        tail, count = (1 - level / 100) / 2, len(self.scores)
        # rounded, so that 0.05 · 20 is 1 and not a little less
        low, high = math.floor(round((count + 1) * tail, 9)), math.ceil(round((count + 1) * (1 - tail), 9))
        return None if low < 1 else (self.scores[low - 1], self.scores[high - 1])

    @property
    def median(self) -> float:
        """Median score: the bias of the value."""
        return float(np.median(self.scores))


@dataclass(frozen=True)
class Calibration:
    """What a model's measures are worth, learnt on scans with known truth."""

    scans: str
    """What scans they were, in words: for such scans alone the calibration holds."""
    model_sha256: str
    """Weights of the model that segmented them."""
    spacing_um: tuple[float, float, float]
    """Voxel size (z, y, x) in µm."""
    correlation_voxels: float
    """Correlation length of the drawn errors."""
    draws: int
    """Drawn segmentations of a scan."""
    poses: int
    """Plausible poses of a scan."""
    measures: Mapping[str, Scores] = field(default_factory=dict)
    """Scores by measure."""
    implantseg: str = __version__
    """Version that made it."""
    format: int = FORMAT
    """Version of the file."""

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


def calibrate(results: Sequence[Mapping[str, Any]], scans: str) -> Calibration:
    """Learn a calibration from results of scans with known truth.

    Parameters
    ----------
    results : sequence of mapping
        Each what ``results.json`` of ``quantify --probabilities --truth`` holds.
    scans : str
        What scans they are, in words.

    Raises
    ------
    InputError
        When they are of different models or settings, have no truth or no spread.
    """
    settings = [_settings(result) for result in results]
    if not settings:
        raise InputError("got no results to calibrate with", "pass results.json of scans with truth and probabilities")
    for key in (*LIKE, "spacing_um"):
        if len({json.dumps(one[key]) for one in settings}) > 1:
            raise InputError(
                f"the results differ in {key}: {sorted({str(one[key]) for one in settings})[:3]}",
                "calibrate one model at one voxel size, quantified with the same options",
            )
    names = results[0]["measurements"]
    found = {name: _scores(name, results) for name in names}
    first = settings[0]
    return Calibration(
        scans=scans,
        spacing_um=tuple(first["spacing_um"]),
        measures={name: scores for name, scores in found.items() if scores is not None},
        **{key: first[key] for key in LIKE},
    )


def _settings(result: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = result.get("uncertainty") or {}
    if not result.get("truth") or not settings.get("draws"):
        raise InputError(
            f"the results of {(result.get('job') or {}).get('segmentation', 'a scan')} have no "
            f"{'spread' if result.get('truth') else 'truth'}",
            "calibrate with results of `implantseg quantify ... --truth TRUTH --probabilities P`",
        )
    return dict(settings)


def _scores(name: str, results: Sequence[Mapping[str, Any]]) -> Scores | None:
    """Scores of one measure; None where it has none."""
    errors, spreads = [], []
    for result in results:
        entry, truth = result["measurements"][name], (result["truth"].get(name) or {}).get("value")
        spread = Spread.of(entry)
        if spread is None or truth is None or (error := spread.error(entry["value"], truth)) is None:
            continue
        errors.append(error)
        spreads.append(spread)
    return None if len(errors) < 2 else scores_of(np.array(errors), spreads)


def scores_of(errors: np.ndarray[Any, Any], spreads: Sequence[Spread]) -> Scores:
    """Scores of errors (N,), in units of each scale, given what is known of their spread."""
    known = np.array([spread.labels**2 + spread.registration**2 for spread in spreads])
    variance = float(np.var(errors, ddof=1))
    model = math.sqrt(max(variance - float(known.mean()), LEAST_MODEL**2 * variance))
    whole = np.sqrt(known + model**2)
    scores = np.divide(errors, whole, out=np.zeros_like(errors), where=whole > 0)
    return Scores(model, tuple(round(float(score), 4) for score in np.sort(scores)))


def parse(text: str, source: str) -> Calibration:
    """Read a calibration from JSON.

    Raises
    ------
    InputError
        When it is none, or of a later version.
    """
    try:
        content = json.loads(text)
        version = int(content["format"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{source} holds no calibration", "pass the file that `implantseg calibrate` wrote") from error
    if version > FORMAT:
        raise InputError(f"{source} has format {version}, wanted at most {FORMAT}", "install a newer ImplantSeg")
    return jobs.from_mapping(Calibration, content, source)


def load(path: str | Path) -> Calibration:
    """Read a calibration from a file; see :func:`parse`."""
    with explained_os_errors(Path(path), "read"):
        text = Path(path).read_text(encoding="utf-8")
    return parse(text, str(path))


def save(calibration: Calibration, path: str | Path) -> None:
    """Write a calibration."""
    write_text(Path(path), calibration.to_json() + "\n")
