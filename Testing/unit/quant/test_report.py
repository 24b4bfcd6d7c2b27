import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, write
from ImplantSegQuantLib import render3d, report
from ImplantSegQuantLib.render3d import Picture, Pictures
from ImplantSegQuantLib.unroll import Unrolled

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Checks that tags are closed in order; keeps images, addresses and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.addresses, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.addresses += [attributes[key] for key in ("src", "href") if key in attributes]
        if tag == "img":
            self.images.append(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(autouse=True)
def rendered(monkeypatch):
    picture = Picture(np.zeros((20, 30, 3), np.uint8), 0.1)
    monkeypatch.setattr(render3d, "render", lambda coarse: Pictures(picture, picture))


@pytest.fixture
def sample():
    y, x = np.mgrid[:24, :20] - 10.0
    radius = np.broadcast_to(np.hypot(y, x), (12, 24, 20))
    labels = np.select([radius < 4, radius < 6, radius < 9], [1, 2, 3], 0).astype(np.uint8)
    segmentation = Volume(labels, (0.02, 0.01, 0.01), metadata={"fov": "circle:11.5,9.5,9"})
    roi = segmentation.like((radius < 8).astype(np.uint8))
    return segmentation, roi


def result(**more):
    measurements = {
        "degradation_rate": {"value": 0.4321, "unit": "mm/a", "interval": (0.4, 0.5)},
        "bone_implant_contact": {"value": None, "unit": "%", "interval": None},
        "initial_volume": {"value": 12.5, "unit": "mm^3", "interval": None, "note": "sub-voxel weights"},
    }
    job = {"segmentation": "S01/segmentation.seg.nrrd", "weeks": 12.0, "fov": "auto"}
    return {"measurements": measurements, "job": job, **more}


def page(path):
    return Page(path.read_text(encoding="utf-8"))


def test_a_report_with_everything(tmp_path, sample):
    everything = result(
        truth={"degradation_rate": {"value": 0.4, "unit": "mm/a", "interval": None}},
        relative_error_percent={"degradation_rate": 8.025},
        iou_percent={"background": 97.0, "residual_material": 98.0, "degradation_layer": None, "bone": 94.0},
        mean_iou_percent=96.333,
        registration={"surface_error_um": 4.2},
        warnings=["The pose slides along the thread."],
        provenance={"date": "2024-05-06T07:08:09+00:00", "inputs": {"segmentation": {"sha256": "c0ffee"}}},
    )
    image = sample[0].like(np.random.default_rng(0).random(sample[0].shape))

    def distance(points_mm):
        return np.hypot(points_mm[:, 0] - 0.1, points_mm[:, 1] - 0.1) - 0.06

    path = report.write_report(tmp_path / "new", everything, *sample, report.Illustrations(image, distance))
    assert path == tmp_path / "new" / "report.html"
    found = page(path)
    for words in (
        "S01 / segmentation", "2024-05-06", "12 weeks", "20 × 10 × 10 (z, y, x) µm", "0.4321", "0.4000 to 0.5000",
        "+8.03", "undefined", "mm³", "absent", "96.33", "Surface error (µm)", "4.2", "slides along",
        "inputs.segmentation.sha256", "c0ffee", "voxel faces, as published",
        "In this sample: sub-voxel weights",
    ):  # fmt: skip
        assert words in found.text, words
    assert len(found.images) == 2
    for outline in ("registered reference", "region of interest (ROI)", "field of view (FOV)"):
        assert outline in found.images[1]["alt"]


def test_regions_have_a_table(tmp_path, sample):
    profiles = {"degradation_by_region": {"thread": _figures()}}
    found = page(report.write_report(tmp_path, result(profiles=profiles), *sample))
    for words in ("Degradation by region of the screw", "DR, unbiased (mm/a)", "Thread2.50020.0012.00undefined"):
        assert words in found.text, words
    assert "by region" not in page(report.write_report(tmp_path, result(), *sample)).text


def test_sides_of_the_thread_have_a_table(tmp_path, sample):
    flank = {
        "reference_surface_mm2": 6.5, "corrosion_depth_um": 90.25, "recession_rate_mm_per_year": 0.392,
        "bone_implant_contact_percent": None,
    }  # fmt: skip
    profiles = {"degradation_by_region": {"thread": _figures()}, "degradation_by_flank": {"leading_flank": flank}}
    found = page(report.write_report(tmp_path, result(profiles=profiles), *sample))
    for words in ("By side of the thread", "Leading flank (to the tip)6.50090.250.3920undefined"):
        assert words in found.text, words


def _figures():
    return {
        "initial_volume_mm3": 2.5, "residual_volume_mm3": 2.0, "volume_loss_percent": 20.0,
        "initial_surface_mm2": 12.0, "degradation_rate_mm_per_year": None,
    }  # fmt: skip


def test_profiles_are_drawn(tmp_path, sample):
    profiles = {"bone_implant_contact_by_gap": {"gap_um": [0, 20], "percent": [20.0, 60.0]}}
    found = page(report.write_report(tmp_path, result(profiles=profiles), *sample))
    assert "Contact against the gap" in found.text
    assert len(found.images) == 3


def test_the_unrolled_surface_is_shown(tmp_path, sample):
    map_ = Unrolled(np.where(np.eye(4, 180) > 0, np.nan, 1.0), np.linspace(0, 1, 5), 2.0)
    for more in (report.Illustrations(contact=map_), report.Illustrations(contact=map_, depth=map_)):
        found = page(report.write_report(tmp_path, result(), *sample, more))
        assert "The unrolled surface" in found.text
    assert "The unrolled surface" not in page(report.write_report(tmp_path, result(), *sample)).text


def test_slices_are_shown_as_they_lie_in_the_world(tmp_path, sample, monkeypatch):
    seen = []
    monkeypatch.setattr(report.figures, "slices_figure", lambda slices: seen.append(slices) or "data:image/png;base64,")
    for direction in (np.eye(3), np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, -1.0, -1.0])):
        turned = [
            Volume(volume.array, volume.spacing_mm, (0, 0, 0), tuple(map(tuple, direction)), volume.metadata)
            for volume in sample
        ]
        report.write_report(tmp_path, result(), *turned)
    assert [slices.mirrored for slices in seen] == [(False,) * 3, (False, False, True), (True, True, False)]


