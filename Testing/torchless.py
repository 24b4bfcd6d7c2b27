"""Print the requirements of pyproject.toml that work without torch, one per line, as pip reads them.

    python Testing/torchless.py                # of the project and of its extra dev
    python Testing/torchless.py slicer-test    # of that extra

Slicer's own Python gets torch from another extension, so everything but models, training and
prediction has to work without it. The extra ``train`` is left out whole: all of it needs torch.
"""

import re
import sys
import tomllib
from pathlib import Path


def requirements(pyproject: Path, extra: str | None = None) -> list[str]:
    """Give the dependencies of the project and of its extra ``dev``, or those of one extra; but torch."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = extras[extra] if extra else project["dependencies"] + extras["dev"]
    return [line for line in wanted if re.match(r"[\w.-]+", line)[0] != "torch"]


if __name__ == "__main__":
    print("\n".join(requirements(Path(__file__).resolve().parents[1] / "pyproject.toml", *sys.argv[1:])))
