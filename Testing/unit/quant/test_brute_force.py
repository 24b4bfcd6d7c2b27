"""The whole measurement against plain loops over every voxel and face, on random volumes, masks and voxel sizes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ImplantSegLib.volumes import FieldOfView, Volume, write
from ImplantSegQuantLib.compare import overlap
from ImplantSegQuantLib.quantify import measure
from ImplantSegQuantLib.sample import Sample, survey

STEPS = [(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
SHAPE = (5, 6, 7)
LABELS = arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 0, 1, 2, 3]))
MASKS = arrays(np.bool_, SHAPE, elements=st.sampled_from([True, True, True, False]))
SPACINGS = st.tuples(*[st.sampled_from([0.004, 0.01, 0.03])] * 3)
FIELDS = arrays(np.float32, SHAPE, elements=st.floats(-0.0625, 0.125, width=32))


def inside_of(shape, index):
    return all(0 <= i < n for i, n in zip(index, shape, strict=True))


def sides(shape, index):
    """Axis and place of the neighbours of a voxel."""
    for step in STEPS:
        other = tuple(int(i) for i in np.add(index, step))
        if inside_of(shape, other):
            yield next(axis for axis in range(3) if step[axis]), other


class Loops:
    """Every number by looking at one voxel after the other."""

    def __init__(self, labels, mask, field, spacing_mm, roi_mm):
        self.labels, self.mask, self.field, self.spacing_mm = labels, mask, field, spacing_mm
        dz, dy, dx = spacing_mm
        self.areas, self.voxel = (dy * dx, dz * dx, dz * dy), dz * dy * dx
        self.roi = {i for i in np.ndindex(*labels.shape) if mask[i] and field[i] <= np.float32(roi_mm + 1e-6)}
        self.implant = {i for i in self.roi if labels[i] in (1, 2)}

    def volume(self, label):
        return self.voxel * sum(self.mask[i] and self.labels[i] == label for i in np.ndindex(*self.labels.shape))

    def faces(self):
        """Area between body and rest of the reference, and its surface voxels."""
        area, voxels = 0.0, 0
        for i in np.ndindex(*self.labels.shape):
            if self.mask[i] and self.field[i] < 0:
                bare = [axis for axis, j in sides(self.labels.shape, i) if self.mask[j] and self.field[j] >= 0]
                area += sum(self.areas[axis] for axis in bare)
                voxels += bool(bare)
        return area, voxels * sum(self.areas) / 3

    def touched(self):
        """Implant voxel, axis and place of what it touches of bone and background."""
        for i in self.implant:
            for axis, j in sides(self.labels.shape, i):
                if self.mask[j] and self.labels[j] in (0, 3):
                    yield i, axis, j

    def contact(self, without=frozenset()):
        sums = {0: 0.0, 3: 0.0}
        for _, axis, j in self.touched():
            if j not in without:
                sums[int(self.labels[j])] += self.areas[axis]
        return percent(sums[3], sums[0] + sums[3])

    def contact_by_voxels(self):
        bone = {i for i, _, j in self.touched() if self.labels[j] == 3}
        return percent(len(bone), len({i for i, _, _ in self.touched()}))

    def pores(self):
        """Parts of bone ∪ background that reach neither the border of the volume nor what does not exist."""
        left = {i for i in np.ndindex(*self.labels.shape) if self.mask[i] and self.labels[i] in (0, 3)}
        found = set()
        while left:
            part, todo, closed = set(), [left.pop()], True
            while todo:
                i = todo.pop()
                part.add(i)
                neighbours = list(sides(self.labels.shape, i))
                closed &= len(neighbours) == 6
                for _, j in neighbours:
                    exists = self.mask[j] and (self.labels[j] in (0, 3) or j in self.implant)
                    closed &= exists
                    if j in left:
                        left.discard(j)
                        todo.append(j)
            found |= part if closed else set()
        return found

    def tissue(self):
        bone, background = (sum(self.labels[i] == label for i in self.roi) for label in (3, 0))
        return percent(bone, bone + background)

    def contact_by_gap(self, gap_mm):
        bones = [i for i in np.ndindex(*self.labels.shape) if self.mask[i] and self.labels[i] == 3]
        near = total = 0.0
        for _, axis, j in self.touched():
            total += self.areas[axis]
            distances = (math.dist(np.multiply(j, self.spacing_mm), np.multiply(k, self.spacing_mm)) for k in bones)
            if self.labels[j] == 3 or any(distance <= gap_mm + 1e-6 for distance in distances):
                near += self.areas[axis]
        return percent(near, total)

    def depth_um(self):
        """Mean over the metal's surface voxels of the mean over their faces; specks outside are no metal."""
        depths = []
        for i in self.implant:
            if self.labels[i] != 1 or self.field[i] > np.float32(0.1):
                continue
            at = [
                (float(self.field[i]) + float(self.field[j])) / 2
                for _, j in sides(self.labels.shape, i)
                if self.mask[j] and self.labels[j] != 1 and (self.labels[j] != 2 or j in self.implant)
            ]
            if at:
                depths.append(-1000 * sum(at) / len(at))
        return sum(depths) / len(depths) if depths else None


