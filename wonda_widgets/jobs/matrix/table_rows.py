"""Convert the rows of a table by what their columns are: placeholders, parameters, model, …."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInputError
from ...models import parameters
from ...utils import suggestions
from . import plan_arguments
from .combining import TableRow
from .tables import FIELD, MODEL, REFERENCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...models import GenerationModel
    from .tables import Table

_ID_SEPARATORS = re.compile(r"[\s,;]+")


def to_rows(
    table: Table,
    placeholders: Sequence[str],
    models: Sequence[str],
    offered: Mapping[str, GenerationModel],
) -> list[TableRow]:
    """Convert the rows of a table.

    Parameters
    ----------
    table : list of dict
        See `tables.read_table`.
    placeholders : sequence of str
        Those of all templates. A column of that name has their values.
    models : sequence of str
        The models of rows that name none.
    offered : dict of str to GenerationModel

    Raises
    ------
    InvalidInputError
        If a column is unknown, or a value is missing or invalid; the message names both.
    """
    chosen = [
        _model_of(number, cells, placeholders, offered) for number, cells in enumerate(table, 1)
    ]
    used = [offered[key] for key in dict.fromkeys([*models, *filter(None, chosen)])]
    _check_columns(table, placeholders, used)
    fields = {
        model.key: {field.name: field for field in parameters.form_fields(model.params)}
        for model in used
    }
    rows = []
    for number, (cells, model) in enumerate(zip(table, chosen, strict=True), 1):
        own = [
            (offered[key].name, fields[offered[key].key]) for key in ([model] if model else models)
        ]
        rows.append(_to_row(number, cells, model, placeholders, own))
    return rows


def _model_of(
    number: int,
    cells: Mapping[str, Any],
    placeholders: Sequence[str],
    offered: Mapping[str, GenerationModel],
) -> str | None:
    """Return the model that a row names."""
    model = None if MODEL in placeholders else cells.get(MODEL)
    if model is None or (isinstance(model, str) and model in offered):
        return model
    raise InvalidInputError(
        FIELD,
        f"Row {number}, column “{MODEL}”: there is no model {model!r}.",
        f"Available models: {', '.join(offered)}.",
    )


def _to_row(
    number: int,
    cells: Mapping[str, Any],
    model: str | None,
    placeholders: Sequence[str],
    models: Sequence[tuple[str, Mapping[str, parameters.Field]]],
) -> TableRow:
    """Convert a row; `models` are the names and fields of the models that it is for."""
    values, params = {}, {}
    references: tuple[str, ...] = ()
    for column, cell in cells.items():
        if column in placeholders:
            if cell is None:
                raise InvalidInputError(
                    FIELD,
                    f"Row {number} has no value in the column “{column}”.",
                    "Fill in the cell, or remove the row.",
                )
            if isinstance(cell, list):
                raise InvalidInputError(
                    FIELD,
                    f"Row {number}, column “{column}”: a placeholder needs one value, not a list.",
                    "Write a row for each value.",
                )
            values[column] = str(cell)
        elif column == REFERENCES and cell is not None:
            listed = cell if isinstance(cell, list) else _ID_SEPARATORS.split(str(cell))
            references = tuple(str(each) for each in listed if each)
        elif column not in {MODEL, REFERENCES} and cell is not None:
            params[column] = _param(number, column, cell, models)
    return TableRow(values, params, model, references)


def _param(
    number: int,
    name: str,
    cell: Any,
    models: Sequence[tuple[str, Mapping[str, parameters.Field]]],
) -> Any:
    """Return a parameter's value with the type that the models' forms have for it."""
    value = cell
    for model, fields in models:
        if name not in fields:
            continue
        value = _convert(fields[name], cell)
        problem = parameters.validation_message(fields[name], value)
        if problem:
            raise InvalidInputError(FIELD, f"Row {number}, column “{name}”: {model}: {problem}")
    return value


def _convert(field: parameters.Field, cell: Any) -> Any:
    """Return a cell with the type of a field; pandas stores whole numbers with gaps as floats."""
    if isinstance(cell, str):
        return parameters.from_text(field, cell)
    return int(cell) if isinstance(cell, float) and field.whole and cell.is_integer() else cell


def _check_columns(
    table: Table, placeholders: Sequence[str], models: Sequence[GenerationModel]
) -> None:
    for column in table[0] if table else ():
        is_param = any(plan_arguments.accepts(model, column) for model in models)
        if column in {MODEL, REFERENCES, *placeholders} or is_param:
            continue
        params = [field.name for m in models for field in parameters.form_fields(m.params)]
        raise InvalidInputError(
            FIELD,
            f"The table has a column “{column}”, but no template has {{{column}}}, and no chosen "
            "model has such a parameter.",
            suggestions.did_you_mean(column, [*placeholders, *params, MODEL, REFERENCES])
            or "Rename or remove the column.",
        )
