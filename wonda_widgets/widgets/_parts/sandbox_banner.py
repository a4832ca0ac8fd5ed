"""`SandboxBanner`: the sandbox banner of a composite panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._shared.panel import Panel, css, esm

if TYPE_CHECKING:
    from ...client.wonda_client import AsyncWonda


class SandboxBanner(Panel):
    """A sandbox banner for all panels below it."""

    _esm = esm("sandbox_banner")
    _css = css()

    def __init__(self, wonda: AsyncWonda) -> None:
        super().__init__(wonda)
