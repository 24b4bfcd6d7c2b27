"""Schemas (JSON Schema 2020-12) of the JSON that the verbs write; see docs/results-format.md."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

RESULTS = "urn:implantseg:results:1"
"""``results.json`` of ``quantify``; the number changes when a key changes its meaning or goes."""

EVALUATE = "urn:implantseg:evaluate:1"
"""What ``evaluate -o`` writes."""

REGISTER = "urn:implantseg:register:1"
"""What ``register --json`` prints."""


def schema(uri: str) -> dict[str, Any]:
    """Give the schema that a file names under ``"schema"``.

    Parameters
    ----------
    uri : str
        :data:`RESULTS`, :data:`EVALUATE` or :data:`REGISTER`.
    """
    name = uri.split(":")[2]
    text = resources.files("ImplantSegQuantLib").joinpath(f"data/{name}.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
