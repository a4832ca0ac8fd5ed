"""Pictures written down: as a table, or as a folder of originals with a manifest."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import runtime
from .errors import InvalidInputError, WondaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .pictures import Picture

MANIFEST = "manifest.json"
AT_ONCE = 3  # originals that are fetched at a time


async def export(
    pictures: list[Picture],
    path: str | Path,
    original: Callable[[Picture], Awaitable[bytes]],
) -> Path:
    """Write pictures to a ``.csv`` or ``.json`` file or to a folder; see `AsyncHistory.export`."""
    if not pictures:
        raise InvalidInputError("pictures", "There is nothing to export.", "Choose some pictures.")
    target = await runtime.in_thread(lambda: Path(path).expanduser())
    try:
        if target.suffix.lower() == ".csv":
            return await runtime.in_thread(_write, target, _csv(pictures))
        if target.suffix.lower() == ".json":
            return await runtime.in_thread(_write, target, _json([p.row() for p in pictures]))
        return await _folder(pictures, target, original)
    except OSError as error:
        raise InvalidInputError(
            "path",
            f"{target} cannot be written: {error.strerror or error}.",
            "Name another file (.csv, .json) or folder.",
        ) from None


async def _folder(
    pictures: list[Picture],
    folder: Path,
    original: Callable[[Picture], Awaitable[bytes]],
) -> Path:
    await runtime.in_thread(lambda: folder.mkdir(parents=True, exist_ok=True))
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(picture: Picture) -> dict[str, Any]:
        async with turn:
            row = picture.row()
            try:
                data = await original(picture)
            except WondaError as error:  # the others are exported all the same
                return {**row, "file": None, "error": error.message}
            written = await runtime.in_thread(_write_original, folder, picture, data)
            return {**row, "file": written.name}

    rows = await asyncio.gather(*(one(picture) for picture in pictures))
    await runtime.in_thread(_write, folder / MANIFEST, _json(rows))
    return folder


def _write_original(folder: Path, picture: Picture, data: bytes) -> Path:
    from .imaging import original  # noqa: PLC0415 - needed only now

    name = original.file_name(picture.prompt, picture.job_id, original.kind(data))
    return original.write(folder, name, original.with_texts(data, texts(picture)))


def texts(picture: Picture) -> dict[str, str]:
    """How a picture was made, as a file's metadata hold it."""
    found = {
        "prompt": picture.prompt,
        "model": picture.model,
        "parameters": json.dumps(picture.params, ensure_ascii=False) if picture.params else "",
        "job id": picture.job_id,
        "media id": picture.media.media_id or "",
        "Software": "wonda_widgets",
    }
    return {name: text for name, text in found.items() if text}


def _write(path: Path, text: str) -> Path:
    from .imaging import original  # noqa: PLC0415 - needed only now

    path.parent.mkdir(parents=True, exist_ok=True)
    return original.write(path, path.name, text.encode())


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=2, default=str) + "\n"


def _csv(pictures: list[Picture]) -> str:
    rows = [picture.row() for picture in pictures]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
