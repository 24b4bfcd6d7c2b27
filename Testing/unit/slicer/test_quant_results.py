"""Results in the scene: tables, surfaces, charts, groups, files for others; all of it comes back from an .mrb."""

import json
import math

import pytest
from explant import MEASURES, explant, write_folder

from ImplantSegLib.errors import InputError


@pytest.fixture
def table(host, tmp_path):
    """Results of a sample with a truth."""
    from ImplantSegQuantLib.inslicer import load

    return load.load_results(write_folder(tmp_path / "one", factor=1.1, truth=True), "one")


def column(table, name):
    """Cells of a column of a table node, as text."""
    index = table.GetColumnIndex(name)
    return [table.GetCellText(row, index) for row in range(table.GetNumberOfRows())]


def roles(sample):
    """Roles of all nodes of a sample."""
    from ImplantSegQuantLib.inslicer import names, samples

    return sorted(node.GetAttribute(names.ROLE) for node in samples.nodes(sample))


def test_the_table_tells_values_units_truth_and_errors(table):
    first = ["degradation_rate", "bone_implant_contact", "bone_volume_fraction"]
    assert column(table, "Key") == [*first, *(name for name in MEASURES if name not in first)]
    assert column(table, "Measure")[0] == "Degradation rate, DR (surface by voxel faces)"
    assert column(table, "Unit") == ["mm/a", "%", "%", "mm³", "µm"]
    assert column(table, "Value") == ["0.33", "44", "38.5", "22", "–"]
    assert column(table, "Truth") == ["0.3", "40", "35", "20", "–"]
    assert column(table, "Error (%)") == ["10", "10", "10", "10", "–"]
    assert table.GetColumnIndex("Low") == -1  # no measure has an interval


def test_all_nodes_lie_in_one_folder_of_the_subject_hierarchy(table):
    import slicer

    from ImplantSegQuantLib.inslicer import samples

    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = samples.folder("one")
    assert tree.GetItemName(folder) == "one"
    assert roles("one") == ["contact", "json", "pose", "reference", "results", "roi"]
    for node in samples.nodes("one"):
        assert tree.GetItemParent(tree.GetItemByDataNode(node)) == folder


def test_surfaces_and_region_lie_where_the_files_say(table):
    import numpy as np

    from ImplantSegQuantLib.inslicer import colours, names, samples

    contact, roi = samples.find("one", names.CONTACT), samples.find("one", names.ROI)
    bounds = np.zeros(6)
    contact.GetRASBounds(bounds)
    np.testing.assert_allclose(bounds, [-1, 0, -1, 0, 31, 31], atol=1e-6)
    display = contact.GetDisplayNode()
    assert (display.GetActiveScalarName(), display.GetScalarRange()) == ("contact", (0, 1))
    assert display.GetColorNode().GetColorName(1) == "Bone contact"
    assert colours.legend_of(contact).GetUseColorNamesForLabels()
    assert roi.GetSegmentation().GetNthSegment(0).GetName() == "ROI 1 mm"
    assert roi.GetSegmentation().ContainsRepresentation("Closed surface")
    roi.GetRASBounds(bounds)
    low, high = explant().volume.index_to_world @ [0, 0, 0, 1], explant().volume.index_to_world @ [43, 43, 39, 1]
    assert -high[0] - 0.1 <= bounds[0] <= bounds[1] <= -low[0] + 0.1
    assert low[2] - 0.1 <= bounds[4] <= bounds[5] <= high[2] + 0.1


