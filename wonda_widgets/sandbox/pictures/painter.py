"""Pictures for the sandbox: painted from the words of a prompt, the same every time.

A prompt is read for three things: the *scene* (sea, mountains, city, ...; shapes alone when nothing
is recognised), the *mood* (hour and weather, which choose a palette) and the *colours* it names
(which turn that palette). A generator seeded from the model, the prompt and the parameters - never
from the size - then decides the composition, so one prompt has one picture at every resolution and
each model paints a sibling of it.

The scene is painted on a canvas of moderate size with smooth edges, enlarged or reduced to the size
asked for, and finished there with a fine grain that hides the steps of the gradients. Everything
that touches pixels is a Pillow operation, so other threads keep running meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat
from PIL.PngImagePlugin import PngInfo

from . import scenes, still
from .canvas import Canvas, tiled, white_noise
from .palette import (
    Palette,
    Words,
    mix,
    mood_of,
    palette_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Scene = Callable[[Canvas, Palette, random.Random, Words], None]

_LEAST_AREA = 480 * 480  # smaller pictures are painted at this size, then reduced
_MOST_AREA = 2048 * 2048  # larger ones are painted at this size, then enlarged
_MARK = "sandbox"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VAGUE = _words("table light desk wooden paper soft room still book shelf spring path sky")

# A scene, its usual moods, the words that name it (3 points each) and those that hint at it (1).
_SCENES: tuple[tuple[Scene, tuple[str, ...], frozenset[str], frozenset[str]], ...] = (
    (
        still.still_life,
        ("day", "dusk"),
        _words("lantern lamp candle candlelight teapot vase cup tea coffee"),
        _words("table window light desk wooden wood paper soft room still book shelf"),
    ),
    (
        still.cat,
        ("night", "dusk", "sunset"),
        _words("cat kitten kitty feline"),
        frozenset(),
    ),
    (
        scenes.city,
        ("night", "dusk", "night", "sunset"),
        _words(
            "city cityscape skyline street building skyscraper tower downtown urban tokyo "
            "manhattan neon cyberpunk metropolis"
        ),
        _words("bridge traffic london paris shanghai york rooftop"),
    ),
    (
        scenes.space,
        ("night",),
        _words(
            "space galaxy planet cosmos cosmic nebula saturn jupiter mars universe astronaut orbit"
        ),
        _words("star starry comet asteroid"),
    ),
    (
        scenes.desert,
        ("sunset", "day", "dusk", "sunset"),
        _words("desert dune cactus cacti sahara saguaro mesa canyon oasis"),
        _words("sand arid camel"),
    ),
    (
        still.jungle,
        ("day", "dawn"),
        _words("jungle rainforest tropical"),
        _words("palm lush monstera parrot"),
    ),
    (
        scenes.mountains,
        ("dawn", "day", "dusk", "sunset"),
        _words(
            "mountain hill alps alpine peak summit valley fjord ridge himalaya fuji volcano glacier"
        ),
        _words(
            "snow winter lake landscape river meadow night star moon moonlight sky horizon rain "
            "mist fog"
        ),
    ),
    (
        scenes.sea,
        ("sunset", "day", "dusk", "dawn"),
        _words(
            "ocean sea beach sail sailboat boat ship harbor harbour coast island lighthouse surf "
            "bay lagoon yacht whale"
        ),
        _words(
            "sunset sunrise water wave horizon shore bird gull seagull golden dusk dawn sky cloud"
        ),
    ),
    (
        scenes.forest,
        ("mist", "mist", "dawn", "day"),
        _words("forest tree wood pine fir birch grove redwood"),
        _words("mist fog haze deer fox wolf owl path"),
    ),
    (
        still.botanical,
        ("day", "day", "night"),
        _words(
            "flower garden bouquet botanical floral plant leaf leaves fern tulip poppy "
            "daisy peony blossom herb wildflower"
        ),
        _words("petal spring bloom vine rose"),
    ),
)


def paint(
    prompt: str,
    width: int,
    height: int,
    *,
    model: str = "",
    params: Mapping[str, object] | None = None,
) -> Image.Image:
    """Paint the picture of a prompt.

    Parameters
    ----------
    prompt
        Any text, also an empty one; scenes, hours, weather and colours are recognised in English.
    width, height
        The size of the picture in pixels.
    model
        Another model paints a sibling: the same scene, composed differently.
    params
        Other parameters that should change the composition, such as a seed.

    Returns
    -------
    PIL.Image.Image
        An RGB picture of exactly the asked size; equal arguments give equal pixels.

    Raises
    ------
    ValueError
        If a side is less than one pixel.
    """
    if width < 1 or height < 1:
        raise ValueError(f"A picture needs sides of at least 1 pixel, not {width}x{height}")
    words = Words.of(prompt)
    scene, moods = _recognise(words)
    # Shapes are placed by the single words; only their style comes from the picture as a whole.
    theme = still.chief_word(words) if scene is still.abstract else prompt
    rng = _generator(theme, model, params)
    mood = mood_of(words, moods, rng)
    palette = palette_for(mood, words, rng)

    canvas = Canvas(*_canvas_size(width, height), rng)
    scene(canvas, palette, rng, words)
    _weather(canvas, palette, rng, words)
    picture = canvas.image
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return _marked(_grained(picture, rng))


def encode_png(image: Image.Image, text: Mapping[str, str] | None = None) -> bytes:
    """Encode a picture as PNG, quickly enough for 4K.

    Parameters
    ----------
    image
        The picture.
    text
        Notes to keep inside the file, such as the prompt.

    Returns
    -------
    bytes
        The file.
    """
    info = PngInfo()
    for key, value in (text or {}).items():
        clean = value.encode("utf-8", "replace").decode().replace("\0", "")
        info.add_itxt(key.encode("latin-1", "replace").decode("latin-1")[:79], clean)
    # Grain hardly compresses: beyond a small picture, more effort costs time and saves nothing.
    level = 6 if image.width * image.height <= 600_000 else 2  # noqa: PLR2004
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=level, pnginfo=info)
    return buffer.getvalue()


def size_for(ratio: str, resolution: str) -> tuple[int, int]:
    """Work out the size in pixels of a ratio at a resolution.

    Parameters
    ----------
    ratio
        Width to height, such as ``"9:16"``, or ``"auto"`` for a square.
    resolution
        ``"1K"``, ``"2K"`` or ``"4K"``: the side of a square of the same area, in 1024 pixels.

    Returns
    -------
    tuple[int, int]
        Width and height: even, exactly in the ratio, and as near to the area as that allows.

    Raises
    ------
    ValueError
        If the ratio or the resolution is not one of these.
    """
    thousands = {"1K": 1, "2K": 2, "4K": 4}.get(resolution.upper())
    if thousands is None:
        raise ValueError(f"Unknown resolution {resolution!r}: use 1K, 2K or 4K")
    found = re.fullmatch(r"([0-9]{1,4}):([0-9]{1,4})", "1:1" if ratio == "auto" else ratio)
    if found is None or "0" in (found[1].lstrip("0") or "0", found[2].lstrip("0") or "0"):
        raise ValueError(f"Unknown ratio {ratio!r}: use width:height, such as 9:16, or auto")
    across, down = int(found[1]), int(found[2])
    common = math.gcd(across, down)
    across, down = across // common, down // common
    area = (1024 * thousands) ** 2
    # One of the two is odd by now, so sides are even exactly when the step is.
    step = 2 * math.isqrt(area // (4 * across * down))
    best = min((step, step + 2), key=lambda k: abs(k * k * across * down - area) if k else math.inf)
    size = across * best, down * best
    if size[0] * size[1] > 4 * area:
        raise ValueError(f"The ratio {ratio!r} is too fine for {resolution}: use smaller numbers")
    return size


def _generator(theme: str, model: str, params: Mapping[str, object] | None) -> random.Random:
    known = json.dumps(params or {}, sort_keys=True, default=str)
    told = f"{model}\0{theme}\0{known}".encode("utf-8", "surrogatepass")
    return random.Random(int.from_bytes(hashlib.sha256(told).digest()))


def _recognise(words: Words) -> tuple[Scene, tuple[str, ...]]:
    """Find the scene that most words speak for; shapes alone if none do."""
    best: tuple[int, Scene, tuple[str, ...]] = (0, still.abstract, ("day",))
    for scene, moods, names, hints in _SCENES:
        named, hinted = words.found(names), words.found(hints)
        score = 3 * len(named) + len(hinted)
        # One everyday word ("a soft idea") makes no scene yet.
        if score > best[0] and not (score == 1 and hinted <= _VAGUE):
            best = (score, scene, moods)
    return best[1], best[2]


def _canvas_size(width: int, height: int) -> tuple[int, int]:
    """Choose the size to paint at: that of the picture, unless it is very small or very large."""
    area = width * height
    scale = math.sqrt(min(max(area, _LEAST_AREA), _MOST_AREA) / area)
    return max(8, round(width * scale)), max(8, round(height * scale))


def _weather(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Add what the prompt says falls or drifts through the air."""
    if words.has("rain", "rainy", "storm", "drizzle", "monsoon"):
        c.lay(c.everywhere().fade(0.5, 0.2, 0.4), mix(p.horizon, p.far, 0.5), 0.30)
        scenes.rain(c, rng, mix(p.sun, p.horizon, 0.5))
    if words.has("fog", "foggy", "mist", "haze", "hazy"):
        haze = mix(p.horizon, p.far, 0.25)
        scenes.mist(c, rng, c.h * 0.2, c.h * 0.92, haze, 0.36)
    if words.has("snowfall", "snowing", "blizzard", "snowy", "snowflake"):
        scenes.snowfall(c, rng)


