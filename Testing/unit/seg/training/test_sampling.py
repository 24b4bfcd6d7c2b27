from dataclasses import replace

import numpy as np
import pytest

from ImplantSegLib.training import sampling
from ImplantSegLib.training.config import Data, Sampling
from ImplantSegLib.training.data import Scan
from ImplantSegLib.training.sampling import CONTACT, SURFACE, Target

DATA = Data(cohort="none", axes=[0, 1, 2])
ONLY = {
    "by_class": {"by_class": 1.0, "contact": 0.0, "surface": 0.0},
    "contact": {"by_class": 0.0, "contact": 1.0, "surface": 0.0},
    "surface": {"by_class": 0.0, "contact": 0.0, "surface": 1.0},
    "anywhere": {"by_class": 0.0, "contact": 0.0, "surface": 0.0},
}


def touches(mask):
    """Voxels with a neighbour in the mask, by brute force."""
    padded = np.pad(mask, 1)
    result = np.zeros_like(mask)
    for axis in range(3):
        for shift in (-1, 1):
            result |= np.roll(padded, shift, axis)[1:-1, 1:-1, 1:-1]
    return result


@pytest.fixture
def blobs():
    """Labels without any order, so that every pair of labels touches somewhere; 255 too."""
    labels = np.random.default_rng(3).choice(
        np.array([0, 1, 2, 3, 255], np.uint8), (37, 9, 11), p=[0.5, 0.1, 0.1, 0.2, 0.1]
    )
    return Scan("blobs", labels.astype(np.float32), labels)


def draws(scans, changes, steps=30):
    """Targets of some batches of 8 patches of 32 × 32."""
    config = Sampling(patch=[32, 32], batch=8, **changes)
    candidates = [sampling.find_candidates(scan, config.candidates) for scan in scans]
    for step in range(steps):
        yield from sampling.draw_targets(candidates, config, DATA, sampling.generator(0, step))


def window(scan, target, patch=(32, 32)):
    """Voxels of a patch as a boolean volume, cut as ``cut_batch`` cuts, found by cutting the numbers of the voxels."""
    numbers = np.arange(np.prod(scan.shape), dtype=np.float64).reshape(scan.shape)
    numbered = Scan("numbers", numbers / numbers.size, scan.labels)
    images, labels = sampling.cut_batch([numbered], [Target(0, target.axis, target.centre)], list(patch))
    found = np.zeros(numbers.size, bool)
    found[np.rint(images[0][labels[0] != 255].astype(np.float64) * numbers.size).astype(int)] = True
    return found.reshape(scan.shape)


def test_candidates_are_the_voxels_of_every_kind(blobs):
    labels = blobs.labels
    voxels = sampling.find_candidates(blobs, 10**6).voxels
    implant = np.isin(labels, [1, 2])
    expected = {value: labels == value for value in range(4)}
    expected[CONTACT] = implant & touches(labels == 3)
    expected[SURFACE] = implant & touches(np.isin(labels, [0, 3]))
    assert voxels.keys() == expected.keys()
    for kind, mask in expected.items():
        np.testing.assert_array_equal(voxels[kind], np.argwhere(mask), err_msg=str(kind))


def test_a_limit_keeps_a_uniform_choice(make_scan):
    scan = make_scan(shape=(64, 48, 44))
    voxels = sampling.find_candidates(scan, 500).voxels[3]
    assert len(voxels) == len(np.unique(voxels, axis=0)) == 500
    assert (scan.labels[tuple(voxels.T)] == 3).all()
    # uniform in z over both slabs: the mean of 500 draws lies within five standard errors
    assert abs(voxels[:, 0].mean() - 31.5) < 5 * 64 / np.sqrt(12 * 500)


def test_kinds_without_voxels_are_absent():
    labels = np.zeros((4, 8, 8), np.uint8)
    labels[:, 2:4] = 1
    scan = Scan("no bone", labels, labels)
    assert sampling.find_candidates(scan, 10).voxels.keys() == {0, 1, SURFACE}


def test_every_patch_for_the_contact_holds_a_contact(make_scan):
    scan = make_scan()
    contact = np.isin(scan.labels, [1, 2]) & touches(scan.labels == 3)
    assert contact.any()
    for target in draws([scan], ONLY["contact"]):
        assert (window(scan, target) & contact).any()


def test_every_patch_for_a_class_holds_a_class_and_all_are_drawn_equally(make_scan):
    scan = make_scan()
    centres = Sampling(patch=[32, 32], jitter=0.0, batch=400, **ONLY["by_class"])
    candidates = [sampling.find_candidates(scan, centres.candidates)]
    targets = sampling.draw_targets(candidates, centres, DATA, sampling.generator(0, 0))
    met = np.bincount([scan.labels[target.centre] for target in targets], minlength=4)
    assert met.sum() == 400
    assert (abs(met - 100) < 5 * np.sqrt(400 * 3 / 16)).all()


def test_patches_for_the_surface_lie_within_the_distance(make_scan):
    scan = make_scan(spacing_mm=(0.02, 0.01, 0.01))
    changes = {**ONLY["surface"], "jitter": 0.0, "distance_um": 50.0}
    implant = np.isin(scan.labels, [1, 2])
    surface = np.argwhere(implant & touches(~implant)) * np.array(scan.spacing_mm)
    distances = [
        np.linalg.norm(surface - np.array(target.centre) * scan.spacing_mm, axis=1).min()
        for target in draws([scan], changes)
    ]
    half_voxel = 0.5 * np.linalg.norm(scan.spacing_mm)  # centres are rounded to voxels
    assert max(distances) <= 0.05 + half_voxel
    assert max(distances) > 0.03


