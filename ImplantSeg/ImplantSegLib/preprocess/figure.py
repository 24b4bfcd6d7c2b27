"""Grey histograms of the classes as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ImplantSegLib.labels import COLOURS, NAMES, TITLES
from ImplantSegLib.preprocess.quality import Quality


def save_histograms(result: Quality, path: Path) -> None:
    """Draw the histogram of every class, each as a density, as a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    centres = (result.edges[:-1] + result.edges[1:]) / 2
    styles = {name: (TITLES[value], COLOURS[value]) for value, name in NAMES.items()}
    for name, grey in result.classes.items():
        if grey.voxels:
            title, colour = styles.get(name, (name.replace("_", " "), None))
            density = grey.counts / (grey.voxels * np.diff(result.edges))
            axes.plot(centres, density, label=title, color=colour)
    axes.set(xlabel="grey value", ylabel="density", ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(path, format="png", dpi=150)
