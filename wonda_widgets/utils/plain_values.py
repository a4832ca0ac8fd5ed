"""Values from a table or an array as plain Python, without importing what made them.

numpy, pandas and Polars give numbers of their own types, texts of their own types, and
several kinds of "nothing". JSON knows none of them, and the same request has to be the same
whatever gave its values.
"""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from typing import Any

from ..errors import InvalidInputError

_PLAIN_TYPES = (str, bool, int, float, type(None))
#: What pandas and numpy call a value that is not there.
_MISSING_TYPE_NAMES = {"NAType", "NaTType", "MaskedConstant"}
MAX_DIGITS = 400  # digits of a whole number
_DOUBLE_BYTES = 8  # bytes of a number that is exactly Python's float


def to_plain(value: Any) -> Any:
    """A value as plain Python: its numbers, texts, lists and dicts; anything else as it is.

    Arrays and columns become lists. A value that is not there stays what it is, see
    `is_missing`.
    """
    if type(value) in _PLAIN_TYPES or isinstance(value, type) or is_missing(value):
        return value
    match value:
        case dict():
            return {to_plain(name): to_plain(member) for name, member in value.items()}
        case list() | tuple():
            return [to_plain(member) for member in value]
        case str():
            return str.__str__(value)
        case numbers.Number():
            return _number_to_plain(value)
    return _array_to_plain(value)


def is_missing(value: Any) -> bool:
    """Whether it stands for nothing: None, not-a-number, pandas' NA and NaT, a masked value."""
    if value is None or type(value).__name__ in _MISSING_TYPE_NAMES:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, numbers.Number) or getattr(value, "shape", None) == ():
        unlike = value != value  # noqa: PLR0124 - only nothing is unlike itself
        return unlike is True or (getattr(unlike, "shape", None) == () and bool(unlike))
    return False


def reject_missing(field: str, name: str, value: Any) -> Any:
    """A value as plain Python.

    Parameters
    ----------
    field : str
        The argument, for the error.
    name : str
        What it is called in a sentence, as its first words.
    value : object

    Raises
    ------
    InvalidInputError
        If it stands for nothing, without being None.
    """
    if value is not None and is_missing(value):
        raise InvalidInputError(
            field, f"{name} is empty ({value}).", "Fill it in, or pass None to leave it out."
        )
    return to_plain(value)


def optional_text(field: str, name: str, value: Any) -> str | None:
    """A text or None.

    Raises
    ------
    InvalidInputError
        If it is something else, not-a-number for instance.
    """
    found = reject_missing(field, name, value)
    if found is not None and not isinstance(found, str):
        raise InvalidInputError(field, f"{name} is a text, not {str(value)[:40]!r}.")
    return found


def _array_to_plain(value: Any) -> Any:
    """What an array or a column holds; of anything else itself."""
    dtype: Any = getattr(value, "dtype", None)
    if getattr(dtype, "kind", "") == "f" and dtype.itemsize < _DOUBLE_BYTES:
        value = value.astype(str).astype(float)  # of few digits, as a single number is below
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # one value of an array
        return to_plain(value.item())
    listed = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    return to_plain(listed()) if callable(listed) else value


def _number_to_plain(value: Any) -> Any:
    """A number as JSON has it."""
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() > MAX_DIGITS:
        return value  # its digits would fill the memory; JSON refuses it
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == int(value) else float(value)
    if isinstance(value, numbers.Real):
        size = getattr(value, "itemsize", _DOUBLE_BYTES)
        # Of few digits: 0.1 is meant where 0.10000000149 is what 32 bits hold.
        return float(str(value)) if size < _DOUBLE_BYTES else float(value)
    return value