def test_the_shares_are_met(monkeypatch, make_scan):
    config = Sampling(by_class=0.2, contact=0.3, surface=0.1)
    candidates = sampling.find_candidates(make_scan(), 100)
    random = sampling.generator(0, 0)
    kinds = [sampling._draw_kind(candidates, config, random) for _ in range(4000)]
    shares = {CONTACT: 0.3, SURFACE: 0.1, None: 0.4, "class": 0.2}
    for kind, share in shares.items():
        count = sum((k if k in (CONTACT, SURFACE, None) else "class") == kind for k in kinds)
        assert abs(count - 4000 * share) < 5 * np.sqrt(4000 * share * (1 - share)), kind


def test_uniform_draws_reach_every_scan_axis_and_corner(make_scan):
    scans = [make_scan(), make_scan(shape=(20, 60, 30))]
    targets = list(draws(scans, ONLY["anywhere"], steps=100))
    assert {target.axis for target in targets} == {0, 1, 2}
    for index, scan in enumerate(scans):
        centres = np.array([target.centre for target in targets if target.scan == index])
        assert (centres.min(axis=0) <= 2).all()
        assert (centres.max(axis=0) >= np.array(scan.shape) - 3).all()


def test_a_scan_without_the_kind_is_drawn_from_anywhere():
    labels = np.zeros((8, 40, 40), np.uint8)
    targets = list(draws([Scan("empty", labels, labels)], ONLY["contact"], steps=2))
    assert len({target.centre for target in targets}) > 8


def test_a_step_gives_the_same_patches_whatever_was_drawn_before(make_scan):
    scans = [make_scan(), make_scan(seed=1)]
    every = list(draws(scans, {}, steps=6))
    config = Sampling(patch=[32, 32], batch=8)
    candidates = [sampling.find_candidates(scan, config.candidates) for scan in scans]
    alone = sampling.draw_targets(candidates, config, DATA, sampling.generator(0, 4))
    assert alone == every[32:40]
    assert alone != every[:8]
    assert alone != sampling.draw_targets(candidates, config, DATA, sampling.generator(1, 4))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_patch_is_the_part_of_the_slice(make_scan, axis):
    scan = make_scan()
    images, labels = sampling.cut_batch([scan], [Target(0, axis, (20, 20, 20))], [16, 12])
    here = [slice(12, 28), slice(14, 26)]
    here.insert(axis, 20)
    np.testing.assert_array_equal(labels[0], scan.labels[tuple(here)])
    np.testing.assert_allclose(images[0], np.clip((scan.image[tuple(here)] + 50) / 700, 0, 1), atol=1e-6)


@pytest.mark.parametrize(("centre", "rows"), [(0, slice(0, 16)), (47, slice(32, 48)), (9, slice(1, 17))])
def test_a_patch_at_the_border_is_moved_inside(make_scan, centre, rows):
    scan = make_scan()
    _, labels = sampling.cut_batch([scan], [Target(0, 0, (5, centre, 20))], [16, 16])
    np.testing.assert_array_equal(labels[0], scan.labels[5, rows, 12:28])


def test_a_patch_larger_than_the_slice_is_mirrored_and_unlabelled_there(make_scan):
    scan = make_scan(shape=(6, 48, 44))
    images, labels = sampling.cut_batch([scan], [Target(0, 1, (3, 24, 22))], [16, 32])
    assert (labels[0, 6:] == 255).all()
    np.testing.assert_array_equal(labels[0, :6], scan.labels[:, 24, 6:38])
    np.testing.assert_array_equal(images[0, 6:12], images[0, 5::-1])
    np.testing.assert_array_equal(images[0, 12:16], images[0, :4])


@pytest.mark.parametrize("kind", ONLY)
def test_where_few_slices_are_labelled_every_patch_holds_labels(make_scan, kind):
    whole = make_scan(shape=(90, 48, 44))
    labels = np.full(whole.shape, 255, np.uint8)
    labels[[17, 61]] = whole.labels[[17, 61]]
    scan = Scan("sparse", whole.image, labels, whole.low, whole.high, whole.spacing_mm)
    targets = list(draws([scan], {**ONLY[kind], "distance_um": 300.0}, steps=12))
    assert {target.axis for target in targets} == {0, 1, 2}
    for target in targets:
        _, truth = sampling.cut_batch([scan], [target], [32, 32])
        assert (truth != 255).any()


def test_labelled_everywhere_nothing_is_drawn_otherwise(make_scan):
    scan = make_scan()
    candidates = sampling.find_candidates(scan, 100)
    config = Sampling(by_class=0.0, contact=0.0, surface=0.0)
    drawn = sampling._draw_centre(candidates, 0, config, sampling.generator(5, 0))
    random = sampling.generator(5, 0)
    random.random()  # which kind
    np.testing.assert_array_equal(drawn, random.integers(0, scan.shape))


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.3, 55, 89), (1.0, 240, 240)])
def test_old_data_get_their_share_of_the_patches(make_scan, share, least, most):
    scans = [make_scan("new"), replace(make_scan("old-a"), old=True), replace(make_scan("old-b"), old=True)]
    taken = [target.scan for target in draws(scans, {"replay_share": share})]  # 240 patches: 72 ± 7 at 0.3
    assert least <= sum(scan > 0 for scan in taken) <= most
    if share == 0.3:
        assert {0, 1, 2} == set(taken)


def test_a_share_of_old_data_without_old_data_changes_no_draw(make_scan):
    scans = [make_scan("a"), make_scan("b")]
    assert list(draws(scans, {"replay_share": 0.9}, 2)) == list(draws(scans, {"replay_share": 0.1}, 2))
