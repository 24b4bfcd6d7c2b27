"""The cohort file and its table: paths, defaults, and what is wrong with them in one sentence."""

import dataclasses

import pytest

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.study.cohort import Cohort, StudySample, Training, folder_name, read_cohort
from ImplantSegQuantLib.study.plan import plan

HEAD = 'reference = "screw:diameter=3.5"\nweeks = 12\n'


@pytest.fixture
def write(tmp_path):
    """Write a cohort file; label volumes a.nrrd and b.nrrd lie beside it."""
    for name in ("a.nrrd", "b.nrrd", "truth.nrrd", "scan.nrrd"):
        (tmp_path / name).touch()

    def written(text, head=HEAD):
        path = tmp_path / "cohort.toml"
        path.write_text(head + text, encoding="utf-8")
        return path

    return written


def sample(text='segmentations = { unet = "a.nrrd" }', name="s1"):
    return f'[[samples]]\nname = "{name}"\n{text}\n'


def test_paths_are_seen_from_the_file_and_defaults_come_from_the_cohort(write, tmp_path):
    path = write(
        "roi_mm = 0.5\n"
        + sample('segmentations = { unet = "a.nrrd", hand = "b.nrrd" }\ntruth = "truth.nrrd"\nweeks = 6')
        + sample(name="Sample 2: left")
    )
    tasks = plan(read_cohort(path), tmp_path / "out")
    assert [(task.sample, task.model) for task in tasks] == [
        ("s1", "unet"),
        ("s1", "hand"),
        ("Sample 2: left", "unet"),
    ]
    first, _, last = (task.quantify for task in tasks)
    assert first.segmentation == str(tmp_path / "a.nrrd")
    assert first.truth == str(tmp_path / "truth.nrrd")
    assert first.reference == "screw:diameter=3.5"
    assert (first.weeks, last.weeks, first.roi_mm) == (6, 12, 0.5)
    assert tasks[2].folder == tmp_path / "out" / "samples" / "Sample_2_left" / "unet"


def test_models_segment_the_images_that_there_are(write, tmp_path):
    path = write('models = ["compact_unet"]\n' + sample('image = "scan.nrrd"') + sample(name="s2"))
    tasks = plan(read_cohort(path), tmp_path / "out")
    assert [task.model for task in tasks] == ["compact_unet", "unet"]
    assert tasks[0].segment.input == tmp_path / "scan.nrrd"
    assert tasks[0].quantify.segmentation == str(tasks[0].segment.output)
    assert tasks[1].segment is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks the key 'samples'"),
        ("samples = []\n", "no samples"),
        (sample() + "wheeks = 3\n", r"unknown key 'samples\..*wheeks'.*did you mean 'weeks'"),
        ("rio_mm = 3\n" + sample(), "unknown key 'rio_mm'; did you mean 'roi_mm'"),
        (sample() + sample(), "several samples have the name 's1'"),
        (sample(name="s:1") + sample(name="s/1"), "several samples have the folder name 's_1'"),
        (sample("site = 3"), "wrong value for .*site"),
        (sample(""), "'s1' has nothing to measure"),
        (sample('segmentations = { unet = "gone.nrrd" }'), "there is no segmentation .*gone.nrrd"),
        (sample() + 'truth = "gone.nrrd"\n', "there is no truth .*gone.nrrd"),
        (sample('results = { unet = "gone" }'), "there is no results .*gone"),
        (sample('segmentations = { "ground truth" = "a.nrrd" }'), "a model called 'ground truth'"),
        (sample('segmentations = { a = "a.nrrd", A = "b.nrrd" }'), "two models called 'a'"),
        (sample('models = ["compact_unet"]'), "names models but no image"),
        (sample('image = "scan.nrrd"\nmodels = ["no_such_model"]'), "got the model"),
        (sample() + 'probabilities = { other = "a.nrrd" }\n', "probabilities of other"),
        (sample() + "weeks = -1\n", "'s1': .*weeks"),
        ('measures = ["size"]\n' + sample(), "got the measure 'size'"),
        (
            sample() + '[[training]]\nmodel = "U-Net"\ninput_size = [512]\n',
            "both mean_iou_percent and runs, or neither",
        ),
        (sample() + '[[training]]\nmodel = "U"\ninput_size = []\nmean_iou_percent = [9.0]\n', "input size"),
    ],
)
def test_what_is_wrong_is_one_sentence(write, tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        plan(read_cohort(write(text)), tmp_path / "out")


@pytest.mark.parametrize(("head", "words"), [("weeks = 3\n", "no reference"), ('reference = "a.nrrd"\n', "no weeks")])
def test_what_measuring_needs(write, tmp_path, head, words):
    with pytest.raises(InputError, match=words + r".*\(1 more samples are wrong\).*nothing was started"):
        plan(read_cohort(write(sample() + sample(name="s2"), head)), tmp_path / "out")


def test_a_file_that_is_no_cohort(tmp_path):
    with pytest.raises(InputError, match="cannot read .*it does not exist"):
        read_cohort(tmp_path / "none.toml")
    with pytest.raises(InputError, match="is a folder, wanted a cohort file"):
        read_cohort(tmp_path)
    (tmp_path / "image.toml").write_text("\x00 nrrd")
    with pytest.raises(InputError, match="not valid TOML"):
        read_cohort(tmp_path / "image.toml")


def test_samples_of_a_spreadsheet(write, tmp_path):
    (tmp_path / "samples.csv").write_text(
        "\ufeffname;Weeks;site;subject;group.alloy;segmentation.U-Net;truth;models\n"
        "s1;6,5;tibia;sheep 1;ZX00;a.nrrd;truth.nrrd;\n;;;;;;;\ns2;12;;;;b.nrrd;;\n",
        encoding="utf-8",
    )
    cohort = read_cohort(write('samples = "samples.csv"\n'))
    one, two = cohort.samples
    assert (one.weeks, one.site, one.subject, one.groups) == (6.5, "tibia", "sheep 1", {"alloy": "ZX00"})
    assert one.segmentations == {"U-Net": str(tmp_path / "a.nrrd")}
    assert one.group("alloy") == "ZX00"
    assert two.group("alloy") == ""
    assert (two.site, two.truth) == ("", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nam,weeks\n", "unknown column 'nam'; did you mean 'name'"),
        ("weeks\n3\n", "no column name"),
        ("name,segmentatoin.unet\n", r"did you mean 'segmentation\.unet'"),
        ("name,weeks\ns1,soon\n", "line 2 of .* has 'soon' in the column weeks"),
        ("name,weeks\n,3\n", "line 2 of .* names no sample"),
        ("name,weeks\ns1,3,4\n", "more cells than columns"),
        ("name,name\n", "two columns 'name'"),
        ("name\n", "no samples"),
    ],
)
def test_what_is_wrong_with_a_spreadsheet(write, tmp_path, text, words):
    (tmp_path / "samples.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_cohort(write('samples = "samples.csv"\n'))


def test_the_example_and_the_page_know_every_key(root):
    example = jobs.load_toml(root / "Resources" / "examples" / "cohort.toml")
    assert len(jobs.from_mapping(Cohort, example).samples) == 3
    page = (root / "docs" / "study.md").read_text(encoding="utf-8")
    keys = [field.name for kind in (Cohort, StudySample, Training) for field in dataclasses.fields(kind)]
    assert [key for key in keys if f"`{key}`" not in page and f"[[{key}]]" not in page] == []


def test_names_as_folders():
    assert folder_name("2D nnU-Net (v2)") == "2D_nnU-Net_v2"
    assert folder_name("../../etc") == "etc"
    assert folder_name("Σ1") == "Σ1"
