"""``report.html``: numbers, pictures, definitions and provenance of one quantification, in one file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib import __version__, progress
from ImplantSegLib.files import write_text
from ImplantSegLib.volumes import FieldOfView, read
from ImplantSegQuantLib import charts, figures, render3d, tables
from ImplantSegQuantLib.definitions import DEFINITIONS, QUALITY
from ImplantSegQuantLib.figures import Slices
from ImplantSegQuantLib.interval_chart import intervals_figure
from ImplantSegQuantLib.results import strict, write_results
from ImplantSegQuantLib.views import Coarse, Field, Index, Planes, coarsen, field_planes, nearest_voxel, planes

if TYPE_CHECKING:
    from ImplantSegLib.volumes import Volume
    from ImplantSegQuantLib.unroll import Unrolled

__all__ = ["Illustrations", "write_report", "write_results"]

_log = logging.getLogger(__name__)

_FAR_MM = 100.0

_ALONG = 0.9
"""Cosine between an axis of the grid and one of the world from which on they are the same to a reader."""


@dataclass(frozen=True)
class Illustrations:
    """What a report shows if it has it.

    Parameters
    ----------
    image : Volume, shape (Z, Y, X), optional
        Grey values under the labels.
    reference : callable, optional
        Gives the signed distance in mm, float (N,), of points (N, 3) of the scan's world, (x, y, z) LPS, to the
        surface of the registered reference; it draws the outline of the reference.
        With a pose: ``lambda points: reference.distance(pose.apply(points))``.
    contact, depth : Unrolled, optional
        Bone contact (0 to 1) and corrosion depth (µm) on the unrolled surface.
    """

    image: Volume | None = None
    reference: Field | None = None
    contact: Unrolled | None = None
    depth: Unrolled | None = None


def write_report(
    outdir: str | Path,
    result: Mapping[str, Any],
    segmentation: Volume,
    roi: Volume,
    more: Illustrations | None = None,
) -> Path:
    """Write ``report.html``: one file with every picture in it, for a browser without a network and for paper.

    Volumes are read slab by slab; the 3D pictures are made from a copy of at most 200 blocks along each axis.

    Parameters
    ----------
    outdir : path
        Folder of the results, made when missing.
    result : mapping
        What ``results.json`` holds: ``"measurements"`` and, where there are any, ``"truth"``,
        ``"relative_error_percent"``, ``"iou_percent"``, ``"mean_iou_percent"``, ``"registration"``,
        ``"warnings"``, ``"job"`` and ``"provenance"``.
    segmentation : Volume, labels, shape (Z, Y, X)
        What was measured.
    roi : Volume, shape (Z, Y, X)
        Not zero inside the region of interest.
    more : Illustrations, optional
        What else there is to show.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputError
        When the folder may not be written or the disk is full.
    """
    more = more or Illustrations()
    with progress.stage("report", 4) as advance:
        coarse = coarsen(segmentation)
        advance(note="slices")
        index = nearest_voxel(segmentation, coarse.centre_mm())
        seen = {
            name: planes(volume, index) for name, volume in (("grey", more.image), ("roi", roi)) if volume is not None
        }
        slices = Slices(
            planes(segmentation, index),
            seen.get("grey"),
            _outlines(index, segmentation, seen["roi"], _field_of_view(result, segmentation), more.reference),
            segmentation.spacing_mm,
            index,
            _mirrored(segmentation),
        )
        shown: dict[str, Any] = {"slices": figures.slices_figure(slices), "slices_alt": _slices_alt(slices)}
        shown["has_image"] = more.image is not None
        shown["unrolled"] = charts.unrolled_figure(more.contact, more.depth)
        shown["intervals"] = intervals_figure(result)
        shown["profiles"] = charts.profiles_figure(result.get("profiles") or {}, result.get("truth_profiles") or {})
        advance(note="3D pictures")
        shown |= _pictures(coarse)
        advance(note="page")
        path = Path(outdir) / "report.html"
        write_text(path, _page(strict(result), segmentation, shown))
        advance()
    return path


def _mirrored(volume: Volume) -> tuple[bool, bool, bool]:
    """Whether the world runs against the index along (z, y, x), where the grid lies along the world at all."""
    x, y, z = np.diag(volume.direction)
    return bool(z < -_ALONG), bool(y < -_ALONG), bool(x < -_ALONG)


def _outlines(
    index: Index, segmentation: Volume, roi: Planes, fov: FieldOfView, reference: Field | None
) -> dict[str, tuple[Planes, float]]:
    """Fields in the three planes whose contours are drawn, in the order of drawing, with the level of the contour."""
    outlines: dict[str, tuple[Planes, float]] = {}
    if reference is not None:
        distance = field_planes(segmentation, index, reference)
        # a reference that is cut off has no surface beyond its end: its distance there is far away
        outlines["reference"] = (Planes(*(np.where(plane > _FAR_MM, np.nan, plane) for plane in distance)), 0.0)
    outlines["roi"] = (_as_field(roi), 0.5)
    if (inside := _inside(index, segmentation, fov)) is not None:
        outlines["fov"] = (_as_field(inside), 0.5)
    return outlines


def _as_field(mask: Planes) -> Planes:
    return Planes(*((plane != 0).astype(np.float32) for plane in mask))


def _field_of_view(result: Mapping[str, Any], segmentation: Volume) -> FieldOfView:
    """Field of view that the job names, else that of the segmentation's file."""
    text = str((result.get("job") or {}).get("fov") or "auto")
    return FieldOfView.of(segmentation) if text == "auto" else FieldOfView.parse(text)


