import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import NAMES
from ImplantSegLib.preprocess import quality
from ImplantSegLib.preprocess.quality import quality_by_labels, quality_by_otsu
from ImplantSegLib.volumes import Volume

MEANS, STDS = (20.0, 150.0, 90.0, 110.0), (5.0, 8.0, 10.0, 6.0)


@pytest.fixture(scope="module")
def labels():
    """Four slabs along x, 16 voxels each."""
    return np.repeat(np.arange(4, dtype=np.uint8), 16) * np.ones((20, 24, 1), np.uint8)


@pytest.fixture(scope="module")
def scan(labels):
    noise = np.random.default_rng(0).standard_normal(labels.shape)
    return Volume((np.take(MEANS, labels) + np.take(STDS, labels) * noise).astype(np.float32), (0.01, 0.02, 0.03))


def test_classes_have_their_mean_and_deviation(scan, labels):
    result = quality_by_labels(scan, scan.like(labels))
    for (value, name), mean, std in zip(NAMES.items(), MEANS, STDS, strict=True):
        grey = result.classes[name]
        # three voxels are lost where another class follows, none at the border of the volume
        assert grey.voxels == 20 * 24 * (13 if value in (0, 3) else 10)
        assert grey.voxels == grey.counts.sum()
        assert (grey.mean, grey.std) == pytest.approx((mean, std), rel=0.03)
        assert grey.snr == pytest.approx(mean / std, rel=0.03)


def test_both_contrasts_follow_their_definitions(scan, labels):
    cnr = quality_by_labels(scan, scan.like(labels)).cnr()
    assert len(cnr) == 6
    pair = cnr["residual_material/bone"]
    assert pair["over_background"] == pytest.approx(40 / 5, rel=0.05)
    assert pair["pooled"] == pytest.approx(40 / 10, rel=0.05)


def test_voxels_beside_another_class_do_not_count(scan, labels):
    array = scan.array.copy()
    array[:, :, 15] = 1e4
    result = quality_by_labels(scan.like(array), scan.like(labels), erode_voxels=1)
    assert result.classes["background"].mean == pytest.approx(20, abs=0.2)


def test_result_does_not_depend_on_the_slabs(scan, labels, monkeypatch):
    whole = quality_by_labels(scan, scan.like(labels))
    monkeypatch.setattr(quality, "slab_depth", lambda *_: 2)
    slabs = quality_by_labels(scan, scan.like(labels))
    for name in NAMES.values():
        np.testing.assert_array_equal(slabs.classes[name].counts, whole.classes[name].counts)
        assert slabs.classes[name].std == pytest.approx(whole.classes[name].std, rel=1e-12)


def test_absent_class_is_undefined_and_null_in_json(scan, labels):
    result = quality_by_labels(scan, scan.like(np.where(labels == 2, 3, labels).astype(np.uint8)))
    assert np.isnan(result.classes["degradation_layer"].snr)
    content = result.to_dict()
    assert content["classes"]["degradation_layer"] == {"voxels": 0, "mean": None, "std": None, "snr": None}
    assert content["cnr"]["background/degradation_layer"] == {"over_background": None, "pooled": None}


def test_labels_of_another_grid_are_refused(scan, labels):
    with pytest.raises(InputError, match="lie on another grid"):
        quality_by_labels(scan, Volume(labels))


def test_otsu_finds_well_separated_classes():
    random = np.random.default_rng(0)
    means = np.array([20, 90, 160, 230])
    array = (np.repeat(means, 2000) + random.normal(0, 5, 8000)).reshape(20, 20, 20)
    for stored in (array.astype(np.float32), np.round(array).astype(np.uint8)):
        result = quality_by_otsu(Volume(stored))
        assert [grey.mean for grey in result.classes.values()] == pytest.approx(means, abs=1)
        assert [grey.voxels for grey in result.classes.values()] == pytest.approx([2000] * 4, rel=0.01)
        assert result.classes["class_3"].snr == pytest.approx(230 / 5, rel=0.1)


def test_only_the_field_of_view_counts(scan, labels):
    array = np.where(np.arange(64) < 60, scan.array, np.nan).astype(np.float32)
    y, x = 11.5, 20.0
    result = quality_by_labels(
        Volume(array, scan.spacing_mm, metadata={"fov": f"circle:{y},{x},30"}), scan.like(labels)
    )
    assert result.classes["bone"].voxels == 0


def test_too_few_grey_values_are_refused():
    array = np.zeros((2, 4, 4), np.uint8)
    array[0] = 200
    with pytest.raises(InputError, match="too few grey values for 4 classes"):
        quality_by_otsu(Volume(array))


def test_a_scan_given_as_labels_is_refused(scan, labels):
    with pytest.raises(InputError, match="the labels hold the value 7, wanted 0 background"):
        quality_by_labels(scan, Volume(np.full(scan.shape, 7, np.uint8), scan.spacing_mm))
