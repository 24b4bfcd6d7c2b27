import json

import pytest

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.study.cohort import Training
from ImplantSegQuantLib.study.training import best, by_framework, scores_of, trained


def entry(model="U-Net", size=(512, 512), scores=(80.0,), framework="TomoSeg", runs=()):
    return Training(model, list(size), framework, list(scores), list(runs))


def test_folds_of_one_training_come_together():
    (one,) = trained([entry(scores=[80.0, 82.0]), entry(scores=[84.0])])
    assert (one.folds, one.mean, one.sd) == ((80.0, 82.0, 84.0), 82.0, 2.0)
    assert (one.size_text, one.side) == ("512 × 512", 512.0)
    assert trained([entry()])[0].sd is None


def test_panels_of_figure_2():
    found = trained(
        [
            entry(),
            entry(size=(1024, 1024), scores=[90.0]),
            entry("HR-Net"),
            entry("2D", framework="nnU-Net", scores=[95]),
        ]
    )
    groups = by_framework(found)
    assert {name: [(one.model, one.side) for one in group] for name, group in groups.items()} == {
        "TomoSeg": [("U-Net", 512.0), ("U-Net", 1024.0)]
    }
    assert [(one.model, one.mean) for one in best(found)] == [("U-Net", 90.0), ("HR-Net", 80.0), ("2D", 95.0)]


def test_scores_that_a_training_left(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    log = [
        {"step": 1, "loss": 0.5},
        {"step": 2, "validation": {"mean_iou_percent": 81.5}},
        {"step": 4, "validation": {"mean_iou_percent": 90.25}},
        {"step": 6, "validation": {"mean_iou_percent": 89}},
    ]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    (tmp_path / "folds.json").write_text('{"mean_iou_percent": [80, 81]}')
    (tmp_path / "one.json").write_text('{"mean_iou_percent": 80.5}')
    (tmp_path / "folds.csv").write_text("fold,mean_iou_percent\n0,70\n1,71.5\n")
    assert scores_of(run) == [90.25]
    assert scores_of(tmp_path / "folds.json") == [80.0, 81.0]
    assert scores_of(tmp_path / "one.json") == [80.5]
    assert scores_of(tmp_path / "folds.csv") == [70.0, 71.5]
    (one,) = trained([entry(scores=(), runs=[str(run), str(tmp_path / "folds.csv")])])
    assert one.folds == (90.25, 70.0, 71.5)


def test_the_score_of_the_weights_that_were_kept(root):
    from ImplantSegLib.models import load

    bundled = root / "ImplantSeg/ImplantSegLib/data/compact_unet.safetensors"
    assert scores_of(bundled) == [load(bundled).scores["mean_iou_percent"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gone.json", None), ("a.txt", "80"), ("a.json", "{}"), ("a.json", "80"),
        ("a.json", '{"mean_iou_percent": 1e3}'),
        ("a.csv", "fold\n1\n"), ("a.csv", "mean_iou_percent\nhigh\n"), ("log.jsonl", '{"step": 1}\n'),
        ("a.json", "nothing"),
    ],
)  # fmt: skip
def test_a_file_without_a_score(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="mean_iou_percent"):
        scores_of(tmp_path / name)
