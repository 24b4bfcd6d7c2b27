"""The bundled model knows its kind of scans and says where another one differs."""

import dataclasses
import json

import numpy as np
import pytest

from ImplantSegLib import cli, models
from ImplantSegLib.models import registry
from ImplantSegLib.phantom.build import build
from ImplantSegLib.phantom.cohort import jobs
from ImplantSegLib.volumes import Volume, read, write


@pytest.fixture
def ask(capsys):
    """Run ``implantseg quality SCAN --model compact_unet --json`` and give the answer."""

    def ask(scan, *options):
        arguments = ["quality", str(scan), "--model", "compact_unet", "--json", "--progress", "none"]
        assert cli.main([*arguments, *map(str, options)]) == 0
        return json.loads(capsys.readouterr().out)

    return ask


def phantom(folder, **changes):
    """Sixteen slices of a validation phantom, made of single points per voxel to save time."""
    job = jobs("development")["metaphysis-12w-2001"]
    build(dataclasses.replace(job, shape=(16, 448, 448), supersampling=1, **changes), folder, reference=False)
    return folder / "image.nrrd"


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A scan like those of the training, which it was not shown."""
    return phantom(tmp_path_factory.mktemp("known"))


def measures(answer):
    return {one["measure"] for one in answer["warnings"]}


@pytest.mark.slow
def test_a_validation_phantom_looks_familiar(ask, known):
    answer = ask(known)
    assert answer["warnings"] == []
    assert (answer["model"], answer["margin"]) == ("compact_unet", 1.2)
    assert answer["source"] == "multi-otsu"


@pytest.mark.slow
def test_twice_the_noise_is_told(ask, tmp_path):
    assert measures(ask(phantom(tmp_path, noise=2.0))) >= {"noise_percent", "cnr"}


@pytest.mark.slow
def test_inverted_contrast_is_told(ask, known, tmp_path):
    scan = read(known)
    array = np.asarray(scan.array[:])
    write(scan.like(array.max() - array), tmp_path / "inverted.nrrd")
    assert measures(ask(tmp_path / "inverted.nrrd")) == {"grey_distance"}


@pytest.mark.slow
def test_voxels_of_three_times_the_size_are_told(ask, known):
    assert measures(ask(known, "--spacing-um", "30")) == {"voxel_size_um"}


@pytest.mark.parametrize("scan", ["goat_mandible_implant/implant.tiff", "lhdl_trabecular/slices"])
@pytest.mark.filterwarnings("ignore")
def test_real_scans_of_other_samples_look_unfamiliar(ask, real_data, scan):
    assert measures(ask(real_data / scan, "--spacing-um", "10")) >= {"grey_distance", "noise_percent"}


@pytest.fixture
def plain(tmp_path):
    """A small scan of noise."""
    array = np.random.default_rng(0).normal(0, 1, (4, 32, 32)).astype(np.float32)
    write(Volume(array, (0.01, 0.01, 0.01)), tmp_path / "plain.nrrd")
    return tmp_path / "plain.nrrd"


def test_sentences_follow_the_table_and_the_file_holds_them_too(plain, tmp_path, capsys):
    out = tmp_path / "quality.json"
    options = ["--model", "compact_unet", "-o", str(out), "--fov", "box", "--progress", "none"]
    assert cli.main(["quality", str(plain), *options]) == 0
    told = capsys.readouterr().out
    assert "unlike the scans that compact_unet was trained on: its noise is" in told
    assert measures(json.loads(out.read_text())) >= {"noise_percent", "cnr"}


def test_a_part_can_be_asked_about(ask, plain):
    answer = ask(plain, "--crop", ":,0:16,0:16", "--fov", "box")
    assert sum(grey["voxels"] for grey in answer["classes"].values()) == 4 * 16 * 16


def test_a_model_that_does_not_tell_is_refused(plain, tmp_path, capsys):
    bundle = models.load(registry.find("compact_unet"))
    models.save(tmp_path / "old.safetensors", dataclasses.replace(bundle, training_data={}), bundle.load_state())
    assert cli.main(["quality", str(plain), "--model", str(tmp_path / "old.safetensors"), "--progress", "none"]) == 2
    assert "does not tell what its training scans look like" in capsys.readouterr().err
