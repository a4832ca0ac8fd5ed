"""Arrange images in a table with two axes: the values of one fact in rows, of another in columns.

facts of each image ──> `arrange` ──> GridTable: which images are in each cell
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..errors import InvalidInputError
from ..models import facts
from ..utils import suggestions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TAKE, TEMPLATE, MODEL = "values.take", "values.template", "model"
NO_VALUE = "–"  # of an image without the fact


class GridTable(msgspec.Struct, frozen=True):
    """A table of images.

    Attributes
    ----------
    row_fact, column_fact : str
        The facts of the axes, see `models.facts`; empty for a single row or column.
    rows, columns : list of str
        The values of each axis.
    cells : list of list of list of int
        For each row and column, the places of its images in the given order.
    """

    row_fact: str
    column_fact: str
    rows: list[str]
    columns: list[str]
    cells: list[list[list[int]]]


def choose_axes(
    known: Sequence[str],
    varying: Iterable[str],
    rows: str | None = None,
    columns: str | None = None,
) -> tuple[str, str]:
    """Return the facts of rows and columns; None selects one that differs.

    Templates and models are best compared side by side, so they become columns. Takes are shown
    within a cell if two other facts differ.

    Parameters
    ----------
    known : sequence of str
        The names of all facts.
    varying : iterable of str
        Those that differ; see `facts.varying`.
    rows, columns : str or None
        Full or short names; an empty one for no axis.

    Raises
    ------
    InvalidInputError
        If no image has a fact of that name, or both axes have the same.
    """
    chosen = {
        "rows": find_fact("rows", rows, known),
        "columns": find_fact("columns", columns, known),
    }
    differing = [name for name in varying if name not in chosen.values()]
    side_by_side = [name for name in (TEMPLATE, MODEL) if name in differing]
    others = [name for name in differing if name not in {*side_by_side, TAKE}]
    takes = [TAKE] if TAKE in differing else []
    if chosen["columns"] is None:
        candidates = [*side_by_side, *others[1:], *others, *takes]
        if rows is None and len(others) == 1 and not side_by_side:
            candidates = [*takes, *others]
        chosen["columns"] = next(iter(candidates), "")
    if chosen["rows"] is None:
        candidates = [*others, *side_by_side, *takes]
        chosen["rows"] = next((name for name in candidates if name != chosen["columns"]), "")
    row_fact, column_fact = chosen["rows"] or "", chosen["columns"] or ""
    if row_fact and row_fact == column_fact:
        raise InvalidInputError(
            "columns",
            f"Rows and columns are both “{facts.label(row_fact)}”.",
            "Choose another fact for one of them.",
        )
    return row_fact, column_fact


def find_fact(axis: str, name: str | None, known: Sequence[str]) -> str | None:
    """Return the full name of a fact; None and an empty name are returned unchanged.

    Raises
    ------
    InvalidInputError
        If no image has a fact of that name; `field` is the axis.
    """
    if not name:
        return name
    found = facts.resolve(name, known) if isinstance(name, str) else ""
    if not found:
        short = [each.partition(".")[2] or each for each in known]
        raise InvalidInputError(
            axis,
            f"No image has a “{name}”.",
            suggestions.did_you_mean(str(name), short) or f"Use one of {', '.join(short)}.",
        )
    return found


def arrange(
    all_facts: Sequence[facts.Facts],
    row_fact: str,
    column_fact: str,
    order: Mapping[str, Sequence[str]] | None = None,
) -> GridTable:
    """Put each image into the cell of its values.

    Parameters
    ----------
    all_facts : sequence of dict
        The facts of each image.
    row_fact, column_fact : str
        Empty for a single row or column.
    order : dict, optional
        The values of each fact in the order of the rows or columns; by default, that of their
        first appearance. Numbers are sorted by size.
    """
    rows, columns = (
        _values(all_facts, fact, (order or {}).get(fact, ())) for fact in (row_fact, column_fact)
    )
    places = {value: place for place, value in enumerate(rows)}
    column_places = {value: place for place, value in enumerate(columns)}
    cells: list[list[list[int]]] = [[[] for _ in columns] for _ in rows]
    for index, each in enumerate(all_facts):
        row, column = places[_value(each, row_fact)], column_places[_value(each, column_fact)]
        cells[row][column].append(index)
    return GridTable(row_fact, column_fact, rows, columns, cells)


def windows(
    table: GridTable, rows: tuple[int, int], columns: tuple[int, int]
) -> list[tuple[int, int]]:
    """Return where the images of some cells are, if those of all cells are in one list.

    Parameters
    ----------
    table : GridTable
    rows, columns : tuple of int
        The first and the last row and column.

    Returns
    -------
    list of tuple of int
        For each row with such images, the index of the first one, and of the one after the last.
    """
    first, last = columns
    found = []
    begin = 0
    for row in table.cells[: rows[1] + 1]:
        counts = [len(cell) for cell in row]
        found.append((begin + sum(counts[:first]), begin + sum(counts[: last + 1])))
        begin += sum(counts)
    return [(start, stop) for start, stop in found[rows[0] :] if start < stop]


def _value(of: facts.Facts, name: str) -> str:
    return of.get(name, NO_VALUE) if name else ""


def _values(all_facts: Sequence[facts.Facts], name: str, order: Sequence[str]) -> list[str]:
    """Return the values of an axis: numbers by size, others in an order or as they appear."""
    present = dict.fromkeys(_value(each, name) for each in all_facts)
    values = [*dict.fromkeys([*(value for value in order if value in present), *present])]
    try:
        return sorted(values, key=float)
    except ValueError:
        return values
