"""A canvas of shapes, washes, glows and grain, fast because every stroke is a Pillow operation.

Shapes are polygons, drawn as a mask at two or three times the size and averaged down, which gives
smooth edges. A mask can fade, blur or break up into grain before colour is laid through it. Soft
things (gradients, clouds, glows) are computed small and enlarged. Random noise comes from the
picture's own generator, never from the clock.
"""

# Pictures are made of numbers, and brush strokes of many arguments.
# ruff: noqa: PLR0917, PLR2004

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from .palette import Colour, along

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

Point = tuple[float, float]
Polygon = list[Point]
Fill = Colour | list[Colour]

_TILE = 512
_STOPS = 192  # samples of a gradient; more would not be seen after enlarging


@dataclass(frozen=True)
class Mask:
    """Where, and how strongly, colour goes: a greyscale picture placed on the canvas."""

    image: Image.Image
    x: int
    y: int

    def curve(self, shape: Callable[[float], float]) -> Mask:
        """Bend the mask's values, 0 to 1, through a function."""
        table = [round(255 * min(max(shape(v / 255), 0.0), 1.0)) for v in range(256)]
        return replace(self, image=self.image.point(table))

    def times(self, other: Image.Image) -> Mask:
        """Keep the mask only where another picture is light."""
        return replace(self, image=ImageChops.multiply(self.image, other))

    def fade(self, *levels: float) -> Mask:
        """Fade from top to bottom through levels between 0 and 1."""
        return self.times(ramp(levels, *self.image.size))

    def fade_across(self, *levels: float) -> Mask:
        """Fade from left to right through levels between 0 and 1."""
        width, height = self.image.size
        return self.times(ramp(levels, height, width).transpose(Image.Transpose.ROTATE_90))

    def blur(self, radius: float) -> Mask:
        """Soften the mask; it should have been made with room around it."""
        # A wide blur has no detail to lose, so it is made on a small copy.
        step = max(1, int(radius / 4))
        size = self.image.size
        small = self.image.reduce(step) if step > 1 else self.image
        small = small.filter(ImageFilter.GaussianBlur(radius / step))
        return replace(self, image=small.resize(size, Image.Resampling.BICUBIC))


