"""The composition on analytic shapes whose distance is known: no registration, no reference file."""

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.threads import VARIABLE
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.quantify import ALL_PARTS, measure, measure_all
from ImplantSegQuantLib.sample import Sample, survey

MM = 0.02
SHAPE = (24, 160, 160)
RADIUS, METAL, LAYER = 0.5, 0.4, 0.56  # mm: reference, metal, outside of the layer
WEEKS = 12

KEYS = {
    "initial_volume", "residual_volume", "degradation_layer_volume", "volume_loss", "volume_loss_fraction",
    "initial_surface", "initial_surface_unbiased", "initial_surface_voxels", "degradation_rate",
    "degradation_rate_unbiased", "bone_implant_contact", "bone_implant_contact_voxels",
    "bone_implant_contact_weighted", "bone_implant_contact_without_pores", "bone_volume_fraction", "roi_volume",
    "degradation_layer_thickness", "corrosion_depth",
}  # fmt: skip


def radius_mm(shape=SHAPE):
    y, x = ((np.arange(n) - 79.4) * MM for n in shape[1:])
    return np.broadcast_to(np.hypot(y[:, None], x), shape)


def pin(shape=SHAPE):
    """A corroded pin along z with bone on the side of high x."""
    radius = radius_mm(shape)
    bone = np.where(np.arange(shape[2]) > 79, 3, 0)
    return np.where(radius < METAL, 1, np.where(radius < LAYER, 2, bone)).astype(np.uint8)


def results(labels, fov="box", slab=0, weeks=WEEKS, **options):
    sample = Sample(Volume(labels, (MM,) * 3), FieldOfView.parse(fov), slab)
    distance = (radius_mm(labels.shape) - RADIUS).astype(np.float32)
    result = measure(sample, survey(sample), lambda z: distance[z], weeks, **options)
    return result, {entry.name: entry for entry in result.measurements}


def test_every_number_of_a_pin_in_closed_form():
    result, entries = results(pin())
    assert set(entries) == KEYS
    value = {name: entry.value for name, entry in entries.items()}
    height, years = SHAPE[0] * MM, WEEKS * 7 / 365.25
    volume, surface = np.pi * RADIUS**2 * height, 2 * np.pi * RADIUS * height
    loss = volume - np.pi * METAL**2 * height
    assert value["initial_volume"] == pytest.approx(volume, rel=1e-4)
    assert value["residual_volume"] == pytest.approx(np.pi * METAL**2 * height, rel=5e-3)
    assert value["degradation_layer_volume"] == pytest.approx(np.pi * (LAYER**2 - METAL**2) * height, rel=1e-2)
    assert value["volume_loss"] == pytest.approx(loss, rel=1e-2)
    assert value["volume_loss_fraction"] == pytest.approx(100 * loss / volume, rel=1e-2)
    assert value["initial_surface"] == pytest.approx(4 / np.pi * surface, rel=5e-3)
    assert value["initial_surface_unbiased"] == pytest.approx(surface, rel=2e-3)
    assert 0.78 * surface < value["initial_surface_voxels"] < 0.95 * surface
    assert value["degradation_rate_unbiased"] == pytest.approx(loss / surface / years, rel=1e-2)
    assert value["degradation_rate"] == pytest.approx(loss / surface / years * np.pi / 4, rel=1e-2)
    for name in KEYS:
        if name.startswith("bone_implant_contact"):
            assert value[name] == pytest.approx(50, abs=1)
    assert value["corrosion_depth"] == pytest.approx(1000 * (RADIUS - METAL), rel=0.02)
    assert value["degradation_layer_thickness"] == pytest.approx(1000 * (LAYER - METAL), rel=0.05)
    assert value["roi_volume"] == pytest.approx(np.pi * (RADIUS + 1) ** 2 * height, rel=2e-3)
    assert value["bone_volume_fraction"] == pytest.approx(50, abs=1)
    np.testing.assert_array_equal(result.roi.array[0:24], radius_mm() <= RADIUS + 1.0 + 1e-6)
    gaps, layer = (result.profiles[name] for name in ("bone_implant_contact_by_gap", "degradation_layer_thickness"))
    assert gaps["percent"][0] == value["bone_implant_contact"]
    assert layer["percentiles_um"]["50"] == pytest.approx(1000 * (LAYER - METAL), rel=0.05)
    assert not any(entry.warning for entry in entries.values())
    assert "7 / 365.25" in entries["degradation_rate"].note


