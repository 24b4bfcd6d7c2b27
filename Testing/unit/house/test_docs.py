"""The documents: links that lead somewhere, commands and targets that exist, decisions that are complete."""

import re
from pathlib import Path

import pytest

from ImplantSegLib import cli

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def documents(root: Path) -> list[Path]:
    return [*root.glob("*.md"), *(root / "docs").rglob("*.md")]


def test_links_between_files_lead_somewhere(root):
    dead = [
        f"{document.relative_to(root)}: {target}"
        for document in documents(root)
        for target in LINK.findall(document.read_text(encoding="utf-8"))
        if not target.startswith(("http://", "https://", "mailto:")) and not (document.parent / target).exists()
    ]
    assert dead == []


def test_commands_in_the_documents_are_verbs(root):
    named = {
        verb
        for document in documents(root)
        for verb in re.findall(r"^(?:\$ )?implantseg ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named - set(cli.VERBS) == set()


def test_make_targets_in_the_documents_exist(root):
    targets = set(re.findall(r"^([a-z0-9-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target
        for document in documents(root)
        for target in re.findall(r"`make ([a-z0-9-]+)", document.read_text(encoding="utf-8"))
    }
    assert named - targets == set()


def test_decision_records_are_numbered_and_complete(root):
    records = sorted((root / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        for heading in ("## Context", "## Decision", "## Consequences"):
            assert heading in text, f"{record.name} lacks {heading}"


@pytest.mark.parametrize(
    "word", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE", "docs/architecture.md"]
)
def test_what_a_visitor_looks_for_is_there(root, word):
    assert (root / word).stat().st_size > 200
