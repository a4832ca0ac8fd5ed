"""Take API keys out of text that is logged or shown."""

from __future__ import annotations

import re
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a Wonda key looks like.
KEY_PATTERN = re.compile(r"sk_[0-9A-Za-z]{16,}")


class RedactableKey(Protocol):
    """A key that takes itself out of text, so that its own text stays out of reach."""

    @property
    def removed_from(self) -> Callable[[bytes], bytes]:
        """Give some bytes without the key."""


#: All keys of this process.
_keys: weakref.WeakSet[RedactableKey] = weakref.WeakSet()


def register(key: RedactableKey) -> None:
    """Have a key taken out of all that `redacted` gives, for as long as it is in use."""
    _keys.add(key)


def redact(text: str) -> str:
    """Give `text` without any key of this process, and without what looks like one."""
    data = text.encode(errors="backslashreplace")
    for key in list(_keys):
        data = key.removed_from(data)
    return KEY_PATTERN.sub("...", data.decode())
