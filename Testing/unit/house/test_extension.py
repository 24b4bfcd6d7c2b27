"""What the Extensions Index of 3D Slicer asks of an extension, as far as files can tell."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

MODULES = ("ImplantSeg", "ImplantSegQuant")
RAW = "https://raw.githubusercontent.com/ImplantSeg/SlicerImplantSeg/main/"
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
)

FIELDS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
"""Fields that version 1.0.1 of the schema knows; it allows no others."""


@pytest.fixture(scope="module")
def entry(root: Path) -> dict:
    return json.loads((root / "ImplantSeg.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def metadata(root: Path) -> dict[str, str]:
    """Variables ``EXTENSION_...`` of the top CMakeLists.txt, and ``project``."""
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    found = dict(re.findall(r'^set\((\w+) "([^"]*)"\)$', text, re.MULTILINE))
    repository = found.pop("REPOSITORY")
    return {
        "project": re.search(r"^project\((\w+)\)$", text, re.MULTILINE)[1],
        **{name: value.replace("${REPOSITORY}", repository) for name, value in found.items()},
    }


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this is no checkout of git")
    return [root / name for name in done.stdout.decode().split("\0") if name and (root / name).is_file()]


def test_the_entry_is_what_the_schema_allows(entry):
    assert entry["$schema"] == SCHEMA
    assert {name: type(value) for name, value in entry.items()} == {name: FIELDS[name] for name in entry}
    assert {"$schema", "category", "scm_url"} <= set(entry)
    assert entry["scm_type"] in ("git", "local")
    assert entry["tier"] in (1, 3, 5)


def test_the_entry_and_the_metadata_agree(entry, metadata, root):
    assert (root / f"{metadata['project']}.json").is_file()
    assert entry["scm_url"].removesuffix(".git") == metadata["EXTENSION_HOMEPAGE"]
    # extensions are to be told from others that have nothing to do with Slicer
    assert Path(entry["scm_url"]).name.startswith("Slicer")
    assert entry["build_dependencies"] == metadata["EXTENSION_DEPENDS"].split()


def test_the_metadata_is_complete(metadata):
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS", "KEYWORDS"):
        assert metadata[f"EXTENSION_{name}"].strip()
    assert ";" not in metadata["EXTENSION_DESCRIPTION"]  # CMake would take it for a list


def test_the_pictures_that_the_catalogue_shows_are_in_the_repository(metadata, root, tracked):
    for address in (metadata["EXTENSION_ICONURL"], *metadata["EXTENSION_SCREENSHOTURLS"].split()):
        assert address.startswith(RAW)
        assert root / address.removeprefix(RAW) in tracked


def test_the_icon_is_a_square_of_128_pixels(metadata, root):
    content = (root / metadata["EXTENSION_ICONURL"].removeprefix(RAW)).read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert [int.from_bytes(content[start : start + 4]) for start in (16, 20)] == [128, 128]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_an_icon_that_scales(root, module):
    icon = ElementTree.parse(root / module / "Resources" / "Icons" / f"{module}.svg").getroot()
    assert icon.tag.endswith("svg")
    assert icon.attrib["viewBox"] == "0 0 64 64"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_registers_its_tests(root, module):
    text = (root / module / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "WITH_GENERIC_TESTS" in text
    assert re.search(r"slicer_add_python_unittest\(\s+SCRIPT \$\{MODULE_NAME\}\.py", text)


def test_the_top_level_includes_what_makes_an_extension(root):
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    wanted = (
        "cmake_minimum_required(VERSION 3.28)", "project(ImplantSeg)", "find_package(Slicer REQUIRED)",
        "include(${Slicer_USE_FILE})", "include(${Slicer_EXTENSION_GENERATE_CONFIG})",
        "include(${Slicer_EXTENSION_CPACK})",
    )  # fmt: skip
    positions = [text.index(line) for line in wanted]
    assert positions == sorted(positions)


def test_scripts_that_ctest_names_exist(root):
    text = (root / "Testing" / "CMakeLists.txt").read_text(encoding="utf-8")
    named = re.findall(r"SCRIPT \$\{CMAKE_SOURCE_DIR\}/(\S+)", text)
    assert named
    assert [name for name in named if not (root / name).is_file()] == []


def test_ctest_gives_scripts_no_options_that_slicer_takes_for_its_own(root):
    text = (root / "Testing" / "CMakeLists.txt").read_text(encoding="utf-8")
    arguments = " ".join(re.findall(r"SCRIPT_ARGS ([^)]*)", text)).split()
    assert arguments
    assert not {"-h", "--help", "--version", "--testing", "-c"} & set(arguments)
    assert "--additional-module-paths" not in text  # Slicer's macro adds it; of two the second would go to the script


def test_the_licence_is_in_the_root(root):
    assert "Apache License" in (root / "LICENSE").read_text(encoding="utf-8")[:300]


def test_lines_end_as_on_unix(tracked):
    text = [path for path in tracked if path.suffix in {".py", ".ui", ".txt", ".md", ".json", ".svg", ".toml", ".cff"}]
    assert len(text) > 100
    assert [path for path in text if b"\r\n" in path.read_bytes()] == []


def test_the_checkout_is_small(tracked):
    assert sum(path.stat().st_size for path in tracked) < 100e6


@pytest.mark.parametrize("heading", ["In 3D Slicer", "Tutorial", "Sample data", "Cite"])
def test_the_readme_has_a_section(root, heading):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^##+ {heading}$", text, re.MULTILINE)


def test_the_readme_shows_a_picture_says_what_each_module_does_and_names_the_paper(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert re.search(r"!\[[^]]+\]\(docs/images/[\w-]+\.png\)", text)
    for title in ("ImplantSeg", "ImplantSeg Quantification"):
        assert re.search(rf"\*\*{title}\*\* \w+", text), f"one sentence that begins with **{title}**"
    assert "10.3389/fphy.2024.1257512" in text
