"""What stands under the figures of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ImplantSegQuantLib.study.cohort import TRUTH
from ImplantSegQuantLib.study.drawing import AGREEMENT, ERRORS, TRAINING, Drawn
from ImplantSegQuantLib.study.measurements import short
from ImplantSegQuantLib.study.training import by_framework

if TYPE_CHECKING:
    from ImplantSegQuantLib.study.flow import Study


def caption(study: Study, figure: Drawn) -> dict[str, str]:
    """Title, caption and description of a figure."""
    makers = {TRAINING: _training, ERRORS: _errors, AGREEMENT: _agreement}
    title, text, alt = makers.get(figure.kind, _groups)(study, figure)
    return {"title": title, "caption": text, "alt": alt}


def _training(study: Study, _: Drawn) -> tuple[str, str, str]:
    folds = sorted({len(one.folds) for one in study.training})
    counts = " or ".join(map(str, folds))
    sizes = bool(by_framework(study.training))
    a = "(A) Networks that were trained at several input sizes. (B) " if sizes else ""
    return (
        "Figure 2. Validation mIoU and input size.",
        f"{a}Every network at its best input size. Mean ± standard deviation over n = {counts} folds.",
        "Validation mean IoU of the networks, against their input size and beside each other.",
    )


def _errors(_study: Study, _: Drawn) -> tuple[str, str, str]:
    return (
        "Figure 4. Relative errors of DR, BIC and BV/TV against the ground truth.",
        "Bars: mean over the samples, with the standard deviation; circles: the samples. Signed: above 0 the model "
        "measures too much.",
        "Bar charts of the mean relative error of degradation rate, bone contact and bone volume fraction by model.",
    )


def _agreement(study: Study, figure: Drawn) -> tuple[str, str, str]:
    return (
        f"Agreement with the truth, labels of {study.cohort.title(figure.model)}.",
        "Difference from the truth against the truth, a marker for every sample. Lines: bias (solid) and limits of "
        "agreement, bias ± 1.96 standard deviations (dashed), from three samples on.",
        "Bland and Altman plots of degradation rate, bone contact and bone volume fraction.",
    )


def _groups(study: Study, figure: Drawn) -> tuple[str, str, str]:
    labels = "the ground truth" if figure.model == TRUTH else f"the labels of {study.cohort.title(figure.model)}"
    own = [row for row in study.rows if row.model == figure.model]
    by = study.cohort.group_by
    several = len({row.group(by) for row in study.rows}) > 1
    some = any(row.interval_low is not None for row in own)
    intervals = " Thin lines through samples: their intervals." if some else ""
    names = ", ".join(short(name) for name in study.cohort.measures if any(row.name == name for row in own))
    return (
        f"Measurements on {labels} over the healing time.",
        f"Open markers: samples; filled: mean ± standard deviation (n ≥ 2), joined for the eye.{intervals}"
        + (
            f" In brackets the number of samples, n, of each {by}, in the order of the legend."
            if several
            else " In brackets the number of samples, n."
        ),
        f"{names} against the healing time, by {by}.",
    )
