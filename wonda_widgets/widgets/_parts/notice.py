"""`Notice`: the banner that says that this is the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._shared.panel import Panel, css, esm

if TYPE_CHECKING:
    from ...client.wonda_client import AsyncWonda


class Notice(Panel):
    """Says once, for all panels under it, that nothing here is real."""

    _esm = esm("notice")
    _css = css()

    def __init__(self, wonda: AsyncWonda) -> None:
        super().__init__(wonda)
