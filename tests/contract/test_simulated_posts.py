"""The page of a simulated post, which says that nothing was published."""

from __future__ import annotations

import gc
import io
import os
import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import anyio
import pytest
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.sandbox import server

HOSTILE = '<script>alert("x")</script> שלום & "quoted"\n#lake'


def opened(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.headers, reply.read()


@pytest.fixture
def wonda(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01) as client:
        yield client


def posted(wonda, count=1, **post):
    made = [wonda.images.generate(model="z-image", prompt=f"A lake {n}") for n in range(count)]
    ids = [job.wait().media.media_id for job in made]
    post["instagram_account_id"] = wonda.accounts.instagram()[0].instagram_account_id
    if count > 1:
        return wonda.publish.instagram_carousel(media_ids=ids, **post).wait().permalink
    return wonda.publish.instagram(media_id=ids[0], **post).wait().permalink


def check(link, count=1):
    headers, page = opened(link)
    page = page.decode()
    assert "Nothing was published." in page
    assert "@lantern.shop" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "שלום" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    sources = [part.partition('"')[0] for part in page.split('<img src="')[1:]]
    assert len(sources) == count
    for source in sources:
        assert source.startswith(link)
        headers, data = opened(source)
        assert headers["Content-Type"] == "image/png"
        assert Image.open(io.BytesIO(data)).size[1] > 100


@pytest.mark.parametrize("count", [1, 3])
def test_post_page_of_an_in_process_sandbox(wonda, count):
    link = posted(wonda, count, caption=HOSTILE)
    assert urlsplit(link).hostname == "127.0.0.1"
    check(link, count)
    assert ("Carousel" if count > 1 else "Feed") in opened(link)[1].decode()


@pytest.mark.usefixtures("quick_polls")
def test_post_page_of_a_served_sandbox():
    async def all_of_it():
        async with server.serving(seconds=0.01) as (_, base_url):
            await anyio.to_thread.run_sync(one, base_url)

    def one(base_url):
        with ww.Wonda.served_sandbox(base_url, journal=":memory:") as wonda:
            check(posted(wonda, caption=HOSTILE))

    anyio.run(all_of_it)


def test_no_other_paths_are_served(wonda):
    link = posted(wonda)
    base, _, name = link.rpartition("/")
    port = urlsplit(link).port
    for wrong in (
        *("", "x", f"{name}x", f"{name}/9", f"{name}/-1", f"{name}/0/0", f"{name}/%2e%2e"),
        *("../../etc/passwd", name.partition(".")[2], f"other.{name.partition('.')[2]}"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            opened(f"{base}/{wrong}")
        assert caught.value.code == 404, wrong
        caught.value.close()
    with pytest.raises(urllib.error.HTTPError) as caught:  # a name that another site chose
        opened(link, Host=f"evil.example:{port}")
    assert caught.value.code == 404
    caught.value.close()
    for line in (b"POST / HTTP/1.1\r\n\r\n", b"\x00\xff\r\n\r\n", b"GET\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            raw.sendall(line)
            raw.shutdown(socket.SHUT_WR)
            assert b"A lake" not in raw.recv(10_000)
    assert opened(link)[1]


def test_page_ends_with_its_sandbox(quick_polls):  # noqa: ARG001
    wonda = ww.Wonda.sandbox(seconds=0.01)
    link = posted(wonda)
    wonda.close()
    del wonda
    gc.collect()
    with pytest.raises(urllib.error.HTTPError) as caught:
        opened(link)
    caught.value.close()


@pytest.mark.forks
def test_forked_child_serves_its_own_pages(wonda):
    posted(wonda)
    read, write = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - measured by what it says
        try:
            with ww.Wonda.sandbox(seconds=0.01) as own:
                said = opened(posted(own, caption="Of the child"))[1]
            os.write(write, b"yes" if b"Of the child" in said else b"no")
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        assert told.read() == b"yes"
    os.waitpid(child, 0)
