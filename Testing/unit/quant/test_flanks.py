"""A screw of which one flank alone has gone: its metal is what the screw and a copy moved along the axis share."""

import numpy as np
import pytest

from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.contact_surface import contact_surface
from ImplantSegQuantLib.cut import Implant
from ImplantSegQuantLib.flanks import contact_on, degradation_by_flank, depth_on
from ImplantSegQuantLib.implicit import field_of
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.reference import Reference
from ImplantSegQuantLib.regions import regions_of
from ImplantSegQuantLib.surface_map import reference_surface

SCREW = Screw()
MM = 0.03
PITCHES = 2
SHAPE = (round(PITCHES * SCREW.pitch_mm / MM), 122, 122)
WEEKS = 365.25 / 7  # a year
CORE_MM, DEPTH_MM = SCREW.diameter_mm / 2 - SCREW.thread_depth_mm, SCREW.thread_depth_mm
SLOPE_MM = SCREW.pitch_mm - SCREW.crest_mm - SCREW.lead_mm - SCREW.root_mm
"""Axial length of the flank towards the head; that towards the tip is ``lead_mm`` long."""


@pytest.fixture(scope="module")
def reference():
    return Reference(field_of(SCREW.signed_distance, np.array(SCREW.bounds_mm), finest_mm=0.03), "screw")


def scan(pose):
    """A scan of two pitches in the middle of the shaft, and its voxel centres in the screw's frame."""
    corner = np.array([-(SHAPE[2] - 1) / 2 * MM, -(SHAPE[1] - 1) / 2 * MM, 6.0])
    if pose.matrix[2, 2] < 0:
        corner[2] = -(6.0 + SHAPE[0] * MM)
    grid = Volume(np.zeros(SHAPE, np.uint8), (MM,) * 3, tuple(corner))
    index = np.indices(SHAPE).reshape(3, -1).T
    return grid, pose.apply(index @ grid.index_to_world[:3, :3].T + grid.index_to_world[:3, 3])


def inside(points, shift_mm=0.0):
    return (SCREW.signed_distance(points - [0, 0, shift_mm]) < 0).reshape(SHAPE)


def measured(reference, labels, grid, pose):
    regions = regions_of(reference.field, pose.matrix)
    surface = reference_surface(reference, pose, grid.like(labels), FieldOfView())
    implant = Implant(labels, tuple(slice(0, n) for n in SHAPE), grid.spacing_mm)
    faces = contact_surface(implant, grid.index_to_world)
    return degradation_by_flank(
        depth_on(surface, reference, pose, regions), contact_on(faces, reference, pose, regions), WEEKS
    )


POSES = [Pose(np.eye(4)), Pose(np.diag([1.0, -1.0, -1.0, 1.0]))]


@pytest.mark.parametrize("pose", POSES, ids=["upright", "upside down"])
@pytest.mark.parametrize(("shift_mm", "eroded", "length_mm"), [
    (0.1, "leading_flank", SCREW.lead_mm), (-0.1, "trailing_flank", SLOPE_MM),
])  # fmt: skip
def test_one_eroded_flank_is_found_with_its_depth(reference, pose, shift_mm, eroded, length_mm):
    grid, points = scan(pose)
    labels = np.where(inside(points) & inside(points, shift_mm), 1, 0).astype(np.uint8)
    found = measured(reference, labels, grid, pose)
    # a flank that is moved along the axis has moved by less across itself; beside the root, the root is nearer
    across = 0.1 * DEPTH_MM / np.hypot(DEPTH_MM, length_mm)
    depth_um = 1000 * (across - across**2 / (2 * DEPTH_MM))
    sound = "trailing_flank" if eroded == "leading_flank" else "leading_flank"
    assert found[eroded]["corrosion_depth_um"] == pytest.approx(depth_um, abs=6)
    assert found[eroded]["recession_rate_mm_per_year"] == pytest.approx(found[eroded]["corrosion_depth_um"] / 1000)
    assert found[sound]["corrosion_depth_um"] == pytest.approx(0, abs=6)
    assert found["root"]["corrosion_depth_um"] == pytest.approx(0, abs=6)


def test_areas_of_the_sides_in_closed_form(reference):
    grid, points = scan(POSES[0])
    found = measured(reference, inside(points).astype(np.uint8), grid, POSES[0])
    middle = 2 * np.pi * (CORE_MM + DEPTH_MM / 2) * PITCHES
    lengths_mm = {"leading_flank": SCREW.lead_mm, "trailing_flank": SLOPE_MM}
    for side, length_mm in lengths_mm.items():
        wanted = middle * np.hypot(DEPTH_MM, length_mm)
        assert found[side]["reference_surface_mm2"] == pytest.approx(wanted, rel=0.06)
    crest = 2 * np.pi * (CORE_MM + DEPTH_MM) * PITCHES * SCREW.crest_mm
    assert found["crest"]["reference_surface_mm2"] == pytest.approx(crest, rel=0.2)
    assert found["root"]["reference_surface_mm2"] == pytest.approx(
        2 * np.pi * CORE_MM * PITCHES * SCREW.root_mm, rel=0.1
    )


def test_bone_on_one_flank_is_contact_there(reference):
    pose = POSES[0]
    grid, points = scan(pose)
    screw = inside(points)
    labels = np.where(screw, 1, np.where(inside(points, -0.15), 3, 0)).astype(np.uint8)  # beneath: towards the tip
    found = measured(reference, labels, grid, pose)
    assert found["leading_flank"]["bone_implant_contact_percent"] > 95
    assert found["trailing_flank"]["bone_implant_contact_percent"] < 5


def test_without_metal_the_depth_is_undefined(reference):
    grid, points = scan(POSES[0])
    found = measured(reference, (2 * inside(points)).astype(np.uint8), grid, POSES[0])
    assert found["crest"]["corrosion_depth_um"] is None
    assert found["crest"]["recession_rate_mm_per_year"] is None
    assert found["crest"]["bone_implant_contact_percent"] == 0
