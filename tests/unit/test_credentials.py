import pickle
import warnings

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets import credentials
from wonda_widgets.client import selection
from wonda_widgets.credentials import ApiKey

HOME = "https://api.example/api/v1"
OTHER = "sk_" + "b" * 64


class Backend:
    """A keyring in memory, that can be told to refuse."""

    def __init__(self):
        self.kept = {}
        self.asked = 0
        self.refusal = None
        self.priority = 5

    def _ask(self):
        self.asked += 1
        if self.refusal:
            raise self.refusal

    def get_password(self, service, name):
        self._ask()
        return self.kept.get((service, name))

    def set_password(self, service, name, password):
        self._ask()
        self.kept[service, name] = password

    def delete_password(self, service, name):
        self._ask()
        del self.kept[service, name]


@pytest.fixture(autouse=True)
def backend(monkeypatch, tmp_path):
    made = Backend()
    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(f"keyring.{name}", getattr(made, name))
    monkeypatch.setattr("keyring.get_keyring", lambda: made)
    monkeypatch.setattr(credentials, "marker_path", lambda: tmp_path / "config" / "keyring")
    yield made
    made.refusal = None
    credentials.forget()


def new_process():
    credentials._connected = None


def shown(make=ww.Wonda, **options):
    """The key and the address that a client's request has."""
    seen = []

    def answer(request):
        seen.append((request.headers["Authorization"].removeprefix("Bearer "), str(request.url)))
        return httpx.Response(200, json={})

    with make(transport=httpx.MockTransport(answer), **options) as wonda:
        wonda.whoami()
    return seen[0]


def test_order_of_precedence_of_keys(monkeypatch):
    assert not selection.has_key()
    credentials.connect(ApiKey(KEY), HOME)
    assert selection.has_key()
    assert shown() == (KEY, f"{HOME}/auth/whoami")
    assert not selection.default().is_sandbox
    monkeypatch.setenv("WONDERCAT_API_KEY", OTHER)
    assert shown(base_url=HOME)[0] == OTHER
    assert shown(api_key=KEY, base_url=HOME)[0] == KEY
    monkeypatch.delenv("WONDERCAT_API_KEY")
    assert credentials.forget() == ["The key was removed from memory."]
    assert selection.default().is_sandbox
    assert credentials.forget() == ["No key was saved."]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://api.example:8443/api/v1",
        "https://other.example/api/v1",
        "https://api.example.other.example/api/v1",
        "http://127.0.0.1:9/api/v1",
        "nonsense",
    ],
)
def test_stored_key_is_sent_only_to_its_origin(elsewhere, backend, monkeypatch):
    assert credentials.save_to_keyring(ApiKey(KEY), HOME) == ""
    for _ in ("from the keyring", "from memory"):
        with pytest.raises(ww.MissingKeyError):
            ww.Wonda(base_url=elsewhere)
        with monkeypatch.context() as environment:
            environment.setenv("WONDA_BASE_URL", elsewhere)
            assert not selection.has_key()
        credentials.connect(ApiKey(KEY), HOME)
    assert backend.asked == 1, "the keyring is not asked in vain"
    assert shown(base_url="https://API.example:443/other")[1].startswith("https://api.example/")


def test_keyring_is_read_only_if_a_key_was_saved(backend):
    assert not selection.has_key()
    with pytest.raises(ww.MissingKeyError, match=r"ww\.connect\(\)"):
        ww.Wonda()
    assert backend.asked == 0
    assert credentials.save_to_keyring(ApiKey(KEY), HOME) == ""
    assert backend.kept == {("wonda-widgets", "https://api.example"): KEY}
    assert KEY[5:15] not in credentials.marker_path().read_text()
    new_process()
    backend.asked = 0
    assert shown() == (KEY, f"{HOME}/auth/whoami")
    assert shown()[0] == KEY
    assert backend.asked == 1, "it is asked once a process"
    assert credentials.forget() == [
        "The key was removed from memory.",
        "The key for https://api.example was removed from the keyring.",
    ]
    assert (backend.kept, credentials.marker_path().exists()) == ({}, False)
    assert not selection.has_key()


def test_keyring_holds_one_key(backend):
    credentials.save_to_keyring(ApiKey(KEY), HOME)
    credentials.save_to_keyring(ApiKey(OTHER), "https://second.example/api/v1")
    assert backend.kept == {("wonda-widgets", "https://second.example"): OTHER}


@pytest.mark.parametrize("refusal", [RuntimeError(KEY), OSError(13, "Permission denied")])
def test_failing_keyring_is_reported(backend, refusal):
    backend.refusal = refusal
    said = credentials.save_to_keyring(ApiKey(KEY), HOME)
    assert said.endswith(".")
    assert KEY not in said
    assert not credentials.marker_path().exists()
    backend.refusal = None
    credentials.save_to_keyring(ApiKey(KEY), HOME)
    backend.refusal = refusal
    with pytest.warns(UserWarning, match="Your saved key is not used: ") as caught:
        assert selection.default().is_sandbox
    assert KEY not in str(caught[0].message)
    (said,) = credentials.forget()
    assert said.startswith("The key is still in the keyring: ")
    assert credentials.marker_path().exists(), "so that it can be tried again"


def test_key_removed_elsewhere_is_no_error(backend):
    credentials.save_to_keyring(ApiKey(KEY), HOME)
    backend.kept.clear()
    assert not selection.has_key()
    assert credentials.forget() == ["The key for https://api.example was removed from the keyring."]


def test_interrupted_keyring_does_not_expose_the_key(backend):
    backend.refusal = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as caught:
        credentials.save_to_keyring(ApiKey(KEY), HOME)
    frames, names = caught.tb, set()
    while frames:
        names |= set(frames.tb_frame.f_locals)
        frames = frames.tb_next
    assert "password" not in names
    assert caught.value.__context__ is None


def test_missing_keyring_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    assert "pip install keyring" in credentials.save_to_keyring(ApiKey(KEY), HOME)
    monkeypatch.setattr(credentials, "find_spec", lambda _: None)
    assert credentials.keyring_state() == "missing"


def test_null_keyring_is_unusable(backend):
    assert credentials.keyring_state() == "usable"
    backend.priority = 0
    assert credentials.keyring_state() == "unusable"


@pytest.mark.parametrize("odd", [5, b"sk_x", ["sk_x"], "sk x", "sk_ü", "\ud800", "sk_\nx"])
def test_invalid_key_fails_on_validation(odd):
    key = ApiKey(odd)
    with pytest.raises(ww.InvalidInputError) as caught:
        key.validate()
    assert caught.value.field == "api_key"
    with pytest.raises(ww.InvalidInputError):
        ww.Wonda(odd)


def test_key_has_no_repr_and_no_pickle():
    key = ApiKey(f"  {KEY}\n")
    assert key.header() == f"Bearer {KEY}"
    assert (repr(key), str(key)) == ("ApiKey(…)", "ApiKey(…)")
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)


def test_key_warning_shows_no_source_line():
    with pytest.warns(UserWarning, match="does not look like one") as caught:
        ww.Wonda("sk_nearly")
    shown = warnings.formatwarning(
        str(caught[0].message), UserWarning, caught[0].filename, caught[0].lineno
    )
    assert "nearly" not in shown
