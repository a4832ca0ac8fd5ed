"""Rows for pandas and spreadsheets, with unique column names and values that Excel supports."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def flat_row(
    first: Mapping[str, Any], varied: Iterable[tuple[str, Any]], last: Mapping[str, Any]
) -> dict[str, Any]:
    """Join columns into one row; rename a varied column to ``{name}`` if its name is taken.

    Parameters
    ----------
    first, last : dict
        Columns at the left and at the right.
    varied : iterable of tuple
        Names and values of the columns in between.
    """
    row = dict(first)
    for name, value in varied:
        while name in row or name in last:
            name = f"{{{name}}}"  # noqa: PLW2901 - until the name is unique
        row[name] = value
    return {**row, **last}


def spreadsheet_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values that Excel files do not support: times with a zone, control characters."""
    return {_spreadsheet_value(name): _spreadsheet_value(value) for name, value in row.items()}


def _spreadsheet_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return _NOT_IN_XML.sub("\ufffd", value) if isinstance(value, str) else value


#: Characters that XML, and therefore a spreadsheet file, cannot contain.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
