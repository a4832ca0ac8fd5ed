"""`TableField`: a table of values for the lab's form, from code or from a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ...jobs.matrix import tables
from ...utils import event_loop
from .._shared.panel import Panel
from .._shared.permissions import Permission, requires

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN_ROWS = 5
MAX_CELL_LENGTH = 80  # characters shown of a cell and of a file's name


class TableField(Panel):
    """Base of the form whose combinations can come from the rows of a table."""

    table: Any = traitlets.Dict().tag(sync=True)
    """What the page shows of the table: ``name``, ``columns``, ``count`` of rows, and the first
    ``rows``; empty without a table."""
    _table: tables.Table = []  # noqa: RUF012 - replaced, never changed

    def _set_table(self, table: tables.Table, name: str = "Table") -> None:
        self._table = table
        self.table = shown_table(table, name)

    @requires(Permission.GENERATE)
    def _on_table_file(self, content: Mapping[str, Any]) -> None:
        """Read a CSV file or pasted rows; the former table is kept if they cannot be read."""
        name = str(content.get("name") or "The file")[:MAX_CELL_LENGTH]
        buffers = content.get("buffers") or [b""]
        self._start(self._read_table, name, bytes(buffers[0]))

    async def _read_table(self, name: str, content: bytes) -> None:
        table = await event_loop.to_thread(tables.read_csv, content, name)
        self.error = None
        self._set_table(table, name)

    @requires(Permission.GENERATE)
    def _on_remove_table(self, _content: object) -> None:
        self._set_table([])


def shown_table(table: tables.Table, name: str = "Table") -> dict[str, Any]:
    """Return what the page shows of a table."""
    if not table:
        return {}
    columns = list(table[0])
    return {
        "name": name,
        "columns": columns,
        "count": len(table),
        "rows": [
            [
                "" if row[column] is None else str(row[column])[:MAX_CELL_LENGTH]
                for column in columns
            ]
            for row in table[:SHOWN_ROWS]
        ],
    }
