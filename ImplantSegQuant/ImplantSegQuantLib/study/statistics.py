"""Statistics of groups of samples: what they are, by healing time and site, and whether they differ.

Groups of three animals are common here, so every test is exact where that can be computed, and tells the smallest p
that its numbers of samples allow: where even complete separation would not reach the level, no verdict is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from ImplantSegQuantLib.groups import summary

LEVEL = 0.05
"""Level of all tests, two-sided."""

EXACT_ARRANGEMENTS = 20_000
"""Up to so many arrangements of samples in groups all are counted; beyond, the limiting distribution serves."""

Groups = Mapping[float, Sequence[float]]


def describe(values: Iterable[float | None]) -> dict[str, float | int | None]:
    """Describe a group: n, mean, sd (n − 1), 95 % confidence interval of the mean (Student's t), quartiles, extremes.

    Quartiles are interpolated linearly (type 7 of Hyndman and Fan, doi:10.1080/00031305.1996.10473566). What too few
    values leave undefined is None.
    """
    known = [float(value) for value in values if value is not None]
    found: dict[str, float | int | None] = dict(summary(known))
    low, high = mean_interval(known)
    first, third = (float(q) for q in np.percentile(known, (25, 75))) if known else (None, None)
    return {**found, "quartile_1": first, "quartile_3": third, "mean_ci_low": low, "mean_ci_high": high}


def mean_interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """95 % confidence interval of a mean, mean ± t · sd / √n with n − 1 degrees of freedom; None below two values."""
    from scipy import stats

    if len(values) < 2:
        return None, None
    reach = stats.t.ppf(1 - LEVEL / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - reach), float(np.mean(values) + reach)


@dataclass(frozen=True)
class Test:
    """A test and what came of it."""

    __test__ = False  # pytest: no test case

    test: str
    """``Kruskal-Wallis``, ``Spearman``, ``Mann-Whitney`` or ``Wilcoxon signed-rank``."""
    groups: str
    """What was compared."""
    n: str
    """Samples in each group."""
    statistic: float | None
    """H, rho, U of the first group, or W."""
    p: float | None
    """Two-sided p."""
    p_adjusted: float | None
    """After Holm over the pairs of healing times; p itself where there is one comparison."""
    smallest_p: float
    """Smallest adjusted p that the numbers of samples allow."""
    effect: float | None
    """Epsilon squared, rho, or the rank-biserial correlation (Cliff's delta), −1 to 1."""
    effect_name: str
    difference: float | None = None
    """Hodges–Lehmann estimate of the shift from the first group to the second, in the unit of the measurement."""
    method: str = ""
    """How p was found."""

    @property
    def verdict(self) -> str:
        """What may be said, in words."""
        if self.p_adjusted is None:
            return "not tested: too few samples, or all values alike"
        if self.smallest_p > LEVEL:
            return f"n = {self.n}: no power, p cannot fall below {self.smallest_p:.2g} with so few samples"
        return "differs" if self.p_adjusted < LEVEL else "no difference shown"


def time_tests(groups: Groups) -> list[Test]:
    """Test whether a measurement differs between healing times, which pairs of them differ, and whether it has a trend.

    Samples are taken to be independent of each other. Kruskal–Wallis and Mann–Whitney ask whether one group tends to
    larger values than another, which is about medians only where the groups are spread alike; Spearman asks for a
    monotonic trend.

    Parameters
    ----------
    groups : mapping of float to sequence of float
        Values by healing time.

    Returns
    -------
    list of Test
        Kruskal–Wallis (doi:10.1080/01621459.1952.10483441), Spearman, and Mann–Whitney U of every pair of times
        (doi:10.1214/aoms/1177730491), adjusted by Holm (doi:10.2307/4615733); empty below two groups, and no pairs
        where every group is one sample.
    """
    known = {weeks: np.asarray(groups[weeks], float) for weeks in sorted(groups) if len(groups[weeks])}
    if len(known) < 2:
        return []
    alone = all(len(group) == 1 for group in known.values())
    return _over_all(known) if alone else [*_over_all(known), *_pairs(known)]


def _over_all(groups: dict[float, Any]) -> list[Test]:
    from scipy import stats

    values = list(groups.values())
    pooled, sizes = np.concatenate(values), tuple(len(group) for group in values)
    names, n = " / ".join(f"{weeks:g}" for weeks in groups) + " weeks", " / ".join(map(str, sizes))
    if np.ptp(pooled) == 0 or len(pooled) <= len(values):
        return [Test("Kruskal-Wallis", names, n, None, None, None, 1.0, None, "epsilon squared")]
    weeks = np.repeat(list(groups), sizes)
    found, rho = stats.kruskal(*values), stats.spearmanr(weeks, pooled)
    times = stats.rankdata(weeks)[np.cumsum(sizes) - 1]  # samples of one time share a rank
    times = times - np.average(times, weights=sizes)

    def spread(sums: Any) -> Any:
        """H, but for what all arrangements share."""
        return (sums**2 / sizes).sum(axis=1)

    def trend(sums: Any) -> Any:
        """Size of rho, but for what all arrangements share."""
        return abs(sums @ times)

    exact = arrangements(sizes) <= EXACT_ARRANGEMENTS
    ranks = stats.rankdata(pooled)
    p_spread, p_trend = (_exact_p(ranks, sizes, one) if exact else None for one in (spread, trend))
    epsilon = float(found.statistic) / (len(pooled) - 1)
    return [
        _judged("Kruskal-Wallis", names, n, (found, p_spread), (epsilon, "epsilon squared"), "chi-squared"),
        _judged("Spearman", names, n, (rho, p_trend), (float(rho.statistic), "rho"), "t"),
    ]


def _judged(
    test: str, groups: str, n: str, found: tuple[Any, tuple[float, float] | None], effect: tuple[float, str], limit: str
) -> Test:
    scipys, exact = found
    p, smallest = exact or (float(scipys.pvalue), 0.0)
    method = "exact permutation" if exact else f"{limit} approximation"
    return Test(test, groups, n, float(scipys.statistic), p, p, smallest, *effect, None, method)


def _exact_p(ranks: Any, sizes: tuple[int, ...], statistic: Callable[[Any], Any]) -> tuple[float, float]:
    """Exact p of ranks, group after group, and the smallest that ranks without ties would give in such groups.

    p is the share of all arrangements of the samples in the groups whose statistic is at least that of the one found;
    the statistic is a function of the sums of ranks, (arrangements, groups).
    """
    members = _members(sizes)
    null, best = (statistic(members @ values) for values in (ranks, np.arange(1.0, len(ranks) + 1)))
    return float(np.mean(null >= null[0] * (1 - 1e-12))), float(np.mean(best >= best.max() * (1 - 1e-12)))


@lru_cache(maxsize=8)
def _members(sizes: tuple[int, ...]) -> Any:
    """Every arrangement of samples in groups: bool (arrangements, groups, samples); the first is group after group."""
    found = [np.full(sum(sizes), -1)]
    for group, size in enumerate(sizes):
        begun, found = found, []
        for row in begun:
            for chosen in combinations(np.flatnonzero(row < 0), size):
                found.append(row.copy())
                found[-1][list(chosen)] = group
    return np.array(found)[:, None, :] == np.arange(len(sizes))[:, None]


def arrangements(sizes: Sequence[int]) -> int:
    """Ways to put samples into groups of these sizes: the multinomial coefficient."""
    left, ways = sum(sizes), 1
    for size in sizes:
        ways *= math.comb(left, size)
        left -= size
    return ways


def _pairs(groups: dict[float, Any]) -> list[Test]:
    pairs = list(combinations(groups, 2))
    single = [_mann_whitney(groups[one], groups[other]) for one, other in pairs]
    adjusted = holm([found["p"] for found in single])
    return [
        Test(
            "Mann-Whitney", f"{one:g} / {other:g} weeks", f"{len(groups[one])} / {len(groups[other])}", found["u"],
            found["p"], p, min(1.0, found["smallest_p"] * len(pairs)), found["effect"], "rank-biserial",
            found["difference"], found["method"],
        )
        for (one, other), found, p in zip(pairs, single, adjusted, strict=True)
    ]  # fmt: skip


def _mann_whitney(one: Any, other: Any) -> dict[str, Any]:
    """U of the first group, its p, and how much larger values the second group tends to."""
    from scipy import stats

    sizes = (len(one), len(other))
    ways = arrangements(sizes)
    exact = ways <= EXACT_ARRANGEMENTS
    found = stats.mannwhitneyu(one, other, alternative="two-sided", method="asymptotic")
    if exact:
        sums = _members(sizes)[:, 0] @ stats.rankdata(np.concatenate([one, other]))
        p = min(1.0, 2 * float(min(np.mean(sums <= sums[0]), np.mean(sums >= sums[0]))))
    else:
        p = float(found.pvalue)
    count = len(one) * len(other)
    return {
        "u": float(found.statistic),
        "p": p,
        "smallest_p": min(1.0, 2 / ways) if exact else 0.0,
        "effect": 1 - 2 * float(found.statistic) / count,
        "difference": float(np.median(np.subtract.outer(other, one))),
        "method": "exact permutation" if exact else "normal approximation",
    }


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p values of several comparisons by Holm's step-down procedure, doi:10.2307/4615733."""
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = largest
    return adjusted
