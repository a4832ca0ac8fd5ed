"""`wonda.history.grid`: a labelled sheet of images."""

import asyncio
import re

import msgspec
import pytest
from PIL import Image, ImageChops

import wonda_widgets as ww
from wonda_widgets.export import grid_axes
from wonda_widgets.imaging import grid_sheet
from wonda_widgets.models import facts

SUBJECTS, LIGHTS = ["sail", "kite", "lighthouse"], ["dusk", "noon"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A client, and images of two templates, three subjects and two takes."""
    journal = tmp_path_factory.mktemp("grid") / "journal.db"
    with ww.Wonda.sandbox(seconds=0.02, journal=journal) as wonda:
        matrix = wonda.images.matrix(
            ["A {subject}", "{subject}, 35mm"],
            {"subject": SUBJECTS},
            "z-image",
            {"aspectRatio": "4:3"},
            takes=2,
            max_concurrency=12,
        )
        matrix.wait()
        yield wonda, matrix.images


def facts_of(*rows):
    return [facts.facts_of(*row) for row in rows]


def choose(several, **axes):
    known = list(dict.fromkeys(name for each in several for name in each))
    return grid_axes.choose_axes(known, facts.varying(several), **axes)


class TestAxes:
    def test_two_that_differ_are_chosen(self):
        several = facts_of(
            *(
                ({"subject": subject, "light": light}, "m", {"size": "2K"})
                for subject in SUBJECTS
                for light in LIGHTS
            )
        )
        assert choose(several) == ("values.subject", "values.light")
        assert choose(several, columns="subject") == (
            "values.light",
            "values.subject",
        )
        assert choose(several, rows="", columns="light") == ("", "values.light")

    def test_templates_and_models_are_columns(self):
        several = facts_of(
            *(
                ({"template": name, "subject": subject}, model, {})
                for name in "AB"
                for subject in SUBJECTS
                for model in ("m", "n")
            )
        )
        assert choose(several) == ("values.subject", "values.template")
        assert choose(several, rows="template") == ("values.template", "model")

    def test_takes_are_columns_if_little_else_differs(self):
        several = facts_of(*(({"subject": s, "take": t}, "m", {}) for s in SUBJECTS for t in "12"))
        assert choose(several) == ("values.subject", "values.take")

    def test_nothing_differs(self):
        assert choose(facts_of(({}, "m", {}))) == ("", "")

    def test_numbers_are_sorted_and_what_has_no_value_has_a_place(self):
        several = facts_of(*(({}, "m", {"steps": steps}) for steps in (30, 4, 20)))
        assert grid_axes.arrange(several, "params.steps", "").rows == ["4", "20", "30"]
        several += facts_of(({}, "m", {}))
        table = grid_axes.arrange(several, "params.steps", "")
        assert table.rows[-1] == grid_axes.NO_VALUE
        assert table.cells[-1] == [[3]]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"rows": "subjct"}, "Did you mean 'subject'"),
            ({"columns": "nothing"}, "Use one of template, subject"),
            ({"rows": "subject", "columns": "subject"}, "both “subject”"),
            ({"rows": 5}, "No image has"),
        ],
    )
    def test_odd_axes_are_refused(self, made, options, said, tmp_path):
        wonda, images = made
        with pytest.raises(ww.InvalidInputError, match=said):
            wonda.history.grid(images, tmp_path / "grid.png", **options)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_sheet_has_the_width_and_each_image_in_its_cell(made, tmp_path, suffix):
    wonda, images = made
    path = wonda.history.grid(images, tmp_path / f"grid.{suffix}", width=900)
    with Image.open(path) as sheet:
        assert (sheet.format, sheet.width) == (suffix.upper(), 900)
        layout = grid_sheet.lay_out(SUBJECTS, ["A", "B"], 2, 900, 4 / 3)
        assert sheet.height == layout.height
        by_cell = [
            sheet.crop((x, y, x + wide, y + high)).convert("RGB")
            for row in range(3)
            for column in range(2)
            for x, y, wide, high in layout.places(row, column, 2)
        ]
    originals = [
        next(
            image
            for image in images
            if image.values == {"template": name, "subject": subject, "take": take}
        )
        for subject in SUBJECTS
        for name in "AB"
        for take in "12"
    ]
    for shown, image in zip(by_cell, originals, strict=True):
        path = tmp_path / "original"
        path.write_bytes(wonda.history.original(image))
        with Image.open(path) as original:
            small = original.convert("RGB").resize(shown.size)
        difference = ImageChops.difference(small, shown).convert("L").resize((1, 1))
        assert difference.getpixel((0, 0)) < 20


def test_page_has_labels_and_images_and_loads_nothing(made, tmp_path):
    wonda, images = made
    page = wonda.history.grid(images, tmp_path / "grid.html").read_text("utf-8")
    assert re.findall(r'<th scope="row"><span dir="auto">(.+?)</span>', page) == SUBJECTS
    assert re.findall(r'<th scope="col" dir="auto">(.+?)</th>', page) == ["A", "B"]
    assert len(re.findall(r'src="data:image/', page)) == 12
    assert not re.search(r"(src|href)=.?(http|//|/)", page)


def test_missing_cells_are_shown_as_such(made, tmp_path):
    wonda, images = made
    page = wonda.history.grid(images[1:], tmp_path / "grid.html", rows="take", columns="subject")
    assert page.read_text("utf-8").count('class="none"') == 0
    some = [images[0], images[-1]]
    page = wonda.history.grid(some, tmp_path / "grid.html", rows="subject", columns="template")
    assert page.name == "grid (2).html", "an existing file is kept"
    assert page.read_text("utf-8").count('<span class="none">–</span>') == 2


def test_image_that_is_gone_is_not_the_end(made, tmp_path):
    wonda, images = made
    gone = ww.GeneratedImage(
        media=ww.Media(media_id="x", url="http://127.0.0.1:9/x.png"), values={"subject": "gone"}
    )
    page = wonda.history.grid([*images, gone], tmp_path / "grid.html", rows="subject", columns="")
    assert "not available" in page.read_text("utf-8")
    wonda.history.grid([*images, gone], tmp_path / "grid.png", rows="subject")


def test_labels_in_other_scripts_and_hostile_ones(made, tmp_path):
    wonda, images = made
    hostile = [
        ww.GeneratedImage(media=images[0].media, values={"subject": text})
        for text in (
            "<script>alert(1)</script>",
            "שלום עולם",
            "نص",
            "日本語",
            "\ud800x",
            "a" * 5_000,
        )
    ]
    page = wonda.history.grid(hostile, tmp_path / "grid.html").read_text("utf-8")
    assert "<script>" not in page
    wonda.history.grid(hostile, tmp_path / "grid.png", width=800)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("grid.gif", {}, "not a .png, .webp or .html"),
        ("grid.png", {"width": 10}, "from 200 to 16,000"),
        ("grid.png", {"width": 800.5}, "whole number"),
        ("grid.png", {"width": "wide"}, "whole number"),
    ],
)
def test_odd_arguments_are_refused(made, tmp_path, name, options, said):
    wonda, images = made
    with pytest.raises(ww.InvalidInputError, match=re.escape(said)):
        wonda.history.grid(images, tmp_path / name, **options)


def test_labels_with_line_breaks(made, tmp_path):
    wonda, images = made
    odd = [
        msgspec.structs.replace(image, values={"subject": f"two\nlines\x00 {index % 2}"})
        for index, image in enumerate(images[:4])
    ]
    for name in ("odd.png", "odd.html"):
        path = wonda.history.grid(odd, tmp_path / name)
        assert path.exists()
    assert "two lines" in path.read_text()


def test_webp_that_would_be_too_high_is_refused(made, tmp_path, monkeypatch):
    wonda, images = made
    monkeypatch.setattr(grid_sheet, "MAX_WEBP_PIXELS", 500)
    with pytest.raises(ww.InvalidInputError, match="a WebP file can have up to 500"):
        wonda.history.grid(images, tmp_path / "high.webp", width=600)
    assert wonda.history.grid(images, tmp_path / "high.png", width=600).exists()


def test_path_that_cannot_be_written_names_no_other_format(made, tmp_path):
    wonda, images = made
    (tmp_path / "file").write_text("")
    with pytest.raises(ww.InvalidInputError, match="cannot be written") as caught:
        wonda.history.grid(images, tmp_path / "file" / "grid.png")
    assert "csv" not in caught.value.hint


def test_too_many_columns_or_pixels_are_refused(made, tmp_path):
    wonda, images = made
    many = [
        ww.GeneratedImage(media=images[0].media, values={"subject": str(number)})
        for number in range(60)
    ]
    with pytest.raises(ww.InvalidInputError, match=r"60 columns do not fit into 1,600 pixels"):
        wonda.history.grid(many, tmp_path / "grid.png", rows="", columns="subject")
    with pytest.raises(ww.InvalidInputError, match="16,000 ×"):
        wonda.history.grid(many, tmp_path / "grid.png", columns="", width=16_000)
    with pytest.raises(ww.InvalidInputError, match="no images"):
        wonda.history.grid([], tmp_path / "grid.png")
    with pytest.raises(ww.InvalidInputError, match="up to 2,000"):
        wonda.history.grid(images * 200, tmp_path / "grid.png")
    with pytest.raises(TypeError, match="image"):
        wonda.history.grid([1], tmp_path / "grid.png")


def test_async_client_writes_too(tmp_path):
    async def write():
        async with ww.AsyncWonda.sandbox(seconds=0.02) as wonda:
            matrix = wonda.images.matrix("A {red|blue} sail", models="z-image")
            _ = [row async for row in matrix]
            return await wonda.history.grid(matrix.images, tmp_path / "grid.png", width=400)

    assert asyncio.run(write()).exists()
