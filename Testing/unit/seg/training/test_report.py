import json

import pytest

from ImplantSegLib import cli, models
from ImplantSegLib.training.fit import Fit
from ImplantSegLib.training.journal import LOG
from ImplantSegLib.training.report import write_report

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def done(recipe, make_scan, tmp_path):
    """Folder of a run that is done."""
    made = recipe()
    provenance = {"recipe_name": "small <recipe>", "training": ["a"], "validation": ["b"]}
    bundle = models.Bundle(made.model.network, made.model.options, provenance=provenance)
    Fit(made, [make_scan("a")], [make_scan("b", 1)], tmp_path, bundle).run()
    return tmp_path


def test_the_report_holds_scores_curves_and_pictures_in_one_file(done):
    page = write_report(done).read_text()
    scores = models.load(done / "model.safetensors").scores
    assert f"{scores['mean_iou_percent']:.2f}" in page
    assert page.count("data:image/png;base64") >= 3  # curves, a middle slice, a worst one
    assert "Worst validation slices" in page
    assert "small &lt;recipe&gt;" in page
    assert "http" not in page


def test_the_verb_writes_it_while_nothing_was_validated_yet(tmp_path, capsys):
    records = [{"step": step, "seconds": 1.0, "lr": 0.1, "loss": 1 / step, "dice": 1 / step} for step in (1, 2, 3)]
    (tmp_path / LOG).write_text("".join(json.dumps(record) + "\n" for record in records))
    assert cli.main(["train-report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    assert "nothing validates, or not yet" in (tmp_path / "report.html").read_text()


def test_a_folder_without_a_log_is_refused(tmp_path, capsys):
    assert cli.main(["train-report", str(tmp_path)]) == 2
    assert "holds no log.jsonl of a training" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
