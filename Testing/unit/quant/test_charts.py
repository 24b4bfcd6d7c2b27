import pytest

from ImplantSegQuantLib.charts import profiles_figure

GAP = {"gap_um": [0, 10, 20], "percent": [20.0, 45.0, 60.0]}
LAYER = {"edges_um": [0.0, 50.0, 100.0], "percent": [30.0, 70.0], "percentiles_um": {"50": 64.0}, "sd_um": 20.0}
BOTH = {"bone_implant_contact_by_gap": GAP, "degradation_layer_thickness": LAYER}


@pytest.mark.parametrize("own", [BOTH, {**BOTH, "degradation_layer_thickness": None}])
@pytest.mark.parametrize("true", [BOTH, {}])
def test_what_there_is_is_drawn(own, true):
    assert profiles_figure(own, true).startswith("data:image/png;base64,")


def test_nothing_is_drawn_of_nothing():
    assert profiles_figure({}, {}) == ""
    assert profiles_figure(dict.fromkeys(BOTH), BOTH) == ""
