"""Write a grid: images in labelled rows and columns, as one picture or one page.

    images ──> facts ──> `grid_axes` ──> previews ──> `imaging.grid_sheet` | static/grid.html.j2

It shows the words that differ, and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import statistics
from typing import TYPE_CHECKING

from ..errors import InvalidInputError, WondaError
from ..imaging import decode_threads, grid_sheet
from ..imaging.preview import create_preview
from ..models import facts
from ..utils import arguments, event_loop
from . import files, grid_axes, pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from ..imaging.grid_sheet import Sheet
    from ..imaging.preview import Preview
    from ..journal.generated_image import GeneratedImage
    from .grid_axes import GridTable

SUFFIXES = (".png", ".webp", ".html")
MAX_IMAGES = 2_000
MAX_CONCURRENT = 4  # downloads at the same time
MAX_PREVIEW_BYTES = 2_000_000  # of an image on a sheet
MAX_PAGE_BYTES = 8_000_000  # of all images on a page, unless each has only its minimum
MIN_PAGE_PREVIEW_BYTES, MAX_PAGE_PREVIEW_BYTES = 12_000, 250_000
SCALE = 2  # pixels of an image on a page for each pixel of its space, for sharp screens
NOT_AVAILABLE = "not available"


async def write(
    images: Sequence[GeneratedImage],
    path: str | Path,
    poster: Callable[[GeneratedImage], Awaitable[bytes]],
    *,
    rows: str | None,
    columns: str | None,
    width: int,
    redact: Callable[[str], str],
) -> Path:
    """Write a grid to a new file; see `AsyncHistory.grid`."""
    target = await event_loop.to_thread(files.check_path, path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInputError(
            "path",
            f"{target.name} is not a .png, .webp or .html file.",
            "Choose one of these formats.",
        )
    _check(images, width)
    all_facts = [
        {
            redact(name): redact(value)
            for name, value in facts.facts_of(each.values, each.model, each.params).items()
        }
        for each in images
    ]
    known = list(dict.fromkeys(name for each in all_facts for name in each))
    axes = grid_axes.choose_axes(known, facts.varying(all_facts), rows, columns)
    table = grid_axes.arrange(all_facts, *axes)
    most = max(len(members) for row in table.cells for members in row)
    layout = await event_loop.to_thread(
        grid_sheet.lay_out, *_labels(table), most, width, _common_ratio(images)
    )
    if suffix == ".webp" and max(layout.width, layout.height) > grid_sheet.MAX_WEBP_PIXELS:
        raise InvalidInputError(
            "width",
            f"The sheet would have {layout.width:,} × {layout.height:,} pixels, and a WebP file "
            f"can have up to {grid_sheet.MAX_WEBP_PIXELS:,} on a side.",
            "Write a .png file, or use a smaller width.",
        )
    work = _page if suffix == ".html" else _sheet
    try:
        data = await work(images, table, layout, poster, suffix)
        data = redact(data.decode()).encode() if suffix == ".html" else data
        return await event_loop.to_thread(files.write, target, data)
    except OSError as error:
        hint = "Choose another folder or file name."
        raise files.write_error(target, error, hint) from None


def _check(images: Sequence[GeneratedImage], width: object) -> None:
    if not images:
        raise InvalidInputError("images", "There are no images for a grid.", "Select some images.")
    if len(images) > MAX_IMAGES:
        raise InvalidInputError(
            "images",
            f"A grid can have up to {MAX_IMAGES:,} images, not {len(images):,}.",
            "Select some of them.",
        )
    pixels = arguments.positive_number(width)
    least, most = grid_sheet.MIN_WIDTH, grid_sheet.MAX_WIDTH
    if pixels is None or pixels != int(pixels) or not least <= pixels <= most:
        raise InvalidInputError(
            "width", f"width must be a whole number of pixels from {least} to {most:,}."
        )


def _labels(table: GridTable) -> tuple[list[str], list[str]]:
    """Return the labels of rows and columns; empty ones for a single row or column."""
    rows = [_label(table.row_fact, value) for value in table.rows]
    columns = [_label(table.column_fact, value) for value in table.columns]
    return rows if len(rows) > 1 else [""], columns if len(columns) > 1 else [""]


def _label(fact: str, value: str) -> str:
    """Return the label of a value on one line, without control characters."""
    text = facts.value_text(fact, value)
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _common_ratio(images: Sequence[GeneratedImage]) -> float:
    """Return width divided by height of the typical image."""
    sizes = [(each.media.width, each.media.height) for each in images]
    return statistics.median([wide / high for wide, high in sizes if wide and high] or [1.0])


async def _previews(
    images: Sequence[GeneratedImage],
    longest: int,
    max_bytes: int,
    poster: Callable[[GeneratedImage], Awaitable[bytes]],
    use: Callable[[int, Preview | None], Awaitable[None]],
) -> None:
    """Call `use` with the place and the preview of each image, None if it is not available."""
    slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def one(index: int, image: GeneratedImage) -> None:
        async with slots:
            preview = None
            try:
                data = await poster(image)
                preview = await decode_threads.run(create_preview, data, longest, max_bytes)
            except WondaError:
                pass
            await use(index, preview)

    await asyncio.gather(*(one(index, image) for index, image in enumerate(images)))


async def _sheet(
    images: Sequence[GeneratedImage],
    table: GridTable,
    layout: Sheet,
    poster: Callable[[GeneratedImage], Awaitable[bytes]],
    suffix: str,
) -> bytes:
    sheet = await event_loop.to_thread(grid_sheet.draw_labels, layout, *_labels(table))
    places = {
        index: place
        for row, cells in enumerate(table.cells)
        for column, members in enumerate(cells)
        for index, place in zip(members, layout.places(row, column, len(members)), strict=True)
    }

    async def paste(index: int, preview: Preview | None) -> None:
        if preview is None or preview.mime_type == "image/svg+xml":
            grid_sheet.write_in(sheet, layout, NOT_AVAILABLE, places[index])
        else:
            await decode_threads.run(grid_sheet.paste, sheet, preview.data, places[index])

    await _previews(images, max(layout.cell), MAX_PREVIEW_BYTES, poster, paste)
    return await event_loop.to_thread(grid_sheet.encode, sheet, suffix)


async def _page(
    images: Sequence[GeneratedImage],
    table: GridTable,
    layout: Sheet,
    poster: Callable[[GeneratedImage], Awaitable[bytes]],
    _suffix: str,
) -> bytes:
    found: dict[int, str] = {}

    async def keep(index: int, preview: Preview | None) -> None:
        if preview is not None:
            encoded = base64.b64encode(preview.data).decode()
            found[index] = f"data:{preview.mime_type};base64,{encoded}"

    share = MAX_PAGE_BYTES * 3 // 4 // len(images)  # base64 has 4 bytes for 3
    max_bytes = min(MAX_PAGE_PREVIEW_BYTES, max(MIN_PAGE_PREVIEW_BYTES, share))
    await _previews(images, max(layout.cell) * SCALE, max_bytes, poster, keep)
    return await event_loop.to_thread(_render, table, layout, found)


def _render(table: GridTable, layout: Sheet, found: dict[int, str]) -> bytes:
    rows, columns = _labels(table)
    page = pages.template("grid.html.j2").render(
        rows=rows,
        columns=columns,
        cells=[
            [
                [
                    {"src": found.get(index), "alt": f"{row_label} {label}".strip() or "Image"}
                    for index in members
                ]
                for members, label in zip(row, columns, strict=True)
            ]
            for row, row_label in zip(table.cells, rows, strict=True)
        ],
        cell_width=layout.cell[0],
        ratio=layout.cell[0] / layout.cell[1],
        not_available=NOT_AVAILABLE,
    )
    return page.encode("utf-8", "replace")
