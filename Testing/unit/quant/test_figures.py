import base64
import dataclasses
import io

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
from matplotlib import image

from ImplantSegLib.labels import COLOURS
from ImplantSegQuantLib import canvas, figures
from ImplantSegQuantLib.figures import Slices
from ImplantSegQuantLib.render3d import Picture, Pictures
from ImplantSegQuantLib.views import Planes


def pixels_of(uri):
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return image.imread(io.BytesIO(base64.b64decode(data)), format="png")


def slices(grey=True, shape=(10, 20, 30)):
    z, y, x = shape
    rng = np.random.default_rng(0)
    sizes = ((y, x), (z, x), (z, y))
    labels = Planes(*(rng.integers(0, 4, size).astype(np.uint8) for size in sizes))
    field = Planes(*(np.add.outer(np.arange(size[0]), np.arange(size[1])) - 12.0 for size in sizes))
    shades = Planes(*(rng.random(size) for size in sizes)) if grey else None
    return Slices(labels, shades, {"reference": (field, 0.0), "roi": (field, 5.0)}, (0.02, 0.01, 0.01), (5, 10, 15))


@pytest.mark.parametrize("grey", [True, False])
def test_slices_are_drawn_without_the_state_of_pyplot(grey):
    before = dict(matplotlib.rcParams)
    picture = pixels_of(figures.slices_figure(slices(grey)))
    assert dict(matplotlib.rcParams) == before
    assert min(picture.shape[:2]) > 300
    assert (picture[..., :3].min(), picture[..., :3].max()) == (0, 1)


@pytest.mark.parametrize("shape", [(200, 20, 20), (2, 40, 40), (1, 1, 1)])
def test_odd_proportions_fit_the_page(shape):
    height, width, _ = pixels_of(figures.slices_figure(slices(shape=shape))).shape
    assert max(height, width) < 16 * canvas.DPI


def test_an_outline_outside_the_plane_or_undefined_is_left_out():
    shown = slices()
    field = shown.outlines["roi"][0]
    beyond = {"roi": (field, 1e6), "reference": (Planes(*(np.full_like(part, np.nan) for part in field)), 0.0)}
    figures.slices_figure(Slices(shown.labels, shown.grey, beyond, shown.spacing_mm, shown.index))


def test_a_mirrored_axis_is_drawn_the_other_way_round():
    axes = [matplotlib.figure.Figure().add_subplot() for _ in range(2)]
    for each, mirrored in zip(axes, [(False, False, False), (False, False, True)], strict=True):
        figures._draw_plane(each, dataclasses.replace(slices(), mirrored=mirrored), "xy", overlay=True)
    assert [each.xaxis_inverted() for each in axes] == [False, True]
    assert all(each.yaxis_inverted() for each in axes)  # rows run down


def test_labels_alone_have_the_colours_of_the_table():
    drawn = figures._pixels(np.array([[1, 2, 3]], np.uint8), None)
    np.testing.assert_array_equal(drawn[0], np.round(255 * np.array([COLOURS[label] for label in (1, 2, 3)])))


def test_background_keeps_its_grey_value_and_classes_are_shaded():
    drawn = figures._pixels(np.array([[0, 0, 3, 3]], np.uint8), np.array([[0.0, 0.6, 0.0, 1.0]], np.float32))
    np.testing.assert_array_equal(drawn[0, :2], [[0] * 3, [153] * 3])
    np.testing.assert_array_equal(drawn[0, 3], np.round(255 * np.array(COLOURS[3])))
    assert 0 < drawn[0, 2].max() < drawn[0, 3].max()


def test_voxels_without_a_value_are_black():
    shade = figures._brightness(np.array([np.nan, 2.0, 4.0, 9.0]), 2.0, 6.0)
    np.testing.assert_array_equal(shade, [0, 0, 0.5, 1])


@pytest.mark.parametrize(("about", "length"), [(1.0, 1), (0.99, 0.5), (4.9, 2), (5, 5), (0.013, 0.01), (73, 50)])
def test_scale_bars_have_round_lengths(about, length):
    assert figures.round_length_mm(about) == pytest.approx(length)


def test_pictures_stand_side_by_side():
    narrow, wide = np.zeros((40, 30, 3), np.uint8), np.zeros((40, 80, 3), np.uint8)
    height, width, _ = pixels_of(figures.pictures_figure(Pictures(Picture(narrow, 0.1), Picture(wide, 0.1)))).shape
    assert width > 2 * height
