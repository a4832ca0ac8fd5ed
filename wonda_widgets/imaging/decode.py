"""Decode untrusted images within limits of memory and time.

A file of a few bytes may decode to gigabytes, in different ways for each format. Therefore, only
the header is read first, itself with a size limit. The image is decoded only if the file and the
memory for decoding stay within `MEMORY`. The deadline is checked whenever Pillow reads more.
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

#: In bytes, for a file and its decoding. A 4K PNG or JPEG (17 million pixels) takes 68 MB plus
#: its file. An 8K JPEG (33 million) also fits, because it is decoded at a fraction of its size.
MAX_MEMORY_BYTES = 130 * 2**20
#: Larger images take seconds to decode, and Pillow warns about them.
MAX_PIXELS = 89_000_000
#: Bytes to read before the pixels begin.
MAX_HEADER_BYTES = 2 * 2**20
#: Reads before the pixels begin; Pillow reads padding byte by byte.
MAX_READS = 400_000
#: Of a progressive JPEG; ten are common.
MAX_SCANS = 100
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")

READ_BYTES = 2**20  # bytes to decode at a time
#: Bytes of memory per pixel, coefficient or byte of the file.
PER_PIXEL = 4
PER_WEBP_PIXEL = 16  # measured: libwebp holds two frames, Pillow two more
PER_WEBP_BYTE = 3  # the file is copied twice
PER_COEFFICIENT = 2  # a JPEG with several scans is kept in memory before it is decoded
PER_HEADER_BYTE = 20  # measured: a list entry for each JPEG segment of two bytes


def decode(data: bytes, longest: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode an image with eight bits per channel.

    Parameters
    ----------
    data : bytes
    longest : int, optional
        The longest side that is needed, in pixels. A JPEG may be decoded at a fraction of its
        size.

    Returns
    -------
    tuple of (PIL.Image.Image, (int, int))
        The image, and the width and height of the original.

    Raises
    ------
    UnsafeMediaError
        If decoding would take too much memory or time (`decode_threads.TIMEOUT_SECONDS`), or the
        file is not a PNG, JPEG, WebP or GIF, or is damaged.
    """
    image, memory = _open(data)
    size = image.size
    if longest is not None:
        image.draft("RGB", fit(size, longest))  # formats other than JPEG ignore this
        memory += _shrinking_bytes(image, longest)
    _check_memory(memory + _per_pixel(image) * image.width * image.height, size)
    _read_in_large_pieces(image)
    try:
        image.load()
    except UnsafeMediaError:
        raise
    except Exception:  # noqa: BLE001 - Pillow raises any exception for a damaged file
        raise UnsafeMediaError(
            "The image is damaged or incomplete.", "Download it again."
        ) from None
    finally:
        vars(image).pop("load_read", None)  # a reference cycle would keep the image in memory
    return _eight_bits(image), size


def check(data: bytes) -> None:
    """Check an image's header, without decoding its pixels; fast.

    Raises
    ------
    UnsafeMediaError
        If the file is not a PNG, JPEG, WebP or GIF, or is too large to open.
    """
    _open(data)


def full_size(data: bytes) -> Image.Image:
    """Decode an image at full size, upright; `format` is the file's format.

    Raises
    ------
    UnsafeMediaError
        If the file is too large, damaged or not an image.
    """
    image, size = decode(data)
    if orientation(image) == 1:
        return image
    pixels = image.width * image.height
    _check_memory(len(data) + (_per_pixel(image) + PER_PIXEL) * pixels, size)
    turned = upright(image)
    turned.format = image.format
    return turned


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1 if the image is upright."""
    try:
        found = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - damaged EXIF raises any exception; the pixels are fine
        return 1
    return found if isinstance(found, int) and found in range(1, 9) else 1


def upright(image: Image.Image) -> Image.Image:
    """Rotate an image according to its EXIF orientation."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - damaged EXIF raises any exception; the pixels are fine
        return image


def flatten_on_white(image: Image.Image) -> Image.Image:
    """Put an RGBA image on a white background."""
    flat = Image.new("RGB", image.size, "white")
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Scale `size` down so that no side is longer than `longest`; never enlarge it."""
    scale = max(1.0, max(size) / longest)
    return max(1, round(size[0] / scale)), max(1, round(size[1] / scale))


def _read_in_large_pieces(image: Image.Image) -> None:
    """Make Pillow read a file in large pieces, instead of 64 KB each.

    Before each piece, Pillow waits 5 ms for the GIL while a cell is busy, so 200 pieces take a
    second.
    """
    read = getattr(image, "load_read", None)
    image.decodermaxblock = READ_BYTES  # type: ignore[attr-defined]  # of an `ImageFile`
    if read is None:
        return

    def read_more(size: int) -> bytes:
        pieces: list[bytes] = []
        remaining = size
        while remaining > 0:
            try:
                piece = read(remaining)
            except UnsafeMediaError:
                raise
            except Exception:
                if not pieces:
                    raise
                break  # decode what was read; the next read raises the error again
            if not piece:
                break
            pieces.append(piece)
            remaining -= len(piece)
        return b"".join(pieces)

    image.load_read = read_more  # type: ignore[attr-defined]


_ORIENTATION = 0x0112


class _File(BytesIO):
    """A file with a deadline, which also ends a decoder that would read forever."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._seconds = decode_threads.TIMEOUT_SECONDS
        self._deadline = time.monotonic() + self._seconds

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self._deadline:
            raise decode_threads.timeout_error(self._seconds)
        return super().read(size)


