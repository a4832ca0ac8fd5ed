"""What Instagram takes, checked before something is posted.

Pure: facts in, points out. The figures are those that several publishers' help
pages agree on; only the service decides, so this advises and forbids nothing.

A point that misses has fixes. A fix is an edit of the image or another kind of
post, and fixes compose: each is made for the image as the one before left it.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple
from unicodedata import category

import msgspec

from ..imaging.operations import (
    Crop,
    Encode,
    Operation,
    Pad,
    Resize,
)
from ..utils import graphemes
from ..utils.visible_text import VARIATION_SELECTORS
from .limits import MAX_CAPTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TALLEST, WIDEST = 4 / 5, 1.91  # width / height that the feed takes
STORY = 9 / 16
STORY_SIZE = (1080, 1920)  # pixels, recommended
MAX_BYTES = 8_000_000
MIN_WIDTH, MAX_WIDTH = 320, 1440  # pixels; the feed scales to fit outside it
MAX_HASHTAGS = 5  # announced in December 2025; until it holds everywhere, 30
FORMER_MAX_HASHTAGS = 30
MAX_MENTIONS = 20  # on most publishers' pages; one says 3

#: Say how the signs beside them look, and are none themselves.
_UNSEEN = {
    graphemes.ZERO_WIDTH_JOINER,
    graphemes.ZERO_WIDTH_NON_JOINER,
    *map(chr, VARIATION_SELECTORS),
}

NEAR = 0.01  # of a ratio: no eye sees the difference
JUST_OFF = 0.02  # of a limit: told in pixels
_NAMED = [
    "9:16",
    "4:5",
    "1:1",
    "16:9",
    "2:3",
    "3:2",
    "3:4",
    "4:3",
    "5:4",
    "21:9",
    "9:21",
    "1:4",
    "4:1",
    "1:8",
    "8:1",
]

Level = Literal["miss", "advice", "fine"]
_LEVELS: tuple[Level, ...] = ("miss", "advice", "fine")


class Facts(NamedTuple):
    """What is known of an image.

    Attributes
    ----------
    width, height : int
        Pixels.
    format : str
        ``"PNG"``, ``"JPEG"``, …
    size : int or None
        Bytes; None where it is not known yet.
    animated : bool
        Whether it is an animation, which every fix makes still.
    """

    width: int
    height: int
    format: str
    size: int | None
    animated: bool = False

    @property
    def ratio(self) -> float:
        """Width / height."""
        return self.width / self.height


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """One way out: an edit of the image, or another kind of post."""

    label: str
    operations: tuple[Operation, ...] = ()
    product: str = ""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one thing.

    Attributes
    ----------
    about : str
        ``"ratio"``, ``"size"``, ``"format"``, ``"width"`` or ``"caption"``.
    level : str
        ``"miss"`` (Instagram is not likely to take it), ``"advice"`` or ``"fine"``.
    title, text : str
        Plain sentences.
    fixes : tuple of Fix
        The best one first; none where only the person can mend it.
    """

    about: str
    level: Level
    title: str
    text: str = ""
    fixes: tuple[Fix, ...] = ()


def check(facts: Facts | None, product: str, caption: str) -> list[Point]:
    """Check a post, the most important first.

    Parameters
    ----------
    facts : Facts or None
        Without them nothing is claimed about the image.
    product : str
        ``"IMAGE"`` or ``"STORIES"``.
    caption : str
    """
    points = [*(_of_image(facts, product) if facts else ()), *_of_caption(caption)]
    return sorted(points, key=lambda point: _LEVELS.index(point.level))


def check_slides(slides: Sequence[Facts | None], caption: str) -> list[Point]:
    """Check a carousel, the most important first.

    Parameters
    ----------
    slides : list of Facts or None
        Of its images, in their order; None where nothing is known.
    caption : str
    """
    points = [*_of_slides(slides), *_of_caption(caption)]
    return sorted(points, key=lambda point: _LEVELS.index(point.level))


