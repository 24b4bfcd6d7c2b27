"""How measurements on a model's labels agree with those on the true labels, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ImplantSegQuantLib.study.statistics import LEVEL, mean_interval

LIMITS_SD = 1.96
"""Limits of agreement are so many standard deviations from the bias: 95 % of normal differences."""


@dataclass(frozen=True)
class Agreement:
    """Bias and limits of agreement of one measurement of one model, in its unit."""

    n: int
    bias: float | None
    """Mean of prediction − truth."""
    bias_ci_low: float | None
    bias_ci_high: float | None
    sd: float | None
    """Standard deviation of the differences."""
    limit_low: float | None
    limit_high: float | None
    limit_reach_95: float | None
    """Half width of the 95 % confidence interval of either limit."""
    mean_error_percent: float | None
    """Mean of the relative errors, signed."""
    sd_error_percent: float | None
    mean_absolute_error_percent: float | None
    p: float | None
    """Of Wilcoxon's signed-rank test of the differences."""
    smallest_p: float | None
    """Smallest p that n allows."""

    @property
    def verdict(self) -> str:
        """What may be said of the bias, in words."""
        if self.p is None or self.smallest_p is None:
            return "not tested"
        if self.smallest_p > LEVEL:
            return f"n = {self.n}: no power"
        return "biased" if self.p < LEVEL else "no bias shown"


def agreement(values: Sequence[float], truth: Sequence[float]) -> Agreement:
    """Compare paired measurements, doi:10.1177/096228029900800204 (Bland and Altman).

    Limits of agreement are bias ± 1.96 sd of the differences; the standard error of a limit is about √(3 / n) sd. They
    take the differences to be normal and independent of the size of what is measured, which the plot shows or not.

    Parameters
    ----------
    values, truth : sequence of float
        Of the same samples, in the same order.

    Returns
    -------
    Agreement
        What one sample, or two, leave undefined is None; relative errors skip samples whose truth is 0.
    """
    known = np.asarray(truth, float)
    differences = np.asarray(values, float) - known
    n = len(differences)
    errors = 100 * differences[known != 0] / known[known != 0]
    bias = float(differences.mean()) if n else None
    low, high = mean_interval(differences.tolist())
    sd = float(differences.std(ddof=1)) if n > 1 else None
    p, smallest = _wilcoxon(differences)
    reach = None if sd is None else LIMITS_SD * sd
    return Agreement(
        n, bias, low, high, sd,
        None if reach is None or bias is None else bias - reach,
        None if reach is None or bias is None else bias + reach,
        _limit_reach(sd, n),
        float(errors.mean()) if len(errors) else None,
        float(errors.std(ddof=1)) if len(errors) > 1 else None,
        float(np.abs(errors).mean()) if len(errors) else None,
        p, smallest,
    )  # fmt: skip


def _limit_reach(sd: float | None, n: int) -> float | None:
    from scipy import stats

    return None if sd is None else float(stats.t.ppf(1 - LEVEL / 2, n - 1) * sd * math.sqrt(3 / n))


def _wilcoxon(differences: np.ndarray) -> tuple[float | None, float | None]:
    """P of the signed-rank test, exact up to 50 differences without ties and zeros, and the smallest possible one."""
    from scipy import stats

    if len(differences) == 0 or not differences.any():
        return None, None
    found = stats.wilcoxon(differences, zero_method="wilcox", method="auto")
    return float(found.pvalue), min(1.0, 2 / 2 ** int(np.count_nonzero(differences)))
