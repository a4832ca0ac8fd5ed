"""Proxy and certificate settings of the environment that cannot be used."""

import asyncio
import os
import re

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.cli import main
from wonda_widgets.http import network_settings
from wonda_widgets.http.credentials import ApiKey
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop

BASE = "https://api.example/api/v1"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WONDA_JOURNAL", str(tmp_path / "journal.db"))
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    monkeypatch.setenv("WONDA_BASE_URL", BASE)


def write_certificates(folder):
    (folder / "empty.pem").touch()
    (folder / "words.pem").write_text("These are not certificates.")
    (folder / "binary.der").write_bytes(b"\x30\x82\x03\x0f\x00")
    (folder / "cut.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n")
    return folder


@pytest.mark.parametrize(
    "name", ["gone.pem", "empty.pem", "words.pem", "binary.der", "cut.pem", ".", "\N{SNOWMAN}.pem"]
)
@pytest.mark.parametrize("call", ["whoami", "capabilities", "generate"])
def test_error_names_an_unreadable_certificate_file(monkeypatch, tmp_path, name, call):
    file = str(write_certificates(tmp_path) / name)
    monkeypatch.setenv("SSL_CERT_FILE", file)
    with ww.Wonda() as wonda:
        calls = {
            "whoami": wonda.whoami,
            "capabilities": wonda.capabilities,
            "generate": lambda: wonda.images.generate(model="nano-banana-2", prompt="A harbor"),
        }
        with pytest.raises(ww.NetworkSettingsError) as caught:
            calls[call]()
    assert file in str(caught.value)
    assert "SSL_CERT_FILE" in str(caught.value)
    assert isinstance(caught.value, ww.ServiceUnreachableError)
    assert caught.value.sent is False


def settings_error(monkeypatch, **values):
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    transport = Transport(ApiKey(KEY), BASE, 1.0)
    try:
        with pytest.raises(ww.NetworkSettingsError) as caught:
            event_loop.run_blocking(transport.post("/x", "test", "Look there.", body={}))
    finally:
        event_loop.run_blocking(transport.aclose())
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_error_names_an_invalid_certificate_setting(monkeypatch, tmp_path):
    gone = str(tmp_path / "gone")
    assert f"SSL_CERT_DIR is {gone}" in settings_error(monkeypatch, SSL_CERT_DIR=gone)
    monkeypatch.delenv("SSL_CERT_DIR")
    log = str(tmp_path / "gone" / "keys")
    assert f"SSLKEYLOGFILE is {log}" in settings_error(monkeypatch, SSLKEYLOGFILE=log)


def test_missing_built_in_certificates_raise_a_package_error(monkeypatch):
    monkeypatch.setattr("certifi.where", lambda: "/gone/cacert.pem")
    assert "certifi" in settings_error(monkeypatch)


UNUSABLE_PROXIES = [
    "socks5://127.0.0.1:1080",
    "socks5h://127.0.0.1:1080",
    "socks://127.0.0.1:1080/",
    "socks4://127.0.0.1:1080",
    "SOCKS://127.0.0.1:1080",
    "ftp://127.0.0.1",
    "http://h:notaport",
    "http://h:99999",
    "http://h:0",
    "http://",
    "http:///",
    "http://[::1",
    "http://two words:80",
    "http://\N{EURO SIGN}\u2024:80",
    "://",
]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("proxy", UNUSABLE_PROXIES)
def test_error_names_the_variable_of_an_unusable_proxy(monkeypatch, name, proxy):
    monkeypatch.setattr(network_settings, "find_spec", lambda _: None)
    message = settings_error(monkeypatch, **{name: proxy})
    assert message.startswith(name)
    assert "unset" in message


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://user:sesame@h:1080",
        "http://user:sesame@h:notaport",
        "http://user:sesame",
        "http://user:se@same:x",
        "http://user:1#sesame@h:80",
        "http://user:1/sesame@h:80",
        "http://user:1?sesame@h:80",
        "socks://sesame:@h",
        "user:sesame@h:notaport",
        "ftp://user:sesame@[::1",
    ],
)
def test_proxy_password_is_never_shown(monkeypatch, capsys, proxy):
    monkeypatch.setattr(network_settings, "find_spec", lambda _: None)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    main.main(["doctor"])
    printed = capsys.readouterr().out
    assert "sesame" not in printed
    url = proxy if "://" in proxy else f"http://{proxy}"
    is_usable = network_settings.proxy_problem("https", url) is None
    assert ("HTTPS_PROXY" in printed) != is_usable
    if not is_usable:
        message = settings_error(monkeypatch, HTTPS_PROXY=proxy)
        assert "HTTPS_PROXY" in message
        assert "sesame" not in message


