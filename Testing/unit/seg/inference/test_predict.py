import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import TINY

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError, MemoryLimitError
from ImplantSegLib.inference import SegmentJob, plan, segment
from ImplantSegLib.inference.runtime import Predictor
from ImplantSegLib.inference.work import Work
from ImplantSegLib.models import Bundle, build, load, save
from ImplantSegLib.volumes import Box, Volume, cropped, read, write


def job(case, tmp_path, name="labels.nrrd", **options):
    return SegmentJob(Path(case.scan), tmp_path / name, case.model, fov=options.pop("fov", "box"), **options)


def left(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if path.name not in ("scan.nrrd", "nearest.safetensors"))


@pytest.fixture
def small_slabs(monkeypatch):
    """Cut scans into slabs of three slices, so that a small one has several."""
    monkeypatch.setattr(plan, "_DEPTH", 3)
    monkeypatch.setattr(plan, "_BATCH", 2)


@pytest.mark.parametrize("name", ["labels.nrrd", "labels.seg.nrrd", "labels.tif", "labels.ome.zarr"])
def test_labels_are_found_in_every_format(case, tmp_path, name):
    segment(job(case, tmp_path, name, postprocess=False, precision="float32"))
    result = read(tmp_path / name)
    assert (result.array[:] == case.labels).all()
    np.testing.assert_allclose(result.index_to_world, case.volume.index_to_world, atol=1e-12)
    assert left(tmp_path) == [name, f"{name}.job.toml"]


def test_result_tells_how_it_was_made(case, tmp_path):
    finished = segment(job(case, tmp_path))
    metadata = read(tmp_path / "labels.nrrd").metadata
    assert metadata["fov"] == "box"
    assert metadata["model"] == "nearest"
    assert metadata["model_sha256"] == load(case.model).weights_sha256
    assert "normalised" not in metadata
    written = jobs.load_toml(tmp_path / "labels.nrrd.job.toml")
    assert written["found"]["precision"] in ("float32", "bf16")
    assert written["found"]["plan"]["depth"] == finished.found["plan"]["depth"] == 14
    assert len(written["provenance"]["inputs"]["scan"]["sha256"]) == 64
    low, high = map(float, written["found"]["normalised"].split(","))
    assert (low, high) == (case.volume.array.min(), case.volume.array.max())


def test_slabs_and_windows_change_nothing(case, tmp_path, small_slabs):
    segment(job(case, tmp_path, postprocess=False, tile=32, overlap=8))
    assert (read(tmp_path / "labels.nrrd").array[:] == case.labels).all()


def noisy_labels(case, tmp_path, name, across):
    clean = np.asarray(case.volume.array[:], np.float32)
    noise = np.random.default_rng(3).normal(0, 0.2 * np.ptp(clean), clean.shape)
    write(case.volume.like((clean + noise).astype(np.float32)), tmp_path / "noisy.nrrd")
    options = {"across": across, "postprocess": False, "precision": "float32"}
    segment(replace(job(case, tmp_path, name, **options), input=tmp_path / "noisy.nrrd"))
    return read(tmp_path / name).array[:]


@pytest.mark.parametrize("across", [0.0, 1.0])
def test_slabs_change_nothing_across_their_ends(case, tmp_path, monkeypatch, across):
    whole = noisy_labels(case, tmp_path, "whole.nrrd", across)
    monkeypatch.setattr(plan, "_DEPTH", 3)
    np.testing.assert_array_equal(noisy_labels(case, tmp_path, "parts.nrrd", across), whole)


def test_averaging_across_slices_takes_away_jumps_from_slice_to_slice(case, tmp_path):
    rough, smooth = (noisy_labels(case, tmp_path, f"{across}.nrrd", across) for across in (0.0, 1.0))
    assert (smooth[1:] != smooth[:-1]).sum() < 0.5 * (rough[1:] != rough[:-1]).sum()


