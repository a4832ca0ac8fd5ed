"""Simulate models that process one image: background removal and vectorization."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

#: For a vector drawing: the squares along the longer side, and the number of colors.
CELLS, COLORS = 64, 12


def process(model: str, data: bytes) -> bytes:
    """Apply a model to an image; slow, so call it in a thread."""
    with Image.open(io.BytesIO(data)) as image:
        rgb = image.convert("RGB")
        return _vectorize(rgb) if "vector" in model else _remove_background(rgb)


def _remove_background(image: Any) -> bytes:
    """Keep the middle of the image, and make the rest transparent (PNG)."""
    alpha = Image.new("L", image.size)
    width, height = image.size
    box = (width * 0.12, height * 0.08, width * 0.88, height * 0.92)
    ImageDraw.Draw(alpha).ellipse(box, fill=255)
    image.putalpha(alpha.filter(ImageFilter.GaussianBlur(max(1, min(image.size) / 60))))
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def _vectorize(image: Any) -> bytes:
    """Draw the image as colored squares (SVG)."""
    scale = CELLS / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    small = image.resize(size).quantize(COLORS).convert("RGB")
    width, height = image.size
    squares = "".join(
        f'<path fill="#{r:02x}{g:02x}{b:02x}" d="M{x} {y}h1v1h-1z"/>'
        for y in range(small.height)
        for x in range(small.width)
        for r, g, b in [small.getpixel((x, y))]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {small.width} {small.height}" shape-rendering="crispEdges">{squares}</svg>'
    ).encode()
