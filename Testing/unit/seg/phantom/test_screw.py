import math

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.screw import Screw


def points(*rows):
    return np.array(rows, float)


def test_distances_on_axis_and_to_head_and_tip():
    screw = Screw(socket_depth_mm=0.0)
    inside, above, below = screw.signed_distance(points((0, 0, 8), (0, 0, 16.5), (0, 0, -0.25)))
    assert inside == pytest.approx(-1.25, abs=0.02)  # the core's radius
    assert above == pytest.approx(0.5, abs=1e-6)
    assert below == pytest.approx(0.25, abs=1e-6)


def test_the_socket_is_hollow():
    hollow, metal = Screw().signed_distance(points((0, 0, 15.5), (0, 0, 14.0)))
    assert hollow > 0 > metal


@pytest.mark.parametrize("angle", [0.3, 2.0, -4.0])
def test_the_shaft_is_the_same_after_a_helical_motion(angle):
    screw = Screw()
    rng = np.random.default_rng(1)
    start = np.column_stack([rng.uniform(-2.2, 2.2, (500, 2)), rng.uniform(6, 9, 500)])
    c, s = math.cos(angle), math.sin(angle)
    moved = start @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + [0, 0, screw.pitch_mm * angle / (2 * math.pi)]
    np.testing.assert_allclose(screw.signed_distance(moved), screw.signed_distance(start), atol=1e-5)


def test_radius_is_core_between_the_turns_and_outer_on_the_crest():
    screw = Screw()
    z = np.linspace(6, 6 + screw.pitch_mm, 400)
    radius = np.linspace(1.0, 2.0, 2001)
    reach = [radius[screw.signed_distance(np.column_stack([radius, 0 * radius, 0 * radius + h])) < 0].max() for h in z]
    assert min(reach) == pytest.approx(1.25, abs=1e-3)
    assert max(reach) == pytest.approx(1.75, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"thread_depth_mm": 2.0}, "thinner than the radius"),
        ({"pitch_mm": 0.5}, "second flank"),
        ({"length_mm": 3.0}, "larger length"),
    ],
)
def test_numbers_that_make_no_screw_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        Screw(**options)
