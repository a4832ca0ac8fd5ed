"""Snippets: named pieces of prompts, ``{style:noir}``, in the journal."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..http.responses import replace_lone_surrogates
from ..jobs.core import on_package_loop
from ..utils import event_loop, new_files, paths, suggestions
from ..utils.names import composed, is_name
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from ..jobs.core import Core
    from ..journal.snippets import Snippet

MAX_NAME_LENGTH = 60  # characters
MAX_TEXT_LENGTH = 10_000
MAX_FILE_BYTES = 5_000_000
MAX_SNIPPETS = 2_000  # in a file
_IN_PROMPT = re.compile(r"(?<!\{)(\{+)([^{}:|]+:[^{}:|]+)(\}+)")
_IN_TEMPLATE = re.compile(r"\{\{|\}\}|\{([^{}:|]+:[^{}:|]+)\}")


class AsyncSnippets:
    """Named pieces of prompts, which all kernels on the journal share.

    A prompt uses one as ``{style:noir}``.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    @on_package_loop
    async def all(self) -> dict[str, str]:
        """Return the text of each snippet by its name, sorted."""
        return dict(await self._all())

    async def _all(self) -> list[Snippet]:
        self._core.transport.check_open()
        return await asyncio.wrap_future(self._core.journal.snippets.all())

    @on_package_loop
    async def save(self, name: str, text: str) -> None:
        """Add a snippet, or replace the text of an existing one.

        Parameters
        ----------
        name : str
            With a kind in front: ``"style:noir"``.
        text : str
            At most 10,000 characters.

        Raises
        ------
        InvalidInputError
            If the name or the text is invalid.

        Examples
        --------
        >>> wonda.snippets.save("style:noir", "high contrast, hard shadows, black and white")
        """
        await self._save({name: text})

    async def _save(self, snippets: Mapping[str, str]) -> None:
        checked = dict(check(name, text) for name, text in snippets.items())
        self._core.transport.check_open()
        redact = self._core.transport.redact
        clean = {
            name: redact(text.encode("utf-8", "replace")).decode() for name, text in checked.items()
        }
        await asyncio.wrap_future(self._core.journal.snippets.save(clean))

    @on_package_loop
    async def remove(self, name: str) -> None:
        """Remove a snippet, if it exists."""
        self._core.transport.check_open()
        await asyncio.wrap_future(self._core.journal.snippets.remove(_normalized(str(name))))

    @on_package_loop
    async def fill(self, prompt: str) -> str:
        """Replace each ``{style:noir}`` in a prompt by the snippet's text.

        ``{{style:noir}}`` becomes ``{style:noir}``; other braces are left unchanged. A snippet
        cannot contain another one.

        Raises
        ------
        InvalidInputError
            If there is no snippet of that name.
        """
        return fill(prompt, await self.all() if names_in(prompt) else {})

    @on_package_loop
    async def fill_template(self, template: str) -> str:
        """Replace each ``{style:noir}`` in a template of `images.matrix`, and nothing else.

        Raises
        ------
        InvalidInputError
            If there is no snippet of that name.
        """
        return fill_template(template, await self.all()) if names_in(template) else template

    @on_package_loop
    async def export(self, path: str | os.PathLike[str]) -> Path:
        """Write all snippets to a JSON file: an object with their names and texts.

        An existing file is kept.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        InvalidInputError
            If the file cannot be written.
        """
        target = paths.expand_user(path, "path")
        if not target.name or await event_loop.to_thread(target.is_dir):
            raise InvalidInputError(
                "path", f"{target} is a folder.", "Add the name of a file: snippets.json"
            )
        text = json.dumps(await self.all(), ensure_ascii=False, indent=2)
        try:
            return await event_loop.to_thread(new_files.write, target, (text + "\n").encode())
        except OSError as error:
            problem = error.strerror or error
            raise InvalidInputError("path", f"{target} cannot be written: {problem}.") from None

    @on_package_loop
    async def load(self, path: str | os.PathLike[str]) -> int:
        """Add the snippets of a JSON file, and return their number; equal names are replaced.

        Raises
        ------
        InvalidInputError
            If the file cannot be read or has no valid snippets; then, none is added.
        """
        source = paths.expand_user(path, "path")
        try:
            data = await event_loop.to_thread(_read, source)
        except OSError as error:
            problem = error.strerror or error
            raise InvalidInputError("path", f"{source} cannot be read: {problem}.") from None
        found = parse(data, source.name)
        await self._save(found)
        return len(found)


class Snippets(Blocking[AsyncSnippets]):
    """Blocking interface to snippets."""

    all = blocking(AsyncSnippets.all)
    save = blocking(AsyncSnippets.save)
    remove = blocking(AsyncSnippets.remove)
    fill = blocking(AsyncSnippets.fill)
    fill_template = blocking(AsyncSnippets.fill_template)
    export = blocking(AsyncSnippets.export)
    load = blocking(AsyncSnippets.load)


