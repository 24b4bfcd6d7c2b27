"""The verb ``implantseg calibrate``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ImplantSegLib import arguments
from ImplantSegQuantLib.calibration import Calibration


def calibrate(argv: list[str]) -> None:
    """Learn from scans with known truth how far a model's measures are off."""
    command = arguments.parser(
        "calibrate",
        "Learn how far a model's measures are off, from results of `quantify --probabilities --truth` on scans with "
        "known truth that the model was not trained on: at least 19 for intervals of 90 %. The calibration turns the "
        "spread of a measure into an interval that holds the truth of scans like these as often as it says. With "
        "--model it is written into the model's file, whose weights stay the same, and `segment --probabilities` hands "
        "it on.",
        """
        implantseg calibrate results/*/results.json -o calibration.json
        implantseg calibrate results/*/results.json -o calibration.json --scans "24 sheep tibiae, P05, 5 µm"
        implantseg calibrate results/*/results.json --model mine.safetensors
        """,
    )
    command.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="results.json, or its folder")
    command.add_argument("-o", "--out", type=Path, metavar="JSON", help="calibration to write")
    command.add_argument("--model", type=Path, metavar="FILE", help="model file to write it into")
    command.add_argument("--scans", default="", metavar="TEXT", help="what scans they are: for such scans it holds")
    options = arguments.parse(command, argv)
    if options.out is None and options.model is None:
        command.error("got neither -o JSON nor --model FILE: nowhere to write the calibration to")

    from ImplantSegLib.files import refuse_overwriting
    from ImplantSegQuantLib import calibration, results

    for source in options.results if options.out else ():
        refuse_overwriting(source, options.out)
    read = [results.read(path) for path in options.results]
    found = calibration.calibrate(read, options.scans or f"{len(read)} scans")
    if options.model is not None:
        into_model(found, options.model)
    if options.out is not None:
        calibration.save(found, options.out)
    print(table(found))


def into_model(found: Calibration, path: Path) -> None:
    """Write a calibration into the file of its model; the weights stay the same bytes.

    Raises
    ------
    InputError
        When it is of another model.
    """
    from ImplantSegLib import models
    from ImplantSegLib.errors import InputError

    bundle = models.load(path)
    if bundle.weights_sha256 != found.model_sha256:
        raise InputError(
            f"the results are of a model with the weights {found.model_sha256[:8]}, those of {path} are "
            f"{bundle.weights_sha256[:8]}",
            "pass the model that segmented the scans",
        )
    state = bundle.load_state()
    storage = next(str(value.dtype).removeprefix("torch.") for value in state.values() if value.is_floating_point())
    content = json.loads(found.to_json())
    models.save(path, dataclasses.replace(bundle, calibration=content), state, storage)  # type: ignore[arg-type]


def table(found: Calibration) -> str:
    """Scores of every measure as text for people."""
    lines = [f"{'':40}{'scans':>6}{'median':>9}{'5 %':>9}{'95 %':>9}{'model sd':>10}"]
    for name, scores in found.measures.items():
        ends = scores.quantiles(90)
        cells = "".join(f"{end:>9.2f}" for end in ends) if ends else f"{'too few':>18}"
        lines.append(f"{name:40}{len(scores.scores):>6}{scores.median:>9.2f}{cells}{scores.model_sd:>10.3f}")
    return "\n".join(lines)
