"""Image formats that the service does not take, known by a file's first bytes.

It takes JPEG, PNG, GIF, WebP and SVG (wonda-api.md, 8.1). Phones make HEIC, cameras TIFF.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

TAKEN = "JPEG, PNG, GIF, WebP and SVG"
_BOX = 64  # bytes; of the box that begins a HEIC or AVIF file
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


def name(data: bytes) -> str:
    """What a file is that the service does not take: ``"HEIC"``, …; empty for anything else."""
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), _BOX)
        # The first brand, and after its version those that it goes with.
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        if brands & _AVIF:
            return "AVIF"
        return "HEIC" if brands & _HEIC else ""
    found = (kind for start, kind in _BEGINNINGS if re.match(start, data, re.DOTALL))
    return next(found, "")


def way_out(kind: str) -> str:
    """How a file of such a format is taken after all, on this computer, as a sentence."""
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
    from PIL import features  # noqa: PLC0415 - Pillow is loaded when an image is there

    return bool(features.check("avif"))
