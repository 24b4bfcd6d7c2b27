"""A tiny model, and one thread of arithmetic: the machine that tests has other things to do."""

import json
import struct

import pytest

from ImplantSegLib.models import Bundle, build, registry, save
from ImplantSegLib.models.bundle import ENTRY


@pytest.fixture
def one_thread():
    """One thread of arithmetic."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def network(one_thread):
    """A tiny U-Net whose batch statistics are not the initial ones."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        result = build("unet", width=2, align_corners=False)
        result(torch.rand(2, 1, 32, 32))
    return result.eval()


@pytest.fixture
def bundle():
    """What the tiny model says about itself."""
    return Bundle(
        network="unet",
        options={"width": 2, "align_corners": False},
        preprocessing={"low_percent": 0.1, "high_percent": 99.9},
        spacing_mm=(0.01, 0.01, 0.01),
        provenance={"recipe_name": "tiny", "training": ["a", "b"], "validation": ["c"], "step": 7},
        scores={"mean_iou_percent": 81.25, "iou_percent.bone": 90.5, "contact_error_percent": None},
        summary="tiny U-Net",
    )


@pytest.fixture
def model_file(tmp_path, network, bundle):
    """The tiny model as a file, outside the folder of the imported ones."""
    path = tmp_path / "tiny.safetensors"
    save(path, bundle, network.state_dict())
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder of the imported models, not yet made."""
    path = tmp_path / "models"
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(path))
    return path


@pytest.fixture
def rewrite():
    """Change the JSON entry of a model file by a function, and nothing else: ``rewrite(path, change)``."""

    def rewrite(path, change):
        data = path.read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        content = change(json.loads(header["__metadata__"][ENTRY]))
        header["__metadata__"][ENTRY] = content if isinstance(content, str) else json.dumps(content)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])

    return rewrite
