import pytest

from ImplantSegQuantLib.charts import profiles_figure

GAP = {"gap_um": [0, 10, 20], "percent": [20.0, 45.0, 60.0]}
LAYER = {"edges_um": [0.0, 50.0, 100.0], "percent": [30.0, 70.0], "percentiles_um": {"50": 64.0}, "sd_um": 20.0}
ALONG = {"tip_known": True, "edges_mm": [0.0, 0.25, 0.5], "degradation_rate_mm_per_year": [0.4, None]}
FLANKS = {name: {"corrosion_depth_um": depth} for name, depth in (("leading_flank", 90.0), ("crest", None))}
BOTH = {"bone_implant_contact_by_gap": GAP, "degradation_layer_thickness": LAYER}


@pytest.mark.parametrize("own", [BOTH, {**BOTH, "degradation_layer_thickness": None}])
@pytest.mark.parametrize("true", [BOTH, {}])
def test_what_there_is_is_drawn(own, true):
    assert profiles_figure(own, true).startswith("data:image/png;base64,")


def test_a_screw_has_profiles_of_its_own():
    screw = {**BOTH, "degradation_along_axis": ALONG, "degradation_by_flank": FLANKS}
    assert len(profiles_figure(screw, screw)) > len(profiles_figure(BOTH, BOTH))
    assert profiles_figure({"degradation_by_flank": FLANKS}, {})


def test_nothing_is_drawn_of_nothing():
    assert profiles_figure({}, {}) == ""
    assert profiles_figure(dict.fromkeys(BOTH), BOTH) == ""
