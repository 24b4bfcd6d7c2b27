"""Networks, and the files that carry them."""

from ImplantSegLib.models.bundle import Bundle, load, save
from ImplantSegLib.models.zoo import ZOO, ModelSpec, build

__all__ = ["ZOO", "Bundle", "ModelSpec", "build", "load", "save"]
