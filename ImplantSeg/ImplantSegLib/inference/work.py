"""What an unfinished run keeps on disk, so that it can go on where it was killed.

Beside the output lies a folder ``.NAME.work`` with the raw labels (and the uncertainty) so far and a small JSON file
that tells which job they belong to and how far they go. The JSON is written after the labels have reached the disk.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import InputError, size_text
from ImplantSegLib.files import explained_os_errors, remove, write_text
from ImplantSegLib.volumes.voxels import RawVoxels


class Work:
    """Folder of an unfinished run.

    Parameters
    ----------
    output : Path
        Result of the run; the folder lies beside it.
    key : str
        Hash of all that decides about the labels.
    """

    def __init__(self, output: Path, key: str) -> None:
        self.folder = self.folder_of(output)
        self.output = output
        self.key = key
        self.done = 0
        self.found: dict[str, Any] = {}

    @staticmethod
    def folder_of(output: Path) -> Path:
        """Where an unfinished run keeps what it has."""
        return output.with_name(f".{output.name}.work")

    def resume(self, probabilities: bool = False) -> bool:
        """Take over what an earlier run of the same job left; False when there is nothing.

        Parameters
        ----------
        probabilities : bool
            Whether the run has probabilities: they can be gone, when it was killed while its results got their names.

        Raises
        ------
        InputError
            When what is there belongs to another job.
        """
        if not self._state.is_file():
            return False
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise InputError(f"{self._state} is damaged", "run again without --resume") from error
        if state["key"] != self.key:
            raise InputError(
                f"the unfinished run of {self.output} had other options, another scan or another model",
                "repeat its options, or run without --resume to start anew",
            )
        if probabilities and state["done"] and not self.probabilities.exists():
            return False
        self.done, self.found = state["done"], state["found"]
        return True

    def start(self, found: dict[str, Any], needed_bytes: int) -> None:
        """Begin anew.

        Parameters
        ----------
        found : dict
            What the run found out and a resumed run must not find otherwise (JSON).
        needed_bytes : int
            Disk space that the run will need.

        Raises
        ------
        InputError
            When the folder may not be written, or the disk has too little space.
        """
        with explained_os_errors(self.output):
            remove(self.folder)
            self.folder.mkdir(parents=True)
            free = shutil.disk_usage(self.folder).free
        if free < needed_bytes:
            self.remove()
            raise InputError(
                f"cannot write {self.output}: the run needs {size_text(needed_bytes)} of disk",
                f"{size_text(free)} are free there: free some space or choose another folder",
            )
        self.done, self.found = 0, found
        self._save()

    def append(self, **layers: npt.NDArray[np.uint8]) -> None:
        """Keep the next slab (nz, Y, X) of every layer, ``labels`` and what else is computed, for good."""
        with explained_os_errors(self.output):
            for name, block in layers.items():
                self._extend(name, block)
        self.done += len(block)
        self._save()

    def _extend(self, name: str, block: npt.NDArray[np.uint8]) -> None:
        path = self._layer(name)
        # a stream: on a full disk a memory map would kill the process instead of raising an error
        with path.open("r+b" if path.exists() else "wb") as stream:
            stream.seek(self.done * block[0].nbytes)
            for plane in block:  # one by one, so that a cancelled run need not wait for all of them
                stream.write(np.ascontiguousarray(plane).data)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())

    def layer(self, name: str, shape: tuple[int, int, int]) -> RawVoxels:
        """Give a layer of all slabs, read from disk."""
        return RawVoxels(self._layer(name), np.dtype(np.uint8), shape)

    def remove(self) -> None:
        """Delete the folder."""
        remove(self.folder)

    @property
    def probabilities(self) -> Path:
        """Where the probabilities grow."""
        return self.folder / "probabilities.ome.zarr"

    def _layer(self, name: str) -> Path:
        return self.folder / f"{name}.u8"

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    def _save(self) -> None:
        with explained_os_errors(self.output):
            write_text(self._state, json.dumps({"key": self.key, "done": self.done, "found": self.found}))