def test_unusable_proxy_that_no_request_uses_is_ignored(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1080/")  # set by some desktop environments
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    transport = Transport(ApiKey(KEY), BASE, 1.0, sleep=lambda _: asyncio.sleep(0))
    with pytest.raises(ww.ServiceUnreachableError, match="connection refused") as caught:
        event_loop.run_blocking(transport.get("/x"))
    assert not isinstance(caught.value, ww.NetworkSettingsError)
    event_loop.run_blocking(transport.aclose())


NO_PROXY = {
    "[::1]": "http://[::1]:9/",
    "[::1]:9": "http://[::1]:9/",
    "::1": "http://[::1]:9/",
    "localhost:*": "https://localhost:8/",
    "*.corp.example": "https://a.corp.example/",
    "api.example:*": "https://api.example:8443/",
    "fe80::/10": None,
    "[fe80::]/10": None,
    "\x7f": None,
    "a b": None,
    "://": None,
    "http://[": None,
    "x:port": None,
    ",,": None,
    "[": None,
    "fe80::1%eth0": None,
}


@pytest.mark.parametrize(("entry", "direct_url"), NO_PROXY.items())
def test_no_proxy_entries_are_parsed_or_ignored(monkeypatch, entry, direct_url):
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", f"{entry},kept.example")
    mounts = network_settings.mounts(lambda _: httpx.AsyncHTTPTransport())
    client = httpx.AsyncClient(mounts=mounts, trust_env=False)
    direct_transport = client._transport
    assert client._transport_for_url(httpx.URL("https://kept.example/")) is direct_transport
    assert (
        client._transport_for_url(httpx.URL("https://elsewhere.example/")) is not direct_transport
    )
    if direct_url is not None:
        assert client._transport_for_url(httpx.URL(direct_url)) is direct_transport
    asyncio.run(client.aclose())


@pytest.mark.parametrize(
    "values",
    [
        {"SSL_CERT_FILE": "/gone.pem"},
        {"SSL_CERT_DIR": "/gone"},
        {"ALL_PROXY": "socks://127.0.0.1:1080/"},
        {"HTTPS_PROXY": "http://h:notaport", "SSL_CERT_FILE": os.devnull},
        {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "[::1],fe80::/10,localhost:*"},
    ],
    ids=str,
)
@pytest.mark.parametrize("with_key", [True, False])
def test_doctor_reports_network_settings_and_continues(monkeypatch, capsys, values, with_key):
    monkeypatch.setattr(
        "wonda_widgets.http.retries.wait_before_retry", lambda *_: asyncio.sleep(0, result=False)
    )
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    if not with_key:
        monkeypatch.delenv("WONDA_API_KEY")
        monkeypatch.setattr("wonda_widgets.http.credentials.saved_key", lambda *_: None)
    status = main.main(["doctor"])
    printed = capsys.readouterr()
    for name in values:
        assert (name in printed.out) == ("NO_PROXY" not in values)
    assert re.search(r"^Service$", printed.out, re.MULTILINE)
    assert "Traceback" not in printed.err
    assert status == (1 if with_key or "NO_PROXY" not in values else 0)


def test_corrected_setting_is_used_by_the_next_request(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/gone.pem")
    transport = Transport(
        ApiKey(KEY), "https://localhost:1/api", 1.0, sleep=lambda _: asyncio.sleep(0)
    )
    with pytest.raises(ww.NetworkSettingsError):
        event_loop.run_blocking(transport.get("/x"))
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ww.ServiceUnreachableError, match="connection refused"):
        event_loop.run_blocking(transport.get("/x"))
    event_loop.run_blocking(transport.aclose())
