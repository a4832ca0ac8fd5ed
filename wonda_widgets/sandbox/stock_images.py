"""Render placeholder images for the sandbox from the stock scenes in `stock/`.

The words of the prompt select a scene and its colors. Model, prompt and parameters seed the
crop and the mirroring. Equal arguments always give equal pixels.

Pillow releases the GIL while it processes pixels, so other threads keep running.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import unicodedata
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFont, ImageOps, ImageStat

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = Path(__file__).with_name("stock")
_WATERMARK = "sandbox"
_MAX_WORDS = 400  # the rest of a longer prompt is ignored
_TILE = 512  # side of the repeated grain, in pixels


class _Scene(NamedTuple):
    """The words that select a scene, and the point that every crop contains (0 to 1)."""

    words: str
    x: float = 0.5
    y: float = 0.5


_SEA = (
    "ocean sea water sail sailboat boat ship coast shore island lighthouse bird whale sky cloud "
    "horizon "
)
_HARBOUR = _SEA + "harbour bay port lagoon bridge"
_LAKE = "lake river water mountain alps peak fjord reflection "
_FOREST = "forest tree wood pine fir birch fox deer owl path "
_CITY = "city skyline street building tower urban neon tokyo london paris house traffic "
_DESERT = "desert dune sand canyon "
_INDOORS = "table desk window candle vase cup tea coffee bowl room wooden "

# The words of a file name also select the scene. `_SYNONYMS` maps to the words used here.
_SCENES = {
    "ocean_sunset": _Scene(_SEA, 0.53),
    "ocean_storm": _Scene(_SEA, 0.53),
    "ocean_night": _Scene(_SEA, 0.46),
    "harbour_dusk": _Scene(_HARBOUR, 0.5),
    "harbour_dawn": _Scene(_HARBOUR, 0.5),
    "bay_dawn": _Scene(_HARBOUR, 0.36),
    "beach_noon": _Scene(_SEA + "beach sand surf wave", 0.48, 0.65),
    "lake_noon": _Scene(_LAKE + "snow winter ice", 0.33, 0.46),
    "lake_sunset": _Scene(_LAKE, 0.75, 0.46),
    "mountains_dawn": _Scene("mountain alps peak hill valley meadow landscape volcano", 0.68, 0.45),
    "forest_mist": _Scene(_FOREST, 0.38),
    "forest_noon": _Scene(_FOREST, 0.62),
    "city_night": _Scene(_CITY, 0.6, 0.55),
    "city_dusk": _Scene(_CITY, 0.54, 0.55),
    "galaxy": _Scene("galaxy space nebula cosmos universe star", 0.46, 0.45),
    "planet": _Scene("planet space saturn jupiter mars orbit astronaut", 0.46, 0.45),
    "desert_sunset": _Scene(_DESERT, 0.28),
    "desert_noon": _Scene(_DESERT + "cactus cacti", 0.2, 0.6),
    "jungle": _Scene("jungle rainforest tropical palm fern parrot", 0.45),
    "flowers": _Scene("flower garden bouquet botanical plant leaf poppy tulip rose spring"),
    "lantern": _Scene(_INDOORS + "lantern paper", 0.62, 0.55),
    "lamp": _Scene(_INDOORS + "lamp book library", 0.38, 0.6),
    "cat": _Scene("cat kitten kitty", 0.48, 0.55),
    "abstract_hills": _Scene("abstract", 0.6),
    "abstract_rings": _Scene("abstract"),
    "abstract_tiles": _Scene("abstract"),
    "abstract_waves": _Scene("abstract"),
}
_LIGHTS = ("dawn", "noon", "sunset", "dusk", "night", "storm", "mist")

_SYNONYMS = {
    "harbor": "harbour",
    **dict.fromkeys(("sunrise", "morning", "daybreak"), "dawn"),
    **dict.fromkeys(("day", "daylight", "midday", "sunny", "summer"), "noon"),
    **dict.fromkeys(("sundown",), "sunset"),
    **dict.fromkeys(("evening", "twilight"), "dusk"),
    **dict.fromkeys(("midnight", "moon", "moonrise", "moonlight", "moonlit", "starry"), "night"),
    **dict.fromkeys(("thunder", "tempest"), "storm"),
    **dict.fromkeys(("fog", "foggy", "haze", "hazy"), "mist"),
    **dict.fromkeys(("gray", "monochromatic", "silver"), "monochrome"),
    **dict.fromkeys(("vibrant", "clear"), "vivid"),
    "grey": "monochrome",
}


class _Tint(NamedTuple):
    """Colored light: the colors at the top and bottom edge, and its strength (0 to 1)."""

    top: str
    bottom: str
    strength: float


# For times of day, weather and color names: the scene is tinted with these.
_TINTS = {
    "dawn": _Tint("#b9c6f2", "#ffdcc8", 0.6),
    "sunset": _Tint("#b8608c", "#ffb26b", 0.75),
    "dusk": _Tint("#6c62b8", "#dc98b0", 0.6),
    "night": _Tint("#263a86", "#6478c0", 0.85),
    "storm": _Tint("#6c7a86", "#98a2a4", 0.85),
    "rain": _Tint("#7c92a4", "#a8b8bc", 0.65),
    "snow": _Tint("#d8e6f6", "#ffffff", 0.4),
    "golden": _Tint("#e0a860", "#ffd890", 0.65),
    "gold": _Tint("#d8a850", "#ffd880", 0.65),
    "sepia": _Tint("#d8b890", "#ecd8b4", 0.9),
    "red": _Tint("#e05048", "#ff8878", 0.7),
    "crimson": _Tint("#c83850", "#f07080", 0.75),
    "coral": _Tint("#f08870", "#ffb8a0", 0.7),
    "orange": _Tint("#f09040", "#ffb870", 0.7),
    "yellow": _Tint("#f0cc50", "#ffe890", 0.7),
    "green": _Tint("#60b070", "#a8dca0", 0.7),
    "emerald": _Tint("#249060", "#68c090", 0.75),
    "teal": _Tint("#389ca0", "#88d0cc", 0.75),
    "turquoise": _Tint("#48b8c0", "#98e0dc", 0.7),
    "blue": _Tint("#5088d8", "#98c0f4", 0.7),
    "navy": _Tint("#1c3478", "#4860a8", 0.85),
    "indigo": _Tint("#5048b0", "#9088dc", 0.75),
    "violet": _Tint("#6c40b8", "#a874d4", 0.8),
    "purple": _Tint("#9050c0", "#d090e0", 0.7),
    "pink": _Tint("#f090b8", "#ffc0d4", 0.7),
    "brown": _Tint("#a87850", "#d0a880", 0.75),
}


class _Tone(NamedTuple):
    """Enhancement factors; 1 leaves the image unchanged."""

    saturation: float = 1.0
    contrast: float = 1.0
    brightness: float = 1.0


_TONES = {
    "noon": _Tone(1.0, 1.0, 1.25),
    "night": _Tone(1.0, 1.0, 0.65),
    "storm": _Tone(1.0, 1.1, 0.8),
    "rain": _Tone(1.1, 1.08, 1.0),
    "dark": _Tone(0.9, 1.0, 0.65),
    "bright": _Tone(1.1, 1.0, 1.25),
    "vivid": _Tone(1.45, 1.15, 1.05),
    "muted": _Tone(0.5, 0.85, 1.05),
    "pastel": _Tone(0.7, 0.7, 1.25),
    "neon": _Tone(1.7, 1.2, 0.95),
    "monochrome": _Tone(0.0),
}


def render(
    prompt: str,
    width: int,
    height: int,
    *,
    model: str = "",
    params: Mapping[str, object] | None = None,
) -> Image.Image:
    """Render the placeholder image for a prompt.

    Parameters
    ----------
    prompt
        Any text; may be empty. English words for subjects, times of day, weather and colors are
        recognized. Without a known subject or time of day, the image is abstract.
    width, height
        Size of the image in pixels.
    model
        A different model results in a different crop, and a different scene if several match.
    params
        Further parameters with the same effect, such as a seed.

    Returns
    -------
    PIL.Image.Image
        An RGB image of exactly this size; equal arguments give equal pixels.

    Raises
    ------
    ValueError
        If a side is less than one pixel.
    """
    if width < 1 or height < 1:
        raise ValueError(f"An image needs sides of at least 1 pixel, not {width}x{height}")
    words = _words(prompt)
    rng = _generator(prompt, model, params)
    name = rng.choice(_matching_scenes(words))
    image = _crop(name, width, height, rng)
    scene_words = {*name.split("_"), *_SCENES[name].words.split()}
    image = _apply_colors(image, [word for word in words if word not in scene_words], rng)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return _add_watermark(_add_grain(image, rng))


def encode_png(image: Image.Image) -> bytes:
    """Encode an image as PNG, fast enough for 4K."""
    # Grain hardly compresses, so a higher level only costs time on large images.
    level = 6 if image.width * image.height <= 600_000 else 2  # noqa: PLR2004
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def size_for(ratio: str, resolution: str) -> tuple[int, int]:
    """Compute the size in pixels of an aspect ratio at a resolution.

    Parameters
    ----------
    ratio
        Width to height, such as ``"9:16"``, or ``"auto"`` for a square.
    resolution
        ``"1K"``, ``"2K"`` or ``"4K"``: the side of a square of the same area, in 1024 pixels.

    Returns
    -------
    tuple[int, int]
        Width and height: even, exactly in the ratio, and as close to the area as possible.

    Raises
    ------
    ValueError
        If the ratio or the resolution is not one of these.
    """
    scale = {"1K": 1, "2K": 2, "4K": 4}.get(resolution.upper())
    if scale is None:
        raise ValueError(f"Unknown resolution {resolution!r}: use 1K, 2K or 4K")
    found = re.fullmatch(r"([0-9]{1,4}):([0-9]{1,4})", "1:1" if ratio == "auto" else ratio)
    if found is None or "0" in (found[1].lstrip("0") or "0", found[2].lstrip("0") or "0"):
        raise ValueError(f"Unknown ratio {ratio!r}: use width:height, such as 9:16, or auto")
    across, down = int(found[1]), int(found[2])
    common = math.gcd(across, down)
    across, down = across // common, down // common
    area = (1024 * scale) ** 2
    # One of the two is odd now, so both sides are even only if the step is.
    step = 2 * math.isqrt(area // (4 * across * down))
    best = min((step, step + 2), key=lambda k: abs(k * k * across * down - area) if k else math.inf)
    size = across * best, down * best
    if size[0] * size[1] > 4 * area:
        raise ValueError(f"The ratio {ratio!r} is too fine for {resolution}: use smaller numbers")
    return size


def _words(prompt: str) -> list[str]:
    """Return the words of the prompt in order, with and without plural and other endings."""
    tokens = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", prompt).casefold())
    endings = ("", "s", "es", "y", "ing", "ed")
    forms = [token.removesuffix(ending) for token in tokens[:_MAX_WORDS] for ending in endings]
    return list(dict.fromkeys(_SYNONYMS.get(form, form) for form in forms))


def _matching_scenes(words: list[str]) -> list[str]:
    """Return the names of the scenes that match the words best."""
    light = next((word for word in words if word in _LIGHTS), "")

    def score(name: str) -> int:
        parts = name.split("_")
        # Changing the colors cannot turn a night scene into a day scene.
        bonus = 1 if light in parts else -1 if light and "night" in parts else 0
        return 2 * len({*_SCENES[name].words.split()} & {*words}) + bonus

    best = max(map(score, _SCENES))
    if not best:
        return [name for name in _SCENES if name.startswith("abstract")]
    return [name for name in _SCENES if score(name) == best]


def _generator(prompt: str, model: str, params: Mapping[str, object] | None) -> random.Random:
    parameters = json.dumps(params or {}, sort_keys=True, default=str)
    seed = f"{model}\0{prompt}\0{parameters}".encode("utf-8", "surrogatepass")
    return random.Random(int.from_bytes(hashlib.sha256(seed).digest()))


def _crop(name: str, width: int, height: int, rng: random.Random) -> Image.Image:
    """Crop a scene to the ratio of a size, and shrink it to that size if it is larger."""
    scene, mirrored = _SCENES[name], rng.random() < 0.5  # noqa: PLR2004 - half of them
    zoom, shift_x, shift_y = rng.uniform(1, 1.18), rng.uniform(-1, 1), rng.uniform(-1, 1)
    with Image.open(_FOLDER / f"{name}.webp") as image:
        scale = min(image.width / width, image.height / height) / zoom
        across, down = width * scale, height * scale
        # Shift by at most a tenth of the crop, so that the crop contains the scene's main point.
        left = image.width * scene.x - across * (0.5 + shift_x / 10)
        top = image.height * scene.y - down * (0.5 + shift_y / 10)
        left = min(max(left, 0), image.width - across)
        top = min(max(top, 0), image.height - down)
        size = max(1, round(min(width, across))), max(1, round(min(height, down)))
        box = (left, top, left + across, top + down)
        crop = image.convert("RGB").resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)
    return ImageOps.mirror(crop) if mirrored else crop


def _apply_colors(image: Image.Image, words: list[str], rng: random.Random) -> Image.Image:
    """Adjust the colors to the prompt, with slight random variation."""
    for word in words:
        if word in _TINTS:
            top, bottom, strength = _TINTS[word]
            light = Image.new("RGB", (1, 2), top)
            light.paste(bottom, (0, 1, 1, 2))
            light = light.resize(image.size, Image.Resampling.BILINEAR)
            shades = image.convert("L").convert("RGB")
            image = Image.blend(image, ImageChops.overlay(shades, light), strength)
        if word == "mist":
            mist = Image.new("RGB", image.size, "#dfe3e6")
            density = Image.linear_gradient("L").point([32 + round(v * 0.45) for v in range(256)])
            image = Image.composite(mist, image, density.resize(image.size))
        if word in _TONES:
            saturation, contrast, brightness = _TONES[word]
            image = ImageEnhance.Color(image).enhance(saturation)
            image = ImageEnhance.Contrast(image).enhance(contrast)
            image = ImageEnhance.Brightness(image).enhance(brightness)
    if "monochrome" in words:
        return image
    factors = [rng.uniform(0.94, 1.05) for _ in range(3)]
    return image.point([round(min(255, v * factor)) for factor in factors for v in range(256)])


def _add_grain(image: Image.Image, rng: random.Random) -> Image.Image:
    """Add fine grain, which hides banding in gradients and adds detail to large images."""
    noise = Image.frombytes("L", (_TILE, _TILE), rng.randbytes(_TILE * _TILE))
    tile = noise.point([128 + round((v - 128) / 44) for v in range(256)])
    grain = Image.new("L", image.size)
    for y in range(0, image.height, _TILE):
        for x in range(0, image.width, _TILE):
            grain.paste(tile, (x, y))
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), 1, -128)


def _add_watermark(image: Image.Image) -> Image.Image:
    """Write "sandbox" into a corner, small but legible."""
    short = min(image.size)
    font = ImageFont.load_default(max(8.0, min(short * 0.019, image.width * 0.03)))
    left, top, right, bottom = font.getbbox(_WATERMARK)
    margin = max(3, round(short * 0.022))
    x = max(0, round(image.width - margin - (right - left)))
    y = max(0, round(image.height - margin - (bottom - top)))
    corner = (x, y, image.width, image.height)
    bright = ImageStat.Stat(image.crop(corner).convert("L")).mean[0] > 140  # noqa: PLR2004
    stencil = Image.new("L", (corner[2] - x, corner[3] - y))
    ImageDraw.Draw(stencil).text((-left, -top), _WATERMARK, fill=110, font=font)
    image.paste((20, 20, 30) if bright else (255, 255, 255), corner, stencil)
    return image
