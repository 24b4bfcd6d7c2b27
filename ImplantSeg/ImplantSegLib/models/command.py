"""The verb ``models``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ImplantSegLib import arguments

EXAMPLES = """
implantseg models
implantseg models show compact_unet
implantseg models import runs/compact_unet/model.safetensors --name my_unet
implantseg models export my_unet my_unet.safetensors
implantseg models verify my_unet
implantseg models delete my_unet
"""


def main(argv: list[str]) -> None:
    """Run ``implantseg models``."""
    if argv and argv[0] in DEEDS:
        DEEDS[argv[0]](argv[1:])
        return
    command = arguments.parser(
        "models",
        "List, show, import, export, verify and delete models; `implantseg models show --help` and so on tell more. "
        "A model is one .safetensors file with its weights and all that is needed to use them. Imported models lie "
        "in the folder IMPLANTSEG_MODEL_DIR, or in the platform's folder for data of programs.",
        EXAMPLES,
    )
    command.add_argument("deed", nargs="?", choices=DEEDS, help="what to do, written first (default: list)")
    _add_json(command)
    options = arguments.parse(command, argv)
    if options.deed not in (None, "list"):
        command.error(f"write `implantseg models {options.deed}` first, then its options")
    _print_list(options.json)


def list_models(argv: list[str]) -> None:
    """Run ``implantseg models list``."""
    command = _parser(
        "list",
        "List the models that have a name: those of ImplantSeg first, then imported ones. The memory is a bound for a "
        "window of 512 × 512 pixels; a file that cannot be used is listed with the reason.",
    )
    _add_json(command)
    command.add_argument(
        "--quick", action="store_true", help="leave out the memory, and whether the weights fit: no import of torch"
    )
    options = arguments.parse(command, argv)
    _print_list(options.json, options.quick)


def show(argv: list[str]) -> None:
    """Run ``implantseg models show``."""
    command = _parser("show", "Tell what a model file says: network, input, training data, scores, licence.")
    _add_model(command)
    _add_json(command)
    options = arguments.parse(command, argv)
    from ImplantSegLib.models import describe, load, registry

    bundle = load(registry.find(options.model))
    print(_json(describe.facts(bundle)) if options.json else describe.as_table(bundle))


def import_(argv: list[str]) -> None:
    """Run ``implantseg models import``."""
    command = _parser("import", "Verify a model file and copy it into the folder of the imported models.")
    command.add_argument("file", type=Path, metavar="FILE", help="a model file, such as `implantseg train` writes")
    command.add_argument("--name", default="", help="name of the model (default: the name of the file)")
    command.add_argument("--replace", action="store_true", help="overwrite an imported model of this name")
    options = arguments.parse(command, argv)
    from ImplantSegLib.models import registry

    print(registry.import_model(options.file, options.name, options.replace))


def export(argv: list[str]) -> None:
    """Run ``implantseg models export``."""
    command = _parser("export", "Copy a model to a file that another machine can import.")
    _add_model(command)
    command.add_argument("output", type=Path, metavar="OUT", help="a file that ends in .safetensors, or a folder")
    options = arguments.parse(command, argv)
    from ImplantSegLib.models import registry

    print(registry.export(options.model, options.output))


def verify(argv: list[str]) -> None:
    """Run ``implantseg models verify``."""
    command = _parser(
        "verify", "Read models whole: the header, the checksum of the weights, and whether they fit the network."
    )
    command.add_argument("models", nargs="*", metavar="NAME_OR_FILE", help="models (default: all that have a name)")
    options = arguments.parse(command, argv)
    from ImplantSegLib.models import registry

    for model in options.models or registry.installed():
        bundle = registry.verify(model)
        print(f"{bundle.name}: whole, weights {bundle.weights_sha256}")


def delete(argv: list[str]) -> None:
    """Run ``implantseg models delete``."""
    command = _parser("delete", "Delete an imported model. Those that come with ImplantSeg cannot be deleted.")
    command.add_argument("model", metavar="NAME", help="a name that `implantseg models` lists")
    options = arguments.parse(command, argv)
    from ImplantSegLib.models import registry

    print(f"deleted {registry.delete(options.model)}")


DEEDS: dict[str, Callable[[list[str]], None]] = {
    "list": list_models,
    "show": show,
    "import": import_,
    "export": export,
    "verify": verify,
    "delete": delete,
}


def _parser(deed: str, description: str) -> argparse.ArgumentParser:
    examples = [line for line in EXAMPLES.splitlines() if deed in line.split()]
    return arguments.parser(f"models {deed}", description, "\n".join(examples or [f"implantseg models {deed}"]))


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="NAME_OR_FILE", help="a name that `implantseg models` lists, or a file")


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")


def _print_list(as_json: bool, quick: bool = False) -> None:
    from ImplantSegLib.models import describe, registry

    own = registry.bundled()
    entries = [describe.entry(name, path, name in own, quick) for name, path in registry.installed().items()]
    print(_json(entries) if as_json else describe.list_table(entries))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
