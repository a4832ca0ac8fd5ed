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
GREY = 128
ORIENTATION = 0x0112


def sent(image):
    source = read_source(image, None)
    assert source.mime_type == "image/png"
    return Image.open(io.BytesIO(source.data))


def near(found, wanted, within=3):
    return all(abs(one - other) <= within for one, other in zip(found, wanted, strict=True))


def lab(image):
    srgb, space = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    return ImageCms.profileToProfile(image, srgb, space, outputMode="LAB")


COLORED = {
    "RGB": lambda image: image,
    "RGBA": lambda image: image.convert("RGBA"),
    "RGBX": lambda image: image.convert("RGBX"),
    "RGBa": lambda image: image.convert("RGBA").convert("RGBa"),
    "CMYK": lambda image: image.convert("CMYK"),
    "YCbCr": lambda image: image.convert("YCbCr"),
    "HSV": lambda image: image.convert("HSV"),
    "LAB": lab,
    "P": lambda image: image.quantize(8),
    "PA": lambda image: image.quantize(8).convert("PA"),
}


@pytest.mark.parametrize("mode", COLORED)
def test_image_of_any_mode_keeps_its_colors(mode):
    image = COLORED[mode](Image.new("RGB", (6, 4), COLOR))
    assert image.mode == mode
    assert near(sent(image).convert("RGB").getpixel((2, 2)), COLOR, within=4)
    assert image.mode == mode


def word(mode):
    data = (GREY * 257).to_bytes(2, "big" if mode == "I;16B" else "little") * 24
    return Image.frombytes(mode, (6, 4), data)


GREYS = {
    "1": (Image.new("1", (6, 4), 1), 255),
    "L": (Image.new("L", (6, 4), GREY), GREY),
    "LA": (Image.new("LA", (6, 4), (GREY, 255)), GREY),
    "La": (Image.new("LA", (6, 4), (GREY, 255)).convert("La"), GREY),
    "I up to 255": (Image.new("I", (6, 4), GREY), GREY),
    "I up to 65535": (Image.new("I", (6, 4), GREY * 257), GREY),
    "I;16": (word("I;16"), GREY),
    "I;16L": (word("I;16L"), GREY),
    "I;16B": (word("I;16B"), GREY),
    "F up to 255": (Image.new("F", (6, 4), float(GREY)), GREY),
    "F up to 1": (Image.new("F", (6, 4), GREY / 255), GREY),
    "F of nothing": (Image.new("F", (6, 4)), 0),
}


@pytest.mark.parametrize("kind", GREYS)
def test_gray_image_of_any_mode_keeps_its_levels(kind):
    image, level = GREYS[kind]
    made = sent(image)
    value = made.getpixel((2, 2))
    value = value[0] if isinstance(value, tuple) else value
    assert round(value / 257 if made.mode.startswith("I") else value) == level


@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "LA", "La", "PA", "P", "L", "RGB"])
def test_transparency_is_kept(mode):
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
        through = "LA" if mode in {"LA", "La"} else "RGBA"
        image = clear.convert(through).convert(mode)
    made = sent(image).convert("RGBA")
    assert made.getpixel((0, 0))[3] == 0
    assert made.getpixel((2, 2))[3] == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_exif_rotation_is_applied(orientation, mode):
    image = Image.new("RGB", (60, 30), "black")
    image.paste("white", (0, 0, 20, 10))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    image.convert(mode).save(file, "JPEG", exif=exif, quality=95)
    opened = Image.open(file)
    made = sent(opened).convert("L")
    assert made.size == ((60, 30) if orientation < 5 else (30, 60))
    corners = [
        made.getpixel((x, y)) > 128 for x in (4, made.width - 5) for y in (4, made.height - 5)
    ]
    where = {1: 0, 2: 2, 3: 3, 4: 1, 5: 0, 6: 2, 7: 3, 8: 1}[orientation]
    assert corners.index(True) == where
    assert opened.size == (60, 30)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Image.new("I", (2, 2), 70_000), "from 70000 to 70000"),
        (Image.new("I", (2, 2), -1), "from -1"),
        (Image.new("F", (2, 2), 300.5), "from 300.5"),
        (Image.new("F", (2, 2), float("nan")), "from nan"),
        (Image.new("F", (2, 2), float("inf")), "from inf"),
        (Image.new("RGB", (0, 4)), "no pixels"),
    ],
)
def test_non_image_is_reported(image, said):
    with pytest.raises(ww.InvalidInputError, match=said):
        read_source(image, None)


def test_truncated_file_is_reported():
    file = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(file, "JPEG")
    cut = Image.open(io.BytesIO(file.getvalue()[:2_000]))
    with pytest.raises(ww.InvalidInputError, match="cannot be written as PNG"):
        read_source(cut, None)


@pytest.mark.parametrize(
    "source", [np.zeros((40, 40, 3)), 3, None, float("nan"), "x" * 5000, "~nobody-here/a.png"]
)
def test_missing_file_is_reported(source):
    with pytest.raises(ww.InvalidInputError) as told:
        read_source(source, None)
    assert told.value.field == "source"
    assert len(str(told.value)) < 500
    assert ".." not in str(told.value)


def test_device_files_are_not_read(monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("/dev/zero has no end"))
    with pytest.raises(ww.InvalidInputError, match="'/dev/zero' cannot be read: it is a device"):
        read_source("/dev/zero", None)


def test_profile_of_another_color_space_is_not_written():
    grey = Image.new("L", (4, 4), GREY)
    grey.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert "icc_profile" not in sent(grey).info
    colored = Image.new("RGB", (4, 4), COLOR)
    colored.info["icc_profile"] = b"broken"
    assert "icc_profile" not in sent(colored).info
    colored.info["icc_profile"] = grey.info["icc_profile"]
    assert color.is_valid_profile(sent(colored).info["icc_profile"], "RGB")


def test_edit_accepts_pillow_images():
    edit = ww.edit.Edit(
        Image.new("CMYK", (40, 20)), operations=[ww.edit.Resize(width=20, height=10)]
    )
    assert edit.size == (40, 20)


# ---------------------------------------------------------------- the home folder


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
def test_tool_path_may_begin_with_tilde(home, monkeypatch):
    (home / "wonda").write_text("#!/bin/sh\n")
    (home / "wonda").chmod(0o755)
    monkeypatch.setenv("WONDA_BIN", "~/wonda")
    assert wonda_cli._binary() == str(home / "wonda")


NOBODY = "~no-such-person/x"


@pytest.mark.parametrize(
    "take",
    [
        lambda: read_source(f"{NOBODY}.png", None),
        lambda: save_original.write(f"{NOBODY}.png", "", b"x"),
        lambda: wonda_cli._source(f"{NOBODY}.png"),
        lambda: wonda_cli._output_path(f"{NOBODY}.png"),
        lambda: fonts.load(f"{NOBODY}.ttf", 12),
    ],
)
def test_unknown_home_directory_is_reported(take):
    with pytest.raises(ww.InvalidInputError):
        take()
