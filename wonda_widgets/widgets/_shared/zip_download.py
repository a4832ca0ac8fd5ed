"""`ZipDownload`: send originals to the browser as one zip file.

    page ──zip (keys)──> kernel: originals ──> zip on disk
    page <──zip (id, bytes)── kernel
    page ──zip_piece (id, at)──> kernel ──zip_piece──> page     until the end

Only one piece is in transit at a time, and the file is on disk, so neither side needs memory for
all originals twice. The file is deleted after its last piece, or when another one is requested.
"""

from __future__ import annotations

import shutil
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInputError
from ...utils import event_loop, new_files
from .panel import Panel
from .permissions import open_to_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...journal.generated_image import GeneratedImage

MAX_FILES = 300
PIECE_BYTES = 2_000_000
LARGEST_FILE = 10**12  # bytes, larger than any original
FOLDER_NAME = "wonda-results"


class ZipDownload(Panel):
    """Base of the panels whose images can be downloaded together."""

    _zip: tuple[str, Path] | None = None  # the ID and the file that is being sent

    def _images_to_zip(self, content: Mapping[str, Any]) -> list[GeneratedImage]:
        """Return the images that a message names."""
        raise NotImplementedError

    @open_to_all
    def _on_zip(self, content: Mapping[str, Any]) -> None:
        images = self._images_to_zip(content)
        if len(images) > MAX_FILES:
            raise InvalidInputError(
                "images",
                f"{len(images):,} files are too many for one download.",
                f"Select up to {MAX_FILES}, or export them to a folder.",
            )
        if images:
            self._start(self._send_zip, images, content.get("view"))

    async def _send_zip(self, images: list[GeneratedImage], view: object) -> None:
        self.error = None
        folder = await event_loop.to_thread(new_files.temporary_folder)
        try:
            exported = await self._client.history.export_with_problems(images, folder / FOLDER_NAME)
            problem = _check_problems(len(images), exported.problems)
            file = folder / "results.zip"
            await event_loop.to_thread(_write_zip, exported.path, file)
        except BaseException:
            _delete_soon(folder)
            raise
        self._delete_zip()  # of an earlier download, perhaps one that was prepared meanwhile
        self._zip = uuid.uuid4().hex, file
        size = (await event_loop.to_thread(file.stat)).st_size
        name = f"{FOLDER_NAME}.zip"
        if problem is not None:
            self._show_error(problem)
        self.send({"type": "zip", "view": view, "id": self._zip[0], "bytes": size, "name": name})

    @open_to_all
    def _on_zip_piece(self, content: Mapping[str, Any]) -> None:
        at = content.get("at")
        if not (isinstance(at, int) and 0 <= at <= MAX_FILES * LARGEST_FILE):
            return
        if self._zip is not None and content.get("id") == self._zip[0]:
            self._start(self._send_zip_piece, *self._zip, at)
        else:
            raise InvalidInputError(
                "images", "Another download has replaced this one.", "Download the files again."
            )

    async def _send_zip_piece(self, zip_id: str, file: Path, at: int) -> None:
        data = await event_loop.to_thread(_read_piece, file, at)
        if data:
            self.send({"type": "zip_piece", "id": zip_id, "at": at}, [data])
        elif self._zip is not None and self._zip[0] == zip_id:  # the page has all of it
            self._delete_zip()

    def _delete_zip(self) -> None:
        if self._zip is not None:
            _delete_soon(self._zip[1].parent)
            self._zip = None

    def close(self) -> None:
        """Also delete a file that was not sent completely."""
        event_loop.call_soon(self._delete_zip)
        super().close()


def _check_problems(count: int, problems: Sequence[str]) -> InvalidInputError | None:
    """Return an error that says that files are missing; None if none is.

    Raises
    ------
    InvalidInputError
        If all are missing.
    """
    if not problems:
        return None
    error = InvalidInputError(
        "images",
        f"{len(problems)} of {count} results could not be downloaded. {problems[0]}",
        "Download them again.",
    )
    if len(problems) == count:
        raise error
    return error


def _delete_soon(folder: Path) -> None:
    """Delete a folder in the background, even if the panel is closed meanwhile."""
    event_loop.spawn_detached(event_loop.to_thread, shutil.rmtree, folder, True)


def _write_zip(originals: Path, file: Path) -> None:
    """Pack a folder of originals, and delete it. Slow: run it in a thread."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:  # originals are compressed
        for each in sorted(originals.iterdir()):
            packed.write(each, each.name)
            each.unlink()


def _read_piece(file: Path, at: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(0, at))
        return opened.read(PIECE_BYTES)
