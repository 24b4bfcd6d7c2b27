"""``implantseg train``."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ImplantSegLib import arguments, jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import check_writable, sha256, write_text
from ImplantSegLib.training.config import Pair, Recipe

if TYPE_CHECKING:
    from ImplantSegLib.models import Bundle
    from ImplantSegLib.training.fit import Fit

EXAMPLES = """
implantseg train compact_unet -o runs/compact
implantseg train compact_unet -o runs/compact --resume
implantseg train my.toml --fold 2 --set optimiser.lr=0.001 --set run.max_minutes=30
torchrun --nproc-per-node 4 -m ImplantSegLib train unet -o runs/unet
srun --nodes 2 --ntasks-per-node 4 --gpus-per-node 4 implantseg train unet -o runs/unet --set sampling.batch=16
"""


SCORES = "scores.json"
"""File in a run's folder, written when it is done: the scores of the best weights, and their step."""


def train(argv: list[str]) -> None:
    """Run ``implantseg train``."""
    command = arguments.parser(
        "train",
        "Train a model from a recipe. OUTDIR gets model.safetensors (the best weights), report.html, checkpoint.pt, "
        "recipe.toml, and the log as log.jsonl, log.csv and tensorboard/. An interrupted run (Ctrl-C, SIGTERM, a kill) "
        "goes on with --resume to the same weights.",
        EXAMPLES,
    )
    command.add_argument(
        "recipe", metavar="RECIPE", help=f"a TOML file, or a packaged recipe: {', '.join(packaged_recipes())}"
    )
    command.add_argument("--fold", type=int, metavar="K", help="which part of the scans validates (data.fold)")
    command.add_argument("--resume", action="store_true", help="go on from the checkpoint in OUTDIR")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe: run.steps=100"
    )
    command.add_argument("-o", "--output", type=Path, metavar="OUTDIR", help="folder (default: runs/RECIPE-foldK)")
    options = arguments.parse(command, argv)
    name, recipe = load_recipe(options.recipe, options.set, options.fold)
    output = options.output or Path("runs") / f"{name}-fold{recipe.data.fold}"
    run(name, recipe, output, options.resume, Path(options.recipe).parent)


def train_report(argv: list[str]) -> None:
    """Run ``implantseg train-report``."""
    command = arguments.parser(
        "train-report",
        "Write report.html of a training, done or not, from the files in its folder: curves, scores, worst slices.",
        "implantseg train-report runs/compact",
    )
    command.add_argument("folder", type=Path, metavar="RUN", help="what `implantseg train -o` was given")
    options = arguments.parse(command, argv)

    from ImplantSegLib.training.report import write_report

    print(write_report(options.folder))


def packaged_recipes() -> dict[str, Path]:
    """Recipes that come with ImplantSeg, by name."""
    folder = Path(str(resources.files("ImplantSegLib"))) / "data" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_recipe(source: str, overrides: list[str], fold: int | None = None) -> tuple[str, Recipe]:
    """Read a recipe from a file or by its packaged name, with ``--set`` and ``--fold`` applied: name and recipe."""
    path = packaged_recipes().get(source, Path(source))
    if not path.is_file():
        raise InputError(
            f"there is no recipe {source!r}", f"pass a TOML file or one of {', '.join(packaged_recipes())}"
        )
    values = jobs.with_overrides(jobs.load_toml(path), overrides)
    if fold is not None:
        values.setdefault("data", {})["fold"] = fold
    return path.stem, jobs.from_mapping(Recipe, values, str(source))


