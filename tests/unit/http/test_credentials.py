"""API keys: their order of precedence, the keyring, and redaction."""

import pickle
import warnings

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.client import selection
from wonda_widgets.http import credentials
from wonda_widgets.http.credentials import ApiKey

BASE_URL = "https://api.example/api/v1"
OTHER_KEY = "sk_" + "b" * 64


class FakeKeyring:
    """Simulate a keyring in memory; every call raises `error` if it is set."""

    def __init__(self):
        self.entries = {}
        self.calls = 0
        self.error = None
        self.priority = 5

    def _record_call(self):
        self.calls += 1
        if self.error:
            raise self.error

    def get_password(self, service, name):
        self._record_call()
        return self.entries.get((service, name))

    def set_password(self, service, name, password):
        self._record_call()
        self.entries[service, name] = password

    def delete_password(self, service, name):
        self._record_call()
        del self.entries[service, name]


@pytest.fixture(autouse=True)
def backend(monkeypatch, tmp_path):
    keyring = FakeKeyring()
    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(f"keyring.{name}", getattr(keyring, name))
    monkeypatch.setattr("keyring.get_keyring", lambda: keyring)
    monkeypatch.setattr(credentials, "marker_path", lambda: tmp_path / "config" / "keyring")
    yield keyring
    keyring.error = None
    credentials.forget()


def new_process():
    credentials._connected = None


def key_and_url(client_class=ww.Wonda, **options):
    """Return the key and the URL of a client's request."""
    requests = []

    def respond(request):
        requests.append(
            (request.headers["Authorization"].removeprefix("Bearer "), str(request.url))
        )
        return httpx.Response(200, json={})

    with client_class(transport=httpx.MockTransport(respond), **options) as wonda:
        wonda.whoami()
    return requests[0]


def test_argument_environment_and_connected_key_have_an_order_of_precedence(monkeypatch):
    assert not selection.has_key()
    credentials.connect(ApiKey(KEY), BASE_URL)
    assert selection.has_key()
    assert key_and_url() == (KEY, f"{BASE_URL}/auth/whoami")
    assert not selection.default().is_sandbox
    monkeypatch.setenv("WONDERCAT_API_KEY", OTHER_KEY)
    assert key_and_url(base_url=BASE_URL)[0] == OTHER_KEY
    assert key_and_url(api_key=KEY, base_url=BASE_URL)[0] == KEY
    monkeypatch.delenv("WONDERCAT_API_KEY")
    assert credentials.forget() == ["The key was removed from memory."]
    assert selection.default().is_sandbox
    assert credentials.forget() == ["No key was saved."]


@pytest.mark.parametrize(
    "other_url",
    [
        "https://api.example:8443/api/v1",
        "https://other.example/api/v1",
        "https://api.example.other.example/api/v1",
        "http://127.0.0.1:9/api/v1",
        "nonsense",
    ],
)
def test_stored_key_is_sent_only_to_its_origin(other_url, backend, monkeypatch):
    assert credentials.save_to_keyring(ApiKey(KEY), BASE_URL) == ""
    for _ in ("from the keyring", "from memory"):
        with pytest.raises(ww.MissingKeyError):
            ww.Wonda(base_url=other_url)
        with monkeypatch.context() as environment:
            environment.setenv("WONDA_BASE_URL", other_url)
            assert not selection.has_key()
        credentials.connect(ApiKey(KEY), BASE_URL)
    assert backend.calls == 1, "the keyring is read only for the origin of its key"
    assert key_and_url(base_url="https://API.example:443/other")[1].startswith(
        "https://api.example/"
    )


