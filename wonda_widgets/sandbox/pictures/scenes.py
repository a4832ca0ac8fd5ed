"""The scenes: one function each, from the far sky to the nearest leaf.

Every scene takes a canvas, a palette, the words of the prompt and the picture's own generator.
Positions are shares of the canvas, sizes are shares of its unit ``u``, and the number of random
draws never depends on the size in pixels, so a scene stays itself at every resolution.
"""

# Pictures are made of numbers, and brush strokes of many arguments.
# ruff: noqa: PLR0917, PLR2004

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image, ImageChops

from .canvas import (
    Canvas,
    Fill,
    Mask,
    Point,
    Polygon,
    box,
    disc,
    jagged,
    lens,
    ribbon,
    rolling,
    smooth,
    soft_noise,
)
from .palette import (
    Colour,
    Palette,
    Words,
    along,
    lift,
    luminance,
    mix,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_CREAM: Colour = (255, 246, 222)


# --- Air: what several scenes share --------------------------------------------------------------


def sky(c: Canvas, p: Palette, rng: random.Random, horizon: float) -> None:
    """Paint the air down to the horizon, a little uneven, as pigment is."""
    c.wash(p.sky, 0, horizon + 1)
    if horizon < c.h:
        c.wash([p.horizon, p.horizon], horizon)
    uneven = c.clouds(rng, 2, 5, 3)
    c.lay(c.everywhere().times(uneven), lift(p.sky[0], 0.08, 1.1), 0.10)


def sun(c: Canvas, p: Palette, at: Point, radius: float) -> None:
    """Paint the sun (or a moon) and the light it spreads."""
    warm = mix(p.accent, p.sun, 0.35)
    c.glow(at, radius * 8.5, warm, 0.34, 1.6)
    c.glow(at, radius * 4.2, mix(warm, p.sun, 0.5), 0.42, 2.0)
    c.glow(at, radius * 2.1, p.sun, 0.55, 1.6)
    body = c.shape([disc(*at, radius)])
    low = mix(p.sun, p.accent, 0.55)
    c.lay(body, [lift(p.sun, 0.03), p.sun, mix(p.sun, low, 0.5)])
    c.lay(c.stipple(body.fade(0, 0, 0.15, 0.55)), low, 0.55)


def moon(c: Canvas, p: Palette, at: Point, radius: float, rng: random.Random) -> None:
    """Paint a full moon with pale seas."""
    c.glow(at, radius * 7, mix(p.horizon, p.sun, 0.4), 0.30, 1.8)
    c.glow(at, radius * 2.6, p.sun, 0.30, 1.8)
    body = c.shape([disc(*at, radius)])
    c.lay(body, p.sun)
    seas = soft_patch(body, rng, 4)
    c.lay(seas.curve(lambda v: (v - 0.48) * 3), mix(p.sun, p.far, 0.5), 0.30)
    shade = c.stipple(body.fade_across(0, 0, 0.1, 0.6))
    c.lay(shade, mix(p.sun, p.far, 0.75), 0.55)


def soft_patch(mask: Mask, rng: random.Random, cells: int) -> Mask:
    """Mottle a mask."""
    return mask.times(soft_noise(rng, cells, cells, 4).resize(mask.image.size))


def stars(c: Canvas, rng: random.Random, floor: float, count: int, colour: Colour) -> None:
    """Scatter stars: many faint, a few bright, thinner towards the horizon."""
    faint: list[Polygon] = []
    bright: list[Polygon] = []
    for i in range(count):
        x, y = rng.random() * c.w, rng.random() ** 1.35 * floor
        size = c.u * (0.0008 + 0.0016 * rng.random() ** 4)
        if i % 14 == 0:
            bright.append(disc(x, y, size * 1.6)[::6])
            c.glow((x, y), size * 9, colour, 0.35, 3)
        else:
            faint.append(disc(x, y, size)[::10])
    c.lay(c.shape(faint), colour, 0.65)
    c.lay(c.shape(bright), lift(colour, 0.1))


def streaks(
    c: Canvas,
    p: Palette,
    rng: random.Random,
    reach: tuple[float, float],
    count: int,
    lit: Point,
    light: Colour,
) -> None:
    """Paint long, thin clouds, lit from below, flatter and closer together near the horizon."""
    top, bottom = reach
    for i in range(count):
        t = (i + rng.random()) / count
        y = top + (bottom - top) * (1 - (1 - t) ** 1.5)
        x = rng.uniform(-0.1, 1.1) * c.w
        half = c.u * rng.uniform(0.16, 0.46) * (1.2 - 0.4 * t)
        thick = c.u * rng.uniform(0.012, 0.027) * (1.3 - 0.95 * t)
        parts = []
        for k in range(rng.randint(2, 4)):
            dx, dy = rng.uniform(-0.5, 0.5) * half, k * thick * rng.uniform(0.5, 1.1)
            parts.append(_streak(rng, x + dx, y + dy, half * rng.uniform(0.45, 1.0), thick))
        near = math.exp(-math.dist((x, y), lit) / (0.62 * c.u))
        air = along(p.sky, y / max(bottom, 1))
        shade = mix(mix(p.far, p.sky[1], 0.5), air, 0.45 - 0.2 * near)
        belly = mix(mix(air, light, 0.45), light, near)
        c.lay(c.shape(parts), [shade, mix(shade, belly, 0.45), belly], 0.62 + 0.25 * near)


def _streak(rng: random.Random, x: float, y: float, half: float, thick: float) -> Polygon:
    """Outline a thin cloud: heaped a little above, nearly straight below."""
    turns = [rng.uniform(0, math.tau) for _ in range(3)]
    pace = rng.uniform(3.5, 8)
    above, below = [], []
    for i in range(41):
        t = i / 20 - 1
        body = (1 - t * t) ** 1.3
        heap = (
            0.6 + 0.2 * math.sin(pace * t + turns[0]) + 0.13 * math.sin(2.3 * pace * t + turns[1])
        )
        above.append((x + half * t, y - thick * body * heap))
        sag = 0.22 + 0.13 * math.sin(9 * t + turns[2])
        below.append((x + half * t, y + thick * body * sag))
    return above + below[::-1]


def veil(
    c: Canvas, rng: random.Random, top: float, bottom: float, colour: Colour, opacity: float
) -> None:
    """Drift thin, torn cloud across a band of sky."""
    noise = c.clouds(rng, 2, 11, 5)
    y0, y1 = round(max(top, 0)), round(min(bottom, c.h))
    if y1 <= y0:
        return
    mask = c.band(y0, y1).times(noise.crop((0, y0, c.w, y1)))
    c.lay(
        mask.curve(lambda v: ((v - 0.5) * 2.4) ** 1.4 if v > 0.5 else 0).fade(0, 1, 1, 0),
        colour,
        opacity,
    )


def bank(
    c: Canvas,
    rng: random.Random,
    at: Point,
    size: Point,
    colours: Sequence[Colour],
    lit: Point,
    opacity: float = 1.0,
) -> None:
    """Pile up a bank of cloud: heaped above, its rim in the light, dissolving below."""
    (x, base), (width, height) = at, size
    light, shade = colours
    heaps, inner = [], []
    toward = math.atan2(lit[1] - base, lit[0] - x)
    for _ in range(44):
        t = rng.uniform(-1, 1)
        swell = (1 - t * t) ** 0.8 * (0.72 + 0.28 * math.sin(5 * t + x))
        radius = height * rng.uniform(0.10, 0.21) * (0.4 + 0.6 * swell)
        cx, cy = x + t * width / 2, base - swell * height * rng.uniform(0.1, 0.8) ** 0.8
        heaps.append(disc(cx, cy, radius * 1.3, radius))
        shift = height * 0.035
        inner.append(
            disc(
                cx - shift * math.cos(toward),
                cy + shift * abs(math.sin(toward)) + shift,
                radius * 1.3,
                radius,
            )
        )
    core = lens(x, base, width * 0.56, height * 0.52)
    whole = c.shape([*heaps, core])
    c.lay(whole.fade(1, 1, 0.9, 0), light, opacity)
    body = c.shape([*inner, core])
    c.lay(body.fade(0.9, 0.85, 0.5, 0), [mix(shade, light, 0.45), mix(shade, light, 0.1)], opacity)


def mist(
    c: Canvas, rng: random.Random, top: float, bottom: float, colour: Colour, opacity: float
) -> None:
    """Let mist lie in a valley: thickest low, torn above."""
    y0, y1 = round(max(top, 0)), round(min(bottom, c.h))
    if y1 - y0 < 2:
        return
    torn = (
        c.clouds(rng, 3, 7, 3)
        .crop((0, y0, c.w, y1))
        .point([round(255 * (0.45 + 0.55 * v / 255)) for v in range(256)])
    )
    c.lay(c.band(y0, y1).fade(0, 0.5, 1, 0.8, 0).times(torn), colour, opacity)


def rain(c: Canvas, rng: random.Random, colour: Colour) -> None:
    """Draw slanting rain, near drops longer and clearer than far ones."""
    for count, length, width, opacity in ((260, 0.05, 0.0010, 0.20), (90, 0.11, 0.0018, 0.26)):
        drops = []
        for _ in range(count):
            x, y = rng.uniform(-0.1, 1.1) * c.w, rng.uniform(-0.1, 1.0) * c.h
            reach = c.u * length * rng.uniform(0.6, 1.3)
            girth = c.u * width
            drops.append(
                [
                    (x, y),
                    (x + girth, y),
                    (x + girth - reach * 0.22, y + reach),
                    (x - reach * 0.22, y + reach),
                ]
            )
        c.lay(c.shape(drops), colour, opacity)


def snowfall(c: Canvas, rng: random.Random) -> None:
    """Let snow fall, a few flakes near and out of focus."""
    flakes = [
        disc(rng.random() * c.w, rng.random() * c.h, c.u * (0.0012 + 0.003 * rng.random() ** 3))[
            ::8
        ]
        for _ in range(260)
    ]
    c.lay(c.shape(flakes), (255, 255, 255), 0.75)
    for _ in range(16):
        at = (rng.random() * c.w, rng.random() * c.h)
        c.glow(at, c.u * rng.uniform(0.008, 0.018), (255, 255, 255), 0.55, 0.8)


def flock(c: Canvas, rng: random.Random, at: Point, count: int, size: float, ink: Colour) -> None:
    """Let birds cross the sky in a loose line."""
    birds: list[Polygon] = []
    for i in range(count):
        place = i - count / 2
        x = at[0] + size * (2.1 * place + rng.uniform(-0.8, 0.8))
        y = at[1] + size * (abs(place) * 0.7 + rng.uniform(-0.9, 0.9))
        span = size * rng.uniform(0.65, 1.1)
        beat = rng.uniform(0.22, 0.5)
        tilt = rng.uniform(-0.2, 0.2)
        for side in (-1, 1):
            wing = smooth(
                [
                    (x, y),
                    (x + side * span * 0.42, y - span * (beat + side * tilt)),
                    (x + side * span, y - span * (beat * 0.55 + side * tilt)),
                ],
                6,
            )
            birds.append(ribbon(wing, [span * 0.15, span * 0.13, span * 0.01]))
    c.lay(c.shape(birds), ink, 0.9)


# --- Land --------------------------------------------------------------------------------------


def land(c: Canvas, line: Polygon, fill: Fill, floor: float | None = None) -> Mask:
    """Fill the land below a line."""
    bottom = c.h + 2 if floor is None else floor
    mask = c.shape([[*line, (line[-1][0], bottom), (line[0][0], bottom)]])
    c.lay(mask, fill)
    return mask


def pine(rng: random.Random, x: float, y: float, height: float) -> Polygon:
    """Outline a pine, standing at (x, y), its boughs uneven and hanging as they grow."""
    half = height * rng.uniform(0.13, 0.19)
    tiers = rng.randint(11, 15)
    sides: tuple[Polygon, Polygon] = ([], [])
    for side, points in zip((-1, 1), sides, strict=True):
        for i in range(1, tiers + 1):
            t = (i + rng.uniform(-0.25, 0.25)) / tiers
            reach = half * t**0.9 * rng.uniform(0.62, 1.15)
            down = y - height * (1 - 0.92 * t)
            points.append((x + side * reach * 0.62, down - height * 0.012))
            points.append((x + side * reach, down + height * rng.uniform(0.004, 0.026)))
            points.append((x + side * reach * 0.36, down - height * 0.004))
    trunk = height * 0.014
    foot = [
        (x + trunk, y - height * 0.06),
        (x + trunk, y + height * 0.05),
        (x - trunk, y + height * 0.05),
        (x - trunk, y - height * 0.06),
    ]
    return [(x, y - height), *sides[1], *foot, *sides[0][::-1]]


def wood(c: Canvas, rng: random.Random, line: Polygon, height: float, count: int) -> list[Polygon]:
    """Grow a row of pines along a line."""
    trees = []
    for i in range(count):
        x = (i + rng.uniform(-0.2, 1.2)) / count * c.w
        y = height_at(line, x)
        trees.append(pine(rng, x, y + height * 0.05, height * rng.uniform(0.45, 1.1)))
    return trees


def height_at(line: Polygon, x: float) -> float:
    """Read the height of a line that runs from left to right."""
    for (ax, ay), (bx, by) in pairwise(line):
        if ax <= x <= bx:
            return ay + (by - ay) * ((x - ax) / (bx - ax or 1))
    return line[0][1] if x < line[0][0] else line[-1][1]


def leaf(at: Point, angle: float, length: float, girth: float) -> tuple[Polygon, Polygon]:
    """Outline a leaf and its shaded half."""
    dx, dy = math.cos(angle), math.sin(angle)
    left: Polygon = []
    right: Polygon = []
    rib: Polygon = []
    for i in range(15):
        t = i / 14
        bend = 0.10 * length * math.sin(t * math.pi * 0.9)
        x = at[0] + dx * length * t - dy * bend
        y = at[1] + dy * length * t + dx * bend
        half = girth * math.sin(math.pi * t**0.8) ** 0.85 if 0 < t < 1 else 0.0
        left.append((x - dy * half, y + dx * half))
        right.append((x + dy * half, y - dx * half))
        rib.append((x, y))
    return left + right[::-1], left + rib[::-1]


# --- Water -------------------------------------------------------------------------------------


def water(
    c: Canvas, p: Palette, rng: random.Random, horizon: float, light: Point, radius: float
) -> None:
    """Paint water that mirrors the sky, glitters under the light and darkens towards us."""
    depth = c.h - horizon
    deep = mix(p.near, p.sky[0], 0.35)
    stops = [
        mix(p.horizon, p.sky[-2], 0.35),
        mix(p.sky[-2], p.far, 0.45),
        mix(p.sky[len(p.sky) // 2], deep, 0.45),
        deep,
        mix(deep, p.near, 0.55),
    ]
    c.mirror(horizon, depth, stops, 0.70, 5)
    c.lay(
        c.shape(
            [disc(light[0], horizon + depth * 0.42, radius * 1.5, depth * 0.62)], c.u * 0.18
        ).blur(c.u * 0.05),
        mix(p.sun, p.accent, 0.45),
        0.30,
    )
    bright, mid, dark = _ripples(c, rng, horizon, light[0], radius)
    c.lay(c.shape(dark), mix(deep, p.near, 0.4), 0.34)
    c.lay(c.shape(mid), mix(p.horizon, p.accent, 0.35), 0.34)
    c.lay(c.shape(bright).fade(1, 0.95, 0.8, 0.55), [p.sun, mix(p.sun, p.accent, 0.5)], 0.92)
    c.lay(c.band(horizon - 1, horizon + max(c.u * 0.02, 2)).fade(0.9, 0.25, 0), p.sun, 0.35)


def _ripples(
    c: Canvas, rng: random.Random, horizon: float, x: float, radius: float
) -> tuple[list[Polygon], list[Polygon], list[Polygon]]:
    """Place glints under the light, and lighter and darker ripples all over the water."""
    depth = c.h - horizon
    bright: list[Polygon] = []
    mid: list[Polygon] = []
    dark: list[Polygon] = []
    for i in range(190):
        t = ((i + rng.random()) / 190) ** 1.6
        spread = radius * (0.42 + 1.15 * t)
        reach = c.u * (0.012 + 0.065 * t) * rng.uniform(0.35, 1.3)
        girth = c.u * (0.0010 + 0.0030 * t) * rng.uniform(0.6, 1.2)
        bright.append(lens(x + rng.gauss(0, 0.5) * spread, horizon + depth * t, reach, girth))
    for i in range(220):
        t = ((i + rng.random()) / 220) ** 1.9
        reach = c.u * (0.020 + 0.15 * t) * rng.uniform(0.4, 1.3)
        girth = c.u * (0.0007 + 0.0034 * t) * rng.uniform(0.5, 1.2)
        ripple = lens(rng.uniform(-0.05, 1.05) * c.w, horizon + depth * t, reach, girth)
        (dark if i % 3 else mid).append(ripple)
    return bright, mid, dark


def sailboat(c: Canvas, p: Palette, rng: random.Random, at: Point, size: float) -> None:
    """Set a small sailing boat on the water, its sails catching the light."""
    x, y = at
    ink = mix(p.near, p.far, 0.08)
    side = rng.choice((-1, 1))
    hull = smooth(
        [
            (x - size * 0.34, y - size * 0.07),
            (x - size * 0.2, y + size * 0.015),
            (x + size * 0.22, y + size * 0.015),
            (x + size * 0.42, y - size * 0.09),
        ],
        8,
    )
    main = [
        (x + side * size * 0.02, y - size),
        *smooth(
            [
                (x + side * size * 0.03, y - size),
                (x + side * size * 0.22, y - size * 0.5),
                (x + side * size * 0.31, y - size * 0.13),
            ],
            8,
        ),
        (x + side * size * 0.03, y - size * 0.11),
    ]
    jib = [
        *smooth(
            [
                (x - side * size * 0.02, y - size * 0.9),
                (x - side * size * 0.11, y - size * 0.46),
                (x - side * size * 0.30, y - size * 0.12),
            ],
            8,
        ),
        (x - side * size * 0.04, y - size * 0.11),
    ]
    mirrored = [
        [(px, 2 * y - py * 1.0 + (py - y) * 0.35) for px, py in part] for part in (hull, main, jib)
    ]
    c.lay(c.shape(mirrored, c.u * 0.01).blur(c.u * 0.003).fade(0.85, 0.5, 0.1), ink, 0.55)
    c.lay(c.shape([main]), [mix(p.sun, p.accent, 0.15), mix(p.sun, p.far, 0.5)])
    c.lay(c.shape([jib]), [mix(p.sun, p.far, 0.35), mix(p.far, p.near, 0.3)])
    mast = box(x - size * 0.008, y - size * 1.03, x + size * 0.008, y - size * 0.05)
    c.lay(c.shape([hull, mast]), ink)


def sea(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint the sea: a low light, layered sky, far land, and its long reflection."""
    horizon = c.h * rng.uniform(0.56, 0.64)
    radius = c.u * rng.uniform(0.085, 0.125)
    x = c.w * rng.choice((rng.uniform(0.30, 0.42), rng.uniform(0.58, 0.70)))
    y = horizon - radius * rng.uniform(0.35, 1.9)
    if p.dark:
        y = horizon - c.h * rng.uniform(0.22, 0.36)
    cloud = mix(mix(p.sun, p.accent, 0.4), p.horizon, 0.25)
    shade = mix(p.far, p.sky[1], 0.45)

    sky(c, p, rng, horizon)
    if p.dark:
        stars(c, rng, horizon * 0.9, 240, p.sun)
    veil(c, rng, 0, horizon * 0.75, mix(p.sky[2], cloud, 0.35), 0.45)
    if p.dark:
        moon(c, p, (x, y), radius * 0.8, rng)
    else:
        sun(c, p, (x, y), radius)
    far_side = 1 if x < c.w / 2 else -1
    bank(
        c,
        rng,
        (c.w * (0.5 + far_side * rng.uniform(0.3, 0.46)), horizon + c.u * 0.02),
        (c.u * rng.uniform(0.7, 1.0), c.u * rng.uniform(0.15, 0.26)),
        (mix(cloud, p.horizon, 0.3), mix(shade, p.horizon, 0.35)),
        (x, y),
    )
    bank(
        c,
        rng,
        (c.w * (0.5 - far_side * rng.uniform(0.42, 0.56)), horizon + c.u * 0.02),
        (c.u * rng.uniform(0.4, 0.7), c.u * rng.uniform(0.08, 0.13)),
        (mix(cloud, p.horizon, 0.5), mix(shade, p.horizon, 0.5)),
        (x, y),
    )
    streaks(c, p, rng, (horizon * 0.12, horizon * 0.97), 17, (x, y), cloud)

    headlands(c, p, rng, horizon, far_side)
    water(c, p, rng, horizon, (x, y), radius)
    shores(c, p, rng, horizon, far_side)
    if words.has("sail", "sailboat", "boat", "ship", "yacht", "regatta") or rng.random() < 0.3:
        place = c.w * (0.5 + far_side * rng.uniform(0.08, 0.2))
        sailboat(c, p, rng, (place, horizon + (c.h - horizon) * 0.16), c.u * 0.17)
    if words.has("beach", "shore", "sand", "coast"):
        beach(c, p, rng, horizon)
    elif rng.random() < 0.75:
        foreland(c, p, rng, -far_side)
    if words.has("bird", "gull", "seagull") or rng.random() < 0.6:
        flock(
            c,
            rng,
            (c.w * (0.5 + far_side * 0.16), horizon * rng.uniform(0.42, 0.6)),
            rng.randint(5, 8),
            c.u * 0.017,
            mix(p.near, p.far, 0.2),
        )


def _cape(
    rng: random.Random,
    c: Canvas,
    side: int,
    level: float,
    reach: float,
    height: float,
) -> Polygon:
    """Outline land that enters from one side and sinks into the water."""
    edge = -0.02 * c.w if side < 0 else 1.02 * c.w
    tip = edge - side * reach
    crest = [
        (edge, level - height),
        (edge - side * reach * 0.35, level - height * 0.72),
        (edge - side * reach * 0.7, level - height * 0.26),
        (tip, level),
    ]
    line = jagged(rng, crest, 0.10, 5)
    return [*line, (edge, level)]


def headlands(c: Canvas, p: Palette, rng: random.Random, horizon: float, side: int) -> None:
    """Lay far land along the horizon, paler the farther away."""
    plans = ((side, 0.95, 0.060, 0.12), (-side, 0.5, 0.036, 0.22), (side, 0.52, 0.082, 0.42))
    for where, reach, height, depth in plans:
        cape = _cape(
            rng,
            c,
            where,
            horizon + 1,
            c.w * reach * rng.uniform(0.7, 1.05),
            c.u * height * rng.uniform(0.8, 1.4),
        )
        tone = p.land(depth)
        c.lay(c.shape([cape]), [tone, mix(tone, p.horizon, 0.35)])


def shores(c: Canvas, p: Palette, rng: random.Random, horizon: float, side: int) -> None:
    """Darken the water under the nearest land."""
    edge = -0.02 * c.w if side < 0 else 1.02 * c.w
    parts = [
        lens(
            edge - side * c.w * rng.uniform(0, 0.3),
            horizon + c.u * 0.005 * (i + 0.5),
            c.w * rng.uniform(0.1, 0.3),
            c.u * 0.0024,
        )
        for i in range(9)
    ]
    c.lay(c.shape(parts), p.land(0.45), 0.5)


def foreland(c: Canvas, p: Palette, rng: random.Random, side: int) -> None:
    """Frame the view with a dark slope, grass and a few pines, on one side below."""
    edge = -0.03 * c.w if side < 0 else 1.03 * c.w
    reach = min(c.w * rng.uniform(0.55, 0.8), c.u * 1.1)
    high = c.u * rng.uniform(0.12, 0.2)
    line = smooth(
        [
            (edge, c.h - high),
            (edge - side * reach * 0.3, c.h - high * 0.8),
            (edge - side * reach * 0.65, c.h - high * 0.32),
            (edge - side * reach, c.h + c.u * 0.01),
        ],
        12,
    )
    ground = sorted(line)
    trees = []
    for i in range(rng.randint(3, 5)):
        x = edge - side * reach * (0.06 + 0.12 * i + rng.uniform(0, 0.05))
        trees.append(
            pine(
                rng,
                x,
                height_at(ground, x) + c.u * 0.012,
                c.u * rng.uniform(0.14, 0.33) * (1 - 0.1 * i),
            )
        )
    blades = []
    for _ in range(120):
        x = edge - side * reach * rng.random()
        y = height_at(ground, x)
        tall = c.u * rng.uniform(0.008, 0.034)
        lean = rng.uniform(-0.4, 0.4) * tall
        blades.append([(x - c.u * 0.0012, y + 3), (x + lean, y - tall), (x + c.u * 0.0012, y + 3)])
    slope = [*line, (edge, c.h + c.u * 0.1)]
    c.lay(c.shape([slope, *trees, *blades]), [mix(p.near, p.far, 0.07), lift(p.near, -0.03)])


def beach(c: Canvas, p: Palette, rng: random.Random, horizon: float) -> None:
    """Bring the water to an end on sand, in lines of foam."""
    depth = c.h - horizon
    sand = mix(mix(p.horizon, p.near, 0.42), (214, 170, 130), 0.25)
    level = c.h - depth * 0.24
    edge = rolling(rng, c.w, level, c.u * 0.022, 0.8)
    for i in range(3):
        sway = rng.uniform(0, math.tau)
        line = [
            (x, y + depth * 0.05 * i + c.u * 0.007 * math.sin(sway + 5 * x / c.w)) for x, y in edge
        ]
        foam = [*line, *[(x, y + c.u * (0.011 - 0.002 * i)) for x, y in reversed(line)]]
        c.lay(
            c.shape([[*line, (c.w * 1.05, c.h + 2), (-c.w * 0.05, c.h + 2)]]),
            [mix(sand, p.sky[-2], 0.45 - 0.2 * i), mix(sand, p.near, 0.25)],
            0.55 if i < 2 else 1.0,
        )
        c.lay(c.shape([foam]), mix(p.sun, (255, 255, 255), 0.4), 0.75 - 0.1 * i)


# --- Mountains ------------------------------------------------------------------------------------


def _range(
    c: Canvas,
    p: Palette,
    rng: random.Random,
    base: float,
    height: float,
    peaks: int,
    depth: float,
    sun_side: int,
    snow: float,
) -> None:
    """Raise a range of mountains, lit from one side, snow on its tops."""
    spots: list[Point] = [(-0.08 * c.w, base - height * rng.uniform(0.25, 0.5))]
    tops: list[Point] = []
    main = rng.randrange(peaks)
    for i in range(peaks):
        x = c.w * (i + rng.uniform(0.3, 0.7)) / peaks
        rise = 1.0 if i == main else rng.uniform(0.45, 0.8)
        tops.append((x, base - height * rise))
        spots.append(tops[-1])
        spots.append((c.w * (i + 1) / peaks, base - height * rise * rng.uniform(0.28, 0.5)))
    line = jagged(rng, spots, 0.13, 5)
    tone = p.land(depth)
    lit = mix(lift(tone, 0.05), p.sun, 0.16 + 0.12 * (1 - depth))
    body = land(c, line, [lit, mix(lit, tone, 0.6), mix(tone, p.horizon, 0.3)], base + c.u * 0.02)

    shades, caps = [], []
    for top in tops:
        i = min(range(len(line)), key=lambda k: math.dist(line[k], top))
        shades.append(_flank(rng, line, i, sun_side, base))
        if snow > 0 and base - top[1] > height * 0.5:
            level = top[1] + (base - top[1]) * snow
            caps.append(_cap(rng, line, i, level))
    dark = mix(tone, p.near, 0.40 + 0.15 * depth)
    shade = c.shape(shades)
    both = ImageChops.multiply(shade.image, _part(body, shade))
    c.lay(Mask(both, shade.x, shade.y).fade(1, 0.85, 0.45, 0), dark, 0.72)
    if caps:
        white = mix(lift(p.sun, 0.04, 0.6), (255, 255, 255), 0.35)
        cap = c.shape(caps)
        c.lay(cap, [white, mix(white, lit, 0.12)], 0.95)
        c.lay(shade.times(_part(cap, shade)), mix(mix(white, p.far, 0.62), p.sky[0], 0.25), 0.85)


def _part(mask: Mask, like: Mask) -> Image.Image:
    """Cut the piece of a mask that lies under another."""
    x, y = like.x - mask.x, like.y - mask.y
    return mask.image.crop((x, y, x + like.image.width, y + like.image.height))


def _flank(rng: random.Random, line: Polygon, top: int, side: int, base: float) -> Polygon:
    """Outline the side of a peak that lies in its own shade."""
    step = -side
    ridge = [line[top]]
    i = top
    apex = line[top]
    while 0 <= i + step < len(line) and line[i + step][1] < base:
        i += step
        ridge.append(line[i])
        if abs(i - top) > 30 and line[i][1] < line[i - step][1] - (base - apex[1]) * 0.05:
            break
    tall = base - apex[1]
    foot = (apex[0] + step * tall * 0.10, base)
    spine = jagged(
        rng,
        [
            foot,
            (apex[0] + step * tall * 0.22, apex[1] + tall * 0.62),
            (apex[0] - step * tall * 0.03, apex[1] + tall * 0.34),
            apex,
        ],
        0.22,
        3,
    )
    return [*ridge, *spine]


def _cap(rng: random.Random, line: Polygon, top: int, level: float) -> Polygon:
    """Outline the snow of a peak, running down in tongues."""
    left = right = top
    while left > 0 and line[left - 1][1] < level:
        left -= 1
    while right < len(line) - 1 and line[right + 1][1] < level:
        right += 1
    ridge = line[left : right + 1]
    (x0, y0), (x1, y1) = ridge[0], ridge[-1]
    tall = level - line[top][1]
    spots = sorted(rng.uniform(0.04, 0.96) for _ in range(12))
    tongues = [(x1, y1)]
    for i, t in enumerate(spots):
        drop = tall * (rng.uniform(0.05, 0.34) if i % 2 else -rng.uniform(0.08, 0.36))
        tongues.append((x1 + (x0 - x1) * t, y1 + (y0 - y1) * t + drop * math.sin(math.pi * t)))
    return [*ridge, *jagged(rng, [*tongues, (x0, y0)], 0.16, 2)]


def mountains(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint mountains: ranges behind ranges, mist in the valleys, a wood or a lake in front."""
    lake = words.has("lake", "river", "water", "reflection", "fjord") or rng.random() < 0.4
    shore = c.h * (rng.uniform(0.66, 0.72) if lake else 0.86)
    scale = min(c.u, shore * 1.4)  # peaks must not leave a wide picture
    side = rng.choice((-1, 1))
    at = (c.w * (0.5 + side * rng.uniform(0.12, 0.3)), c.h * rng.uniform(0.17, 0.27))
    snow = (
        rng.uniform(0.34, 0.5)
        if words.has("snow", "alps", "alpine", "winter", "ice", "peak") or rng.random() < 0.7
        else 0.0
    )
    cloud = mix(p.sun, p.horizon, 0.35)

    sky(c, p, rng, shore)
    if p.dark:
        stars(c, rng, shore * 0.8, 260, p.sun)
        moon(c, p, at, c.u * rng.uniform(0.045, 0.07), rng)
    else:
        sun(c, p, at, c.u * rng.uniform(0.055, 0.085))
    veil(c, rng, 0, shore * 0.6, mix(p.horizon, p.sun, 0.5), 0.5)
    streaks(c, p, rng, (shore * 0.2, shore * 0.62), 8, at, cloud)

    far = rolling(rng, c.w, shore - c.u * 0.30, c.u * 0.05, 1.4)
    land(c, jagged(rng, [*far[::8], far[-1]], 0.12, 4), [p.land(0.02), p.horizon], shore)
    mist(c, rng, shore - c.u * 0.34, shore, p.horizon, 0.5)
    _range(c, p, rng, shore, scale * rng.uniform(0.48, 0.60), 2, 0.26, side, snow)
    mist(c, rng, shore - c.u * 0.26, shore + c.u * 0.04, mix(p.horizon, p.sun, 0.25), 0.85)
    _range(c, p, rng, shore, scale * rng.uniform(0.20, 0.28), 4, 0.48, side, 0)
    mist(c, rng, shore - c.u * 0.15, shore + c.u * 0.04, mix(p.horizon, p.far, 0.3), 0.7)
    line = rolling(rng, c.w, shore - c.u * 0.03, c.u * 0.025, 1.0)
    trees = wood(c, rng, line, c.u * 0.085, 70)
    tone = p.land(0.66)
    land(c, line, [tone, tone], shore + 1)
    c.lay(c.shape(trees), tone)
    if lake:
        still_water(c, p, rng, shore)
    else:
        meadow(c, p, rng, shore)
    near_wood(c, p, rng, -side)
    if words.has("bird", "eagle", "hawk", "crane") or rng.random() < 0.4:
        flock(c, rng, (c.w * (0.5 - side * 0.2), c.h * 0.24), 6, c.u * 0.015, p.land(0.7))


def still_water(c: Canvas, p: Palette, rng: random.Random, shore: float) -> None:
    """Mirror the land in a lake."""
    depth = c.h - shore
    c.mirror(shore, depth, [mix(p.far, p.sky[0], 0.4), mix(p.near, p.sky[0], 0.4)], 0.34, 3)
    pale: list[Polygon] = []
    dark: list[Polygon] = []
    for i in range(110):
        t = ((i + rng.random()) / 110) ** 1.7
        ripple = lens(
            rng.uniform(-0.05, 1.05) * c.w,
            shore + depth * t,
            c.u * (0.03 + 0.18 * t) * rng.uniform(0.4, 1.3),
            c.u * (0.0006 + 0.003 * t) * rng.uniform(0.5, 1.2),
        )
        (dark if i % 2 else pale).append(ripple)
    c.lay(c.shape(dark), p.land(0.75), 0.22)
    c.lay(c.shape(pale), mix(p.horizon, p.sun, 0.4), 0.34)
    c.lay(c.band(shore - 1, shore + max(2, c.u * 0.006)).fade(0.3, 1, 0), p.horizon, 0.7)


def meadow(c: Canvas, p: Palette, rng: random.Random, shore: float) -> None:
    """Roll hills from the foot of the mountains towards us."""
    for i in range(3):
        t = (i + 1) / 3
        level = shore + (c.h - shore) * (0.62 * t - 0.3)
        line = rolling(rng, c.w, level, c.u * 0.03, 0.7)
        tone = p.land(0.62 + 0.28 * t)
        mask = land(c, line, [mix(tone, p.accent, 0.14 * (1 - t) + 0.06), tone])
        c.lay(c.stipple(mask.fade(0.45, 0.1, 0, 0)), mix(tone, p.sun, 0.3), 0.5)


def near_wood(c: Canvas, p: Palette, rng: random.Random, side: int) -> None:
    """Frame the view with the tops of near pines, taller on one side."""
    trees = []
    for i in range(15):
        t = (i + rng.random()) / 15
        from_edge = t if side < 0 else 1 - t
        tall = c.u * (0.10 + 0.34 * max(0.0, 1 - from_edge * 2.2) ** 1.3) * rng.uniform(0.75, 1.2)
        trees.append(pine(rng, c.w * (t * 1.06 - 0.03), c.h + c.u * 0.05, tall + c.u * 0.04))
    c.lay(c.shape(trees), [mix(p.near, p.far, 0.10), lift(p.near, -0.02)])


# --- Forest -----------------------------------------------------------------------------------


def forest(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint a forest: rows of pines, each a step deeper in the mist."""
    side = rng.choice((-1, 1))
    at = (c.w * (0.5 + side * rng.uniform(0.05, 0.24)), c.h * rng.uniform(0.2, 0.32))
    sky(c, p, rng, c.h * 0.8)
    if p.dark:
        stars(c, rng, c.h * 0.5, 200, p.sun)
        moon(c, p, at, c.u * 0.075, rng)
    else:
        sun(c, p, at, c.u * rng.uniform(0.075, 0.11))
    veil(c, rng, 0, c.h * 0.5, mix(p.horizon, p.sun, 0.6), 0.5)
    hills = rolling(rng, c.w, c.h * 0.50, c.u * 0.07, 0.9)
    land(c, hills, [p.land(0.06), p.horizon], c.h * 0.75)
    haze = mix(p.horizon, p.sun, 0.22)
    rows = 6
    for i in range(rows):
        t = i / (rows - 1)
        level = c.h * (0.52 + 0.40 * t**1.15)
        tall = c.u * (0.11 + 0.46 * t**1.5)
        own = random.Random(rng.getrandbits(64))
        line = rolling(own, c.w, level, c.u * (0.035 + 0.02 * t), 0.8)
        count = max(4, round((58 - 46 * t**0.7) * max(1.0, c.w / c.u)))
        trees = wood(c, own, line, tall, count)
        tone = p.land(0.08 + 0.84 * t**1.2)
        slope = [*line, (c.w * 1.03, c.h + 2), (-c.w * 0.03, c.h + 2)]
        pale = mix(tone, haze, 0.5 * (1 - t))
        c.lay(c.shape([slope, *trees]), [tone, tone, mix(tone, pale, 0.7), pale])
        if i < rows - 1:
            mist(c, rng, level - tall * 0.55, level + c.h * 0.13, haze, 0.86 - 0.5 * t)
    if not p.dark:
        _beams(c, p, rng, at)
    _trunks(c, p, rng, -side)
    if words.has("bird") or rng.random() < 0.5:
        flock(c, rng, (c.w * (0.5 - side * 0.12), c.h * 0.26), 6, c.u * 0.014, p.land(0.6))


def _beams(c: Canvas, p: Palette, rng: random.Random, at: Point) -> None:
    """Let light fall through the trees."""
    beams = []
    for _ in range(5):
        angle = math.pi / 2 + rng.uniform(-0.75, 0.75)
        wide = rng.uniform(0.025, 0.06)
        reach = c.h * 1.1
        beams.append(
            [at]
            + [
                (at[0] + reach * math.cos(angle + turn), at[1] + reach * math.sin(angle + turn))
                for turn in (-wide, wide)
            ]
        )
    soft = c.shape(beams, c.u * 0.03).blur(c.u * 0.014).fade(0.2, 1, 0.6, 0.1, 0)
    c.lay(soft, p.sun, 0.24, how="screen")


def _trunks(c: Canvas, p: Palette, rng: random.Random, side: int) -> None:
    """Stand two or three near trunks at the edge, and undergrowth at our feet."""
    parts = []
    for i in range(3):
        x = c.w * (0.5 + side * (0.5 - 0.10 * i)) + c.u * rng.uniform(-0.02, 0.02)
        if i == 2:
            x = c.w * (0.5 - side * rng.uniform(0.44, 0.49))
        girth = c.u * rng.uniform(0.026, 0.05) * (1.25 - 0.3 * i)
        lean = c.u * rng.uniform(-0.03, 0.03)
        parts.append(
            ribbon(
                [(x, c.h * 1.02), (x + lean * 0.4, c.h * 0.5), (x + lean, -c.h * 0.03)],
                [girth * 1.35, girth * 0.95, girth * 0.75],
            )
        )
        for _ in range(7):
            t = rng.uniform(0.0, 0.6)
            way = rng.choice((-1, 1))
            reach = c.u * rng.uniform(0.05, 0.16)
            start = (x + lean * (1 - t), c.h * t)
            parts.append(
                ribbon(
                    smooth(
                        [
                            start,
                            (start[0] + way * reach * 0.5, start[1] + reach * 0.05),
                            (start[0] + way * reach, start[1] + reach * 0.3),
                        ],
                        6,
                    ),
                    [girth * 0.16, girth * 0.09, 1.0],
                )
            )
    for _ in range(46):
        x, tall = rng.random() * c.w, c.u * rng.uniform(0.03, 0.12)
        angle = -math.pi / 2 + rng.uniform(-0.7, 0.7)
        parts.append(leaf((x, c.h * 1.01), angle, tall, tall * 0.10)[0])
    c.lay(c.shape(parts), [mix(p.near, p.far, 0.06), lift(p.near, -0.04)])


# --- City ---------------------------------------------------------------------------------------


def city(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint a city across the water, its windows lit, its light long on the surface."""
    quay = c.h * rng.uniform(0.68, 0.74)
    lit = p.dark or luminance(p.sky[0]) < 0.45
    scale = min(c.u, quay * 1.3)
    at = (c.w * rng.uniform(0.2, 0.8), quay - scale * rng.uniform(0.5, 0.62))
    glow = mix(p.accent, p.horizon, 0.45)
    sky(c, p, rng, quay)
    if p.dark:
        stars(c, rng, quay * 0.7, 170, p.sun)
        moon(c, p, at, scale * rng.uniform(0.05, 0.085), rng)
    else:
        sun(c, p, at, c.u * rng.uniform(0.08, 0.12))
    veil(c, rng, 0, quay * 0.7, mix(p.horizon, glow, 0.4), 0.4)
    streaks(c, p, rng, (quay * 0.25, quay * 0.8), 7, at, mix(p.horizon, p.sun, 0.3))
    c.glow((c.w * 0.5, quay), c.u * 1.2, glow, 0.5, 1.8, 0.55)
    peak = rng.uniform(0.25, 0.75)
    for i, depth in enumerate((0.10, 0.34, 0.62, 0.92)):
        # Its own generator: a house more or less must not upset everything that comes later.
        _blocks(c, p, random.Random(rng.getrandbits(64)), (quay, scale), i, depth, peak, lit=lit)
        if i < 3:
            mist(c, rng, quay - c.u * 0.22, quay + c.u * 0.05, glow, 0.42 - 0.1 * i)
    if words.has("neon", "cyberpunk", "tokyo", "street", "sign"):
        _signs(c, p, rng, quay)
    _canal(c, p, rng, quay, at[0], lit=lit)


def _tower(rng: random.Random, x: float, y: float, wide: float, tall: float) -> list[Polygon]:
    """Outline a building; its roof is one of a few kinds."""
    left, right, top = x, x + wide, y - tall
    middle = (left + right) / 2
    parts = [box(left, top, right, y)]
    kind = rng.random()
    if kind < 0.22:
        parts.append(box(left + wide * 0.18, top - wide * 0.32, right - wide * 0.18, top + 1))
        parts.append(box(left + wide * 0.34, top - wide * 0.6, right - wide * 0.34, top + 1))
        parts.append(box(middle - wide * 0.02, top - wide * 1.15, middle + wide * 0.02, top))
    elif kind < 0.38:
        parts.append([(left, top + 1), (left, top - wide * 0.35), (right, top + 1)])
    elif kind < 0.5:
        parts.append([(left, top + 1), (middle, top - wide * 0.85), (right, top + 1)])
        parts.append(box(middle - wide * 0.014, top - wide * 1.3, middle + wide * 0.014, top))
    elif kind < 0.68:
        parts.append(box(left + wide * 0.12, top - wide * 0.14, left + wide * 0.42, top + 1))
        parts.append(box(right - wide * 0.2, top - wide * 0.5, right - wide * 0.17, top + 1))
    return parts


def _blocks(
    c: Canvas,
    p: Palette,
    rng: random.Random,
    place: Point,
    row: int,
    depth: float,
    peak: float,
    *,
    lit: bool,
) -> None:
    """Build one row of the skyline and light some of its windows."""
    quay, scale = place
    houses: list[Polygon] = []
    panes: tuple[list[Polygon], list[Polygon]] = ([], [])
    x = -0.04 * c.w - c.u * 0.05 * rng.random()
    # A wide picture shows more houses, never wider ones.
    while x < c.w * 1.02:
        wide = scale * rng.uniform(0.045, 0.095) * (0.8 + 0.14 * row)
        crowd = math.exp(-(((x / c.w) - peak) ** 2) / 0.08)
        tall = (
            scale
            * (0.10 + (0.44 - 0.09 * row) * crowd * rng.uniform(0.5, 1.1) + 0.09 * rng.random())
            * (1.0 - 0.12 * row)
        )
        houses += _tower(rng, x, quay + 1, wide * 0.96, tall)
        if lit and row > 0:
            cell = scale * (0.0085 + 0.0016 * row)
            _panes(rng, (x, quay - tall, wide * 0.96, tall), cell, panes)
        x += wide * rng.uniform(0.82, 1.25)
    tone = p.land(depth)
    base = mix(tone, mix(p.accent, p.horizon, 0.4), 0.30 * (1 - depth))
    mask = c.shape(houses)
    c.lay(mask, [tone, tone, base])
    c.lay(c.stipple(mask.fade_across(0.42, 0.1, 0, 0, 0.15)), mix(tone, p.horizon, 0.5), 0.28)
    warm = mix(p.accent, p.sun, 0.45)
    cool = mix(p.sun, p.horizon, 0.6)
    c.lay(c.shape(panes[0]), warm, 0.45 + 0.17 * row)
    c.lay(c.shape(panes[1]), cool, 0.30 + 0.12 * row)


def _panes(
    rng: random.Random,
    house: tuple[float, float, float, float],
    cell: float,
    panes: tuple[list[Polygon], list[Polygon]],
) -> None:
    """Light some windows of a house, floor by floor."""
    x, y, wide, tall = house
    across = max(2, int(wide / cell) - 1)
    gap = wide / (across + 0.6)
    busy = rng.uniform(0.12, 0.5)
    draw = rng.random() < 0.3
    for floor in range(min(34, int(tall / (cell * 1.35)) - 1)):
        shift = busy * rng.uniform(0.2, 1.6)
        for k in range(across):
            if rng.random() < shift:
                left, top = x + gap * (k + 0.45), y + cell * (0.9 + floor * 1.35)
                pane = box(left, top, left + gap * 0.5, top + cell * 0.72)
                panes[1 if draw or rng.random() < 0.12 else 0].append(pane)


def _signs(c: Canvas, p: Palette, rng: random.Random, quay: float) -> None:
    """Hang neon signs on the nearest houses."""
    hues = [p.accent, lift(p.accent, 0.05, 1.3, 170), lift(p.accent, 0.02, 1.3, -70)]
    for i in range(9):
        x = c.w * (i + rng.uniform(0.2, 0.8)) / 9
        y = quay - c.u * rng.uniform(0.05, 0.2)
        tall, wide = c.u * rng.uniform(0.04, 0.085), c.u * 0.012
        hue = hues[i % 3]
        c.glow((x, y), tall * 1.9, hue, 0.55, 2.2, how="screen")
        frame = [box(x - wide, y - tall / 2, x + wide, y + tall / 2)]
        c.lay(c.shape(frame), mix(hue, p.near, 0.55))
        marks = [
            box(
                x - wide * 0.5,
                y - tall * (0.4 - 0.2 * k),
                x + wide * 0.5,
                y - tall * (0.4 - 0.2 * k) + tall * 0.11,
            )
            for k in range(5)
        ]
        c.lay(c.shape(marks), mix(hue, (255, 255, 255), 0.45))


def _canal(c: Canvas, p: Palette, rng: random.Random, quay: float, x: float, *, lit: bool) -> None:
    """Draw the city's light out over the water."""
    depth = c.h - quay
    deep = mix(p.near, p.sky[0], 0.4)
    c.mirror(quay, depth, [mix(p.near, p.far, 0.35), deep, p.near], 0.36, 9)
    lights: list[Polygon] = []
    for _ in range(34 if lit else 10):
        place = rng.random() * c.w
        reach = depth * rng.uniform(0.3, 0.95)
        for k in range(9):
            t = (k + rng.random()) / 9
            lights.append(
                lens(
                    place + c.u * rng.gauss(0, 0.004),
                    quay + reach * t,
                    c.u * (0.008 + 0.014 * t) * rng.uniform(0.5, 1.2),
                    c.u * (0.0012 + 0.0022 * t),
                )
            )
    c.lay(c.shape(lights).fade(1, 0.8, 0.4, 0.1), mix(p.accent, p.sun, 0.4), 0.62)
    bright, mid, dark = _ripples(c, rng, quay, x, c.u * 0.05)
    c.lay(c.shape(dark), lift(p.near, -0.02), 0.38)
    c.lay(c.shape(mid), mix(p.horizon, p.far, 0.4), 0.26)
    c.lay(c.shape(bright).fade(1, 0.7, 0.3, 0.1), p.sun, 0.5)
    c.lay(c.band(quay - 1, quay + max(2, c.u * 0.007)), lift(p.near, -0.02))


# --- Space --------------------------------------------------------------------------------------


def space(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint space: clouds of gas, stars, and a planet lit from one side."""
    c.wash([p.sky[0], mix(p.sky[0], p.sky[1], 0.7), mix(p.sky[1], p.near, 0.5)])
    hues = [p.sky[2], mix(p.sky[-1], p.accent, 0.35), lift(p.accent, -0.1, 1.0, 40)]
    for hue, power, strength in zip(hues, (1.6, 2.6, 4.0), (0.75, 0.6, 0.5), strict=True):
        gas = Mask(c.clouds(rng, 2, 2, 6), 0, 0)
        c.lay(gas.curve(lambda v, k=power: v**k), hue, strength, how="screen")  # type: ignore[misc]
    stars(c, rng, c.h, 420, _CREAM)
    if words.has("galaxy", "spiral", "nebula", "cosmos"):
        spiral(c, p, rng)
        return
    side = rng.choice((-1, 1))
    at = (c.w * (0.5 + side * rng.uniform(0.02, 0.12)), c.h * rng.uniform(0.44, 0.56))
    planet(c, p, rng, at, c.u * rng.uniform(0.24, 0.30), ringed=rng.random() < 0.7)
    small = (c.w * (0.5 - side * rng.uniform(0.26, 0.36)), c.h * rng.uniform(0.16, 0.26))
    planet(c, p, rng, small, c.u * rng.uniform(0.035, 0.06), ringed=False)


def planet(
    c: Canvas, p: Palette, rng: random.Random, at: Point, radius: float, *, ringed: bool
) -> None:
    """Paint a banded planet with a night side, perhaps within rings."""
    x, y = at
    tilt = rng.uniform(-0.45, 0.45)
    warm, pale = mix(p.accent, p.sky[2], 0.2), mix(p.sun, p.accent, 0.35)
    c.glow(at, radius * 2.4, mix(p.accent, p.sky[-1], 0.5), 0.5, 2.4, how="screen")
    halves = [_ring(x, y, radius, tilt, upper=True), _ring(x, y, radius, tilt, upper=False)]
    if ringed:
        c.lay(c.shape(halves[0]), mix(pale, p.sky[1], 0.35), 0.75)
    body = c.shape([disc(x, y, radius)])
    c.lay(body, [pale, warm, mix(warm, p.sky[1], 0.4)])
    bands = []
    for i in range(9):
        level = (i + rng.random()) / 9 * 2 - 1
        mid = (x - level * radius * math.sin(tilt), y + level * radius * math.cos(tilt))
        bands.append(
            [
                (
                    mid[0] + s * radius * math.cos(tilt) - d * math.sin(tilt),
                    mid[1] + s * radius * math.sin(tilt) + d * math.cos(tilt),
                )
                for s, d in zip(
                    (-1, -0.4, 0.3, 1, 1, -1),
                    [radius * rng.uniform(-0.05, 0.05) for _ in range(6)],
                    strict=True,
                )
            ]
        )
    strips = c.shape(bands)
    c.lay(strips.times(_part(body, strips)), mix(pale, p.sky[0], 0.25), 0.34)
    night = c.shape([disc(x + radius * 0.42, y + radius * 0.36, radius * 1.02)], radius * 0.4)
    dusk = night.blur(radius * 0.16)
    c.lay(c.stipple(dusk.times(_part(body, dusk)), 2.0), mix(p.sky[0], p.near, 0.4), 0.86)
    if ringed:
        c.lay(c.shape(halves[1]), [pale, mix(pale, warm, 0.6)], 0.95)


def _ring(x: float, y: float, radius: float, tilt: float, *, upper: bool) -> list[Polygon]:
    """Outline half of a planet's rings."""
    rings = []
    for inner, outer in ((1.38, 1.62), (1.67, 1.92), (1.98, 2.04)):
        arcs = []
        for size in (inner, outer):
            arc = []
            for i in range(61):
                turn = math.pi * i / 60 + (math.pi if upper else 0)
                a, b = radius * size * math.cos(turn), radius * size * 0.26 * math.sin(turn)
                arc.append(
                    (
                        x + a * math.cos(tilt) - b * math.sin(tilt),
                        y + a * math.sin(tilt) + b * math.cos(tilt),
                    )
                )
            arcs.append(arc)
        rings.append(arcs[0] + arcs[1][::-1])
    return rings


def spiral(c: Canvas, p: Palette, rng: random.Random) -> None:
    """Wind a galaxy out of a few thousand stars."""
    centre = (c.w * rng.uniform(0.44, 0.56), c.h * rng.uniform(0.42, 0.55))
    tilt, squash, twist = rng.uniform(-0.7, 0.7), rng.uniform(0.42, 0.6), rng.choice((-1, 1))
    reach = c.u * 0.52
    c.glow(centre, reach * 1.3, mix(p.sky[-1], p.accent, 0.4), 0.6, 2.0, squash, how="screen")
    groups: tuple[list[Polygon], list[Polygon], list[Polygon]] = ([], [], [])
    for i in range(3600):
        t = rng.random() ** 0.7
        arm = rng.randrange(2) * math.pi
        turn = twist * (arm + 5.4 * t**0.8) + rng.gauss(0, 0.46 * (1.2 - t))
        away = reach * t + rng.gauss(0, 0.02) * reach
        a, b = away * math.cos(turn), away * math.sin(turn) * squash
        x = centre[0] + a * math.cos(tilt) - b * math.sin(tilt)
        y = centre[1] + a * math.sin(tilt) + b * math.cos(tilt)
        groups[i % 3].append(disc(x, y, c.u * (0.0007 + 0.0022 * rng.random() ** 5))[::20])
    colours = (p.sun, mix(p.accent, p.sun, 0.25), lift(p.sky[-1], 0.22, 1.5))
    for dots, colour in zip(groups, colours, strict=True):
        mask = c.shape(dots, c.u * 0.02)
        c.lay(mask.blur(c.u * 0.014).curve(lambda v: v * 4), colour, 0.6, how="screen")
        c.lay(mask.blur(c.u * 0.004).curve(lambda v: v * 2), colour, 0.6, how="screen")
        c.lay(mask, colour, 0.9)
    c.glow(centre, reach * 0.42, p.sun, 0.85, 2.2, squash + 0.2)


# --- Desert -------------------------------------------------------------------------------------


def desert(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint a desert: sharp dunes, one side in the light and one in shade."""
    horizon = c.h * rng.uniform(0.42, 0.5)
    side = rng.choice((-1, 1))
    at = (
        c.w * (0.5 + side * rng.uniform(0.1, 0.28)),
        horizon - min(c.u, horizon * 2) * rng.uniform(0.10, 0.24),
    )
    sky(c, p, rng, horizon)
    if p.dark:
        stars(c, rng, horizon, 300, p.sun)
        moon(c, p, at, c.u * 0.07, rng)
    else:
        sun(c, p, at, min(c.u, horizon * 2) * rng.uniform(0.085, 0.125))
    veil(c, rng, 0, horizon * 0.9, mix(p.horizon, p.sun, 0.4), 0.4)
    streaks(c, p, rng, (horizon * 0.2, horizon * 0.85), 6, at, mix(p.sun, p.horizon, 0.4))
    far = rolling(rng, c.w, horizon - c.u * 0.01, c.u * 0.03, 1.1)
    mesas = jagged(rng, [*far[::10], far[-1]], 0.05, 3)
    land(c, mesas, [p.land(0.12), mix(p.far, p.horizon, 0.5)], horizon + c.u * 0.1)
    sand = mix(p.accent, p.horizon, 0.42)
    rows = 5
    for i in range(rows):
        t = i / (rows - 1)
        level = horizon + (c.h - horizon) * (0.04 + 0.80 * t**1.2)
        _dune(c, p, rng, level, t, sand, side)
    if words.has("cactus", "cacti", "saguaro"):
        for i in range(3):
            x = c.w * (0.5 - side * (0.34 - 0.2 * i + rng.uniform(-0.04, 0.04)))
            _cactus(c, p, (x, c.h * (0.93 - 0.09 * i)), c.u * (0.36 - 0.13 * i))
    if words.has("bird") or rng.random() < 0.3:
        flock(c, rng, (c.w * (0.5 - side * 0.2), horizon * 0.5), 5, c.u * 0.015, p.land(0.6))


def _dune(
    c: Canvas, p: Palette, rng: random.Random, level: float, t: float, sand: Colour, side: int
) -> None:
    """Heap up one dune."""
    swing = c.u * (0.03 + 0.085 * t)
    line = rolling(rng, c.w, level, swing, 0.62 - 0.15 * t)
    lit = mix(mix(sand, p.far, 0.55 * (1 - t)), p.sun, 0.24 - 0.12 * t)
    low = mix(mix(sand, p.far, 0.4), p.near, 0.16 + 0.34 * t)
    body = land(c, line, [lit, mix(lit, low, 0.5), low])
    c.lay(c.stipple(body.fade(0.5, 0.08, 0, 0)), mix(lit, p.sun, 0.5), 0.45)
    # The lee side starts at the crest and runs out in a long S towards us.
    crest = min(range(12, len(line) - 12), key=lambda i: line[i][1] + rng.random() * swing * 0.8)
    top = line[crest]
    tall = c.h - top[1]
    way = -side
    ridge = line[crest:] if way > 0 else line[: crest + 1][::-1]
    shore = smooth(
        [
            top,
            (top[0] + way * c.u * 0.05, top[1] + tall * 0.10),
            (top[0] - way * c.u * 0.06, top[1] + tall * 0.30),
            (top[0] + way * c.u * 0.10, top[1] + tall * 0.62),
            (top[0] + way * c.u * 0.02, c.h + 4),
        ],
        12,
    )
    end = ridge[-1][0]
    lee = c.shape([[*ridge, (end, c.h + 4), *shore[::-1]]])
    dark = mix(mix(p.far, p.near, 0.30 + 0.45 * t), sand, 0.22)
    c.lay(lee, [mix(dark, lit, 0.12), dark, mix(dark, p.near, 0.3)], 0.9)
    c.lay(c.stipple(lee.fade(0, 0.12, 0.4, 0.7)), p.near, 0.35)


def _cactus(c: Canvas, p: Palette, at: Point, tall: float) -> None:
    """Stand a saguaro: a column and two arms."""
    x, y = at
    girth = tall * 0.13
    stem = _rounded([(x, y), (x, y - tall * 0.94)], girth)
    arms = [stem]
    for way, low, high in ((-1, 0.38, 0.70), (1, 0.50, 0.84)):
        bend = smooth(
            [
                (x, y - tall * low),
                (x + way * tall * 0.15, y - tall * low),
                (x + way * tall * 0.2, y - tall * (low + 0.08)),
                (x + way * tall * 0.2, y - tall * high),
            ],
            8,
        )
        arms.append(_rounded(bend, girth * 0.66))
    ink = mix(p.near, p.far, 0.12)
    mask = c.shape(arms)
    c.lay(mask, [ink, lift(p.near, -0.02)])
    c.lay(c.stipple(mask.fade_across(0.6, 0.25, 0, 0)), mix(p.far, p.accent, 0.4), 0.5)


def _rounded(spine: list[Point], girth: float) -> Polygon:
    """Outline a stroke with a round end."""
    (ax, ay), (bx, by) = spine[-2], spine[-1]
    length = math.hypot(bx - ax, by - ay) or 1
    dx, dy = (bx - ax) / length, (by - ay) / length
    tail = [
        (bx + dx * girth / 2 * math.sin(a), by + dy * girth / 2 * math.sin(a))
        for a in (math.pi / 2 * k / 6 for k in range(1, 7))
    ]
    widths = [girth] * len(spine) + [girth * math.cos(math.pi / 2 * k / 6) for k in range(1, 7)]
    return ribbon([*spine, *tail], widths)