def slide_fixes(slides: Sequence[Facts | None]) -> list[tuple[Operation, ...]]:
    """What makes each image of a carousel one that Instagram takes as it is; mostly nothing."""
    from ..imaging import apply_edits  # noqa: PLC0415 - Pillow is loaded when an image is there

    first = slides[0] if slides else None
    if first is None:
        return [()] * len(slides)
    shape = min(max(first.ratio, TALLEST), WIDEST)
    fixes: list[tuple[Operation, ...]] = []
    for facts in slides:
        operations: tuple[Operation, ...] = ()
        if facts is not None and facts.format == "SVG":  # nothing here opens it
            fixes.append(())
            continue
        if facts is not None and not _is_like(facts.ratio, shape):
            operations = (apply_edits.centered_crop((facts.width, facts.height), shape),)
        if facts is not None and _is_no_jpeg(facts):
            operations += _smaller(after(facts, operations))
        fixes.append(operations)
    return fixes


def every_fix(facts: Facts, product: str) -> Fix | None:
    """One fix for all that misses, where that takes more than one."""
    labels: list[str] = []
    operations: tuple[Operation, ...] = ()
    while True:
        missed = [point for point in check(facts, product, "") if point.level == "miss"]
        fix = next((fix for point in missed for fix in point.fixes if fix.operations), None)
        if fix is None or fix.label in labels:
            break
        labels.append(fix.label)
        operations += fix.operations
        facts = after(facts, fix.operations)
    if len(labels) < 2:  # noqa: PLR2004 - one has a button of its own
        return None
    first, *rest = labels
    label = " and ".join([", ".join([first, *map(_uncapped, rest[:-1])]), _uncapped(rest[-1])])
    return Fix(label=label, operations=operations)


def after(facts: Facts, operations: Sequence[Operation]) -> Facts:
    """What will be known of an image after an edit."""
    for operation in operations:
        if isinstance(operation, Crop | Pad | Resize):
            facts = facts._replace(width=operation.width, height=operation.height)
        if isinstance(operation, Encode):
            facts = facts._replace(format=operation.format)
        facts = facts._replace(size=None, animated=False)
    return facts


def hashtags(caption: str) -> int:
    """How many hashtags a caption has; those within addresses are none.

    A hashtag has letters with their marks, digits, underscores and emoji.
    """
    count, is_tag = 0, False
    for last, sign, following in _neighbours(_text(caption)):
        if sign == "#":
            # Behind a letter it is none, unless that letter is another hashtag's: "#a#b".
            starts = is_tag or not (_is_of_word(last) or last in {"&", "/"})
            is_tag = starts and (_is_of_word(following) or graphemes.is_emoji(following))
            is_tag = is_tag and not graphemes.is_modifier(following)  # as of a keycap
            count += is_tag
        else:
            is_tag = is_tag and (_is_of_word(sign) or _is_of_emoji(sign))
    return count


def mentions(caption: str) -> int:
    """How many accounts a caption names; an e-mail address is none."""
    return sum(
        sign == "@" and re.match(r"\w", following) is not None and not _is_of_word(last)
        for last, sign, following in _neighbours(_text(caption))
    )


def named(ratio: float) -> str:
    """A ratio as people say it: ``"9:16"``, or ``"0.62:1"`` where it has no name."""
    for name in _NAMED:
        wide, high = map(int, name.split(":"))
        if abs(ratio * high / wide - 1) < NEAR:
            return name
    return f"{ratio:.2f}:1"


def _neighbours(text: str) -> Iterator[tuple[str, str, str]]:
    """Each sign with the one before it, of those that are seen, and the one after it."""
    last = ""
    for sign, following in pairwise(f"{text} "):
        yield last, sign, following
        last = last if sign in _UNSEEN else sign


def _is_of_word(sign: str) -> bool:
    return sign == "_" or sign.isalnum() or (bool(sign) and category(sign).startswith("M"))


def _is_of_emoji(sign: str) -> bool:
    return graphemes.is_emoji(sign) or graphemes.is_modifier(sign) or sign in _UNSEEN


def _text(caption: str) -> str:
    return re.sub(r"(?:https?://|www\.)\S+", " ", caption)


def _uncapped(label: str) -> str:
    return label[:1].lower() + label[1:]


# ---------------------------------------------------------------- the image


