"""The storyboard: a complete page without scripts or network requests."""

import base64
import functools
import hashlib
import io
import json
import os
import re
import threading
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from conftest import KEY
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.client import selection
from wonda_widgets.client.edit import Crop, Edit, Encode
from wonda_widgets.export import storyboard, storyboard_page, timeline
from wonda_widgets.imaging.preview import Preview
from wonda_widgets.journal.image_events import StatusChange
from wonda_widgets.utils import event_loop

AT = datetime(2026, 11, 24, 10, 2, 11, tzinfo=UTC)
PIXEL = Preview(b"\xff\xd8 never decoded", "image/jpeg", 1024, 1280, "JPEG", 5_000)
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "script"),
    *("article", "section", "div", "h1", "h2", "h3", "p", "dl", "dt", "dd", "ol", "li"),
    *("figure", "figcaption", "img", "time", "bdi", "span", "strong", "a"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "dir", "id", "role"),
    *("aria-labelledby", "aria-label", "datetime", "src", "alt", "width", "height", "href", "rel"),
}
HOSTILE = [
    "<script>alert(1)</script>",
    "</title></style></script><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "<!-- ]]> --> &lt;b&gt; &amp; &#60;",
    "\u202egnp.exe\u2066",
    "line\u2028and\u2029paragraph\x85next",
    "nul\0 bell\x07 half \ud83d and \udc00 \ufffe",
    "x" * 5_000,
    "👩‍👩‍👧 é 日本語",
]


