"""Read, create and export notebooks.

nbformat and nbconvert take two seconds to import, so only the workers that use them do so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def new(cells: list[str]) -> Any:
    """Create a notebook of code cells."""
    from nbformat import v4

    return v4.new_notebook(cells=[v4.new_code_cell(source) for source in cells])


def read(path: Path) -> Any:
    """Read a notebook file."""
    import nbformat

    return nbformat.read(path, as_version=4)


def text(notebook: Any) -> str:
    """Return the content of the notebook's file."""
    import nbformat

    return nbformat.writes(notebook)


def html(notebook: Any) -> str:
    """Export a notebook to HTML."""
    from nbconvert import HTMLExporter

    return HTMLExporter().from_notebook_node(notebook)[0]
