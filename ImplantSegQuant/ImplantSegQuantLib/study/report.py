"""``report.html`` of a study: samples, tables, figures and statistics in one file."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ImplantSegLib import __version__
from ImplantSegLib.files import sha256
from ImplantSegQuantLib.definitions import DEFINITIONS, QUALITY
from ImplantSegQuantLib.study import captions, paper, report_tables
from ImplantSegQuantLib.study.cohort import TRUTH
from ImplantSegQuantLib.study.drawing import AGREEMENT, ERRORS, GROUPS, TRAINING, Drawn
from ImplantSegQuantLib.study.measurements import MEAN_IOU
from ImplantSegQuantLib.study.statistics import EXACT_ARRANGEMENTS, LEVEL, describe
from ImplantSegQuantLib.study.worker import DONE
from ImplantSegQuantLib.tables import flat

if TYPE_CHECKING:
    from ImplantSegQuantLib.study.flow import Study

SCREEN_PX_PER_IN = 125
"""Width of a figure on the screen."""

WIDE = 4
"""Samples up to which table 4 has the paper's layout, with a column for each."""


def page(study: Study, figures: Sequence[Drawn]) -> str:
    """Fill the template: text of an HTML page that needs no other file."""
    import jinja2

    source = resources.files("ImplantSegQuantLib").joinpath("data/study.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    found = study.analysis
    lines = report_tables.lines(study)
    shown = {kind: [] for kind in (TRAINING, ERRORS, GROUPS, AGREEMENT)}  # type: dict[str, list[dict[str, str]]]
    for figure in sorted(figures, key=lambda one: one.model != found.primary):
        shown[figure.kind].append(
            {
                **captions.caption(study, figure),
                "name": figure.name,
                "uri": _uri(figure.svg),
                "width": f"{SCREEN_PX_PER_IN * figure.width_in:.0f}",
            }
        )
    parts = {
        "part4": part4(study),
        "lines": lines,
        "agreements": report_tables.agreements(study),
        "summaries": report_tables.summaries(study),
        "tests": report_tables.tests(study),
    }
    return environment.from_string(source).render(
        title=study.cohort.name,
        facts=_facts(study),
        contents=list(_contents(parts, shown)),
        warnings=_warnings(study),
        properties=report_tables.properties(study),
        samples=_samples(study),
        figures=shown,
        has_truth=any(line["truth"] for line in lines),
        intervals=_intervals(study),
        titles=[study.cohort.title(model) for model in found.models],
        primary=study.cohort.title(found.primary) if found.primary else "no model",
        others="The same on other labels",
        by=study.cohort.group_by,
        arrangements=f"{EXACT_ARRANGEMENTS:,}".replace(",", " "),
        level=LEVEL,
        definitions=[
            (DEFINITIONS[name], name) for name in DEFINITIONS if any(row.name == name for row in study.rows)
        ],
        quality=QUALITY if parts["part4"] else {},
        provenance=list(flat(_provenance(study))),
        version=__version__,
        **parts,
    )  # fmt: skip


def _uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


def _contents(parts: Mapping[str, Any], figures: Mapping[str, Any]) -> Any:
    """Anchors and names of the sections that there are."""
    yield "samples", "Samples"
    for anchor, there, text in (
        ("training", figures[TRAINING], "Training"),
        ("overlap", parts["part4"], "Overlap"),
        ("parameters", parts["lines"], "DR, BIC, BV/TV"),
        ("agreement", parts["agreements"], "Agreement"),
        ("groups", figures[GROUPS], "Groups"),
        ("tests", parts["tests"], "Tests"),
    ):
        if there:
            yield anchor, text
    yield "methods", "Methods"
    yield "definitions", "Definitions"
    yield "provenance", "Provenance"


def _intervals(study: Study) -> str:
    """Say what the intervals are, where there are any."""
    if not any(row.interval_low is not None for row in study.rows):
        return ""
    jobs = [result.get("job") or {} for one in study.samples for result in one.results.values()]
    levels = sorted({job["level"] for job in jobs if job.get("probabilities") and "level" in job})
    return f"{' or '.join(f'{level:g}' for level in levels)} % intervals" if levels else "Intervals"


def _facts(study: Study) -> list[tuple[str, str]]:
    """Give what stands under the title."""
    weeks = sorted({one.weeks for one in study.samples if one.weeks is not None})
    facts = [
        ("Date", str(study.provenance.get("date", ""))[:10]),
        ("Samples", str(len(study.cohort.samples))),
        ("Healing times", ", ".join(f"{time:g}" for time in weeks) + " weeks" if weeks else ""),
        ("Labels of", ", ".join(study.cohort.title(model) for model in study.analysis.models)),
    ]
    return [(name, text) for name, text in facts if text]


def _warnings(study: Study) -> list[str]:
    failed = [f"{task.sample}, {study.cohort.title(task.model)}, failed: {outcome}" for task, outcome in study.failures]
    told: dict[str, list[str]] = {}
    for one in study.samples:
        for model, result in one.results.items():
            for warning in result.get("warnings") or []:
                told.setdefault(warning, []).append(f"{one.sample.name} ({study.cohort.title(model)})")
    own = [f"{', '.join(who)}: {warning}" for warning, who in told.items()]
    return [*failed, *study.analysis.warnings, *own]


def _samples(study: Study) -> list[dict[str, Any]]:
    """Rows of the table of samples."""
    by_name = {one.sample.name: one for one in study.samples}
    found = []
    for sample in study.cohort.samples:
        one = by_name.get(sample.name)
        weeks = one.weeks if one else sample.weeks
        truth = one is not None and any(result.get("truth") for result in one.results.values())
        found.append(
            {
                "name": sample.name,
                "weeks": "–" if weeks is None else f"{weeks:g}",
                "properties": [sample.group(key) or "–" for key in report_tables.properties(study)],
                "truth": "yes" if truth else "no",
                "links": _links(study, sample.name),
            }
        )
    return found


def _links(study: Study, sample: str) -> list[dict[str, Any]]:
    links = []
    for task, outcome in zip(study.tasks, study.outcomes, strict=True):
        if task.sample == sample:
            report = task.folder / "report.html"
            there = outcome.status == DONE and report.is_file()
            href = _seen_from(Path(study.job.out).absolute(), report.absolute()) if there else ""
            title = study.cohort.title(task.model)
            links.append({"text": title, "href": href, "failed": outcome.status != DONE})
    return links


def _seen_from(folder: Path, path: Path) -> str:
    """Link from a page in a folder to a file: relative, so that both may move, where they are on one drive."""
    try:
        return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:
        return path.as_uri()


def _provenance(study: Study) -> dict[str, Any]:
    """Versions, the cohort file, and the results that went in, each with its hash."""
    results = {
        f"{task.sample}, {task.model}": sha256(task.folder / "results.json")
        for task, outcome in zip(study.tasks, study.outcomes, strict=True)
        if outcome.status == DONE
    }
    return {**study.provenance, "sha256 of results.json": results}


def part4(study: Study) -> str:
    """Table 4 as a piece of HTML: a column for every score and sample, or, with many samples, a row for each."""
    cells = paper.table4(study.rows, study.analysis.models)
    if not cells:
        return ""
    samples = list(dict.fromkeys(sample for _, sample, _ in cells))
    return _wide(study, cells, samples) if len(samples) <= WIDE else _long(study, cells, samples)


_Cells = Mapping[tuple[str, str, str], paper.Cell]


def _wide(study: Study, cells: _Cells, samples: Sequence[str]) -> str:
    heads = "".join(
        f'<th scope="colgroup" colspan="{len(samples)}">{escape(title)}</th>' for title in paper.SCORES.values()
    )
    names = "".join(f'<th scope="col" class="n">{escape(sample)}</th>' for sample in samples) * len(paper.SCORES)
    rows = "".join(
        f'<tr><th scope="row" class="w">{escape(study.cohort.title(model))}</th>'
        + "".join(_cell(cells.get((score, sample, model))) for score in paper.SCORES for sample in samples)
        + "</tr>\n"
        for model in study.analysis.models
    )
    return _table4(f'<tr><th scope="col" rowspan="2">Model</th>{heads}</tr>\n<tr>{names}</tr>', rows)


def _long(study: Study, cells: _Cells, samples: Sequence[str]) -> str:
    heads = "".join(f'<th scope="col" class="n">{escape(title)}</th>' for title in paper.SCORES.values())
    rows = _means(study) + "".join(
        f'<tr class="{"again" if index else "first"}"><th scope="row" class="w">{escape(sample)}</th>'
        f"<td>{escape(study.cohort.title(model))}</td>"
        + "".join(_cell(cells.get((score, sample, model))) for score in paper.SCORES)
        + "</tr>\n"
        for sample in samples
        for index, model in enumerate(study.analysis.models)
    )
    return _table4(
        f'<tr><th scope="col">Sample</th><th scope="col">Model</th>{heads}</tr>',
        rows,
        "First: mean ± standard deviation over the samples.",
    )


def _means(study: Study) -> str:
    """Rows with mean and standard deviation over the samples."""
    return "".join(
        f'<tr class="{"again" if index else "first"}"><th scope="row" class="w">all samples</th>'
        f"<td>{escape(study.cohort.title(model))}, n = {_scored(study, model)}</td>"
        + "".join(f'<td class="n">{_mean(study, model, score)}</td>' for score in paper.SCORES)
        + "</tr>\n"
        for index, model in enumerate(study.analysis.models)
    )


def _scored(study: Study, model: str) -> int:
    """Count the samples on which a model has a mean IoU."""
    return sum((row.model, row.name) == (model, MEAN_IOU) and row.value is not None for row in study.rows)


def _mean(study: Study, model: str, score: str) -> str:
    own = describe(row.value for row in study.rows if (row.model, row.name) == (model, score))
    if own["mean"] is None:
        return ""
    return f"{own['mean']:.2f}" + ("" if own["sd"] is None else f" ± {own['sd']:.2f}")


def _cell(cell: paper.Cell | None) -> str:
    text = escape(cell.text) if cell else ""
    return f'<td class="n">{f"<b>{text}</b>" if cell and cell.best else text}</td>'


def _table4(head: str, rows: str, more: str = "") -> str:
    return (
        "<table>\n<caption><strong>Table 4.</strong> Intersection over union of every class with the "
        f"{TRUTH}, and its mean (mIoU), in %. Bold: the highest value of the models on a sample. {more}</caption>\n"
        f"<thead>{head}</thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