def test_mirrors_find_the_same(case, tmp_path):
    segment(job(case, tmp_path, postprocess=False, mirror=True))
    assert (read(tmp_path / "labels.nrrd").array[:] == case.labels).all()


def test_islands_go_unless_told_otherwise(case, tmp_path):
    island = np.zeros_like(case.labels, dtype=bool)
    island[6:8, 34:38, 3:8] = True
    segment(job(case, tmp_path))
    assert (read(tmp_path / "labels.nrrd").array[:] == np.where(island, 3, case.labels)).all()
    segment(job(case, tmp_path, island_mm3=39e-6))
    assert (read(tmp_path / "labels.nrrd").array[:] == case.labels).all()
    segment(job(case, tmp_path, island_mm3=39e-6, keep_largest=True))
    assert (read(tmp_path / "labels.nrrd").array[:] == np.where(island, 3, case.labels)).all()


def test_outside_of_the_field_of_view_is_background(case, tmp_path):
    segment(job(case, tmp_path, fov="circle:20,18,16", postprocess=False))
    result = read(tmp_path / "labels.nrrd")
    assert result.metadata["fov"] == "circle:20,18,16"
    y, x = np.ogrid[:40, :36]
    inside = (y - 20) ** 2 + (x - 18) ** 2 <= 256
    assert (result.array[:] == np.where(inside, case.labels, 0)).all()


def test_normalised_scan_is_not_scaled_again(case, tmp_path):
    # the middle half of the grey range: scaled once more, bone would turn into something else
    array = (0.4 * np.ones((3, 16, 16))).astype(np.float32)
    array[:, :8] = 0.7
    write(Volume(array, (0.01,) * 3, metadata={"normalised": "3.0,9.0"}), tmp_path / "scan.nrrd")
    segment(job(case, tmp_path, postprocess=False))
    assert np.unique(read(tmp_path / "labels.nrrd").array[:]).tolist() == [2, 3]


def test_probabilities_are_written_as_bytes(case, tmp_path, small_slabs):
    import zarr

    segment(job(case, tmp_path, probabilities=tmp_path / "p.ome.zarr", postprocess=False))
    group = zarr.open_group(tmp_path / "p.ome.zarr", mode="r")
    values = group["0"][:]
    assert values.dtype == np.uint8
    assert values.shape == (4, *case.labels.shape)
    assert (values.argmax(axis=0) == case.labels).all()
    assert np.abs(values.sum(axis=0, dtype=int) - 255).max() <= 2
    assert [channel["label"] for channel in group.attrs["ome"]["omero"]["channels"]][3] == "bone"
    assert left(tmp_path) == ["labels.nrrd", "labels.nrrd.job.toml", "p.ome.zarr"]


class Killed(BaseException):
    """Stands for a kill: nothing that catches errors gets to see it."""


@pytest.mark.parametrize("probabilities", [None, "p.ome.zarr"])
def test_killed_run_resumes_to_the_same_bits(case, tmp_path, small_slabs, monkeypatch, probabilities):
    random = np.random.default_rng(1).normal(5000, 3000, case.labels.shape).clip(0, 65535).astype(np.uint16)
    write(case.volume.like(random), tmp_path / "scan.nrrd")
    store = tmp_path / probabilities if probabilities else None
    wanted = job(case, tmp_path, "wanted.nrrd", probabilities=store)
    segment(wanted)
    values = _values(store)

    calls = []
    whole = Predictor.block

    def block(self, grey):
        calls.append(len(grey))
        if len(calls) == 4:
            raise Killed
        return whole(self, grey)

    monkeypatch.setattr(Predictor, "block", block)
    again = replace(wanted, output=tmp_path / "again.nrrd")
    with pytest.raises(Killed):
        segment(again)
    assert not (tmp_path / "again.nrrd").exists()
    with (tmp_path / ".again.nrrd.work" / "labels.u8").open("ab") as stream:
        stream.write(b"half a slab")  # a kill may come in the middle of a write
    calls[:] = [None] * 10
    segment(again, resume=True)
    assert len(calls) == 10 + len(range(0, 14, 2)) - 3
    np.testing.assert_array_equal(read(again.output).array[:], read(wanted.output).array[:])
    np.testing.assert_array_equal(_values(store), values)
    assert ".again.nrrd.work" not in left(tmp_path)


