"""Words to colours: what a prompt says about hour, weather and hue, as a small harmony.

Colours are mixed in OKLab, where a blend of two hues stays as bright as it looks like it should;
mixing in RGB turns orange-to-blue skies grey. A palette is picked among a few hand-made ones for
the *mood* of the picture (the hour and the weather), then steered towards the colours the prompt
names, so that "a teal sunset" is teal but keeps the light and dark of a sunset.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

Colour = tuple[int, int, int]
Lch = tuple[float, float, float]

_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 400  # a prompt of 10,000 characters says all it has to say well before its end


@dataclass(frozen=True)
class Words:
    """The words of a prompt, in order and in lower case."""

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, prompt: str) -> Words:
        """Split a prompt into words, whatever the script."""
        plain = unicodedata.normalize("NFKC", prompt).casefold()
        return cls(tuple(_WORD.findall(plain)[:_MOST_WORDS]))

    def found(self, stems: Iterable[str]) -> set[str]:
        """Which of the stems the prompt contains, plural and -y, -ing, -ed forms included."""
        wanted = frozenset(stems)
        return {form for token in self.tokens for form in _forms(token) if form in wanted}

    def has(self, *stems: str) -> bool:
        """Whether the prompt contains any of the stems."""
        return bool(self.found(stems))


def _forms(token: str) -> Iterable[str]:
    yield token
    for ending in ("s", "es", "y", "ing", "ed"):
        if token.endswith(ending) and len(token) > len(ending) + 2:
            yield token[: -len(ending)]


@dataclass(frozen=True)
class Palette:
    """The colours of one picture, by what they are for."""

    sky: tuple[Colour, ...]  # from the zenith down to the horizon
    sun: Colour
    far: Colour  # the palest land
    near: Colour  # the darkest land
    accent: Colour
    dark: bool = False  # whether the scene is lit from within rather than by the sky

    @property
    def horizon(self) -> Colour:
        """The colour of the air just above the land."""
        return self.sky[-1]

    def land(self, depth: float) -> Colour:
        """Land seen through air: 0 is the horizon's haze, 1 the foreground."""
        return mix(self.far, self.near, depth)


def rgb(code: str) -> Colour:
    """Read a colour written as six hexadecimal digits."""
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def _palette(
    sky: str, sun: str, far: str, near: str, accent: str, *, dark: bool = False
) -> Palette:
    stops = tuple(rgb(code) for code in sky.split())
    return Palette(stops, rgb(sun), rgb(far), rgb(near), rgb(accent), dark)


MOODS: dict[str, tuple[Palette, ...]] = {
    "sunset": (
        _palette(
            "262a5c 5f3d82 b9507a f0785c ffb56b ffd998", "fff1c9", "9a4c78", "1a1838", "ff8a57"
        ),
        _palette("143c57 3f7482 a9a58a f0b46c f28a4b", "fff0c8", "b8654f", "10293a", "ff7c4a"),
        _palette("3f2f6d 84498c d96a8b ff9f8b ffd2a8", "fff3d6", "9d5688", "251c46", "ff9d7a"),
        _palette("f5dcae f6c583 f29c5f e8683f", "fff0cf", "b84a45", "2b2444", "d8402f"),
        _palette("2d1e4f 7a2e62 cf4450 f77f45 ffc15e", "fff0b8", "8e3557", "1c1230", "ffb04a"),
    ),
    "dawn": (
        _palette("6f95bf a9b9d6 e8c6cb fde0c4", "fffaf0", "a3a3c4", "2f3d5e", "f29a8e"),
        _palette("56689f 9c87bd eca7b4 ffdcbf", "fff6e4", "a386b0", "352f5c", "ff9f94"),
        _palette("7fb0b3 c3dac9 faebc8 fbcda2", "fffbea", "8fb3ac", "23474b", "f08a5d"),
    ),
    "day": (
        _palette("2a78b4 5fa8d3 a9d6e5 eaf0e0", "fffbe6", "8ab2c4", "17444e", "f4a259"),
        _palette("e8d8b8 f2e6cc faf2e0", "ee6c4d", "a5bcb0", "263442", "ee6c4d"),
        _palette("4a9c9c 93cbbd dcebd0 f6f1d8", "fffce8", "7fb3a0", "173f41", "f28f5b"),
        _palette("3b6fa8 7ea6cf c9d8e4 f8e8d8", "fffaf0", "9badc6", "22345a", "e9806e"),
    ),
    "dusk": (
        _palette("161d49 38437f 7f68a8 dd98a5 fbcdb0", "fff0dc", "6f69a6", "10142f", "ffb37e"),
        _palette("0d2740 2b5876 7b9fa8 efc9a3 f9dcb8", "fff4dd", "5c8096", "0a1a29", "f6a35c"),
        _palette("2a1f4a 5b3c78 a85d8c e88f8f ffc6a3", "fff0dd", "7c4f86", "170f2e", "ff9e80"),
    ),
    "night": (
        _palette("060a1e 101842 222f6b 46559a", "fbf3d9", "2b3a78", "05081a", "ffcd70", dark=True),
        _palette("03121b 092b3a 145263 3a8a8c", "eefaf0", "1d6070", "02090f", "ffc978", dark=True),
        _palette("100822 281250 542777 9a4d8b", "ffeede", "5a2f7d", "090516", "ff9f7a", dark=True),
    ),
    "mist": (
        _palette("b9c9c4 cfdad2 e6e9dc f3efe0", "fffdf4", "bccbc3", "17332f", "e39a6b"),
        _palette("a9b7cc c7d0de e2e4e6 f4ece2", "fffdf8", "b8c3d3", "1f2c48", "e59b86"),
        _palette("d8c3a5 e8d5b9 f3e6d0 faf1e2", "fffdf2", "d2bb9c", "37302c", "c96f4a"),
    ),
    "storm": (
        _palette("27343f 44545f 71818a a9b3b2 d2d0c4", "f4f1e2", "6f808a", "131c24", "e0a458"),
        _palette("23284a 454b74 787c9e b5b1bf dccfc9", "f6eee6", "6d7196", "11142b", "e58f7b"),
    ),
}

