"""The figures of a study: which there are, their files, and what stands under them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ImplantSegQuantLib.study import plot_errors, plot_groups, plot_training
from ImplantSegQuantLib.study.cohort import TRUTH, folder_name
from ImplantSegQuantLib.study.style import STYLE, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ImplantSegQuantLib.study.flow import Study

TRAINING, ERRORS, GROUPS, AGREEMENT = "training", "errors", "groups", "agreement"


@dataclass(frozen=True)
class Drawn:
    """A figure that was written."""

    kind: str
    """``training``, ``errors``, ``groups`` or ``agreement``."""
    name: str
    """Name of its files, without suffix."""
    model: str
    """Whose numbers it shows; empty: those of all."""
    svg: str
    """Text of the SVG."""
    width_in: float
    """Width in print."""


def write_figures(study: Study, folder: Path) -> list[Drawn]:
    """Write every figure as PNG and SVG.

    Raises
    ------
    InputError
        When the folder cannot be written or the disk is full.
    """
    import matplotlib

    with matplotlib.rc_context(STYLE):
        return [
            Drawn(kind, name, model, save(figure, folder, name), figure.get_figwidth())
            for kind, name, model, figure in _figures(study)
        ]


def _figures(study: Study) -> Iterator[tuple[str, str, str, Figure]]:
    models, by = study.analysis.models, study.cohort.group_by
    groups = list(dict.fromkeys(row.group(by) for row in study.rows))
    if study.training:
        yield TRAINING, "figure2", "", plot_training.training_figure(study.training)
    if any(row.relative_error_percent is not None for row in study.rows):
        titles = {model: study.cohort.title(model) for model in models}
        yield ERRORS, "figure4", "", plot_errors.errors_figure(study.rows, titles)
    for model in [*models, TRUTH]:
        own = [row for row in study.rows if row.model == model]
        drawn = plot_groups.groups_figure(own, study.cohort.measures, groups, by)
        if drawn is not None:
            yield GROUPS, f"groups-{folder_name(model)}", model, drawn
        if any(row.truth is not None for row in own):
            yield AGREEMENT, f"agreement-{folder_name(model)}", model, plot_errors.agreement_figure(own, groups, by)
