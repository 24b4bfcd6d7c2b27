"""The walk against loops over voxels, on volumes that are noise: any labels, any distance, any field of view."""

import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ImplantSegLib.metrics import OUTSIDE
from ImplantSegLib.threads import VARIABLE
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.degradation import SPECK_MM
from ImplantSegQuantLib.sample import Sample
from ImplantSegQuantLib.trail import Trail
from ImplantSegQuantLib.walk import walk

ROI_MM = 0.4
STEPS = [(axis, sign) for axis in range(3) for sign in (-1, 1)]


@pytest.fixture(scope="module", autouse=True)
def restored():
    """Put back the number of threads, which the examples of a test change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "1")
        yield


@st.composite
def scans(draw):
    """Labels, distance, spacing and field of view."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.integers(1, 9)) for _ in range(3))
    labels = rng.choice(4, shape, p=draw(st.sampled_from([(0.25,) * 4, (0.1, 0.5, 0.3, 0.1)]))).astype(np.uint8)
    distance = rng.normal(0.1, 0.4, shape).astype(np.float32)
    distance.flat[0] = -1.0  # the reference reaches into the field of view, wherever that is
    spacing = tuple(rng.uniform(0.5, 2.0, 3))
    circle = (rng.uniform(0, shape[1]), rng.uniform(0, shape[2]), rng.uniform(1, 8))
    return labels, distance, spacing, FieldOfView(circle if draw(st.booleans()) else None)


def neighbours(shape, index):
    for axis, sign in STEPS:
        other = list(index)
        other[axis] += sign
        if 0 <= other[axis] < shape[axis]:
            yield axis, tuple(other)


def by_loops(labels, distance, spacing, fov):
    """What the walk gives, voxel by voxel."""
    mask = fov.slab_mask(slice(None), labels.shape)
    inside = np.ones(labels.shape, bool) if mask is None else np.array(mask)
    near = inside & (distance <= np.float32(ROI_MM + 1e-6))
    seen = np.where(inside, labels, OUTSIDE)
    seen[np.isin(seen, (1, 2)) & ~near] = OUTSIDE
    faces, body_faces, surface_voxels, depths = np.zeros((3, 2), int), np.zeros(3, int), 0, []
    for index in np.ndindex(labels.shape):
        around = list(neighbours(labels.shape, index))
        if seen[index] in (1, 2):
            for axis, other in around:
                faces[axis] += [seen[other] == 3, seen[other] == 0]
        if seen[index] == 1 and distance[index] <= np.float32(SPECK_MM):
            beside = [float(distance[other]) for _, other in around if seen[other] in (0, 2, 3)]
            depths += [0.5 * (float(distance[index]) + sum(beside) / len(beside))] if beside else []
        if inside[index] and distance[index] < 0:
            across = [axis for axis, other in around if inside[other] and distance[other] >= 0]
            body_faces += np.bincount(across, minlength=3)
            surface_voxels += bool(across)
    return {
        "faces": faces,
        "depth_um": -1000 * sum(depths) / len(depths) if depths else None,
        "body_faces": body_faces,
        "surface_voxels": surface_voxels,
        "voxels": {label: int(((labels == label) & inside).sum()) for label in range(4)},
        "roi_voxels": {label: int(((labels == label) & near).sum()) for label in range(4)},
        "implant": _box(np.isin(seen, (1, 2))),
    }


def _box(mask):
    if not mask.any():
        return None
    return tuple(slice(int(where.min()), int(where.max()) + 1) for where in np.nonzero(mask))


@given(scans(), st.integers(1, 9), st.sampled_from(["1", "3"]))
@settings(max_examples=80, deadline=None)
def test_every_count_is_that_of_loops_over_the_voxels(scan, slab, number):
    os.environ[VARIABLE] = number
    labels, distance, spacing, fov = scan
    (found,) = walk([Sample(Volume(labels, spacing), fov, slab)], lambda z: distance[z], ROI_MM)
    wanted = by_loops(*scan)
    areas = np.prod(spacing) / np.array(spacing)
    bone, rest = wanted["faces"].T @ areas
    _same(found.contact_percent[0], 100 * bone / (bone + rest) if bone + rest > 0 else None)
    _same(found.depth_um, wanted["depth_um"])
    _same(found.shape.faces_mm2, wanted["body_faces"] @ areas)
    _same(found.shape.surface_voxels_mm2, wanted["surface_voxels"] * areas.mean())
    for name in ("voxels", "roi_voxels", "implant"):
        assert getattr(found, name) == wanted[name]


def _same(found, wanted):
    assert (found is None) == (wanted is None)
    assert found is None or math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)


@given(scans(), st.integers(1, 9), st.integers(1, 9), st.sampled_from(["1", "2", "5"]))
@settings(max_examples=60, deadline=None)
def test_every_number_has_the_same_bits_in_memory_and_in_slabs(scan, slab, other, number):
    labels, distance, spacing, fov = scan
    os.environ[VARIABLE] = "1"
    alone = walk([Sample(Volume(labels, spacing), fov, 99)], lambda z: distance[z], ROI_MM)
    os.environ[VARIABLE] = number
    pair = [Sample(Volume(labels[::-1], spacing), fov, slab), Sample(Volume(labels, spacing), fov, other)]
    assert walk(pair, lambda z: distance[z], ROI_MM)[1] == alone[0]


@given(st.integers(0, 20), st.integers(0, 4), st.lists(st.integers(1, 6), min_size=20))
def test_a_trail_gives_every_slice_once_with_its_neighbours(depth, halo, slabs):
    trail, start, given_slices = Trail(depth, halo), 0, []
    while start < depth:
        stop = min(start + slabs[start], depth)
        if (found := trail.add(np.arange(start, stop), -np.arange(start, stop))) is not None:
            (one, other), inner = found
            meant = one[inner]
            given_slices += meant.tolist()
            np.testing.assert_array_equal(one, np.arange(max(meant[0] - halo, 0), min(meant[-1] + 1 + halo, stop)))
            assert one[-1] + 1 >= min(meant[-1] + 1 + halo, depth)
            np.testing.assert_array_equal(other, -one)
        start = stop
    assert given_slices == list(range(depth))