_MOOD_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("night", ("night", "midnight", "star", "starry", "moon", "moonlight", "moonlit", "nocturne")),
    ("sunset", ("sunset", "sundown", "golden")),
    ("dawn", ("sunrise", "dawn", "morning", "daybreak")),
    ("dusk", ("dusk", "evening", "twilight", "gloaming")),
    ("mist", ("mist", "fog", "foggy", "haze", "hazy")),
    ("storm", ("storm", "rain", "rainy", "thunder", "tempest", "drizzle", "monsoon")),
    ("day", ("day", "daylight", "noon", "midday", "sunny", "summer", "spring", "afternoon")),
)

# Hue in degrees, chroma, and how much lighter or darker the whole picture becomes.
_HUES: dict[str, Lch] = {
    "red": (0.0, 0.19, 27.0),
    "crimson": (-0.04, 0.18, 18.0),
    "scarlet": (0.0, 0.20, 30.0),
    "coral": (0.04, 0.15, 32.0),
    "orange": (0.02, 0.17, 55.0),
    "amber": (0.02, 0.15, 75.0),
    "gold": (0.02, 0.14, 85.0),
    "golden": (0.02, 0.13, 82.0),
    "yellow": (0.06, 0.16, 100.0),
    "lime": (0.04, 0.17, 122.0),
    "green": (0.0, 0.13, 145.0),
    "olive": (-0.03, 0.09, 112.0),
    "emerald": (-0.02, 0.13, 162.0),
    "mint": (0.08, 0.08, 168.0),
    "teal": (-0.02, 0.10, 192.0),
    "turquoise": (0.03, 0.11, 200.0),
    "cyan": (0.04, 0.12, 210.0),
    "blue": (0.0, 0.14, 250.0),
    "navy": (-0.13, 0.10, 262.0),
    "indigo": (-0.08, 0.14, 278.0),
    "violet": (-0.02, 0.15, 295.0),
    "purple": (-0.04, 0.16, 305.0),
    "lavender": (0.08, 0.09, 300.0),
    "magenta": (0.0, 0.19, 340.0),
    "pink": (0.05, 0.13, 0.0),
    "rose": (0.03, 0.12, 10.0),
    "brown": (-0.07, 0.07, 60.0),
    "sepia": (0.0, 0.05, 70.0),
}
# Lightness added and chroma multiplied.
_TONES: dict[str, tuple[float, float]] = {
    "black": (-0.14, 0.7),
    "dark": (-0.09, 0.9),
    "white": (0.09, 0.55),
    "bright": (0.03, 1.15),
    "grey": (0.0, 0.12),
    "gray": (0.0, 0.12),
    "silver": (0.05, 0.15),
    "monochrome": (0.0, 0.03),
    "monochromatic": (0.0, 0.35),
    "pastel": (0.07, 0.62),
    "pale": (0.07, 0.6),
    "muted": (0.0, 0.6),
    "vivid": (0.0, 1.3),
    "vibrant": (0.0, 1.3),
    "neon": (-0.05, 1.5),
}


def mood_of(words: Words, usual: Sequence[str], rng: random.Random) -> str:
    """Name the mood the words ask for, or one of the scene's usual moods."""
    choice = rng.choice(usual)
    return next((mood for mood, stems in _MOOD_WORDS if words.has(*stems)), choice)


def palette_for(mood: str, words: Words, rng: random.Random) -> Palette:
    """Pick a palette of a mood and steer it towards the colours the words name."""
    return steered(rng.choice(MOODS[mood]), words)


