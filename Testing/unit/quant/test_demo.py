import json
from pathlib import Path

import pytest

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib import demo

MEASURED = {
    "measurements": {
        "degradation_rate": {"value": 0.3214, "unit": "mm/a", "interval": [0.31, 0.3333]},
        "bone_implant_contact": {"value": 25.0, "unit": "%", "interval": None},
        "bone_volume_fraction": {"value": None, "unit": "%", "interval": None},
    },
    "truth": {"degradation_rate": {"value": 0.3, "unit": "mm/a"}, "bone_implant_contact": {"value": 20.0, "unit": "%"}},
    "relative_error_percent": {"degradation_rate": 7.133, "bone_implant_contact": 25.0, "bone_volume_fraction": None},
    "iou_percent": {"background": 97.0, "residual_material": 99.0, "degradation_layer": 80.5, "bone": None},
    "mean_iou_percent": 92.17,
}


@pytest.fixture
def calls(monkeypatch):
    """Put recorders in the place of the verbs; quantify leaves its result."""
    made = []

    def recorder(verb):
        def record(argv):
            made.append((verb, argv))
            print("words of the verb that the demo does not repeat")
            if verb == "quantify":
                out = Path(argv[argv.index("-o") + 1])
                out.mkdir()
                (out / "results.json").write_text(json.dumps(MEASURED), encoding="utf-8")

        return record

    verbs = ("phantom", "preprocess", "segment", "quantify")
    monkeypatch.setattr(demo, "_verbs", lambda: {verb: recorder(verb) for verb in verbs})
    return made


def test_the_verbs_are_run_in_order_on_each_other_s_files(calls, tmp_path, capsys):
    out = tmp_path / "tour"
    demo.main([str(out), "--seed", "11", "--spacing-um", "20", "--shape", "32,64,64", "--progress", "none"])
    assert [verb for verb, _ in calls] == ["phantom", "preprocess", "segment", "quantify"]
    phantom, preprocess, segment, quantify = (argv for _, argv in calls)
    wanted = ["--seed", "11", "--shape", "32,64,64", "--spacing-um", "20", "--weeks", "12"]
    assert phantom == [str(out / "phantom"), *wanted, "--progress", "none"]
    assert preprocess[:2] == [str(out / "phantom" / "image.nrrd"), segment[0]]
    assert "--model" not in segment
    assert segment[segment.index("--probabilities") + 1] == quantify[quantify.index("--probabilities") + 1]
    assert quantify[0] == segment[1]
    assert quantify[quantify.index("--truth") + 1] == str(out / "phantom" / "labels.seg.nrrd")
    assert quantify[quantify.index("--reference") + 1] == str(out / "phantom" / "reference.nrrd")
    shown = capsys.readouterr().out
    assert "does not repeat" not in shown
    assert str(out / "results" / "report.html") in shown.splitlines()[-1]
    for line in (out / demo.COMMANDS).read_text(encoding="utf-8").splitlines():
        assert f"$ {line}" in shown


def test_the_real_verbs_are_those_of_the_command_line():
    pytest.importorskip("torch")
    from ImplantSegLib import cli

    for verb, function in demo._verbs().items():
        assert function is cli.resolve(verb), verb


def test_the_table_tells_value_interval_truth_and_error():
    lines = demo.table(MEASURED).splitlines()
    assert lines[2].split() == [
        "Degradation",
        "rate",
        "(DR)",
        "0.3214",
        "0.3100",
        "to",
        "0.3333",
        "0.3000",
        "mm/a",
        "+7.13",
    ]
    assert lines[4].split()[-5:] == ["undefined", "–", "undefined", "%", "–"]
    assert [line.split()[-2:] for line in lines[-5:]] == [
        ["97.00", "%"], ["99.00", "%"], ["80.50", "%"], ["undefined", "%"], ["92.17", "%"],
    ]  # fmt: skip


def test_a_demo_may_be_made_again_but_only_its_own_files_are_deleted(calls, tmp_path):
    arguments = [str(tmp_path / "demo"), "--progress", "none"]
    demo.main(arguments)
    (tmp_path / "demo" / "notes.txt").write_text("mine")
    (tmp_path / "demo" / "scan.nrrd").write_text("old")
    demo.main(arguments)
    assert (tmp_path / "demo" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "demo" / "scan.nrrd").exists()


def test_a_folder_of_other_things_is_left_alone(calls, tmp_path):
    (tmp_path / "scan.nrrd").write_text("precious")
    with pytest.raises(InputError, match="was not made by a demo"):
        demo.main([str(tmp_path), "--progress", "none"])
    assert (tmp_path / "scan.nrrd").read_text() == "precious"
    assert not calls


def test_a_file_in_the_way_is_named(calls, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="which is a file"):
        demo.main([str(tmp_path / "file"), "--progress", "none"])


def test_an_error_of_a_stage_ends_the_demo(calls, tmp_path, monkeypatch):
    def fail(argv):
        raise InputError("the screw hardly lies in the field of view")

    monkeypatch.setattr(demo, "_verbs", lambda: {"phantom": fail})
    with pytest.raises(InputError, match="hardly"):
        demo.main([str(tmp_path / "demo"), "--progress", "none"])
