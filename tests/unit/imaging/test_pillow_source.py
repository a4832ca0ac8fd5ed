"""Images opened with Pillow, and paths that begin with ``~``."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import wonda_widgets as ww
from wonda_widgets.api.media import read_source
from wonda_widgets.client import wonda_cli
from wonda_widgets.imaging import color, fonts, save_original

COLOR = (200, 120, 40)
GRAY = 128
ORIENTATION = 0x0112


def read_back(image):
    source = read_source(image, None)
    assert source.mime_type == "image/png"
    return Image.open(io.BytesIO(source.data))


def is_close(actual, expected, tolerance=3):
    return all(abs(a - b) <= tolerance for a, b in zip(actual, expected, strict=True))


def to_lab(image):
    srgb, space = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    return ImageCms.profileToProfile(image, srgb, space, outputMode="LAB")


CONVERSIONS = {
    "RGB": lambda image: image,
    "RGBA": lambda image: image.convert("RGBA"),
    "RGBX": lambda image: image.convert("RGBX"),
    "RGBa": lambda image: image.convert("RGBA").convert("RGBa"),
    "CMYK": lambda image: image.convert("CMYK"),
    "YCbCr": lambda image: image.convert("YCbCr"),
    "HSV": lambda image: image.convert("HSV"),
    "LAB": to_lab,
    "P": lambda image: image.quantize(8),
    "PA": lambda image: image.quantize(8).convert("PA"),
}


@pytest.mark.parametrize("mode", CONVERSIONS)
def test_pillow_image_of_any_mode_keeps_its_colors(mode):
    image = CONVERSIONS[mode](Image.new("RGB", (6, 4), COLOR))
    assert image.mode == mode
    assert is_close(read_back(image).convert("RGB").getpixel((2, 2)), COLOR, tolerance=4)
    assert image.mode == mode


def gray_16_bit(mode):
    data = (GRAY * 257).to_bytes(2, "big" if mode == "I;16B" else "little") * 24
    return Image.frombytes(mode, (6, 4), data)


GRAY_IMAGES = {
    "1": (Image.new("1", (6, 4), 1), 255),
    "L": (Image.new("L", (6, 4), GRAY), GRAY),
    "LA": (Image.new("LA", (6, 4), (GRAY, 255)), GRAY),
    "La": (Image.new("LA", (6, 4), (GRAY, 255)).convert("La"), GRAY),
    "I up to 255": (Image.new("I", (6, 4), GRAY), GRAY),
    "I up to 65535": (Image.new("I", (6, 4), GRAY * 257), GRAY),
    "I;16": (gray_16_bit("I;16"), GRAY),
    "I;16L": (gray_16_bit("I;16L"), GRAY),
    "I;16B": (gray_16_bit("I;16B"), GRAY),
    "F up to 255": (Image.new("F", (6, 4), float(GRAY)), GRAY),
    "F up to 1": (Image.new("F", (6, 4), GRAY / 255), GRAY),
    "F of zeros": (Image.new("F", (6, 4)), 0),
}


@pytest.mark.parametrize("kind", GRAY_IMAGES)
def test_gray_pillow_image_of_any_mode_keeps_its_level(kind):
    image, level = GRAY_IMAGES[kind]
    uploaded = read_back(image)
    value = uploaded.getpixel((2, 2))
    value = value[0] if isinstance(value, tuple) else value
    assert round(value / 257 if uploaded.mode.startswith("I") else value) == level


@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "LA", "La", "PA", "P", "L", "RGB"])
def test_pillow_image_of_any_mode_keeps_its_transparency(mode):
    clear = Image.new("RGBA", (4, 4), (*COLOR, 255))
    clear.putpixel((0, 0), (*COLOR, 0))
    if mode == "P":
        image = clear.quantize(8)
    elif mode == "PA":
        image = Image.new("PA", (4, 4), (0, 255))
        image.putpalette(COLOR)
        image.putpixel((0, 0), (0, 0))
    elif mode in {"L", "RGB"}:
        image = Image.new(mode, (4, 4), 9 if mode == "L" else COLOR)
        image.putpixel((0, 0), 7 if mode == "L" else (1, 2, 3))
        image.info["transparency"] = 7 if mode == "L" else (1, 2, 3)
    else:
        intermediate = "LA" if mode in {"LA", "La"} else "RGBA"
        image = clear.convert(intermediate).convert(mode)
    uploaded = read_back(image).convert("RGBA")
    assert uploaded.getpixel((0, 0))[3] == 0
    assert uploaded.getpixel((2, 2))[3] == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_exif_orientation_of_a_pillow_image_is_applied(orientation, mode):
    image = Image.new("RGB", (60, 30), "black")
    image.paste("white", (0, 0, 20, 10))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    image.convert(mode).save(file, "JPEG", exif=exif, quality=95)
    opened = Image.open(file)
    uploaded = read_back(opened).convert("L")
    assert uploaded.size == ((60, 30) if orientation < 5 else (30, 60))
    corners = [
        uploaded.getpixel((x, y)) > 128
        for x in (4, uploaded.width - 5)
        for y in (4, uploaded.height - 5)
    ]
    expected = {1: 0, 2: 2, 3: 3, 4: 1, 5: 0, 6: 2, 7: 3, 8: 1}[orientation]
    assert corners.index(True) == expected
    assert opened.size == (60, 30)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("I", (2, 2), 70_000), "from 70000 to 70000"),
        (Image.new("I", (2, 2), -1), "from -1"),
        (Image.new("F", (2, 2), 300.5), "from 300.5"),
        (Image.new("F", (2, 2), float("nan")), "from nan"),
        (Image.new("F", (2, 2), float("inf")), "from inf"),
        (Image.new("RGB", (0, 4)), "no pixels"),
    ],
)
def test_pillow_image_with_unusable_values_or_size_raises(image, message):
    with pytest.raises(ww.InvalidInputError, match=message):
        read_source(image, None)


def test_truncated_pillow_image_raises():
    file = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(file, "JPEG")
    truncated = Image.open(io.BytesIO(file.getvalue()[:2_000]))
    with pytest.raises(ww.InvalidInputError, match="cannot be written as PNG"):
        read_source(truncated, None)


@pytest.mark.parametrize(
    "source", [np.zeros((40, 40, 3)), 3, None, float("nan"), "x" * 5000, "~no-such-user/a.png"]
)
def test_source_that_is_not_an_image_or_file_raises(source):
    with pytest.raises(ww.InvalidInputError) as caught:
        read_source(source, None)
    assert caught.value.field == "source"
    assert len(str(caught.value)) < 500
    assert ".." not in str(caught.value)


def test_device_files_are_not_read(monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("/dev/zero has no end"))
    with pytest.raises(ww.InvalidInputError, match="'/dev/zero' cannot be read: it is a device"):
        read_source("/dev/zero", None)


def test_only_a_valid_profile_of_the_color_space_is_kept():
    gray = Image.new("L", (4, 4), GRAY)
    gray.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert "icc_profile" not in read_back(gray).info
    colored = Image.new("RGB", (4, 4), COLOR)
    colored.info["icc_profile"] = b"broken"
    assert "icc_profile" not in read_back(colored).info
    colored.info["icc_profile"] = gray.info["icc_profile"]
    assert color.is_valid_profile(read_back(colored).info["icc_profile"], "RGB")


def test_edit_accepts_pillow_images():
    edit = ww.edit.Edit(
        Image.new("CMYK", (40, 20)), operations=[ww.edit.Resize(width=20, height=10)]
    )
    assert edit.size == (40, 20)


# ---------------------------------------------------------------- the home directory


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def test_tilde_is_the_home_directory_in_every_path(home, monkeypatch):
    Image.new("RGB", (4, 4)).save(home / "in.png")
    assert read_source("~/in.png", None).name == "in.png"
    assert ww.edit.Edit("~/in.png").size == (4, 4)
    assert save_original.write("~/out.png", "", b"x") == home / "out.png"
    assert save_original.write("~", "named.png", b"x") == home / "named.png"
    assert wonda_cli._source("~/in.png") == str(home / "in.png")
    assert wonda_cli._output_path("~/new.png") == home / "new.png"
    assert ww.Journal("~/project.db").path == home / "project.db"
    monkeypatch.setenv("WONDA_JOURNAL", "~/of-environment.db")
    assert ww.Journal().path == home / "of-environment.db"
    with ww.Wonda.sandbox(seconds=0.01, journal="~/sandbox.db") as wonda:
        wonda.images.generate(model="z-image", prompt="A pier").wait()
        assert (home / "sandbox.db").exists()
        found = wonda.history.search()
        assert wonda.history.export(found, "~/table.csv") == home / "table.csv"
        assert wonda.history.export(found, "~/folder") == home / "folder"
        assert ww.storyboard(found, "~/story.html", wonda=wonda) == home / "story.html"
        assert wonda.media.upload("~/in.png").media_id
    assert not (home / "~").exists()


@pytest.mark.forks
def test_wonda_bin_may_begin_with_a_tilde(home, monkeypatch):
    (home / "wonda").write_text("#!/bin/sh\n")
    (home / "wonda").chmod(0o755)
    monkeypatch.setenv("WONDA_BIN", "~/wonda")
    assert wonda_cli._binary() == str(home / "wonda")


UNKNOWN_HOME = "~no-such-user/x"


@pytest.mark.parametrize(
    "use_path",
    [
        lambda: read_source(f"{UNKNOWN_HOME}.png", None),
        lambda: save_original.write(f"{UNKNOWN_HOME}.png", "", b"x"),
        lambda: wonda_cli._source(f"{UNKNOWN_HOME}.png"),
        lambda: wonda_cli._output_path(f"{UNKNOWN_HOME}.png"),
        lambda: fonts.load(f"{UNKNOWN_HOME}.ttf", 12),
    ],
)
def test_path_in_an_unknown_home_directory_raises(use_path):
    with pytest.raises(ww.InvalidInputError, match=r"no-such-user|home folder"):
        use_path()
