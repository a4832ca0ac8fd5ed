"""The in-process server for pages of simulated posts."""

import os
import socket
import struct
import threading
import urllib.error
import urllib.request

import pytest

import wonda_widgets as ww
from wonda_widgets.sandbox import local_pages


@pytest.fixture
def page():
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(prompt="a lantern", model="z-image")
        post = wonda.publish.instagram(
            media_id=job.wait().media.media_id,
            instagram_account_id=wonda.accounts.instagram()[0].instagram_account_id,
        )
        yield post.wait().permalink


def test_disconnected_browser_prints_nothing(page, capsys):
    port = int(page.split(":")[2].partition("/")[0])
    server = local_pages._server
    shut = threading.Event()
    close, server.shutdown_request = server.shutdown_request, lambda it: (close(it), shut.set())
    try:
        with socket.create_connection(("127.0.0.1", port)) as browser:
            # Closing resets the connection, while the page is being read or written.
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            browser.sendall(b"GET /")
        assert shut.wait(10)
    finally:
        server.shutdown_request = close
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("number", ["1", "-1", "00", "9" * 5000, "%D9%A0"])
def test_only_images_of_the_post_are_served(page, number):
    with urllib.request.urlopen(f"{page}/0") as found:
        assert found.headers["Content-Type"] == "image/png"
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{page}/{number}")
    caught.value.close()


def test_child_does_not_use_the_parents_port_or_lock(page):
    parents = local_pages._server.socket.fileno()
    with local_pages._lock:
        child = os.fork()
        if child == 0:
            try:
                os.fstat(parents)
                os._exit(1)
            except OSError:
                os._exit(2 if local_pages._lock.locked() or local_pages._server else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with urllib.request.urlopen(page) as found:
        assert found.status == 200
