"""Bad input through the command line: exit code 2, one sentence that says what to do, no file left, no noise."""

import numpy as np
import pytest
from vtkmodules.vtkFiltersSources import vtkSphereSource
from vtkmodules.vtkIOGeometry import vtkSTLWriter

from ImplantSegLib import cli
from ImplantSegLib.volumes import Volume, write
from ImplantSegQuantLib.pose import Pose, save_pose

MM = 0.05
SHAPE = (16, 60, 60)
RANDOM = np.random.default_rng(0)


def radius_mm():
    y, x = ((np.arange(n) - 29.4) * MM for n in SHAPE[1:])
    return np.broadcast_to(np.hypot(y[:, None], x), SHAPE)


def pin():
    bone = np.where(np.arange(SHAPE[2]) > 29, 3, 0)
    return np.where(radius_mm() < 0.5, 1, np.where(radius_mm() < 0.7, 2, bone)).astype(np.uint8)


def ball_mesh(path, scale):
    source, writer = vtkSphereSource(), vtkSTLWriter()
    source.SetRadius(0.6 * scale)
    source.SetThetaResolution(40)
    source.SetPhiResolution(40)
    writer.SetInputConnection(source.GetOutputPort())
    writer.SetFileName(str(path))
    writer.Write()


def moved_away():
    matrix = np.eye(4)
    matrix[0, 3] = 500
    return Pose(matrix)


@pytest.fixture
def folder(tmp_path):
    reference = np.pad((radius_mm() < 0.6).astype(np.uint8), 4)  # a margin: no end is cut off
    write(Volume(pin(), (MM,) * 3), tmp_path / "labels.nrrd")
    write(Volume(reference, (MM,) * 3, (-4 * MM,) * 3), tmp_path / "reference.nrrd")
    save_pose(Pose(np.eye(4)), tmp_path / "pose.tfm")
    return tmp_path


def quantify(folder, **options):
    given = {"segmentation": "labels.nrrd", "reference": "reference.nrrd", "pose": "pose.tfm", "weeks": "12"}
    given |= {"out": "out"} | options
    names = ("segmentation", "reference", "pose", "truth", "image", "out")
    files = {name: folder / str(given[name]) for name in names if given.get(name)}
    if str(given["reference"]).startswith("screw:"):
        files["reference"] = given["reference"]
    argv = ["quantify", files.pop("segmentation"), "--weeks", given["weeks"], "--progress", "none", "--no-surfaces"]
    for name, path in files.items():
        argv += ["-o" if name == "out" else f"--{name}", path]
    argv += given.get("more", [])
    return cli.main([str(part) for part in argv])


def check(folder, capsys, words, **options):
    before = sorted(path.name for path in folder.iterdir())
    assert quantify(folder, **options) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: "), error
    assert "\n" not in error  # no warnings of libraries, no traceback
    assert words in error
    assert "; " in error  # what to do
    assert sorted(path.name for path in folder.iterdir()) == before


VOLUMES = {
    "no implant": (lambda: np.where(np.isin(pin(), (1, 2)), 0, pin()), "has no implant"),
    "nothing at all": (lambda: 0 * pin(), "has no implant"),
    "fractions": (lambda: pin().astype(np.float32) * 0.9, "holds the value 2.7, wanted labels 0 to 3"),
    "NaN": (lambda: np.where(pin() == 2, np.nan, pin()).astype(np.float32), "holds NaN, wanted whole numbers"),
    "infinite": (lambda: np.where(pin() == 2, np.inf, pin()).astype(np.float32), "holds an infinite value"),
    "a scan of 16 bits": (lambda: pin().astype(np.uint16) * 9000, "holds the value 27000, wanted labels 0 to 3; pass"),
    "a scan of 8 bits": (lambda: RANDOM.integers(0, 255, SHAPE).astype(np.uint8), "pass labels, not a scan"),
    "a label too many": (lambda: np.where(pin() == 3, 9, pin()), "holds label 9, wanted one of: 0 background"),
    "negative": (lambda: pin().astype(np.int16) - 1, "holds the value -1"),
    "not labelled": (lambda: np.where(pin() == 2, 255, pin()), "of label 255, which nobody has labelled"),
}


@pytest.mark.parametrize("role", ["segmentation", "truth"])
@pytest.mark.parametrize("case", list(VOLUMES))
def test_labels_that_are_none(folder, capsys, role, case):
    make, words = VOLUMES[case]
    values = make()
    write(Volume(values.astype(np.uint8) if values.dtype == np.int64 else values, (MM,) * 3), folder / "wrong.nrrd")
    check(folder, capsys, words, **{role: "wrong.nrrd"})


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 2)])
def test_volumes_that_are_too_small(folder, capsys, shape):
    write(Volume(np.ones(shape, np.uint8), (MM,) * 3), folder / "tiny.nrrd")
    check(folder, capsys, "too small to be located", segmentation="tiny.nrrd", pose=None)


REFERENCES = {
    "all 1": (lambda: np.ones((10, 10, 10), np.uint8), "has no voxel of value 0"),
    "all 0": (lambda: np.zeros((10, 10, 10), np.uint8), "the reference is empty: no voxel is set"),
    "a scan": (lambda: RANDOM.integers(0, 5000, (20, 20, 20)).astype(np.uint16), "more than 32 different values"),
    "a scan in fractions": (lambda: RANDOM.random((20, 20, 20)).astype(np.float32), "wanted whole numbers with 0"),
    "NaN": (lambda: np.full((9, 9, 9), np.nan, np.float32), "holds the value nan, wanted whole numbers"),
    "a few voxels": (lambda: np.pad(np.ones((2, 2, 2), np.uint8), 4), "too small: nothing of its 2 × 2 × 2 voxels"),
}