def _of_image(facts: Facts, product: str) -> Iterator[Point]:
    if facts.format == "SVG":  # nothing here can make anything else of it
        text = "Instagram takes JPEG. Save it, and export it as JPEG from a drawing program."
        yield Point(about="format", level="miss", title="This is a drawing (SVG).", text=text)
        return
    yield _story_ratio(facts) if product == "STORIES" else _feed_ratio(facts)
    if facts.size is not None and facts.size > MAX_BYTES:
        yield Point(
            about="size",
            level="miss",
            title=f"{facts.size / 1e6:.1f} MB is too large.",
            text="Instagram takes up to 8 MB.",
            fixes=(Fix(label="Make it a smaller JPEG", operations=_smaller(facts)),),
        )
    if facts.format == "JPEG":
        size = f", {facts.size / 1e6:.1f} MB" if facts.size is not None else ""
        if not size or facts.size <= MAX_BYTES:  # type: ignore[operator]
            yield Point(about="format", level="fine", title=f"JPEG{size}")
    else:
        jpeg = Fix(label="Make it a JPEG", operations=(Encode(format="JPEG"),))
        yield Point(
            about="format",
            level="miss",
            title=f"This is a {facts.format}.",
            text="Instagram takes JPEG."
            + (" Of this animation only the first image is kept." if facts.animated else ""),
            fixes=(jpeg,),
        )
    if product == "STORIES" and facts.width < STORY_SIZE[0]:
        yield Point(
            about="width",
            level="advice",
            title=f"{facts.width} × {facts.height} is small for a story.",
            text=f"{STORY_SIZE[0]} × {STORY_SIZE[1]} is recommended.",
        )
    if product != "STORIES" and facts.width < MIN_WIDTH:
        yield Point(
            about="width",
            level="advice",
            title=f"{facts.width} pixels are narrow for the feed.",
            text=f"It scales the image up to {MIN_WIDTH}, which may look soft.",
        )


def _feed_ratio(facts: Facts) -> Point:
    name = named(facts.ratio)
    if TALLEST <= facts.ratio <= WIDEST:
        title = f"{name}, {facts.width} × {facts.height}"
        return Point(about="ratio", level="fine", title=title)
    tall = facts.ratio < TALLEST
    limit = TALLEST if tall else WIDEST
    text = f"It takes 4:5 (0.80) to 1.91:1; this image has {facts.ratio:.2f}."
    if abs(facts.ratio / limit - 1) < JUST_OFF:  # rounded, it would look like one that fits
        fits = math.ceil(facts.height * limit) if tall else math.floor(facts.height * limit)
        name = f"{facts.width:,} × {facts.height:,}"
        bound = "at least" if tall else "at most"
        text = f"At this height it takes {bound} {fits:,} pixels in width."
    story = Fix(label="Post as a story", product="STORIES")
    return Point(
        about="ratio",
        level="miss",
        title=f"{name} is too {'tall' if tall else 'wide'} for the feed.",
        text=text,
        fixes=(
            *_reshaped(facts, limit, "4:5" if tall else "1.91:1"),
            *((story,) if tall else ()),
        ),
    )


def _story_ratio(facts: Facts) -> Point:
    off_by = abs(facts.width - facts.height * STORY)  # less than a pixel cannot be mended
    if off_by < 1 or abs(facts.ratio / STORY - 1) < NEAR:
        title = f"{named(facts.ratio)}, {facts.width} × {facts.height}"
        return Point(about="ratio", level="fine", title=title)
    feed = Fix(label="Post to the feed", product="IMAGE")
    return Point(
        about="ratio",
        level="advice",
        title=f"A story is 9:16; this is {named(facts.ratio)}.",
        text="Instagram decides how to fill the rest.",
        fixes=(
            *_reshaped(facts, STORY, "9:16"),
            *((feed,) if TALLEST <= facts.ratio <= WIDEST else ()),
        ),
    )


def _reshaped(facts: Facts, ratio: float, name: str) -> tuple[Fix, Fix]:
    from ..imaging import apply_edits  # noqa: PLC0415 - Pillow is loaded when an image is there

    size = facts.width, facts.height
    crop, pad = apply_edits.centered_crop(size, ratio), apply_edits.padded(size, ratio)
    padding = Fix(label=f"Pad to {name}", operations=(pad,))
    if not apply_edits.can_be_made(pad.width, pad.height):
        smaller = _resize(facts, MAX_WIDTH / pad.width)
        pad = apply_edits.padded((smaller.width, smaller.height), ratio)
        padding = Fix(label=f"Shrink and pad to {name}", operations=(smaller, pad))
    return Fix(label=f"Crop to {name}", operations=(crop,)), padding