class _Header(_File):
    """A file with a limit on the bytes read before the pixels begin."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.bytes_read = self.read_count = 0
        self.last_read = b""
        self.max_bytes: int | None = MAX_HEADER_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        self.last_read = super().read(size)
        self.bytes_read += len(self.last_read)
        self.read_count += 1
        if self.max_bytes is None:
            return self.last_read
        if self.bytes_read > self.max_bytes or self.read_count > MAX_READS:
            raise OSError("the header is too large")
        return self.last_read


def _open(data: bytes) -> tuple[Image.Image, int]:
    """Read an image's header; return it with the bytes of memory needed besides its pixels."""
    is_webp = data.startswith(b"RIFF")  # Pillow reads these completely, with its own pixel limit
    file = _File(data) if is_webp else _Header(data)
    memory = len(data) * (PER_WEBP_BYTE if is_webp else 1)
    try:
        memory += png_limits.estimate_memory(data) if data.startswith(b"\x89PNG") else 0
        _check_memory(memory, None)
        image = Image.open(file, formats=FORMATS)
    except UnsafeMediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnsafeMediaError("The image has too many pixels to be opened safely.") from None
    except Exception:  # noqa: BLE001 - Pillow raises any exception for an invalid file
        if svg.is_svg(data):
            raise UnsafeMediaError(
                "This is an SVG image, not a PNG, JPEG, WebP or GIF.",
                "Save it and open it in a browser or a graphics editor.",
            ) from None
        foreign = foreign_formats.detect(data)
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
        coefficients = _coefficient_bytes(image, file.last_read)
        memory += PER_HEADER_BYTE * file.bytes_read + coefficients
        if coefficients and jpeg_scans.has_more_than(data, MAX_SCANS):
            raise UnsafeMediaError(
                f"The JPEG may have more than {MAX_SCANS} scans, which takes too long to open.",
                "wonda.media.download(media) returns its bytes.",
            )
        file.max_bytes = None
    return image, memory


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale a 16-bit grayscale image to 8 bits.

    Pillow scales color images, but clips grayscale ones, which makes most of them white.
    """
    if not image.mode.startswith("I"):
        return image
    kind, transparent = image.format, image.info.get("transparency")
    image = image.point(lambda value: value * (1 / _LEVEL_SCALE) + 0.5)  # + 0.5 rounds
    image = image.convert("L")
    image.format = kind
    if isinstance(transparent, int):
        image.info["transparency"] = round(transparent / _LEVEL_SCALE)
    return image


_LEVEL_SCALE = 257  # 65,535 / 255


def _per_pixel(image: Image.Image) -> int:
    return PER_WEBP_PIXEL if image.format == "WEBP" else PER_PIXEL


def _coefficient_bytes(image: Image.Image, scan: bytes) -> int:
    """Estimate the memory for the coefficients of a JPEG with several scans (progressive).

    `scan` is the header of the first scan, which begins with its number of components.
    """
    layers = getattr(image, "layer", [])
    has_one_scan = scan[:1] == bytes([len(layers)]) and not image.info.get("progressive")
    if not layers or (has_one_scan and image.format == "JPEG"):
        return 0
    horizontal, vertical = max(layer[1] for layer in layers), max(layer[2] for layer in layers)
    samples = sum(layer[1] * layer[2] for layer in layers) / (horizontal * vertical or 1)
    return int(PER_COEFFICIENT * samples * image.width * image.height)


def _shrinking_bytes(image: Image.Image, longest: int) -> int:
    """Estimate the memory for shrinking, besides the image itself (see `preview`)."""
    if image.format == "WEBP":  # most of the memory for decoding has been released by then
        return 0
    step = max(image.size) // longest
    return PER_PIXEL * (image.width * image.height // step**2 if step > 1 else longest**2)


def _check_memory(memory: int, size: tuple[int, int] | None) -> None:
    if memory <= MAX_MEMORY_BYTES:
        return
    if size is None:
        raise UnsafeMediaError(
            "The image's file is too large to be opened safely.",
            "wonda.media.download(media) returns its bytes.",
        )
    raise _too_many(size)


def _too_many(size: tuple[int, int]) -> UnsafeMediaError:
    return UnsafeMediaError(
        f"The image has {size[0]:,} × {size[1]:,} pixels, more than can be opened safely.",
        "wonda.media.download(media) returns its bytes.",
    )