def _inside(index: Index, segmentation: Volume, fov: FieldOfView) -> Planes | None:
    """Planes of the field of view's mask; None where it is the whole box."""
    if fov.mask is not None:
        return planes(read(str(fov.mask)), index)
    mask = fov.slice_mask(segmentation.shape[1:])
    if mask is None:
        return None
    _, y, x = index
    depth = np.ones((segmentation.shape[0], 1), bool)
    return Planes(mask, depth & mask[y], depth & mask[:, x])


def _slices_alt(slices: Slices) -> str:
    shown = "Grey values, and labels in class colours over them," if slices.grey else "Labels in class colours"
    drawn = ", ".join(figures.OUTLINES[name][2] for name in slices.outlines)
    return f"{shown} in the xy, xz and yz planes through the implant's centre. Outlines: {drawn}."


def _pictures(coarse: Coarse) -> dict[str, str]:
    """Give the 3D figure, or why there is none: a report without it is better than no report."""
    try:
        return {"pictures": figures.pictures_figure(render3d.render(coarse))}
    except render3d.RenderError as error:
        _log.warning("%s", error)
        return {"pictures_missing": error.message, "pictures_remedy": error.remedy}


def _page(result: dict[str, Any], segmentation: Volume, shown: Mapping[str, Any]) -> str:
    """Fill the template."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=_strictly())
    source = resources.files("ImplantSegQuantLib").joinpath("data/report.html").read_text(encoding="utf-8")
    groups = tables.measurement_groups(result)
    scores, classes = tables.scores(result)
    every_row = [row for group in groups for row in group["rows"]]
    return environment.from_string(source).render(
        title=_sample(result),
        facts=_facts(result, segmentation),
        cards=tables.key_figures(result),
        warnings=result.get("warnings") or [],
        groups=groups,
        has_truth=bool(result.get("truth")),
        has_interval=any(row["interval"] != tables.ABSENT for row in every_row),
        interval_heading=tables.interval_heading(result),
        uncertainty=tables.uncertainty_rows(result),
        uncertainty_sentences=tables.uncertainty_sentences(result),
        scores=scores,
        classes=classes,
        mean_iou=result.get("mean_iou_percent"),
        regions=tables.region_rows(result),
        region_columns=tables.REGION_COLUMNS.values(),
        flanks=tables.flank_rows(result),
        flank_columns=tables.FLANK_COLUMNS.values(),
        registration=tables.registration_rows(result),
        has_truth_registration=bool(result.get("truth_registration")),
        definitions=[
            (DEFINITIONS[name], name, result["measurements"][name].get("note") or "")
            for name in DEFINITIONS
            if name in result["measurements"]
        ],
        quality=QUALITY if result.get("iou_percent") or result.get("truth") else {},
        job=list(tables.flat(result.get("job") or {})),
        provenance=list(tables.flat(result.get("provenance") or {})),
        version=__version__,
        **{"pictures": "", "pictures_missing": "", "pictures_remedy": "", **shown},
    )


def _strictly() -> Any:
    import jinja2

    return jinja2.StrictUndefined


def _sample(result: Mapping[str, Any]) -> str:
    """Name of the sample: as the job says, else folder and file name of what was measured."""
    job = result.get("job") or {}
    if job.get("sample"):
        return str(job["sample"])
    path = Path(str(job.get("segmentation") or "sample")).absolute()
    name = path.name.removesuffix(".gz").removesuffix(".nrrd").removesuffix(".seg")
    return f"{path.parent.name} / {name}" if path.parent.name else name


def _facts(result: Mapping[str, Any], segmentation: Volume) -> list[tuple[str, str]]:
    """Give what stands under the title."""
    job, provenance = result.get("job") or {}, result.get("provenance") or {}
    date = str(provenance.get("date") or "")[:10]
    steps = [f"{1000 * step:.4g}" for step in segmentation.spacing_mm]
    voxel = steps[0] if len(set(steps)) == 1 else " × ".join(steps) + " (z, y, x)"
    shape = " × ".join(map(str, segmentation.shape))
    facts = [("Date", date), ("Healing time", _weeks(job.get("weeks")))]
    facts += [("Voxel size", f"{voxel} µm"), ("Volume", f"{shape} voxels (z, y, x)")]
    return [(name, text) for name, text in facts if text]


def _weeks(weeks: float | None) -> str:
    return "" if weeks is None else f"{weeks:g} weeks"