class Canvas:
    """A picture being painted, with its size and the unit that things are measured in.

    ``w`` and ``h`` are the sides. ``u`` is the unit for objects (a sun, a tree): the side of a
    square picture, and less of the long side the narrower the picture is.
    """

    def __init__(self, width: int, height: int, rng: random.Random) -> None:
        self.w, self.h = width, height
        self.u = min(math.sqrt(width * height), 1.5 * min(width, height))
        self.image = Image.new("RGB", (width, height))
        self._over = 3 if width * height <= 1_300_000 else 2  # speed over edges
        self._noise = white_noise(rng, _TILE)

    def wash(self, stops: Sequence[Colour], top: float = 0.0, bottom: float | None = None) -> None:
        """Cover the full width with a vertical gradient."""
        y0, y1 = round(top), round(self.h if bottom is None else bottom)
        if y1 > y0:
            self.image.paste(gradient(stops, self.w, y1 - y0), (0, y0))

    def shape(self, polygons: Iterable[Sequence[Point]], room: float = 0.0) -> Mask:
        """Make a mask of polygons, with room around them for a blur."""
        shapes = [polygon for polygon in polygons if len(polygon) > 2]
        xs = [x for polygon in shapes for x, _ in polygon] or [0.0]
        ys = [y for polygon in shapes for _, y in polygon] or [0.0]
        x0 = math.floor(max(min(xs) - room, -room - 1))
        y0 = math.floor(max(min(ys) - room, -room - 1))
        x1 = max(math.ceil(min(max(xs) + room, self.w + room + 1)), x0 + 1)
        y1 = max(math.ceil(min(max(ys) + room, self.h + room + 1)), y0 + 1)
        over = self._over
        big = Image.new("L", ((x1 - x0) * over, (y1 - y0) * over))
        draw = ImageDraw.Draw(big)
        for polygon in shapes:
            draw.polygon([((x - x0) * over, (y - y0) * over) for x, y in polygon], fill=255)
        return Mask(big.reduce(over), x0, y0)

    def everywhere(self) -> Mask:
        """Make a mask of the whole canvas."""
        return Mask(Image.new("L", (self.w, self.h), 255), 0, 0)

    def band(self, top: float, bottom: float) -> Mask:
        """Make a mask of the full width between two heights."""
        y0, y1 = round(top), max(round(bottom), round(top) + 1)
        return Mask(Image.new("L", (self.w, y1 - y0), 255), 0, y0)

    def stipple(self, mask: Mask, hardness: float = 3.0) -> Mask:
        """Break a soft mask up into grain, as a risograph prints its half-tones."""
        noise = tiled(self._noise, *mask.image.size)
        dots = ImageChops.add(mask.image, noise, 1, -128)
        return replace(mask, image=dots).curve(lambda v: (v - 0.5) * 2 * hardness)

    def lay(self, mask: Mask, fill: Fill, opacity: float = 1.0, how: str = "over") -> None:
        """Lay colour (or a top-to-bottom gradient) through a mask."""
        box = (
            max(mask.x, 0),
            max(mask.y, 0),
            min(mask.x + mask.image.width, self.w),
            min(mask.y + mask.image.height, self.h),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        size = mask.image.size
        ink = gradient(fill, *size) if isinstance(fill, list) else Image.new("RGB", size, fill)
        inner = (box[0] - mask.x, box[1] - mask.y, box[2] - mask.x, box[3] - mask.y)
        ink, stencil = ink.crop(inner), mask.image.crop(inner)
        if opacity < 1:
            stencil = stencil.point([round(v * opacity) for v in range(256)])
        if how == "multiply":
            ink = ImageChops.multiply(self.image.crop(box), ink)
        elif how == "screen":
            ink = ImageChops.screen(self.image.crop(box), ink)
        self.image.paste(ink, box, stencil)

    def glow(
        self,
        centre: Point,
        radius: float,
        colour: Colour,
        strength: float,
        power: float = 2.0,
        squash: float = 1.0,
        how: str = "over",
    ) -> None:
        """Light up the air around a point."""
        x, y = centre
        across, down = radius, radius * squash
        box = (
            max(math.floor(x - across), 0),
            max(math.floor(y - down), 0),
            min(math.ceil(x + across), self.w),
            min(math.ceil(y + down), self.h),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        source = (
            (box[0] - x + across) / across * 128,
            (box[1] - y + down) / down * 128,
            (box[2] - x + across) / across * 128,
            (box[3] - y + down) / down * 128,
        )
        source = (max(source[0], 0), max(source[1], 0), min(source[2], 256), min(source[3], 256))
        # Pillow's radial gradient reaches 255 in the corners; at the sides it is 181 (255 / √2).
        table = [round(255 * strength * max(0.0, 1 - v / 180) ** power) for v in range(256)]
        ball = Image.radial_gradient("L").point(table)
        size = (box[2] - box[0], box[3] - box[1])
        falloff = ball.resize(size, Image.Resampling.BICUBIC, box=source)
        self.lay(Mask(falloff, box[0], box[1]), colour, how=how)

    def clouds(self, rng: random.Random, across: int, down: int, octaves: int = 4) -> Image.Image:
        """Make soft noise as large as the canvas, with so many blotches across and down."""
        return soft_noise(rng, across, down, octaves).resize(
            (self.w, self.h), Image.Resampling.BICUBIC
        )

    def mirror(self, line: float, depth: float, tint: Fill, tinting: float, blur: float) -> None:
        """Reflect what is above a line into what is below it, squeezed into a depth."""
        y, height = round(line), max(1, round(depth))
        height = min(height, self.h - y)
        above = self.image.crop((0, max(0, y - round(depth * 1.25)), self.w, y))
        below = ImageOps.flip(above).resize((self.w, height), Image.Resampling.BILINEAR)
        if blur > 0:
            # Water smears what it mirrors downwards more than sideways.
            thin = below.resize((self.w, max(2, int(height / max(1.0, blur)))))
            thin = thin.filter(ImageFilter.GaussianBlur(1))
            below = thin.resize((self.w, height), Image.Resampling.BICUBIC)
        self.image.paste(below, (0, y))
        self.lay(self.band(y, y + height), tint, tinting)


def gradient(stops: Sequence[Colour], width: int, height: int) -> Image.Image:
    """Make a vertical gradient through evenly spaced colours."""
    column = Image.new("RGB", (1, _STOPS))
    column.putdata([along(stops, i / (_STOPS - 1)) for i in range(_STOPS)])
    tall = column.resize((1, height), Image.Resampling.BICUBIC)
    return tall.resize((width, height), Image.Resampling.NEAREST)


def ramp(levels: Sequence[float], width: int, height: int) -> Image.Image:
    """Make a vertical ramp through evenly spaced levels between 0 and 1."""
    column = Image.new("L", (1, _STOPS))
    last = len(levels) - 1
    values = []
    for i in range(_STOPS):
        place = i / (_STOPS - 1) * last
        left = min(int(place), max(last - 1, 0))
        share = place - left
        share = share * share * (3 - 2 * share)  # eased, or the stops show as lines
        value = levels[left] + (levels[min(left + 1, last)] - levels[left]) * share
        values.append(round(255 * value))
    column.putdata(values)
    tall = column.resize((1, height), Image.Resampling.BICUBIC)
    return tall.resize((width, height), Image.Resampling.NEAREST)


def white_noise(rng: random.Random, side: int) -> Image.Image:
    """Make a square of even noise."""
    return Image.frombytes("L", (side, side), rng.randbytes(side * side))


def soft_noise(rng: random.Random, across: int, down: int, octaves: int = 4) -> Image.Image:
    """Make a small picture of smooth, cloud-like noise, stretched to its full contrast."""
    size = (384, 384)
    total: Image.Image | None = None
    for octave in reversed(range(octaves)):
        cells = (
            min(max(2, across * 2**octave), size[0]),
            min(max(2, down * 2**octave), size[1]),
        )
        noise = Image.frombytes("L", cells, rng.randbytes(cells[0] * cells[1]))
        smooth = noise.resize(size, Image.Resampling.BICUBIC)
        # The coarser a layer, the later and the heavier it goes in: half as much a step finer.
        total = smooth if total is None else Image.blend(total, smooth, 0.5)
    if total is None:
        raise ValueError("noise needs at least one octave")
    return ImageOps.autocontrast(total, cutoff=1)


def tiled(tile: Image.Image, width: int, height: int) -> Image.Image:
    """Repeat a tile over a larger area."""
    full = Image.new(tile.mode, (width, height))
    for y in range(0, height, tile.height):
        for x in range(0, width, tile.width):
            full.paste(tile, (x, y))
    return full


def disc(x: float, y: float, across: float, down: float | None = None) -> Polygon:
    """Outline an ellipse."""
    down = across if down is None else down
    steps = 120
    turns = (math.tau * i / steps for i in range(steps))
    return [(x + across * math.cos(t), y + down * math.sin(t)) for t in turns]


def box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    """Outline a rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def lens(x: float, y: float, half: float, thick: float, tilt: float = 0.0) -> Polygon:
    """Outline a long drop of light: pointed at both ends, flat, thickest in the middle."""
    top = []
    bottom = []
    for i in range(13):
        t = i / 6 - 1
        bulge = thick * (1 - t * t) ** 0.8
        top.append((x + half * t, y - bulge + tilt * half * t))
        bottom.append((x + half * t, y + bulge * 0.8 + tilt * half * t))
    return top + bottom[::-1]


def ribbon(spine: Sequence[Point], widths: Sequence[float]) -> Polygon:
    """Outline a stroke that follows a spine, as wide at each point as it is told."""
    left, right = [], []
    last = len(spine) - 1
    for i, (x, y) in enumerate(spine):
        ax, ay = spine[max(i - 1, 0)]
        bx, by = spine[min(i + 1, last)]
        length = math.hypot(bx - ax, by - ay) or 1.0
        place = i / max(last, 1) * (len(widths) - 1)
        k = min(int(place), max(len(widths) - 2, 0))
        after = widths[min(k + 1, len(widths) - 1)]
        half = (widths[k] + (after - widths[k]) * (place - k)) / 2
        nx, ny = -(by - ay) / length * half, (bx - ax) / length * half
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]


def smooth(points: Sequence[Point], steps: int = 10, *, closed: bool = False) -> Polygon:
    """Run a curve through points (Catmull-Rom)."""
    count = len(points)
    curve: Polygon = []
    for i in range(count if closed else count - 1):
        if closed:
            p0, p1, p2, p3 = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            p0, p1, p2, p3 = (points[min(max(i + k, 0), count - 1)] for k in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            curve.append(
                (_spline(p0[0], p1[0], p2[0], p3[0], t), _spline(p0[1], p1[1], p2[1], p3[1], t))
            )
    if not closed:
        curve.append(points[-1])
    return curve


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3
    )


def jagged(rng: random.Random, points: Sequence[Point], rough: float, rounds: int) -> Polygon:
    """Break a line into ever smaller random steps, as rock breaks."""
    line = list(points)
    for _ in range(rounds):
        finer: Polygon = [line[0]]
        for (ax, ay), (bx, by) in pairwise(line):
            reach = math.hypot(bx - ax, by - ay)
            shift = rng.uniform(-1, 1) * rough * reach
            slide = rng.uniform(0.4, 0.6)
            finer += [(ax + (bx - ax) * slide, ay + (by - ay) * slide + shift), (bx, by)]
        line = finer
    return line


def rolling(rng: random.Random, width: float, level: float, swing: float, waves: float) -> Polygon:
    """Run a calm, hill-like line across the canvas."""
    parts = [
        (waves * k * rng.uniform(0.8, 1.25), rng.uniform(0, math.tau), 0.62 ** (k - 1))
        for k in (1, 2, 3)
    ]
    scale = sum(weight for _, _, weight in parts)
    line = []
    for i in range(-2, 123):
        t = i / 120
        height = sum(weight * math.sin(freq * t * math.tau + turn) for freq, turn, weight in parts)
        line.append((width * t, level + swing * height / scale))
    return line
