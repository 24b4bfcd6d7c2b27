"""One model file: the weights and everything that is needed to use them, as data and never as code.

A bundle is a ``.safetensors`` file (https://github.com/huggingface/safetensors) whose header carries one
JSON entry: which network of the zoo, how its input is prepared, what its outputs mean, and where it
comes from. Reading the entry touches the header only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path, explained_os_errors
from ImplantSegLib.labels import NAMES
from ImplantSegLib.models.zoo import build

if TYPE_CHECKING:
    import torch

ENTRY = "implantseg"
"""Key of the JSON text in the header of the file."""

FORMAT = 3
"""Version of the JSON entry; a reader refuses later ones. 2 brought ``training_data``, 3 ``calibration``."""

Storage = Literal["float32", "float16", "bfloat16"]


@dataclass(frozen=True)
class Bundle:
    """What a model file says about itself.

    Parameters
    ----------
    network : str
        Key of :data:`ImplantSegLib.models.zoo.ZOO`.
    options : mapping
        Options of the network, for example ``{"width": 16}``.
    preprocessing : mapping
        How a raw scan becomes the input: ``low_percent`` and ``high_percent`` of the robust range.
    spacing_mm : tuple of float or None
        Voxel size (z, y, x) of the training data in mm; None when it was mixed.
    labels : mapping of str to str
        Name of every output channel.
    provenance : mapping
        Recipe, data, versions and seed that it was trained with.
    scores : mapping
        What it reached on its validation data.
    training_data : mapping
        What its training scans look like, as :func:`ImplantSegLib.preprocess.familiar.training_data` sums it up.
    calibration : mapping
        What its measures are worth, as :mod:`ImplantSegQuantLib.calibration` writes it; ``segment`` hands it on.
    licence : str
        SPDX name of the licence of the weights.
    summary : str
        One line for tables.
    weights_sha256 : str
        SHA-256 of the stored tensors; filled in by :func:`save`, checked by :meth:`load_network`.
    format : int
        Version of this entry.
    path : Path or None
        File that it was loaded from; not stored.
    """

    network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    spacing_mm: tuple[float, float, float] | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: {str(key): name for key, name in NAMES.items()})
    provenance: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    training_data: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    summary: str = ""
    weights_sha256: str = ""
    format: int = FORMAT
    path: Path | None = None

    @property
    def name(self) -> str:
        """Name of the file without its suffix."""
        return self.path.stem if self.path else self.network

    def load_state(self) -> dict[str, torch.Tensor]:
        """Weights as they are stored, after their checksum was verified.

        Raises
        ------
        InputError
            When the file is damaged or the weights are not those that the header was written for.
        """
        from safetensors.torch import load_file

        path = self._file()
        with _explained_damage(path):
            state = load_file(path)
        if checksum(state) != self.weights_sha256:
            raise InputError(f"the weights in {path} differ from their checksum", "copy or download the file again")
        return state

    def load_network(self) -> torch.nn.Module:
        """Network with its weights in float32, in evaluation mode, on the CPU.

        Raises
        ------
        InputError
            When the network is unknown, or the weights are damaged or do not fit it.
        """
        network = self.empty_network()
        state = {key: value.float() if value.is_floating_point() else value for key, value in self.load_state().items()}
        with self._explained_misfit():
            network.load_state_dict(state, assign=True)
        return network.eval()

    def empty_network(self) -> torch.nn.Module:
        """Network without memory for its weights (on torch's device ``meta``): its shapes, in a moment.

        Raises
        ------
        InputError
            When the network is unknown, or its options are none that it could have.
        """
        import torch

        with self._explained_misfit(), torch.device("meta"):  # random weights would cost time and change the generator
            return build(self.network, **self.options)

    def stored_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights by name, read from the header alone."""
        from safetensors import safe_open

        path = self._file()
        with _explained_damage(path), safe_open(path, framework="np") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no mapping

    @contextmanager
    def _explained_misfit(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, TypeError, ValueError) as error:
            last = str(error).strip().splitlines()[-1].strip()
            raise InputError(
                f"the weights in {self._file()} do not fit network {self.network!r} ({last})",
                "use a model made by this version of ImplantSeg",
            ) from error

    def _file(self) -> Path:
        if self.path is None:
            raise InputError("this bundle was not loaded from a file", "load it with ImplantSegLib.models.load")
        return self.path


def save(path: str | Path, bundle: Bundle, state: Mapping[str, torch.Tensor], storage: Storage = "float32") -> None:
    """Write a model file; the same content gives the same bytes.

    Parameters
    ----------
    path : path
        File to write, whole or not at all.
    bundle : Bundle
        What the file says about the model.
    state : mapping of str to tensor
        State dictionary of the network.
    storage : {"float32", "float16", "bfloat16"}
        Type of the stored floating-point tensors; the short ones halve the file.
    """
    import torch
    from safetensors.torch import save as serialised

    kept = {
        key: (value.to(getattr(torch, storage)) if value.is_floating_point() else value).cpu().contiguous().clone()
        for key, value in state.items()
    }
    content = {key: value for key, value in dataclasses.asdict(bundle).items() if key != "path"}
    content |= {"weights_sha256": checksum(kept), "format": FORMAT}
    with atomic_path(path) as temporary:
        # not save_file, whose files only their owner may read
        temporary.write_bytes(serialised(kept, {ENTRY: json.dumps(content, sort_keys=True)}))


def load(path: str | Path) -> Bundle:
    """Read what a model file says about itself, without its weights and without executing anything.

    Raises
    ------
    InputError
        When the file is missing, damaged, or no model of ImplantSeg.
    """
    from safetensors import safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no model file {path}", "correct the path")
    with explained_os_errors(path, "read"):
        path.open("rb").close()  # safetensors would hide the reason
    with _explained_damage(path), safe_open(path, framework="np") as file:
        text = (file.metadata() or {}).get(ENTRY)
    if text is None:
        raise InputError(f"{path} is a safetensors file but no ImplantSeg model", f"its header lacks {ENTRY!r}")
    return dataclasses.replace(_parsed(text, path), path=path)


def _parsed(text: str, path: Path) -> Bundle:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"the header of {path} is damaged", "copy or download the file again") from error
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise InputError(f"the header of {path} tells no format", "copy or download the file again")
    if content["format"] > FORMAT:
        raise InputError(
            f"{path} has format {content['format']}, wanted at most {FORMAT}", "install a newer ImplantSeg"
        )
    return jobs.from_mapping(Bundle, content, str(path))


def checksum(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors, in the order of their names."""
    import torch

    digest = hashlib.sha256()
    for key in sorted(state):
        value = state[key].detach().cpu().contiguous()
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _explained_damage(path: Path) -> Iterator[None]:
    """Turn the errors of the safetensors library into :class:`~ImplantSegLib.errors.InputError`."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise InputError(
            f"{path} is no model file or is damaged ({error})", "copy or download the file again"
        ) from error
