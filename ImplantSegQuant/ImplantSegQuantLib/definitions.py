"""What every measurement is called, where it stands in a report, and how it is defined."""

from __future__ import annotations

from typing import NamedTuple


class Definition(NamedTuple):
    """How a report speaks of one measurement."""

    group: str
    title: str
    formula: str
    """One line of HTML."""


DEGRADATION = "Degradation"
OSSEOINTEGRATION = "Osseointegration"
GROUPS = (DEGRADATION, OSSEOINTEGRATION)

_VI, _VR, _AI = "V<sub>i</sub>", "V<sub>r</sub>", "A<sub>i</sub>"

DEFINITIONS: dict[str, Definition] = {
    "degradation_rate": Definition(
        DEGRADATION,
        "Degradation rate, DR (surface by voxel faces)",
        f"DR = ({_VI} − {_VR}) / ({_AI} · t), t = weeks · 7 / 365.25 years, with {_AI} the initial surface by voxel "
        "faces, as published; faces overestimate a smooth area by 27–54 % depending on how the sample lies, so this DR "
        "is low by that factor",
    ),
    "degradation_rate_unbiased": Definition(
        DEGRADATION,
        "Degradation rate, DR (unbiased surface)",
        f"the same with {_AI} the unbiased initial surface, which does not depend on how the sample lies",
    ),
    "volume_loss": Definition(DEGRADATION, "Volume loss, VL", f"VL = {_VI} − {_VR}"),
    "volume_loss_fraction": Definition(DEGRADATION, "Volume loss fraction", f"VL / {_VI} · 100 %"),
    "initial_volume": Definition(
        DEGRADATION,
        f"Initial volume, {_VI}",
        "volume of the registered reference inside the field of view, integrated from its distance field",
    ),
    "residual_volume": Definition(
        DEGRADATION,
        f"Residual volume, {_VR}",
        "voxels of residual material inside the field of view × voxel volume",
    ),
    "degradation_layer_volume": Definition(
        DEGRADATION,
        "Degradation layer volume",
        "voxels of the degradation layer inside the field of view × voxel volume",
    ),
    "initial_surface": Definition(
        DEGRADATION,
        f"Initial surface, {_AI} (voxel faces)",
        "voxel faces of the registered reference × face area; cut planes of the field of view do not count",
    ),
    "initial_surface_unbiased": Definition(
        DEGRADATION,
        f"Initial surface, {_AI} (unbiased)",
        "area of the registered reference without the staircase of voxel faces; cut planes do not count",
    ),
    "initial_surface_voxels": Definition(
        DEGRADATION,
        f"Initial surface, {_AI} (surface voxels)",
        "voxels of the registered reference that touch its outside × face area",
    ),
    "degradation_layer_thickness": Definition(
        DEGRADATION,
        "Degradation layer thickness, mean",
        "mean local thickness (diameter of the largest inscribed sphere) over the degradation layer",
    ),
    "corrosion_depth": Definition(
        DEGRADATION,
        "Corrosion depth, mean",
        "mean depth of the surface of the residual material below the surface of the registered reference",
    ),
    "bone_implant_contact": Definition(
        OSSEOINTEGRATION,
        "Bone–implant contact, BIC",
        "faces implant–bone / (faces implant–bone + faces implant–background) · 100 %, implant = residual material ∪ "
        "degradation layer, inside the ROI; cut planes do not count",
    ),
    "bone_implant_contact_corrected": Definition(
        OSSEOINTEGRATION,
        "BIC, less the model's bias",
        "BIC moved by the median error that the model made on its calibration scans; only with its own interval, and "
        "only for scans like those",
    ),
    "bone_implant_contact_weighted": Definition(
        OSSEOINTEGRATION,
        "BIC, weighted by surface normal",
        "BIC with every face weighted by the surface normal, which does not depend on how the sample lies",
    ),
    "bone_implant_contact_voxels": Definition(
        OSSEOINTEGRATION,
        "BIC by surface voxels",
        "implant voxels that touch bone / implant voxels that touch bone or background · 100 %",
    ),
    "bone_implant_contact_without_pores": Definition(
        OSSEOINTEGRATION,
        "BIC without pores",
        "BIC without the faces of pores: enclosed parts of the implant's complement that reach no border of the field "
        "of view",
    ),
    "bone_volume_fraction": Definition(
        OSSEOINTEGRATION,
        "Bone volume fraction, BV/TV",
        "bone / (bone + background) · 100 %, voxels inside the ROI",
    ),
    "roi_volume": Definition(
        OSSEOINTEGRATION,
        "Volume of the ROI",
        "voxels within the ROI distance of the registered reference (its interior included) and inside the field of "
        "view × voxel volume",
    ),
}

QUALITY: dict[str, str] = {
    "IoU": "|P ∩ T| / |P ∪ T| · 100 % per class, P predicted and T true voxels of the class, in the field of view",
    "Mean IoU": "mean of the IoU of the classes that occur in the prediction or in the truth",
    "Dice": "2 |P ∩ T| / (|P| + |T|) · 100 %",
    "Surface Dice": "share of both surfaces of a class that lies within one voxel of the other surface, in %",
    "Boundary error": "distance from each surface voxel of a class to the nearest one of the other segmentation, both "
    "ways together: mean, and the distance within which 95 % of both surfaces lie, in µm; searched for up to 20 voxels",
    "Relative error": "(value − truth) / truth · 100 %, signed; undefined where the truth is 0",
}

SCORES: dict[str, str] = {
    "iou_percent": "IoU (%)",
    "dice_percent": "Dice (%)",
    "surface_dice_percent": "Surface Dice (%)",
    "boundary_error_mean_um": "Boundary error, mean (µm)",
    "boundary_error_95_um": "95 % (µm)",
}
"""Scores per class, as the columns of a table."""

PARTS: dict[str, str] = {
    "labels": "the labels",
    "registration": "the registration",
    "model": "the model's own error",
}
"""What an interval is made of, in words."""

REGISTRATION: dict[str, str] = {
    "pose": "Pose of the reference",
    "surface_distance_mean_um": "Distance of sound flanks from the reference, mean (µm)",
    "surface_distance_95_um": "Distance of sound flanks from the reference, 95th percentile (µm)",
    "boundary_offset_um": "How much too thick the labels are on sound flanks all over (µm)",
    "sound_percent": "Share of the implant's surface that is sound (%)",
    "outside_percent": "Share of the implant clearly outside the reference (%)",
    "filled_percent": "Share of the reference in the field of view that is implant (%)",
    "score": "Two-way surface score (0 is best, 1 is worst)",
    "slide_um": "Slide along the reference that the fit cannot tell (µm)",
    "slide_volume_percent": "Change of the initial volume over that slide (%)",
    "volume_spread_percent": "Standard deviation of the initial volume over plausible poses (%)",
    "rival_volume_percent": "Range of the initial volume over poses that fit nearly as well (%)",
}
"""What the figures of a fit are called."""

UNITS: dict[str, str] = {"mm^2": "mm²", "mm^3": "mm³", "um": "µm"}
"""Units as people read them."""

FLANKS: dict[str, str] = {
    "leading_flank": "leading flank (to the tip)",
    "trailing_flank": "trailing flank (to the head)",
    "crest": "crest",
    "root": "root",
}
"""Sides of a screw's thread."""
