import math

import pytest

from ImplantSegQuantLib.study.agreement import agreement


def test_bias_and_limits_of_known_differences():
    found = agreement([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])
    assert (found.n, found.bias, found.sd) == (3, 2.0, 1.0)
    assert (found.limit_low, found.limit_high) == pytest.approx((2 - 1.96, 2 + 1.96))
    assert found.bias_ci_high == pytest.approx(2 + 4.302653 / math.sqrt(3), rel=1e-6)
    assert found.limit_reach_95 == pytest.approx(4.302653 * 1.0, rel=1e-6)  # t · sd · √(3 / 3)
    assert found.mean_error_percent == pytest.approx(10)
    assert found.sd_error_percent == pytest.approx(0, abs=1e-9)
    assert found.p == 0.25  # all three differences are positive: 2 / 2³
    assert found.verdict == "n = 3: no power"


def test_a_bias_in_six_samples_can_be_shown_and_its_absence_too():
    truth = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    biased = agreement([1.1, 2.2, 3.3, 4.4, 5.5, 6.6], truth)
    assert biased.p == pytest.approx(2 / 64)
    assert biased.verdict == "biased"
    assert agreement([1.1, 1.8, 3.3, 3.6, 5.5, 5.4], truth).verdict == "no bias shown"


def test_what_too_few_samples_leave_undefined():
    one = agreement([2.0], [1.0])
    assert (one.n, one.bias, one.sd, one.limit_low, one.mean_error_percent) == (1, 1.0, None, None, 100.0)
    none = agreement([], [])
    assert (none.n, none.bias, none.p, none.verdict) == (0, None, None, "not tested")
    assert agreement([1.0, 2.0], [1.0, 2.0]).verdict == "not tested"


def test_errors_are_signed_and_skip_a_truth_of_zero():
    found = agreement([0.5, 1.1, 0.9], [0.0, 1.0, 1.0])
    assert found.mean_error_percent == pytest.approx(0)
    assert found.mean_absolute_error_percent == pytest.approx(10)
