"""Reference images from the browser or Python: order and the model's limits."""

import asyncio
import threading
from io import BytesIO

import pytest
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.imaging import decode_threads
from wonda_widgets.models import GenerationModel, Media, reference_limits
from wonda_widgets.utils import event_loop


def image(color="teal", *, larger_by=0):
    buffer = BytesIO()
    Image.new("RGB", (40, 30), color).save(buffer, "PNG")
    return buffer.getvalue() + bytes(larger_by)


class Page:
    """What a browser does: announces files, and gives their bytes when asked."""

    def __init__(self, form):
        self.form = form
        self.files = {}
        self.asked = []
        form.send = self._hear

    def send(self, kind, buffers=(), **content):
        self.form._receive(self.form, {"type": kind, **content}, list(buffers))

    def drop(self, **files):
        self.files.update(files)
        self.announce(**{name: len(data) for name, data in files.items()})

    def announce(self, **sizes):
        files = [{"key": key, "name": f"{key}.png", "size": size} for key, size in sizes.items()]
        self.send("add_files", files=files)

    def _hear(self, content, buffers=None):  # noqa: ARG002
        self.asked.append((content["key"], content["at"], content["bytes"]))
        data = self.files.get(content["key"])
        if data is not None:
            piece = data[content["at"] : content["at"] + content["bytes"]]
            self.send("chunk", [memoryview(piece)], key=content["key"], at=content["at"])


@pytest.fixture
def wonda(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02) as client:
        yield client


@pytest.fixture
def form(wonda, settled):
    made = ww.PromptForm(wonda, prompt="A harbour")
    settled(lambda: made.state == "ready")
    yield made
    made.close()


@pytest.fixture
def page(form):
    return Page(form)


def states(form):
    return [each["state"] for each in form.references]


def names(form):
    return [each["name"] for each in form.references]


def arrived(wonda, path):
    return [each for each in wonda.faults.arrived if each == ("POST", f"/api/v1/{path}")]


def test_references_are_sent_in_displayed_order(form, page, wonda, settled):
    page.drop(a=image("red"), b=image("green"), c=image("blue"))
    settled(lambda: states(form) == ["done"] * 3)
    before = form.reference_ids
    assert len(form.reference_thumbs) == 3
    page.send("move_reference", key="c", to=0)
    settled(lambda: names(form) == ["c.png", "a.png", "b.png"])
    page.send("remove_reference", key="a")
    settled(lambda: names(form) == ["c.png", "b.png"])
    page.send("submit", prompt="x", model="nano-banana-2", params={})
    settled(lambda: form.job)
    assert form.job.request["attachmentMediaIds"] == [before[2], before[1]]
    assert form.job.wait().media
    assert len(arrived(wonda, "media/upload")) == 3


def test_large_file_is_sent_in_chunks(form, page, settled):
    data = image(larger_by=2_500_000)
    page.drop(large=data)
    settled(lambda: states(form) == ["done"])
    assert [at for _, at, _ in page.asked] == [0, 1_000_000, 2_000_000]
    assert max(size for *_, size in page.asked) == 1_000_000
    assert sum(size for *_, size in page.asked) == len(data)


def test_late_chunk_from_another_view_is_ignored(form, page, settled):
    data = image(larger_by=1_500_000)
    hear, upload, pieces = page._hear, form._client.media.upload, []

    def late(content, buffers=None):
        if content["at"]:
            page.send("chunk", [memoryview(data[:1_000_000])], key="large", at=0)
        hear(content, buffers)

    async def noted(source, **about):
        pieces.append(source)
        return await upload(source, **about)

    form.send = late
    form._client.media.upload = noted
    page.drop(large=data)
    settled(lambda: states(form) == ["done"])
    assert b"".join(pieces) == data


@pytest.mark.parametrize(
    ("size", "data", "said"),
    [
        (31_000_000, None, "The file is 31.0 MB; the limit is 30.0 MB."),
        (0, None, "The file is empty."),
        (9, b"not a pic", "This is not an image (PNG, JPEG, WebP or GIF)."),
        (90, b"\x89PNG\r\n\x1a\n" + bytes(82), "This is not an image"),
    ],
)
def test_unsupported_file_is_reported_and_not_uploaded(
    form, page, wonda, settled, size, data, said
):
    if data:
        page.files["a"] = data
    page.announce(a=size)
    settled(lambda: states(form) == ["refused"])
    assert said in form.references[0]["message"]
    assert not form.references[0]["retry"]
    page.send("submit", prompt="x", model="nano-banana-2", params={})
    settled(lambda: form.error)
    assert form.error["field"] == "references"
    assert form.error["title"] == "1 reference image is not uploaded."
    page.send("remove_reference", key="a")
    settled(lambda: form.error is None)
    page.send("submit", prompt="x", model="nano-banana-2", params={})
    settled(lambda: form.job)
    assert not arrived(wonda, "media/upload")


