from __future__ import annotations

import numpy as np
import pytest

from ImplantSegLib.volumes import Volume
from ImplantSegLib.volumes.values import PERCENTS, count_values, summarise


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_small_integers_are_exact(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ImplantSegLib.volumes.values._SLAB_BYTES", 200)  # several slabs
    limits = np.iinfo(dtype)
    array = np.random.default_rng(0).integers(limits.min, limits.max, (6, 7, 8)).astype(dtype)
    values = summarise(Volume(array))
    assert (values.minimum, values.maximum, values.not_finite) == (array.min(), array.max(), 0)
    assert values.mean == pytest.approx(array.mean())
    for percent in PERCENTS:
        assert values.percentiles[percent] == np.percentile(array, percent, method="inverted_cdf")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_wide_types_to_a_65536th_of_the_range(dtype: str) -> None:
    array = (np.random.default_rng(0).normal(size=(6, 17, 18)) * 1e5).astype(dtype)
    values = summarise(Volume(array))
    tolerance = float(np.ptp(array)) / 2**16
    for percent in PERCENTS:
        exact = np.percentile(array, percent, method="inverted_cdf")
        assert values.percentiles[percent] == pytest.approx(exact, abs=tolerance)


def test_nan_and_infinity_are_counted_and_left_out() -> None:
    array = np.ones((2, 3, 4), np.float32)
    array[0, 0] = [np.nan, np.inf, -np.inf, 3.0]
    values = summarise(Volume(array))
    assert (values.minimum, values.maximum, values.not_finite) == (1.0, 3.0, 3)
    assert values.mean == pytest.approx(23 / 21)


def test_constant_and_hopeless_volumes() -> None:
    assert summarise(Volume(np.full((2, 2, 2), 7.5))).percentiles == dict.fromkeys(PERCENTS, 7.5)
    hopeless = summarise(Volume(np.full((2, 2, 2), np.nan)))
    assert np.isnan(hopeless.mean)
    assert hopeless.not_finite == 8


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64"])
def test_counts_of_labels(dtype: str) -> None:
    array = np.array([0, 0, 1, 3, 3, 3, 127, 0], dtype).reshape(2, 2, 2)
    assert count_values(Volume(array)) == {0: 3, 1: 1, 3: 3, 127: 1}
