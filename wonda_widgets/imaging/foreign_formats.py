"""Recognize image formats that the service does not accept, by a file's first bytes.

The service accepts JPEG, PNG, GIF, WebP and SVG (wonda-api.md, section 8.1).
"""

from __future__ import annotations

import re
from importlib.util import find_spec

TAKEN = "JPEG, PNG, GIF, WebP and SVG"
_MAX_BOX_BYTES = 64  # of the first box of a HEIC or AVIF file
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}
_AVIF = {b"avif", b"avis"}
_BEGINNINGS = (
    (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"BM.{4}\0{4}", "BMP"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"8BPS\0", "Photoshop"),
    (rb"\0\0\x01\0[\x01-\xff]\0", "ICO"),
)
_OPENED_BY_PILLOW = {"TIFF", "BMP", "JPEG 2000", "Photoshop", "ICO"}


def detect(data: bytes) -> str:
    """Return an unaccepted file's format, such as ``"HEIC"``; empty for any other file."""
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), _MAX_BOX_BYTES)
        # The major brand, and the compatible brands after its version.
        brands = {data[8:12], *(data[offset : offset + 4] for offset in range(16, end, 4))}
        if brands & _AVIF:
            return "AVIF"
        return "HEIC" if brands & _HEIC else ""
    found = (kind for start, kind in _BEGINNINGS if re.match(start, data, re.DOTALL))
    return next(found, "")


def conversion_hint(kind: str) -> str:
    """Return a sentence that says how to convert a file of such a format on this computer."""
    opened = "wonda.media.upload(PIL.Image.open(path))"
    if kind == "HEIC":
        register = "pillow_heif.register_heif_opener()"
        if find_spec("pillow_heif") is None:
            return f"Save it as JPEG, or install pillow-heif, call {register} and then {opened}."
        return f"Convert it: call {register}, then {opened}. It is sent as PNG."
    if kind in _OPENED_BY_PILLOW or (kind == "AVIF" and _opens_avif()):
        return f"Convert it: {opened} sends it as PNG."
    return "Save it as JPEG or PNG first."


def _opens_avif() -> bool:
    from PIL import features  # noqa: PLC0415 - loaded only if it is used

    return bool(features.check("avif"))
