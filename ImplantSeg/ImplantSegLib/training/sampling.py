"""Where patches are taken: near the classes, the contact and the surface of the implant that are rare.

A uniform draw hardly ever meets the degradation layer or the bone–implant interface, which decide the
measurements. So a share of the patches is centred near voxels that one pass over the labels remembers.
Every draw comes from a counter-based generator keyed by the seed and counted by the step: any step can be
drawn without those before it, and a resumed run draws what the whole one would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.labels import IGNORE, IMPLANT, NAMES, Label
from ImplantSegLib.training.checks import slab_slices
from ImplantSegLib.training.config import Data, Sampling
from ImplantSegLib.training.data import Scan

Array = npt.NDArray[Any]
CONTACT = "contact"
SURFACE = "surface"


def generator(seed: int, step: int, stream: int = 0) -> np.random.Generator:
    """Random numbers of one step; ``stream`` tells apart the uses within it."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, stream, step]))


@dataclass(frozen=True)
class Target:
    """A patch to cut.

    Parameters
    ----------
    scan : int
        Which scan.
    axis : int
        Direction of the slice.
    centre : tuple of int
        Voxel (z, y, x) in the middle of the patch, before it is moved into the scan.
    """

    scan: int
    axis: int
    centre: tuple[int, int, int]


