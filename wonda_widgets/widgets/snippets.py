"""`Snippets`: edit the named pieces of prompts in the journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import traitlets

from ..api import snippets as api
from ..errors import InvalidInputError
from ..utils import event_loop
from ._shared.frontend import view
from ._shared.permissions import Permission, open_to_all, requires
from ._shared.snippet_menu import SnippetMenu

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..client.wonda_client import AsyncWonda, Wonda

FILE_NAME = "snippets.json"


class Snippets(SnippetMenu):
    """A panel to add, change and remove snippets, and to import and export them as JSON.

    A prompt in `PromptForm` and a template in `PromptLab` or `images.matrix` uses a snippet as
    ``{style:noir}``.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default, a client with the key from the environment, or a sandbox.

    Examples
    --------
    >>> ww.Snippets()
    """

    _panel = view("snippets")

    note = traitlets.Unicode("").tag(sync=True)
    """What was saved or imported last; empty for nothing."""

    def __init__(self, wonda: Wonda | AsyncWonda | None = None, **traits: Any) -> None:
        super().__init__(wonda, **traits)
        event_loop.call_soon(lambda: self._start(self._load_snippets))

    @requires(Permission.GENERATE)
    def _on_save(self, content: Mapping[str, Any]) -> None:
        self._start(self._save, content)

    async def _save(self, content: Mapping[str, Any]) -> None:
        name, text, former = (content.get(key) for key in ("name", "text", "former"))
        clean, _ = api.check(name, text)
        if clean != former and clean in await self._client.snippets.all():
            raise InvalidInputError(
                "name", f"There is already a snippet {clean}.", "Edit it, or choose another name."
            )
        await self._client.snippets.save(clean, str(text))
        if former and former != clean:
            await self._client.snippets.remove(former)
        self.error = None
        await self._load_snippets()
        self.note = f"{clean} is saved."
        self.send({"type": "saved", "view": content.get("view")})

    @requires(Permission.GENERATE)
    def _on_remove(self, content: Mapping[str, Any]) -> None:
        self._start(self._remove, str(content.get("name")))

    async def _remove(self, name: str) -> None:
        await self._client.snippets.remove(name)
        await self._load_snippets()

    @requires(Permission.GENERATE)
    def _on_load(self, content: Mapping[str, Any]) -> None:
        buffers = content.get("buffers") or [b""]
        self._start(self._load_file, str(content.get("name") or "The file")[:80], bytes(buffers[0]))

    async def _load_file(self, name: str, data: bytes) -> None:
        found = api.parse(data, name)
        for each, text in found.items():
            await self._client.snippets.save(each, text)
        self.error = None
        await self._load_snippets()
        self.note = f"{len(found)} snippet{'' if len(found) == 1 else 's'} imported from {name}."

    @open_to_all
    def _on_download(self, content: Mapping[str, Any]) -> None:
        self._start(self._download, content.get("view"))

    async def _download(self, view: Any) -> None:
        await self._load_snippets()
        data = json.dumps(self.snippets, ensure_ascii=False, indent=2).encode() + b"\n"
        message = {"type": "download", "view": view, "name": FILE_NAME, "mime": "application/json"}
        self.send(message, [data])
