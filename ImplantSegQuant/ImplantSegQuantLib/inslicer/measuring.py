"""Runs from nodes to nodes: the files of the run, its step, the loading of its results."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from ImplantSegLib.inslicer.runner import Step
from ImplantSegLib.inslicer.worker import Failure
from ImplantSegQuantLib.inslicer import inputs, load, names, pose, samples
from ImplantSegQuantLib.inslicer.choice import Choice


class _Task:
    """A run on a sample, with its files in a temporary folder until :meth:`end`.

    Parameters
    ----------
    choice : Choice
        The sample; without problems.
    transform : vtkMRMLLinearTransformNode, optional
        A pose that goes into the run; without one the pose is searched.

    Raises
    ------
    InputError
        When a node cannot be written as a file.
    """

    MEASURES = True

    def __init__(self, choice: Choice, transform: Any = None) -> None:
        # nodes may be renamed while the run goes on, but not what their names have become
        self.choice = dataclasses.replace(choice, name=choice.title)
        self.inputs = inputs.write(self.choice, self.MEASURES)
        try:
            given = pose.write_pose(transform, self.inputs.folder / "given.tfm") if transform else None
        except Exception:
            self.end()
            raise
        self.steps: list[Step] = [self.step(given)]

    def step(self, given: Any) -> Step:
        """Give what is run."""
        raise NotImplementedError

    def end(self, _failure: Failure | None = None) -> None:
        """Delete the files of the run."""
        self.inputs.discard()


class Registering(_Task):
    """Find the pose of the reference, or refine the given one."""

    MEASURES = False

    def step(self, given: Any) -> Step:
        """Give ``register``."""
        return self.inputs.register(given)

    def load(self, output: str) -> Any:
        """Show what was found; give the pose."""
        title = self.choice.title
        node = samples.find(title, names.POSE) or load.new_pose(title)
        pose.read_pose(self.inputs.folder / "pose.tfm", node)
        pose.settle(node, json.loads(output)["quality"], self.choice.inputs())
        node.SetAttribute(names.ACCEPTED, None)
        load.show_reference(self.inputs.folder / "reference.vtp", node, title)
        return node


class Measuring(_Task):
    """Measure the sample, in the given pose or in one that is found."""

    def step(self, given: Any) -> Step:
        """Give ``quantify``."""
        return self.inputs.quantify(self.choice, given)

    def load(self, _output: str = "") -> Any:
        """Load the results; give the table of the measures."""
        return load.load_results(self.choice.results, self.choice.title, self.choice.inputs())