def worn(seed):
    """The pin with holes, specks and islands of all labels."""
    labels, rng = pin(), np.random.default_rng(seed)
    return np.where(rng.random(labels.shape) < 0.01, rng.integers(0, 4, labels.shape), labels).astype(np.uint8)


@pytest.mark.parametrize("fov", ["box", "circle:70,80,60"])
@pytest.mark.parametrize(("slab", "threads"), [(1, "1"), (5, "3"), (24, "1"), (24, "2")])
def test_slabs_and_threads_of_any_number_give_the_same_bits(monkeypatch, slab, threads, fov):
    wanted, _ = results(worn(0), fov)
    monkeypatch.setenv(VARIABLE, threads)
    found, _ = results(worn(0), fov, slab)
    assert found.measurements == wanted.measurements
    assert found.profiles == wanted.profiles
    np.testing.assert_array_equal(found.roi.array[:], wanted.roi.array[:])


def test_several_segmentations_in_one_walk_give_what_each_gives_alone():
    several = [worn(1), pin(), np.where(pin() == 3, 0, pin()).astype(np.uint8)]
    alone = [results(labels, surface=True)[0] for labels in several]
    distance = (radius_mm() - RADIUS).astype(np.float32)
    samples = [Sample(Volume(labels, (MM,) * 3), FieldOfView(), 7) for labels in several]
    together = measure_all(samples, lambda z: distance[z], WEEKS, parts=ALL_PARTS)
    for one, other in zip(together, alone, strict=True):
        assert one.measurements == other.measurements
        assert one.profiles == other.profiles
        assert one.voxels == other.voxels
        np.testing.assert_array_equal(one.contact.cell_data["contact"].sum(), other.contact.cell_data["contact"].sum())


def test_parts_that_were_not_asked_for_are_left_out():
    distance = (radius_mm() - RADIUS).astype(np.float32)
    (found,) = measure_all([Sample(Volume(pin(), (MM,) * 3), FieldOfView())], lambda z: distance[z], WEEKS)
    whole, _ = results(pin())
    assert found.contact is None
    assert found.profiles == {}
    assert found.measurements == [entry for entry in whole.measurements if entry.name != "degradation_layer_thickness"]


def test_a_segmentation_without_implant_among_others_is_undefined():
    distance = (radius_mm() - RADIUS).astype(np.float32)
    nothing = Sample(Volume(np.zeros(SHAPE, np.uint8), (MM,) * 3), FieldOfView())
    (found,) = measure_all([nothing], lambda z: distance[z], WEEKS, parts=ALL_PARTS)
    values = {entry.name: entry.value for entry in found.measurements}
    assert values["bone_implant_contact"] is values["degradation_layer_thickness"] is None
    assert values["residual_volume"] == 0


def test_each_slice_is_read_once():
    labels, distance, read = pin(), (radius_mm() - RADIUS).astype(np.float32), []

    class Watched:
        shape, dtype = labels.shape, labels.dtype

        def __getitem__(self, z):
            read.extend(range(labels.shape[0])[z])
            return labels[z]

    measure_all([Sample(Volume(Watched(), (MM,) * 3), FieldOfView(), 5)], lambda z: distance[z], WEEKS, parts={"gaps"})
    assert read == list(range(labels.shape[0]))


