"""From a cohort to its tasks: one for every sample and model, each with the jobs that it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference.job import SegmentJob
from ImplantSegQuantLib.study.cohort import TRUTH, Cohort, StudySample, folder_name
from ImplantSegQuantLib.workflow import QuantifyJob

SAMPLES = "samples"
"""Folder of the samples in that of the study."""


@dataclass(frozen=True)
class Task:
    """One sample, measured on the labels of one model."""

    sample: str
    """Name of the sample."""
    model: str
    """Name of the model, or person, that made the labels."""
    folder: Path
    """Where the results are, or will be."""
    quantify: QuantifyJob | None = None
    """What measures; None: ``folder`` was given and holds the results."""
    segment: SegmentJob | None = None
    """What makes the labels first, if anything."""

    def __str__(self) -> str:
        return f"{self.sample} · {self.model}"


def plan(cohort: Cohort, out: str | Path) -> list[Task]:
    """List the tasks of a cohort, in its order.

    Parameters
    ----------
    cohort : Cohort
        What is to be measured.
    out : path
        Folder of the study.

    Raises
    ------
    InputError
        For a sample that lacks what its measuring needs, a file that is not there, and two models of one name; all
        samples are checked, and the message tells how many more are wrong.
    """
    tasks, wrong = [], []
    for sample in cohort.samples:
        try:
            tasks += _tasks(cohort, sample, Path(out).absolute() / SAMPLES / sample.folder)
        except InputError as error:
            wrong.append(error)
    if wrong:
        more = f" ({len(wrong) - 1} more samples are wrong)" if len(wrong) > 1 else ""
        raise InputError(wrong[0].message + more, f"{wrong[0].remedy}; nothing was started")
    return tasks


def _tasks(cohort: Cohort, sample: StudySample, out: Path) -> list[Task]:
    wanted = cohort.models if sample.models is None else sample.models
    run = {Path(model).name.removesuffix(".safetensors"): model for model in wanted if sample.image or sample.models}
    if len(run) < len(wanted) and (sample.image or sample.models):
        raise InputError(f"sample {sample.name!r} names two models of one name", "rename one of the files")
    _check_models(sample, [*sample.segmentations, *run, *sample.results])
    _check_files(sample)
    if not set(sample.probabilities) <= set(sample.segmentations):
        raise InputError(
            f"sample {sample.name!r} has probabilities of {', '.join(sample.probabilities)}, wanted those of models in "
            "its segmentations",
            "name both alike; models that run write their own with intervals = true",
        )
    tasks = [Task(sample.name, model, Path(folder)) for model, folder in sample.results.items()]
    for model, labels in sample.segmentations.items():
        job = _quantify(cohort, sample, out / folder_name(model), labels, sample.probabilities.get(model))
        tasks.append(Task(sample.name, model, Path(job.out), job))
    return tasks + [_with_model(cohort, sample, out, name, model) for name, model in run.items()]


def _with_model(cohort: Cohort, sample: StudySample, out: Path, name: str, model: str) -> Task:
    """Task of a model that runs: it segments into the folder of the results, and then measures."""
    from ImplantSegLib.models.registry import find

    if sample.image is None:
        raise InputError(f"sample {sample.name!r} names models but no image", "give the scan that they segment")
    folder = out / folder_name(name)
    probabilities = folder / "probabilities.ome.zarr" if cohort.intervals else None
    segment = SegmentJob(
        input=Path(sample.image),
        output=folder / "labels.seg.nrrd",
        model=str(find(model)),
        fov=sample.fov or cohort.fov,
        spacing_um=sample.spacing_um,
        probabilities=probabilities,
    )
    job = _quantify(cohort, sample, folder, str(segment.output), None if probabilities is None else str(probabilities))
    return Task(sample.name, name, folder, job, segment)


def _quantify(
    cohort: Cohort, sample: StudySample, out: Path, labels: str, probabilities: str | None = None
) -> QuantifyJob:
    reference = sample.reference or cohort.reference
    weeks = cohort.weeks if sample.weeks is None else sample.weeks
    if reference is None:
        raise InputError(f"sample {sample.name!r} has no reference", "give one to the cohort or to the sample")
    if weeks is None:
        raise InputError(f"sample {sample.name!r} has no weeks", "give its healing time: a rate needs it")
    try:
        return QuantifyJob(
            segmentation=labels,
            reference=reference,
            weeks=weeks,
            out=str(out),
            pose=sample.pose,
            truth=sample.truth,
            image=sample.image,
            roi_mm=cohort.roi_mm if sample.roi_mm is None else sample.roi_mm,
            fov=sample.fov or cohort.fov,
            spacing_um=sample.spacing_um,
            surfaces=cohort.surfaces,
            probabilities=probabilities,
        )
    except InputError as error:
        raise InputError(f"sample {sample.name!r}: {error.message}", error.remedy) from error


def _check_models(sample: StudySample, names: list[str]) -> None:
    if not names:
        raise InputError(
            f"sample {sample.name!r} has nothing to measure",
            "give it segmentations, results of quantify, or an image and models that segment it",
        )
    if TRUTH in names:
        raise InputError(f"sample {sample.name!r} has a model called {TRUTH!r}", "pass true labels as truth = ...")
    folders = [folder_name(name).lower() for name in names]
    if repeated := next((name for name, own in zip(names, folders, strict=True) if folders.count(own) > 1), None):
        raise InputError(f"sample {sample.name!r} has two models called {repeated!r}", "give each its own name")


def _check_files(sample: StudySample) -> None:
    for role, path in _files(sample):
        if not Path(path).exists():
            raise InputError(f"sample {sample.name!r}: there is no {role} {path}", "correct the path")


def _files(sample: StudySample) -> Iterator[tuple[str, str]]:
    single = {"image": sample.image, "truth": sample.truth, "pose": sample.pose}
    yield from ((role, path) for role, path in single.items() if path is not None)
    tables = {"segmentation": sample.segmentations, "results": sample.results, "probabilities": sample.probabilities}
    yield from ((role, path) for role, table in tables.items() for path in table.values())


def voxels(tasks: Iterable[Task]) -> int:
    """Voxels of the largest volume that a task reads; 0 where no file tells."""
    from ImplantSegLib.volumes import read

    largest = 0
    for task in tasks:
        path = task.segment.input if task.segment else task.quantify.segmentation if task.quantify else None
        try:
            shape = read(path).shape if path is not None else (0,)
        except InputError:
            continue  # the task itself will say what is wrong
        size = 1
        for count in shape:
            size *= count
        largest = max(largest, size)
    return largest
