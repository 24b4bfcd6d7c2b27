"""Names under which nodes of the scene carry what this module knows of them; they are saved with the scene."""

from __future__ import annotations

from typing import Any

PREFIX = "ImplantSegQuant."
SAMPLE = PREFIX + "Sample"
"""Name of the sample that a node, or a folder of the subject hierarchy, belongs to."""

ROLE = PREFIX + "Role"
"""What a node is for its sample: one of the roles below."""

WEEKS = PREFIX + "HealingTimeWeeks"
FOLDER = PREFIX + "ResultsFolder"
QUALITY = PREFIX + "Quality"
"""Figures of a fit, JSON."""

MATRIX = PREFIX + "Matrix"
"""The pose as it was found or taken; what differs from it was moved since."""

INPUTS = PREFIX + "Inputs"
"""What a pose was found for."""

ACCEPTED = PREFIX + "Accepted"
CHOSEN = PREFIX + "Chosen"
"""``no`` on the results of a sample that is left out of charts and group tables."""

RESULTS, JSON, ROI, CONTACT, REFERENCE, POSE = "results", "json", "roi", "contact", "reference", "pose"
ERRORS, ERRORS_SERIES, ERRORS_CHART = "errors", "errors series", "errors chart"
COHORT, GROUPS = "cohort", "groups"
"""Roles of nodes that belong to all samples: the chart over the healing time, the group table."""


def is_pose(node: Any) -> bool:
    """Whether a transform is a pose of this module."""
    return node.GetAttribute(ROLE) == POSE