@pytest.fixture
def busy():
    """Decoders that are all busy with other images."""
    end = threading.Event()
    for _ in range(decode_threads.MAX_CONCURRENCY):
        event_loop.spawn(decode_threads.run(end.wait))
    yield end
    end.set()


def test_upload_does_not_wait_for_decoding(form, page, wonda, settled, busy):
    page.drop(a=image("red"), b=image("green"))
    form.add_reference(image("blue"), name="c.png")
    settled(lambda: states(form) == ["done"] * 3)
    assert form.reference_thumbs == {}
    assert len(arrived(wonda, "media/upload")) == 3
    busy.set()
    settled(lambda: len(form.reference_thumbs) == 3)
    assert states(form) == ["done"] * 3


def test_non_image_is_refused_while_decoders_are_busy(form, page, wonda, settled, busy):
    page.drop(a=b"not a pic", b=b"\x89PNG\r\n\x1a\n" + bytes(82))
    settled(lambda: states(form) == ["refused"] * 2)
    assert not busy.is_set()
    assert not arrived(wonda, "media/upload")


def test_damaged_image_is_refused_when_detected(form, page, settled, busy):
    page.drop(cut=image()[:60])
    settled(lambda: states(form) == ["done"])
    busy.set()
    settled(lambda: states(form) == ["refused"])
    assert "damaged" in form.references[0]["message"]
    assert not form.references[0]["retry"]
    assert form.reference_ids == []


def test_damaged_image_cancels_its_upload(form, page, settled, monkeypatch):
    canceled = []

    async def never(_source, *, name, **_about):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            canceled.append(name)
            raise

    monkeypatch.setattr(form._client.media, "upload", never)
    page.drop(cut=image()[:60], fine=image())
    settled(lambda: states(form) == ["refused", "uploading"] and form.reference_thumbs)
    settled(lambda: len(canceled) == 1)
    assert "cut" in canceled[0]


def test_image_with_decode_timeout_is_used(form, page, settled, monkeypatch):
    async def slow(*_args):
        seen.append(None)
        raise decode_threads.timeout_error(1)

    seen = []
    monkeypatch.setattr(decode_threads, "run", slow)
    page.drop(a=image())
    settled(lambda: seen and states(form) == ["done"])
    assert form.error is None


@pytest.mark.parametrize(
    ("fault", "said"), [(403, "Permission denied."), ("drop", "no response was received")]
)
def test_rejected_upload_can_be_retried_without_the_browser(
    form, page, wonda, settled, fault, said
):
    wonda.faults.add("POST", "/media/upload", fault)
    page.drop(a=image())
    settled(lambda: states(form) == ["refused"])
    assert said in form.references[0]["message"]
    assert form.references[0]["retry"]
    page.files.clear()
    page.send("retry_reference", key="a")
    settled(lambda: states(form) == ["done"])
    assert len(page.asked) == 1


def test_generate_waits_for_uploads(form, page, wonda, settled):
    page.announce(slow=1000)
    settled(lambda: states(form) == ["reading"])
    assert (form.references[0]["received"], form.references[0]["size"]) == (0, 1000)
    page.send("submit", prompt="x", model="nano-banana-2", params={})
    settled(lambda: form.error)
    assert form.error["title"] == "1 reference image is still uploading."
    assert "Nothing was sent." in form.error["text"]
    assert not arrived(wonda, "image/generate")


def test_page_without_its_files_does_not_block_others(form, page, settled):
    page.announce(lost=1000, gone=1000, fine=len(image()))
    settled(lambda: states(form) == ["reading", "reading", "waiting"])
    page.files["fine"] = image()
    page.send("no_file", key="lost")
    page.send("remove_reference", key="gone")
    settled(lambda: states(form) == ["refused", "done"])
    assert "Add it again" in form.references[0]["message"]


