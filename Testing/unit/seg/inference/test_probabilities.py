"""Class probabilities on disk: what they tell of their model, and reading them from several threads."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib import models
from ImplantSegLib.errors import InputError
from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.inference.predict import segment
from ImplantSegLib.inference.probabilities import CONTENT, Probabilities, StoredProbabilities
from ImplantSegLib.volumes import Volume, read


def stored(path, values):
    written = Probabilities(path, Volume(values[0], (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), 4, {"model": "m"})
    for start in range(0, values.shape[1], 4):
        written.write(slice(start, start + 4), values[:, start : start + 4])
    return StoredProbabilities(path)


def test_what_was_written_is_read_on_the_same_grid(tmp_path):
    values = np.random.default_rng(0).dirichlet(np.ones(4), (10, 6, 7)).transpose(3, 0, 1, 2).astype(np.float32)
    found = stored(tmp_path / "p.ome.zarr", values)
    assert found.classes == 4
    assert found.grid.shape == (10, 6, 7)
    assert found.grid.same_grid(Volume(values[0], (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)))
    assert found.grid.metadata["model"] == "m"
    assert found.grid.metadata["content"] == CONTENT
    slabs = [slice(0, 4), slice(2, 9), slice(9, 10)] * 6
    with ThreadPoolExecutor(6) as pool:
        for z, slab in zip(slabs, pool.map(found.slab, slabs), strict=True):
            np.testing.assert_array_equal(slab, np.rint(255 * values[:, z]).astype(np.uint8))


def test_a_damaged_chunk_is_told(tmp_path):
    found = stored(tmp_path / "p.ome.zarr", np.full((4, 4, 6, 7), 0.25, np.float32))
    chunk = next(path for path in (tmp_path / "p.ome.zarr" / "0" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(b"no zstd")
    with pytest.raises(InputError, match="damaged chunk"):
        found.slab(slice(0, 4))


def test_segment_hands_the_calibration_of_its_model_on(case, tmp_path):
    bundle = models.load(case.model)
    calibration = {"scans": "three", "format": 1}
    models.save(case.model, dataclasses.replace(bundle, calibration=calibration), bundle.load_state())
    assert models.load(case.model).weights_sha256 == bundle.weights_sha256
    job = SegmentJob(Path(case.scan), tmp_path / "l.nrrd", case.model, probabilities=tmp_path / "p.ome.zarr")
    segment(job)
    told = StoredProbabilities(tmp_path / "p.ome.zarr").grid.metadata
    assert json.loads(told["calibration"]) == calibration
    assert told["model_sha256"] == bundle.weights_sha256 == read(tmp_path / "l.nrrd").metadata["model_sha256"]