def colour_words(words: Words) -> list[Lch]:
    """List the hues named by a prompt, in its order."""
    named: dict[str, Lch] = {}
    for token in words.tokens:
        for form in _forms(token):
            if form in _HUES:
                named[form] = _HUES[form]
    return list(named.values())


def steered(palette: Palette, words: Words) -> Palette:
    """Turn a palette towards the named colours, keeping its lights and darks."""
    hues = colour_words(words)[:3]
    tones = [_TONES[word] for word in sorted(words.found(_TONES))]
    if not hues and not tones:
        return palette
    last = max(1, len(palette.sky) - 1)
    second = hues[1 % len(hues)] if hues else None
    first = hues[0] if hues else None
    alone = 0.3 if len(hues) == 1 else 0.85  # one hue rules; the light keeps its own for contrast

    def shift(colour: Colour, hue: Lch | None, pull: float) -> Colour:
        return _toned(_pulled(colour, hue, pull) if hue else colour, tones)

    sky = tuple(
        shift(colour, first if i < last * 0.6 else second, 0.85)
        for i, colour in enumerate(palette.sky)
    )
    return Palette(
        sky,
        shift(palette.sun, second, alone * 0.5),
        shift(palette.far, first, 0.85),
        shift(palette.near, first, 0.8),
        shift(palette.accent, hues[-1] if hues else None, alone),
        palette.dark,
    )


def recoloured(colours: Sequence[Colour], words: Words) -> list[Colour]:
    """Steer a plain list of colours; named hues take turns so that a harmony remains."""
    hues = colour_words(words)
    tones = [_TONES[word] for word in sorted(words.found(_TONES))]
    turned = []
    for i, colour in enumerate(colours):
        hue = hues[i % len(hues)] if hues else None
        turned.append(_toned(_pulled(colour, hue, 0.8) if hue else colour, tones))
    return turned


def _pulled(colour: Colour, hue: Lch, pull: float) -> Colour:
    lift, chroma, angle = hue
    light, old_chroma, old_angle = to_lch(colour)
    turn = (angle - old_angle + 180) % 360 - 180
    # Pale and near-black colours hold little chroma: asking for more would only clip.
    room = 1 - abs(2 * light - 1) ** 2
    new_chroma = old_chroma + (chroma * (0.35 + 0.65 * room) - old_chroma) * pull * 0.8
    return from_lch((light + lift * pull, new_chroma, old_angle + turn * pull))


def _toned(colour: Colour, tones: Sequence[tuple[float, float]]) -> Colour:
    light, chroma, angle = to_lch(colour)
    for lift, factor in tones:
        light, chroma = light + lift, chroma * factor
    return from_lch((light, chroma, angle))


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Blend two colours in OKLab; ``share`` 0 is the first, 1 the second."""
    a, b = _to_lab(one), _to_lab(other)
    return _from_lab(
        a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share
    )


def lift(colour: Colour, light: float, chroma: float = 1.0, turn: float = 0.0) -> Colour:
    """Lighten (or darken), saturate and turn a colour."""
    old_light, old_chroma, angle = to_lch(colour)
    return from_lch((old_light + light, old_chroma * chroma, angle + turn))


def along(stops: Sequence[Colour], at: float) -> Colour:
    """Read a colour from evenly spaced stops."""
    place = min(max(at, 0.0), 1.0) * (len(stops) - 1)
    i = min(int(place), len(stops) - 2) if len(stops) > 1 else 0
    return mix(stops[i], stops[min(i + 1, len(stops) - 1)], place - i)


def to_lch(colour: Colour) -> Lch:
    """Convert to lightness, chroma and hue angle."""
    light, a, b = _to_lab(colour)
    return light, math.hypot(a, b), math.degrees(math.atan2(b, a))


def from_lch(lch: Lch) -> Colour:
    """Convert from lightness, chroma and hue, giving up chroma a screen cannot show."""
    light, chroma, angle = min(max(lch[0], 0.02), 0.995), lch[1], math.radians(lch[2])
    for _ in range(24):
        linear = _linear(light, chroma * math.cos(angle), chroma * math.sin(angle))
        if all(-0.002 <= value <= 1.002 for value in linear):  # noqa: PLR2004 - rounding slack
            break
        chroma *= 0.9
    return _from_lab(light, chroma * math.cos(angle), chroma * math.sin(angle))


def luminance(colour: Colour) -> float:
    """How bright a colour looks, 0 to 1."""
    return _to_lab(colour)[0]


def _to_lab(colour: Colour) -> tuple[float, float, float]:
    r, g, b = (_decode(value / 255) for value in colour)
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _linear(light: float, a: float, b: float) -> tuple[float, float, float]:
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _from_lab(light: float, a: float, b: float) -> Colour:
    r, g, b = (round(255 * _encode(value)) for value in _linear(light, a, b))
    return r, g, b


def _decode(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004


def _encode(value: float) -> float:
    value = min(max(value, 0.0), 1.0)
    return value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055  # noqa: PLR2004
