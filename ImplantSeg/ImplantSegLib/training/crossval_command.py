"""``implantseg crossval``."""

from __future__ import annotations

import os
from pathlib import Path

from ImplantSegLib import arguments
from ImplantSegLib.errors import InputError
from ImplantSegLib.training.command import packaged_recipes

EXAMPLES = """
implantseg crossval unet -o runs/crossval
implantseg crossval unet -o runs/crossval --resume
implantseg crossval unet hrnet u2net -o runs/crossval --folds 0 1 --set run.steps=2000
implantseg crossval unet_paper hrnet_paper u2net_paper -o runs/sizes --sizes 512 768 1024
implantseg crossval unet -o runs/crossval --collect
"""


def crossval(argv: list[str]) -> None:
    """Run ``implantseg crossval``."""
    command = arguments.parser(
        "crossval",
        "Train the folds of one or several recipes one after the other, each in OUTDIR/RECIPE/fold-K as `train` does, "
        "and sum them up: a table, summary.json, summary.csv, summary.html and figures. Folds that are done are kept. "
        "With --sizes every recipe is trained with patches of several sizes, and a figure shows scores by input size.",
        EXAMPLES,
    )
    command.add_argument(
        "recipes", metavar="RECIPE", nargs="+", help=f"a TOML file, or one of: {', '.join(packaged_recipes())}"
    )
    command.add_argument("-o", "--output", type=Path, metavar="OUTDIR", default=Path("runs/crossval"), help="folder")
    command.add_argument("--folds", type=int, nargs="+", metavar="K", help="folds to train and sum up (default: all)")
    command.add_argument(
        "--sizes", type=int, nargs="+", metavar="PIXELS", default=[], help="edges of the patches to compare"
    )
    command.add_argument(
        "--by",
        choices=["scan", "slice"],
        help="what folds divide: whole scans (default), or the slices of every scan, whose scores are too good, since "
        "neighbouring slices are nearly alike",
    )
    command.add_argument("--resume", action="store_true", help="go on with folds that were interrupted")
    command.add_argument("--collect", action="store_true", help="train nothing, sum up the folds that are done")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of every recipe: run.steps=100"
    )
    options = arguments.parse(command, argv)

    from ImplantSegLib.training.crossval import chosen_folds, collect, plan, train_folds
    from ImplantSegLib.training.crossval_report import as_text, rows, write_summary
    from ImplantSegLib.training.processes import launched

    if launched(os.environ) != (1, 1):
        raise InputError(
            "crossval was started by several processes, which would all write its summary",
            "train each fold with `implantseg train RECIPE --fold K -o OUT/RECIPE/fold-K`, then crossval --collect",
        )

    overrides = [*options.set, *([f"data.fold_unit={options.by}"] if options.by else [])]
    every = plan(options.recipes, overrides, options.sizes, options.output)
    for series in every if not options.collect else []:
        train_folds(series, chosen_folds(series, options.folds), options.resume)
    results = collect(every, options.folds)
    write_summary(results, options.output)
    print(as_text(rows(results)))
    print(options.output / "summary.html")
