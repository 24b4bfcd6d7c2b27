"""What a cross-validation has found: a table, CSV, JSON, figures and a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ImplantSegLib import jobs
from ImplantSegLib.files import atomic_path, write_text
from ImplantSegLib.training import page
from ImplantSegLib.training.crossval import Result, curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = {
    "mean_iou_percent": "mIoU, %",
    "iou_percent.residual_material": "IoU residual material, %",
    "iou_percent.degradation_layer": "IoU degradation layer, %",
    "iou_percent.bone": "IoU bone, %",
    "bic_error_percent": "BIC error, %",
    "contact_error_percent": "contact error in slices, %",
}
"""Scores of the table and their headings, in their order."""

CURVES = ("mean_iou_percent", "bic_error_percent", "contact_error_percent")
"""Scores that are drawn, where there are any."""


def write_summary(results: Sequence[Result], folder: Path) -> None:
    """Write ``summary.json``, ``summary.csv``, ``summary.html`` and the figures.

    Parameters
    ----------
    results : sequence of Result
        What was reached.
    folder : Path
        Receives the files: ``folds.png`` and ``.svg``, and, of several input sizes, ``sizes.png`` and ``.svg``.
    """
    content: dict[str, Any] = {"series": [_as_data(result) for result in results], "provenance": jobs.provenance()}
    write_text(folder / "summary.json", json.dumps(content, indent=1) + "\n")
    write_text(folder / "summary.csv", _as_csv(results))
    figures = {"folds": folds_figure(results)}
    if len({result.series.size for result in results}) > 1:
        figures["sizes"] = sizes_figure(results)
    for name, figure in figures.items():
        for suffix in ("png", "svg"):
            with atomic_path(folder / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, dpi=150)
    write_text(folder / "summary.html", _page(results, figures, content["provenance"]))


def _as_data(result: Result) -> dict[str, Any]:
    spreads = {score: spread for score in result.scores if (spread := result.spread(score))}
    return {
        "recipe": result.series.name,
        "input_size_px": result.series.size,
        "folds": result.folds,
        "mean": {score: mean for score, (mean, _) in spreads.items()},
        "standard_deviation": {score: deviation for score, (_, deviation) in spreads.items()},
    }


def _as_csv(results: Sequence[Result]) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["recipe", "input_size_px", "fold", "score", "value"])
    for result in results:
        for fold, scores in result.folds.items():
            for score, value in scores.items():
                lines.writerow([result.series.name, result.series.size, fold, score, "" if value is None else value])
    return text.getvalue()


def rows(results: Sequence[Result]) -> list[list[str]]:
    """Rows of the table: a heading, then every fold and the mean ± standard deviation of each series."""
    known = [score for score in SHOWN if any(result.spread(score) for result in results)]
    table = [["recipe", "size", "fold", *(SHOWN[score] for score in known)]]
    for result in results:
        start = [result.series.name, str(result.series.size)]
        for fold, scores in result.folds.items():
            table.append([*start, str(fold), *(_number(scores.get(score)) for score in known)])
        spreads = [result.spread(score) for score in known]
        means = ["–" if spread is None else f"{spread[0]:.1f} ± {spread[1]:.1f}" for spread in spreads]
        table.append([*start, f"mean of {len(result.folds)}", *means])
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def as_text(table: list[list[str]]) -> str:
    """Table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in table)
    return "\n".join(line.rstrip() for line in lines)


def folds_figure(results: Sequence[Result]) -> Figure:
    """Draw the validation scores of every fold against the step; one colour a series."""
    drawn = [score for score in CURVES if any(score in result.scores for result in results)]
    figure, axes = _figure(drawn)
    for number, result in enumerate(results):
        for fold in result.folds:
            records = curves(result.series, fold)
            for score, axis in zip(drawn, axes, strict=True):
                points = [(one["step"], one["validation"].get(score)) for one in records]
                known = [point for point in points if point[1] is not None]
                label = f"{result.series.name} {result.series.size}" if fold == min(result.folds) else None
                axis.plot(*zip(*known, strict=True), ".-" if known else "", color=f"C{number}", label=label, alpha=0.8)
    for axis in axes:
        axis.set_xlabel("step")
    axes[0].legend(frameon=False, fontsize="small")
    return figure


def sizes_figure(results: Sequence[Result]) -> Figure:
    """Draw scores against the input size, as the paper's figure 2A: mean over the folds, bars from least to most."""
    drawn = [score for score in CURVES if any(score in result.scores for result in results)]
    figure, axes = _figure(drawn)
    for number, name in enumerate(dict.fromkeys(result.series.name for result in results)):
        series = sorted((one for one in results if one.series.name == name), key=lambda one: one.series.size)
        for score, axis in zip(drawn, axes, strict=True):
            points = [(one.series.size, *_range(one, score)) for one in series if one.spread(score)]
            if points:
                sizes, means, lows, highs = zip(*points, strict=True)
                below = [mean - low for mean, low in zip(means, lows, strict=True)]
                above = [high - mean for mean, high in zip(means, highs, strict=True)]
                axis.errorbar(sizes, means, (below, above), fmt="o-", capsize=3, color=f"C{number}", label=name)
    for axis in axes:
        axis.set_xlabel("input size, pixels")
        axis.set_xticks(sorted({result.series.size for result in results}))
    axes[0].legend(frameon=False, fontsize="small")
    return figure


def _range(result: Result, score: str) -> tuple[float, float, float]:
    values = [value for scores in result.folds.values() if (value := scores.get(score)) is not None]
    return sum(values) / len(values), min(values), max(values)


def _figure(drawn: Sequence[str]) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(drawn), 3.4), layout="constrained")
    axes = list(figure.subplots(1, len(drawn), squeeze=False)[0])
    for score, axis in zip(drawn, axes, strict=True):
        axis.set_ylabel(SHOWN[score])
        axis.grid(alpha=0.3)
    return figure, axes


def _page(results: Sequence[Result], figures: dict[str, Figure], provenance: dict[str, Any]) -> str:
    head, *body = rows(results)
    return page.render(
        "crossval.html.j2",
        names=list(dict.fromkeys(result.series.name for result in results)),
        head=head,
        body=body,
        figures={name: page.embedded(figure) for name, figure in figures.items()},
        provenance=provenance,
        recipes={result.series.folder.name: jobs.to_toml(result.series.recipe) for result in results},
        by_slice=any(result.series.recipe.data.fold_unit == "slice" for result in results),
    )
