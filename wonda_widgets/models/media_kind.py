"""Which media can be used as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidInputError

if TYPE_CHECKING:
    from .wire_types import Media


def require_image(media: Media, use: str) -> None:
    """Check that media is not a video.

    Parameters
    ----------
    media : Media
    use : str
        What an image is wanted for: ``"edited"``.

    Raises
    ------
    InvalidInputError
    """
    if media.is_video:
        raise InvalidInputError("media", f"A video cannot be {use}.", "Choose an image.")
