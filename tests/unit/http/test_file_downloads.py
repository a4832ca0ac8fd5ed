"""Downloads into files: memory, interruptions, and what is left behind."""

import errno
import os
import re
import tracemalloc

import httpx
import pytest
from conftest import BASE, KEY

import wonda_widgets as ww
from wonda_widgets.models import Media

DATA = os.urandom(3_000_000)
URL = "https://storage.example.test/clip.mp4"


class Storage:
    """A storage host that cuts downloads, and an API that knows the current address."""

    def __init__(self):
        self.data = DATA
        self.tag = '"1"'
        self.cut = []  # after how many bytes each of the next responses is cut
        self.takes_ranges = True
        self.odd = None  # answers the next request for a part
        self.expired = set()
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        if request.url.path.startswith("/api/v1/media/"):
            return httpx.Response(200, json={"mediaId": "m1", "url": f"{URL}?fresh"})
        assert "authorization" not in request.headers
        if str(request.url) in self.expired:
            return httpx.Response(403)
        start, status, headers = 0, 200, {"ETag": self.tag} if self.tag else {}
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if wanted and self.takes_ranges and request.headers["if-range"] == self.tag:
            start, status = int(wanted.group(1)), 206
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        if self.odd is not None and start:
            odd, self.odd = self.odd, None
            return odd(start)
        rest = self.data[start:]
        headers["Content-Length"] = str(len(rest))
        stop = self.cut.pop(0) if self.cut else None

        async def body():
            for at in range(0, len(rest), 100_000):
                if stop is not None and at >= stop:
                    raise httpx.ReadError("cut")
                yield rest[at : at + 100_000]

        return httpx.Response(status, headers=headers, content=body())

    @property
    def ranges(self):
        return [request.headers.get("range") for request in self.requests]


@pytest.fixture
def storage():
    return Storage()


@pytest.fixture
def wonda(storage, tmp_path, monkeypatch):
    monkeypatch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.0)
    transport = httpx.MockTransport(storage)
    with ww.Wonda(KEY, base_url=BASE, journal=tmp_path / "j.db", transport=transport) as client:
        yield client


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "clips"
    made.mkdir()
    return made


CLIP = Media(media_id="m1", url=URL, mime_type="video/mp4")


def test_file_is_written_with_progress(wonda, folder):
    seen = []
    path = wonda.media.download(CLIP, folder / "a.mp4", on_progress=lambda *at: seen.append(at))
    assert path == folder / "a.mp4"
    assert path.read_bytes() == DATA
    assert seen[0] == (0, len(DATA))
    assert seen[-1] == (len(DATA), len(DATA))
    assert seen == sorted(seen)


def test_existing_file_is_kept(wonda, folder):
    (folder / "a.mp4").write_text("mine")
    assert wonda.media.download(CLIP, folder / "a.mp4").name == "a (2).mp4"
    assert (folder / "a.mp4").read_text() == "mine"


def test_interrupted_download_is_continued(wonda, storage, folder):
    storage.cut = [1_000_000] * 8  # more often than a request is repeated
    assert wonda.media.download(CLIP, folder / "a.mp4").read_bytes() == DATA
    assert storage.ranges[:3] == [None, "bytes=1000000-", "bytes=2000000-"]


def test_file_that_has_changed_is_downloaded_from_the_start(wonda, storage, folder):
    storage.cut = [1_000_000]

    def change(received, _total):
        if received:
            storage.data, storage.tag = DATA[::-1], '"2"'

    path = wonda.media.download(CLIP, folder / "a.mp4", on_progress=change)
    assert path.read_bytes() == DATA[::-1]


@pytest.mark.parametrize("lacks", ["ranges", "tag"])
def test_host_without_ranges_is_asked_again(wonda, storage, folder, lacks):
    storage.cut = [1_000_000, 2_000_000]
    if lacks == "ranges":
        storage.takes_ranges = False
    else:
        storage.tag = ""
    assert wonda.media.download(CLIP, folder / "a.mp4").read_bytes() == DATA


