"""Volumes: read, write and stream 3D images and label maps in physical space."""

from ImplantSegLib.volumes.box import Box
from ImplantSegLib.volumes.crop import cropped
from ImplantSegLib.volumes.fov import FieldOfView
from ImplantSegLib.volumes.io import create, read, write
from ImplantSegLib.volumes.volume import Volume

__all__ = ["Box", "FieldOfView", "Volume", "create", "cropped", "read", "write"]
