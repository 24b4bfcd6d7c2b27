"""Stand-in of the module ``SampleData``: it keeps what modules register, and can press a sample's button."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import slicer


class SampleDataSource:
    """A sample; its lists are as long as the list of addresses."""

    def __init__(
        self,
        sampleName: str | None = None,
        sampleDescription: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        loadFiles: Any = None,
        customDownloader: Callable[[Any], Any] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
    ) -> None:
        self.sampleName, self.sampleDescription = sampleName, sampleDescription or sampleName
        self.customDownloader, self.thumbnailFileName = customDownloader, thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}
        # one address stands for lists of one; Slicer too takes a source without any address for a mistake
        if uris is None:
            raise TypeError("a sample needs uris, also with a customDownloader: give one string")
        single = isinstance(uris, str)
        self.uris = [uris] if single else list(uris)
        self.fileNames, self.nodeNames, self.checksums, self.loadFiles, self.loadFileTypes = (
            [value] if single else [None] * len(self.uris) if value is None else list(value)
            for value in (fileNames, nodeNames, checksums, loadFiles, loadFileTypes)
        )
        lists = (self.fileNames, self.nodeNames, self.checksums, self.loadFiles, self.loadFileTypes)
        if any(len(values) != len(self.uris) for values in lists):
            raise ValueError("All fields of sample data source must have the same length")


class SampleDataLogic:
    """What modules call to register their samples."""

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:
        """Give a category its title."""
        _categories()[category] = {"title": title}

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", sampleName: str | None = None, **fields: Any) -> None:
        """Add a sample; one that is there already stays."""
        sources = _sources().setdefault(category, [])
        if all(source.sampleName != sampleName for source in sources):
            sources.append(SampleDataSource(sampleName, **fields))

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        """Give the samples of a category, or of all."""
        return _sources() if category is None else _sources().get(category, [])

    def sourceForSampleName(self, name: str) -> SampleDataSource | None:
        """Give a sample by its name."""
        return next((source for group in _sources().values() for source in group if source.sampleName == name), None)

    def downloadFromSource(self, source: SampleDataSource, **options: Any) -> list[Any]:
        """Refuse: nothing is downloaded in tests."""
        raise RuntimeError(f"the host downloads nothing; the sample {source.sampleName} is at {source.uris}")


def press(name: str) -> Any:
    """Press the button of a sample."""
    source = SampleDataLogic().sourceForSampleName(name)
    if source is None:
        raise LookupError(f"no module has registered the sample {name}; there are {_sources()}")
    if source.customDownloader is not None:
        return source.customDownloader(source)
    return SampleDataLogic().downloadFromSource(source)


def _sources() -> dict[str, list[SampleDataSource]]:
    return vars(slicer.modules).setdefault("sampleDataSources", {})


def _categories() -> dict[str, dict[str, str]]:
    return vars(slicer.modules).setdefault("sampleDataSourceCategories", {})


def install() -> None:
    """Make the module importable as ``SampleData``."""
    sys.modules["SampleData"] = sys.modules[__name__]
