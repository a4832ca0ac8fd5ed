"""Open an image from outside, after asking how much memory that would take.

An image of a few bytes may unfold to gigabytes, and each format in a way of its
own. So its header is read first, itself within a bound, and the image is
decoded only if the file and all that decoding takes stay within `MEMORY`. It also has a
deadline, which is looked at whenever Pillow reads on.
"""

from __future__ import annotations

import time
from io import BytesIO

from PIL import Image, ImageOps

from ..errors import UnsafeMediaError
from . import (
    decode_threads,
    foreign_formats,
    jpeg_scans,
    png_limits,
    svg,
)

#: Bytes of memory for an image's file and its decoding together. 4K images have 17
#: million pixels: a PNG or JPEG of them takes 68 MB and its file, which fits. Of 8K (33
#: million) a JPEG is shown, because it is decoded at a fraction of its size.
MEMORY = 130 * 2**20
#: Whatever they would take: decoding more takes seconds, and Pillow warns of it.
MAX_PIXELS = 89_000_000
#: Bytes that are read of a file until its pixels begin.
MAX_HEADER = 2 * 2**20
#: Pieces in which they are read; a file of padding is read byte by byte.
MAX_READS = 400_000
#: Times that a JPEG may go over its pixels; ten are usual.
MAX_SCANS = 100
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")

PIECE = 2**20  # bytes of a file that are decoded at a time
PER_PIXEL = 4  # bytes, as Pillow holds an image
PER_WEBP_PIXEL = 16  # measured: libwebp holds two frames, Pillow two more
PER_WEBP_BYTE = 3  # the file is copied twice
PER_COEFFICIENT = 2  # bytes; a JPEG of several scans is held whole before it is decoded
PER_HEADER_BYTE = 20  # measured: a list entry for each JPEG segment of two bytes