def names_in(prompt: str) -> list[str]:
    """Return the names of the snippets that a prompt or template uses, each once."""
    found = (_normalized(match.group(1) or "") for match in _IN_TEMPLATE.finditer(prompt))
    return list(dict.fromkeys(name for name in found if is_snippet_name(name)))


def fill(prompt: str, snippets: Mapping[str, str]) -> str:
    """Replace the snippets of a prompt; see `AsyncSnippets.fill`."""

    def text(match: re.Match[str]) -> str:
        braces = len(match.group(1)), len(match.group(3))
        if not is_snippet_name(match.group(2)):
            return match.group()
        if braces == (1, 1):
            return text_of(match.group(2), snippets)
        return match.group()[1:-1] if min(braces) > 1 else match.group()

    return _IN_PROMPT.sub(text, prompt)


def fill_template(template: str, snippets: Mapping[str, str]) -> str:
    """Replace the snippets of a template; see `AsyncSnippets.fill_template`."""

    def text(match: re.Match[str]) -> str:
        name = match.group(1) or ""
        return text_of(name, snippets) if is_snippet_name(name) else match.group()

    return _IN_TEMPLATE.sub(text, template)


def literal(prompt: str) -> str:
    """Return what `fill` turns into a given prompt."""

    def doubled(match: re.Match[str]) -> str:
        one_side = (len(match.group(1)) == 1) != (len(match.group(3)) == 1)
        is_name = is_snippet_name(match.group(2))
        return f"{{{match.group()}}}" if is_name and not one_side else match.group()

    return _IN_PROMPT.sub(doubled, prompt)


def text_of(name: str, snippets: Mapping[str, str]) -> str:
    """Return the text of a snippet.

    Raises
    ------
    InvalidInputError
        If there is none of that name.
    """
    clean = _normalized(name)
    if clean not in snippets:
        raise InvalidInputError(
            "prompt",
            f"There is no snippet {{{clean}}}.",
            suggestions.did_you_mean(clean, snippets)
            or f"Save it with ww.Snippets(), or write {{{{{clean}}}}} to send {{{clean}}}.",
        )
    return snippets[clean]


def check(name: Any, text: Any) -> tuple[str, str]:
    """Return name and text of a snippet without superfluous spaces.

    Raises
    ------
    InvalidInputError
    """
    clean = _normalized(name) if isinstance(name, str) else ""
    if not is_snippet_name(clean) or len(clean) > MAX_NAME_LENGTH:
        raise InvalidInputError(
            "name",
            f"“{str(name)[:40]}” is not the name of a snippet.",
            "Write a category and a name, such as style:noir.",
        )
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT_LENGTH:
        raise InvalidInputError(
            "text",
            f"The snippet {clean} has no text."
            if not isinstance(text, str) or not text.strip()
            else f"The snippet {clean} has more than {MAX_TEXT_LENGTH:,} characters.",
        )
    if text != replace_lone_surrogates(text):
        raise InvalidInputError(
            "text",
            f"The snippet {clean} has an invalid character (a lone surrogate).",
            "Type it again.",
        )
    for inner in names_in(text):
        raise InvalidInputError(
            "text",
            f"The snippet {clean} contains the snippet {{{inner}}}.",
            "A snippet cannot contain another one: write out its text.",
        )
    return clean, text.strip()


def parse(data: bytes, name: str) -> dict[str, str]:
    """Read the snippets of a JSON file.

    Raises
    ------
    InvalidInputError
        If it has no valid snippets.
    """
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInputError(
            "path", f"{name} is larger than {MAX_FILE_BYTES // 1_000_000} MB.", "Split the file."
        )
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping) or not found:
        raise InvalidInputError(
            "path", f"{name} has no snippets.", 'It must be JSON: {"style:noir": "text", …}.'
        )
    if len(found) > MAX_SNIPPETS:
        raise InvalidInputError(
            "path", f"{name} has more than {MAX_SNIPPETS:,} snippets.", "Split the file."
        )
    return dict(check(each, text) for each, text in found.items())


def _read(source: Any) -> bytes:
    with source.open("rb") as file:
        content: bytes = file.read(MAX_FILE_BYTES + 1)
        return content


def _normalized(name: str) -> str:
    """Return a name without spaces around its parts, and with composed characters."""
    return ":".join(part.strip() for part in composed(name).split(":"))


def is_snippet_name(text: str) -> bool:
    """Return whether a text is a category and a name, such as ``style:noir``."""
    parts = _normalized(text).split(":")
    return len(parts) == 2 and all(map(is_name, parts))  # noqa: PLR2004 - see above