def _smaller(facts: Facts) -> tuple[Operation, ...]:
    """No wider than the feed shows it, so that nothing is lost that anyone would see."""
    if facts.width <= MAX_WIDTH:
        return (Encode(format="JPEG"),)
    return (_resize(facts, MAX_WIDTH / facts.width), Encode(format="JPEG"))


def _resize(facts: Facts, scale: float) -> Resize:
    width, height = (max(1, round(side * scale)) for side in (facts.width, facts.height))
    return Resize(width=width, height=height)


# ---------------------------------------------------------------- a carousel


def _of_slides(slides: Sequence[Facts | None]) -> Iterator[Point]:
    first = slides[0] if slides else None
    if first is None:
        return
    ratio = _feed_ratio(first)
    if ratio.level == "miss":
        yield Point(
            about="ratio",
            level="miss",
            title=f"The first image is {_uncapped(ratio.title).replace(' is too', ', too')}",
            text=f"All images are cropped to its shape. {ratio.text.replace('this image', 'it')}",
        )
    others = [
        place
        for place, facts in enumerate(slides, 1)
        if facts is not None and not _is_like(facts.ratio, first.ratio)
    ]
    if others:
        yield Point(
            about="ratio",
            level="advice",
            title=f"{_places(others)} of another shape.",
            text=f"Instagram crops all to the first one’s, {named(first.ratio)}.",
        )
    elif ratio.level == "fine":
        yield Point(about="ratio", level="fine", title=f"All are {named(first.ratio)}")
    odd = [place for place, facts in enumerate(slides, 1) if facts and _is_no_jpeg(facts)]
    if odd:
        yield Point(
            about="format",
            level="miss",
            title=f"{_places(odd, 'must be', 'must be')} JPEG, at most 8 MB.",
            text="Instagram takes nothing else.",
        )
    elif None not in slides:
        yield Point(about="format", level="fine", title="All are JPEG")


def _is_like(ratio: float, other: float) -> bool:
    return abs(ratio / other - 1) < NEAR


def _is_no_jpeg(facts: Facts) -> bool:
    return facts.format != "JPEG" or (facts.size or 0) > MAX_BYTES


def _places(places: list[int], one: str = "is", more: str = "are") -> str:
    """``"Image 2 is"``, ``"Images 2, 3 and 5 are"``."""
    if len(places) == 1:
        return f"Image {places[0]} {one}"
    *some, last = map(str, places)
    return f"Images {', '.join(some)} and {last} {more}"


# ---------------------------------------------------------------- the caption


def _of_caption(caption: str) -> Iterator[Point]:
    tags, names = hashtags(caption), mentions(caption)
    if len(caption) > MAX_CAPTION:
        yield Point(
            about="caption",
            level="miss",
            title=f"{_counted(len(caption) - MAX_CAPTION, 'character')} too many.",
            text=f"The caption has {len(caption):,}; Instagram takes {MAX_CAPTION:,}. "
            "Take some out.",
        )
    if tags > MAX_HASHTAGS:
        yield Point(
            about="caption",
            level="miss" if tags > FORMER_MAX_HASHTAGS else "advice",
            title=f"{_counted(tags, 'hashtag')} may be too many.",
            text=f"Instagram is lowering its limit from {FORMER_MAX_HASHTAGS} to {MAX_HASHTAGS}.",
        )
    if names > MAX_MENTIONS:
        yield Point(
            about="caption",
            level="advice",
            title=f"{_counted(names, 'mention')} may be too many.",
            text="Instagram limits how many accounts a caption may mention.",
        )
    if len(caption) <= MAX_CAPTION and tags <= MAX_HASHTAGS and names <= MAX_MENTIONS:
        said = [
            _counted(count, noun)
            for noun, count in (("hashtag", tags), ("mention", names))
            if count
        ]
        title = ", ".join(["Caption", *said]) if caption.strip() else "No caption"
        yield Point(about="caption", level="fine", title=title)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
