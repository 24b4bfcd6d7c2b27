from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.volumes import FieldOfView, Volume, read
from ImplantSegLib.volumes.circle import find_circle


def scan(
    shape: tuple[int, int],
    circle: tuple[float, float, float],
    fill: float = 0.0,
    grey: tuple[float, float] = (40.0, 20.0),
    dtype: str = "uint8",
) -> Volume:
    """Noise inside a circle, a constant outside."""
    array = np.clip(np.random.default_rng(0).normal(*grey, (12, *shape)), 0, 255)
    array[:, ~FieldOfView(circle).slice_mask(shape)] = fill
    return Volume(array.astype(dtype))


@pytest.mark.parametrize(
    ("shape", "circle"),
    [
        ((100, 100), (49.5, 49.5, 50.0)),
        ((100, 120), (51.2, 62.7, 45.3)),
        ((100, 100), (49.5, 49.5, 60.0)),  # cut by the image
        ((60, 120), (75.0, 59.5, 80.0)),  # two corners only
    ],
)
@pytest.mark.parametrize(
    ("fill", "grey", "dtype"),
    [
        (0.0, (40.0, 20.0), "uint8"),
        (0.0, (2.0, 3.0), "uint8"),  # many voxels inside are 0 too
        (np.nan, (40.0, 20.0), "float32"),
        (-1.5, (0.0, 1.0), "float64"),
    ],
)
def test_circle_is_found(shape: tuple[int, int], circle: tuple, fill: float, grey: tuple, dtype: str) -> None:
    found = find_circle(scan(shape, circle, fill, grey, dtype))
    np.testing.assert_allclose(found, circle, atol=0.4)
    volume = scan(shape, circle, fill, grey, dtype)
    wrong = FieldOfView.detect(volume).slice_mask(shape) != FieldOfView(circle).slice_mask(shape)
    assert wrong.sum() <= 0.02 * 2 * np.pi * circle[2] + 2  # voxels along the edge


def test_dark_pores_that_touch_the_edge_do_not_matter() -> None:
    volume = scan((100, 100), (49.5, 49.5, 50.0))
    volume.array[:, 45:55, :30] = 0
    np.testing.assert_allclose(find_circle(volume), (49.5, 49.5, 50.0), atol=0.4)


@pytest.mark.parametrize("name", ["noise", "constant", "rectangle", "square", "one corner", "one slice"])
def test_no_circle(name: str) -> None:
    noise = np.random.default_rng(1).integers(1, 255, (9, 64, 64)).astype(np.uint8)
    if name == "constant":
        noise[:] = 7
    elif name == "rectangle":
        noise[:, :, :10] = noise[:, :, -10:] = 0
    elif name == "square":
        noise[:, :8] = noise[:, -8:] = noise[:, :, :8] = noise[:, :, -8:] = 0
    elif name == "one corner":
        noise[:, :30, :20] = 0
    elif name == "one slice":
        noise = noise[:1]
    assert find_circle(Volume(noise)) is None
    assert str(FieldOfView.detect(Volume(noise))) == "box"


def test_empty_slices_at_the_ends_tell_nothing() -> None:
    volume = scan((100, 100), (49.5, 49.5, 50.0))
    volume.array[:4] = volume.array[-3:] = 0
    np.testing.assert_allclose(find_circle(volume), (49.5, 49.5, 50.0), atol=0.4)


def test_a_real_scan(real_data: Path) -> None:
    """Half of the image's 512 pixels, in its middle."""
    slice_ = read(real_data / "goat_mandible_implant" / "implant.tiff", (10, 10, 10))
    np.testing.assert_allclose(find_circle(slice_), (255.5, 255.5, 256.0), atol=1.0)
