"""The sandbox's images: sizes, determinism, and effects of prompt, model and seed."""

import hashlib
import io
import itertools
import os
import subprocess
import sys

import pytest
from PIL import Image, ImageChops, ImageStat

from wonda_widgets.sandbox import stock_images
from wonda_widgets.sandbox.stock_images import encode_png, render, size_for

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
def test_same_arguments_give_same_bytes(prompt):
    one = render(prompt, 96, 120, model="m", params={"seed": 3, "style": "calm"})
    other = render(prompt, 96, 120, model="m", params={"style": "calm", "seed": 3})
    assert one.mode == "RGB"
    assert one.size == (96, 120)
    assert encode_png(one) == encode_png(other)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_other_model_gives_another_image(prompt):
    assert difference(render(prompt, 96, 96, model="a"), render(prompt, 96, 96, model="b")) > 2


def test_parameters_change_the_image():
    one = render("sea", 96, 96, params={"seed": 1})
    assert difference(one, render("sea", 96, 96, params={"seed": 2})) > 2


@pytest.mark.parametrize("prompt", PROMPTS)
def test_composition_does_not_depend_on_resolution(prompt):
    low, high = render(prompt, 160, 200), render(prompt, 800, 1000)
    assert difference(small(low), small(high)) < 5


@pytest.mark.parametrize("prompt", ODD)
def test_any_text_is_rendered(prompt):
    image = render(prompt, 64, 80, model=prompt, params={"text": prompt})
    assert image.size == (64, 80)
    assert max(ImageStat.Stat(image.convert("L")).stddev) > 3  # there is something to see


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("size", [(64, 512), (512, 64)])
def test_any_shape_is_rendered(prompt, size):
    assert render(prompt, *size).size == size


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (3, 200), (333, 77), (2501, 40)])
def test_any_size_is_rendered_exactly(size):
    assert render("mountain", *size).size == size


@pytest.mark.parametrize("size", [(0, 10), (10, -1)])
def test_empty_size_is_refused(size):
    with pytest.raises(ValueError, match="at least 1 pixel"):
        render("sea", *size)


def test_color_word_changes_the_colors():
    def mean(colour):
        return ImageStat.Stat(render(f"{colour} mountain", 96, 96)).mean

    red, green, blue = mean("crimson"), mean("emerald"), mean("navy")
    assert red[0] > red[1]
    assert red[0] > red[2]
    assert green[1] > green[0]
    assert blue[2] > blue[0]
    grey = mean("monochrome")
    assert max(grey) - min(grey) < 8


def test_night_is_darker_than_day():
    def light(prompt):
        return ImageStat.Stat(render(prompt, 96, 96).convert("L")).mean[0]

    for place in ("mountain", "ocean", "forest", "city"):
        assert light(f"{place} at night") < light(f"{place} at noon")


def test_gradients_have_no_bands():
    sky = render("ocean sunset", 512, 512).crop((0, 8, 512, 40)).convert("L")
    # Without grain whole rows would be flat.
    rows = [sky.crop((0, y, 512, y + 1)).getextrema() for y in range(sky.height)]
    assert all(high - low >= 2 for low, high in rows)


def test_image_has_a_sandbox_mark():
    image = render("the grammar of patience", 400, 400)
    assert image.crop((330, 375, 400, 400)).convert("L").getextrema()[0] < 255
    assert len(set(image.crop((330, 375, 400, 400)).convert("L").tobytes())) > 8


def test_image_is_a_png():
    with Image.open(io.BytesIO(encode_png(render("sea", 64, 64)))) as image:
        assert image.format == "PNG"
        assert image.size == (64, 64)


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


def test_square_is_exact():
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


def test_image_is_the_same_in_another_process():
    code = (
        "import hashlib; from wonda_widgets.sandbox.stock_images import render;"
        "print(hashlib.sha256(render('A quiet harbour, low haze', 96, 120).tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = render("A quiet harbour, low haze", 96, 120).tobytes()
    assert digests == {hashlib.sha256(here).hexdigest() + "\n"}


@pytest.mark.parametrize("subject", ["sunset", "storm", "moonrise", "harbour"])
def test_images_of_a_matrix_differ(subject):
    lights = ["low haze", "clear air", "violet dusk", "after rain"]
    images = [render(f"A {subject} over the ocean, {light}", 96, 120) for light in lights]
    assert all(difference(one, other) > 15 for one, other in itertools.combinations(images, 2))


def test_subject_word_selects_the_scene():
    for subject, scene in (("lamp", "lamp"), ("black cat", "cat"), ("two planets", "planet")):
        assert stock_images._matching_scenes(stock_images._words(f"A {subject}")) == [scene]


def test_every_scene_has_a_file():
    files = {path.stem for path in stock_images._FOLDER.iterdir()}
    assert files == set(stock_images._SCENES)
