"""The verb ``export-training``."""

from __future__ import annotations

from pathlib import Path

from ImplantSegLib import arguments


def export_training(argv: list[str]) -> None:
    """Run ``implantseg export-training``."""
    from ImplantSegLib.training.command import packaged_recipes

    command = arguments.parser(
        "export-training",
        "Write a folder that trains by one command: scans with their labels, a recipe and a SLURM script. Samples are "
        "checked first, and all that is wrong is told at once. Scans that are in the folder already stay.",
        """
        implantseg export-training training --samples samples.csv
        implantseg export-training training --samples samples.csv --recipe unet --set run.steps=2000 --hours 8
        implantseg export-training training --samples samples.csv --partition gpu --setup "module load python"
        """,
    )
    add = command.add_argument
    add("folder", type=Path, metavar="FOLDER", help="folder to write; made when missing")
    add(
        "--samples",
        type=Path,
        required=True,
        metavar="CSV",
        help="list with the columns image and labels (files) and perhaps name and slices: the slices along z that were "
        "labelled by hand, as in 3 7 10:20, counted from 0, the second number of a range not included; all others "
        "then count as unknown",
    )
    recipes = packaged_recipes()
    add("--recipe", default="compact_unet", choices=recipes, help="recipe to begin with (default: compact_unet)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe: run.steps=100")
    add("--replace", action="store_true", help="overwrite scans of the same name, the recipe and the script")
    slurm = command.add_argument_group("the SLURM script")
    slurm.add_argument("--partition", default="", metavar="NAME", help="queue of the cluster (default: the cluster's)")
    slurm.add_argument("--gpus", type=int, default=1, metavar="N", help="GPUs; one is used (default: 1)")
    slurm.add_argument("--cores", type=int, default=8, metavar="N", help="cores (default: 8)")
    slurm.add_argument("--memory", default="32G", metavar="SIZE", help="memory, in SLURM's words (default: 32G)")
    slurm.add_argument("--hours", type=float, default=24.0, metavar="H", help="longest turn (default: 24)")
    slurm.add_argument(
        "--setup",
        action="append",
        default=[],
        metavar="LINE",
        help="line of shell that makes `implantseg` available there; may be given several times",
    )
    options = arguments.parse(command, argv)
    from ImplantSegLib.training.export import Cluster, Options, write_training_folder
    from ImplantSegLib.training.samples import read_samples

    cluster = Cluster(
        options.partition, options.gpus, options.cores, options.memory, options.hours, tuple(options.setup)
    )
    chosen = Options(tuple(options.set), cluster, options.replace)
    for path in write_training_folder(options.folder, read_samples(options.samples), options.recipe, chosen):
        print(path)
