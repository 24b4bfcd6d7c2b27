"""The cohort file: which samples there are, what is known of each, and what is to be measured on it."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.definitions import DEFINITIONS
from ImplantSegQuantLib.roi import ROI_MM

TRUTH = "ground truth"
"""Name under which the true labels stand beside the models; no model may be called so."""

SITE, SUBJECT = "site", "subject"


@dataclass(frozen=True)
class StudySample:
    """A sample: an explant that was scanned once."""

    name: str
    """What it is called in tables and figures."""
    weeks: float | None = None
    """Healing time in weeks; the cohort's when left out."""
    site: str = ""
    """Where it was implanted, as ``diaphysis``."""
    subject: str = ""
    """Animal or patient that it comes from; samples of one subject are not independent of each other."""
    groups: dict[str, str] = field(default_factory=dict)
    """Other properties by which samples may be grouped, as ``{ alloy = "ZX00" }``."""
    segmentations: dict[str, str] = field(default_factory=dict)
    """Label volumes by the model, or person, that made them."""
    models: list[str] | None = None
    """Models that segment the image, by name or file; the cohort's when left out."""
    results: dict[str, str] = field(default_factory=dict)
    """Folders that ``quantify`` has written, by the model whose labels were measured."""
    image: str | None = None
    """The scan; needed by ``models``, and shown in the sample's own report."""
    truth: str | None = None
    """True labels on the same grid."""
    reference: str | None = None
    """The implant before it degraded; the cohort's when left out."""
    pose: str | None = None
    """Pose of the reference, an ITK transform; found by registration when left out."""
    fov: str | None = None
    """Field of view; the cohort's when left out."""
    roi_mm: float | None = None
    """Reach of the region of interest; the cohort's when left out."""
    spacing_um: tuple[float, float, float] | None = None
    """Voxel size (z, y, x) in µm, instead of what the files say."""
    probabilities: dict[str, str] = field(default_factory=dict)
    """Class probabilities by model, as ``segment --probabilities`` writes them: they give intervals."""

    def __post_init__(self) -> None:
        if not re.search(r"\w", self.name):
            raise InputError(f"got the sample name {self.name!r}, wanted letters or digits", "give it a name")

    @property
    def folder(self) -> str:
        """Name as that of a folder."""
        return folder_name(self.name)

    def group(self, key: str) -> str:
        """Value of a property by which samples are grouped; empty where it is unknown."""
        return {SITE: self.site, SUBJECT: self.subject, **self.groups}.get(key, "")


@dataclass(frozen=True)
class Training:
    """A training of a network, for figure 2: one with several folds, or several with one."""

    model: str
    """Network, as ``U-Net``."""
    input_size: list[int]
    """Pixels of a training patch along each axis, as ``[512, 512]``."""
    framework: str = ""
    """Framework that trained it; networks of one framework are compared at all their input sizes."""
    mean_iou_percent: list[float] = field(default_factory=list)
    """Validation mIoU of each fold, in %."""
    runs: list[str] = field(default_factory=list)
    """Where the folds left their scores: folders of ``implantseg train``, or JSON, JSONL or CSV files."""

    def __post_init__(self) -> None:
        if bool(self.mean_iou_percent) == bool(self.runs):
            raise InputError(
                f"the training of {self.model} has both mean_iou_percent and runs, or neither", "give one of the two"
            )
        if not self.input_size or min(self.input_size) < 1:
            raise InputError(
                f"the training of {self.model} has the input size {self.input_size}, wanted pixels along each axis",
                "write for example input_size = [512, 512]",
            )


