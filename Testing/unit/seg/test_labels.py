from ImplantSegLib import labels
from ImplantSegLib.labels import Label


def test_numbers_and_names_of_the_classes():
    assert labels.NAMES == {0: "background", 1: "residual_material", 2: "degradation_layer", 3: "bone"}
    assert labels.TITLES[Label.DEGRADATION_LAYER] == "Degradation layer"
    assert labels.IMPLANT == (1, 2)
    assert labels.IGNORE not in labels.NAMES


def test_every_class_has_a_colour_of_its_own_that_a_screen_can_show():
    assert set(labels.COLOURS) == set(labels.NAMES)
    assert len(set(labels.COLOURS.values())) == len(labels.NAMES)
    assert all(0 <= part <= 1 for colour in labels.COLOURS.values() for part in colour)
