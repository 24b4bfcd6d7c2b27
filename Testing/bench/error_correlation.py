"""How far the errors of a segmentation go together, and those of drawn labels: this chooses the correlation length.

python Testing/bench/error_correlation.py work/coverage        (five calibration phantoms of small_explants.py)

An error of a class is 1 where the true (or drawn) label is the class, else 0, less the class's probability. Its
autocorrelation is told along z, across the slices that the network sees one by one, and along x.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import small_explants

from ImplantSegLib.inference.probabilities import StoredProbabilities
from ImplantSegLib.labels import NAMES, Label
from ImplantSegLib.volumes import read
from ImplantSegQuantLib.draws import ErrorModel, drawn

Array = np.ndarray[Any, Any]

LAGS = (1, 2, 4, 8, 16)
LENGTHS = (4.0, 8.0, 16.0)
CLASSES = (Label.RESIDUAL_MATERIAL, Label.BONE)
SCANS = 5


def main() -> None:
    """Print the table."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path)
    folder = command.parse_args().folder / "calibration"
    rows: dict[str, list[Array]] = {}
    for number in range(SCANS):
        for name, values in correlations(folder / str(small_explants.SEEDS["calibration"] + number)).items():
            rows.setdefault(name, []).append(values)
    columns = [f"{axis}, {lag}" for axis in "zx" for lag in LAGS]
    print(f"| errors | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", sep="\n")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in np.mean(values, axis=0).ravel())} |")


def correlations(where: Path) -> dict[str, Array]:
    """Autocorrelation of true and drawn errors of a phantom, (2, lags) each, by class and length."""
    segmentation = read(where / small_explants.SEGMENTATION)
    stored = StoredProbabilities(where / "probabilities.ome.zarr")
    chances = stored.slab(slice(0, segmentation.shape[0])).astype(np.float32) / 255
    sources = {"true": read(where / "labels.seg.nrrd")}
    sources |= {f"drawn, {length:g} voxels": drawn(segmentation, stored, ErrorModel(length), 0) for length in LENGTHS}
    labels = {name: np.asarray(volume.array[:]) for name, volume in sources.items()}
    return {
        f"{NAMES[label]}, {name}": autocorrelation((array == label) - chances[label])
        for label in CLASSES
        for name, array in labels.items()
    }


def autocorrelation(errors: Array) -> Array:
    """Autocorrelation along z and x at the lags, float (2, lags)."""
    variance = float((errors * errors).mean())
    result = []
    for axis in (0, 2):
        along = np.moveaxis(errors, axis, 0)
        result.append([float((along[:-lag] * along[lag:]).mean()) / variance for lag in LAGS])
    return np.array(result)


if __name__ == "__main__":
    main()