def _grained(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Add a fine grain: it hides the steps of gradients and gives large pictures their detail."""
    tile = Image.blend(white_noise(rng, 512), white_noise(rng, 512), 0.5)
    fine = tile.point([128 + round((v - 128) / 22) for v in range(256)])
    grain = tiled(Image.merge("RGB", (fine, fine, fine)), *picture.size)
    return ImageChops.add(picture, grain, 1, -128)


def _marked(picture: Image.Image) -> Image.Image:
    """Write the sandbox's name into a corner, to be seen by those who look for it."""
    short = min(picture.size)
    font = ImageFont.load_default(max(8.0, min(short * 0.019, picture.width * 0.03)))
    left, top, right, bottom = font.getbbox(_MARK)
    margin = max(3, round(short * 0.022))
    x = max(0, round(picture.width - margin - (right - left)))
    y = max(0, round(picture.height - margin - (bottom - top)))
    corner = (x, y, picture.width, picture.height)
    bright = ImageStat.Stat(picture.crop(corner).convert("L")).mean[0] > 140  # noqa: PLR2004
    stencil = Image.new("L", (corner[2] - x, corner[3] - y))
    ImageDraw.Draw(stencil).text((-left, -top), _MARK, fill=110, font=font)
    picture.paste((20, 20, 30) if bright else (255, 255, 255), corner, stencil)
    return picture
