"""The fonts of this computer, found by looking into its folders.

`BUILT_IN` is always there: a plain font of this computer's, or else Pillow's own, which
lacks accents and dashes. A family that is not there is an error, because a caption in
another font than was asked for is another image; so is a sign that a font lacks. The
one exception is `PREFERRED`, which `Text` has before anybody chose: where it is not
installed, the built-in one stands in.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from unicodedata import normalize

from PIL import ImageFont

from ..errors import InvalidInputError
from ..utils import user_directories
from . import text_shaping
from .operations import Text

BUILT_IN = "Default"
PREFERRED = Text(text="").font_family
WIDE = ("dejavu sans", "noto sans", "liberation sans", "arial", "helvetica neue", "segoe ui")
NO_SIGN = "\U0010ffff"  # which no font has
FILES = (".ttf", ".otf", ".ttc")
PLAIN = ("regular", "book", "roman", "normal", "medium")  # the style that stands for a family
MOST_FILES = 3000  # are looked into; a computer with more is slow enough
MOST_NAMED = 12  # families, in a sentence


def names() -> list[str]:
    """The families that can be chosen: the built-in one, then those that were found."""
    return [BUILT_IN, *sorted((family for family, _ in _found().values()), key=str.casefold)]


def font(family: str, size: int) -> ImageFont.FreeTypeFont:
    """A font to draw with.

    Parameters
    ----------
    family : str
        A family, whatever the case; the path of a font file; or `BUILT_IN`.
    size : int
        Pixels.

    Raises
    ------
    InvalidInputError
        If it is not there; the message names what is.
    """
    family = family.strip()
    known = _found().get(family.casefold())
    if known is not None:
        return ImageFont.truetype(known[1], size)
    if family in {BUILT_IN, PREFERRED}:
        plain = next(filter(None, map(_found().get, WIDE)), None)
        return ImageFont.truetype(plain[1], size) if plain else _built_in(size)
    if family.casefold().endswith(FILES):
        try:
            return ImageFont.truetype(Path(family).expanduser(), size)
        except (OSError, RuntimeError, ValueError):  # RuntimeError: a home that nobody has
            raise InvalidInputError(
                "font_family", f"{family} cannot be read as a font.", "Pass a .ttf or .otf file."
            ) from None
    there = names()
    more = f" and {len(there) - MOST_NAMED} more" if len(there) > MOST_NAMED else ""
    raise InvalidInputError(
        "font_family",
        f"The font “{family}” is not on this computer.",
        f"These are: {', '.join(there[:MOST_NAMED])}{more}. A path to a font file works too.",
    )


def missing_characters(face: ImageFont.FreeTypeFont, text: str) -> str:
    """The signs of `text` that a font draws as an empty box, each once.

    Signs that show nothing by themselves are none: variation selectors, joiners.
    """
    # One by one: a mark alone would be given a letter to stand on.
    face = face.font_variant(layout_engine=ImageFont.Layout.BASIC)
    box = _drawn(face, NO_SIGN)
    signs = [
        sign
        for sign in dict.fromkeys(normalize("NFC", text))
        if sign.isprintable() and not sign.isspace() and not text_shaping.is_ignorable(sign)
    ]
    return "".join(sign for sign in signs if _drawn(face, sign) == box)


def used(face: ImageFont.FreeTypeFont, family: str) -> str:
    """A font's name for a sentence, which also says so if it stands in for another."""
    name = face.getname()[0] or family
    asked = family.strip()
    is_file = asked.casefold().endswith(FILES)
    return name if is_file or name.casefold() == asked.casefold() else f"{name} used as {asked}"


def _drawn(face: ImageFont.FreeTypeFont, sign: str) -> tuple[tuple[int, int], bytes]:
    mask = face.getmask(sign)
    return mask.size, bytes(mask)


def _built_in(size: int) -> ImageFont.FreeTypeFont:
    made = ImageFont.load_default(size)
    assert isinstance(made, ImageFont.FreeTypeFont)  # noqa: S101 - every wheel of Pillow has it
    return made


def _folders() -> list[Path]:
    person = user_directories.home_folder()  # None: there are only the fonts that all have
    if sys.platform == "win32":
        given = os.environ.get("LOCALAPPDATA")
        local = Path(given) if given else person and person / "AppData" / "Local"
        windows = Path(os.environ.get("WINDIR", r"C:\Windows"))
        return [windows / "Fonts", *([local / "Microsoft" / "Windows" / "Fonts"] if local else [])]
    if sys.platform == "darwin":
        library = Path("Library", "Fonts")
        return [place / library for place in (person, Path("/"), Path("/System")) if place]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    given = os.environ.get("XDG_DATA_HOME")
    own = Path(given) if given else person and person / ".local" / "share"
    data = [*([own] if own else []), *map(Path, shared.split(os.pathsep))]
    return [*([person / ".fonts"] if person else []), *(folder / "fonts" for folder in data)]


@cache
def _found() -> dict[str, tuple[str, Path]]:
    """Families by their name in lower case: the name as it is written, and the file."""
    files = [file for folder in _folders() for file in _font_files(folder)]
    found: dict[str, tuple[str, Path]] = {}
    ranks: dict[str, int] = {}
    for file in files[:MOST_FILES]:
        try:
            family, style = ImageFont.truetype(file, 16).getname()
        except (OSError, ValueError):  # a font of images of one size, or damaged
            continue
        if not family or family.startswith("."):  # a system's own, not to be chosen
            continue
        style = (style or "").casefold()
        rank = PLAIN.index(style) if style in PLAIN else len(PLAIN)
        if rank < ranks.get(family.casefold(), len(PLAIN) + 1):
            found[family.casefold()], ranks[family.casefold()] = (family, file), rank
    return found


def _font_files(folder: Path) -> list[Path]:
    # Sorted, so that of two equal files the same one is taken each time.
    return sorted(
        Path(root, name)
        for root, _, files in os.walk(folder)
        for name in files
        if name.casefold().endswith(FILES)
    )
