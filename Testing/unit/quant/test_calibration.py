"""Calibrations: quantiles counted by hand, coverage of exchangeable scans, files, and what does not belong together."""

import dataclasses
import json
import math

import numpy as np
import pytest

from ImplantSegLib import cli, models
from ImplantSegLib.errors import InputError
from ImplantSegQuantLib import calibration
from ImplantSegQuantLib.calibration import Calibration, Scores, calibrate, scores_of
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.spread import HALF_VOXEL, LOGARITHM, Spread, spread_of
from ImplantSegQuantLib.uncertainty import CORRECTED, warnings_of, with_intervals

SHA = "a" * 64


def test_quantiles_are_the_order_statistics_that_the_finite_sample_asks_for():
    scores = Scores(0.0, tuple(float(n) for n in range(1, 20)))  # 19 scores: 20 · 0.05 = 1, so the ends themselves
    assert scores.quantiles(90) == (1.0, 19.0)
    assert scores.quantiles(80) == (2.0, 18.0)
    assert scores.quantiles(95) is None
    assert Scores(0.0, tuple(range(18))).quantiles(90) is None  # 19 · 0.05 < 1: no finite interval holds 90 %


@pytest.mark.parametrize("level", [80.0, 90.0])
def test_exchangeable_scans_are_covered_as_promised(level):
    """Errors of any distribution, here skewed and biased, with a spread that says which scans are hard."""
    rng = np.random.default_rng(7)
    held = []
    for _ in range(300):
        spreads = [Spread(HALF_VOXEL, 1.0, float(width), 0.0) for width in rng.uniform(0.1, 1, 70)]
        errors = np.array([spread.labels * (rng.gamma(2) - 0.7) + rng.normal(0, 0.2) for spread in spreads])
        scores = scores_of(errors[:40], spreads[:40])
        low, high = scores.quantiles(level)
        for error, spread in zip(errors[40:], spreads[40:], strict=True):
            whole = math.hypot(spread.labels, scores.model_sd)
            held.append(low * whole <= error <= high * whole)
    # between level and level + 2/(n + 1) of 100, less what fitting the model's own error costs
    assert 100 * np.mean(held) == pytest.approx(level + 100 / 41, abs=2.5)


def test_the_models_own_error_is_what_the_known_spread_leaves():
    rng = np.random.default_rng(1)
    spreads = [Spread(HALF_VOXEL, 1.0, 0.3, 0.4) for _ in range(4000)]
    errors = rng.normal(0.5, math.sqrt(0.3**2 + 0.4**2 + 1.2**2), 4000)
    scores = scores_of(errors, spreads)
    assert scores.model_sd == pytest.approx(1.2, rel=0.03)
    assert scores.median == pytest.approx(0.5 / 1.3, abs=0.05)
    assert scores_of(0.1 * errors, spreads).model_sd == pytest.approx(0.05 * errors.std(), rel=0.01)  # half, at least


def test_spreads_on_both_scales():
    drawn, posed = (9.0, 11.0), (10.0, 10.0)
    plain = spread_of(10.0, 4.0, drawn, posed)
    assert (plain.scale, plain.unit, plain.registration) == (HALF_VOXEL, 4.0, 0)
    assert plain.labels == pytest.approx(math.sqrt(2) / 4)
    assert plain.error(10.0, 12.0) == 0.5
    assert plain.moved(10.0, 0.5) == 12.0
    logarithmic = spread_of(10.0, None, drawn, posed)
    assert logarithmic.scale == LOGARITHM
    assert logarithmic.labels == pytest.approx(math.log(11 / 9) / math.sqrt(2))
    assert logarithmic.moved(10.0, logarithmic.error(10.0, 25.0)) == pytest.approx(25)
    assert spread_of(0.0, None, drawn, posed) is None


def test_certain_labels_and_a_certain_pose_have_no_width():
    spread = spread_of(10.0, 4.0, (10.0,) * 5, (10.0,) * 5)
    one = with_intervals([Measurement("residual_volume", 10.0, "mm^3")], {"residual_volume": spread}, None)[0]
    assert one.interval == (10, 10)
    assert one.uncertainty.dominated_by is None


def known(scores, model_sd=0.0, name="residual_volume"):
    measures = {name: Scores(model_sd, tuple(scores))}
    return Calibration("nine scans", SHA, (10.0, 10.0, 10.0), 8.0, 16, 8, measures)


def test_intervals_by_hand():
    spread = Spread(HALF_VOXEL, 2.0, 0.3, 0.4)  # 0.5 together, so 1 score is 1 mm^3
    measured = [Measurement("residual_volume", 10.0, "mm^3")]
    plain = with_intervals(measured, {"residual_volume": spread}, None, 90)[0]
    assert plain.interval == pytest.approx((10 - 1.6449, 10 + 1.6449), abs=1e-3)
    assert plain.uncertainty.method == "uncalibrated"
    assert (plain.uncertainty.sd_labels, plain.uncertainty.sd_registration) == pytest.approx((0.6, 0.8))
    assert plain.uncertainty.dominated_by == "registration"
    learnt = known([-1.0, *[0.0] * 17, 3.0])
    calibrated = with_intervals(measured, {"residual_volume": spread}, learnt, 90)[0]
    assert calibrated.interval == pytest.approx((9, 13))
    assert calibrated.uncertainty.method == "calibrated"
    more = with_intervals(measured, {"residual_volume": spread}, known([-1.0, *[0.0] * 17, 3.0], 1.2), 90)[0]
    assert more.interval == pytest.approx((10 - 2.6, 10 + 3 * 2.6))
    assert more.uncertainty.dominated_by == "model"
    few = with_intervals(measured, {"residual_volume": spread}, known([0.0, 1.0]), 90)
    assert few[0].interval is None
    assert "too few scans" in warnings_of(few, known([0.0, 1.0]), 90)[0]