class ParsedPage(HTMLParser):
    """Parse a page into its tags, attributes, links, images and texts."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.links, self.images, self.texts = [], set(), [], [], []
        self.open = []
        self.feed(page.decode("utf-8"))
        self.close()
        self.text = "".join(self.texts)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        attributes = dict(attrs)
        self.links += [attributes["href"]] if "href" in attributes else []
        self.images += [attributes] if tag == "img" else []
        self.open.append(tag)

    def handle_endtag(self, _tag):
        self.open.pop()

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.texts.append(data)


def generated_image(**fields):
    return ww.GeneratedImage(media=ww.Media(media_id="m1"), prompt="A harbor", made_at=AT, **fields)


def post(**fields):
    defaults = {
        "media_ids": ("m1",),
        "account_id": "a1",
        "account": "@lantern.shop",
        "caption": "Made with Wonda",
        "alt_text": "",
        "product": "",
        "state": "posted",
        "permalink": "https://example.org/p/1",
        "requested_at": AT,
        "ended_at": AT,
        "scheduled_for": None,
    }
    return timeline.TimelinePost(**{**defaults, **fields})


def render_page(image=None, posts=(), title="Board", previews=None, edits=()):
    image_timeline = timeline.ImageTimeline(
        image=image or generated_image(), requested_at=AT, posts=tuple(posts), edits=tuple(edits)
    )
    board = storyboard_page.Board(title=title, timelines=[image_timeline], written_at=AT)
    return storyboard_page.render(board, [previews or {"": PIXEL}])


def assert_harmless(page):
    parsed = ParsedPage(page)
    assert set(parsed.tags) <= TAGS
    assert parsed.attributes <= ATTRIBUTES
    assert (parsed.tags.count("script"), parsed.tags.count("style")) == (1, 1)
    assert all(link.startswith(("http://", "https://")) for link in parsed.links)
    assert all(image["src"].startswith("data:image/") for image in parsed.images)
    assert b"\0" not in page
    return parsed


# ---------------------------------------------------------------- external text


def page_with(text, other):
    """Return a page with `text` or `other` in every place for external text."""
    image = generated_image(model=text, params={text: other, "aspectRatio": text}, note=text)
    image = replace(image, prompt=text)
    published = post(caption=text, account=other, alt_text=text, permalink=text, product=other)
    edit = timeline.EditEvent(
        media_id=text or "e",
        of="m1",
        operations=({"operation": "text", "text": text},),
        since_original=(),
        at=AT,
    )
    return render_page(image, [published], text, {"": PIXEL, edit.media_id: PIXEL}, [edit])


@given(st.text() | st.sampled_from(HOSTILE), st.sampled_from(HOSTILE))
@settings(max_examples=150, deadline=None)
def test_external_text_does_not_change_the_required_tags(text, other):
    # External text can only change which optional lines are present.
    optional = {"p", "div", "dt", "dd", "bdi"}

    def required_tags(page):
        return [tag for tag in assert_harmless(page).tags if tag not in optional]

    assert required_tags(page_with(text, other)) == required_tags(page_with("plain", "plain"))


@pytest.mark.parametrize("text", HOSTILE)
def test_external_text_is_shown_with_invalid_characters_replaced(text):
    parsed = ParsedPage(render_page(replace(generated_image(), prompt=text), [post(caption=text)]))
    shown = "".join(parsed.text.split())
    expected = re.sub(r"[\0\x07\ud83d\udc00\ufffe]", "\ufffd", "".join(text.split()))
    assert shown.count(expected) >= 2


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", 'https://x.org/"onclick', "https://x\n", "//x", ""],
)
def test_only_web_addresses_become_links(address):
    assert ParsedPage(render_page(posts=[post(permalink=address)])).links == []


def test_post_links_send_no_referrer():
    page = render_page(posts=[post()]).decode()
    assert 'href="https://example.org/p/1" rel="noopener noreferrer"' in page


# ---------------------------------------------------------------- policy and structure


def test_content_security_policy_allows_only_the_style_and_script_of_the_page():
    page = render_page(posts=[post()]).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    for tag in ("style", "script"):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert allowed.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert allowed == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert page.index("Content-Security-Policy") < page.index("<title>") < page.index("<style>")
    assert " style=" not in page
    assert not re.search(r"@import|url\(", page)


def test_page_has_headings_landmarks_and_alt_texts():
    image = replace(generated_image(rating=4, favorite=True), prompt="A harbor " * 40)
    parsed = ParsedPage(render_page(image, [post(alt_text="Boats at dawn")], edits=[]))
    assert [tag for tag in parsed.tags if tag in {"h1", "h2", "h3"}] == ["h1", "h2", "h3"]
    assert {"header", "main", "footer"} <= set(parsed.tags)
    assert parsed.images[0]["alt"] == "Boats at dawn"
    assert "4 of 5 stars" in render_page(image).decode()
    assert ParsedPage(render_page(image)).images[0]["alt"].startswith("A harbor A harbor")
    assert ParsedPage(render_page(replace(image, prompt=""))).images[0]["alt"] == "Image 1"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "Posted to @lantern.shop"),
        ({"state": "in progress"}, "In progress for @lantern.shop"),
        ({"state": "scheduled", "scheduled_for": AT}, "Scheduled for @lantern.shop"),
        ({"state": "failed"}, "Post failed: to @lantern.shop"),
        ({"state": "unknown"}, "Unknown: this may have been posted to @lantern.shop"),
        ({"product": "STORIES"}, "10:02:11 · as a story"),
        ({"media_ids": ("m1", "m2", "m3")}, "3 images"),
        ({"ended_at": None}, "requested 10:02:11"),
    ],
)
def test_page_describes_each_post(fields, expected):
    assert expected in ParsedPage(render_page(posts=[post(**fields)])).text


def test_page_shows_request_and_status_times_in_one_line():
    from datetime import timedelta

    status_changes = [
        StatusChange(status=status, at=AT + timedelta(seconds=seconds))
        for status, seconds in (("locked", 2), ("in_progress", 4.25), ("succeeded", 125))
    ]
    image_timeline = timeline.ImageTimeline(
        image=generated_image(), requested_at=AT, status_changes=tuple(status_changes)
    )
    board = storyboard_page.Board(title="T", timelines=[image_timeline], written_at=AT)
    parsed = ParsedPage(storyboard_page.render(board, [{"": PIXEL}]))
    assert "requested 10:02:11locked +2 sin progress +4.2 sdone +2 min 05 s" in parsed.text
    assert "24 November 2026 · times in UTC" in parsed.text
    later = replace(image_timeline, requested_at=AT + timedelta(days=1), status_changes=())
    board = storyboard_page.Board(title="T", timelines=[image_timeline, later], written_at=AT)
    parsed = ParsedPage(storyboard_page.render(board, [{"": PIXEL}] * 2))
    assert "requested 25 November 2026, 10:02:11" in parsed.text


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])  # noqa: DTZ901 - UTC is added below
def test_extreme_dates_do_not_break_the_page(moment):
    at = moment.replace(tzinfo=UTC)
    image_timeline = timeline.ImageTimeline(
        image=generated_image(seconds=float("nan"), rating=99), requested_at=at
    )
    board = storyboard_page.Board(title="T", timelines=[image_timeline], written_at=AT.astimezone())
    assert storyboard_page.render(board, [{"": PIXEL}])


# ---------------------------------------------------------------- a whole board


@pytest.fixture
def wonda(tmp_path, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01, journal=tmp_path / "journal.db") as client:
        yield client


@pytest.fixture
def images(wonda):
    for prompt in ("A sunset over the ocean", "A storm, low haze"):
        wonda.images.generate(model="nano-banana-2", prompt=prompt).wait()
    return wonda.history.search()[::-1]


def upload_edited(wonda, image):
    edit = Edit(image.media, wonda=wonda)
    return edit.add(Crop(x=0, y=0, width=300, height=300), Encode(format="JPEG")).upload()


def test_storyboard_shows_images_edits_and_posts(wonda, images, tmp_path):
    media = upload_edited(wonda, images[0])
    account = wonda.accounts.instagram()[0].instagram_account_id
    link = (
        wonda.publish.instagram(
            media_id=media.media_id, instagram_account_id=account, caption="Open sea"
        )
        .wait()
        .permalink
    )
    path = ww.storyboard(images, tmp_path / "story", title="Autumn", wonda=wonda)
    assert path == tmp_path / "story.html"
    page = path.read_bytes()
    parsed = assert_harmless(page)
    for expected in (
        "2 images, 1 edited, 1 posted",
        "A sunset over the ocean",
        "cropped to 300 × 300",
        "saved as JPEG",
        "Posted to @lantern.shop",
        "Open sea",
        "Sandbox.",
    ):
        assert expected in parsed.text
    assert parsed.links == [link]
    shown = [
        Image.open(io.BytesIO(base64.b64decode(each["src"].partition(",")[2])))
        for each in parsed.images
    ]
    assert [each.size[0] == each.size[1] for each in shown] == [False, True, False]
    second = wonda.history.export(images, path)
    assert second.name == "story (2).html"
    third = wonda.history.storyboard(images[0], tmp_path / "one.html")
    assert "1 image, 1 edited, 1 posted" in ParsedPage(third.read_bytes()).text
    assert str(tmp_path).encode() not in page
    assert images[0].media.url.encode() not in page


def test_page_says_which_image_is_unavailable(wonda, images, tmp_path):
    media = upload_edited(wonda, images[0])
    wonda.faults.add("GET", f"media/{media.media_id}", 404, times=9)
    first = ParsedPage(ww.storyboard(images, tmp_path / "a.html", wonda=wonda).read_bytes())
    assert len(first.images) == 3  # the edit is applied to the original again

    wonda.faults.add("GET", f"media/{images[0].media.media_id}", 404, times=9)
    gone = images[0].media.url.replace(images[0].media.media_id, "gone")
    unavailable = replace(images[0], media=replace(images[0].media, url=gone), job_id="")
    parsed = ParsedPage(
        ww.storyboard([unavailable, images[1]], tmp_path / "b.html", wonda=wonda).read_bytes()
    )
    assert len(parsed.images) == 1
    assert parsed.text.count("The service no longer has this image.") == 2
    assert "cropped to 300 × 300" in parsed.text
    assert gone not in parsed.text


def test_original_that_is_not_an_image_is_not_decoded(wonda, images, tmp_path, monkeypatch):
    async def junk(_):
        return b"<svg onload=alert(1)>"

    monkeypatch.setattr(wonda._async.history, "original", junk)
    parsed = assert_harmless(ww.storyboard(images, tmp_path / "a", wonda=wonda).read_bytes())
    assert parsed.text.count("This image cannot be opened safely.") == 2


def test_originals_are_downloaded_three_at_a_time_and_decoded_in_threads(
    wonda, images, monkeypatch
):
    history = wonda._async.history
    download, running, counts, threads = history.original, [], [], set()

    async def counting_download(image):
        running.append(1)
        counts.append(len(running))
        try:
            return await download(image)
        finally:
            running.pop()

    def record_thread(data, budget):  # noqa: ARG001
        threads.add(threading.current_thread().name)
        return PIXEL

    monkeypatch.setattr(history, "original", counting_download)
    monkeypatch.setattr(storyboard, "_preview", record_thread)
    from wonda_widgets.utils import event_loop

    assert event_loop.run_blocking(storyboard.render(history, images * 4)).startswith(
        b"<!doctype html>"
    )
    assert max(counts) == 3
    assert not any("wonda" in name for name in threads)


# ---------------------------------------------------------------- size of the page


def noisy_4k_image():
    """Return a 4K image that does not compress."""
    image = Image.frombytes("RGB", (4096, 4096), os.urandom(4096 * 4096 * 3))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def test_twenty_noisy_4k_images_fit_into_an_email(wonda, images, monkeypatch):
    from wonda_widgets.utils import event_loop

    data, history = noisy_4k_image(), wonda._async.history
    # Created once, because it is slow.
    small = storyboard._preview(data, storyboard._max_preview_bytes(40, 100_000))

    async def original(_):
        return data

    monkeypatch.setattr(history, "original", original)
    monkeypatch.setattr(history, "edited", original)
    monkeypatch.setattr(storyboard, "_preview", lambda _, budget: checked_preview(small, budget))
    long = "An über-long prompt, as people write them. " * 116
    board = []
    core = wonda._async._core
    for number in range(20):
        media = replace(images[0].media, media_id=f"m{number}")
        board.append(replace(images[0], media=media, prompt=long[:5_000], intent=f"{number}"))
        body = {"edit": {"of": f"m{number}", "operations": [{"operation": "crop"}]}}
        begun = core.journal.begin_request(
            core.journal_key, "upload", json.dumps(body).encode(), ""
        )
        core.journal.mark_accepted(begun.result()[0], f"e{number}").result()
    page = event_loop.run_blocking(storyboard.render(history, board))
    parsed = ParsedPage(page)
    assert len(parsed.images) == 40
    assert 2_000_000 < len(page) <= 6_000_000
    assert min(small.width, small.height) == 4096
    assert max(Image.open(io.BytesIO(small.data)).size) >= 512


def checked_preview(preview, budget):
    assert len(preview.data) <= budget <= 250_000
    return preview


@pytest.mark.parametrize(
    ("count", "text_bytes", "at_least"),
    [
        (1, 0, 250_000),
        (13, 10_000, 250_000),
        (40, 300_000, 106_000),
        (400, 0, 30_000),
        (3, 10**8, 0),
    ],
)
def test_previews_shrink_with_the_number_of_images(count, text_bytes, at_least):
    budget = storyboard._max_preview_bytes(count, text_bytes)
    assert at_least <= budget <= 250_000
    assert budget >= 30_000
    if budget > 30_000:
        assert text_bytes + count * 4 * -(-budget // 3) <= 6_000_000


def test_posted_and_latest_edits_are_shown():
    edits = [
        timeline.EditEvent(
            media_id=f"e{n}", of="m1", operations=(), since_original=(), at=AT.replace(hour=n)
        )
        for n in range(8)
    ]
    image_timeline = timeline.ImageTimeline(
        image=generated_image(), edits=tuple(edits), posts=(post(media_ids=("e1",)),)
    )
    shown = [change.media_id for change in storyboard._shown_edits(image_timeline)]
    assert set(shown) == {"e1", "e5", "e6", "e7"}
    previews = dict.fromkeys(["", *shown], PIXEL)
    parsed = ParsedPage(render_page(edits=edits, previews=previews))
    assert (len(parsed.images), len(re.findall(r"Edit \d", parsed.text))) == (5, 8)


# ---------------------------------------------------------------- sources and arguments


def test_storyboard_accepts_a_job_or_a_matrix(wonda, tmp_path):
    job = wonda.images.generate(model="z-image", prompt="A pier")
    job.wait()
    assert "A pier" in ww.storyboard(job, tmp_path / "job", wonda=wonda).read_text("utf-8")
    matrix = wonda.images.matrix("A {a}", {"a": ["storm", "harbor"]}, "z-image")
    with pytest.raises(ww.InvalidInputError, match="no images"):
        ww.storyboard(matrix, tmp_path / "matrix")
    assert wonda.history.count() == 1, "a storyboard starts no job"
    matrix.wait()
    assert "2 images" in ww.storyboard(matrix, tmp_path / "matrix").read_text("utf-8")
    page = wonda.history.storyboard(matrix, tmp_path / "matrix").read_text("utf-8")
    assert "2 images" in page


@pytest.mark.parametrize("panel", ["Gallery", "History", "PromptLab", "Compare"])
def test_panel_contributes_its_selection_or_all_images(wonda, images, tmp_path, settled, panel):
    panels = {
        "Gallery": lambda: ww.Gallery(images, wonda=wonda),
        "History": lambda: ww.History(wonda),
        "PromptLab": lambda: ww.PromptLab(wonda),
        "Compare": lambda: ww.Compare(images, wonda=wonda),
    }
    opened = panels[panel]()
    if panel == "PromptLab":
        matrix = wonda.images.matrix("A {a}", {"a": ["storm", "harbor"]}, "z-image")
        matrix.wait()
        event_loop.call_soon(lambda: opened.gallery.show_matrix(matrix))
    settled(lambda: len(opened._shows()[1]) == 2)
    assert "2 images" in ww.storyboard(opened, tmp_path / "all").read_text("utf-8")
    if panel != "Compare":
        gallery = getattr(opened, "gallery", opened)
        first = gallery._shown[0]
        event_loop.call_soon(lambda: gallery._select([first.key]))
        settled(lambda: len(gallery.selected) == 1)
        page = ww.storyboard(opened, tmp_path / "one").read_text("utf-8")
        assert "1 image<" in page
        assert first.prompt in page
    opened.close()


def test_studio_contributes_all_its_images(wonda, tmp_path, settled):
    studio = ww.Studio(wonda)
    with pytest.raises(ww.InvalidInputError, match="no images"):
        ww.storyboard(studio, tmp_path / "none")
    for number in range(2):
        job = wonda.images.generate(model="z-image", prompt=f"Number {number}")
        event_loop.call_soon(lambda job=job: studio.prompt_form.attach_job(job))
        settled(lambda: len(studio.filmstrip.images) == number + 1)  # noqa: B023
    first = studio.filmstrip.images[0]
    media = upload_edited(wonda, wonda.history.search("1")[0])
    studio._show_edited(first, media)
    settled(lambda: len(studio.filmstrip.images) == 3)
    page = ww.storyboard(studio, tmp_path / "studio").read_text("utf-8")
    assert "2 images, 1 edited" in page
    assert page.index("Number 0") < page.index("Number 1")
    studio.close()


@pytest.mark.parametrize("source", ["a text", 5, None, [1], [None], {"a": 1}, b"x", ww.Media()])
def test_storyboard_refuses_other_objects(wonda, tmp_path, source):
    with pytest.raises(TypeError, match="needs images, jobs, a matrix or a panel, not"):
        ww.storyboard(source, tmp_path / "x.html", wonda=wonda)
    assert list(tmp_path.glob("x*")) == []


def test_invalid_argument_raises_and_writes_no_file(wonda, images, tmp_path):
    def message_of(field, source=images, path="x.html", **options):
        with pytest.raises(ww.InvalidInputError) as caught:
            ww.storyboard(source, tmp_path / path, wonda=wonda, **options)
        assert caught.value.field == field
        return caught.value.message

    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a file")
    assert "is a folder" in message_of("path", path="folder")
    assert "cannot be written" in message_of("path", path="file/x.html")
    assert "not a valid path" in message_of("path", path="x\0y.html")
    assert "an .html file, not .pdf" in message_of("path", path="x.pdf")
    assert "There are no images" in message_of("images", [])
    assert "at most 200 images; there are 201" in message_of("images", images[:1] * 201)
    for title in ("", "  ", None, "x" * 201):
        assert "The title must" in message_of("title", title=title)
    failed = wonda.images.generate(model="z-image", prompt="sandbox: fail")
    with pytest.raises(ww.JobFailedError):
        failed.wait()
    assert "has no image; its status is failed" in message_of("images", [failed])
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.usefixtures("quick_polls")
def test_storyboard_of_a_job_uses_the_default_sandbox_client(tmp_path, monkeypatch):
    sandbox = functools.partial(ww.AsyncWonda.sandbox, seconds=0.01)
    monkeypatch.setattr(ww.AsyncWonda, "sandbox", sandbox)
    shared = selection.default()
    job = event_loop.run_blocking(shared.images.generate(model="z-image", prompt="A pier"))
    job.wait()
    assert "A pier" in ww.storyboard([job], tmp_path / "x").read_text("utf-8")


def test_storyboard_never_contains_the_key(tmp_path):
    import httpx

    def respond(request):
        if request.url.path.endswith("accounts"):
            account = {"instagramAccountId": "a", "username": KEY}
            return httpx.Response(200, json={"accounts": [account]})
        return httpx.Response(404, json={})

    with ww.Wonda(
        KEY, base_url="https://a.example/v1", transport=httpx.MockTransport(respond)
    ) as w:
        # The heading is cut within the key.
        before = "x" * (storyboard_page.MAX_HEADING_LENGTH - 20)
        image = ww.GeneratedImage(
            media=ww.Media(media_id="m"),
            prompt=f"{before} {KEY}",
            model=KEY,
            params={KEY: KEY},
            note=KEY,
            made_at=AT,
        )
        page = ww.storyboard(image, tmp_path / "x", title=f"T {KEY}", wonda=w).read_text("utf-8")
    assert KEY[3:15] not in page
    assert "Sandbox" not in page
