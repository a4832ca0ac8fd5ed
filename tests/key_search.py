"""Search for a key, whole or in parts, as plain text or base64."""

from __future__ import annotations

import base64
import re
from functools import cache

LENGTH = 12  # characters of a key that count as a leak


@cache
def _needles(key: str) -> list[bytes]:
    secret = key.removeprefix("sk_").encode()
    parts = {secret[at : at + LENGTH] for at in range(len(secret) - LENGTH + 1)}
    for shift in range(3):  # where a text begins within base64's groups of three
        # Its first and last groups also hold what stands beside the key.
        inner = base64.b64encode(b"\0" * shift + secret)[4 if shift else 0 :]
        inner = inner[: (len(secret) + shift) // 3 * 4 - (4 if shift else 0)]
        size = LENGTH * 4 // 3
        parts |= {inner[at : at + size] for at in range(len(inner) - size + 1)}
    return sorted(parts)


def leaks(key: str, data: bytes | str) -> bool:
    """Whether `data` holds `key` (without its ``sk_``), or 12 characters of it in a row."""
    if isinstance(data, str):
        data = data.encode(errors="replace")
    data = re.sub(rb"\x1b\[[0-9;]*m", b"", data)  # colours may stand between
    forms = (data, data.lower(), re.sub(rb"\s|\\n", b"", data))  # base64 is often wrapped
    return any(needle in form for needle in _needles(key) for form in forms)


def assert_absent(key: str, data: bytes | str, where: str) -> None:
    """Fail, without repeating the key, if `data` holds any of it.

    Parameters
    ----------
    key : str
    data : bytes or str
    where : str
        What `data` is, for the message.
    """
    __tracebackhide__ = True
    found = leaks(key, data)
    del data  # a failing test prints what its frames hold
    assert not found, f"the key is in {where}"