def percent(part, whole):
    return 100 * part / whole if whole else None


def near(value):
    return None if value is None else pytest.approx(value, rel=1e-6, abs=1e-9)


@given(LABELS, MASKS, FIELDS, SPACINGS, st.sampled_from([0.02, 0.06, 1.0]), st.integers(1, 5))
@settings(max_examples=40)
def test_every_count_equals_the_loops(tmp_path_factory, labels, mask, field, spacing_mm, roi_mm, slab):
    labels[2, 3, 3], mask[2, 3, 3], field[2, 3, 3] = 1, True, -1.0  # some implant and some reference there must be
    path = tmp_path_factory.mktemp("fov") / "mask.nrrd"
    write(Volume(mask.astype(np.uint8)), path)
    sample = Sample(Volume(labels, spacing_mm), FieldOfView.parse(str(path)), slab)
    result = measure(sample, survey(sample), lambda z: field[z], 12, roi_mm)
    found = {entry.name: entry.value for entry in result.measurements}
    loops = Loops(labels, mask, field, spacing_mm, roi_mm)
    assert found["residual_volume"] == near(loops.volume(1))
    assert found["degradation_layer_volume"] == near(loops.volume(2))
    area, voxels = loops.faces()
    assert found["initial_surface"] == near(area)
    assert found["initial_surface_voxels"] == near(voxels)
    assert found["roi_volume"] == near(len(loops.roi) * loops.voxel)
    assert found["bone_volume_fraction"] == near(loops.tissue())
    assert found["bone_implant_contact"] == near(loops.contact())
    assert found["bone_implant_contact_voxels"] == near(loops.contact_by_voxels())
    assert found["bone_implant_contact_without_pores"] == near(loops.contact(loops.pores()))
    assert found["corrosion_depth"] == near(loops.depth_um())
    np.testing.assert_array_equal(
        result.roi.array[0 : SHAPE[0]].astype(bool),
        np.array([index in loops.roi for index in np.ndindex(*SHAPE)]).reshape(SHAPE),
    )
    if found["bone_implant_contact"] is not None:
        curve = result.profiles["bone_implant_contact_by_gap"]
        for gap_um, value in itertools.islice(zip(curve["gap_um"], curve["percent"], strict=True), 0, None, 5):
            assert value == near(loops.contact_by_gap(gap_um / 1000))


@given(LABELS, LABELS, MASKS)
@settings(max_examples=20)
def test_confusion_equals_the_loop(tmp_path_factory, prediction, truth, mask):
    path = tmp_path_factory.mktemp("fov") / "mask.nrrd"
    write(Volume(mask.astype(np.uint8)), path)
    found = overlap(Volume(prediction), Volume(truth), FieldOfView.parse(str(path)))
    wanted = [[0] * 4 for _ in range(4)]
    for index in np.ndindex(*SHAPE):
        if mask[index]:
            wanted[truth[index]][prediction[index]] += 1
    assert found["confusion"] == wanted
