"""The templates of HTML pages; text is escaped, and a missing value is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template

STATIC = Path(__file__).parent / "static"


def template(name: str, **filters: Callable[[Any], str]) -> Template:
    """Load a template from `STATIC`, for instance ``"grid.html.j2"``."""
    import jinja2  # noqa: PLC0415 - loaded only if it is used

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(STATIC),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters)
    return environment.get_template(name)
