"""The table of samples that Slicer's module Sample Data offers: phantoms, made on the spot. Needs no Slicer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CATEGORY = "ImplantSeg"

FILES = {"scan": "image.nrrd", "truth": "labels.seg.nrrd", "reference": "reference.nrrd"}
"""What ``implantseg phantom`` writes, by what it is."""


@dataclass(frozen=True)
class Sample:
    """One button of the module Sample Data."""

    name: str
    """Name of its picture."""
    title: str
    """Name of the scan in the scene."""
    weeks: int
    """Healing time."""
    seed: int
    truth: bool
    """Whether the true labels and the reference screw are loaded too."""
    shape: str = "96,384,384"
    spacing_um: str = "12"

    def arguments(self, folder: Path) -> list[str | Path]:
        """Arguments of ``phantom``."""
        return [
            folder, "--seed", str(self.seed), "--weeks", str(self.weeks),
            "--shape", self.shape, "--spacing-um", self.spacing_um,
        ]  # fmt: skip

    @property
    def button(self) -> str:
        """Text of its button, by which a script asks for it too: Slicer shows the name that it gets."""
        return f"{self.title} with truth" if self.truth else self.title

    @property
    def key(self) -> str:
        """Name of the folder that it is made in: samples of one explant share it."""
        return "-".join(map(str, self.arguments(Path(CATEGORY)))).replace("--", "").replace(",", "x")


SAMPLES = (
    Sample("ImplantSegExplant", "Explant 12 weeks", 12, 7, truth=False),
    Sample("ImplantSegExplantWithTruth", "Explant 12 weeks", 12, 7, truth=True),
    Sample("ImplantSegExplantEarly", "Explant 4 weeks", 4, 3, truth=True),
)
