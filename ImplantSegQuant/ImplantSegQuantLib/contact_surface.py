"""The implant's surface as voxel faces that tell bone from background: the very faces that BIC counts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegLib.metrics import FaceCounter, contact_faces, face_areas_mm2
from ImplantSegQuantLib.contact import percent
from ImplantSegQuantLib.cut import Implant
from ImplantSegQuantLib.mesh_file import Surface
from ImplantSegQuantLib.sample import SLAB, windows

Array = np.ndarray[Any, Any]

MAX_FACES = 2_000_000
"""Above this, blocks of voxels are drawn as one by the majority of their voxels."""

_IMPLANT, _REST, _BONE = 1, 4, 8
_TO_REST, _TO_BONE = _IMPLANT + _REST, _IMPLANT + _BONE
"""What the two sides of a face add up to; no other pair does."""

_KINDS = np.zeros(256, np.uint8)  # what does not exist is 0
_KINDS[list(IMPLANT)] = _IMPLANT
_KINDS[Label.BACKGROUND], _KINDS[Label.BONE] = _REST, _BONE

_log = logging.getLogger(__name__)


def contact_surface(implant: Implant, index_to_world: Array, slab: int = SLAB, max_faces: int = MAX_FACES) -> Surface:
    """Voxel faces between implant and anything else, with the cell array ``contact``: 1 bone, 0 background.

    Parameters
    ----------
    implant : Implant
        What BIC is counted on; faces to voxels that do not exist are no surface.
    index_to_world : float64, shape (4, 4)
        Takes an index (z, y, x, 1) of the segmentation to a point (x, y, z, 1), LPS, in mm.
    slab : int
        Slices to look at at a time; the surface does not depend on it.
    max_faces : int
        Above this, blocks of 2³, 3³, … voxels are drawn as one, by majority.

    Returns
    -------
    Surface
        Quads. Its facts are ``bone_implant_contact_percent``, by all voxel faces whatever is drawn, and
        ``block_voxels``, the edge of a block: 1 where nothing was coarsened.
    """
    bone, rest = _faces(implant, slab)
    areas_mm2 = [float(faces @ face_areas_mm2(implant.spacing_mm)) for faces in (bone, rest)]
    facts = {"bone_implant_contact_percent": percent(areas_mm2[0], sum(areas_mm2)) or 0.0, "block_voxels": 1}
    count = int((bone + rest).sum())
    factor = max(1, int(np.ceil(np.sqrt(count / max_faces))))
    corners, contact = _quads(implant.labels, factor, slab)
    while len(corners) > max_faces:  # the faces of plates and specks shrink by less than the square
        factor += 1
        corners, contact = _quads(implant.labels, factor, slab)
    if factor > 1:
        facts["block_voxels"] = factor
        _log.warning("the implant has %d faces: blocks of %d³ voxels are drawn (the numbers need none)", count, factor)
    lattice, cells = _shared(corners, np.array(implant.labels.shape) // factor + 2)
    index = lattice * factor - 0.5 + [side.start for side in implant.box]
    points = index @ index_to_world[:3, :3].T + index_to_world[:3, 3]
    if np.linalg.det(index_to_world[:3, :3][:, ::-1]) < 0:
        cells = cells[:, ::-1]  # a mirrored grid turns every face inside out
    return Surface(points.astype(np.float32), cells, cell_data={"contact": contact}, facts=facts)


def _faces(implant: Implant, slab: int) -> tuple[Array, Array]:
    """Faces per axis from implant to bone and to background."""
    counter = FaceCounter()
    for window in windows(implant.depth, slab):
        counter.add(implant.labels[window.z])
    table = counter.table()
    return contact_faces(table, IMPLANT, {Label.BONE}), contact_faces(table, IMPLANT, {Label.BACKGROUND})


def _quads(labels: Array, factor: int, slab: int) -> tuple[Array, Array]:
    """Corners (M, 4, 3) of every face on the lattice of voxel (or block) corners, (z, y, x), and its contact (M,)."""
    corners, contact = [np.empty((0, 4, 3), np.int32)], [np.empty(0, np.int16)]
    start, last = 0, None
    for kinds in _kinds(labels, factor, slab):
        both = kinds if last is None else np.concatenate([last, kinds])
        for axis, seen in enumerate((both, kinds, kinds)):
            first = np.array([start + len(kinds) - len(seen), 0, 0], np.int32)
            quads, bone = _along(seen, axis)
            corners.append(quads + first)
            contact.append(bone)
        start, last = start + len(kinds), kinds[-1:]
    return np.concatenate(corners), np.concatenate(contact)


def _kinds(labels: Array, factor: int, slab: int) -> Iterator[Array]:
    """Slabs of implant, rest and bone, of voxels or by the majority of blocks."""
    for window in windows(labels.shape[0], -(-slab // factor) * factor):
        kinds = _KINDS[labels[window.z]]
        for z in range(0, len(kinds), factor) if factor > 1 else ():
            yield _majority(kinds[z : z + factor], factor)
        if factor == 1:
            yield kinds


def _majority(layer: Array, factor: int) -> Array:
    """One layer of blocks (1, Y, X) from ``factor`` slices; the last blocks may be smaller."""
    starts = [np.arange(0, n, factor) for n in layer.shape[1:]]
    best = votes = None
    for kind in (_IMPLANT, _BONE, _REST, 0):
        count = (layer == kind).sum(axis=0, dtype=np.int32)
        count = np.add.reduceat(np.add.reduceat(count, starts[0], axis=0), starts[1], axis=1)
        if best is None or votes is None:
            best, votes = np.full(count.shape, kind, np.uint8), count
            continue
        more = count > votes
        best[more], votes[more] = kind, count[more]
    return np.asarray(best)[None]


def _along(kinds: Array, axis: int) -> tuple[Array, Array]:
    """Faces between neighbours along one axis: corners (M, 4, 3), outwards from the implant, and contact (M,)."""
    lower = tuple(slice(None, -1 if k == axis else None) for k in range(3))
    upper = tuple(slice(1 if k == axis else None, None) for k in range(3))
    sums = kinds[lower] + kinds[upper]
    where = np.argwhere((sums == _TO_REST) | (sums == _TO_BONE)).astype(np.int32)
    at = tuple(where.T)
    up = (kinds[lower][at] == _IMPLANT)[:, None, None]  # the implant lies below, so the face looks up
    ring = _RINGS[axis]
    base = where + np.eye(3, dtype=np.int32)[axis]
    return base[:, None] + np.where(up, ring, ring[::-1]), (sums[at] == _TO_BONE).astype(np.int16)


def _ring(axis: int) -> Array:
    """Corners (4, 3) of a face, (z, y, x), counter-clockwise seen from the end of its axis (world x, y, z)."""
    second, third = ((2, 1), (0, 2), (1, 0))[axis]  # z: x then y; y: z then x; x: y then z
    ring = np.zeros((4, 3), np.int32)
    ring[1:3, second] = 1
    ring[2:4, third] = 1
    return ring


_RINGS = tuple(_ring(axis) for axis in range(3))


def _shared(corners: Array, shape: Array) -> tuple[Array, Array]:
    """Give each corner (z, y, x) of the quads once, int (N, 3), and the quads as numbers of corners, int32 (M, 4)."""
    keys = np.ravel_multi_index(tuple(corners.reshape(-1, 3).T), tuple(shape))
    unique, cells = np.unique(keys, return_inverse=True)
    lattice = np.stack(np.unravel_index(unique, tuple(shape)), axis=1)
    return lattice, cells.reshape(-1, 4).astype(np.int32)
