"""The verb ``environment``."""

from __future__ import annotations

import json

from ImplantSegLib import arguments


def environment(argv: list[str]) -> None:
    """Run ``implantseg environment``."""
    command = arguments.parser(
        "environment",
        "Tell what this installation consists of: versions, processor, memory, GPUs and whether torch uses them, "
        "packages that are missing, old or damaged. Paste its answer into a bug report.",
        """
        implantseg environment
        implantseg environment --json
        """,
    )
    command.add_argument("--json", action="store_true", help="JSON on stdout instead of a table; memory in bytes")
    options = arguments.parse(command, argv)
    from ImplantSegLib.environment.report import as_table, report

    facts = report()
    print(json.dumps(facts, indent=2, ensure_ascii=False) if options.json else as_table(facts))
