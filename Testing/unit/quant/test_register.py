"""Registration on small explants: a real screw, corroded, cut by the field of view, 50 µm voxels."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.spatial.transform import Rotation

from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib import fit, register
from ImplantSegQuantLib.fit import warnings
from ImplantSegQuantLib.implicit import field_of
from ImplantSegQuantLib.pose import Pose, save_pose
from ImplantSegQuantLib.quantify import quantify
from ImplantSegQuantLib.reference import Reference, distance_slab, of_labels
from ImplantSegQuantLib.surface import surface_points

VOXEL_MM = 0.05
SHAPE = (52, 90, 90)
SITES = {"tip": 0.9, "middle": 7.0, "head": 14.3}
"""Height on the screw that lies in the middle of the field of view."""


def reference_of(screw: Screw) -> Reference:
    return Reference(field_of(screw.signed_distance, np.array(screw.bounds_mm), finest_mm=0.06), "test screw")


@pytest.fixture(scope="module")
def reference():
    return reference_of(Screw())


def pose_at(site: str, seed: int, rotation: Rotation | None = None) -> np.ndarray:
    """Scan to reference: the screw near the middle of the scan, tilted up to 20°, any way up."""
    rng = np.random.default_rng(seed)
    if rotation is None:
        tilt = np.radians(rng.uniform(0, 20)) * np.array([np.cos(seed), np.sin(seed), 0])
        way_up = Rotation.from_rotvec([np.pi * (seed % 2), 0, 0])
        rotation = way_up * Rotation.from_rotvec(tilt) * Rotation.from_rotvec([0, 0, rng.uniform(0, 6)])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation.as_matrix()
    matrix[:3, 3] = [*rng.uniform(-0.2, 0.2, 2), SITES[site]]
    return matrix


def explant(matrix: np.ndarray, seed: int, corrosion_mm: float = 0.12, slices: int = SHAPE[0]) -> Volume:
    """Labels of a corroded screw: patchy depth, layer missing and swollen in places, bone, 1 % wrong voxels."""
    rng = np.random.default_rng(seed)
    shape = (slices, *SHAPE[1:])
    origin = tuple(-0.5 * VOXEL_MM * (n - 1) for n in shape[::-1])
    grid = Volume(np.zeros(shape, np.uint8), (VOXEL_MM,) * 3, origin)
    index = np.indices(shape).reshape(3, -1).T
    world = index @ grid.index_to_world[:3, :3].T + grid.index_to_world[:3, 3]
    distance = Screw().signed_distance(world @ matrix[:3, :3].T + matrix[:3, 3]).reshape(shape)

    def smooth() -> np.ndarray:
        noise = gaussian_filter(rng.standard_normal(shape), 0.3 / VOXEL_MM)
        return noise / noise.std()

    labels = np.where((distance > 0.05) & (smooth() > 0.3), 3, 0).astype(np.uint8)
    labels[(distance < np.clip(0.03 * smooth(), 0, 0.04)) & (smooth() > -0.6)] = 2
    labels[distance < -corrosion_mm * np.exp(0.7 * smooth())] = 1
    wrong = rng.random(shape) < 0.01
    labels[wrong] = rng.integers(0, 4, wrong.sum())
    return grid.like(labels)


def surface_error_mm(reference: Reference, found: Pose, truth: np.ndarray) -> float:
    """Mean distance of the truly posed surface in the field of view from the found one: blind to the helix."""
    points = surface_points(reference.field)[:20_000]
    scan = Pose(truth).inverse().apply(points)
    seen = (np.abs(scan) < 0.5 * VOXEL_MM * np.array(SHAPE[::-1])).all(axis=1)
    assert seen.sum() > 200
    return float(np.abs(reference.distance(found.apply(scan[seen]))).mean())


def displacement_mm(reference: Reference, found: Pose, truth: np.ndarray) -> float:
    """Mean displacement of those points: the full pose."""
    points = surface_points(reference.field)[:20_000]
    scan = Pose(truth).inverse().apply(points)
    seen = (np.abs(scan) < 0.5 * VOXEL_MM * np.array(SHAPE[::-1])).all(axis=1)
    return float(np.linalg.norm(found.apply(scan[seen]) - points[seen], axis=1).mean())


def initial_volume(reference: Reference, matrix: np.ndarray, grid: Volume) -> float:
    distance = distance_slab(reference, Pose(matrix), grid, slice(None))
    return float(np.clip(0.5 - distance / VOXEL_MM, 0, 1).sum())


@pytest.fixture(scope="module")
def found_at(reference):
    """Registration of the explant of a site, once for all tests that look at it."""

    @functools.cache
    def find(site: str) -> tuple[np.ndarray, Volume, Pose]:
        seed = list(SITES).index(site) + 1
        truth = pose_at(site, seed)
        labels = explant(truth, seed)
        return truth, labels, register.register(labels, reference)

    return find


@pytest.mark.parametrize("site", SITES)
def test_the_pose_of_a_corroded_screw_is_found(reference, found_at, site):
    truth, _, found = found_at(site)
    assert surface_error_mm(reference, found, truth) < 0.2 * VOXEL_MM


@pytest.mark.parametrize("site", ["tip", "head"])
def test_the_full_pose_is_found_where_the_helix_ends(reference, found_at, site):
    truth, _, found = found_at(site)
    assert displacement_mm(reference, found, truth) < 4 * VOXEL_MM  # a swollen tip pushes it along the axis


# the volume at the tip grows with every fraction of a voxel that the swollen layer pushes the screw along its axis
@pytest.mark.parametrize(("site", "tolerance"), [("tip", 0.02), ("middle", 3e-3), ("head", 3e-3)])
def test_the_initial_volume_is_right(reference, found_at, site, tolerance):
    truth, labels, found = found_at(site)
    volume, true_volume = (initial_volume(reference, matrix, labels) for matrix in (found.matrix, truth))
    assert volume == pytest.approx(true_volume, rel=tolerance)


def test_a_screw_that_lies_across_the_slices_is_found(reference):
    truth = pose_at("head", 4, Rotation.from_euler("xyz", [85, 10, 30], degrees=True))
    found = register.register(explant(truth, 4), reference)
    assert surface_error_mm(reference, found, truth) < 0.2 * VOXEL_MM


@pytest.mark.parametrize("seed", [2, 3])
def test_a_slab_thinner_than_half_a_turn_of_the_thread_comes_right(reference, seed):
    truth = pose_at("middle", seed)
    labels = explant(truth, seed, slices=10)
    assert 0.5 * Screw().pitch_mm > 10 * VOXEL_MM
    found = register.register(labels, reference)
    volume, true_volume = (initial_volume(reference, matrix, labels) for matrix in (found.matrix, truth))
    assert volume == pytest.approx(true_volume, rel=0.01) or warnings(found.quality)


def test_a_volume_that_the_pose_does_not_settle_is_told():
    sure = {"volume_spread_percent": 0.2, "rival_volume_percent": 0.2}
    assert warnings(sure) == []
    assert "up to 2.8 %" in warnings({**sure, "volume_spread_percent": 0.7})[0]
    assert "up to 3.0 %" in warnings({**sure, "rival_volume_percent": 3.0})[0]
    assert warnings({"volume_spread_percent": float("nan")}) == []


_ONE_THREAD = """
import sys
sys.path.insert(0, {folder!r})
import test_register as tests
from ImplantSegQuantLib import fit, register
labels = tests.explant(tests.pose_at("middle", 2), 2)
print(register.register(labels, tests.reference_of(tests.Screw())).matrix.tobytes().hex())
"""


@pytest.mark.slow
def test_the_number_of_threads_does_not_change_the_pose(found_at):
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    code = _ONE_THREAD.format(folder=str(Path(__file__).parent))
    run = subprocess.run([sys.executable, "-c", code], env=os.environ | one, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == found_at("middle")[2].matrix.tobytes().hex()


@pytest.mark.parametrize("shape", ["cube", "sphere"])
def test_a_reference_that_is_no_screw_and_does_not_fit_is_refused(found_at, shape):
    axes = np.indices((40, 40, 40)) - 19.5
    body = np.abs(axes).max(axis=0) < 14 if shape == "cube" else (axes**2).sum(axis=0) < 17**2
    other = of_labels(Volume(body.astype(np.uint8), (0.1,) * 3), shape)
    with pytest.raises(InputError, match=f"the reference {shape} does not fit the implant"):
        register.register(found_at("middle")[1], other)


def test_measures_do_not_depend_on_a_slide_along_the_helix(reference, found_at):
    """0.3 mm along a bare shank and the turn that belongs to it: what no labels can tell changes no number."""
    truth, labels, _ = found_at("middle")
    slide = np.eye(4)
    slide[:3, :3] = Rotation.from_euler("z", 2 * np.pi * 0.3 / Screw().pitch_mm).as_matrix()
    slide[2, 3] = 0.3
    here, there = (
        {one.name: one.value for one in quantify(labels, reference, Pose(matrix), weeks=12)}
        for matrix in (truth, slide @ truth)
    )
    limits = {"initial_volume": 1e-3, "initial_surface": 5e-3, "initial_surface_unbiased": 2e-3}
    limits |= {"bone_implant_contact": 5e-3, "bone_volume_fraction": 2e-3}
    for name, limit in limits.items():
        assert there[name] == pytest.approx(here[name], rel=limit), name


def test_itk_lays_the_reference_on_the_implant_with_the_pose_file(found_at, tmp_path):
    """Signs, axes and direction of the file, by a program that is not ours."""
    _, labels, found = found_at("head")
    save_pose(found, tmp_path / "pose.tfm")
    step, low = 0.1, np.array([-2.7, -2.7, -0.2])
    x, y, z = (low[i] + step * np.arange(n) for i, n in enumerate((55, 55, 165)))
    points = np.stack(np.meshgrid(z, y, x, indexing="ij")[::-1], axis=-1).reshape(-1, 3)
    body = sitk.GetImageFromArray((Screw().signed_distance(points) < 0).reshape(165, 55, 55).astype(np.uint8))
    body.SetSpacing((step,) * 3)
    body.SetOrigin(low.tolist())
    scan = sitk.GetImageFromArray(np.isin(labels.array, (1, 2)).astype(np.uint8))
    scan.SetSpacing((VOXEL_MM,) * 3)
    scan.SetOrigin(labels.origin_mm)
    laid = sitk.Resample(body, scan, sitk.ReadTransform(str(tmp_path / "pose.tfm")), sitk.sitkNearestNeighbor)
    one, other = (sitk.GetArrayFromImage(image) > 0 for image in (laid, scan))
    assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.9


def test_the_same_input_gives_the_same_pose(reference, found_at):
    _, labels, first = found_at("tip")
    second = register.register(labels, reference)
    np.testing.assert_array_equal(first.matrix, second.matrix)
    assert first.quality == second.quality


def test_a_manual_start_is_refined(reference):
    truth = pose_at("head", 6)
    start = np.eye(4)
    start[:3, :3] = Rotation.from_rotvec([0.05, -0.03, 0.1]).as_matrix()
    start[:3, 3] = 0.1, -0.1, 0.1
    found = register.register(explant(truth, 6), reference, initial=Pose(truth @ start))
    assert displacement_mm(reference, found, truth) < VOXEL_MM


def test_labels_that_are_too_thick_do_not_move_the_pose(reference, found_at):
    truth, labels, found = found_at("tip")
    implant = binary_dilation(np.isin(labels.array, (1, 2)), iterations=1)
    thick = labels.like(np.where(implant & (labels.array != 1), 2, labels.array))
    moved = register.register(thick, reference, initial=found)
    assert surface_error_mm(reference, moved, truth) < 0.2 * VOXEL_MM
    grown = moved.quality["boundary_offset_um"] - found.quality["boundary_offset_um"]
    assert 0.4 * VOXEL_MM < grown / 1000 < 1.5 * VOXEL_MM


def test_the_edge_of_a_round_field_of_view_is_no_surface(reference):
    truth = pose_at("middle", 7)
    labels = explant(truth, 7)
    centre, radius = (SHAPE[1] - 1) / 2, 33.0  # the circle cuts the thread: 3.3 mm across
    inside = FieldOfView((centre, centre, radius)).slice_mask(SHAPE[1:])
    cut = labels.like(np.where(inside, labels.array, 0), fov=f"circle:{centre},{centre},{radius}")
    found = register.register(cut, reference)
    assert surface_error_mm(reference, found, truth) < 0.3 * VOXEL_MM
    assert found.quality["outside_percent"] < 1


def test_quality_tells_a_bare_shank_from_a_head(found_at):
    shank, head = (found_at(site)[2].quality for site in ("middle", "head"))
    assert shank["slide_um"] >= 2000 > 100 >= head["slide_um"]  # more than a turn of the thread, whose pitch is 1250
    assert shank["slide_volume_percent"] < 0.5


@pytest.mark.parametrize(("site", "follows"), [("middle", True), ("head", False)])
def test_of_poses_along_the_helix_the_one_near_another_is_taken(reference, found_at, site, follows):
    _, labels, found = found_at(site)
    pitch = np.eye(4)
    up = found.matrix[2, 3] < SITES["middle"]  # away from the ends of the shank
    pitch[2, 3] = Screw().pitch_mm if up else -Screw().pitch_mm
    again = register.register(labels, reference, near=Pose(pitch @ found.matrix))
    wanted = pitch @ found.matrix if follows else found.matrix
    difference = again.matrix @ np.linalg.inv(wanted)  # it may lie a little farther along the helix
    assert abs(difference[2, 3]) < 0.05 * Screw().pitch_mm
    assert np.hypot(*difference[:2, 3]) < 0.2 * VOXEL_MM


def test_a_screw_motion_is_a_turn_with_its_shift():
    slide = np.array([0.0, 0.0, 0.5]), np.array([0.0, 0.3, 0.1]), np.array([1.0, 0.0, 0.0])
    axis_x = 1.0 - 0.3 / 0.5  # where the turn cancels the motion across it
    moved = fit.screw_motion(slide, 40.0) @ [axis_x + 1.0, 0.0, 0.0, 1.0]
    np.testing.assert_allclose(moved[:3], [axis_x + np.cos(20.0), np.sin(20.0), 4.0], atol=1e-9)


def test_a_pose_out_of_sight_is_told_by_figures(reference, found_at):
    _, labels, found = found_at("middle")
    away = np.eye(4)
    away[0, 3] = 500
    figures = register.assess(labels, reference, Pose(away @ found.matrix))
    assert (figures["outside_percent"], figures["filled_percent"]) == (100, 0)
    assert np.isnan(figures["slide_um"])


@pytest.mark.parametrize("site", SITES)
def test_quality_of_a_good_fit(found_at, site):
    figures = found_at(site)[2].quality
    assert figures["surface_distance_mean_um"] < 1000 * 0.6 * VOXEL_MM
    assert figures["surface_distance_mean_um"] < figures["surface_distance_95_um"] < 1000 * 2.5 * VOXEL_MM
    assert figures["outside_percent"] < 1
    assert figures["sound_percent"] > 70
    assert figures["filled_percent"] > 80


def test_assess_gives_the_figures_of_a_pose_from_elsewhere(reference, found_at):
    _, labels, found = found_at("head")
    rivals = {"rival_volume_percent"}  # known to a search only
    figures = register.assess(labels, reference, Pose(found.matrix))
    assert figures == {name: value for name, value in found.quality.items() if name not in rivals}
    assert found.quality.keys() - figures.keys() == rivals


@pytest.mark.parametrize(
    "other",
    [
        Screw(diameter_mm=2.7, thread_depth_mm=0.4, head_diameter_mm=4.5),
        Screw(diameter_mm=4.5, thread_depth_mm=0.6, head_diameter_mm=6.5),
        Screw(pitch_mm=1.75),
    ],
    ids=["thinner", "thicker", "steeper"],
)
def test_another_screw_is_refused_with_the_figures(found_at, other):
    _, labels, found = found_at("middle")
    with pytest.raises(InputError, match=r"does not fit the implant: .* % of the implant lies outside"):
        register.register(labels, reference_of(other), initial=found)


def test_no_implant_is_refused(reference):
    bone = Volume(np.full((20, 20, 20), 3, np.uint8), (VOXEL_MM,) * 3)
    with pytest.raises(InputError, match="no implant"):
        register.register(bone, reference)


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_other_units_are_named(factor):
    grid = Volume(np.zeros((24, 24, 24), np.uint8), (0.1 * factor,) * 3)
    grid.array[6:18, 8:16, 8:16] = 1
    with pytest.raises(InputError, match="mm across, the implant in the scan .* mm: one of them is not in mm"):
        register.register(explant(pose_at("middle", 1), 1), of_labels(grid, "block"))