def run(
    name: str, recipe: Recipe, folder: Path, resume: bool = False, base: Path | None = None
) -> dict[str, float | None]:
    """Train, and print the scores of the best weights.

    Parameters
    ----------
    name : str
        Name of the recipe, for the provenance.
    recipe : Recipe
        What to do.
    folder : Path
        Receives the model, the checkpoint, the log and the recipe.
    resume : bool
        Whether to go on from the checkpoint in ``folder``.
    base : Path, optional
        Folder of the recipe's file, to which its paths are relative.
    """
    from ImplantSegLib.training import checkpoint, data, processes
    from ImplantSegLib.training.fit import MODEL, Fit
    from ImplantSegLib.training.journal import read_log
    from ImplantSegLib.training.network import find_start
    from ImplantSegLib.training.portrait import portrait
    from ImplantSegLib.training.report import write_report
    from ImplantSegLib.training.slicefolds import split_slices

    if not resume and (folder / checkpoint.CHECKPOINT).exists():
        raise InputError(f"{folder} holds the checkpoint of an earlier run", "pass --resume or another folder")
    if resume and not (folder / checkpoint.CHECKPOINT).is_file():
        raise InputError(f"{folder} holds no checkpoint to resume", "start without --resume")
    check_writable(folder)  # before a cohort is made
    recipe, start = find_start(recipe, base)
    fabric = processes.start(recipe.run)
    with processes.first(fabric):  # which makes what is not in the cache
        pairs = data.find_pairs(recipe.data, base)
        training, validation = data.split(list(pairs), recipe.data)
        pairs |= (old := data.find_old_pairs(recipe.data, pairs, base))
        scans = {
            scan: data.open_scan(scan, pairs[scan], recipe.data) for scan in dict.fromkeys((*training, *validation))
        }
        replayed = [dataclasses.replace(data.open_scan(scan, pairs[scan], recipe.data), old=True) for scan in old]
    trained, tested = [scans[scan] for scan in training], [scans[scan] for scan in validation]
    if recipe.data.fold_unit == "slice":
        trained, tested = split_slices(trained, recipe.data)
    trained += replayed
    training = [*training, *old]
    spacings = {scan.spacing_mm for scan in trained}
    bundle = dataclasses.replace(
        _bundle(name, recipe, pairs, (training, validation), start),
        spacing_mm=spacings.pop() if len(spacings) == 1 else None,
        training_data=portrait(trained, pairs),
    )
    fit = Fit(recipe, trained, tested, folder, bundle, start)
    if resume:
        fit.restore()
    processes.once(fabric, lambda: jobs.save(recipe, folder / "recipe.toml"))
    scores = fit.run()
    if fabric.is_global_zero:
        _write_scores(fit, folder / SCORES)
        _print_summary(fit, folder / MODEL)
        if read_log(folder):  # a run that was stopped before its first step has none
            print(f"report: {write_report(folder)}")
    return scores


def _write_scores(fit: Fit, path: Path) -> None:
    if fit.stopped_early or fit.step == fit.recipe.run.steps:
        write_text(path, json.dumps({"scores": fit.best, "step": fit.best_step, "steps": fit.step}) + "\n")


def _print_summary(fit: Fit, model: Path) -> None:
    steps = fit.recipe.run.steps
    if fit.stopped_early:
        print(f"stopped early at step {fit.step}: no better score in {fit.stale} validations (run.patience)")
    elif fit.step < steps:
        print(f"stopped at step {fit.step} of {steps} after run.max_minutes; go on with --resume")
    for key, value in fit.best.items():
        print(f"{key:32} {'undefined' if value is None else f'{value:8.2f}'}")
    print(f"model of step {fit.best_step}: {model}")


def _bundle(
    name: str, recipe: Recipe, pairs: dict[str, Pair], parts: tuple[list[str], list[str]], start: Bundle | None
) -> Bundle:
    from ImplantSegLib.models import Bundle

    # what the data were counts, not where they lay on the machine that trained
    values = dataclasses.asdict(recipe)
    values["data"] |= {"cache": "", "cohort": Path(recipe.data.cohort).name, "pairs": []}
    values["model"]["init_from"] = start.name if start else ""
    scans = {
        scan: {role: sha256(path) for role in ("image", "labels") if (path := Path(getattr(pair, role))).is_file()}
        for scan, pair in pairs.items()
    }
    return Bundle(
        network=recipe.model.network,
        options=recipe.model.options,
        preprocessing={"low_percent": recipe.data.low_percent, "high_percent": recipe.data.high_percent},
        summary=recipe.model.summary,
        provenance={
            **jobs.provenance(),
            "recipe_name": name,
            "recipe": values,
            "training": parts[0],
            "validation": parts[1],
            "scans": scans,
            **({"init_from": {"name": start.name, "weights_sha256": start.weights_sha256}} if start else {}),
        },
    )