@pytest.mark.parametrize("case", list(REFERENCES))
def test_references_that_are_none(folder, capsys, case):
    make, words = REFERENCES[case]
    write(Volume(make(), (MM,) * 3), folder / "wrong.nrrd")
    check(folder, capsys, words, reference="wrong.nrrd")


@pytest.mark.parametrize(
    ("screw", "words"),
    [
        ("screw:diam=3", "unknown key 'diam'; did you mean 'diameter'"),
        ("screw:diameter=nan", "diameter='nan', wanted a number of mm"),
        ("screw:pitch=-1", "pitch='-1', wanted a number of mm"),
        ("screw:length=1", "got a screw of 1.0 mm, wanted more than head and tip"),
    ],
)
def test_screws_that_are_none(folder, capsys, screw, words):
    check(folder, capsys, words, reference=screw)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(10, 50, 30), (16, 16, 16)])
def test_a_reference_that_is_not_the_screw_in_the_scan(folder, capsys, shape):
    write(Volume(np.pad(np.ones(shape, np.uint8), 5), (MM,) * 3), folder / "block.nrrd")
    check(folder, capsys, "does not fit the implant", reference="block.nrrd", pose=None)


@pytest.mark.parametrize("pose", ["pose.tfm", None])
def test_a_mesh_in_micrometres(folder, capsys, pose):
    ball_mesh(folder / "ball.stl", 1000)
    check(folder, capsys, "one of them is not in mm; the reference may be in µm", reference="ball.stl", pose=pose)


@pytest.mark.parametrize("pose", ["pose.tfm", None])
@pytest.mark.parametrize(("factor", "words"), [(1000, "the scan may be in µm"), (0.001, "or the scan in m")])
def test_a_scan_in_other_units(folder, capsys, pose, factor, words):
    write(Volume(pin(), (MM * factor,) * 3), folder / "other.nrrd")
    check(folder, capsys, words, segmentation="other.nrrd", pose=pose)


@pytest.mark.parametrize("role", ["truth", "image"])
@pytest.mark.parametrize(
    ("part", "spacing_mm", "words"),
    [(slice(1, None), MM, "against shape (15, 60, 60)"), (slice(None), 0.06, "voxel 60 × 60 × 60 µm")],
)
def test_other_grids_are_both_named(folder, capsys, role, part, spacing_mm, words):
    write(Volume(pin()[part], (spacing_mm,) * 3), folder / "other.nrrd")
    check(folder, capsys, words, **{role: "other.nrrd"})


@pytest.mark.parametrize("weeks", ["0", "-3", "nan", "inf"])
def test_weeks_that_are_not_above_zero(folder, capsys, weeks):
    check(folder, capsys, f"got a healing time of {float(weeks)} weeks, wanted a number above 0", weeks=weeks)


def test_weeks_that_are_no_number(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        quantify(folder, weeks="twelve")
    assert ended.value.code == 2
    assert "got 'twelve', wanted a number of weeks such as 12" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"segmentation": "missing.nrrd"}, "missing.nrrd does not exist"),
        ({"reference": "missing.stl"}, "there is no file"),
        ({"reference": "missing.nrrd"}, "missing.nrrd does not exist"),
        ({"pose": "missing.tfm"}, "there is no file"),
        ({"truth": "missing.nrrd"}, "missing.nrrd does not exist"),
        ({"segmentation": "text.docx"}, "got text.docx, wanted a volume"),
        ({"reference": "text.step"}, "wanted a mesh (.stl, .obj, .ply, .vtk, .vtp), a label volume or screw"),
        ({"reference": "text.stl"}, "holds no triangles"),
        ({"pose": "text.tfm"}, "is not a transform that ITK can read"),
        ({"segmentation": "empty.nrrd"}, "is empty: it has no bytes"),
        ({"segmentation": "cut.nrrd"}, "is cut off"),
        ({"out": "text.stl"}, "is a file; choose another folder"),
        ({"out": "text.stl/below"}, "is a file; choose another folder"),
        ({"pose": "away.tfm"}, "does not reach into the field of view"),
        ({"more": ["--roi-mm", "0"]}, "region of interest of 0.0 mm, wanted more than 0"),
        ({"more": ["--roi-mm", "nan"]}, "region of interest of nan mm, wanted more than 0"),
        ({"more": ["--fov", "round"]}, "got the field of view 'round', which is no file"),
        ({"more": ["--fov", "circle:a,b,c"]}, "wanted circle:CY,CX,R"),
        ({"more": ["--fov", "circle:500,500,3"]}, "has no implant"),
    ],
)
def test_files_and_options(folder, capsys, options, words):
    for name in ("text.docx", "text.step", "text.stl", "text.tfm"):
        (folder / name).write_text("hello\n")
    (folder / "empty.nrrd").write_bytes(b"")
    (folder / "cut.nrrd").write_bytes((folder / "labels.nrrd").read_bytes()[:400])
    save_pose(moved_away(), folder / "away.tfm")
    check(folder, capsys, words, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda labels: np.where(labels == 3, 0, labels), "no bone in the region of interest: BV/TV and BIC are 0"),
        (lambda labels: np.where(labels == 1, 2, labels), "complete degradation"),
        (lambda labels: labels[7:8], "corrosion"),
    ],
    ids=["no bone", "layer only", "one slice"],
)
def test_what_is_strange_but_no_fault(folder, capsys, change, words):
    write(Volume(change(pin()), (MM,) * 3, (0, 0, 7 * MM)), folder / "strange.nrrd")
    assert quantify(folder, segmentation="strange.nrrd") == 0
    told = capsys.readouterr()
    assert words in told.out
    assert "Traceback" not in told.err
    assert (folder / "out" / "report.html").is_file()
