import ctypes.util
import sys

import numpy as np
import pytest

from ImplantSegLib.labels import COLOURS
from ImplantSegLib.volumes import Volume
from ImplantSegQuantLib import render3d, views

needs_gl = pytest.mark.skipif(
    sys.platform == "linux" and ctypes.util.find_library("EGL") is None,
    reason="offscreen rendering needs the Debian packages libegl1 and libgl1-mesa-dri",
)


def rod(layer=True):
    """Metal rod along z with a layer and bone round it, in a box of 24³ voxels of 0.1 × 0.05 × 0.05 mm."""
    y, x = np.mgrid[:24, :24] - 11.5
    radius = np.broadcast_to(np.hypot(y, x), (24, 24, 24))
    labels = np.select([radius < 5, radius < 7, radius < 11], [1, 2 if layer else 0, 3], 0)
    return Volume(labels.astype(np.uint8), (0.1, 0.05, 0.05))


def share_of_hue(pixels, colour):
    """Share of the pixels whose strongest and weakest channels are those of a colour, and not grey."""
    order = np.argsort(colour)
    strong, weak = pixels[..., order[2]].astype(int), pixels[..., order[0]].astype(int)
    return np.mean((strong == pixels.max(axis=2)) & (weak == pixels.min(axis=2)) & (strong - weak > 40))


@pytest.fixture(scope="module")
def pictures():
    return render3d.render(views.coarsen(rod()))


@needs_gl
def test_the_implant_is_seen_in_its_colours(pictures):
    metal, layer = (share_of_hue(pictures.implant.pixels, COLOURS[label]) for label in (1, 2))
    assert layer > 0.3
    assert 0.02 < metal < 0.1  # the cut face at the end


@needs_gl
def test_the_section_shows_the_metal_inside_the_bone(pictures):
    assert share_of_hue(pictures.section.pixels, COLOURS[1]) > share_of_hue(pictures.implant.pixels, COLOURS[1])


@needs_gl
def test_the_scale_is_that_of_the_voxels(pictures):
    content = (pictures.implant.pixels < 255).any(axis=(0, 2)).sum() * pictures.implant.mm_per_pixel
    # the rod is 14 voxels wide along the grid, up to 15.2 across it, where corners of voxels stand out
    assert 14 * 0.05 < content < 15.2 * 0.05


@needs_gl
def test_complete_degradation_and_no_bone_are_rendered():
    labels = np.where(rod().array == 2, 2, 0).astype(np.uint8)
    implant, section = render3d.render(views.coarsen(Volume(labels, (0.1, 0.05, 0.05))))
    assert share_of_hue(implant.pixels, COLOURS[2]) > 0.2
    assert share_of_hue(section.pixels, COLOURS[2]) > 0.2


@needs_gl
def test_nothing_to_render_is_not_blamed_on_libraries():
    with pytest.raises(render3d.RenderError, match="nothing to render"):
        render3d.render(views.coarsen(Volume(np.zeros((8, 8, 8), np.uint8))))


@pytest.fixture
def renderer(monkeypatch, tmp_path):
    """Put a shell script in the place of Python, the renderer's interpreter."""

    def replace(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return replace


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for the renderer is a shell script")
def test_a_crash_of_the_renderer_names_the_packages(renderer):
    renderer("kill -SEGV $$")
    with pytest.raises(render3d.RenderError, match=r"crashed \(exit code -11\)") as caught:
        render3d.render(views.coarsen(rod()))
    assert "libegl1 libgl1-mesa-dri" in caught.value.remedy


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("ImportError: libX11.so.6: cannot open shared object file: No such file", "apt-get install libegl1"),
        ("ValueError: a bug", "--verbose"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for the renderer is a shell script")
def test_another_failure_is_told_in_its_own_words(renderer, said, remedy):
    renderer(f"echo Traceback >&2; echo '{said}' >&2; exit 1")
    with pytest.raises(render3d.RenderError, match=said) as caught:
        render3d.render(views.coarsen(rod()))
    assert remedy in caught.value.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for the renderer is a shell script")
def test_a_renderer_that_hangs_is_ended(renderer, monkeypatch):
    monkeypatch.setattr(render3d, "_TIMEOUT_S", 0.2)
    renderer("exec sleep 60")
    with pytest.raises(render3d.RenderError, match=r"not ready after 0\.2 s"):
        render3d.render(views.coarsen(rod()))


def test_white_borders_are_cut_off():
    pixels = np.full((50, 60, 3), 255, np.uint8)
    assert render3d._cropped(pixels).shape == (50, 60, 3)
    pixels[20:30, 25:28] = 0
    assert render3d._cropped(pixels, margin=2).shape == (13, 6, 3)
