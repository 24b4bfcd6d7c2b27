import hashlib
import json

import numpy as np
import pytest

from ImplantSegLib.cli import main
from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.build import build, write_reference
from ImplantSegLib.phantom.recipe import PhantomJob
from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.volumes import read

JOB = PhantomJob(seed=5, beamline="p07", spacing_um=(40.0, 40.0, 40.0), shape=(18, 110, 100), contact_percent=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build(JOB, tmp_path_factory.mktemp("phantom"), reference=False)


def hashes(path):
    return {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in ("image.nrrd", "truth.json")}


def test_the_same_seed_gives_the_same_bytes_whatever_the_slab_size(folder, tmp_path):
    again = build(JOB, tmp_path, depth=5, reference=False)
    assert hashes(again) == hashes(folder)
    np.testing.assert_array_equal(read(again / "labels.seg.nrrd").array[:], read(folder / "labels.seg.nrrd").array[:])


def test_image_and_labels_lie_on_the_grid_of_the_job(folder):
    image, labels = read(folder / "image.nrrd"), read(folder / "labels.seg.nrrd")
    assert image.shape == JOB.shape
    assert image.spacing_mm == pytest.approx((0.04, 0.04, 0.04))
    assert image.same_grid(labels)
    assert set(np.unique(labels.array[:])) == {0, 1, 2, 3}


def test_outside_the_circle_is_nothing(folder):
    image, labels = read(folder / "image.nrrd"), read(folder / "labels.seg.nrrd")
    corner = np.s_[:, :10, :10]
    assert not np.asarray(image.array[:])[corner].any()
    assert not np.asarray(labels.array[:])[corner].any()
    assert image.metadata["fov"].startswith("circle:54.5,49.5,")


def test_the_classes_differ_as_their_attenuation_says(folder):
    image = np.asarray(read(folder / "image.nrrd").array[:]).astype(float)
    labels = np.asarray(read(folder / "labels.seg.nrrd").array[:])
    y, x = np.mgrid[:110, :100]
    seen = np.hypot(y - 54.5, x - 49.5) < 48
    means = [image[(labels == label) & seen].mean() for label in range(4)]
    spread = [image[(labels == label) & seen].std() for label in range(4)]
    assert means[0] < means[1] < means[3]
    assert spread[2] > 1.3 * spread[1]  # the layer is heterogeneous
    assert means[1] - spread[2] < means[2] < means[3] + spread[2]  # and overlaps its neighbours


def test_truth_holds_every_number_that_made_it(folder):
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["seed"] == 5
    assert truth["parameters"]["beamline"] == "p07"
    rotation = np.array(truth["pose"])[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    labels = np.asarray(read(folder / "labels.seg.nrrd").array[:])
    metal = (labels == 1).sum() * 0.04**3
    assert truth["measurements"]["residual_volume"]["value"] == pytest.approx(metal, rel=0.02)


def test_the_reference_is_the_whole_screw_in_its_own_frame(tmp_path):
    write_reference(Screw(), tmp_path / "reference.nrrd", 0.1)
    reference = read(tmp_path / "reference.nrrd")
    array = np.asarray(reference.array[:])
    assert not array[0].any()
    assert not array[-1].any()
    assert array.any(axis=(1, 2)).sum() * 0.1 == pytest.approx(16.0, abs=0.2)


def test_the_verb_writes_the_four_files(tmp_path, capsys):
    assert (
        main(["phantom", str(tmp_path / "p"), "--shape", "16,96,96", "--spacing-um", "45", "--progress", "none"]) == 0
    )
    assert {path.name for path in (tmp_path / "p").iterdir()} == {
        "image.nrrd",
        "labels.seg.nrrd",
        "reference.nrrd",
        "truth.json",
    }
    assert str(tmp_path / "p") in capsys.readouterr().out


def test_a_phantom_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise InputError("the disk is full")

    monkeypatch.setattr("ImplantSegLib.phantom.build.truth", full)
    with pytest.raises(InputError):
        build(JOB, tmp_path / "p", reference=False)
    assert list(tmp_path.iterdir()) == []