def test_measuring_again_replaces_the_nodes_of_the_sample_alone(table, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import load

    load.load_results(write_folder(tmp_path / "two"), "two")
    before = slicer.mrmlScene.GetNumberOfNodes()
    again = load.load_results(write_folder(tmp_path / "one", factor=2.0), "one")
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert again.GetName() == "one results"
    assert column(again, "Value")[3] == "40"
    assert roles("one") == roles("two") == ["contact", "json", "pose", "reference", "results", "roi"]


def test_a_sample_can_be_removed_with_all_that_belongs_to_it(host, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import load, samples

    load.load_results(write_folder(tmp_path / "two"), "two")
    before = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLNode")}
    load.load_results(write_folder(tmp_path / "one"), "one")
    samples.forget("one")
    assert {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLNode")} == before


def test_a_folder_without_results_is_told(host, tmp_path):
    from ImplantSegQuantLib.inslicer import load

    with pytest.raises(InputError, match="there are no results in"):
        load.load_results(tmp_path, "one")
    (tmp_path / "results.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(InputError, match="holds no measurements"):
        load.load_results(tmp_path, "one")


def test_files_that_are_missing_after_a_move_are_no_obstacle(host, tmp_path):
    from ImplantSegQuantLib.inslicer import load

    folder = write_folder(tmp_path / "one")
    for name in ("contact.vtp", "reference.vtp", "roi.nrrd", "pose.tfm", "report.html"):
        (folder / name).unlink()
    load.load_results(folder, "one")
    assert roles("one") == ["json", "results"]


def test_results_are_saved_as_quantify_wrote_them(table, tmp_path):
    from ImplantSegQuantLib.inslicer import export

    for suffix in ("csv", "json"):
        export.save(table, tmp_path / f"out.{suffix}")
    assert (tmp_path / "out.csv").read_text() == (tmp_path / "one" / "results.csv").read_text()
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads((tmp_path / "one/results.json").read_text())
    export.save(table, tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text() == "<html></html>"
    with pytest.raises(InputError, match=r"wanted \.csv, \.json or \.html"):
        export.save(table, tmp_path / "out.pdf")


def test_numbers_outlive_the_folder_and_the_report_does_not(table, tmp_path):
    from ImplantSegQuantLib.inslicer import export

    (tmp_path / "one" / "report.html").unlink()
    export.save(table, tmp_path / "out.json")
    with pytest.raises(InputError, match="the report of one is not in .* any more; measure the sample again"):
        export.report(table)


def test_the_table_as_text_has_tabs_and_empty_cells(table):
    from ImplantSegQuantLib.inslicer import tables

    lines = tables.as_text(table).splitlines()
    assert lines[0].split("\t") == ["Measure", "Value", "Unit", "Truth", "Error (%)", "Key"]
    assert lines[-1].split("\t")[1:] == ["", "µm", "", "", "degradation_layer_thickness"]


def test_the_chart_of_errors_names_every_measure_with_a_truth(table):
    from ImplantSegQuantLib.inslicer import charts

    chart = charts.errors_chart("one")
    series = chart.GetNthPlotSeriesNode(0)
    assert series.GetPlotType() == series.PlotTypeBar
    assert [float(cell) for cell in column(series.GetTableNode(), "Error (%)")] == pytest.approx([10.0] * 4)
    assert charts.errors_chart("one").GetNumberOfPlotSeriesNodes() == 1  # once more replaces it
    assert roles("one").count("errors chart") == 1


def test_without_a_truth_there_is_no_chart_of_errors(host, tmp_path):
    from ImplantSegQuantLib.inslicer import charts, load

    load.load_results(write_folder(tmp_path / "one"), "one")
    with pytest.raises(InputError, match="one was measured without a ground truth"):
        charts.errors_chart("one")


@pytest.fixture
def cohort(host, tmp_path):
    """Four samples at two healing times."""
    from ImplantSegQuantLib.inslicer import load

    for name, weeks, factor in (("a", 4, 1.0), ("b", 4, 2.0), ("c", 12, 3.0), ("d", 12, 5.0)):
        load.load_results(write_folder(tmp_path / name, weeks, factor), name)


def test_the_group_table_gives_mean_and_deviation_by_healing_time(cohort):
    import slicer

    from ImplantSegQuantLib.inslicer import samples, tables

    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "groups")
    tables.fill_groups(table, [samples.result(found) for found in samples.chosen()])
    rows = [row for row, name in enumerate(column(table, "Measure")) if name.startswith("Degradation rate")]
    assert [float(column(table, "Weeks")[row]) for row in rows] == [4, 12]
    assert [float(column(table, "mean")[row]) for row in rows] == pytest.approx([0.45, 1.2])
    assert float(column(table, "sd")[rows[0]]) == pytest.approx(0.3 / math.sqrt(2), rel=1e-4)


def test_a_sample_that_is_not_chosen_stays_out_of_the_group(cohort):
    from ImplantSegQuantLib.inslicer import names, samples

    samples.tables()[3].SetAttribute(names.CHOSEN, "no")
    assert [table.GetAttribute(names.SAMPLE) for table in samples.chosen()] == ["a", "b", "c"]


def test_the_chart_over_healing_time_has_every_sample_and_the_means(cohort):
    from ImplantSegQuantLib.inslicer import charts, names, samples

    found = [(table.GetAttribute(names.SAMPLE), samples.result(table)) for table in samples.chosen()]
    chart = charts.time_chart(found, "bone_implant_contact")
    points, means = (chart.GetNthPlotSeriesNode(number).GetTableNode() for number in range(2))
    assert column(points, "Sample") == ["a", "b", "c", "d"]
    assert [float(cell) for cell in column(points, "Weeks")] == [4, 4, 12, 12]
    assert [float(cell) for cell in column(means, "bone_implant_contact")] == pytest.approx([60, 160])
    assert chart.GetYAxisTitle() == "Bone–implant contact, BIC (%)"
    with pytest.raises(InputError, match="no sample has the measure"):
        charts.time_chart(found, "degradation_layer_thickness")


def test_everything_comes_back_from_an_mrb(table, host, tmp_path):
    import numpy as np
    import slicer

    from ImplantSegQuantLib.inslicer import charts, load, names, pose, samples

    load.load_results(write_folder(tmp_path / "two", 24.0), "two")
    charts.errors_chart("one")
    placed = pose.scan_from_reference(samples.find("one", names.POSE))
    assert slicer.util.saveScene(str(tmp_path / "study.mrb"))
    slicer.mrmlScene.Clear(0)
    assert samples.tables() == []
    slicer.util.loadScene(str(tmp_path / "study.mrb"))
    again = samples.tables()
    assert [found.GetAttribute(names.SAMPLE) for found in again] == ["one", "two"]
    assert [found.GetAttribute(names.WEEKS) for found in again] == ["12", "24"]
    assert column(again[0], "Error (%)") == ["10", "10", "10", "10", "–"]
    assert samples.result(again[0])["measurements"]["degradation_rate"]["value"] == pytest.approx(0.33)
    node = samples.find("one", names.POSE)
    np.testing.assert_allclose(pose.scan_from_reference(node), placed, atol=1e-12)
    assert not pose.was_moved(node)
    model = samples.find("one", names.REFERENCE)
    assert model.GetParentTransformNode() is node
    assert model.GetDisplayNode().GetActiveScalarName() == "distance_um"
    contact = samples.find("one", names.CONTACT).GetDisplayNode()
    assert contact.GetColorNode().GetColorName(0) == "No contact"
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert tree.GetItemParent(tree.GetItemByDataNode(again[1])) == samples.folder("two")
    assert samples.find("one", names.ERRORS_CHART).GetNthPlotSeriesNode(0).GetTableNode() is not None


def test_after_a_reload_the_chart_of_the_cohort_is_replaced_too(cohort, host, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import charts, names, samples

    def chart():
        found = [(table.GetAttribute(names.SAMPLE), samples.result(table)) for table in samples.chosen()]
        return charts.time_chart(found, "degradation_rate")

    chart()
    count = len(list(samples.nodes("", names.COHORT)))
    assert slicer.util.saveScene(str(tmp_path / "cohort.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "cohort.mrb"))
    assert chart().GetNumberOfPlotSeriesNodes() == 2
    assert len(list(samples.nodes("", names.COHORT))) == count
