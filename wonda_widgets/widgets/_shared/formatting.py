"""Format sizes, times, prices, operations and image facts for the panels."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ... import models
from ...imaging.operations import Crop, Encode, Pad, Resize, Text

if TYPE_CHECKING:
    from ...imaging.operations import Operation

MAX_TEXT_LENGTH = 32  # characters of an overlay text in the list of changes

format_duration = models.format_duration


def file_size(count: float) -> str:
    """Format a number of bytes: ``"3.1 MB"``."""
    for unit in ("B", "KB"):
        if count < 1000:  # noqa: PLR2004 - decimal units, as file managers show them
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} MB"


def local_time(seconds: float) -> str:
    """Format seconds since 1970 in this computer's time zone: ``"1 Dec 2026, 18:00"``."""
    return format_time(datetime.fromtimestamp(seconds, UTC))


def format_time(moment: datetime) -> str:
    """Format a time in this computer's time zone: ``"1 Dec 2026, 18:00"``."""
    local = moment.astimezone()
    return f"{local.day} {local:%b %Y, %H:%M}"


def format_price(usd: float | None, credit_count: float | None) -> str:
    """Format a price: ``"about $0.08 · 80 credits"``; empty if it is unknown."""
    parts = []
    if usd is not None and math.isfinite(usd):
        parts.append(f"about ${usd:.2f}" if usd >= 0.01 else f"about ${usd:.4f}")  # noqa: PLR2004
    if credit_count is not None and math.isfinite(credit_count):
        shown = f"{credit_count:,.1f}".removesuffix(".0")
        parts.append(f"{shown} credit{'' if credit_count == 1 else 's'}")
    return " · ".join(parts)


def describe_operation(operation: Operation) -> str:
    """Describe an operation of an edit: ``"Crop to 864 × 1080"``."""
    match operation:
        case Crop() | Resize():
            return f"{type(operation).__name__} to {operation.width} × {operation.height}"
        case Pad():
            return f"Pad to {operation.width} × {operation.height}, {operation.color}"
        case Text():
            text = " ".join(operation.text.split())
            return (
                f"Text “{text if len(text) <= MAX_TEXT_LENGTH else text[:MAX_TEXT_LENGTH] + '…'}”"
            )
        case Encode():
            lossy = operation.format != "PNG"
            name = format_name(operation.format)
            return f"{name}, quality {operation.quality}" if lossy else name


def image_facts(width: int, height: int, of: str, count: float) -> str:
    """Format an image's facts: ``"1080 × 1350 · JPEG · 412 KB"``."""
    return f"{width} × {height} · {format_name(of)} · {file_size(count)}"


def format_name(of: str) -> str:
    """Spell the name of a Pillow format: ``"WebP"`` for ``"WEBP"``."""
    return "WebP" if of == "WEBP" else of
