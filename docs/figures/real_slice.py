"""Picture of a real SRµCT slice through `preprocess` and `segment`, for docs/results.md.

    python docs/figures/real_slice.py [SLICE.tiff]

The slice is implant.tiff of the real data folder, ../shared/data/goat_mandible_implant (MIT licence); its voxel size is
not given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ImplantSegLib import cli
from ImplantSegLib.labels import COLOURS, TITLES
from ImplantSegLib.volumes import read

SLICE = Path("../shared/data/goat_mandible_implant/implant.tiff")
PICTURE = Path(__file__).parent.parent / "images" / "real-slice.png"


def main() -> None:
    """Run the two verbs and draw grey values beside labels."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SLICE
    if not path.exists():
        print(f"{path} is not there; the picture stays as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        grey, labels = Path(folder) / "grey.nrrd", Path(folder) / "labels.seg.nrrd"
        run("preprocess", str(path), str(grey))
        run("segment", str(grey), str(labels))
        draw(np.asarray(read(grey).array[0:1])[0], np.asarray(read(labels).array[0:1])[0])


def run(*arguments: str) -> None:
    """Run a verb; stop where it fails."""
    if status := cli.main(list(arguments)):
        sys.exit(status)


def draw(grey: np.ndarray, labels: np.ndarray) -> None:
    """Grey values, and the labels over them."""
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    overlay = np.zeros((*labels.shape, 4))
    for label, colour in COLOURS.items():
        overlay[labels == label] = (*colour, 0.5 if label else 0.0)
    for axes, title in zip(figure.subplots(1, 2), ("preprocessed", "segmented by the bundled model"), strict=True):
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1)
        axes.set_title(title)
        axes.set_axis_off()
    axes.imshow(overlay, interpolation="nearest")
    patches = [Patch(color=COLOURS[label], label=TITLES[label]) for label in COLOURS if label]
    figure.legend(handles=patches, loc="outside lower center", ncols=3)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
