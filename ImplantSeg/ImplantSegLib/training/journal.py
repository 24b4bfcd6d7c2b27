"""What a run tells while it goes on: lines of JSON, and from them a table and TensorBoard."""

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ImplantSegLib.files import explained_os_errors, write_text

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from ImplantSegLib.training.pictures import Picture

LOG = "log.jsonl"
CSV = "log.csv"
TENSORBOARD = "tensorboard"
"""Folder of the event files, in the folder of the run."""

_log = logging.getLogger(__name__)


class Journal:
    """The log of a run, which a resumed run continues where its checkpoint was.

    Parameters
    ----------
    folder : Path
        Folder of the run. Receives ``log.jsonl``, a record a line; ``log.csv``, the same as a table, written anew at
        every validation; and ``tensorboard/``.
    step : int
        Step at which the run begins; later records are dropped.
    tensorboard : bool
        Whether to write event files; without the package tensorboard there are none, and the log says so.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool = False) -> None:
        self.folder = folder
        kept = [record for record in read_log(folder) if record["step"] <= step] if step else []
        write_text(folder / LOG, "".join(json.dumps(record) + "\n" for record in kept))
        self._events = _open_events(folder / TENSORBOARD, step) if tensorboard else None

    def write(self, **record: Any) -> None:
        """Append one record; it has a ``step``.

        Raises
        ------
        InputError
            When the disk is full.
        """
        path = self.folder / LOG
        with explained_os_errors(path), path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
        if "validation" in record:
            write_csv(self.folder)
        if self._events:
            for name, value in _flat(record).items():
                if isinstance(value, (int, float)) and name != "step":
                    self._events.add_scalar(name.replace(".", "/", 1), value, record["step"])
            self._events.flush()

    def show(self, pictures: list[Picture], step: int) -> None:
        """Add pictures of validation slices to TensorBoard."""
        if self._events is None:
            return
        for picture in pictures:
            self._events.add_image(picture.name, picture.pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        write_csv(self.folder)
        if self._events:
            self._events.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Read the records of a run so far; a line that was cut off by a kill is left out."""
    path = folder / LOG
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("}\n")]


def write_csv(folder: Path) -> None:
    """Write ``log.csv``: a line a record, a column a number, empty where a record has none."""
    records = [_flat(record) for record in read_log(folder)]
    columns = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(records)
    write_text(folder / CSV, text.getvalue())


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Numbers and texts of a record by their names; ``validation`` stands before those of a validation."""
    scores = {f"validation.{name}": value for name, value in (record.get("validation") or {}).items()}
    return {name: value for name, value in record.items() if not isinstance(value, (dict, list))} | scores


def _open_events(folder: Path, step: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        _log.warning("no TensorBoard log: the package tensorboard is missing (pip install 'implantseg[train]')")
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