@dataclass(frozen=True)
class Cohort:
    """What a cohort file says."""

    samples: list[StudySample]
    """The samples; in the file also the name of a CSV table with a line for each."""
    name: str = ""
    """Title of the study; the name of the file when left out."""
    training: list[Training] = field(default_factory=list)
    """Trainings for figure 2."""
    reference: str | None = None
    """The implant before it degraded: a label volume, a mesh in mm, or ``screw:diameter=3.5,length=16,...``."""
    weeks: float | None = None
    """Healing time in weeks."""
    models: list[str] = field(default_factory=list)
    """Models that segment the image of every sample that has one, by name or file."""
    roi_mm: float = ROI_MM
    """How far the region of interest reaches from the reference, in mm."""
    fov: str = "auto"
    """Field of view, as for ``quantify``."""
    surfaces: bool = True
    """Whether every sample gets its surfaces and the pictures that need them."""
    intervals: bool = False
    """Whether the models that run also write class probabilities, from which intervals are made."""
    group_by: str = SITE
    """Property that tells groups apart within a healing time: ``site``, or a key of ``groups``."""
    primary: str = ""
    """Model whose groups the report shows first; the one with the best mean IoU when left out."""
    titles: dict[str, str] = field(default_factory=dict)
    """What models are called in tables and figures, where that is not their name."""
    measures: list[str] = field(
        default_factory=lambda: [
            "degradation_rate", "bone_implant_contact", "bone_volume_fraction",
            "volume_loss_fraction", "degradation_layer_thickness", "corrosion_depth",
        ]
    )  # fmt: skip
    """Measurements that are drawn and tested by group; all of them are in the tables."""

    def __post_init__(self) -> None:
        if not self.samples:
            raise InputError("the cohort has no samples", "add at least one [[samples]]")
        self._refuse_repeated("name", [sample.name for sample in self.samples])
        self._refuse_repeated("folder name", [sample.folder.lower() for sample in self.samples])
        for name in self.measures:
            if name not in DEFINITIONS:
                raise InputError(f"got the measure {name!r}", f"choose from: {', '.join(DEFINITIONS)}")

    def _refuse_repeated(self, what: str, names: Iterable[str]) -> None:
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise InputError(f"several samples have the {what} {repeated[0]!r}", "give every sample its own name")

    def title(self, model: str) -> str:
        """Give what a model is called."""
        return self.titles.get(model, TRUTH.capitalize() if model == TRUTH else model)


def read_cohort(path: str | Path) -> Cohort:
    """Read a cohort file, with all its paths as seen from its folder.

    Parameters
    ----------
    path : path
        A TOML file with the keys of :class:`Cohort`; ``samples`` may also name a CSV table,
        see :func:`~ImplantSegQuantLib.study.sheet.read_sheet`.

    Raises
    ------
    InputError
        For an unknown key (naming the nearest known one), a wrong value, or two samples of one name.
    """
    from ImplantSegQuantLib.study.sheet import read_sheet

    path = Path(path)
    if path.is_dir():
        raise InputError(f"got {path}, which is a folder, wanted a cohort file", "pass the .toml file")
    values = jobs.load_toml(path)
    if isinstance(values.get("samples"), str):
        values["samples"] = read_sheet(path.parent / values["samples"])
    cohort = jobs.from_mapping(Cohort, values, str(path))
    folder = path.absolute().parent
    return dataclasses.replace(
        cohort,
        name=cohort.name or path.stem,
        reference=_seen_from(folder, cohort.reference, "reference"),
        fov=_seen_from(folder, cohort.fov, "fov"),
        models=[_seen_from(folder, model, "model") for model in cohort.models],
        samples=[_sample_seen_from(folder, sample) for sample in cohort.samples],
        training=[
            dataclasses.replace(one, runs=[_seen_from(folder, run, "run") for run in one.runs])
            for one in cohort.training
        ],
    )


def _sample_seen_from(folder: Path, sample: StudySample) -> StudySample:
    texts: dict[str, Any] = {
        role: _seen_from(folder, getattr(sample, role), role) for role in ("image", "truth", "reference", "pose", "fov")
    }
    tables: dict[str, Any] = {
        role: {model: _seen_from(folder, text, role) for model, text in getattr(sample, role).items()}
        for role in ("segmentations", "results", "probabilities")
    }
    models = None if sample.models is None else [_seen_from(folder, model, "model") for model in sample.models]
    return dataclasses.replace(sample, **texts, **tables, models=models)


def _seen_from(folder: Path, text: Any, role: str) -> Any:
    """Give a path as seen from a folder; what is a name or a shape where there is no such file stays as it is."""
    if not text or (role in ("reference", "fov", "model") and not (folder / text).exists()):
        return text
    return str(folder / text)


def folder_name(name: str) -> str:
    """Name of a sample or model as that of a folder: what may stand in none becomes ``_``."""
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "_"


def model_names(cohort: Cohort, measured: Iterable[str]) -> list[str]:
    """Order models: as the titles name them, then as they come in the cohort, then the rest."""
    named: Mapping[str, None] = dict.fromkeys([*cohort.titles, *measured])
    found = set(measured)
    return [name for name in named if name in found]
