"""The scenes without a horizon: things on a table, plants, a cat, and pure shapes."""

# Pictures are made of numbers, and brush strokes of many arguments.
# ruff: noqa: PLR0917, PLR2004

from __future__ import annotations

import hashlib
import math
import random
from typing import TYPE_CHECKING

from .canvas import (
    Canvas,
    Mask,
    Point,
    Polygon,
    box,
    disc,
    ribbon,
    rolling,
    smooth,
)
from .palette import (
    Colour,
    Palette,
    Words,
    lift,
    mix,
    recoloured,
    rgb,
)
from .scenes import (
    flock,
    leaf,
    mist,
    moon,
    stars,
    sun,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


# --- Still life -----------------------------------------------------------------------------------

# Wall in light, wall in shade, table in light, table in shade, paper, flame, pottery, leaves.
_ROOMS = (
    "d9b48a 5a3b3a b9713f 3d2019 fff0cf ffb04f 4c6468 4d5a3c",
    "c2b59b 3c4a4c 9d6a42 2c2322 fff2d6 ffa94a b5533c 3f5a4a",
    "d8a68c 4b2f4a a8603f 331c26 fff0d2 ff9f4d 5c5a86 4f5f4a",
    "b9b79a 2f4247 a9743f 2b221c fff4d8 ffb252 a84f3a 566846",
)


def still_life(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint a lantern (or candles, or a lamp) on a table, and a window's light on the wall."""
    colours = recoloured([rgb(code) for code in rng.choice(_ROOMS).split()], words)
    wall, gloom, wood, deep, paper, flame, clay, green = colours
    if p.dark:
        wall, wood = mix(wall, gloom, 0.6), mix(wood, deep, 0.45)
        gloom = lift(gloom, -0.10)
    table = c.h * rng.uniform(0.70, 0.76)
    side = rng.choice((-1, 1))
    size = min(c.u * 0.28, table * 0.40, c.w * 0.30)
    at = (c.w * (0.5 + side * min(0.13, 0.16 * c.u / c.w)), table + (c.h - table) * 0.34)

    _wall(c, rng, table, wall, gloom, side)
    _window_light(c, rng, table, mix(wall, paper, 0.62), side)
    lit = (at[0], at[1] - size * 0.95)
    c.glow(lit, size * 4.2, flame, 0.42, 1.7)
    c.glow(lit, size * 2.3, mix(flame, paper, 0.35), 0.42, 1.8)
    _table(c, rng, table, wood, deep)
    c.glow((at[0], at[1]), size * 2.6, mix(flame, paper, 0.3), 0.62, 1.5, 0.26)
    foot = (at[0] - side * (size * 1.15 + c.u * 0.05), table + (c.h - table) * 0.20)
    _vase(c, rng, foot, size * 1.02, clay, deep, green, flame, -side)
    cup = min(max(at[0] + side * size * 1.0, size * 0.4), c.w - size * 0.4)
    _cup(
        c,
        (cup, table + (c.h - table) * 0.58),
        size * 0.24,
        mix(paper, clay, 0.28),
        deep,
        flame,
        side,
    )
    if words.has("candle"):
        _candles(c, rng, at, size, paper, flame, deep)
    elif words.has("lamp") and not words.has("lantern"):
        _lamp(c, at, size, paper, flame, clay, deep)
    else:
        _lantern(c, rng, at, size, paper, flame, deep)
    c.glow(lit, size * 2.0, flame, 0.20, 1.6, how="screen")


def _wall(
    c: Canvas, rng: random.Random, table: float, wall: Colour, gloom: Colour, side: int
) -> None:
    """Paint a plaster wall that darkens away from the window."""
    c.wash([mix(wall, gloom, 0.62), mix(wall, gloom, 0.34), mix(wall, gloom, 0.5)], 0, table + 2)
    levels = (0.9, 0.35, 0.0) if side > 0 else (0.0, 0.35, 0.9)
    c.lay(c.band(0, table + 2).fade_across(*levels[::-1]), gloom, 0.55)
    plaster = Mask(c.clouds(rng, 4, 4, 6), 0, 0)
    c.lay(plaster.curve(lambda v: (v - 0.4) * 1.5), mix(wall, (255, 255, 255), 0.2), 0.10)


def _window_light(c: Canvas, rng: random.Random, table: float, light: Colour, side: int) -> None:
    """Let a window throw its panes, slanted and soft, on the wall."""
    wide, tall = c.u * rng.uniform(0.19, 0.23), min(c.u * 0.30, table * 0.34)
    slant = -side * rng.uniform(0.22, 0.34)
    x0 = c.w * 0.5 - side * c.u * 0.30 - wide
    y0 = table * rng.uniform(0.10, 0.16)
    panes = []
    for column in range(2):
        for row in range(2):
            x, y = x0 + column * wide * 1.09, y0 + row * tall * 1.06
            corners = [(x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall)]
            panes.append([(px, py + (px - x0) * slant) for px, py in corners])
    whole = c.shape(panes, c.u * 0.05)
    soft = whole.blur(c.u * 0.010)
    c.lay(whole.blur(c.u * 0.04), light, 0.35)
    c.lay(soft.fade(1, 0.95, 0.8, 0.6), light, 0.62)
    # Leaves outside the window move in the light.
    twigs: list[Polygon] = []
    for _ in range(3):
        start = (x0 + wide * rng.uniform(0.1, 1.9), y0 + tall * rng.uniform(-0.1, 0.2))
        for k in range(9):
            spot = (start[0] + k * wide * 0.10 * side, start[1] + k * tall * 0.13)
            angle = rng.uniform(0.2, 2.6)
            twigs.append(leaf(spot, angle, wide * rng.uniform(0.26, 0.42), wide * 0.07)[0])
    shade = c.shape(twigs, c.u * 0.03).blur(c.u * 0.009)
    x, y = shade.x - soft.x, shade.y - soft.y
    within = soft.image.crop((x, y, x + shade.image.width, y + shade.image.height))
    c.lay(shade.times(within), lift(light, -0.24), 0.55)


def _table(c: Canvas, rng: random.Random, top: float, wood: Colour, deep: Colour) -> None:
    """Lay a wooden table top: planks that run towards us, and their grain."""
    depth = c.h - top
    c.wash([mix(wood, deep, 0.30), wood, mix(wood, deep, 0.42), mix(wood, deep, 0.75)], top)
    grain = c.clouds(rng, 3, 90, 3).crop((0, 0, c.w, max(1, round(depth))))
    streaky = Mask(grain, 0, round(top))
    c.lay(streaky.curve(lambda v: (v - 0.45) * 2.0).fade(0.5, 1), deep, 0.42)
    c.lay(streaky.curve(lambda v: (0.42 - v) * 2.2).fade(0.4, 0.8), lift(wood, 0.10), 0.30)
    seams, lights = [], []
    for i in range(1, 5):
        y = top + depth * (i / 5) ** 1.35
        girth = c.u * (0.0012 + 0.0022 * i / 5)
        seams.append(box(-2, y, c.w + 2, y + girth))
        lights.append(box(-2, y + girth, c.w + 2, y + girth * 1.8))
        joint = c.w * rng.random()
        seams.append(box(joint, y - depth * 0.14, joint + girth, y))
    c.lay(c.shape(seams), deep, 0.60)
    c.lay(c.shape(lights), lift(wood, 0.12), 0.35)
    c.lay(c.band(top - c.u * 0.002, top + c.u * 0.004), mix(wood, deep, 0.55), 0.9)


def _shadow(c: Canvas, at: Point, across: float, down: float, ink: Colour, depth: float) -> None:
    soft = c.shape([disc(*at, across, down)], down * 2).blur(down * 0.7)
    c.lay(soft, ink, depth)


def _turned(at: Point, profile: Sequence[Point]) -> Polygon:
    """Outline a turned body from its profile: (half width, height above the foot)."""
    right = smooth([(at[0] + r, at[1] - h) for r, h in profile], 12)
    return right + [(2 * at[0] - x, y) for x, y in reversed(right)]


def _lantern(
    c: Canvas,
    rng: random.Random,
    at: Point,
    size: float,
    paper: Colour,
    flame: Colour,
    deep: Colour,
) -> None:
    """Light a paper lantern: ribs, a bright heart, wooden rims."""
    x, y = at
    kind = rng.randrange(3)
    foot = size * 0.10
    tall = size * (1.72, 1.95, 1.5)[kind]
    profile = {
        0: [(0.42, 0), (0.70, 0.18), (0.80, 0.5), (0.70, 0.82), (0.42, 1.0)],
        1: [(0.46, 0), (0.58, 0.15), (0.60, 0.5), (0.58, 0.85), (0.46, 1.0)],
        2: [(0.40, 0), (0.76, 0.2), (0.92, 0.5), (0.76, 0.8), (0.40, 1.0)],
    }[kind]
    body = _turned((x, y - foot), [(r * size, t * tall) for r, t in profile])
    _shadow(c, (x, y + size * 0.02), size * 0.74, size * 0.13, deep, 0.80)
    mask = c.shape([body])
    amber = mix(flame, deep, 0.26)
    c.lay(
        mask,
        [
            mix(flame, amber, 0.5),
            mix(flame, paper, 0.35),
            mix(flame, paper, 0.55),
            mix(flame, paper, 0.3),
            amber,
        ],
    )
    c.lay(c.stipple(mask.fade_across(0.6, 0.12, 0, 0, 0.12, 0.6), 1.8), amber, 0.5)
    heart = c.shape([disc(x, y - foot - tall * 0.44, size * 0.44, tall * 0.34)], size * 0.5)
    inside = heart.blur(size * 0.17)
    left, top = inside.x - mask.x, inside.y - mask.y
    edge = (left, top, left + inside.image.width, top + inside.image.height)
    c.lay(inside.times(mask.image.crop(edge)), lift(paper, 0.02), 0.95)
    ribs, shines = [], []
    outline = body[: len(body) // 2]
    count = 15
    for i in range(1, count):
        level = y - foot - tall * i / count
        half = min(outline, key=lambda q: abs(q[1] - level))[0] - x
        sag = size * 0.075 * (0.5 - i / count) * 2
        arc = [(x + half * k / 8, level + sag * (1 - (k / 8) ** 2)) for k in range(-8, 9)]
        ribs.append(ribbon(arc, [size * 0.010, size * 0.007, size * 0.010]))
        shines.append(ribbon([(px, py + size * 0.012) for px, py in arc], [size * 0.012]))
    c.lay(c.shape(shines), paper, 0.30)
    c.lay(c.shape(ribs), mix(amber, deep, 0.35), 0.42)
    rim = profile[0][0] * size
    for level, lower in ((y - foot, True), (y - foot - tall, False)):
        c.lay(
            c.shape(
                [box(x - rim * 1.04, level - size * 0.028, x + rim * 1.04, level + size * 0.028)]
            ),
            [mix(deep, flame, 0.30), deep],
        )
        if lower:
            legs = [
                box(
                    x + s * rim * 0.82 - size * 0.02,
                    level,
                    x + s * rim * 0.82 + size * 0.02,
                    y + size * 0.03,
                )
                for s in (-1, 1)
            ]
            c.lay(c.shape(legs), deep)
    loop = [
        (
            x + rim * 0.72 * math.cos(math.pi * k / 16),
            y - foot - tall - size * 0.36 * math.sin(math.pi * k / 16),
        )
        for k in range(17)
    ]
    c.lay(c.shape([ribbon(loop, [size * 0.016])]), mix(deep, flame, 0.12))


def _candles(
    c: Canvas,
    rng: random.Random,
    at: Point,
    size: float,
    paper: Colour,
    flame: Colour,
    deep: Colour,
) -> None:
    """Stand three candles of different heights, each with its flame."""
    _shadow(c, (at[0], at[1]), size * 0.85, size * 0.14, deep, 0.75)
    plans = ((0.0, 1.15, 0.17), (-0.48, 0.72, 0.15), (0.46, 0.48, 0.19))
    for dx, tall, girth in plans:
        x, high, half = at[0] + dx * size, size * tall * rng.uniform(0.92, 1.1), size * girth
        top = at[1] - high
        wax = c.shape([[*box(x - half, top, x + half, at[1])], disc(x, at[1], half, half * 0.22)])
        c.lay(wax, [mix(paper, flame, 0.22), mix(paper, flame, 0.5), mix(flame, deep, 0.5)])
        c.lay(c.stipple(wax.fade_across(0, 0, 0.2, 0.75)), mix(flame, deep, 0.6), 0.6)
        c.lay(c.shape([disc(x, top, half, half * 0.22)]), mix(paper, flame, 0.12))
        c.lay(c.shape([box(x - 1 - half * 0.03, top - half * 0.4, x + 1 + half * 0.03, top)]), deep)
        c.glow((x, top - half * 1.3), size * 0.95, flame, 0.5, 2.2, how="screen")
        for scale, colour in ((1.0, flame), (0.68, paper)):
            drop = smooth(
                [
                    (x, top - half * 0.2),
                    (x - half * 0.42 * scale, top - half * 0.75),
                    (x - half * 0.10 * scale, top - half * 1.7 * scale),
                    (x, top - half * 2.5 * scale),
                    (x + half * 0.16 * scale, top - half * 1.6 * scale),
                    (x + half * 0.42 * scale, top - half * 0.75),
                ],
                8,
                closed=True,
            )
            c.lay(c.shape([drop], size * 0.03).blur(size * 0.008), colour, 0.95)


def _lamp(
    c: Canvas, at: Point, size: float, paper: Colour, flame: Colour, clay: Colour, deep: Colour
) -> None:
    """Switch on a table lamp with a pleated shade."""
    x, y = at
    _shadow(c, (x, y), size * 0.5, size * 0.10, deep, 0.8)
    foot = _turned(
        at,
        [
            (size * 0.30, 0),
            (size * 0.34, size * 0.10),
            (size * 0.22, size * 0.36),
            (size * 0.07, size * 0.62),
            (size * 0.05, size * 0.9),
        ],
    )
    mask = c.shape([foot])
    c.lay(mask, [mix(clay, flame, 0.35), clay, mix(clay, deep, 0.4)])
    c.lay(c.stipple(mask.fade_across(0.1, 0, 0.2, 0.8)), mix(clay, deep, 0.7), 0.7)
    top, low = y - size * 1.72, y - size * 0.84
    shade = [
        (x - size * 0.40, top),
        (x + size * 0.40, top),
        (x + size * 0.78, low),
        (x - size * 0.78, low),
    ]
    cover = c.shape([shade])
    c.lay(cover, [mix(flame, deep, 0.12), mix(flame, paper, 0.5), mix(paper, flame, 0.1)])
    c.lay(c.stipple(cover.fade_across(0.7, 0.12, 0, 0.12, 0.7)), mix(flame, deep, 0.3), 0.6)
    pleats = [
        ribbon([(x + size * 0.40 * k / 9, top), (x + size * 0.78 * k / 9, low)], [size * 0.006])
        for k in range(-8, 9)
    ]
    c.lay(c.shape(pleats), mix(flame, deep, 0.45), 0.30)


def _vase(
    c: Canvas,
    rng: random.Random,
    at: Point,
    size: float,
    clay: Colour,
    deep: Colour,
    green: Colour,
    light: Colour,
    lit_side: int,
) -> None:
    """Put a vase with a few branches beside the light."""
    x, y = at
    _shadow(c, (x + lit_side * size * 0.22, y), size * 0.42, size * 0.08, deep, 0.7)
    mouth = (x, y - size * 0.72)
    for k in range(4):
        lean = (k - 1.5) * 0.30 + rng.uniform(-0.12, 0.12)
        _branch(
            c,
            rng,
            mouth,
            -math.pi / 2 + lean,
            size * rng.uniform(0.75, 1.15),
            green,
            deep,
            mix(green, light, 0.35),
        )
    half = size * 0.24
    body = _turned(
        at,
        [
            (half * 0.62, 0),
            (half * 1.0, size * 0.16),
            (half * 1.06, size * 0.34),
            (half * 0.62, size * 0.58),
            (half * 0.34, size * 0.66),
            (half * 0.44, size * 0.73),
        ],
    )
    mask = c.shape([body])
    c.lay(mask, [lift(clay, 0.05), clay, mix(clay, deep, 0.45)])
    shade = (0.0, 0.0, 0.35, 0.95) if lit_side < 0 else (0.95, 0.35, 0.0, 0.0)
    c.lay(c.stipple(mask.fade_across(*shade[::-1])), mix(clay, deep, 0.72), 0.8)
    c.lay(c.stipple(mask.fade_across(*shade).curve(lambda v: v * 0.7)), mix(clay, light, 0.6), 0.55)


def _branch(
    c: Canvas,
    rng: random.Random,
    root: Point,
    angle: float,
    length: float,
    green: Colour,
    deep: Colour,
    bright: Colour,
) -> None:
    """Grow a branch with paired leaves."""
    bend = rng.uniform(-0.45, 0.45)
    spine = [root]
    for k in range(12):
        turn = angle + bend * k / 11
        x, y = spine[-1]
        spine.append((x + math.cos(turn) * length / 12, y + math.sin(turn) * length / 12))
    leaves, halves = [], []
    for k in range(3, 13):
        size = length * 0.20 * (1.15 - 0.05 * k) * rng.uniform(0.85, 1.15)
        for way in (-1, 1):
            turn = angle + bend * k / 11 + way * rng.uniform(0.6, 0.95)
            one, half = leaf(spine[k], turn, size, size * 0.24)
            leaves.append(one)
            halves.append(half)
    c.lay(c.shape([ribbon(spine, [length * 0.018, length * 0.006])]), mix(green, deep, 0.5))
    c.lay(c.shape(leaves), [bright, green])
    c.lay(c.shape(halves), mix(green, deep, 0.6), 0.6)


def _cup(
    c: Canvas, at: Point, size: float, glaze: Colour, deep: Colour, light: Colour, lit_side: int
) -> None:
    """Set down a small tea bowl."""
    x, y = at
    _shadow(c, (x + lit_side * size * 0.5, y), size * 1.2, size * 0.24, deep, 0.75)
    half = size * 0.92
    body = _turned(
        at,
        [
            (half * 0.46, 0),
            (half * 0.78, size * 0.22),
            (half * 0.96, size * 0.62),
            (half, size * 0.98),
        ],
    )
    mask = c.shape([body])
    c.lay(mask, [mix(glaze, light, 0.2), glaze, mix(glaze, deep, 0.45)])
    shade = (0.0, 0.05, 0.45, 0.95) if lit_side > 0 else (0.95, 0.45, 0.05, 0.0)
    c.lay(c.stipple(mask.fade_across(*shade)), mix(glaze, deep, 0.65), 0.75)
    c.lay(c.shape([disc(x, y - size * 0.98, half, half * 0.26)]), mix(glaze, deep, 0.30))
    c.lay(c.shape([disc(x, y - size * 0.93, half * 0.88, half * 0.19)]), mix(deep, light, 0.30))


# --- Plants --------------------------------------------------------------------------------------

# Paper, disc, leaf, second leaf, then three for the flowers, then ink.
_GARDENS = (
    "f6ead2 f2b489 2f5d50 7fa08a d9483b f39a6b f7d6b4 1e3235",
    "f3e6da e9a9a1 27495a 7ea3a0 c4375a f28a7c fbd3c0 1c2b3f",
    "f7efdb f4c95d 33614a 9aae6a e4572e f0a35c fff0cf 20302c",
    "e9efe6 a9c7bd 1f4e4a 6f9d83 ef7b5b f6b26b fde6cf 173033",
    "1d3138 2f5560 4f8f7b a6c39b f2785c f7b267 fbe7c6 0e1c22",
    "2a2140 5b3a6b 5e8f86 a7c4a0 f0718a f9a87c fde2c4 150f26",
)


def botanical(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint flowers, as a print in a few inks: stems that fan out before a disc."""
    codes = rng.choice(_GARDENS[4:] if p.dark else _GARDENS[:5]).split()
    colours = recoloured([rgb(code) for code in codes], words) if words.tokens else []
    paper, back, green, pale, hot, warm, cream, ink = colours or [rgb(code) for code in codes]
    c.wash([lift(paper, 0.015), paper, mix(paper, back, 0.12)])
    c.lay(Mask(c.clouds(rng, 3, 3, 6), 0, 0).curve(lambda v: (v - 0.35) * 1.4), back, 0.10)
    middle = c.w * rng.uniform(0.47, 0.53)
    round_at = (middle + c.u * rng.uniform(-0.06, 0.06), c.h * 0.40)
    halo = c.shape([disc(*round_at, min(c.u * 0.36, c.w * 0.40))])
    c.lay(halo, [back, mix(back, paper, 0.25)])
    c.lay(c.stipple(halo.fade(0, 0.12, 0.75)), mix(back, warm, 0.7), 0.65)
    root = (middle, c.h * 1.06)
    fan = min(0.62, 0.62 * c.w / c.h + 0.12)
    for i in range(9):  # leaves behind
        angle = -math.pi / 2 + fan * (i - 4) / 3.2 + rng.uniform(-0.08, 0.08)
        spot = (middle + (i - 4) * c.u * 0.03, c.h * 1.03)
        frond(
            c,
            rng,
            spot,
            angle,
            c.h * rng.uniform(0.36, 0.62),
            mix(green, pale, (i % 3) / 2),
            mix(green, ink, 0.35),
        )
    order = list(range(7))
    rng.shuffle(order)
    heads = []
    for place in order:
        t = (place - 3) / 3
        reach = c.h * (0.74 - 0.20 * abs(t) + rng.uniform(-0.07, 0.06))
        tip = (
            middle + t * min(c.w * 0.36, c.u * 0.46) + rng.uniform(-0.02, 0.02) * c.w,
            c.h - reach,
        )
        bow = (root[0] + (tip[0] - root[0]) * 0.25, c.h - reach * 0.5)
        stem = smooth([root, bow, tip], 14)
        c.lay(c.shape([ribbon(stem, [c.u * 0.010, c.u * 0.006])]), mix(green, ink, 0.25))
        for k in (9, 14, 19):
            way = rng.choice((-1, 1))
            angle = -math.pi / 2 + way * rng.uniform(0.6, 1.0)
            one, half = leaf(stem[k], angle, c.u * rng.uniform(0.09, 0.15), c.u * 0.024)
            c.lay(c.shape([one]), [pale, green])
            c.lay(c.shape([half]), mix(green, ink, 0.4), 0.55)
        heads.append((tip, rng.randrange(4)))
    petals = [hot, warm, cream]
    for k, (tip, kind) in enumerate(heads):
        size = c.u * rng.uniform(0.062, 0.098)
        bloom(c, rng, tip, size, petals[k % 3], petals[(k + 1) % 3], ink, kind)


def frond(
    c: Canvas,
    rng: random.Random,
    root: Point,
    angle: float,
    length: float,
    tone: Colour,
    dark: Colour,
    *,
    airy: bool = False,
) -> None:
    """Grow a long fern- or willow-like frond."""
    length = min(length, c.u * 0.72)
    bend = rng.uniform(-0.5, 0.5)
    slim, lush = rng.choice(((0.11, 0.20), (0.15, 0.22), (0.26, 0.17)))
    spine = [root]
    if airy:
        slim, lush = 0.085, 0.26
    steps = 20
    for k in range(steps):
        turn = angle + bend * k / steps
        x, y = spine[-1]
        spine.append((x + math.cos(turn) * length / steps, y + math.sin(turn) * length / steps))
    leaves, halves = [], []
    for k in range(4, steps + 1):
        size = length * lush * math.sin(math.pi * (k / steps) ** 0.7 * 0.92 + 0.12)
        for way in (-1, 1):
            turn = angle + bend * k / steps + way * 0.78
            one, half = leaf(spine[k], turn, size, size * slim)
            leaves.append(one)
            halves.append(half)
    c.lay(c.shape([*leaves, ribbon(spine, [c.u * 0.007, c.u * 0.002])]), tone)
    c.lay(c.shape(halves), dark, 0.40)


def jungle(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint a jungle: a far, bright valley, framed by fronds layer upon layer."""
    del words
    at = (c.w * rng.uniform(0.4, 0.6), c.h * rng.uniform(0.28, 0.38))
    green = (38, 92, 70)
    far, near = mix(p.far, lift(green, 0.22), 0.55), mix(p.near, lift(green, -0.22), 0.6)
    c.wash(p.sky)
    if p.dark:
        stars(c, rng, c.h * 0.5, 200, p.sun)
        moon(c, p, at, c.u * 0.09, rng)
    else:
        sun(c, p, at, c.u * rng.uniform(0.10, 0.14))
    for i in range(4):
        line = rolling(rng, c.w, c.h * (0.48 + 0.10 * i), c.u * 0.05, 1.2)
        crowns = [
            disc(x, y, c.u * rng.uniform(0.02, 0.05), c.u * rng.uniform(0.015, 0.035))
            for x, y in line[::3]
        ]
        tone = mix(far, near, 0.06 + 0.17 * i)
        below = [(c.w * 1.03, c.h + 2), (-c.w * 0.03, c.h + 2)]
        c.lay(c.shape([[*line, *below], *crowns]), [tone, mix(tone, p.horizon, 0.5)])
        mist(c, rng, c.h * (0.46 + 0.1 * i), c.h * (0.72 + 0.1 * i), p.horizon, 0.6 - 0.12 * i)
    flock(c, rng, (at[0], c.h * 0.24), 6, c.u * 0.016, mix(far, near, 0.7))
    for i in range(4):
        t = i / 3
        tone = mix(far, near, 0.42 + 0.56 * t)
        for k in range(14):
            side = -1 if k % 2 else 1
            down = (k + rng.random()) / 14
            # They start outside, further out and lower the nearer they are.
            root = (
                c.w * (0.5 + side * (0.56 - 0.40 * max(0.0, down - 0.72))),
                c.h * (1.12 * down - 0.02 + 0.03 * t),
            )
            rise = -0.75 + 1.1 * (1 - down) + rng.uniform(-0.35, 0.35)
            rise -= 0.25
            angle = rise if side < 0 else math.pi - rise
            length = c.u * rng.uniform(0.30, 0.46) * (1.05 - 0.25 * t) * (0.75 + 0.4 * down)
            frond(
                c,
                rng,
                root,
                angle,
                length,
                mix(tone, p.accent, 0.16 * rng.random()),
                mix(tone, near, 0.6),
                airy=k % 3 > 0,
            )


def bloom(
    c: Canvas,
    rng: random.Random,
    at: Point,
    size: float,
    petal: Colour,
    second: Colour,
    ink: Colour,
    kind: int,
) -> None:
    """Open one flower: a poppy, a daisy, a tulip or an umbel."""
    if kind == 0:
        _poppy(c, rng, at, size * 1.1, petal, ink)
    elif kind == 1:
        _daisy(c, rng, at, size * 1.1, petal, second, ink)
    elif kind == 2:
        _tulip(c, at, size, petal, second, ink)
    else:
        _umbel(c, rng, at, size, petal, second, ink)


def _poppy(
    c: Canvas,
    rng: random.Random,
    at: Point,
    size: float,
    petal: Colour,
    ink: Colour,
) -> None:
    start = rng.uniform(0, math.tau)
    for k in range(5):
        turn = start + math.tau * k / 5
        spot = (at[0] + math.cos(turn) * size * 0.52, at[1] + math.sin(turn) * size * 0.46)
        edge = [
            (
                spot[0] + math.cos(math.tau * j / 9) * size * rng.uniform(0.62, 0.76),
                spot[1] + math.sin(math.tau * j / 9) * size * rng.uniform(0.56, 0.7),
            )
            for j in range(9)
        ]
        mask = c.shape([smooth(edge, 8, closed=True)])
        tone = lift(petal, 0.035 * math.cos(turn + 2.2))
        c.lay(mask, [lift(tone, 0.03), tone], 0.94)
        c.lay(c.stipple(mask.fade(0, 0.12, 0.62)), lift(petal, -0.12, 1.05), 0.6)
    c.lay(c.shape([disc(*at, size * 0.24)]), ink)
    dots = [
        disc(
            at[0] + math.cos(math.tau * k / 17) * size * 0.36,
            at[1] + math.sin(math.tau * k / 17) * size * 0.34,
            size * 0.032,
        )[::8]
        for k in range(17)
    ]
    c.lay(c.shape(dots), ink, 0.9)


def _daisy(
    c: Canvas,
    rng: random.Random,
    at: Point,
    size: float,
    petal: Colour,
    second: Colour,
    ink: Colour,
) -> None:
    count = rng.choice((11, 13, 16))
    start = rng.uniform(0, 1)
    rays, halves = [], []
    for k in range(count):
        turn = start + math.tau * k / count
        one, half = leaf(at, turn, size * rng.uniform(0.92, 1.1), size * 2.3 / count)
        rays.append(one)
        halves.append(half)
    c.lay(c.shape(rays), [lift(petal, 0.03), petal])
    c.lay(c.shape(halves), lift(petal, -0.09), 0.6)
    heart = c.shape([disc(*at, size * 0.29)])
    c.lay(heart, second if second != petal else ink)
    c.lay(c.stipple(heart.fade(0.1, 0.3, 0.9)), ink, 0.7)


def _tulip(c: Canvas, at: Point, size: float, petal: Colour, second: Colour, ink: Colour) -> None:
    x, y = at
    for way, tone in ((-1, lift(petal, -0.05)), (1, lift(petal, -0.09))):
        outer = smooth(
            [
                (x, y + size * 0.75),
                (x + way * size * 0.68, y + size * 0.25),
                (x + way * size * 0.62, y - size * 0.45),
                (x + way * size * 0.42, y - size * 0.95),
                (x, y - size * 0.1),
            ],
            10,
            closed=True,
        )
        c.lay(c.shape([outer]), [mix(tone, second, 0.25), tone])
    front = smooth(
        [
            (x, y + size * 0.80),
            (x - size * 0.46, y + size * 0.1),
            (x, y - size * 0.88),
            (x + size * 0.46, y + size * 0.1),
        ],
        12,
        closed=True,
    )
    mask = c.shape([front])
    c.lay(mask, [lift(petal, 0.05), petal])
    c.lay(c.stipple(mask.fade(0, 0.1, 0.6)), mix(petal, ink, 0.4), 0.6)


def _umbel(
    c: Canvas,
    rng: random.Random,
    at: Point,
    size: float,
    petal: Colour,
    second: Colour,
    ink: Colour,
) -> None:
    rays, dots, centres = [], [], []
    base = (at[0], at[1] + size * 0.9)
    for k in range(15):
        turn = -math.pi / 2 + (k - 7) / 7 * 1.25
        away = size * rng.uniform(1.25, 1.7)
        tip = (base[0] + math.cos(turn) * away, base[1] + math.sin(turn) * away)
        rays.append(ribbon([base, tip], [size * 0.04, size * 0.02]))
        for _ in range(6):
            spot = (tip[0] + rng.gauss(0, 0.11) * size, tip[1] + rng.gauss(0, 0.09) * size)
            dots.append(disc(*spot, size * rng.uniform(0.06, 0.11))[::5])
            centres.append(disc(*spot, size * 0.03)[::10])
    c.lay(c.shape(rays), mix(ink, second, 0.3), 0.8)
    c.lay(c.shape(dots), petal)
    c.lay(c.shape(centres), second if second != petal else ink, 0.9)


# --- A cat --------------------------------------------------------------------------------------


def cat(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Seat a cat on a hill before a large, low disc of light."""
    del words
    c.wash(p.sky)
    if p.dark:
        stars(c, rng, c.h * 0.7, 240, p.sun)
    side = rng.choice((-1, 1))
    at = (c.w * (0.5 + side * 0.05), c.h * 0.47)
    big = min(c.u * 0.34, c.w * 0.42)
    if p.dark:
        moon(c, p, at, big, rng)
    else:
        sun(c, p, at, big)
    for i in range(3):
        line = rolling(rng, c.w, c.h * (0.70 + 0.07 * i), c.u * 0.035, 0.8)
        tone = p.land(0.30 + 0.33 * i)
        ground = c.shape([[*line, (c.w * 1.03, c.h + 2), (-c.w * 0.03, c.h + 2)]])
        if i == 2:
            spot = (c.w * (0.5 - side * 0.03), c.h * 0.845)
            _sitting_cat(c, spot, min(c.u * 0.46, c.w * 0.6), side, lift(p.near, -0.01))
        c.lay(ground, [mix(tone, p.accent, 0.10), tone])
        c.lay(c.stipple(ground.fade(0.4, 0.08, 0, 0)), mix(tone, p.sun, 0.35), 0.4)
    blades = []
    for _ in range(150):
        x, tall = rng.random() * c.w, c.u * rng.uniform(0.03, 0.11)
        lean = rng.uniform(-0.4, 0.4) * tall
        blades.append(
            ribbon(
                smooth(
                    [(x, c.h * 1.01), (x + lean * 0.3, c.h - tall * 0.6), (x + lean, c.h - tall)], 5
                ),
                [c.u * 0.004, 0.6],
            )
        )
    c.lay(c.shape(blades), lift(p.near, -0.02))
    flock(c, rng, (c.w * (0.5 + side * 0.2), c.h * 0.2), 5, c.u * 0.014, p.land(0.7))


# The outline of a cat that sits with its back to us, in units of its height; x is mirrored at will.
_CAT = (
    (-0.02, 1.0),
    (-0.26, 1.0),
    (-0.325, 0.92),
    (-0.32, 0.76),
    (-0.265, 0.58),
    (-0.20, 0.44),
    (-0.142, 0.345),
    (-0.162, 0.27),
    (-0.175, 0.19),
    (-0.168, 0.12),
)
_CAT_EARS = (
    ((-0.170, 0.16), (-0.178, 0.0), (-0.145, 0.015), (-0.045, 0.10)),
    ((0.170, 0.16), (0.178, 0.0), (0.145, 0.015), (0.045, 0.10)),
)


def _sitting_cat(c: Canvas, at: Point, tall: float, side: int, ink: Colour) -> None:
    x, y = at

    def place(points: Sequence[Point]) -> Polygon:
        return [(x + side * px * tall, y - tall + py * tall) for px, py in points]

    left = smooth(place(_CAT), 10)
    right = smooth(place([(-px, py) for px, py in _CAT]), 10)
    crown = smooth(
        place([(-0.168, 0.12), (-0.10, 0.075), (0, 0.068), (0.10, 0.075), (0.168, 0.12)]), 8
    )
    tail = ribbon(
        smooth(place([(0.16, 0.95), (0.40, 0.97), (0.56, 0.88), (0.54, 0.74), (0.45, 0.72)]), 12),
        [tall * 0.10, tall * 0.08, tall * 0.05],
    )
    c.lay(
        c.shape(
            [
                left + crown + right[::-1],
                *(place(ear) for ear in _CAT_EARS),
                tail,
                disc(x, y - tall * 0.80, tall * 0.178, tall * 0.135),
            ]
        ),
        ink,
    )


# --- Shapes --------------------------------------------------------------------------------------

# Paper, five inks, dark.
_PRINTS = (
    "f4e8d0 e4572e f3a712 2e6f95 174a5b f2b5a7 1f2a44",
    "f6eee0 ef6f6c f7c59f 2a9d8f 264653 e9c46a 22303f",
    "f1e9dd c8553d f28f3b 588b8b 2d3047 ffd5c2 2d3047",
    "f5ead9 d1495b edae49 00798c 30638e f4c7ab 1d2b48",
    "f3ebe4 7f5a83 f4a698 0d324d 5aa9a3 f7d6bf 1b2440",
    "14213d e07a5f f2cc8f 3d7ea6 81b29a f4f1de 0b1226",
    "221d3b ff6b6b feca57 5f6cc9 1dd1a1 f6e7d8 120f24",
)


def _of(word: str, salt: str = "") -> random.Random:
    """Make the generator of one word, the same in every prompt."""
    digest = hashlib.sha256(f"{salt}|{word}".encode("utf-8", "replace")).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


def _telling(words: Words, most: int) -> list[str]:
    """Choose the words that carry the picture: long ones first, then in their order."""
    seen = list(dict.fromkeys(words.tokens))
    kept = sorted(seen, key=lambda word: (-min(len(word), 8), seen.index(word)))[:most]
    return [word for word in seen if word in kept] or ["quiet"]


def chief_word(words: Words) -> str:
    """Find the word that decides the style: while it stays, changing another changes a part."""
    return max(_telling(words, 9), key=len)


def abstract(c: Canvas, p: Palette, rng: random.Random, words: Words) -> None:
    """Paint shapes alone: every word gives one of them its place, size and hue."""
    del p
    told = _telling(words, 9)
    colours = recoloured([rgb(code) for code in rng.choice(_PRINTS).split()], words)
    style = rng.choice((_overprint, _paper_cut, _bauhaus))
    style(c, rng, told, colours)


def _overprint(
    c: Canvas,
    rng: random.Random,
    told: Sequence[str],
    colours: Sequence[Colour],
) -> None:
    """Print translucent discs, rings and arcs over one another."""
    paper, inks, dark = colours[0], colours[1:6], colours[6]
    by_light = sum(paper) > 384  # half of 3 x 256
    how = "multiply" if by_light else "screen"
    c.wash([lift(paper, 0.012), paper, mix(paper, inks[4], 0.14)])
    middle = (c.w * rng.uniform(0.44, 0.56), c.h * rng.uniform(0.44, 0.56))
    spin = rng.uniform(0, math.tau)
    ground = c.shape([disc(*middle, min(c.u * 0.42, c.w * 0.44))])
    c.lay(c.stipple(ground.fade(0.5, 0.16, 0.02)), inks[rng.randrange(5)], 0.30)
    count = max(len(told), 7)
    for i in range(count):
        own = _of(told[i % len(told)], str(i // len(told)))
        turn = spin + 2.39996 * i + own.uniform(-0.3, 0.3)  # the golden angle spreads them out
        away = math.sqrt((i + 0.35) / count) * 0.37
        at = (middle[0] + math.cos(turn) * away * c.w, middle[1] + math.sin(turn) * away * c.h)
        size = c.u * own.uniform(0.11, 0.25) * (1.2 if i == 0 else 1.0)
        _print_one(c, own, at, size, inks[own.randrange(5)], how)
    line = smooth(
        [
            (c.w * t, middle[1] + c.h * 0.16 * math.sin(spin + t * 5.2))
            for t in (-0.05, 0.2, 0.4, 0.6, 0.8, 1.05)
        ],
        14,
    )
    c.lay(c.shape([ribbon(line, [c.u * 0.004])]), dark if by_light else inks[4], 0.8)
    c.lay(c.shape([disc(*line[len(line) // 3], c.u * 0.016)]), dark if by_light else inks[4])


def _print_one(
    c: Canvas, own: random.Random, at: Point, size: float, ink: Colour, how: str
) -> None:
    """Print one shape: a disc, a ring, a half disc, or a stack of arcs."""
    kind = own.randrange(5)
    tilt = own.uniform(0, math.tau)
    if kind == 0:
        marks = [_arc(at, size, size * 0.62, 0, math.tau)]
    elif kind == 1:
        marks = [_arc(at, size, 0, tilt, tilt + math.pi)]
    elif kind == 2:
        marks = [
            _arc(at, size * (1 - 0.2 * k), size * (0.9 - 0.2 * k), tilt, tilt + math.pi)
            for k in range(4)
        ]
    else:
        marks = [disc(*at, size)]
    mask = c.shape(marks)
    c.lay(mask, ink, 0.92, how=how)
    c.lay(c.stipple(mask.fade(0, 0, 0.25, 0.7)), lift(ink, -0.08), 0.55, how=how)


def _arc(at: Point, outer: float, inner: float, start: float, end: float) -> Polygon:
    """Outline a piece of a ring."""
    turns = [start + (end - start) * k / 80 for k in range(81)]
    rim = [(at[0] + outer * math.cos(t), at[1] + outer * math.sin(t)) for t in turns]
    core = [(at[0] + inner * math.cos(t), at[1] + inner * math.sin(t)) for t in turns]
    return rim + core[::-1]


def _paper_cut(
    c: Canvas,
    rng: random.Random,
    told: Sequence[str],
    colours: Sequence[Colour],
) -> None:
    """Lay sheets of cut paper over one another, each with its shadow."""
    paper, inks, dark = colours[0], colours[1:6], colours[6]
    c.wash([mix(paper, inks[4], 0.3), paper, mix(paper, inks[1], 0.35)])
    at = (c.w * rng.uniform(0.3, 0.7), c.h * rng.uniform(0.2, 0.32))
    c.glow(at, c.u * 0.6, inks[1], 0.45, 1.8)
    round_mask = c.shape([disc(*at, c.u * rng.uniform(0.12, 0.17))])
    c.lay(round_mask, [inks[1], mix(inks[1], inks[0], 0.7)])
    c.lay(c.stipple(round_mask.fade(0, 0.1, 0.6)), inks[0], 0.6)
    count = max(len(told), 5)
    for i in range(count):
        own = _of(told[i % len(told)], str(i // len(told)))
        t = i / (count - 1)
        line = rolling(
            own, c.w, c.h * (0.36 + 0.54 * t), c.u * own.uniform(0.06, 0.12), own.uniform(0.6, 1.3)
        )
        tone = mix(inks[own.randrange(5)], dark, 0.62 * t**1.6)
        sheet = [*line, (c.w * 1.03, c.h + 2), (-c.w * 0.03, c.h + 2)]
        raised = [(x, y - c.u * 0.012) for x, y in sheet]
        c.lay(c.shape([raised], c.u * 0.03).blur(c.u * 0.014), dark, 0.42)
        mask = c.shape([sheet])
        c.lay(mask, [lift(tone, 0.025), tone, mix(tone, dark, 0.15)])
        c.lay(c.stipple(mask.fade(0.35, 0.05, 0, 0, 0)), lift(tone, 0.10), 0.5)
        edge = [*line, *[(x, y + c.u * 0.003) for x, y in reversed(line)]]
        c.lay(c.shape([edge]), lift(tone, 0.14), 0.65)


def _bauhaus(
    c: Canvas,
    rng: random.Random,
    told: Sequence[str],
    colours: Sequence[Colour],
) -> None:
    """Set quarter discs, arches and bars in a grid."""
    paper, inks, dark = colours[0], colours[1:6], colours[6]
    c.wash([paper, paper])
    cells = 4
    side = min(c.w, c.h) / cells
    across, down = max(1, round(c.w / side)), max(1, round(c.h / side))
    sx, sy = c.w / across, c.h / down
    spin = rng.randrange(4)
    for i in range(across * down):
        own = _of(told[i % len(told)], str(i // len(told)))
        x, y = i % across * sx, i // across * sy
        ground = mix(paper, inks[own.randrange(5)], own.choice((0.0, 0.0, 0.25, 1.0)))
        others = [tone for tone in (*inks, dark) if tone != ground] or [paper]
        ink = others[own.randrange(5) % len(others)]  # a palette may have a colour twice
        c.lay(c.shape([box(x, y, x + sx + 1, y + sy + 1)]), ground)
        marks = _tile(own, x, y, sx, sy, (own.randrange(4) + spin) % 4)
        mask = c.shape(marks)
        c.lay(mask, ink)
        fades = ((0, 0, 0.2, 0.7), (0.7, 0.2, 0, 0))[own.randrange(2)]
        c.lay(c.stipple(mask.fade(*fades)), mix(ink, dark, 0.55), 0.5)


def _tile(own: random.Random, x: float, y: float, sx: float, sy: float, turn: int) -> list[Polygon]:
    """Outline the figure of one tile."""
    corner = ((x, y), (x + sx, y), (x + sx, y + sy), (x, y + sy))[turn]
    start = turn * math.pi / 2
    side = min(sx, sy)
    kind = own.randrange(6)
    if kind == 0:
        return [_arc(corner, side, 0, start, start + math.pi / 2)]
    if kind == 1:
        return [
            _arc(
                corner, side * (1 - 0.25 * k), side * (0.875 - 0.25 * k), start, start + math.pi / 2
            )
            for k in range(4)
        ]
    if kind == 2:
        return [disc(x + sx / 2, y + sy / 2, side * 0.34)]
    if kind == 3:
        middle = ((x + sx / 2, y), (x + sx, y + sy / 2), (x + sx / 2, y + sy), (x, y + sy / 2))[
            turn
        ]
        return [_arc(middle, side / 2, 0, start, start + math.pi)]
    if kind == 4:
        return [
            box(
                x + sx * (0.10 + 0.22 * k), y + sy * 0.12, x + sx * (0.22 + 0.22 * k), y + sy * 0.88
            )
            for k in range(4)
        ]
    across = ((x + sx, y + sy), (x, y + sy), (x, y), (x + sx, y))[turn]
    return [
        _arc(corner, side, 0, start, start + math.pi / 2),
        _arc(across, side * 0.42, 0, start + math.pi, start + math.pi * 1.5),
    ]
