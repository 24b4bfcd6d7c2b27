"""The bridge to 3D Slicer: the forms of ImplantSeg Quantification, and its results as nodes of the scene."""
