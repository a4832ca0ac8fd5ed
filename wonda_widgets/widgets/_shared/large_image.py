"""Enlarged copies of originals, for the panels that show one image large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...imaging import decode_threads

if TYPE_CHECKING:
    from ...api.history import AsyncHistory
    from ...imaging.preview import Preview
    from ...journal.generated_image import GeneratedImage

LARGE_PIXELS = 1600  # longest side
LARGE_MAX_BYTES = 900_000


async def load(
    history: AsyncHistory,
    image: GeneratedImage,
    longest: int = LARGE_PIXELS,
    max_bytes: int = LARGE_MAX_BYTES,
) -> Preview:
    """Download an original, or the first frame of a video, and return an enlarged copy.

    Raises
    ------
    WondaError
        If it cannot be downloaded or decoded.
    """
    data = await history.poster(image)
    return await decode_threads.run(_enlarged, data, longest, max_bytes)


def _enlarged(data: bytes, longest: int, max_bytes: int) -> Preview:
    """Return the copy. Slow: run it in a thread."""
    from ...imaging.preview import create_preview  # noqa: PLC0415 - Pillow is loaded when needed

    return create_preview(data, longest, max_bytes)