@dataclass(frozen=True)
class Candidates:
    """Voxels of one scan near which patches are wanted.

    Parameters
    ----------
    shape : tuple of int
        Shape of the scan.
    spacing_mm : tuple of float
        Voxel size (z, y, x).
    voxels : dict
        Positions (N, 3) int32 by kind: a class number, ``contact`` or ``surface``; kinds without voxels are absent.
    known : tuple of ndarray
        Indices along (z, y, x) of the slices that hold labelled voxels.
    old : bool
        Whether the scan is old data, of which a share of the patches is taken.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    voxels: dict[int | str, Array]
    known: tuple[Array, Array, Array]
    old: bool = False


def find_candidates(scan: Scan, limit: int, seed: int = 0) -> Candidates:
    """Remember at most ``limit`` voxels of each kind, uniformly chosen, in one pass over the labels."""
    kept: dict[int | str, tuple[Array, Array]] = {}
    depth, rows, columns = scan.shape
    step = slab_slices(scan.shape)
    for start in range(0, depth, step):
        stop = min(start + step, depth)
        halo = slice(max(start - 1, 0), min(stop + 1, depth))
        labels = scan.truth(halo)
        own = slice(start - halo.start, stop - halo.start)
        random = generator(seed, start, stream=7)
        for kind, mask in _kinds(labels):
            flat = np.flatnonzero(mask[own]) + start * rows * columns
            keys = random.random(flat.size, np.float32)  # the voxels with the smallest keys are a uniform choice
            if kind in kept:
                keys, flat = np.concatenate([kept[kind][0], keys]), np.concatenate([kept[kind][1], flat])
            if flat.size > limit:
                best = np.argpartition(keys, limit)[:limit]
                keys, flat = keys[best], flat[best]
            kept[kind] = keys, flat
    voxels = {
        kind: np.stack(np.unravel_index(np.sort(flat), scan.shape), axis=1).astype(np.int32)
        for kind, (_, flat) in kept.items()
        if flat.size
    }
    return Candidates(scan.shape, scan.spacing_mm, voxels, scan.known, scan.old)


def _kinds(labels: Array) -> Iterator[tuple[int | str, Array]]:
    for value in NAMES:
        yield value, labels == value
    implant = np.isin(labels, IMPLANT)
    yield CONTACT, implant & _beside(labels == Label.BONE)
    yield SURFACE, implant & _beside(~implant & (labels != IGNORE))


def _beside(mask: Array) -> Array:
    """Voxels that share a face with a voxel of the mask."""
    result = np.zeros_like(mask)
    for axis in range(mask.ndim):
        here, there = (
            tuple(slice(*ends) if d == axis else slice(None) for d in range(3)) for ends in ((1, None), (None, -1))
        )
        result[here] |= mask[there]
        result[there] |= mask[here]
    return result


def draw_targets(
    candidates: list[Candidates], sampling: Sampling, data: Data, random: np.random.Generator
) -> list[Target]:
    """Draw the patches of one batch; a kind that the drawn scan lacks becomes a uniform draw.

    Where only some slices are labelled, every patch holds a part of one of them.
    """
    targets = []
    for _ in range(sampling.batch):
        scan = _draw_scan(candidates, sampling.replay_share, random)
        axis = data.axes[int(random.integers(len(data.axes)))]
        centre = _draw_centre(candidates[scan], axis, sampling, random)
        targets.append(Target(scan, axis, (int(centre[0]), int(centre[1]), int(centre[2]))))
    return targets


def _draw_scan(candidates: list[Candidates], replay_share: float, random: np.random.Generator) -> int:
    old = [number for number, one in enumerate(candidates) if one.old]
    if not 0 < len(old) < len(candidates):
        return int(random.integers(len(candidates)))
    new = [number for number, one in enumerate(candidates) if not one.old]
    chosen = old if random.random() < replay_share else new
    return chosen[int(random.integers(len(chosen)))]


def _draw_centre(candidates: Candidates, axis: int, sampling: Sampling, random: np.random.Generator) -> Array:
    kind = _draw_kind(candidates, sampling, random)
    if kind is None:
        drawn = random.integers(0, [len(indices) for indices in candidates.known])
        return np.array([indices[index] for indices, index in zip(candidates.known, drawn, strict=True)])
    voxel = candidates.voxels[kind][random.integers(len(candidates.voxels[kind]))]
    centre = voxel.astype(np.float64)
    if kind == SURFACE:
        centre += _in_ball(random) * sampling.distance_um / 1000 / np.asarray(candidates.spacing_mm)
        for direction, known in enumerate(candidates.known):  # a slice that nobody has labelled teaches nothing
            if np.clip(np.rint(centre[direction]), 0, candidates.shape[direction] - 1) not in known:
                centre[direction] = voxel[direction]
    in_plane = [direction for direction in range(3) if direction != axis]
    centre[in_plane] += random.uniform(-1, 1, 2) * sampling.jitter * np.asarray(sampling.patch)
    return np.clip(np.rint(centre), 0, np.asarray(candidates.shape) - 1).astype(np.int64)


def _draw_kind(candidates: Candidates, sampling: Sampling, random: np.random.Generator) -> int | str | None:
    share = random.random()
    classes = [kind for kind in NAMES if kind in candidates.voxels]
    if share < sampling.by_class and classes:
        return classes[int(random.integers(len(classes)))]
    for kind, bound in (
        (CONTACT, sampling.by_class + sampling.contact),
        (SURFACE, sampling.by_class + sampling.contact + sampling.surface),
    ):
        if share < bound:
            return kind if kind in candidates.voxels else None
    return None


def _in_ball(random: np.random.Generator) -> Array:
    """Draw a direction with a length uniform in [0, 1]."""
    direction = random.standard_normal(3)
    return direction / max(float(np.linalg.norm(direction)), 1e-12) * random.random()


def cut_batch(scans: list[Scan], targets: list[Target], patch: list[int]) -> tuple[Array, Array]:
    """Cut patches: images float32 (B, rows, columns) in [0, 1] and labels uint8 (B, rows, columns).

    A patch is moved into its slice; where the slice is smaller, the image is mirrored and the labels are 255.
    """
    images = np.zeros((len(targets), *patch), np.float32)
    labels = np.full((len(targets), *patch), IGNORE, np.uint8)
    for index, target in enumerate(targets):
        scan = scans[target.scan]
        in_plane = [direction for direction in range(3) if direction != target.axis]
        rows, columns = (
            _window(target.centre[direction], size, scan.shape[direction])
            for direction, size in zip(in_plane, patch, strict=True)
        )
        image, truth = scan.cut(target.axis, target.centre[target.axis], rows, columns)
        missing = [(0, size - got) for size, got in zip(patch, image.shape, strict=True)]
        images[index] = np.pad(image, missing, mode="symmetric")
        labels[index, : truth.shape[0], : truth.shape[1]] = truth
    return images, labels


def _window(centre: int, size: int, extent: int) -> slice:
    start = min(max(centre - size // 2, 0), max(extent - size, 0))
    return slice(start, min(start + size, extent))
