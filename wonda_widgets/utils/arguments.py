"""Check arguments, so that a wrong one gets a clear error before anything is sent."""

from __future__ import annotations

import re
import sys
import threading
from typing import Any
from urllib.parse import quote

from ..errors import InvalidInputError
from . import plain_values

_ID = re.compile(r"[^\ud800-\udfff]{1,1000}")  # without lone surrogates


def require_type(value: object, kind: type[Any] | tuple[type[Any], ...], expected: str) -> None:
    """Check that an object has the right type.

    Parameters
    ----------
    value : object
    kind : type or tuple of types
    expected : str
        What to pass, with an article, for the error: ``"a Media object"``.

    Raises
    ------
    TypeError
    """
    if not isinstance(value, kind):
        raise TypeError(f"Expected {expected}, not {type(value).__name__}.")


def shown_images(given: Any) -> Any:
    """Return the images that a matrix has generated or a panel shows, or anything else unchanged.

    A matrix must not be iterated over for that, because this generates its images.
    """
    shows = getattr(given, "_shows", None)
    return shows()[1] if callable(shows) and not isinstance(given, type) else given


def check_seconds(field: str, value: object) -> float | None:
    """Return a time limit in seconds that the operating system accepts; None for no limit.

    Raises
    ------
    InvalidInputError
        If it is not a number.
    """
    seconds = plain_values.to_plain(value)
    if seconds is None:
        return None
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or plain_values.is_missing(seconds):
        raise InvalidInputError(field, f"{field} must be a number of seconds, or None.")
    return float(min(max(seconds, 0), threading.TIMEOUT_MAX))


def check_days(value: object) -> float:
    """Return a number of days.

    Raises
    ------
    InvalidInputError
        If it is not a number above 0.
    """
    days = positive_number(value)
    if days is None:
        shown = str(plain_values.to_plain(value))[:40]
        raise InvalidInputError("days", f"days must be a number above 0, not {shown}.")
    return days


def positive_number(value: object) -> float | None:
    """Return a number above 0 as a float; None if the value is anything else."""
    number = plain_values.to_plain(value)
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return float(number) if is_number and 0 < number <= sys.float_info.max else None


def check_id(field: str, label: str, value: object) -> str:
    """Return an ID of the service without spaces around it.

    Parameters
    ----------
    field : str
        The argument's name, for the error.
    label : str
        What the ID belongs to, with an article: ``"a job"``.
    value : object

    Raises
    ------
    InvalidInputError
        If it is not a string, or cannot be an ID.
    """
    text = value.strip() if isinstance(value, str) else ""
    if text in {"", ".", ".."} or not _ID.fullmatch(text):
        raise InvalidInputError(
            field, f"This is not the ID of {label}.", "Pass the ID that the API returned."
        )
    return text


def path_segment(field: str, label: str, value: object) -> str:
    """Quote an ID for a URL's path; parameters and errors as of `check_id`."""
    return quote(check_id(field, label, value), safe="")
