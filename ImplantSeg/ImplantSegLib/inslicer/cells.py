"""Table nodes whose cells are text: a list that is saved with the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer
import vtk


def new(name: str, columns: Sequence[str]) -> Any:
    """Make an empty table in the scene."""
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    write(table, columns, [])
    return table


def read(table: Any) -> list[dict[str, str]]:
    """Read the cells of every row by the names of the columns."""
    names = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]
    rows = range(table.GetNumberOfRows())
    return [{name: table.GetCellText(row, column) for column, name in enumerate(names)} for row in rows]


def write(table: Any, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Replace all cells; what a row does not have stays empty."""
    modified = table.StartModify()
    try:
        table.RemoveAllColumns()
        for name in columns:
            column = vtk.vtkStringArray()
            column.SetName(name)
            for row in rows:
                column.InsertNextValue(row.get(name, ""))
            table.AddColumn(column)
    finally:
        table.EndModify(modified)


def refer(table: Any, kind: str, node: Any) -> str:
    """Let the table refer to a node, so that the scene keeps them together; give the role of the reference."""
    role = next(role for role in map(f"{kind}{{}}".format, range(1_000_000)) if not table.GetNodeReferenceID(role))
    table.SetNodeReferenceID(role, node.GetID())
    return role
