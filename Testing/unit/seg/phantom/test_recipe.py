"""The solved phantom meets its targets, and its truth agrees with closed forms."""

import math

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.recipe import PhantomJob, prepare
from ImplantSegLib.phantom.sample import COLUMN, cross_slab, sample_slab
from ImplantSegLib.phantom.truth import truth

SHAPE = (20, 120, 120)


def measured(**options):
    job = PhantomJob(spacing_um=(40.0, 40.0, 40.0), shape=SHAPE, **options)
    phantom = prepare(job)
    _, _, counts = sample_slab(0, SHAPE[0], phantom.frame, phantom.explant, job.supersampling)
    counts = counts + cross_slab(0, SHAPE[0], phantom.frame, phantom.explant, 3)
    values = truth(phantom, counts.sum(axis=0))["measurements"]
    return {name: entry["value"] for name, entry in values.items()}


def profile_means(screw):
    """Means over a turn of R² / 2 and of the area element, for the helical surface r = R(z - pitch·angle/2π)."""
    u = (np.arange(200_000) + 0.5) / 200_000 * screw.pitch_mm
    knots = np.cumsum([0, screw.root_mm, screw.lead_mm, screw.crest_mm])
    core, outer = screw.shape.core, screw.shape.outer
    radius = np.interp(u, [*knots, screw.pitch_mm], [core, core, outer, outer, core])
    slope = np.gradient(radius, u)
    element = np.sqrt(radius**2 * (1 + slope**2) + (slope * screw.pitch_mm / (2 * math.pi)) ** 2)
    return (radius**2 / 2).mean(), element.mean()


def test_volume_and_area_of_an_upright_shaft_are_those_of_the_closed_form():
    job = PhantomJob()
    values = measured(seed=4, tilt_deg=0.0, axial_mm=7.0)
    height = SHAPE[0] * 0.040
    half_square, element = profile_means(job.screw)
    assert values["initial_volume"] == pytest.approx(2 * math.pi * height * half_square, rel=0.003)
    assert values["initial_surface_unbiased"] == pytest.approx(2 * math.pi * height * element, rel=0.02)


@pytest.mark.parametrize(
    ("site", "beamline", "contact"),
    [("metaphysis", "p05", 5.0), ("epiphysis", "p07", 45.0), ("diaphysis", "p05", 70.0)],
)
def test_targets_of_rate_and_contact_are_met(site, beamline, contact):
    values = measured(seed=11, site=site, beamline=beamline, degradation_rate=0.4, contact_percent=contact)
    assert values["degradation_rate_unbiased"] == pytest.approx(0.4, rel=0.05)
    assert values["bone_implant_contact_weighted"] == pytest.approx(contact, abs=4)


def test_samples_do_not_depend_on_how_slices_are_grouped():
    phantom = prepare(PhantomJob(seed=2, spacing_um=(40.0,) * 3, shape=SHAPE))
    whole = sample_slab(0, 9, phantom.frame, phantom.explant, 2)
    parts = [sample_slab(start, size, phantom.frame, phantom.explant, 2) for start, size in ((0, 4), (4, 1), (5, 4))]
    for n in range(3):
        np.testing.assert_array_equal(whole[n], np.concatenate([part[n] for part in parts]))


def test_slices_outside_the_volume_are_sampled_but_not_counted():
    phantom = prepare(PhantomJob(seed=2, spacing_um=(40.0,) * 3, shape=SHAPE))
    labels, _, counts = sample_slab(-2, 2, phantom.frame, phantom.explant, 1)
    assert (labels == 1).any()
    assert not counts.any()


def test_a_circular_view_counts_only_what_it_sees():
    phantom = prepare(PhantomJob(seed=2, beamline="p07", spacing_um=(40.0,) * 3, shape=SHAPE))
    _, _, counts = sample_slab(0, 1, phantom.frame, phantom.explant, 1)
    y, x = np.mgrid[:120, :120] - 59.5
    assert counts[0, COLUMN.samples] == 2 * (np.hypot(y, x) <= phantom.frame.radius).sum()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"site": "skull"}, "diaphysis"),
        ({"beamline": "p09"}, "p05"),
        ({"weeks": 0}, "--weeks"),
        ({"weeks": float("inf")}, "--weeks"),
        ({"noise": -1.0}, "--noise"),
        ({"contact_percent": 90}, "2 to 80"),
        ({"spacing_um": (1.0,) * 3}, "at least 2"),
        ({"shape": (8, 100, 100)}, "at least 16"),
    ],
)
def test_impossible_jobs_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        PhantomJob(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"axial_mm": 60.0}, "axial-mm"), ({"degradation_rate": 20.0}, "degradation-rate")],
)
def test_targets_that_cannot_be_met_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        prepare(PhantomJob(spacing_um=(40.0,) * 3, shape=SHAPE, **options))


def test_a_view_inside_the_metal_is_named():
    with pytest.raises(InputError, match="sees no surface of it"):
        prepare(PhantomJob(spacing_um=(10.0,) * 3, shape=(24, 40, 40)))
