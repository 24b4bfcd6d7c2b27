"""Pictures of the two Slicer modules in their main states, for README.md and docs/tutorial.md.

    python docs/figures/panels.py [FOLDER]

The panels are those of the stand-in of Slicer that the tests use (Testing/host), on an explant of Sample Data;
the widgets look a little different in the application. The slice and 3D views are not shown: the stand-in has none.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing"))

import host  # noqa: E402
from story import Story  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WEEKS = 12


def main() -> None:
    """Go through both modules and photograph them on the way."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    missing = host.missing()
    if missing:
        sys.exit(f"the panels cannot be shown: {missing}")
    story = Story(ROOT)
    story.load_sample("ImplantSegExplantWithTruth")
    story.show(story.seg)
    host.wait(lambda: story.widget(story.seg, "modelTable").rowCount, timeout_s=60)
    story.segment()
    take(folder, "panel-segment", story.seg)
    story.choose_sample(weeks=WEEKS)
    story.register()
    story.measure()
    take(folder, "panel-quantify", story.quant)
    if host.errors:
        sys.exit("\n".join(host.errors))


def take(folder: Path, name: str, module: object) -> None:
    """Photograph a panel."""
    print(host.screenshot(module, folder / f"{name}.png"))


if __name__ == "__main__":
    main()
