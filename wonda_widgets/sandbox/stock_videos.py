"""Render placeholder clips for the sandbox: a slow camera move over a stock scene or an image.

Equal arguments always give equal bytes. The clips have no sound.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from PIL import Image, ImageOps

from . import stock_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FPS = 24
MARGIN = 1.25  # of the scene's width to the clip's: what the camera moves over
SIDES = {"720p": 720, "1080p": 1080}  # the shorter side in pixels, by resolution


def size_for(ratio: str, resolution: str) -> tuple[int, int]:
    """Return the width and height in pixels, both even."""
    width, height = map(int, ratio.split(":"))
    scale = SIDES[resolution] / min(width, height)
    return round(width * scale / 2) * 2, round(height * scale / 2) * 2


def render(
    prompt: str,
    size: tuple[int, int],
    seconds: float,
    *,
    model: str,
    params: Mapping[str, object],
    start: bytes | None = None,
) -> bytes:
    """Render a clip (MP4, H.264, 24 frames per second); slow, so call it in a thread.

    Parameters
    ----------
    prompt : str
    size : tuple of int
        Width and height, pixels.
    seconds : float
    model : str
    params : dict
        Together with the prompt, they select the scene.
    start : bytes, optional
        The image to animate, instead of a stock scene.
    """
    width, height = size
    wide = (round(width * MARGIN), height)
    if start is None:
        scene = stock_images.render(prompt, *wide, model=model, params=params)
    else:
        with Image.open(io.BytesIO(start)) as image:
            scene = ImageOps.fit(image.convert("RGB"), wide)
    moves_left = hashlib.sha256(prompt.encode()).digest()[0] % 2 == 0
    with tempfile.TemporaryDirectory() as folder:
        # FFmpeg reads the file again, to move its index to the front.
        path = Path(folder, "clip.mp4")
        _encode((_view(scene, size, share) for share in _shares(seconds, moves_left)), size, path)
        return path.read_bytes()


def _shares(seconds: float, moves_left: bool) -> Iterator[float]:  # noqa: FBT001
    """Yield the camera's position in each frame, from 0 to 1 or back."""
    count = max(1, round(seconds * FPS))
    for number in range(count):
        share = number / max(1, count - 1)
        yield 1 - share if moves_left else share


def _encode(pictures: Iterable[Image.Image], size: tuple[int, int], path: Path) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "26", "threads": "1"}
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _view(scene: Image.Image, size: tuple[int, int], share: float) -> Image.Image:
    """Return what the camera sees after this share of its way across the scene."""
    left = round((scene.width - size[0]) * share)
    top = (scene.height - size[1]) // 2
    return scene.crop((left, top, left + size[0], top + size[1]))