def test_model_limits_are_shown_and_references_are_kept(form, page, wonda, settled):
    page.drop(**{f"p{number}": image() for number in range(5)})
    settled(lambda: states(form) == ["done"] * 5)
    assert form.references_message == ""
    form.model = "gpt-image-2"
    settled(lambda: form.references_message)
    assert form.references_message == "GPT Image 2 accepts up to 4 reference images. Remove 1."
    page.send("submit", prompt="x", model="gpt-image-2", params={})
    settled(lambda: form.error)
    assert (form.error["field"], form.error["title"]) == ("references", form.references_message)
    assert not arrived(wonda, "image/generate")

    form.model = "z-image"
    settled(lambda: "kept but not sent" in form.references_message)
    page.send("submit", prompt="x", model="z-image", params={})
    settled(lambda: form.job)
    assert "attachmentMediaIds" not in form.job.request
    assert len(form.reference_ids) == 5


def test_number_of_references_is_limited(form, page, settled):
    page.announce(**{f"p{number}": 0 for number in range(33)})
    settled(lambda: form.error)
    assert len(form.references) == 30
    assert "3 images were not added" in form.error["text"]


def test_references_can_be_added_from_python(form, wonda, settled, tmp_path):
    (tmp_path / "photo.png").write_bytes(image())
    form.add_reference(tmp_path / "photo.png")
    form.add_reference(image("red"), name="bytes.png")
    form.add_reference(Image.new("RGB", (8, 8)))
    settled(lambda: states(form) == ["done"] * 3)
    assert names(form) == ["photo.png", "bytes.png", "upload.png"]
    assert len(arrived(wonda, "media/upload")) == 3


def test_media_is_used_without_an_upload(form, wonda, settled):
    media = wonda.images.generate(model="z-image", prompt="x").wait().media
    form.add_reference(media, name="From the gallery")
    form.add_reference(media)
    settled(lambda: form.reference_thumbs)
    assert form.reference_ids == [media.media_id]
    assert not arrived(wonda, "media/upload")
    form.add_reference(Media(media_id="without-address"), thumb=b"small")
    settled(lambda: len(form.reference_thumbs) == 2)


def test_invalid_reference_from_python_raises(form, tmp_path, monkeypatch):
    for wrong in (Media(), tmp_path / "nothing.png", b""):
        with pytest.raises(ww.InvalidInputError):
            form.add_reference(wrong)
    monkeypatch.setattr("wonda_widgets.widgets._shared.reference_images.MAX_FILE_BYTES", 10)
    with pytest.raises(ww.InvalidInputError, match="limit is 10 B"):
        form.add_reference(image())
    event_loop.run_blocking(nothing())
    assert form.references == []


async def nothing():
    """Let the loop come round."""


@pytest.mark.parametrize(
    ("model", "least", "most"),
    [
        ({"key": "nano-banana-2", "attachments": ["reference_images"]}, 0, 14),
        ({"key": "gpt-image-2", "attachments": ["reference_images"]}, 0, 4),
        ({"key": "birefnet-bg-removal", "attachments": ["image"]}, 1, 1),
        ({"key": "nano-banana-2", "attachments": []}, 0, 0),
        ({"key": "brand-new", "attachments": ["reference_images"]}, 0, None),
        ({"key": "brand-new", "attachments": [{"name": "image", "min": 1, "max": 3}]}, 1, 3),
        (
            {
                "key": "nano-banana-2",
                "attachments": ["x"],
                "accepts": {"media": {"min": 1, "max": 2}},
            },
            1,
            2,
        ),
        (
            {
                "key": "new",
                "attachments": ["x"],
                "params": {"properties": {"referenceImages": {"type": "array", "maxItems": 7}}},
            },
            0,
            7,
        ),
        (
            {
                "key": "new",
                "attachments": ["x", {"max": "many"}],
                "accepts": [1],
                "params": {"properties": 3},
            },
            0,
            None,
        ),
    ],
)
def test_limits_come_from_the_service_first(model, least, most):
    import msgspec

    assert reference_limits.limit_for(msgspec.convert(model, GenerationModel)) == (least, most)


@pytest.mark.parametrize(
    ("limit", "count", "said"),
    [
        ((0, 0), 0, ""),
        ((0, None), 99, ""),
        ((0, 4), 6, "M accepts up to 4 reference images. Remove 2."),
        ((1, 1), 0, "M accepts exactly 1 reference image. Add 1."),
        ((1, 1), 2, "M accepts exactly 1 reference image. Remove 1."),
        ((2, None), 1, "M accepts at least 2 reference images. Add 1."),
    ],
)
def test_limit_error_says_what_to_do(limit, count, said):
    assert reference_limits.ReferenceLimit(*limit).message(count, "M") == said