def test_keyring_is_read_only_if_a_key_was_saved(backend):
    assert not selection.has_key()
    with pytest.raises(ww.MissingKeyError, match=r"ww\.connect\(\)"):
        ww.Wonda()
    assert backend.calls == 0
    assert credentials.save_to_keyring(ApiKey(KEY), BASE_URL) == ""
    assert backend.entries == {("wonda-widgets", "https://api.example"): KEY}
    assert KEY[5:15] not in credentials.marker_path().read_text()
    new_process()
    backend.calls = 0
    assert key_and_url() == (KEY, f"{BASE_URL}/auth/whoami")
    assert key_and_url()[0] == KEY
    assert backend.calls == 1, "the keyring is read once per process"
    assert credentials.forget() == [
        "The key was removed from memory.",
        "The key for https://api.example was removed from the keyring.",
    ]
    assert (backend.entries, credentials.marker_path().exists()) == ({}, False)
    assert not selection.has_key()


def test_saving_a_key_replaces_the_one_in_the_keyring(backend):
    credentials.save_to_keyring(ApiKey(KEY), BASE_URL)
    credentials.save_to_keyring(ApiKey(OTHER_KEY), "https://second.example/api/v1")
    assert backend.entries == {("wonda-widgets", "https://second.example"): OTHER_KEY}


@pytest.mark.parametrize("error", [RuntimeError(KEY), OSError(13, "Permission denied")])
def test_failing_keyring_is_reported_without_the_key(backend, error):
    backend.error = error
    message = credentials.save_to_keyring(ApiKey(KEY), BASE_URL)
    assert message.endswith(".")
    assert KEY not in message
    assert not credentials.marker_path().exists()
    backend.error = None
    credentials.save_to_keyring(ApiKey(KEY), BASE_URL)
    backend.error = error
    with pytest.warns(UserWarning, match="Your saved key is not used: ") as caught:
        assert selection.default().is_sandbox
    assert KEY not in str(caught[0].message)
    (message,) = credentials.forget()
    assert message.startswith("The key is still in the keyring: ")
    assert credentials.marker_path().exists(), "the removal can be tried again"


def test_key_missing_from_the_keyring_is_not_an_error(backend):
    credentials.save_to_keyring(ApiKey(KEY), BASE_URL)
    backend.entries.clear()
    assert not selection.has_key()
    assert credentials.forget() == ["The key for https://api.example was removed from the keyring."]


def test_traceback_of_an_interrupted_keyring_does_not_contain_the_key(backend):
    backend.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as caught:
        credentials.save_to_keyring(ApiKey(KEY), BASE_URL)
    frames, names = caught.tb, set()
    while frames:
        names |= set(frames.tb_frame.f_locals)
        frames = frames.tb_next
    assert "password" not in names
    assert caught.value.__context__ is None


def test_missing_keyring_package_is_reported_with_an_install_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    assert "pip install keyring" in credentials.save_to_keyring(ApiKey(KEY), BASE_URL)
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)
    assert credentials.keyring_state() == "missing"


def test_keyring_with_priority_0_is_unusable(backend):
    assert credentials.keyring_state() == "usable"
    backend.priority = 0
    assert credentials.keyring_state() == "unusable"


@pytest.mark.parametrize("value", [5, b"sk_x", ["sk_x"], "sk x", "sk_ü", "\ud800", "sk_\nx"])
def test_invalid_key_fails_on_validation(value):
    key = ApiKey(value)
    with pytest.raises(ww.InvalidInputError) as caught:
        key.validate()
    assert caught.value.field == "api_key"
    with pytest.raises(ww.InvalidInputError):
        ww.Wonda(value)


def test_key_has_no_repr_and_no_pickle():
    key = ApiKey(f"  {KEY}\n")
    assert key.header() == f"Bearer {KEY}"
    assert (repr(key), str(key)) == ("ApiKey(…)", "ApiKey(…)")
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)


def test_key_warning_shows_no_source_line():
    with pytest.warns(UserWarning, match="does not look like one") as caught:
        ww.Wonda("sk_nearly")
    formatted = warnings.formatwarning(
        str(caught[0].message), UserWarning, caught[0].filename, caught[0].lineno
    )
    assert "nearly" not in formatted
