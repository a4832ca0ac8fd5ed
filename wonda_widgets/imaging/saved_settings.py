"""Read how an image was generated from the metadata of a saved file.

`save_original` writes it as JSON. Of files from AUTOMATIC1111's web UI, whose text is
``prompt``, ``Negative prompt: …`` and ``Steps: …``, only the prompt is used: models and parameters
have other names there.
"""

from __future__ import annotations

import contextlib
import json
import re
from html import unescape
from io import BytesIO
from typing import Any

import msgspec
from PIL import Image

from .save_original import SOFTWARE, XMP_MARKER

MAX_TEXT_LENGTH = 100_000  # characters of a prompt
MAX_NAME_LENGTH = 200  # characters
MAX_PARAMS = 100
MAX_DIGITS = 3  # of a number of reference images
_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_XMP_START, _XMP_END = f"<{XMP_MARKER}>".encode(), f"</{XMP_MARKER}>".encode()
#: What follows the prompt in A1111's text.
_AFTER_PROMPT = re.compile(r"\n(Negative prompt:|Steps: \d)")


class SavedSettings(msgspec.Struct, frozen=True):
    """How an image was generated.

    Attributes
    ----------
    prompt, model : str
        `model` is empty if only the prompt is known.
    params : dict
        With the API's names.
    references : int
        The number of reference images, which are not in the file.
    """

    prompt: str
    model: str = ""
    params: dict[str, Any] = {}
    references: int = 0


def read(data: bytes) -> SavedSettings | None:
    """Return the settings in a PNG, JPEG or WebP file, or in its first part; None without.

    Slow for large files, so call it in a thread.
    """
    found = _texts(data)
    if found.get("Software") == SOFTWARE:
        return _own(found)
    text = found.get("parameters") or ""
    match = _AFTER_PROMPT.search(text)
    if match is None and not text:
        return None
    prompt = (text[: match.start()] if match else text).strip()
    return SavedSettings(prompt[:MAX_TEXT_LENGTH]) if match and prompt else None


def _own(found: dict[str, str]) -> SavedSettings:
    params: Any = {}
    with contextlib.suppress(ValueError, RecursionError):
        params = json.loads(found.get("parameters") or "{}")
    simple = params if isinstance(params, dict) else {}
    return SavedSettings(
        found.get("prompt", "")[:MAX_TEXT_LENGTH],
        found.get("model", "")[:MAX_NAME_LENGTH],
        {
            _text(name)[:MAX_NAME_LENGTH]: _text(value)[:MAX_TEXT_LENGTH]
            if isinstance(value, str)
            else value
            for name, value in list(simple.items())[:MAX_PARAMS]
            if isinstance(value, str | int | float | bool)
        },
        _count(found.get("references", "")),
    )


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else 0


def _texts(data: bytes) -> dict[str, str]:
    """Return the text entries of a file's metadata."""
    start, end = data.find(_XMP_START), data.rfind(_XMP_END)
    if 0 <= start < end:
        packet = data[start + len(_XMP_START) : end]
        return _from_json(unescape(packet.decode("utf-8", "replace")))
    try:
        with Image.open(BytesIO(data)) as image:
            comment = image.info.get("comment")
            # The comment of a JPEG file is bytes, that of a PNG file is text.
            if isinstance(comment, bytes) and (own := _from_json(comment.decode(errors="replace"))):
                return own
            texts = {
                str(name): value for name, value in image.info.items() if isinstance(value, str)
            }
            known = "parameters" in texts or texts.get("Software") == SOFTWARE
            return texts if known else {"parameters": _user_comment(image)}
    except Exception:  # noqa: BLE001 - Pillow raises any exception for a damaged file
        return {}


def _from_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {_text(k): _text(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _text(value: object) -> str:
    """Return a string without lone surrogates, which cannot be sent to a browser."""
    return str(value).encode("utf-8", "replace").decode()


def _user_comment(image: Image.Image) -> str:
    """Return the comment in a JPEG's or WebP's EXIF, where A1111 writes its text."""
    comment = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT, b"")
    if not isinstance(comment, bytes):
        return str(comment)
    kind, text = comment[:8], comment[8:]
    if kind.startswith(b"UNICODE"):
        order = "utf-16-le" if text[1:2] == b"\0" else "utf-16-be"
        return text.decode(order, "replace")
    return text.decode("utf-8", "replace") if kind.startswith(b"ASCII") else ""
