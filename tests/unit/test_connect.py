"""`Connect` without a browser: letters in, traits out."""

import pytest
from conftest import KEY
from letters import letter

import wonda_widgets as ww
from wonda_widgets import credentials, runtime
from wonda_widgets.credentials import ApiKey


@pytest.fixture(autouse=True)
def _disconnected(monkeypatch, tmp_path):
    monkeypatch.setattr(credentials, "mark_path", lambda: tmp_path / "keyring")
    monkeypatch.setattr(credentials, "keyring_state", lambda: "usable")
    yield
    credentials.forget()


@pytest.fixture
def service(served, monkeypatch):
    monkeypatch.setattr("wonda_widgets.retries.FIRST_PAUSE", 0.01)
    return served(key=KEY)


@pytest.fixture
def panel(service, settled):
    made = ww.Connect(base_url=service[1])
    settled(lambda: made.keyring)
    yield made
    made.close()


def type_in(panel, text, **more):
    panel._receive(panel, {"type": "connect", **letter(panel.seal, text), **more}, [])


def test_a_good_key_is_used_by_everything_made_afterwards(panel, settled, service):
    type_in(panel, f"  {KEY}\n")
    settled(lambda: panel.state == "connected")
    assert (panel.plan, panel.error, panel.note) == ("SANDBOX", None, "")
    with ww.Wonda() as wonda:
        assert (wonda.base_url, wonda.is_sandbox) == (service[1], False)
        assert wonda.whoami().plan == "SANDBOX"
    form = ww.PromptForm()
    settled(lambda: form.state == "ready")
    assert not form.sandbox
    form.close()
    panel._receive(panel, {"type": "disconnect"}, [])
    settled(lambda: panel.state == "editing")
    assert "removed from memory" in panel.note
    with pytest.raises(ww.MissingKeyError):
        ww.Wonda()


def test_a_key_that_is_refused_is_not_kept(panel, settled, service):
    type_in(panel, "sk_" + "0" * 64)
    settled(lambda: panel.error)
    assert panel.error["title"] == "The key was refused."
    assert panel.error["field"] == ""
    assert panel.state == "editing"
    assert credentials.kept(service[1]) is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("  ", "Paste your key first."),
        ("sk_ä", "characters that no key has"),
        ("two words", "characters that no key has"),
        ("nearly", "does not look like a key"),
    ],
)
def test_what_is_no_key_is_said_at_the_input_and_not_sent(panel, settled, service, typed, said):
    type_in(panel, typed)
    settled(lambda: panel.error)
    assert said in panel.error["title"]
    assert panel.error["field"] == "api_key"
    assert panel.error["text"].endswith("Nothing was sent.")
    assert service[0].faults.arrived == []


def test_an_odd_key_is_tried_when_the_person_is_sure(panel, settled, service):
    type_in(panel, "nearly", sure=True)
    settled(lambda: panel.error)
    assert panel.error["title"] == "The key was refused."
    assert service[0].faults.arrived == [("GET", "/api/v1/auth/whoami")]


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ("drop", "The service cannot be reached."),
        (500, "The service failed."),
        (403, "This account may not do that."),
        ("html", "The answer cannot be used."),
    ],
)
def test_a_service_that_does_not_answer_is_said_to_and_nothing_kept(
    panel, settled, service, fault, title
):
    service[0].faults.add("GET", "/auth/whoami", fault, times=3)
    type_in(panel, KEY)
    settled(lambda: panel.error)
    assert panel.error["title"] == title
    assert panel.state == "editing"
    assert credentials.kept(service[1]) is None
    service[0].faults.clear()
    type_in(panel, KEY)
    settled(lambda: panel.state == "connected")
    assert panel.error is None


def test_the_environment_is_said_to_come_first(settled, service, monkeypatch):
    monkeypatch.setenv("WONDERCAT_API_KEY", KEY)
    panel = ww.Connect(base_url=service[1])
    settled(lambda: panel.keyring)
    assert panel.variable == "WONDERCAT_API_KEY"
    panel.close()


def test_the_key_is_put_into_the_keyring_only_where_that_is_ticked(panel, settled, monkeypatch):
    put = []
    monkeypatch.setattr(credentials, "remember", lambda *_: put.append(1) or "It is locked.")
    type_in(panel, KEY)
    settled(lambda: panel.state == "connected")
    assert not put
    panel._receive(panel, {"type": "disconnect"}, [])
    settled(lambda: panel.state == "editing")
    type_in(panel, KEY, keep=True)
    settled(lambda: put and panel.note)
    assert panel.note == "It was not kept for next time: It is locked."
    assert panel.state == "connected", "it is used all the same"


def test_a_later_panel_shows_the_account_that_is_used(settled, service):
    credentials.connect(ApiKey(KEY), service[1])
    again = ww.Connect(base_url=service[1])
    settled(lambda: again.state == "connected")
    assert again.plan == "SANDBOX"
    again.close()


def test_a_kept_key_that_was_revoked_is_said_to_be(settled, service):
    credentials.connect(ApiKey("sk_" + "0" * 64), service[1])
    panel = ww.Connect(base_url=service[1])
    settled(lambda: panel.note)
    assert "refused by now" in panel.note
    assert (panel.state, panel.error) == ("editing", None)
    panel.close()


@pytest.mark.parametrize(
    "address", ["http://api.example/v1", "ftp://x.example", "https://me@x.example"]
)
def test_an_address_that_would_give_the_key_away_is_refused(address):
    with pytest.raises(ww.InvalidInputError) as caught:
        ww.Connect(base_url=address)
    assert caught.value.field == "base_url"


def test_a_redirect_does_not_get_the_key(panel, settled, service, served):
    other, elsewhere = served(key=KEY)
    service[0].faults.add("GET", "/auth/whoami", 307, headers={"Location": elsewhere})
    type_in(panel, KEY)
    settled(lambda: panel.error)
    assert "must not go" in panel.error["text"]
    assert other.faults.arrived == []


def test_a_letter_is_opened_by_its_own_panel_alone(panel, service):
    other = ww.Connect(base_url=service[1])
    sent = letter(panel.seal, KEY)
    assert KEY not in str(sent)
    assert panel._seal.opened(sent).header() == f"Bearer {KEY}"
    assert other._seal.opened(sent).header() != f"Bearer {KEY}"
    other.close()


@pytest.mark.parametrize("wrong", [{}, {"half": "x", "sealed": ""}, {"half": "1", "sealed": "zz"}])
def test_a_letter_that_is_none_is_an_alert(panel, settled, wrong):
    runtime.post(lambda: panel._dispatch({"type": "connect", **wrong}))
    settled(lambda: panel.error)
    assert panel.state == "editing"


def test_closing_while_the_key_is_checked_keeps_nothing(panel, settled, service):
    service[0].faults.add("GET", "/auth/whoami", "hang")
    type_in(panel, KEY)
    settled(lambda: panel.state == "checking")
    panel.close()
    settled(lambda: not panel._tasks)
    assert credentials.kept(service[1]) is None
