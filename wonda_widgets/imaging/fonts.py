"""Find and load the fonts on this computer.

`BUILT_IN` is always available: a common font on this computer, or else Pillow's own, which has no
accents and dashes. A missing family or character is an error, because another font would result in
a different image. The exception is `PREFERRED`, the default of `Text`: if it is not installed, the
built-in font replaces it.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from unicodedata import normalize

from PIL import ImageFont

from ..errors import InvalidInputError
from ..utils import graphemes, user_directories
from .operations import Text

BUILT_IN = "Default"
PREFERRED = Text(text="").font_family
COMMON_FAMILIES = (
    "dejavu sans",
    "noto sans",
    "liberation sans",
    "arial",
    "helvetica neue",
    "segoe ui",
)
UNKNOWN_CHARACTER = "\U0010ffff"  # no font has this character
FILES = (".ttf", ".otf", ".ttc")
REGULAR_STYLES = ("regular", "book", "roman", "normal", "medium")  # preferred styles of a family
MAX_FILES = 3000  # font files to open
MAX_LISTED_FAMILIES = 12  # families in an error message


def families() -> list[str]:
    """List the available families: the built-in one, then the installed ones."""
    return [BUILT_IN, *sorted((family for family, _ in _found().values()), key=str.casefold)]


def load(family: str, size: int) -> ImageFont.FreeTypeFont:
    """Load a font.

    Parameters
    ----------
    family : str
        A family (case-insensitive), the path of a font file, or `BUILT_IN`.
    size : int
        In pixels.

    Raises
    ------
    InvalidInputError
        If there is no such font; the message lists some that exist.
    """
    family = family.strip()
    known = _found().get(family.casefold())
    if known is not None:
        return ImageFont.truetype(known[1], size)
    if family in {BUILT_IN, PREFERRED}:
        plain = next(filter(None, map(_found().get, COMMON_FAMILIES)), None)
        return ImageFont.truetype(plain[1], size) if plain else _built_in(size)
    if family.casefold().endswith(FILES):
        try:
            return ImageFont.truetype(Path(family).expanduser(), size)
        except (OSError, RuntimeError, ValueError):  # RuntimeError: unknown home folder
            raise InvalidInputError(
                "font_family", f"{family} cannot be read as a font.", "Pass a .ttf or .otf file."
            ) from None
    available = families()
    more = (
        f" and {len(available) - MAX_LISTED_FAMILIES} more"
        if len(available) > MAX_LISTED_FAMILIES
        else ""
    )
    raise InvalidInputError(
        "font_family",
        f"The font “{family}” is not on this computer.",
        f"Use {', '.join(available[:MAX_LISTED_FAMILIES])}{more}, or the path of a font file.",
    )


def missing_characters(face: ImageFont.FreeTypeFont, text: str) -> str:
    """Return the characters of `text` that a font draws as an empty box, each once.

    Invisible characters are ignored: variation selectors, joiners.
    """
    # The basic layout draws each character by itself; Raqm adds a base to a combining mark.
    face = face.font_variant(layout_engine=ImageFont.Layout.BASIC)
    box = _glyph(face, UNKNOWN_CHARACTER)
    characters = [
        character
        for character in dict.fromkeys(normalize("NFC", text))
        if character.isprintable()
        and not character.isspace()
        and not graphemes.is_ignorable(character)
    ]
    return "".join(character for character in characters if _glyph(face, character) == box)


def display_name(face: ImageFont.FreeTypeFont, family: str) -> str:
    """Return a font's name for messages, which also names the font that it replaces."""
    name = face.getname()[0] or family
    requested = family.strip()
    is_file = requested.casefold().endswith(FILES)
    is_same = name.casefold() == requested.casefold()
    return name if is_file or is_same else f"{name} used as {requested}"


def _glyph(face: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = face.getmask(character)
    return mask.size, bytes(mask)


def _built_in(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - every Pillow wheel has FreeType
    return font


def _folders() -> list[Path]:
    home = user_directories.home_folder()  # None: search only the system's folders
    if sys.platform == "win32":
        given = os.environ.get("LOCALAPPDATA")
        local = Path(given) if given else home and home / "AppData" / "Local"
        windows = Path(os.environ.get("WINDIR", r"C:\Windows"))
        return [windows / "Fonts", *([local / "Microsoft" / "Windows" / "Fonts"] if local else [])]
    if sys.platform == "darwin":
        library = Path("Library", "Fonts")
        return [place / library for place in (home, Path("/"), Path("/System")) if place]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    given = os.environ.get("XDG_DATA_HOME")
    own = Path(given) if given else home and home / ".local" / "share"
    data = [*([own] if own else []), *map(Path, shared.split(os.pathsep))]
    return [*([home / ".fonts"] if home else []), *(folder / "fonts" for folder in data)]


@cache
def _found() -> dict[str, tuple[str, Path]]:
    """Return name and file of each family, by the name in lower case."""
    files = [file for folder in _folders() for file in _font_files(folder)]
    found: dict[str, tuple[str, Path]] = {}
    ranks: dict[str, int] = {}
    for file in files[:MAX_FILES]:
        try:
            family, style = ImageFont.truetype(file, 16).getname()
        except (OSError, ValueError):  # a bitmap font, or damaged
            continue
        if not family or family.startswith("."):  # hidden system fonts
            continue
        style = (style or "").casefold()
        rank = REGULAR_STYLES.index(style) if style in REGULAR_STYLES else len(REGULAR_STYLES)
        if rank < ranks.get(family.casefold(), len(REGULAR_STYLES) + 1):
            found[family.casefold()], ranks[family.casefold()] = (family, file), rank
    return found


def _font_files(folder: Path) -> list[Path]:
    # Sorted, so that the same file is used every time.
    return sorted(
        Path(root, name)
        for root, _, files in os.walk(folder)
        for name in files
        if name.casefold().endswith(FILES)
    )