def test_a_report_stands_alone(tmp_path, sample):
    found = page(report.write_report(tmp_path, result(), *sample))
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in found.addresses)
    assert all(picture["alt"] for picture in found.images)


def test_what_is_not_known_is_not_shown(tmp_path, sample):
    found = page(report.write_report(tmp_path, result(), *sample))
    for words in ("Truth", "Relative error", "IoU", "Registration", "Before using"):
        assert words not in found.text, words
    assert "registered reference" not in found.images[1]["alt"]


def test_without_a_renderer_the_report_says_why(tmp_path, sample, monkeypatch):
    def fail(coarse):
        raise render3d.RenderError("the renderer ended with exit code -11", "apt-get install libegl1 libgl1-mesa-dri")

    monkeypatch.setattr(render3d, "render", fail)
    found = page(report.write_report(tmp_path, result(), *sample))
    assert len(found.images) == 1
    assert "There is no 3D picture. The renderer ended with exit code -11." in found.text
    assert "apt-get install libegl1 libgl1-mesa-dri" in found.text


def test_names_are_text_not_markup(tmp_path, sample):
    hostile = result(warnings=["<b>bold</b>"])
    hostile["job"]["sample"] = "<script>alert(1)</script>"
    path = report.write_report(tmp_path, hostile, *sample)
    assert "<script>alert(1)</script>" in page(path).text
    assert "<script" not in path.read_text(encoding="utf-8")


def test_the_field_of_view_of_the_job_is_drawn(tmp_path, sample):
    inside = result()
    inside["job"]["fov"] = "box"
    assert "field of view" not in page(report.write_report(tmp_path, inside, *sample)).images[1]["alt"]
    write(sample[0].like(np.ones(sample[0].shape, np.uint8)), tmp_path / "mask.nrrd")
    inside["job"]["fov"] = str(tmp_path / "mask.nrrd")
    assert "field of view" in page(report.write_report(tmp_path, inside, *sample)).images[1]["alt"]


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path, sample):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        report.write_report(tmp_path / "file", result(), *sample)
