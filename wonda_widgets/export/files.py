"""Images written down: as a table, as a page, or as a folder of originals with a manifest."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError, WondaError
from ..journal.images import flat_row
from ..utils import event_loop, new_files

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..journal.images import GeneratedImage

MANIFEST = "manifest.json"
MAX_CONCURRENT = 3  # originals that are fetched at a time
CSV = "utf-8-sig"  # with a mark, without which Excel reads another encoding
OTHER_PLACE = "Name another file (.csv, .json, .html) or folder."

#: Where a spreadsheet may begin a cell, whatever it was told separates them.
_CELL = r"\A|[,;|\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]"
#: What it may leave out before a formula: blanks, quotes, signs that show nothing.
_UNSEEN = r"\x00-\x08\x0e-\x1b\x1f\u00ad\u2000-\u200f\u202a-\u202f\u205f-\u2064\ufeff"
_SKIPPED = rf"[{_UNSEEN} \"\u00a0\u1680\u3000]"
#: What a formula begins with, also as wide, small and raised signs.
_SIGN = "[=+\\-@＝﹦⁼₌＋﹢⁺₊－﹣⁻₋−＠﹫]"
#: Separators that also stand in ordinary text. Only what can be a formula is changed behind
#: one: "a - b" is text (a sign and a blank), so are "-5" (a number) and "@name" (a mention).
_SOFT = "[ :^\u00a0\u3000：；，،؛、]"
#: "a = b" is text between blanks only: behind another separator "= b" is a formula.
_WORDS = (
    r"[+-]?[0-9]+([.,:][0-9]+)*%?(?![^\s:;,)])|@[\w.]+(?![^\s.,:;!?)])"
    rf"|[+-](?!\S)|(?<=\s){_SIGN}+(?!\S)"
)
FORMULA = re.compile(
    rf"({_CELL})(?={_SKIPPED}*{_SIGN})|({_SOFT})(?=[{_UNSEEN}\"]*{_SIGN})(?!{_WORDS})"
)
CONTROLS = ("\t", "\r", "\n", "\0")  # some read past these, too
NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?")


async def export(
    images: list[GeneratedImage],
    path: str | Path,
    original: Callable[[GeneratedImage], Awaitable[bytes]],
    storyboard: Callable[[list[GeneratedImage], Path], Awaitable[Path]],
) -> Path:
    """Write images to a file, by its suffix, or to a folder; see `AsyncHistory.export`."""
    if not images:
        raise InvalidInputError("images", "There is nothing to export.", "Choose some images.")
    target = await event_loop.to_thread(check_path, path)
    try:
        match target.suffix.lower():
            case ".csv":
                return await event_loop.to_thread(write, target, _csv(images).encode(CSV))
            case ".json":
                rows = [image.raw_row() for image in images]
                return await event_loop.to_thread(write, target, _json(rows))
            case ".html":
                return await storyboard(images, target)
        return await _folder(images, target, original)
    except OSError as error:
        raise write_error(target, error) from None


def write_error(target: Path, error: OSError) -> InvalidInputError:
    """Say that a file or folder cannot be written."""
    reason = error.strerror or error
    return InvalidInputError("path", f"{target} cannot be written: {reason}.", OTHER_PLACE)


def check_path(path: str | Path) -> Path:
    """What was given as a path, as one.

    Raises
    ------
    InvalidInputError
        If it is none.
    """
    try:
        target = Path(path).expanduser()
        with contextlib.suppress(OSError):  # which says more when it is written
            target.lstat()
    except (TypeError, ValueError, RuntimeError):  # a number, a null, an unknown person's home
        raise InvalidInputError(
            "path",
            f"{str(path)!r} is no path that can be written.",
            OTHER_PLACE,
        ) from None
    return target


async def _folder(
    images: list[GeneratedImage],
    folder: Path,
    original: Callable[[GeneratedImage], Awaitable[bytes]],
) -> Path:
    await event_loop.to_thread(lambda: folder.mkdir(parents=True, exist_ok=True))
    turn = asyncio.Semaphore(MAX_CONCURRENT)
    files = new_files.FileBatch()

    async def one(image: GeneratedImage) -> dict[str, Any]:
        async with turn:
            made: dict[str, str | None] = {"file": None, "error": None}
            try:
                data = await original(image)
            except WondaError as error:  # the others are exported all the same
                made["error"] = error.message
            else:
                file = await event_loop.to_thread(_write_original, files, folder, image, data)
                made["file"] = file.name
            return flat_row({}, image.raw_row().items(), made)

    work = [asyncio.create_task(one(image)) for image in images]
    try:
        rows = await asyncio.gather(*work)
        await event_loop.to_thread(write, folder / MANIFEST, _json(rows))
    except BaseException:
        for task in work:
            task.cancel()
        await event_loop.to_thread(files.discard)  # else the next try would write them once more
        raise
    return folder


def _write_original(
    files: new_files.FileBatch, folder: Path, image: GeneratedImage, data: bytes
) -> Path:
    from ..imaging import save_original  # noqa: PLC0415 - needed only now

    texts = save_original.texts(image.request, image.job_id, image.media.media_id)
    name = save_original.file_name(image.prompt, image.job_id, save_original.kind(data))
    return files.write(folder / name, save_original.with_texts(data, texts))


def write(path: Path, data: bytes) -> Path:
    """Write a file; one that is there already stays, and the new one gets a number.

    Raises
    ------
    OSError
        If it cannot be written; then nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return new_files.write(path / path.name if path.is_dir() else path, data)


def _json(rows: list[dict[str, Any]]) -> bytes:
    return (json.dumps(rows, ensure_ascii=False, indent=2, default=str) + "\n").encode()


def _csv(images: list[GeneratedImage]) -> str:
    rows = [image.raw_row() for image in images]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(_harmless(name) for name in columns)  # people name placeholders
    writer.writerows([_harmless(row.get(name)) for name in columns] for row in rows)
    return buffer.getvalue()


def _harmless(cell: Any) -> Any:
    """A cell of which a spreadsheet makes no formula: each beginning of one has a ``'`` before it.

    Quotes are not enough. A spreadsheet that separates cells by another sign than the
    comma makes several of one, and the second may be a formula.
    """
    if cell is None or (isinstance(cell, int | float) and math.isfinite(cell)):
        return cell
    text = str(cell)
    if NUMBER.fullmatch(text):
        return text
    text = FORMULA.sub(r"\g<0>'", text)
    return f"'{text}" if text.startswith(CONTROLS) else text
