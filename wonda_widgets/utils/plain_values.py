"""Convert values from tables and arrays to plain Python, without importing numpy or pandas.

numpy, pandas and Polars have their own types for numbers and strings, and several kinds of
missing value. JSON supports none of them, and equal values must result in equal requests,
regardless of their library.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from ..errors import InvalidInputError

_PLAIN_TYPES = (str, bool, int, float, type(None))
#: The types of pandas' NA and NaT and of numpy's masked values.
_MISSING_TYPE_NAMES = {"NAType", "NaTType", "MaskedConstant"}
#: A Decimal with more digits is not converted to int, which would exhaust the memory.
MAX_DIGITS = 400
_DOUBLE_BYTES = 8  # the size of a Python float


def to_plain(value: Any) -> Any:
    """Convert numbers, strings, lists and dicts to plain Python, recursively.

    Arrays and columns become lists. Missing values (see `is_missing`) and objects of other types
    are returned unchanged.

    Raises
    ------
    InvalidInputError
        If a value is nested too deeply, or contains itself.
    """
    try:
        return _to_plain(value)
    except RecursionError:
        raise InvalidInputError("value", "A value is nested too deeply.") from None


def _to_plain(value: Any) -> Any:
    if type(value) in _PLAIN_TYPES or isinstance(value, type) or is_missing(value):
        return value
    match value:
        case dict():
            return {_to_plain(key): _to_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_to_plain(item) for item in value]
        case str():
            return str.__str__(value)
        case numbers.Number():
            return _number_to_plain(value)
    return _array_to_plain(value)


def to_text(value: Any) -> str | None:
    """Return a plain value as text for a prompt; None for an object that is no text or number."""
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == time.min:
        value = value.date()  # the days of a column of dates
    if isinstance(value, str | int | float | Decimal | date | time):
        with contextlib.suppress(ValueError):  # a whole number of thousands of digits
            return str(value)
    return None


def is_missing(value: Any) -> bool:
    """Return whether `value` is None, NaN, pandas' NA or NaT, or a masked value."""
    if value is None or type(value).__name__ in _MISSING_TYPE_NAMES:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, numbers.Number) or getattr(value, "shape", None) == ():
        differs = value != value  # noqa: PLR0124 - only a missing value differs from itself
        return differs is True or (getattr(differs, "shape", None) == () and bool(differs))
    return False


def reject_missing(field: str, label: str, value: Any) -> Any:
    """Convert a value with `to_plain`; accept None but no other missing value.

    Parameters
    ----------
    field : str
        The argument's name, for the error.
    label : str
        The name of the argument at the start of a sentence.
    value : object

    Raises
    ------
    InvalidInputError
        If the value is NaN, NA, NaT or masked.
    """
    if value is not None and is_missing(value):
        raise InvalidInputError(
            field, f"{label} is empty ({value}).", "Give it a value, or pass None to leave it out."
        )
    return to_plain(value)


def optional_text(field: str, label: str, value: Any) -> str | None:
    """Return a string or None as plain Python; parameters as of `reject_missing`.

    Raises
    ------
    InvalidInputError
        If the value is anything else, e.g. NaN.
    """
    text = reject_missing(field, label, value)
    if text is not None and not isinstance(text, str):
        raise InvalidInputError(field, f"{label} must be a string, not {str(value)[:40]!r}.")
    return text


def _array_to_plain(value: Any) -> Any:
    """Convert an array or a column to a list; return anything else unchanged."""
    dtype: Any = getattr(value, "dtype", None)
    if getattr(dtype, "kind", "") == "f" and dtype.itemsize < _DOUBLE_BYTES:
        value = value.astype(str).astype(float)  # shortest digits, see `_number_to_plain`
    if getattr(dtype, "kind", "") in {"M", "m"} and type(value).__module__ == "numpy":
        kind = "datetime" if dtype.kind == "M" else "timedelta"
        value = value.astype(f"{kind}64[us]")  # of nanoseconds, `item` returns a number
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a zero-dimensional array
        return _to_plain(value.item())
    to_list = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    return _to_plain(to_list()) if callable(to_list) else value


def _number_to_plain(value: Any) -> Any:
    """Convert a number to bool, int or float; return a number that JSON lacks unchanged."""
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() > MAX_DIGITS:
        return value
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == int(value) else float(value)
    if isinstance(value, numbers.Real):
        size = getattr(value, "itemsize", _DOUBLE_BYTES)
        with contextlib.suppress(OverflowError):  # a Fraction that is too large for a float
            # A float32 is converted by its shortest digits: 0.1 is 0.1, not 0.10000000149.
            return float(str(value)) if size < _DOUBLE_BYTES else float(value)
    return value
