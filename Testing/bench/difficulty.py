"""How hard the phantom is: grey values per class, what thresholds make of it, and pictures for docs/phantom.md.

python Testing/bench/difficulty.py work/difficulty docs/images --real implant.tiff
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from skimage import filters, morphology, segmentation

from ImplantSegLib.labels import COLOURS, NAMES, TITLES
from ImplantSegLib.metrics.overlap import confusion, iou_percent
from ImplantSegLib.phantom.build import build
from ImplantSegLib.phantom.recipe import PhantomJob
from ImplantSegLib.preprocess.normalise import robust_range, scale
from ImplantSegLib.volumes import FieldOfView, read

Array = np.ndarray[Any, Any]
JOBS = {
    "P05, metaphysis, 12 weeks": PhantomJob(seed=3001, shape=(40, 448, 448), contact_percent=30),
    "P07, epiphysis, 6 weeks": PhantomJob(
        seed=3002, shape=(40, 448, 448), site="epiphysis", beamline="p07", weeks=6, contact_percent=30
    ),
    "P05, diaphysis, 24 weeks": PhantomJob(
        seed=3003, shape=(40, 448, 448), site="diaphysis", weeks=24, contact_percent=30
    ),
}


def main() -> None:
    """Print the tables and draw the figures."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("work", type=Path, help="folder for the phantoms")
    command.add_argument("figures", type=Path, help="folder for the pictures")
    command.add_argument("--real", type=Path, help="a real SRµCT slice to set beside them")
    options = command.parse_args()
    scans = {}
    for number, (title, job) in enumerate(JOBS.items()):
        folder = options.work / str(number)
        if not (folder / "truth.json").exists():
            build(job, folder, reference=False)
        scans[title] = load(folder)
    print(
        "| phantom | class | mean | standard deviation | SNR | CNR to metal | CNR to bone |", "|---" * 7 + "|", sep="\n"
    )
    for title, (image, labels, _) in scans.items():
        print("\n".join(grey_rows(title, image, labels)))
    print("\n| multi-Otsu + watershed, IoU in % |", *(f" {name} |" for name in TITLES.values()), sep="")
    print("|---" * 5 + "|")
    for title, (image, labels, view) in scans.items():
        scores = iou_percent(confusion(thresholds(image), labels, view))
        print(f"| {title} |", *(f" {scores[name]:.1f} |" for name in NAMES.values()), sep="")
    draw(scans, options.figures / "phantom-histograms.png")
    pictures(scans, options.real, options.figures / "phantom-slices.png")


def load(folder: Path) -> tuple[Array, Array, Array]:
    """Image in [0, 1], labels and field of view of a phantom, all (Z, Y, X)."""
    image, labels = read(folder / "image.nrrd"), read(folder / "labels.seg.nrrd")
    fov = FieldOfView.of(image)
    mask = fov.slice_mask(image.shape[1:])
    view = np.broadcast_to(True if mask is None else mask, image.shape)
    low, high = robust_range(image, fov=fov)
    return scale(np.asarray(image.array[:]), low, high), np.asarray(labels.array[:]), view


def grey_rows(title: str, image: Array, labels: Array) -> list[str]:
    """SNR = mean/σ and CNR = |Δmean|/√(σ² + σ²), inside each class (eroded by 3 voxels; the thin layer by 1)."""
    stats = {}
    for label in NAMES:
        inside = ndimage.binary_erosion(labels == label, iterations=1 if label == 2 else 3) & (image > 0)
        stats[label] = image[inside].mean(), image[inside].std()
    rows = []
    for label, (mean, deviation) in stats.items():
        contrast = [abs(mean - m) / np.hypot(deviation, s) for m, s in (stats[1], stats[3])]
        figures = f"{mean:.3f} | {deviation:.3f} | {mean / deviation:.1f} | {contrast[0]:.2f} | {contrast[1]:.2f}"
        rows.append(f"| {title} | {TITLES[label]} | {figures} |")
    return rows


def thresholds(image: Array) -> Array:
    """What one does by hand: smooth, multi-Otsu, the metal as the largest piece of its grey, then a watershed."""
    smooth = ndimage.gaussian_filter(image, 1.5)
    low, high = filters.threshold_multiotsu(smooth[smooth > 0.02], 3)
    metal = largest(morphology.opening((smooth > low) & (smooth < high), morphology.ball(4)))
    distance = ndimage.distance_transform_edt(~metal)
    markers = np.zeros(image.shape, np.int32)
    markers[smooth < low] = 1
    markers[ndimage.binary_erosion(metal, iterations=3)] = 2
    markers[(smooth > low) & (distance > 2) & (distance < 7)] = 3
    markers[(smooth > high) & (distance > 14)] = 4
    return (segmentation.watershed(filters.sobel(smooth), markers) - 1).astype(np.uint8)


def largest(mask: Array) -> Array:
    """The largest connected piece of a mask."""
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()


def draw(scans: dict[str, tuple[Array, Array, Array]], path: Path) -> None:
    """Grey histograms per class."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axes, (title, (image, labels, view)) in zip(
        figure.subplots(1, len(scans), sharey=True), scans.items(), strict=True
    ):
        for label in NAMES:
            values = image[(labels == label) & view]
            colour = COLOURS[label] if label else (0.3, 0.3, 0.3)
            axes.hist(
                values, bins=128, range=(0, 1), density=True, histtype="step", lw=1.8, color=colour, label=TITLES[label]
            )
        axes.set(title=title, xlabel="grey value, normalised", xlim=(0, 1))
    figure.axes[0].set_ylabel("density")
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def pictures(scans: dict[str, tuple[Array, Array, Array]], real: Path | None, path: Path) -> None:
    """Middle slices, with the real one last."""
    from matplotlib.figure import Figure

    slices = {title: image[image.shape[0] // 2] for title, (image, _, _) in scans.items()}
    if real is not None:
        volume = read(real)
        slices["real: dental implant, goat mandible"] = scale(np.asarray(volume.array[0:1]), *robust_range(volume))[0]
    figure = Figure(figsize=(4 * len(slices), 4.3), layout="constrained")
    for axes, (title, grey) in zip(np.atleast_1d(figure.subplots(1, len(slices))), slices.items(), strict=True):
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1)
        axes.set_title(title)
        axes.set_axis_off()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