def test_circular_field_of_view_cuts_without_surface():
    _, entries = results(pin(), fov=f"circle:79.4,79.4,{0.45 / MM}")  # inside the layer: nothing but implant is seen
    assert entries["initial_surface"].value == 0
    assert entries["bone_implant_contact"].value is None
    assert entries["degradation_rate"].value is None
    assert entries["roi_volume"].value == pytest.approx(np.pi * 0.45**2 * SHAPE[0] * MM, rel=2e-2)
    assert entries["bone_volume_fraction"].value is None
    warnings = " ".join(entry.warning for entry in entries.values())
    for words in ("no surface of the reference", "no surface in the field of view", "neither bone nor background"):
        assert words in warnings


def test_no_bone_is_zero_with_a_warning():
    labels = pin()
    labels[labels == 3] = 0
    _, entries = results(labels)
    assert entries["bone_volume_fraction"].value == entries["bone_implant_contact"].value == 0
    assert "no bone in the region of interest" in entries["bone_volume_fraction"].warning


def test_layer_without_metal_is_complete_degradation():
    labels = pin()
    labels[labels == 1] = 2
    _, entries = results(labels)
    assert entries["residual_volume"].value == 0
    assert entries["volume_loss_fraction"].value == 100
    assert "complete degradation" in entries["volume_loss"].warning
    assert entries["corrosion_depth"].value is None


def test_no_layer():
    labels = pin()
    labels[labels == 2] = 0
    _, entries = results(labels)
    assert entries["degradation_layer_thickness"].value is None
    assert entries["bone_implant_contact"].value == 0


def test_swelling_is_negative_with_a_warning():
    labels = pin()
    labels[labels == 2] = 1
    _, entries = results(labels)
    assert entries["degradation_rate"].value < 0
    assert "larger than the initial volume" in entries["volume_loss"].warning


def test_implant_far_from_the_reference_has_no_contact():
    labels = np.zeros((4, 160, 160), np.uint8)
    labels[:, :5, :5] = 1
    _, entries = results(labels)
    assert entries["bone_implant_contact"].value is None
    assert entries["degradation_layer_thickness"].value is None
    assert "no implant in the region of interest" in entries["bone_implant_contact"].warning


def test_reference_outside_the_field_of_view():
    sample = Sample(Volume(pin(), (MM,) * 3), FieldOfView())
    with pytest.raises(InputError, match="does not reach into the field of view"):
        measure(sample, survey(sample), lambda z: np.full((z.stop - z.start, 160, 160), 5, np.float32), WEEKS)


@pytest.mark.parametrize("weeks", [0, -3, float("nan")])
def test_weeks_must_be_above_zero(weeks):
    with pytest.raises(InputError, match="wanted a number above 0"):
        results(pin(), weeks=weeks)


def test_roi_must_be_above_zero():
    with pytest.raises(InputError, match="wanted more than 0"):
        results(pin(), roi_mm=0.0)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "has no implant"), (3, "has no implant"), (7, "holds label 7"), (255, "nobody has labelled")],
)
def test_labels_that_cannot_be_quantified(value, words):
    with pytest.raises(InputError, match=words):
        survey(Sample(Volume(np.full((3, 4, 5), value, np.uint8)), FieldOfView()))


@pytest.mark.parametrize(("value", "words"), [(np.nan, "holds NaN"), (0.5, "holds the value 0.5"), (-1, "value -1")])
def test_values_that_are_no_labels(value, words):
    with pytest.raises(InputError, match=words):
        survey(Sample(Volume(np.full((3, 4, 5), value, np.float32)), FieldOfView()))


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32, np.int64])
def test_labels_of_any_type(dtype):
    assert results(pin().astype(dtype))[0].measurements == results(pin())[0].measurements


def test_survey_finds_the_implant_and_ignores_what_is_outside():
    labels = np.full((6, 20, 20), 9, np.uint8)
    labels[:, 5:15, 5:15] = 0
    labels[2:4, 8:10, 7:12] = 2
    found = survey(Sample(Volume(labels), FieldOfView((9.5, 9.5, 4.9)), slab=2))
    assert found.implant == (slice(2, 4), slice(8, 10), slice(7, 12))
    assert found.voxels[2] == 20
