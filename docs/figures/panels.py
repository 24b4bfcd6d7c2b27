"""Pictures of the two Slicer modules in their main states, for README.md and docs/tutorial.md.

    python docs/figures/panels.py [FOLDER]

The panels are those of the stand-in of Slicer that the tests use (Testing/host), on an explant of Sample Data;
the widgets look a little different in the application. The slice and 3D views are not shown: the stand-in has none.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing"))

import host  # noqa: E402
from story import Story, section, widget  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDTH = 520
"""Width of the pictures in pixels."""


def main() -> None:
    """Go through both modules and photograph them on the way."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    missing = host.missing()
    if missing:
        sys.exit(f"the panels cannot be shown: {missing}")
    story = Story(ROOT)
    segmenting(story, folder)
    measuring(story, folder)
    if host.errors:
        sys.exit("\n".join(host.errors))


def segmenting(story: Story, folder: Path) -> None:
    """Check the scan, segment it, and look at the sections for many scans and for training."""
    module = story.seg
    story.load_sample("Explant 12 weeks with truth")
    story.choose_scan()
    story.press(module, "qualityButton")
    photograph(module, "qualityButton", folder / "panel-preprocess.png")
    story.start(module, "applyButton")
    host.wait(lambda: re.search(r"segment .* left", widget(module, "statusLabel").text), timeout_s=120)
    photograph(module, "applyButton", folder / "panel-run.png")
    story.settle(module)
    for button in ("qualityButton", "applyButton"):
        fold(module, button)
    print(host.screenshot(module, folder / "panel-segment.png", WIDTH))
    for name, button in (("batch", "addVolumesButton"), ("training", "suggestPairsButton")):
        story.press(module, button)
        photograph(module, button, folder / f"panel-{name}.png")
    unfold(module, "packageTable")
    host.wait(lambda: widget(module, "packageTable").rowCount, timeout_s=120)
    photograph(module, "packageTable", folder / "panel-environment.png")


def measuring(story: Story, folder: Path) -> None:
    """Register and measure the sample, and a second one after four weeks, labelled by its truth."""
    import slicer

    story.choose_sample(weeks=12)
    story.register()
    story.measure()
    print(host.screenshot(story.quant, folder / "panel-quantify.png", WIDTH))
    story.load_sample("Explant 4 weeks with truth")
    truth, reference = slicer.util.getNode("*4 weeks truth"), slicer.util.getNode("*4 weeks reference screw")
    story.choose(story.quant, "segmentationSelector", truth)
    story.choose(story.quant, "truthSelector", None)
    story.choose(story.quant, "referenceSegmentationSelector", reference)
    widget(story.quant, "weeksSpinBox").value = 4
    story.measure()
    photograph(story.quant, "samplesTable", folder / "panel-samples.png")


def photograph(module: Any, name: str, path: Path) -> None:
    """Photograph the section that holds a widget, unfolded."""
    unfold(module, name)
    with tempfile.TemporaryDirectory() as folder:
        host.screenshot(module, Path(folder) / "whole.png", WIDTH)  # gives every section its natural height
    section(module, name).form.grab().save(str(path))
    print(path)


def unfold(module: Any, name: str, folded: bool = False) -> None:
    """Show what a section holds."""
    for found in vars(section(module, name).ui).values():
        if found.className() == "ctkCollapsibleButton":
            found.collapsed = folded
            break
    host.process(300)


def fold(module: Any, name: str) -> None:
    """Hide what a section holds."""
    unfold(module, name, folded=True)


if __name__ == "__main__":
    main()
