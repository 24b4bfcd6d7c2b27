"""From a scan and a model to labels on disk, slab by slab."""

from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.inference.predict import segment

__all__ = ["SegmentJob", "segment"]
