"""Labels of corroded screws in any pose, made in seconds: what registration is measured on.

The screw, its corrosion and the layer with its cracks are those of the phantom (ImplantSegLib.phantom), sampled at
voxel centres without grey values. On top come a crack through the whole implant, islands of metal in the bone and
voxels with a wrong label. The true initial volume is that of the screw itself, from 27 samples in every voxel that
its surface may touch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from scipy.spatial.transform import Rotation

from ImplantSegLib.phantom.corrosion import RELIEF_MAX, Corrosion, corrosion, is_void, relief, swelling
from ImplantSegLib.phantom.noise import smooth, stream
from ImplantSegLib.phantom.screw import Screw, ScrewShape, screw_distance
from ImplantSegLib.volumes import FieldOfView, Volume

Array = np.ndarray[Any, Any]

BAR_SHAPE = (175, 365, 365)
SITES = {"tip": (0.8, 1.8), "middle": (4.5, 10.5), "head": (13.8, 15.2)}
"""Heights on the screw, in mm, that may lie in the middle of the field of view."""


@dataclass(frozen=True)
class Case:
    """One scan to be made; all that is random in it follows from the seed."""

    seed: int
    site: str
    shape: tuple[int, int, int] = BAR_SHAPE
    voxel_mm: float = 0.015
    loss: float = 0.2
    """Share of the screw in the field of view that is no metal any more."""
    wrong: float = 0.02
    """Share of the voxels that have a label at random."""
    islands: int = 12
    crack: bool = True
    round_fov: bool = False
    tilt_deg: float | None = None
    """Angle between the screw and the normal of the slices; None is any rotation."""


class Made(NamedTuple):
    """A scan and what is true of it."""

    labels: Volume
    matrix: Array
    """Scan to screw."""
    initial_mm3: float
    residual_mm3: float

    @property
    def fov(self) -> FieldOfView:
        return FieldOfView.of(self.labels)


def drawn(seed: int) -> Case:
    """The case of a seed: site by turns, voxels of 12 to 20 µm, loss to 40 %, every third field of view round."""
    rng = np.random.default_rng([seed, 1])
    return Case(
        seed,
        site=tuple(SITES)[seed % 3],
        voxel_mm=float(rng.uniform(0.012, 0.020)),
        loss=float(rng.uniform(0.02, 0.40)),
        round_fov=bool(rng.random() < 1 / 3),
    )


def made(case: Case, screw: Screw | None = None) -> Made:
    """Make the scan of a case."""
    screw = screw or Screw()
    rng = np.random.default_rng([case.seed, 2])
    matrix = _pose(case, rng)
    origin = tuple(-0.5 * case.voxel_mm * (n - 1) for n in case.shape[::-1])
    fov = _fov(case)
    grid = Volume(np.zeros(case.shape, np.uint8), (case.voxel_mm,) * 3, origin, metadata={"fov": fov})
    affine = matrix @ grid.index_to_world
    field = corrosion(
        case.seed, float(rng.uniform(0, 0.3)), float(rng.uniform(0, 0.02)), float(rng.uniform(0, 0.02)),
        float(rng.uniform(0, 0.2)),
    )  # fmt: skip
    mask = FieldOfView.parse(fov).slice_mask(case.shape[1:])
    inside = np.ones(case.shape[1:], bool) if mask is None else mask
    field = field._replace(depth_scale=_depth_scale(case, affine, screw.shape, field, inside))
    bone = stream(case.seed, "bone")
    initial = _fill(grid.array, affine, screw.shape, field, bone, inside)
    residual = int(np.count_nonzero((grid.array == 1) & inside))
    _damage(grid.array, case, rng)
    grid.array[:, ~inside] = 0
    voxel_mm3 = case.voxel_mm**3
    return Made(grid, matrix, float(initial.sum()) / 27 * voxel_mm3, residual * voxel_mm3)


def _fov(case: Case) -> str:
    if not case.round_fov:
        return "box"
    _, rows, columns = case.shape
    return f"circle:{(rows - 1) / 2},{(columns - 1) / 2},{0.5 * min(rows, columns) - 3}"


def _pose(case: Case, rng: np.random.Generator) -> Array:
    """Any rotation (or any of a given tilt), either way up; the middle of the scan near the axis of the screw."""
    rotation = Rotation.random(random_state=rng)
    if case.tilt_deg is not None:
        turn, spin = rng.uniform(0, 360, 2)
        up = 180.0 * rng.integers(2)
        rotation = Rotation.from_euler("zxz", [turn, case.tilt_deg + up, spin], degrees=True)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation.as_matrix()
    matrix[:3, 3] = *rng.uniform(-0.4, 0.4, 2), rng.uniform(*SITES[case.site])
    return matrix


def _depth_scale(case: Case, affine: Array, shape: ScrewShape, field: Corrosion, inside: Array) -> float:
    """Depth of corrosion at which the wanted share of the screw in the field of view is lost."""
    index = np.argwhere(np.ones([-(-n // 5) for n in case.shape], bool)) * 5
    index = index[inside[index[:, 1], index[:, 2]]].astype(float)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    return float(np.quantile(_depths(points, shape, field), case.loss))


@njit
def _depths(points: Array, shape: ScrewShape, field: Corrosion) -> Array:
    """For points inside the screw, the scale of the corrosion that reaches them."""
    result = []
    for x, y, z in points:
        f = screw_distance(x, y, z, shape)
        if f < 0.0:
            result.append(-f / relief(x, y, z, f, field))
    return np.array(result)


@njit(parallel=True)
def _fill(labels: Array, affine: Array, shape: ScrewShape, field: Corrosion, bone: int, inside: Array) -> Array:
    """Label every voxel; give the samples inside the screw, 27 a voxel, of every slice in the field of view."""
    depth, rows, columns = labels.shape
    reach = 0.0
    for a in range(3):
        reach += affine[a, 0] ** 2 + affine[a, 1] ** 2 + affine[a, 2] ** 2
    reach = 0.6 * np.sqrt(reach)
    initial = np.zeros(depth, np.int64)
    for k in prange(depth):
        for j in range(rows):
            for i in range(columns):
                x = affine[0, 0] * k + affine[0, 1] * j + affine[0, 2] * i + affine[0, 3]
                y = affine[1, 0] * k + affine[1, 1] * j + affine[1, 2] * i + affine[1, 3]
                z = affine[2, 0] * k + affine[2, 1] * j + affine[2, 2] * i + affine[2, 3]
                f = screw_distance(x, y, z, shape)
                labels[k, j, i] = _label(x, y, z, f, field, bone)
                if inside[j, i]:
                    if f < -reach:
                        initial[k] += 27
                    elif f < reach:
                        initial[k] += _samples(affine, float(k), float(j), float(i), shape)
    return initial


@njit
def _label(x: float, y: float, z: float, f: float, field: Corrosion, bone: int) -> int:
    if f < -RELIEF_MAX * field.depth_scale:
        return 1
    if f < 0.05:
        depth = field.depth_scale * relief(x, y, z, f, field) if f > -1.5 else 0.0
        if f < -depth:
            return 1
        top = swelling(x, y, z, depth, field)
        if f < top:
            return 0 if is_void(x, y, z, f, depth, top, field) else 2
    return 3 if smooth(x / 0.35, y / 0.35, z / 0.35, bone) > 0.02 else 0


@njit
def _samples(affine: Array, k: float, j: float, i: float, shape: ScrewShape) -> int:
    count = 0
    for dk in range(-1, 2):
        for dj in range(-1, 2):
            for di in range(-1, 2):
                c, b, a = k + dk / 3, j + dj / 3, i + di / 3
                x = affine[0, 0] * c + affine[0, 1] * b + affine[0, 2] * a + affine[0, 3]
                y = affine[1, 0] * c + affine[1, 1] * b + affine[1, 2] * a + affine[1, 3]
                z = affine[2, 0] * c + affine[2, 1] * b + affine[2, 2] * a + affine[2, 3]
                count += screw_distance(x, y, z, shape) < 0.0
    return count


def _damage(labels: Array, case: Case, rng: np.random.Generator) -> None:
    """A crack of two voxels through the implant, islands of metal and layer in the bone, and wrong labels."""
    index = [np.arange(n).reshape([-1 if axis == a else 1 for a in range(3)]) for axis, n in enumerate(case.shape)]
    if case.crack:
        normal = rng.standard_normal(3)
        normal /= np.linalg.norm(normal)
        middle = rng.uniform(0.3, 0.7, 3) * case.shape
        off = sum(n * (i - c) for n, i, c in zip(normal, index, middle, strict=True))
        labels[(np.abs(off) < 1.0) & (labels < 3)] = 0
    for _ in range(case.islands):
        centre, radius = rng.uniform(0, 1, 3) * case.shape, rng.uniform(2, 8)
        ball = sum((i - c) ** 2 for i, c in zip(index, centre, strict=True)) < radius**2
        labels[ball & (labels == 3)] = rng.integers(1, 3)
    count = rng.binomial(labels.size, case.wrong)
    labels.reshape(-1)[rng.integers(0, labels.size, count)] = rng.integers(0, 4, count)
