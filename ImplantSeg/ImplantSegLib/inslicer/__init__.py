"""The bridge to 3D Slicer: child processes that run the verbs, and files handed to and fro."""
