"""Read a table of values: a DataFrame, a list of dicts, or a CSV file."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
from collections.abc import Mapping
from typing import Any

from ...errors import InvalidInputError
from ...utils import paths, plain_values
from ...utils.names import composed

FIELD = "table"  # the argument, for errors
#: Columns beside placeholders and parameters.
MODEL, REFERENCES = "model", "references"
MAX_ROWS = 10_000
MAX_CSV_BYTES = 10_000_000
_DELIMITERS = ",;\t"
MAX_NAME_LENGTH = 80  # characters of a file's name in an error
SAMPLE_LINES = 20  # in which the separator is looked for

Table = list[dict[str, Any]]


def read_table(given: Any) -> Table:
    """Return a table's rows as dicts with plain values; an empty cell is None.

    Parameters
    ----------
    given : pandas.DataFrame, polars.DataFrame, list of dict, str or path
        A string or path is that of a CSV file.

    Raises
    ------
    InvalidInputError
        If it is no table, has no rows or too many, or cannot be read.
    """
    if given is None:
        return []
    if isinstance(given, str | os.PathLike):
        return read_csv_file(given)
    records = _records(given)
    if len(records) > MAX_ROWS:
        raise _too_long(len(records))
    rows = []
    for number, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise InvalidInputError(
                FIELD, f"Row {number} of the table is not a dict.", "Pass a list of dicts."
            )
        names = [composed(str(name).strip()) for name in record]
        if len(set(names)) < len(names):
            _check_names(names)
        rows.append(dict(zip(names, map(_cell, record.values()), strict=True)))
    return _check_rows(rows)


def _records(given: Any) -> list[Any]:
    """Return the rows of a DataFrame or of an iterable."""
    if hasattr(given, "to_dicts"):  # Polars
        return list(given.to_dicts())
    if hasattr(given, "columns") and hasattr(given, "to_dict"):  # pandas
        _check_names([str(name).strip() for name in given.columns])
        return list(given.to_dict("records"))
    is_matrix = hasattr(given, "__aiter__")  # it would be generated
    if not is_matrix and not isinstance(given, Mapping | bytes):
        with contextlib.suppress(TypeError):  # not iterable
            return list(given)
    raise InvalidInputError(
        FIELD,
        f"The table must be a DataFrame, a list of dicts or the path of a CSV file, "
        f"not {type(given).__name__}.",
    )


def read_csv_file(path: str | os.PathLike[str]) -> Table:
    """Read a CSV file; see `read_csv`.

    Raises
    ------
    InvalidInputError
        Also if the file cannot be read.
    """
    if "\n" in str(path):
        raise InvalidInputError(
            FIELD, "The table is text, not a path.", "Write it to a file, or pass a list of dicts."
        )
    file = paths.expand_user(path, FIELD)
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_CSV_BYTES + 1)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        name = file.name[:MAX_NAME_LENGTH]
        raise InvalidInputError(FIELD, f"{name} cannot be read: {problem}.") from None
    return read_csv(content, file.name)


def read_csv(content: bytes, name: str) -> Table:
    """Read the rows of a CSV file in UTF-8, separated by commas, semicolons or tabs.

    Parameters
    ----------
    content : bytes
    name : str
        The file's name, for errors.

    Raises
    ------
    InvalidInputError
        If it is not UTF-8, no CSV, too large, or a row is longer than the header.
    """
    if len(content) > MAX_CSV_BYTES:
        raise InvalidInputError(
            FIELD, f"{name} is larger than {MAX_CSV_BYTES // 1_000_000} MB.", "Split the file."
        )
    text = "\0"
    with contextlib.suppress(UnicodeDecodeError):
        text = content.decode("utf-8-sig")
    if "\0" in text:  # text in UTF-16 also has null characters
        raise InvalidInputError(
            FIELD, f"{name} is not a CSV file in UTF-8.", "Save it as “CSV UTF-8” and try again."
        )
    try:
        lines = _lines(text)
    except csv.Error as error:
        is_long = "field limit" in str(error)
        problem = "a cell is too long, or a quotation mark is missing" if is_long else error
        raise InvalidInputError(FIELD, f"{name} is not a valid CSV file: {problem}.") from None
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    header = [composed(column.strip()) for column in lines[0]] if lines else []
    while header and not header[-1]:
        header.pop()
    _check_names(header)
    rows = []
    for number, line in enumerate(lines[1:], 1):
        if any(cell.strip() for cell in line[len(header) :]):
            raise InvalidInputError(
                FIELD,
                f"Row {number} of {name} has more cells than the header.",
                "Put quotation marks around values that contain a separator.",
            )
        cells = [*line[: len(header)], *[""] * (len(header) - len(line))]
        rows.append(dict(zip(header, map(_cell, cells), strict=True)))
    return _check_rows(rows)


def _lines(text: str) -> list[list[str]]:
    """Return the cells of each line.

    Excel writes ``sep=;`` in a first line of its own. Otherwise, the separator is the one that
    gives the first lines the same number of cells, and the most; else the most frequent one.

    Raises
    ------
    csv.Error
    """
    first, _, rest = text.lstrip("\r\n").partition("\n")
    named = first.strip().removeprefix("sep=")
    if first.startswith("sep=") and named in [*_DELIMITERS]:
        return _split(rest, named)
    start = "\n".join(text.splitlines()[:SAMPLE_LINES])

    def fitness(delimiter: str) -> tuple[int, int]:
        widths = [len(line) for line in _split(start, delimiter, strict=False) if any(line)]
        return widths[0] if len(set(widths)) == 1 else 1, start.count(delimiter)

    return _split(text, max(_DELIMITERS, key=fitness))


def _split(text: str, delimiter: str, *, strict: bool = True) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict))


def _check_names(names: list[str]) -> None:
    for number, name in enumerate(names, 1):
        if not name:
            raise InvalidInputError(FIELD, f"Column {number} of the table has no name.")
        if name in names[: number - 1]:
            raise InvalidInputError(FIELD, f"The table has two columns “{name}”.")


def _check_rows(rows: Table) -> Table:
    if not rows:
        raise InvalidInputError(FIELD, "The table has no rows.", "Add one below the header.")
    if len(rows) > MAX_ROWS:
        raise _too_long(len(rows))
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def _too_long(count: int) -> InvalidInputError:
    return InvalidInputError(
        FIELD, f"The table has {count:,} rows; at most {MAX_ROWS:,} are supported."
    )


def _cell(value: Any) -> Any:
    """Return a plain value; None for an empty cell."""
    media_id = getattr(getattr(value, "media", value), "media_id", None)
    value = media_id if isinstance(media_id, str) else plain_values.to_plain(value)
    if plain_values.is_missing(value):
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list | tuple):
        return [_cell(each) for each in value]
    if isinstance(value, float) and math.isinf(value):
        raise InvalidInputError(FIELD, "A cell of the table is infinite.", "Give it a number.")
    text = plain_values.to_text(value)
    if text is None:
        raise InvalidInputError(
            FIELD,
            f"A cell of the table is of the type {type(value).__name__}.",
            "Use text or a number.",
        )
    return value if isinstance(value, bool | int | float) else text
