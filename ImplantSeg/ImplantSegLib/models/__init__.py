"""Networks, and the files that carry them."""

from ImplantSegLib.models.bundle import Bundle, load, save
from ImplantSegLib.models.zoo import ZOO, ModelSpec, all_options, build

__all__ = ["ZOO", "Bundle", "ModelSpec", "all_options", "build", "load", "save"]
