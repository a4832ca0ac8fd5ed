"""Check an image and a caption against Instagram's limits before posting.

Several publishers' help pages agree on these limits, but only the service decides. Therefore the
checks advise and never forbid.

A failed check offers fixes: an edit of the image, or another kind of post. Fixes can be combined;
each applies to the result of the previous one.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple
from unicodedata import category

import msgspec

from ..imaging.operations import AnyOperation, Crop, Encode, Operation, Pad, Resize
from ..utils import graphemes
from ..utils.visible_text import VARIATION_SELECTORS
from .limits import MAX_CAPTION_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIN_RATIO, MAX_RATIO = 4 / 5, 1.91  # width / height in the feed
STORY_RATIO = 9 / 16
STORY_SIZE = (1080, 1920)  # pixels, recommended
MAX_BYTES = 8_000_000
CONVERTED_FORMATS = {"PNG", "WEBP"}  # several publishers convert them to JPEG
MIN_WIDTH, MAX_WIDTH = 320, 1440  # pixels; the feed scales other images to this range
MAX_HASHTAGS = 5  # announced in December 2025, not yet in force everywhere
FORMER_MAX_HASHTAGS = 30
MAX_MENTIONS = 20  # according to most publishers' pages; one says 3

#: Invisible characters, which only change the appearance of adjacent characters.
_INVISIBLE = {
    graphemes.ZERO_WIDTH_JOINER,
    graphemes.ZERO_WIDTH_NON_JOINER,
    *map(chr, VARIATION_SELECTORS),
}

RATIO_TOLERANCE = 0.01  # relative; the difference is not visible
NEAR_LIMIT = 0.02  # relative; closer to a limit, ratios are given in pixels
_NAMED_RATIOS = [
    *("9:16", "4:5", "1:1", "16:9", "2:3", "3:2", "3:4", "4:3", "5:4"),
    *("21:9", "9:21", "1:4", "4:1", "1:8", "8:1"),
]

Level = Literal["miss", "advice", "fine"]
_LEVELS: tuple[Level, ...] = ("miss", "advice", "fine")


class ImageInfo(NamedTuple):
    """The facts about an image that the checks use.

    Attributes
    ----------
    width, height : int
        Pixels.
    format : str
        ``"PNG"``, ``"JPEG"``, …
    size : int or None
        Bytes; None if not known yet.
    animated : bool
        Whether the image is an animation; every fix keeps only its first frame.
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
    """A fix for a failed check: an edit of the image or video, or another kind of post.

    Attributes
    ----------
    label : str
        The text of a button.
    operations : tuple of Operation or VideoOperation
        The edit operations; empty for another kind of post.
    product : str
        The other kind of post: ``"IMAGE"`` or ``"STORIES"``; empty for an edit.
    """

    label: str
    operations: tuple[AnyOperation, ...] = ()
    product: str = ""


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check.

    Attributes
    ----------
    topic : str
        ``"ratio"``, ``"size"``, ``"format"``, ``"width"`` or ``"caption"``.
    level : str
        ``"miss"`` (Instagram will probably reject the post), ``"advice"`` or ``"fine"``.
    title, text : str
        The strings to display.
    fixes : tuple of Fix
        Best first; empty if only the user can fix the problem.
    """

    topic: str
    level: Level
    title: str
    text: str = ""
    fixes: tuple[Fix, ...] = ()


def check(image: ImageInfo | None, product: str, caption: str) -> list[CheckResult]:
    """Check a post; return the most important results first.

    Parameters
    ----------
    image : ImageInfo or None
        None to check the caption only.
    product : str
        ``"IMAGE"`` or ``"STORIES"``.
    caption : str
    """
    return _sorted([*(_check_image(image, product) if image else ()), *_check_caption(caption)])


def check_carousel(slides: Sequence[ImageInfo | None], caption: str) -> list[CheckResult]:
    """Check a carousel; return the most important results first.

    Parameters
    ----------
    slides : list of ImageInfo or None
        The images in order; None for an unknown image.
    caption : str
    """
    return _sorted([*_check_slides(slides), *_check_caption(caption)])


def _sorted(results: list[CheckResult]) -> list[CheckResult]:
    return sorted(results, key=lambda result: _LEVELS.index(result.level))


def carousel_fixes(slides: Sequence[ImageInfo | None]) -> list[tuple[Operation, ...]]:
    """Return an edit for each image of a carousel that makes it pass; empty if not needed."""
    from ..imaging import apply_edits  # noqa: PLC0415 - loads Pillow, which is slow

    first = slides[0] if slides else None
    if first is None:
        return [()] * len(slides)
    ratio = min(max(first.ratio, MIN_RATIO), MAX_RATIO)
    fixes: list[tuple[Operation, ...]] = []
    for image in slides:
        operations: tuple[Operation, ...] = ()
        if image is not None and image.format == "SVG":  # Pillow cannot open it
            fixes.append(())
            continue
        if image is not None and not _same_ratio(image.ratio, ratio):
            operations = (apply_edits.centered_crop((image.width, image.height), ratio),)
        if image is not None and _needs_encoding(image):
            operations += _as_small_jpeg(after_edit(image, operations))
        fixes.append(operations)
    return fixes


def combined_fix(image: ImageInfo, product: str) -> Fix | None:
    """Return one fix for all failed checks and the format; None if at most one is needed."""
    labels: list[str] = []
    operations: tuple[AnyOperation, ...] = ()
    while True:
        found = [
            result
            for result in check(image, product, "")
            if result.level == "miss" or result.topic == "format"
        ]
        fix = next((fix for result in found for fix in result.fixes if fix.operations), None)
        if fix is None or fix.label in labels:
            break
        labels.append(fix.label)
        operations += fix.operations
        image = after_edit(image, fix.operations)
    return combine(labels, operations)


def combine(labels: Sequence[str], operations: tuple[AnyOperation, ...]) -> Fix | None:
    """Return one fix for several; None for a single one, which its own check offers."""
    if len(labels) < 2:  # noqa: PLR2004 - several
        return None
    first, *rest = labels
    label = " and ".join(
        [", ".join([first, *map(_lowercase_first, rest[:-1])]), _lowercase_first(rest[-1])]
    )
    return Fix(label=label, operations=operations)


def after_edit(image: ImageInfo, operations: Sequence[AnyOperation]) -> ImageInfo:
    """Return the facts of an image after an edit."""
    for operation in operations:
        if isinstance(operation, Crop | Pad | Resize):
            image = image._replace(width=operation.width, height=operation.height)
        if isinstance(operation, Encode):
            image = image._replace(format=operation.format)
        image = image._replace(size=None, animated=False)
    return image


def ratio_name(ratio: float) -> str:
    """Return a ratio in its usual form: ``"9:16"``, or ``"0.62:1"`` if it has none."""
    for name in _NAMED_RATIOS:
        width, height = map(int, name.split(":"))
        if abs(ratio * height / width - 1) < RATIO_TOLERANCE:
            return name
    return f"{ratio:.2f}:1"


# ---------------------------------------------------------------- the image


def _check_image(image: ImageInfo, product: str) -> Iterator[CheckResult]:
    if image.format == "SVG":  # Pillow cannot convert it
        text = (
            "Instagram accepts only JPEG. Save the image, open it in a graphics editor and export "
            "it as JPEG."
        )
        yield CheckResult(topic="format", level="miss", title="This is an SVG image.", text=text)
        return
    yield _story_ratio(image) if product == "STORIES" else _feed_ratio(image)
    if image.size is not None and image.size > MAX_BYTES:
        yield CheckResult(
            topic="size",
            level="miss",
            title=f"{image.size / 1e6:.1f} MB is too large.",
            text="Instagram accepts up to 8 MB.",
            fixes=(Fix(label="Convert to a smaller JPEG", operations=_as_small_jpeg(image)),),
        )
    if image.format == "JPEG":
        size = f", {image.size / 1e6:.1f} MB" if image.size is not None else ""
        if not size or image.size <= MAX_BYTES:  # type: ignore[operator]
            yield CheckResult(topic="format", level="fine", title=f"JPEG{size}")
    else:
        jpeg = Fix(label="Convert to JPEG", operations=(Encode(format="JPEG"),))
        rejected = _is_rejected(image)
        yield CheckResult(
            topic="format",
            level="miss" if rejected else "advice",
            title=f"The format is {image.format}.",
            text=(
                "Instagram accepts only JPEG, so the post may fail."
                if rejected
                else "Instagram stores JPEG. Convert it to be sure that it is accepted."
            )
            + (" Only the first frame of this animation is kept." if image.animated else ""),
            fixes=(jpeg,),
        )
    if product == "STORIES" and image.width < STORY_SIZE[0]:
        yield CheckResult(
            topic="width",
            level="advice",
            title=f"{image.width} × {image.height} is small for a story.",
            text=f"{STORY_SIZE[0]} × {STORY_SIZE[1]} is recommended.",
        )
    if product != "STORIES" and image.width < MIN_WIDTH:
        yield CheckResult(
            topic="width",
            level="advice",
            title=f"{image.width} pixels is narrow for the feed.",
            text=f"Instagram scales it up to {MIN_WIDTH} pixels, which may look soft.",
        )


def _feed_ratio(image: ImageInfo) -> CheckResult:
    name = ratio_name(image.ratio)
    if MIN_RATIO <= image.ratio <= MAX_RATIO:
        title = f"{name}, {image.width} × {image.height}"
        return CheckResult(topic="ratio", level="fine", title=title)
    tall = image.ratio < MIN_RATIO
    limit = MIN_RATIO if tall else MAX_RATIO
    text = f"The feed accepts 4:5 (0.80:1) to 1.91:1; this image is {image.ratio:.2f}:1."
    if abs(image.ratio / limit - 1) < NEAR_LIMIT:  # a rounded ratio would seem to fit
        fits = math.ceil(image.height * limit) if tall else math.floor(image.height * limit)
        name = f"{image.width:,} × {image.height:,}"
        bound = "at least" if tall else "at most"
        text = f"At this height, it must be {bound} {fits:,} pixels wide."
    story = Fix(label="Switch to story", product="STORIES")
    return CheckResult(
        topic="ratio",
        level="miss",
        title=f"{name} is too {'tall' if tall else 'wide'} for the feed.",
        text=text,
        fixes=(
            *_reshape_fixes(image, limit, "4:5" if tall else "1.91:1"),
            *((story,) if tall else ()),
        ),
    )


def _story_ratio(image: ImageInfo) -> CheckResult:
    off_by = abs(image.width - image.height * STORY_RATIO)  # pixels
    if off_by < 1 or abs(image.ratio / STORY_RATIO - 1) < RATIO_TOLERANCE:
        title = f"{ratio_name(image.ratio)}, {image.width} × {image.height}"
        return CheckResult(topic="ratio", level="fine", title=title)
    feed = Fix(label="Switch to feed image", product="IMAGE")
    return CheckResult(
        topic="ratio",
        level="advice",
        title=f"A story is 9:16; this image is {ratio_name(image.ratio)}.",
        text="Instagram decides how to fill the rest.",
        fixes=(
            *_reshape_fixes(image, STORY_RATIO, "9:16"),
            *((feed,) if MIN_RATIO <= image.ratio <= MAX_RATIO else ()),
        ),
    )


def _reshape_fixes(image: ImageInfo, ratio: float, name: str) -> tuple[Fix, Fix]:
    from ..imaging import apply_edits  # noqa: PLC0415 - loads Pillow, which is slow

    size = image.width, image.height
    crop, pad = apply_edits.centered_crop(size, ratio), apply_edits.padded(size, ratio)
    padding = Fix(label=f"Pad to {name}", operations=(pad,))
    if not apply_edits.is_size_allowed(pad.width, pad.height):
        smaller = _scaled(image, MAX_WIDTH / pad.width)
        pad = apply_edits.padded((smaller.width, smaller.height), ratio)
        padding = Fix(label=f"Shrink and pad to {name}", operations=(smaller, pad))
    return Fix(label=f"Crop to {name}", operations=(crop,)), padding


def _as_small_jpeg(image: ImageInfo) -> tuple[Operation, ...]:
    """Encode as JPEG, no wider than the feed shows it."""
    if image.width <= MAX_WIDTH:
        return (Encode(format="JPEG"),)
    return (_scaled(image, MAX_WIDTH / image.width), Encode(format="JPEG"))


def _scaled(image: ImageInfo, scale: float) -> Resize:
    width, height = (max(1, round(side * scale)) for side in (image.width, image.height))
    return Resize(width=width, height=height)


# ---------------------------------------------------------------- a carousel


def _check_slides(slides: Sequence[ImageInfo | None]) -> Iterator[CheckResult]:
    first = slides[0] if slides else None
    if first is None:
        return
    ratio = _feed_ratio(first)
    if ratio.level == "miss":
        yield CheckResult(
            topic="ratio",
            level="miss",
            title=f"The first image is {_lowercase_first(ratio.title).replace(' is too', ', too')}",
            text="All images are cropped to its aspect ratio. "
            + ratio.text.replace("this image", "the first one"),
        )
    others = [
        number
        for number, image in enumerate(slides, 1)
        if image is not None and not _same_ratio(image.ratio, first.ratio)
    ]
    if others:
        yield CheckResult(
            topic="ratio",
            level="advice",
            title=f"{_image_numbers(others, 'has', 'have')} a different aspect ratio.",
            text="Instagram crops all images to the first one’s aspect ratio, "
            f"{ratio_name(first.ratio)}.",
        )
    elif ratio.level == "fine":
        yield CheckResult(topic="ratio", level="fine", title=f"All are {ratio_name(first.ratio)}")
    odd = [number for number, image in enumerate(slides, 1) if image and _needs_encoding(image)]
    if odd:
        rejected = any(image is not None and _is_rejected(image) for image in slides)
        yield CheckResult(
            topic="format",
            level="miss" if rejected else "advice",
            title=f"{_image_numbers(odd, 'must be', 'must be')} JPEG, at most 8 MB."
            if rejected
            else f"{_image_numbers(odd)} not JPEG.",
            text="Instagram accepts no other format."
            if rejected
            else "Instagram stores JPEG. Fit all images to be sure that they are accepted.",
        )
    elif None not in slides:
        yield CheckResult(topic="format", level="fine", title="All are JPEG")


def _same_ratio(ratio: float, other: float) -> bool:
    return abs(ratio / other - 1) < RATIO_TOLERANCE


def _needs_encoding(image: ImageInfo) -> bool:
    return image.format != "JPEG" or (image.size or 0) > MAX_BYTES


def _is_rejected(image: ImageInfo) -> bool:
    # Animations lose all frames but one; other PNG and WebP images the service may convert.
    is_accepted = image.format in {"JPEG", *CONVERTED_FORMATS} and not image.animated
    return not is_accepted or (image.size or 0) > MAX_BYTES


def _image_numbers(numbers: list[int], singular: str = "is", plural: str = "are") -> str:
    """Return ``"Image 2 is"`` or ``"Images 2, 3 and 5 are"``."""
    if len(numbers) == 1:
        return f"Image {numbers[0]} {singular}"
    *others, last = map(str, numbers)
    return f"Images {', '.join(others)} and {last} {plural}"


# ---------------------------------------------------------------- the caption


def _check_caption(caption: str) -> Iterator[CheckResult]:
    tags, names = count_hashtags(caption), count_mentions(caption)
    if len(caption) > MAX_CAPTION_LENGTH:
        yield CheckResult(
            topic="caption",
            level="miss",
            title=f"{_counted(len(caption) - MAX_CAPTION_LENGTH, 'character')} too many.",
            text=f"The caption has {len(caption):,} characters; the limit is "
            f"{MAX_CAPTION_LENGTH:,}. Shorten it.",
        )
    if tags > MAX_HASHTAGS:
        yield CheckResult(
            topic="caption",
            level="miss" if tags > FORMER_MAX_HASHTAGS else "advice",
            title=f"{_counted(tags, 'hashtag')} may be too many.",
            text=f"Instagram is lowering its limit from {FORMER_MAX_HASHTAGS} to {MAX_HASHTAGS}.",
        )
    if names > MAX_MENTIONS:
        yield CheckResult(
            topic="caption",
            level="advice",
            title=f"{_counted(names, 'mention')} may be too many.",
            text="Instagram limits the number of accounts that a caption may mention.",
        )
    if len(caption) <= MAX_CAPTION_LENGTH and tags <= MAX_HASHTAGS and names <= MAX_MENTIONS:
        counts = [
            _counted(count, noun)
            for noun, count in (("hashtag", tags), ("mention", names))
            if count
        ]
        title = ", ".join(["Caption", *counts]) if caption.strip() else "No caption"
        yield CheckResult(topic="caption", level="fine", title=title)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def count_hashtags(caption: str) -> int:
    """Count the hashtags in a caption, except those in web addresses.

    A hashtag has letters with their marks, digits, underscores and emoji.
    """
    count, in_tag = 0, False
    for previous, character, following in _neighbours(_without_urls(caption)):
        if character == "#":
            # After a letter it starts a hashtag only within another one: "#a#b".
            may_start = in_tag or not (_is_word_part(previous) or previous in {"&", "/"})
            in_tag = may_start and (_is_word_part(following) or graphemes.is_emoji(following))
            in_tag = in_tag and not graphemes.is_modifier(following)  # "#" may be part of a keycap
            count += in_tag
        else:
            in_tag = in_tag and (_is_word_part(character) or _is_emoji_part(character))
    return count


def count_mentions(caption: str) -> int:
    """Count the accounts that a caption mentions; an email address is not a mention."""
    return sum(
        character == "@" and re.match(r"\w", following) is not None and not _is_word_part(previous)
        for previous, character, following in _neighbours(_without_urls(caption))
    )


def _neighbours(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield each character with the visible one before it and the one after it."""
    previous = ""
    for character, following in pairwise(f"{text} "):
        yield previous, character, following
        previous = previous if character in _INVISIBLE else character


def _is_word_part(character: str) -> bool:
    return (
        character == "_"
        or character.isalnum()
        or (bool(character) and category(character).startswith("M"))
    )


def _is_emoji_part(character: str) -> bool:
    is_extension = graphemes.is_modifier(character) or character in _INVISIBLE
    return graphemes.is_emoji(character) or is_extension


def _without_urls(caption: str) -> str:
    return re.sub(r"(?:https?://|www\.)\S+", " ", caption)


def _lowercase_first(text: str) -> str:
    return text[:1].lower() + text[1:]
