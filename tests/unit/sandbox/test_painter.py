"""What the sandbox's painter promises, whatever the images look like."""

import io
import itertools

import pytest
from PIL import Image, ImageChops, ImageStat

from wonda_widgets.sandbox.pictures.painter import encode_png, paint, size_for

PROMPTS = [
    "A sunset over the ocean with a sail boat",
    "Sandy beach at sunrise",
    "Snowy alps above a lake",
    "Misty pine forest",
    "Green jungle",
    "Neon city street in the rain",
    "Spiral galaxy",
    "A planet in space",
    "Cactus in the desert",
    "Paper lantern on a wooden table, soft window light",
    "Candles at night",
    "A lamp on a desk",
    "Botanical bouquet",
    "A black cat",
    "the grammar of patience",
]
RATIOS = ["1:1", "9:16", "16:9", "4:5", "3:2", "21:9", "1:8", "8:1", "auto", "1080:1350"]
ODD = [
    "",
    " ",
    "\0\x07\x1b[31m",
    "🦊🌊✨",
    "غروب الشمس فوق البحر",
    "\ud800",
    "sea " * 2500,
    "%s {0}",
]


def difference(one, other):
    """Mean difference of two images, from 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def small(image, size=(48, 48)):
    return image.resize(size, Image.Resampling.BOX)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_equal_arguments_give_equal_pixels_and_bytes(prompt):
    one = paint(prompt, 96, 120, model="m", params={"seed": 3, "style": "calm"})
    other = paint(prompt, 96, 120, model="m", params={"style": "calm", "seed": 3})
    assert one.mode == "RGB"
    assert one.size == (96, 120)
    assert encode_png(one) == encode_png(other)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_another_model_paints_a_sibling(prompt):
    assert difference(paint(prompt, 96, 96, model="a"), paint(prompt, 96, 96, model="b")) > 2


def test_parameters_change_the_image():
    one = paint("sea", 96, 96, params={"seed": 1})
    assert difference(one, paint("sea", 96, 96, params={"seed": 2})) > 2


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_composition_stays_at_another_resolution(prompt):
    low, high = paint(prompt, 160, 200), paint(prompt, 800, 1000)
    assert difference(small(low), small(high)) < 5


@pytest.mark.parametrize("prompt", ODD)
def test_any_text_is_painted(prompt):
    image = paint(prompt, 64, 80, model=prompt, params={"text": prompt})
    assert image.size == (64, 80)
    assert max(ImageStat.Stat(image.convert("L")).stddev) > 3  # there is something to see


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("size", [(64, 512), (512, 64)])
def test_any_shape_is_painted(prompt, size):
    assert paint(prompt, *size).size == size


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (3, 200), (333, 77), (2501, 40)])
def test_any_size_is_painted_exactly(size):
    assert paint("mountain", *size).size == size


@pytest.mark.parametrize("size", [(0, 10), (10, -1)])
def test_an_image_without_area_is_refused(size):
    with pytest.raises(ValueError, match="at least 1 pixel"):
        paint("sea", *size)


def test_a_named_colour_steers_the_image():
    def mean(colour):
        return ImageStat.Stat(paint(f"{colour} mountain", 96, 96)).mean

    red, green, blue = mean("crimson"), mean("emerald"), mean("navy")
    assert red[0] > red[1]
    assert red[0] > red[2]
    assert green[1] > green[0]
    assert blue[2] > blue[0]
    grey = mean("monochrome")
    assert max(grey) - min(grey) < 8


def test_night_is_darker_than_day():
    def light(prompt):
        return ImageStat.Stat(paint(prompt, 96, 96).convert("L")).mean[0]

    for place in ("mountain", "ocean", "forest", "city"):
        assert light(f"{place} at night") < light(f"{place} at noon")


def test_changing_one_word_of_an_abstract_prompt_changes_a_part():
    changed = []
    for model in "abcdefgh":  # several models, as each has its style
        one = paint("structure blue echo lever", 96, 96, model=model)
        other = paint("structure blue echo tempo", 96, 96, model=model)
        parts = ImageChops.difference(one, other).convert("L").point(lambda v: 255 * (v > 12))
        changed.append(ImageStat.Stat(parts).mean[0] / 255)
    assert all(0 < share < 0.9 for share in changed)


def test_gradients_have_no_bands():
    sky = paint("ocean sunset", 512, 512).crop((0, 8, 512, 40)).convert("L")
    # Without grain whole rows would be flat.
    rows = [sky.crop((0, y, 512, y + 1)).getextrema() for y in range(sky.height)]
    assert all(high - low >= 2 for low, high in rows)


def test_the_image_is_marked_in_a_corner():
    image = paint("the grammar of patience", 400, 400)
    assert image.crop((330, 375, 400, 400)).convert("L").getextrema()[0] < 255
    assert len(set(image.crop((330, 375, 400, 400)).convert("L").tobytes())) > 8


def test_png_keeps_its_notes():
    notes = {"prompt": "Möwe 🕊 \0 غروب", "model": "m"}
    with Image.open(io.BytesIO(encode_png(paint("sea", 64, 64), notes))) as image:
        assert image.format == "PNG"
        assert image.size == (64, 64)
        assert image.text == {"prompt": "Möwe 🕊  غروب", "model": "m"}


@pytest.mark.parametrize(
    ("ratio", "resolution"),
    list(itertools.product(RATIOS, ["1K", "2K", "4K"])),
)
def test_sizes_keep_ratio_and_area(ratio, resolution):
    width, height = size_for(ratio, resolution)
    across, down = (1, 1) if ratio == "auto" else map(int, ratio.split(":"))
    area = (1024 * int(resolution[0])) ** 2
    assert width * down == height * across
    assert width % 2 == 0
    assert height % 2 == 0
    assert abs(width * height - area) / area < 0.07


def test_a_square_is_exact():
    assert size_for("1:1", "1K") == (1024, 1024)
    assert size_for("auto", "2K") == (2048, 2048)


@pytest.mark.parametrize(
    "ratio",
    [
        "",
        "1",
        "1:",
        ":1",
        "0:1",
        "1:0",
        "-1:2",
        "1:2:3",
        "a:b",
        "1.5:1",
        " 1:1",
        "1:1\n",
        "10000:1",
        "9999:9998",
        "٣:٤",
    ],
)
def test_malformed_ratios_are_refused(ratio):
    with pytest.raises(ValueError, match="ratio"):
        size_for(ratio, "1K")


@pytest.mark.parametrize("resolution", ["", "3K", "K", "1024", "1k ", "-1K"])
def test_malformed_resolutions_are_refused(resolution):
    with pytest.raises(ValueError, match="resolution"):
        size_for("1:1", resolution)


@pytest.mark.parametrize("words", ["storm", "sunset", "harbour", "lake", "b", "thing", "idea"])
def test_a_palette_that_has_a_colour_twice_is_no_trouble(words):
    for model, ratio in itertools.product(["nano-banana-2", "z-image"], ["16:9", "4:5", "1:1"]):
        image = paint(f"A {words}", 160, 90, model=model, params={"aspectRatio": ratio})
        assert image.size == (160, 90)
