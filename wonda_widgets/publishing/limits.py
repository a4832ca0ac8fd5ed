"""Limits of a post that the service documents (wonda-api.md, section 7)."""

from __future__ import annotations

from ..errors import InvalidInputError

MIN_SLIDES, MAX_SLIDES = 2, 10
MAX_CAPTION_LENGTH = 2200  # characters
MAX_ALT_TEXT_LENGTH = 1000  # characters
PRODUCTS_WITHOUT_ALT_TEXT = frozenset({"STORIES", "REELS"})


def check_slide_count(count: int) -> None:
    """Raise an error for a carousel with too few or too many images.

    Raises
    ------
    InvalidInputError
    """
    if not MIN_SLIDES <= count <= MAX_SLIDES:
        images = "1 image" if count == 1 else f"{count} images"
        hint = (
            "Choose one more, or publish it as a single image."
            if count < MIN_SLIDES
            else f"Remove {count - MAX_SLIDES}."
        )
        raise InvalidInputError(
            "media_ids", f"A carousel has 2 to 10 images; this one has {images}.", hint
        )


def check_text_length(field: str, text: str | None, max_length: int) -> None:
    """Raise an error for a string that is too long.

    Parameters
    ----------
    field : str
        The argument that the error names.
    text : str or None
    max_length : int
        Characters.

    Raises
    ------
    InvalidInputError
    """
    if text is not None and len(text) > max_length:
        raise InvalidInputError(
            field,
            f"The {field.replace('_', ' ')} has {len(text):,} characters; the limit is "
            f"{max_length:,}.",
            f"Shorten it by {len(text) - max_length:,}.",
        )
