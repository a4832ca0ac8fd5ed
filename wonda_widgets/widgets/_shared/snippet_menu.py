"""`SnippetMenu`: a form with a menu of snippets, which are inserted as ``{style:noir}``."""

from __future__ import annotations

from typing import Any

import traitlets

from .panel import Panel
from .permissions import open_to_all


class SnippetMenu(Panel):
    """Base of the forms in whose prompts snippets can be used."""

    snippets: Any = traitlets.Dict().tag(sync=True)
    """The text of each snippet in the journal, by name."""

    @open_to_all
    def _on_list_snippets(self, _content: object) -> None:
        """Read the snippets, which other panels and kernels may have changed."""
        self._start(self._load_snippets)

    async def _load_snippets(self) -> None:
        self.snippets = await self._client.snippets.all()
