"""Remove API keys from text that is logged or shown.

Each key can replace itself: `credentials.ApiKey.redact`. `redact_keys` replaces all keys in use,
for errors and logs. Responses are redacted in `http.responses`, and requests that are
recorded in the journal in `jobs.submission`.
"""

from __future__ import annotations

import re
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

#: The usual format of a Wonda key.
KEY_PATTERN = re.compile(r"sk_[0-9A-Za-z]{16,}")


class RedactableKey(Protocol):
    """A key that can remove itself from bytes, so that its text need not be readable."""

    @property
    def redact(self) -> Callable[[bytes], bytes]:
        """Return a function that replaces the key in bytes."""


#: The keys in use in this process.
_keys: weakref.WeakSet[RedactableKey] = weakref.WeakSet()


def register(key: RedactableKey) -> None:
    """Make `redact_keys` remove this key for as long as the object exists."""
    _keys.add(key)


def redact_keys(text: str) -> str:
    """Remove every registered key, and everything that looks like a key, from `text`."""
    data = text.encode(errors="backslashreplace")
    for key in list(_keys):
        data = key.redact(data)
    return KEY_PATTERN.sub("...", data.decode())
