"""Pictures for the buttons of Slicer's module Sample Data: a slice of each phantom, some with their labels.

python docs/figures/sample_data.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.image import imsave

from ImplantSegLib import cli
from ImplantSegLib.inslicer.samples import FILES, SAMPLES, Sample
from ImplantSegLib.labels import COLOURS
from ImplantSegLib.volumes import read

ICONS = Path(__file__).resolve().parents[2] / "ImplantSeg" / "Resources" / "Icons"
HEIGHT, WIDTH = 240, 260
OPACITY = 0.45


def main() -> None:
    """Make every phantom and draw its middle slice."""
    with tempfile.TemporaryDirectory() as folder:
        for sample in SAMPLES:
            phantom = Path(folder) / sample.key
            if not phantom.exists() and (code := cli.main(["phantom", *map(str, sample.arguments(phantom))])):
                raise SystemExit(code)
            imsave(ICONS / f"{sample.name}.png", picture(sample, phantom))


def picture(sample: Sample, phantom: Path) -> np.ndarray:
    """Draw the middle slice, cut out around its centre: (HEIGHT, WIDTH, 3) in [0, 1]."""
    grey = middle(phantom / FILES["scan"]).astype(float)
    low, high = np.percentile(grey, (1, 99.5))
    colour = np.repeat(np.clip((grey - low) / (high - low), 0, 1)[..., None], 3, axis=2)
    if sample.truth:
        labels = middle(phantom / FILES["truth"])
        for label, rgb in list(COLOURS.items())[1:]:
            colour[labels == label] = (1 - OPACITY) * colour[labels == label] + OPACITY * np.array(rgb)
    return colour


def middle(path: Path) -> np.ndarray:
    """Give the middle of a volume's middle slice."""
    volume = read(path)
    depth, rows, columns = volume.shape
    top, left = (rows - HEIGHT) // 2, (columns - WIDTH) // 2
    return np.asarray(volume.array[depth // 2 : depth // 2 + 1])[0, top : top + HEIGHT, left : left + WIDTH]


if __name__ == "__main__":
    main()