def _values(store):
    import zarr

    return None if store is None else zarr.open_group(store, mode="r")["0"][:]


def test_resume_of_another_job_is_refused(case, tmp_path, small_slabs, monkeypatch):
    monkeypatch.setattr(
        "ImplantSegLib.inference.predict.write_results", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        segment(job(case, tmp_path))
    with pytest.raises(InputError, match="had other options"):
        segment(job(case, tmp_path, mirror=True), resume=True)
    assert left(tmp_path) == [".labels.nrrd.work"]


def test_resume_without_anything_to_resume_starts(case, tmp_path):
    segment(job(case, tmp_path), resume=True)
    assert left(tmp_path) == ["labels.nrrd", "labels.nrrd.job.toml"]


def test_damaged_state_is_explained(case, tmp_path):
    work = Work(tmp_path / "labels.nrrd", "key")
    work.start({}, 0)
    (work.folder / "state.json").write_text('{"key":')
    with pytest.raises(InputError, match="is damaged"):
        work.resume()


def test_other_voxel_size_warns_with_the_ratio(case, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        segment(job(case, tmp_path, spacing_um=(15.0, 15.0, 15.0)))
        assert "1.50 times as large as the 10 × 10 × 10 µm" in caplog.text
        assert "hardly be of use" not in caplog.text
        caplog.clear()
        segment(job(case, tmp_path, spacing_um=(3.3, 3.3, 3.3)))
        assert "so that its labels will hardly be of use: bin the scan first" in caplog.text
        assert "--bin 3" in caplog.text
        caplog.clear()
        segment(job(case, tmp_path, spacing_um=(11.0, 11.0, 11.0)))
        assert caplog.text == ""
        write(Volume(read(case.scan).array[:], metadata={"voxel_size_known": "no"}), tmp_path / "scan.nrrd")
        segment(job(case, tmp_path))
        assert "voxel size of the scan is unknown" in caplog.text


@pytest.mark.parametrize(
    ("value", "normalised", "words"),
    [
        (np.nan, False, "NaN or infinite, the first in slice 2"),
        (np.inf, True, "slices 0 to 4 of the scan have NaN or infinite"),
        (None, False, "every voxel of the scan has the grey value 0.5"),
    ],
)
def test_bad_scans_leave_nothing_behind(case, tmp_path, value, normalised, words):
    array = np.full((5, 16, 16), 0.5, np.float32)
    array[2, 3, 4] = 0.5 if value is None else value
    metadata = {"normalised": "0.0,1.0"} if normalised else {}
    write(Volume(array, (0.01,) * 3, metadata=metadata), tmp_path / "scan.nrrd")
    with pytest.raises(InputError, match=words):
        segment(job(case, tmp_path))
    assert left(tmp_path) == []


def test_missing_scan_and_damaged_model_are_explained(case, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        segment(replace(job(case, tmp_path), input=tmp_path / "none.nrrd"))
    content = bytearray(Path(case.model).read_bytes())
    content[-3] ^= 0xFF
    Path(case.model).write_bytes(content)
    with pytest.raises(InputError, match="checksum"):
        segment(job(case, tmp_path))
    assert left(tmp_path) == []


def test_unknown_format_is_refused_before_any_work(case, tmp_path):
    with pytest.raises(InputError, match=r"labels\.xyz"):
        segment(job(case, tmp_path, "labels.xyz"))
    assert left(tmp_path) == []


def test_scan_is_not_overwritten(case, tmp_path):
    before = Path(case.scan).read_bytes()
    with pytest.raises(InputError, match="as input and as output"):
        segment(job(case, tmp_path, "scan.nrrd"))
    assert Path(case.scan).read_bytes() == before


def test_too_small_disk_is_told_before_any_work(case, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**4}))
    with pytest.raises(InputError, match=r"needs 39 KiB of disk; 9.8 KiB are free"):
        segment(job(case, tmp_path))
    assert left(tmp_path) == []


def test_disk_that_fills_up_loses_nothing(case, tmp_path, small_slabs, monkeypatch):
    done = []

    def fsync(_):
        done.append(1)
        if len(done) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(InputError, match="the disk is full"):
        segment(job(case, tmp_path, postprocess=False))
    assert left(tmp_path) == [".labels.nrrd.work"]
    segment(job(case, tmp_path, postprocess=False), resume=True)
    assert (read(tmp_path / "labels.nrrd").array[:] == case.labels).all()
    assert left(tmp_path) == ["labels.nrrd", "labels.nrrd.job.toml"]


def test_folder_that_may_not_be_written_is_explained(case, tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match="permission is denied"):
        segment(job(case, tmp_path))


def test_too_little_memory_is_told(case, tmp_path):
    with pytest.raises(MemoryLimitError, match="needs at least"):
        segment(job(case, tmp_path, max_memory=2**20))
    assert left(tmp_path) == []


def test_key_changes_with_what_decides_about_the_labels(case, tmp_path):
    base = job(case, tmp_path)
    key = base.key("sha")
    for change in ({"mirror": True}, {"tile": 512}, {"fov": "auto"}, {"probabilities": tmp_path / "p.zarr"}):
        assert replace(base, **change).key("sha") != key
    assert base.key("other") != key
    assert replace(base, postprocess=False, max_memory=5, output=tmp_path / "x.nrrd").key("sha") == key
    write(case.volume.like(case.volume.array[:] + np.uint16(1)), tmp_path / "scan.nrrd")
    assert base.key("sha") != key


@pytest.mark.parametrize("wrong", [{"tile": 16}, {"overlap": -1}, {"overlap": 600}, {"island_mm3": -1.0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(InputError, match="wanted"):
        SegmentJob(Path("a"), Path("b"), **wrong)


@pytest.mark.parametrize("name", TINY)
def test_every_network_runs_on_odd_sizes(name, tmp_path):
    network = build(name, **TINY[name])
    save(tmp_path / "tiny.safetensors", Bundle(name, TINY[name]), network.state_dict())
    array = np.random.default_rng(0).integers(0, 255, (2, 37, 53)).astype(np.uint8)
    write(Volume(array, (0.01,) * 3), tmp_path / "scan.nrrd")
    found = segment(
        SegmentJob(tmp_path / "scan.nrrd", tmp_path / "labels.nrrd", str(tmp_path / "tiny.safetensors"), fov="box")
    ).found
    assert read(tmp_path / "labels.nrrd").shape == (2, 37, 53)
    assert json.dumps(found)


def test_a_part_is_segmented_at_its_place(case, tmp_path):
    segment(job(case, tmp_path, crop="2:12,:,4:30", fov="circle:20,18,16", postprocess=False))
    result = read(tmp_path / "labels.nrrd")
    y, x = np.ogrid[:40, :36]
    inside = (y - 20) ** 2 + (x - 18) ** 2 <= 256
    assert (result.array[:] == np.where(inside, case.labels, 0)[2:12, :, 4:30]).all()
    assert result.metadata["fov"] == "circle:20,14,16"
    assert result.same_grid(cropped(case.volume, Box.parse("2:12,:,4:30")))
    assert jobs.load_toml(tmp_path / "labels.nrrd.job.toml")["crop"] == "2:12,:,4:30"


def test_a_part_that_is_none_is_refused(case, tmp_path):
    with pytest.raises(InputError, match="wanted three ranges"):
        job(case, tmp_path, crop="2:12")
    with pytest.raises(InputError, match="reaches beyond the volume along x"):
        segment(job(case, tmp_path, crop=":,:,4:37"))
