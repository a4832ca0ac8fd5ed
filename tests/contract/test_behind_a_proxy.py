"""Access through a proxy or with a private certificate; all on loopback."""

import asyncio
import contextlib
import datetime as dt
import re
import socket
import ssl
import struct
import threading

import pytest
from conftest import KEY
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import wonda_widgets as ww
from wonda_widgets.http.credentials import ApiKey
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop

BASE = "https://api.example/api/v1"
PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def issued(subject, issuer, issuer_key, *, ca, until=2):
    """A certificate as RFC 5280 wants it: Python 3.13 takes no other."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=until))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if ca:
        signs = x509.KeyUsage(
            **dict.fromkeys(
                ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
                False,
            ),
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        made = made.add_extension(signs, critical=True)
    else:
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        made = made.add_extension(by, critical=False)
    return made.sign(issuer_key or key, hashes.SHA256()), key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A root certificate, and a function that issues others."""
    folder = tmp_path_factory.mktemp("certificates")
    root, root_key = issued("Test root", None, None, ca=True)
    file = folder / "root.pem"
    file.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def context(host, **how):
        made, key = issued(host, root, root_key, ca=False, **how)
        both = folder / f"{host}{len(list(folder.iterdir()))}.pem"
        both.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        found.load_cert_chain(both)
        return found

    return file, context


