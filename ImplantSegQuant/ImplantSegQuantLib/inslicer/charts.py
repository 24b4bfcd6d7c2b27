"""Charts: relative errors of a sample, and a measure of many samples over the healing time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer
from slicer.i18n import tr as _

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.groups import VALUE, group_table
from ImplantSegQuantLib.inslicer import names, samples, tables
from ImplantSegQuantLib.results import number

_BLUE, _ORANGE = (0.13, 0.40, 0.67), (0.90, 0.38, 0.0)


def errors_chart(sample: str) -> Any:
    """Chart of the relative errors of a sample against its ground truth.

    Raises
    ------
    InputError
        When the sample was measured without a ground truth.
    """
    result = samples.result(samples.find(sample, names.RESULTS))
    errors = result.get("relative_error_percent") or {}
    rows = [(tables.title(name), number(value)) for name, value in errors.items() if number(value) is not None]
    if not rows:
        raise InputError(f"{sample} was measured without a ground truth", "choose one, and measure again")
    samples.forget(sample, names.ERRORS, names.ERRORS_SERIES, names.ERRORS_CHART)
    table = samples.add("vtkMRMLTableNode", f"{sample} errors", sample, names.ERRORS)
    tables.fill(table, [("Measure", [row[0] for row in rows]), ("Error (%)", [row[1] for row in rows])])
    series = samples.add("vtkMRMLPlotSeriesNode", _("Relative error"), sample, names.ERRORS_SERIES)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeBar)
    series.SetLabelColumnName("Measure")
    series.SetYColumnName("Error (%)")
    series.SetColor(*_BLUE)
    chart = samples.add("vtkMRMLPlotChartNode", f"{sample} errors chart", sample, names.ERRORS_CHART)
    _describe(chart, _("{sample}: errors against the ground truth").format(sample=sample), "", _("Relative error (%)"))
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetLegendVisibility(False)
    return chart


def time_chart(found: Sequence[tuple[str, Mapping[str, Any]]], measure: str) -> Any:
    """Chart of one measure of many samples over the healing time, with the mean at every time.

    Parameters
    ----------
    found : sequence of (str, mapping)
        Name and results of every sample.
    measure : str
        Name of the measure.

    Raises
    ------
    InputError
        When no sample has it.
    """
    points = [
        (name, float(result["job"]["weeks"]), result["measurements"][measure])
        for name, result in found
        if measure in result["measurements"] and result["measurements"][measure]["value"] is not None
    ]
    if not points:
        raise InputError(f"no sample has the measure {tables.title(measure)!r}", "check samples that were measured")
    samples.forget("", names.COHORT)
    unit = tables.unit(points[0][2]["unit"])
    rows = [(name, weeks, entry["value"]) for name, weeks, entry in points]
    means = [
        row for row in group_table(result for _name, result in found) if (row["name"], row["kind"]) == (measure, VALUE)
    ]
    chart = samples.add("vtkMRMLPlotChartNode", f"{tables.title(measure)} over healing time", "", names.COHORT)
    _describe(chart, tables.title(measure), _("Healing time (weeks)"), f"{tables.title(measure)} ({unit})")
    _add_series(chart, _("Samples"), ("Sample", "Weeks", measure), rows, None)
    mean_rows = [("", float(row["weeks"]), row["mean"]) for row in means if row["mean"] is not None]
    _add_series(chart, _("Mean"), ("", "Weeks", measure), mean_rows, _ORANGE)
    return chart


def _add_series(chart: Any, title: str, columns: Sequence[str], rows: Sequence[Any], line: Any) -> None:
    """Add points, or a line with points where it has a colour."""
    table = samples.add("vtkMRMLTableNode", f"{title} over healing time", "", names.COHORT)
    tables.fill(table, [(name, [row[n] for row in rows]) for n, name in enumerate(columns) if name])
    series = samples.add("vtkMRMLPlotSeriesNode", title, "", names.COHORT)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeScatter)
    series.SetXColumnName(columns[1])
    series.SetYColumnName(columns[2])
    if columns[0]:
        series.SetLabelColumnName(columns[0])
    series.SetLineStyle(series.LineStyleSolid if line else series.LineStyleNone)
    series.SetMarkerStyle(series.MarkerStyleSquare if line else series.MarkerStyleCircle)
    series.SetColor(*(line or _BLUE))
    chart.AddAndObservePlotSeriesNodeID(series.GetID())


def _describe(chart: Any, title: str, x: str, y: str) -> None:
    chart.SetTitle(title)
    chart.SetXAxisTitle(x)
    chart.SetYAxisTitle(y)


def show(chart: Any) -> None:
    """Show a chart in a layout that has a place for one."""
    slicer.modules.plots.logic().ShowChartInLayout(chart)
