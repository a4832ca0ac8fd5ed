"""Limits of a post, as the service documents them (wonda-api.md, section 7)."""

from __future__ import annotations

from ..errors import InvalidInputError

FEWEST_SLIDES, MOST_SLIDES = 2, 10
MAX_CAPTION = 2200  # characters
WITHOUT_ALT_TEXT = frozenset({"STORIES", "REELS"})  # products
MAX_ALT_TEXT = 1000  # characters


def check_slides(count: int) -> None:
    """Refuse a carousel that is known to be too short or too long.

    Raises
    ------
    InvalidInputError
    """
    if not FEWEST_SLIDES <= count <= MOST_SLIDES:
        has = "1 image" if count == 1 else f"{count} images"
        change = (
            "Choose one more, or publish it alone."
            if count < FEWEST_SLIDES
            else f"Leave {count - MOST_SLIDES} out."
        )
        raise InvalidInputError(
            "media_ids", f"A carousel has 2 to 10 images; this one has {has}.", change
        )


def check_length(field: str, text: str | None, most: int) -> None:
    """Refuse a text that is known to be too long.

    Raises
    ------
    InvalidInputError
    """
    if text is not None and len(text) > most:
        raise InvalidInputError(
            field,
            f"The {field.replace('_', ' ')} has {len(text):,} characters; the most is {most:,}.",
            f"Shorten it by {len(text) - most:,}.",
        )