class Listener:
    """Gives each connection to a function, on a thread of its own."""

    def __init__(self, serve):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heads = []
        self._serve = serve
        self._open = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), connection:
            self._serve(self, connection)

    def head(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                raise OSError("cut")
            data += more
        self.heads.append(data)
        head, _, body = data.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        while found and len(body) < int(found[1]):  # closing with it unread would be a reset
            body += connection.recv(65536) or bytes(65536)

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def listen():
    made = []

    def start(serve):
        made.append(Listener(serve))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in PROXY_NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client():
    made = []

    def make(base_url=BASE, timeout=5.0):
        async def no_sleep(_seconds):
            await asyncio.sleep(0)

        made.append(Transport(ApiKey(KEY), base_url, timeout, sleep=no_sleep))
        return made[-1]

    yield make
    for each in made:
        event_loop.run_blocking(each.aclose())


def posted(transport):
    return event_loop.run_blocking(
        transport.post("/x", "test", "Look there.", body={"prompt": "a"})
    )


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def says(answer, then=lambda _connection: None):
    def serve(listener, connection):
        listener.head(connection)
        connection.sendall(answer)
        then(connection)

    return serve


def waits(connection):
    while connection.recv(65536):
        pass


TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
MISBEHAVES = {
    "closes at once": lambda _listener, _connection: None,
    "resets at once": lambda _listener, connection: reset(connection),
    "says nothing": lambda _listener, connection: waits(connection),
    "closes after CONNECT": says(b""),
    "resets after CONNECT": says(b"", reset),
    "takes CONNECT and says nothing": says(b"", waits),
    "half a reply": says(b"HTTP/1.1 200 Conn"),
    "half a reply and silence": says(b"HTTP/1.1 200 Conn", waits),
    "no HTTP": says(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "a reply that is too long": says(b"HTTP/1.1 200 OK\r\n" + b"a: " + b"x" * 200_000),
    "a redirect": says(b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"),
    "401": says(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
    "403 with a page": says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!!"),
    "407": says(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
    "429": says(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\n\r\n"),
    "500": says(b"HTTP/1.1 500 Oops\r\n\r\n"),
    "502": says(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
    "504": says(b"HTTP/1.0 504 \r\n\r\n"),
    "a tunnel that is closed": says(TUNNEL),
    "a tunnel that is reset": says(TUNNEL, reset),
    "a tunnel to nowhere": says(TUNNEL, waits),
    "a tunnel to no TLS": says(TUNNEL + b"220 mail.example ESMTP\r\n", waits),
    "half a handshake": says(TUNNEL + b"\x16\x03\x03\x00\x7a\x02"),
}


@pytest.mark.parametrize("how", MISBEHAVES.values(), ids=MISBEHAVES)
def test_proxy_failure_before_the_request_means_nothing_was_sent(monkeypatch, listen, client, how):
    proxy = listen(how)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{proxy.port}")
    with pytest.raises(ww.ServiceUnreachableError, match=r"Nothing was sent\.") as caught:
        posted(client(timeout=0.3))
    assert caught.value.sent is False
    assert "secret" not in str(caught.value)
    assert all(head.startswith(b"CONNECT ") for head in proxy.heads)
    assert all(KEY.encode() not in head for head in proxy.heads)


def test_proxy_that_requires_a_password_is_named(monkeypatch, listen, client):
    proxy = listen(MISBEHAVES["407"])
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(ww.ServiceUnreachableError, match=r"HTTP 407.*HTTPS_PROXY"):
        posted(client())


def pump(a, b):
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
    for each in (a, b):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def tunnel(port):
    def serve(listener, connection):
        listener.head(connection)
        with socket.create_connection(("127.0.0.1", port)) as there:
            connection.sendall(TUNNEL)
            back = threading.Thread(target=pump, args=(there, connection), daemon=True)
            back.start()
            pump(connection, there)
            back.join(5)

    return serve


def tls(context, answer):
    def serve(listener, connection):
        with context.wrap_socket(connection, server_side=True) as secured:
            listener.head(secured)
            secured.sendall(answer)

    return serve


FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def test_post_through_a_proxy_arrives(monkeypatch, listen, client, authority):
    root, context = authority
    service = listen(tls(context("api.example"), FINE))
    proxy = listen(tunnel(service.port))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    assert posted(client()) == {}
    assert len(service.heads) == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_loss_inside_the_tunnel_is_an_unknown_outcome(
    monkeypatch, listen, client, authority, answer
):
    root, context = authority
    service = listen(tls(context("api.example"), answer))
    proxy = listen(tunnel(service.port))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    with pytest.raises(ww.OutcomeUnknownError):
        posted(client())
    assert len(service.heads) == 1


@pytest.mark.parametrize("how", ["closes after CONNECT", "half a reply", "502", "504"])
def test_loss_behind_a_forwarding_proxy_is_an_unknown_outcome(monkeypatch, listen, client, how):
    proxy = listen(MISBEHAVES[how])
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(ww.OutcomeUnknownError):
        posted(client("http://api.example/api/v1"))
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(b"POST http://api.example/api/v1/x ")


# ---------------------------------------------------------------- certificates


def test_private_root_certificate_error_says_what_to_set(listen, client, authority):
    _, context = authority
    service = listen(tls(context("localhost"), FINE))
    with pytest.raises(ww.ServiceUnreachableError, match=r"certificate.*SSL_CERT_FILE.*PEM") as e:
        posted(client(f"https://localhost:{service.port}/api/v1"))
    assert e.value.sent is False
    assert service.heads == []


def test_configured_private_root_certificate_is_used(monkeypatch, listen, client, authority):
    root, context = authority
    service = listen(tls(context("localhost"), FINE))
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    assert posted(client(f"https://localhost:{service.port}/api/v1")) == {}


@pytest.mark.parametrize(
    ("host", "until", "advice"),
    [("localhost", -1, "date and time"), ("other.example", 2, "another host")],
)
def test_invalid_certificate_is_explained(
    monkeypatch, listen, client, authority, host, until, advice
):
    root, context = authority
    service = listen(tls(context(host, until=until), FINE))
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    with pytest.raises(ww.ServiceUnreachableError, match=advice) as caught:
        posted(client(f"https://localhost:{service.port}/api/v1"))
    assert str(root) in str(caught.value)


def test_download_certificate_error_says_what_to_set(listen, client, authority):
    _, context = authority
    service = listen(tls(context("localhost"), FINE))
    with pytest.raises(ww.ServiceUnreachableError, match="SSL_CERT_FILE"):
        event_loop.run_blocking(
            client("http://127.0.0.1:9/api").download(f"https://localhost:{service.port}")
        )
