"""Numbers of textbooks and of independent ways to the same number."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ImplantSegQuantLib.study.statistics import arrangements, describe, holm, time_tests

values = st.lists(st.integers(0, 6), min_size=1, max_size=4)


def of(tests, name):
    return [test for test in tests if test.test == name]


def test_description_of_known_numbers():
    found = describe([2.0, None, 4.0, 9.0])
    assert (found["n"], found["mean"], found["median"], found["min"], found["max"]) == (3, 5.0, 4.0, 2.0, 9.0)
    assert found["sd"] == pytest.approx(math.sqrt(13))
    # t with 2 degrees of freedom at 0.975 is 4.302653
    assert found["mean_ci_high"] - 5 == pytest.approx(4.302653 * math.sqrt(13 / 3), rel=1e-6)
    assert 5 - found["mean_ci_low"] == pytest.approx(found["mean_ci_high"] - 5)
    assert (found["quartile_1"], found["quartile_3"]) == (3.0, 6.5)


def test_description_of_too_few():
    one, none = describe([3]), describe([None])
    assert (one["n"], one["mean"], one["sd"], one["mean_ci_low"], one["quartile_1"]) == (1, 3.0, None, None, 3.0)
    assert none["n"] == 0
    assert all(value is None for key, value in none.items() if key != "n")


def test_holm_by_hand():
    # smallest times 3, next times 2, and never below the one before: the example of Holm's paper in other numbers
    assert holm([0.02, 0.01, 0.04]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_three_separate_groups_of_three():
    tests = time_tests({6: [1, 2, 3.0], 12: [4, 5, 6.0], 24: [7, 8, 9]})
    (kruskal,), (trend,), pairs = of(tests, "Kruskal-Wallis"), of(tests, "Spearman"), of(tests, "Mann-Whitney")
    assert kruskal.statistic == pytest.approx(7.2)  # 12 / (9 · 10) · (6² + 15² + 24²) / 3 − 3 · 10
    assert kruskal.p == pytest.approx(6 / 1680)  # 3! orders of the groups, 9! / 3!³ arrangements
    assert trend.p == pytest.approx(2 / 1680)
    assert trend.effect == pytest.approx(stats.spearmanr(np.repeat([6, 12, 24], 3), np.arange(9)).statistic)
    assert [pair.p for pair in pairs] == pytest.approx([0.1] * 3)  # 2 / C(6, 3)
    assert [pair.p_adjusted for pair in pairs] == pytest.approx([0.3] * 3)
    assert [pair.effect for pair in pairs] == [1.0] * 3
    assert [pair.difference for pair in pairs] == [3.0, 6.0, 3.0]
    assert (kruskal.verdict, trend.verdict) == ("differs", "differs")
    assert all("no power, p cannot fall below 0.3" in pair.verdict for pair in pairs)


def test_a_verdict_only_where_n_allows_one():
    pair = of(time_tests({6: [1, 2, 3, 4.0], 12: [5, 6, 7, 8.0]}), "Mann-Whitney")[0]
    assert pair.smallest_p == pytest.approx(2 / 70)
    assert pair.verdict == "differs"
    pair = of(time_tests({6: [1, 2, 3, 8.0], 12: [4, 5, 6, 7.0]}), "Mann-Whitney")[0]
    assert pair.verdict == "no difference shown"


@pytest.mark.parametrize("groups", [{}, {6: [1.0, 2.0]}, {6: [1.0], 12: []}])
def test_one_group_is_not_tested(groups):
    assert time_tests(groups) == []


def test_groups_of_one_and_equal_values_have_no_verdict():
    for groups in ({6: [1.0], 12: [4.0]}, {6: [2.0, 2.0, 2.0], 12: [2.0, 2.0, 2.0]}):
        found = time_tests(groups)
        assert not any(test.verdict == "differs" for test in found)
        assert of(found, "Kruskal-Wallis")[0].p is None


@settings(max_examples=15)
@given(values, values, st.lists(st.integers(0, 6), min_size=1, max_size=2))
def test_exact_p_against_every_arrangement_counted_by_hand(one, two, three):
    pooled = [*one, *two, *three]
    if len(set(pooled)) < 2 or len(pooled) == 3:  # nothing to test
        return
    tests = time_tests({1: one, 2: two, 5: three})
    sizes = (len(one), len(two), len(three))
    h, rho = [], []
    for first in combinations(range(len(pooled)), sizes[0]):
        rest = [index for index in range(len(pooled)) if index not in first]
        for second in combinations(rest, sizes[1]):
            third = [index for index in rest if index not in second]
            parts = [[pooled[index] for index in part] for part in (first, second, third)]
            h.append(stats.kruskal(*parts).statistic)
            rho.append(
                abs(stats.spearmanr(np.repeat([1, 2, 5], sizes), [value for part in parts for value in part]).statistic)
            )
    assert len(h) == arrangements(sizes)
    assert of(tests, "Kruskal-Wallis")[0].statistic == pytest.approx(h[0])
    assert of(tests, "Kruskal-Wallis")[0].p == pytest.approx(np.mean(np.array(h) >= h[0] - 1e-9))
    assert of(tests, "Spearman")[0].p == pytest.approx(np.mean(np.array(rho) >= rho[0] - 1e-9))


@settings(max_examples=25)
@given(values, values)
def test_mann_whitney_against_counting_by_hand(one, two):
    if len(one) == len(two) == 1:
        assert of(time_tests({1: one, 2: two}), "Mann-Whitney") == []
        return
    test = of(time_tests({1: one, 2: two}), "Mann-Whitney")[0]
    larger = sum((b > a) - (b < a) for a in one for b in two)
    assert test.effect == pytest.approx(larger / (len(one) * len(two)))
    pooled, middle = [*one, *two], len(one) * len(two) / 2
    u = []
    for chosen in combinations(range(len(pooled)), len(one)):
        first = [pooled[index] for index in chosen]
        second = [pooled[index] for index in range(len(pooled)) if index not in chosen]
        u.append(sum((a > b) + 0.5 * (a == b) for a in first for b in second))
    smaller = min(np.mean(np.array(u) <= test.statistic + 1e-9), np.mean(np.array(u) >= test.statistic - 1e-9))
    assert test.p == pytest.approx(min(1.0, 2 * smaller))
    assert middle == np.mean(u)


def test_mann_whitney_without_ties_is_scipys_exact_one():
    one, two = [1.0, 4.0, 6.0, 7.0], [2.0, 3.0, 9.0, 11.0, 12.0]
    test = of(time_tests({1: one, 2: two}), "Mann-Whitney")[0]
    assert test.p == pytest.approx(stats.mannwhitneyu(one, two, method="exact").pvalue)


def test_many_samples_take_the_limiting_distributions():
    rng = np.random.default_rng(0)
    one, two = rng.normal(0, 1, 30), rng.normal(0.4, 1, 30)
    tests = time_tests({6: one, 12: two})
    assert [test.method for test in tests] == ["chi-squared approximation", "t approximation", "normal approximation"]
    assert tests[0].p == pytest.approx(stats.kruskal(one, two).pvalue)
    assert tests[2].p == pytest.approx(stats.mannwhitneyu(one, two, method="asymptotic").pvalue)
    assert tests[2].difference == pytest.approx(np.median([b - a for a in one for b in two]))


def test_arrangements_of_a_multinomial():
    assert arrangements((3, 3, 3)) == 1680
    assert arrangements((2, 1)) == len(set(permutations("aab")))