def test_a_biased_contact_is_told_and_corrected_with_the_same_interval():
    spread = Spread(LOGARITHM, 40.0, 0.1, 0.0)
    learnt = known([-4.0, *[-2.0] * 17, -1.0], name="bone_implant_contact")
    contact, corrected = with_intervals(
        [Measurement("bone_implant_contact", 40.0, "%")], {"bone_implant_contact": spread}, learnt
    )
    assert contact.interval == pytest.approx((40 * math.exp(-0.4), 40 * math.exp(-0.1)))
    assert (corrected.name, corrected.interval) == (CORRECTED, contact.interval)
    assert corrected.value == pytest.approx(40 * math.exp(-0.2))
    (sentence,) = warnings_of([contact, corrected], learnt, 90)
    assert "outside of its own interval: bone_implant_contact" in sentence
    assert "too large" in sentence


def test_shares_stay_between_0_and_100():
    spread = Spread(HALF_VOXEL, 50.0, 1.0, 0.0)
    one = with_intervals([Measurement("bone_volume_fraction", 40.0, "%")], {"bone_volume_fraction": spread}, None)[0]
    assert one.interval == (0, 100)


def result(truth, sha=SHA, spacing=10.0, value=10.0):
    told = {"scale": HALF_VOXEL, "scale_unit": 2.0, "sd_labels": 0.6, "sd_registration": 0.8}
    return {
        "measurements": {
            "residual_volume": {"value": value, "unit": "mm^3", "uncertainty": told},
            "volume_loss": {"value": None, "unit": "mm^3"},
        },
        "truth": {"residual_volume": {"value": truth}, "volume_loss": {"value": None}},
        "uncertainty": {
            "draws": 16, "poses": 8, "correlation_voxels": 8.0, "model_sha256": sha, "spacing_um": [spacing] * 3
        },
    }  # fmt: skip


def test_a_calibration_is_learnt_from_results_and_comes_back_from_its_file(tmp_path):
    found = calibrate([result(10 + n) for n in (-1.0, 1.0, 2.0)], "three scans")
    # errors of -0.5, 0.5 and 1 half voxels: variance 0.5833, of which 0.09 + 0.16 are known
    assert found.measures["residual_volume"].model_sd == pytest.approx(math.sqrt(0.58333 - 0.25), abs=1e-4)
    assert found.measures["residual_volume"].scores == pytest.approx(np.array([-0.5, 0.5, 1]) / 0.76376, abs=1e-3)
    assert "volume_loss" not in found.measures
    calibration.save(found, tmp_path / "c.json")
    assert calibration.load(tmp_path / "c.json") == found


def test_results_that_do_not_go_together_are_refused(tmp_path):
    with pytest.raises(InputError, match="differ in model_sha256"):
        calibrate([result(9.0), result(9.0, sha="b" * 64)], "")
    with pytest.raises(InputError, match="differ in spacing_um"):
        calibrate([result(9.0), result(9.0, spacing=5.0)], "")
    with pytest.raises(InputError, match="have no truth"):
        calibrate([{**result(9.0), "truth": {}}], "")
    with pytest.raises(InputError, match="have no spread"):
        calibrate([{**result(9.0), "uncertainty": {}}], "")
    with pytest.raises(InputError, match="holds no calibration"):
        calibration.parse("[]", "x.json")
    later = dataclasses.replace(known([0.0]), format=99).to_json()
    with pytest.raises(InputError, match="format 99"):
        calibration.parse(later, "x.json")


def test_calibrate_writes_a_file_and_into_the_model(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = tmp_path / "small.safetensors"
    network = models.build("unet", width=4)
    models.save(model, models.Bundle("unet", {"width": 4}), network.state_dict())
    sha = models.load(model).weights_sha256
    paths = []
    for n in range(20):
        paths.append(tmp_path / f"{n}.json")
        paths[-1].write_text(json.dumps(result(10 + n / 10, sha)))
    names = list(map(str, paths))
    assert cli.main(["calibrate", *names, "-o", str(tmp_path / "c.json"), "--model", str(model)]) == 0
    assert "residual_volume" in capsys.readouterr().out
    assert models.load(model).weights_sha256 == sha
    assert models.load(model).load_state().keys() == network.state_dict().keys()
    kept = calibration.parse(json.dumps(models.load(model).calibration), "model")
    assert kept == calibration.load(tmp_path / "c.json")
    assert kept.scans == "20 scans"
    assert cli.main(["calibrate", str(tmp_path / "0.json"), "--model", str(other_model(tmp_path))]) == 2
    assert "pass the model that segmented the scans" in capsys.readouterr().err


def other_model(folder):
    import torch

    torch.manual_seed(1)
    path = folder / "other.safetensors"
    models.save(path, models.Bundle("unet", {"width": 4}), models.build("unet", width=4).state_dict())
    return path


def test_calibrate_without_a_target_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["calibrate", str(tmp_path)])
    assert caught.value.code == 2
    assert "nowhere to write" in capsys.readouterr().err
