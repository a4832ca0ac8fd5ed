"""Export images as a table, a storyboard page, or a folder of originals with a manifest."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InvalidInputError, WondaError
from ..utils import event_loop, new_files, paths
from ..utils.table_rows import flat_row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ..journal.generated_image import GeneratedImage

MANIFEST = "manifest.json"
MAX_CONCURRENT = 3  # downloads at the same time
CSV_ENCODING = "utf-8-sig"  # Excel recognizes UTF-8 only with a byte order mark
PATH_HINT = "Choose another file (.csv, .json, .html) or folder."

#: Where a spreadsheet may start a cell, whichever separator it is set to.
_CELL_START = r"\A|[,;|\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]"
#: Characters that a spreadsheet may skip before a formula: spaces, quotes, invisible characters.
_INVISIBLE = r"\x00-\x08\x0e-\x1b\x1f\u00ad\u2000-\u200f\u202a-\u202f\u205f-\u2064\ufeff"
_SKIPPED = rf"[{_INVISIBLE} \"\u00a0\u1680\u3000]"
#: Characters that start a formula, including full-width, small and superscript forms.
_FORMULA_SIGN = "[=+\\-@＝﹦⁼₌＋﹢⁺₊－﹣⁻₋−＠﹫]"
#: Separators that are also common in plain text. After these, plain text is not changed:
#: "a - b" (a sign and a space), "-5" (a number) and "@name" (a mention).
_TEXT_SEPARATOR = "[ :^\u00a0\u3000：；，،؛、]"
#: "a = b" is plain text only between spaces: after another separator, "= b" is a formula.
_PLAIN_TEXT = (
    r"[+-]?[0-9]+([.,:][0-9]+)*%?(?![^\s:;,)])|@[\w.]+(?![^\s.,:;!?)])"
    rf"|[+-](?!\S)|(?<=\s){_FORMULA_SIGN}+(?!\S)"
)
FORMULA = re.compile(
    rf"({_CELL_START})(?={_SKIPPED}*{_FORMULA_SIGN})"
    rf"|({_TEXT_SEPARATOR})(?=[{_INVISIBLE}\"]*{_FORMULA_SIGN})(?!{_PLAIN_TEXT})"
)
CONTROL_CHARACTERS = ("\t", "\r", "\n", "\0")  # some spreadsheets skip these as well
NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?")


class Exported(NamedTuple):
    """What was written, and why some images could not be downloaded."""

    path: Path
    problems: Sequence[str] = ()


async def export(
    images: list[GeneratedImage],
    path: str | Path,
    original: Callable[[GeneratedImage], Awaitable[bytes]],
    save_video: Callable[[GeneratedImage, Path], Awaitable[Path]],
    storyboard: Callable[[list[GeneratedImage], Path], Awaitable[Path]],
    *,
    redact: Callable[[str], str],
) -> Exported:
    """Write images to a file of the given suffix, or to a folder; see `AsyncHistory.export`."""
    if not images:
        raise InvalidInputError("images", "There are no images to export.", "Select some images.")
    target = await event_loop.to_thread(check_path, path)
    try:
        match target.suffix.lower():
            case ".csv":
                data = redact(_csv(images)).encode(CSV_ENCODING)
                return Exported(await event_loop.to_thread(write, target, data))
            case ".json":
                rows = [image.raw_row() for image in images]
                content = redact(_json(rows)).encode()
                return Exported(await event_loop.to_thread(write, target, content))
            case ".html":
                return Exported(await storyboard(images, target))
        return await _folder(images, target, original, save_video, redact)
    except OSError as error:
        raise write_error(target, error) from None


def write_error(target: Path, error: OSError, hint: str = PATH_HINT) -> InvalidInputError:
    """Create the error for a file or folder that cannot be written."""
    reason = error.strerror or error
    return InvalidInputError("path", f"{target} cannot be written: {reason}.", hint)


def check_path(path: str | Path) -> Path:
    """Expand a leading ``~``, and check that the path is valid.

    Raises
    ------
    InvalidInputError
        If the path is not valid.
    """
    try:
        target = Path(path).expanduser()
    except (TypeError, ValueError, RuntimeError):  # a number, a null byte, an unknown user's home
        raise InvalidInputError("path", f"{str(path)!r} is not a valid path.", PATH_HINT) from None
    paths.require_possible_length(target, "path")
    return target


async def _folder(
    images: list[GeneratedImage],
    folder: Path,
    original: Callable[[GeneratedImage], Awaitable[bytes]],
    save_video: Callable[[GeneratedImage, Path], Awaitable[Path]],
    redact: Callable[[str], str],
) -> Exported:
    await event_loop.to_thread(lambda: folder.mkdir(parents=True, exist_ok=True))
    slots = asyncio.Semaphore(MAX_CONCURRENT)
    files = new_files.FileBatch()

    async def export_one(image: GeneratedImage) -> dict[str, Any]:
        async with slots:
            result: dict[str, str | None] = {"file": None, "error": None}
            try:
                if image.media.is_video:
                    file = await save_video(image, folder / redact(_video_name(image)))
                    files.add(file)
                else:
                    data = await original(image)
                    file = await event_loop.to_thread(
                        _write_original, files, folder, image, data, redact
                    )
                result["file"] = file.name
            except InvalidInputError:  # nothing can be written
                raise
            except WondaError as error:  # the manifest reports it; the other ones are exported
                result["error"] = error.message
            return flat_row({}, image.raw_row().items(), result)

    tasks = [asyncio.create_task(export_one(image)) for image in images]
    try:
        rows = await asyncio.gather(*tasks)
        await event_loop.to_thread(write, folder / MANIFEST, redact(_json(rows)).encode())
    except BaseException:
        for task in tasks:
            task.cancel()
        await event_loop.to_thread(files.discard)  # so that a retry does not duplicate them
        raise
    return Exported(folder, [row["error"] for row in rows if row["error"]])


def _video_name(image: GeneratedImage) -> str:
    from ..imaging import save_original  # noqa: PLC0415 - loaded only if it is used

    return save_original.file_name(image.prompt, image.job_id, image.media.mime_type or "")


def _write_original(
    files: new_files.FileBatch,
    folder: Path,
    image: GeneratedImage,
    data: bytes,
    redact: Callable[[str], str],
) -> Path:
    from ..imaging import save_original  # noqa: PLC0415 - loaded only if it is used

    texts = save_original.metadata(image.request, image.job_id, image.media.media_id)
    name = save_original.file_name(image.prompt, image.job_id, save_original.detect_format(data))
    texts = {label: redact(text) for label, text in texts.items()}
    return files.write(folder / redact(name), save_original.with_metadata(data, texts))


def write(path: Path, data: bytes) -> Path:
    """Write a new file; add a number to the name if it is taken.

    Raises
    ------
    OSError
        If the file cannot be written. No partial file is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return new_files.write(path / path.name if path.is_dir() else path, data)


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=2, default=str) + "\n"


def _csv(images: list[GeneratedImage]) -> str:
    rows = [image.raw_row() for image in images]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(_escape_formulas(name) for name in columns)  # placeholder names are user input
    writer.writerows([_escape_formulas(row.get(name)) for name in columns] for row in rows)
    return buffer.getvalue()


def _escape_formulas(cell: Any) -> Any:
    """Insert a ``'`` wherever a spreadsheet could recognize the start of a formula.

    Quoting the cell is not enough: a spreadsheet with a separator other than the comma splits the
    cell, and the second part may be a formula.
    """
    if cell is None or (isinstance(cell, int | float) and math.isfinite(cell)):
        return cell
    text = str(cell)
    if NUMBER.fullmatch(text):
        return text
    text = FORMULA.sub(r"\g<0>'", text)
    return f"'{text}" if text.startswith(CONTROL_CHARACTERS) else text