def decode(data: bytes, longest: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """An image, eight bits a channel, and its width and height before it was decoded.

    Parameters
    ----------
    data : bytes
    longest : int, optional
        A side that is enough; a JPEG is then decoded at a fraction of its size.

    Raises
    ------
    UnsafeMediaError
        If it would take too much memory or time (`decode_threads.SECONDS`), is no PNG, JPEG,
        WebP or GIF, or is damaged.
    """
    image, memory = _opened(data)
    size = image.size
    if longest is not None:
        image.draft("RGB", fit(size, longest))  # formats other than JPEG ignore this
        memory += _first_step(image, longest)
    _check(memory + _per_pixel(image) * image.width * image.height, size)
    _read_in_large_pieces(image)
    try:
        image.load()
    except UnsafeMediaError:
        raise
    except Exception:  # noqa: BLE001 - Pillow says "damaged" with whatever its code ran into
        raise UnsafeMediaError(
            "The image is damaged or was cut short.", "Fetch it again."
        ) from None
    finally:
        vars(image).pop("load_read", None)  # else it would hold the image until it is collected
    return _eight_bits(image), size


def check(data: bytes) -> None:
    """Look at what stands before an image's pixels; quick, as far as files can be.

    Raises
    ------
    UnsafeMediaError
        If it is no PNG, JPEG, WebP or GIF, or its header says that it is too large to open.
    """
    _opened(data)


def full_size(data: bytes) -> Image.Image:
    """The image at full size, upright; its `format` tells what the file is.

    Raises
    ------
    UnsafeMediaError
    """
    image, size = decode(data)
    if orientation(image) == 1:
        return image
    pixels = image.width * image.height
    _check(len(data) + (_per_pixel(image) + PER_PIXEL) * pixels, size)
    turned = upright(image)
    turned.format = image.format
    return turned


def orientation(image: Image.Image) -> int:
    """How an image is to be turned, as EXIF counts; 1 is not at all."""
    try:
        found = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - damaged EXIF raises anything; the pixels are fine
        return 1
    return found if isinstance(found, int) and found in range(1, 9) else 1


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF says."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - the same
        return image


def on_white(image: Image.Image) -> Image.Image:
    """An image with transparency (RGBA) as one without."""
    flat = Image.new("RGB", image.size, "white")
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """`size` in proportion, with no side longer than `longest`; never enlarged."""
    scale = max(1.0, max(size) / longest)
    return max(1, round(size[0] / scale)), max(1, round(size[1] / scale))


def _read_in_large_pieces(image: Image.Image) -> None:
    """Have Pillow read a file in large pieces, not in some of 64 KB.

    Before each piece it waits for Python's lock, 5 ms if a cell is busy: of an image with 200
    pieces that makes a second.
    """
    read = getattr(image, "load_read", None)
    image.decodermaxblock = PIECE  # type: ignore[attr-defined]  # of an `ImageFile`
    if read is None:
        return

    def read_more(size: int) -> bytes:
        pieces: list[bytes] = []
        left = size
        while left > 0:
            try:
                piece = read(left)
            except UnsafeMediaError:
                raise
            except Exception:
                if not pieces:
                    raise
                break
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    image.load_read = read_more  # type: ignore[attr-defined]


_ORIENTATION = 0x0112


class _File(BytesIO):
    """A file that is read until a deadline only: what is read on and on ends, and its thread."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._seconds = decode_threads.SECONDS
        self._until = time.monotonic() + self._seconds

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self._until:
            raise decode_threads.too_slow(self._seconds)
        return super().read(size)


class _Header(_File):
    """A file of which only so much is read until its pixels begin."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.read_so_far = self.reads = 0
        self.last = b""  # what was read last
        self.bound: int | None = MAX_HEADER

    def read(self, size: int | None = -1, /) -> bytes:
        self.last = super().read(size)
        self.read_so_far += len(self.last)
        self.reads += 1
        if self.bound is None:
            return self.last
        if self.read_so_far > self.bound or self.reads > MAX_READS:
            raise OSError("no pixels so far")
        return self.last


def _opened(data: bytes) -> tuple[Image.Image, int]:
    """An image of which only the header was read, and the memory taken beside its pixels."""
    webp = data.startswith(b"RIFF")  # Pillow reads these whole, after its own bound on pixels
    file = _File(data) if webp else _Header(data)
    memory = len(data) * (PER_WEBP_BYTE if webp else 1)
    try:
        memory += png_limits.estimate_memory(data) if data.startswith(b"\x89PNG") else 0
        _check(memory, None)
        image = Image.open(file, formats=FORMATS)
    except UnsafeMediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnsafeMediaError("The image has too many pixels to be opened safely.") from None
    except Exception:  # noqa: BLE001 - Pillow says "no image" with whatever its code ran into
        if svg.is_svg(data):
            raise UnsafeMediaError(
                "This is not an image (PNG, JPEG, WebP or GIF) but a drawing (SVG).",
                "Save it, and open it in a browser or a drawing program.",
            ) from None
        foreign = foreign_formats.name(data)
        if foreign:
            raise UnsafeMediaError(
                f"This is a {foreign} image; PNG, JPEG, WebP and GIF can be opened.",
                "Save it as JPEG or PNG first.",
            ) from None
        raise UnsafeMediaError(
            "This is not an image (PNG, JPEG, WebP or GIF).",
            "Open its address in a browser if you trust it.",
        ) from None
    if image.width * image.height > MAX_PIXELS:
        raise _too_many(image.size)
    if isinstance(file, _Header):
        coefficients = _coefficients(image, file.last)
        memory += PER_HEADER_BYTE * file.read_so_far + coefficients
        if coefficients and jpeg_scans.more_than(data, MAX_SCANS):
            raise UnsafeMediaError(
                f"The JPEG may have more than {MAX_SCANS} scans, which takes too long to open.",
                "wonda.media.download(media) gives its bytes.",
            )
        file.bound = None
    return image, memory


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey image of 16 bits scaled to 8, as Pillow does it with colours.

    Of a grey one it would keep what fits into 8 bits, which makes nearly all of it white.
    """
    if not image.mode.startswith("I"):
        return image
    kind, clear = image.format, image.info.get("transparency")
    image = image.point(lambda value: value * (1 / _PER_LEVEL) + 0.5)  # rounded
    image = image.convert("L")
    image.format = kind
    if isinstance(clear, int):
        image.info["transparency"] = round(clear / _PER_LEVEL)
    return image


_PER_LEVEL = 257  # 65,535 / 255


def _per_pixel(image: Image.Image) -> int:
    return PER_WEBP_PIXEL if image.format == "WEBP" else PER_PIXEL


def _coefficients(image: Image.Image, scan: bytes) -> int:
    """Bytes that a JPEG takes which comes in several scans (a progressive one, for instance).

    `scan` is the head of the first one, which begins with how many layers it has.
    """
    layers = getattr(image, "layer", [])
    at_once = scan[:1] == bytes([len(layers)]) and not image.info.get("progressive")
    if not layers or (at_once and image.format == "JPEG"):
        return 0
    across, down = max(layer[1] for layer in layers), max(layer[2] for layer in layers)
    samples = sum(layer[1] * layer[2] for layer in layers) / (across * down or 1)
    return int(PER_COEFFICIENT * samples * image.width * image.height)


def _first_step(image: Image.Image, longest: int) -> int:
    """Bytes that shrinking takes beside the image (see `preview`)."""
    if image.format == "WEBP":  # when it is shrunk, most of what decoding took is free again
        return 0
    step = max(image.size) // longest
    return PER_PIXEL * (image.width * image.height // step**2 if step > 1 else longest**2)


def _check(memory: int, size: tuple[int, int] | None) -> None:
    if memory <= MEMORY:
        return
    if size is None:
        raise UnsafeMediaError(
            "The image's file carries too much to be opened safely.",
            "wonda.media.download(media) gives its bytes.",
        )
    raise _too_many(size)


def _too_many(size: tuple[int, int]) -> UnsafeMediaError:
    return UnsafeMediaError(
        f"The image has {size[0]:,} × {size[1]:,} pixels, more than can be opened safely.",
        "wonda.media.download(media) gives its bytes.",
    )
