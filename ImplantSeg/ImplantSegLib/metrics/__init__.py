"""Counts on plain arrays of labels: overlap of two segmentations, distance of their surfaces, faces between labels."""

from ImplantSegLib.metrics.boundary import (
    Search,
    boundary_beyond_percent,
    boundary_counts,
    boundary_mean_um,
    boundary_percentile_um,
    search_steps,
    surface_bits,
)
from ImplantSegLib.metrics.faces import OUTSIDE, FaceCounter, contact_faces, count_faces, face_areas_mm2, surface_faces
from ImplantSegLib.metrics.overlap import (
    SURFACE_HALO,
    confusion,
    dice_percent,
    iou_percent,
    mean_iou_percent,
    surface_dice_percent,
    surface_matches,
)

__all__ = [
    "OUTSIDE",
    "SURFACE_HALO",
    "FaceCounter",
    "Search",
    "boundary_beyond_percent",
    "boundary_counts",
    "boundary_mean_um",
    "boundary_percentile_um",
    "confusion",
    "contact_faces",
    "count_faces",
    "dice_percent",
    "face_areas_mm2",
    "iou_percent",
    "mean_iou_percent",
    "search_steps",
    "surface_bits",
    "surface_dice_percent",
    "surface_faces",
    "surface_matches",
]
