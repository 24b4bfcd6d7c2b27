"""The preprocessed scan of a run whose labels are kept on disk: it stays until the labels are there.

Denoising a large scan takes hours. A run that was interrupted after that goes on with what is there, when it was
made from the same scan by the same options.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ImplantSegLib.files import remove, write_text


class Prepared:
    """A preprocessed scan beside the labels, and what it was made from.

    Parameters
    ----------
    labels : Path
        Labels of the run.
    """

    def __init__(self, labels: Path) -> None:
        self.path = labels.with_name(f".{labels.name}.prepared.nrrd")
        self._record = self.path.with_name(f"{self.path.name}.json")

    def fits(self, scan: Path, arguments: Sequence[str | Path]) -> bool:
        """Whether it is there, and was made from this scan by these arguments."""
        try:
            found = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return self.path.is_file() and found == _made_from(scan, arguments)

    def start(self, scan: Path, arguments: Sequence[str | Path]) -> None:
        """Forget what is there, and note what the next one is made from."""
        self.remove()
        write_text(self._record, json.dumps(_made_from(scan, arguments)))

    def remove(self) -> None:
        """Delete it."""
        for path in (self.path, self._record, self.path.with_name(f"{self.path.name}.job.toml")):
            remove(path)


def _made_from(scan: Path, arguments: Sequence[str | Path]) -> dict[str, object]:
    state = scan.stat()
    return {"arguments": list(map(str, arguments)), "bytes": state.st_size, "changed": state.st_mtime_ns}