def test_download_that_stays_interrupted_leaves_nothing(wonda, storage, folder):
    storage.cut = [0] * 99
    with pytest.raises(ww.ServiceUnreachableError):
        wonda.media.download(CLIP, folder / "a.mp4")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("to_file", [True, False])
def test_expired_address_is_replaced(wonda, storage, folder, to_file):
    storage.expired = {URL}
    if to_file:
        assert wonda.media.download(CLIP, folder / "a.mp4").read_bytes() == DATA
    else:
        assert wonda.media.download(CLIP) == DATA
    storage.expired.add(f"{URL}?fresh")
    with pytest.raises(ww.PermissionDeniedError):
        wonda.media.download(CLIP, folder / "b.mp4")


def test_full_disk_is_reported(wonda, folder, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("wonda_widgets.http.downloads._PartialFile._restart", full)
    with pytest.raises(ww.InvalidInputError, match="No space left") as caught:
        wonda.media.download(CLIP, folder / "a.mp4")
    assert caught.value.field == "path"
    assert str(caught.value).count("cannot be written") == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "no/such/folder/a.mp4", "a\0.mp4", 5])
def test_unusable_path_is_reported(wonda, folder, name, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(ww.InvalidInputError):
        wonda.media.download(CLIP, name)
    assert list(folder.iterdir()) == []


def test_memory_is_bounded(wonda, storage, folder):
    storage.data = bytes(60_000_000)
    tracemalloc.start()
    try:
        wonda.media.download(CLIP, folder / "a.mp4")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(storage.data) + 15_000_000  # the storage itself copies the data once


def part(start, stop, tag='"1"', data=DATA):
    return httpx.Response(
        206,
        headers={"ETag": tag, "Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"},
        content=data[start:stop],
    )


@pytest.mark.parametrize(
    "odd",
    [
        lambda start: part(start, len(DATA), tag='"2"', data=DATA[::-1]),
        lambda start: part(start - 10, len(DATA)),
        lambda start: part(start, start + 500_000),
        lambda _: httpx.Response(206, content=DATA),
        lambda _: httpx.Response(416, headers={"Content-Range": "bytes */5"}),
    ],
    ids=["another version", "another part", "less than requested", "unknown part", "shorter"],
)
def test_odd_part_is_not_taken_for_the_rest(wonda, storage, folder, odd):
    storage.cut, storage.odd = [1_000_000], odd
    assert wonda.media.download(CLIP, folder / "a.mp4").read_bytes() == DATA


def test_part_that_was_not_requested_is_not_the_file(storage, folder):
    answers = [part(0, 1_000_000)]

    def answer(request):
        is_storage = request.url.host.startswith("storage")
        return answers.pop() if answers and is_storage else storage(request)

    with ww.Wonda(KEY, base_url=BASE, transport=httpx.MockTransport(answer)) as client:
        assert client.media.download(CLIP, folder / "a.mp4").read_bytes() == DATA


def test_file_is_complete_if_the_host_has_no_more(folder):
    """The connection breaks after the last byte, without a Content-Length."""

    async def body():
        yield DATA
        raise httpx.ReadError("cut")

    def answer(request):
        if "range" in request.headers:
            return httpx.Response(416, headers={"Content-Range": f"bytes */{len(DATA)}"})
        return httpx.Response(200, headers={"ETag": '"1"'}, content=body())

    with ww.Wonda(KEY, base_url=BASE, transport=httpx.MockTransport(answer)) as client:
        assert client.media.download(CLIP, folder / "a.mp4").read_bytes() == DATA


def test_error_of_the_progress_function_is_raised(wonda, storage, folder):
    def fail(_received, _total):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        wonda.media.download(CLIP, folder / "a.mp4", on_progress=fail)
    assert len(storage.requests) == 1
    assert list(folder.iterdir()) == []
