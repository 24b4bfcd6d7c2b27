"""ImplantSeg: segmentation of biodegradable bone implants in synchrotron micro-CT."""

__version__ = "0.1.0"
