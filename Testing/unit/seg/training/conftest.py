"""Small scans whose labels are known, and one thread of arithmetic: the machine that tests has other things to do."""

import numpy as np
import pytest

from ImplantSegLib import jobs
from ImplantSegLib.training.config import Recipe
from ImplantSegLib.training.data import Scan
from ImplantSegLib.volumes import Volume, write


@pytest.fixture
def one_thread():
    """One thread of arithmetic."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _scan(name="scan", seed=0, shape=(40, 48, 44), spacing_mm=(0.01, 0.01, 0.01)):
    """A core in a layer, cylinders along z, with a wall of bone on the right that touches the layer."""
    _, y, x = np.indices(shape)
    radius = np.hypot(y - shape[1] / 2, x - shape[2] / 2)
    labels = np.zeros(shape, np.uint8)
    labels[x > shape[2] / 2 + 10] = 3
    labels[radius < 12] = 2
    labels[radius < 9] = 1
    noise = np.random.default_rng(seed).normal(0, 20, shape)
    return Scan(name, (200.0 * labels + noise).astype(np.float32), labels, -50.0, 650.0, spacing_mm)


@pytest.fixture
def make_scan():
    """Make a scan of cylinders; name, seed of the noise, shape and voxel size can be chosen."""
    return _scan


@pytest.fixture
def recipe():
    """Make a recipe of a tiny run; ``recipe({"run.steps": 3})`` changes values."""

    def make(changes=None):
        values = {
            "data": {"cohort": "none", "axes": [0, 1, 2]},
            "model": {"network": "unet", "options": {"width": 2, "align_corners": False}},
            "sampling": {"patch": [32, 32], "batch": 2},
            "loss": {"interface_weight": 2.0, "interface_px": 2},
            "optimiser": {"ema": 0.9, "warmup": 2, "clip_norm": 5.0},
            "run": {"steps": 6, "validate_every": 3, "validation_slices": 1, "checkpoint_every": 2, "log_every": 2},
        }
        for key, value in (changes or {}).items():
            section, name = key.split(".")
            values.setdefault(section, {})[name] = value
        return jobs.from_mapping(Recipe, values)

    return make


@pytest.fixture
def recipe_file(tmp_path, recipe, make_scan):
    """Recipe of a tiny run on two scans in files."""
    for index, name in enumerate(("first", "second")):
        scan = make_scan(seed=index)
        volume = Volume(scan.image, scan.spacing_mm)
        write(volume, tmp_path / "scans" / name / "image.nrrd")
        write(volume.like(np.asarray(scan.labels)), tmp_path / "scans" / name / "labels.seg.nrrd")
    made = recipe({"data.cohort": str(tmp_path / "scans"), "data.folds": 2, "run.steps": 2, "run.threads": 1})
    jobs.save(made, tmp_path / "tiny.toml")
    return tmp_path / "tiny.toml"
