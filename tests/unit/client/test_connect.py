"""`connect` with a simulated password prompt."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import warnings

import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets import credentials
from wonda_widgets.cli import main
from wonda_widgets.client import connect
from wonda_widgets.credentials import ApiKey

ODD = "nearly-a-key"
WRONG = "sk_" + "0" * 64


@pytest.fixture(autouse=True)
def _disconnected(monkeypatch, tmp_path):
    monkeypatch.setattr(credentials, "marker_path", lambda: tmp_path / "keyring")
    yield
    credentials.forget()


@pytest.fixture
def service(served, monkeypatch):
    monkeypatch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.01)
    sandbox, base_url = served(key=KEY)
    monkeypatch.setenv("WONDA_BASE_URL", base_url)
    return sandbox


@pytest.fixture
def typed(monkeypatch):
    """What is typed at one prompt after the other; gives the prompts."""

    def type_in(*answers):
        prompts, waiting = [], list(answers)

        def prompted(prompt=""):
            prompts.append(prompt)
            answer = waiting.pop(0)
            if isinstance(answer, type) and issubclass(answer, BaseException):
                raise answer(f"with {KEY}")
            return answer

        monkeypatch.setattr(getpass, "getpass", prompted)
        return prompts

    return type_in


@pytest.fixture
def put(monkeypatch):
    """What was put into a keyring that works."""
    kept = {}
    monkeypatch.setattr(
        "keyring.set_password", lambda service, name, key: kept.update({(service, name): key})
    )
    monkeypatch.setattr("keyring.delete_password", lambda service, name: kept.pop((service, name)))
    monkeypatch.setattr("keyring.get_password", lambda service, name: kept.get((service, name)))
    monkeypatch.setattr(credentials, "keyring_state", lambda: "usable")
    return kept


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    "answer",
    [
        KEY,
        f"  {KEY}\n",
        f'"{KEY}"',
        f"' {KEY} '",
        f"“{KEY}”",
        f"`{KEY}`",
        f"\u200b{KEY}\u00a0\ufeff",
    ],
)
def test_accepted_key_is_used_by_new_clients(answer, typed, capsys, put, opened, settled):
    prompts = typed(answer)
    assert ww.connect() is None
    host = os.environ["WONDA_BASE_URL"].split("/")[2]
    assert prompts == [f"Wonda API key for {host}: "]
    assert capsys.readouterr().out == f"Connected to {host}, plan SANDBOX.\n"
    assert put == {}
    with ww.Wonda() as wonda:
        assert wonda.whoami().plan == "SANDBOX"
    form = opened(ww.PromptForm())
    settled(lambda: form.state == "ready")
    assert not form.sandbox
    ww.disconnect()
    assert capsys.readouterr().out == "The key was removed from memory.\n"
    with pytest.raises(ww.MissingKeyError, match=r"ww\.connect\(\)"):
        ww.Wonda()


@pytest.mark.parametrize("answer", ["", "   ", '""', EOFError])
def test_empty_input_changes_nothing(answer, service, typed, capsys):
    credentials.connect(ApiKey(KEY), os.environ["WONDA_BASE_URL"])
    before = credentials.saved_key()
    typed(answer)
    ww.connect()
    assert capsys.readouterr().out == "No key was entered. Nothing was changed.\n"
    assert credentials.saved_key() == before
    assert service.faults.arrived == []


def test_interrupt_is_raised_and_changes_nothing(service, typed):
    typed(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        ww.connect()
    assert str(caught.value) == ""
    assert caught.value.__context__ is None
    assert credentials.saved_key() is None
    assert service.faults.arrived == []


@pytest.mark.usefixtures("service")
def test_rejected_key_is_reported_and_not_stored(typed, put, capsys):
    typed(WRONG)
    with pytest.raises(ww.AuthenticationError, match="rejected and was not saved"):
        ww.connect(keyring=True)
    assert (credentials.saved_key(), put) == (None, {})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("answer", ["sk_ä", "two words", f"{KEY} {KEY}", f"sk_{KEY}\u200bx"])
def test_invalid_key_is_not_sent(answer, service, typed):
    typed(answer)
    with pytest.raises(ww.InvalidInputError, match="contains characters that no key has"):
        ww.connect()
    assert service.faults.arrived == []


def test_unusual_key_requires_confirmation(service, typed, capsys):
    prompts = typed(ODD, "")
    ww.connect()
    assert prompts[1].endswith(", again: ")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("This does not look like a key")
    assert ODD not in said[0]
    assert said[1] == "No key was entered. Nothing was changed."
    assert service.faults.arrived == []


def test_confirmed_unusual_key_is_used(served, typed, capsys):
    _, base_url = served(key=ODD)
    typed(ODD, f" {ODD} ")
    ww.connect(base_url=base_url)
    assert "Connected to" in capsys.readouterr().out
    with ww.Wonda(base_url=base_url) as wonda:
        assert wonda.whoami().plan == "SANDBOX"


@pytest.mark.parametrize("fault", ["drop", 500, 403, "html"])
def test_unreachable_service_raises_and_stores_nothing(fault, service, typed):
    service.faults.add("GET", "/auth/whoami", fault, times=3)
    typed(KEY)
    with pytest.raises(ww.WondaError):
        ww.connect()
    assert credentials.saved_key() is None


def test_redirect_does_not_receive_the_key(service, typed, served):
    other, elsewhere = served(key=KEY)
    service.faults.add("GET", "/auth/whoami", 307, headers={"Location": elsewhere})
    typed(KEY)
    with pytest.raises(ww.WondaError):
        ww.connect()
    assert other.faults.arrived == []


@pytest.mark.usefixtures("service")
def test_message_says_that_the_environment_takes_precedence(typed, monkeypatch, capsys):
    monkeypatch.setenv("WONDERCAT_API_KEY", WRONG)
    typed(KEY)
    ww.connect()
    assert "But WONDERCAT_API_KEY is set and takes precedence" in capsys.readouterr().out


@pytest.mark.parametrize(
    "address", ["http://api.example/v1", "ftp://x.example", "https://me@x.example"]
)
def test_unsafe_address_is_refused_before_the_prompt(address, typed):
    prompts = typed(KEY)
    with pytest.raises(ww.InvalidInputError) as caught:
        ww.connect(base_url=address)
    assert caught.value.field == "base_url"
    assert prompts == []


@pytest.mark.parametrize("failure", [NotImplementedError, OSError, RuntimeError, ValueError])
def test_without_a_prompt_the_error_says_what_to_do(failure, typed):
    typed(failure)
    with pytest.raises(ww.InvalidInputError, match="Set the environment variable") as caught:
        ww.connect()
    assert caught.value.__context__ is None


def test_no_prompt_if_input_would_be_echoed(monkeypatch):
    asked = []

    def echoing(_prompt):
        warnings.warn("Can not control echo.", getpass.GetPassWarning, stacklevel=2)
        asked.append(1)
        return KEY

    monkeypatch.setattr(getpass, "getpass", echoing)
    with pytest.raises(ww.InvalidInputError, match="without showing it"):
        ww.connect()
    assert asked == []


# ---------------------------------------------------------------- the keyring, the command line


@pytest.mark.usefixtures("service")
def test_key_is_saved_in_the_keyring_only_on_request(typed, put, capsys):
    typed(KEY)
    ww.connect(keyring=True)
    assert "The key is saved in this computer's keyring." in capsys.readouterr().out
    assert list(put.values()) == [KEY]
    ww.disconnect()
    assert put == {}
    assert "was removed from the keyring" in capsys.readouterr().out


@pytest.mark.usefixtures("service")
def test_failing_keyring_is_reported_and_the_key_is_used(typed, monkeypatch, capsys):
    monkeypatch.setattr(credentials, "save_to_keyring", lambda *_: "It is locked.")
    typed(KEY)
    ww.connect(keyring=True)
    assert "not saved: It is locked." in capsys.readouterr().out
    assert credentials.saved_key() is not None


@pytest.mark.usefixtures("service")
def test_login_saves_the_key_in_the_keyring(typed, put, capsys):
    typed(KEY)
    assert main.main(["login"]) == 0
    assert "saved in this computer's keyring" in capsys.readouterr().out
    assert list(put.values()) == [KEY]
    assert main.main(["forget", "--yes"]) == 0
    assert put == {}


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("answer", ["", WRONG, "two words", NotImplementedError])
def test_login_fails_with_a_rejected_key(answer, typed, put, capsys):
    typed(answer)
    assert main.main(["login"]) == 1
    assert (put, credentials.saved_key()) == ({}, None)
    told = capsys.readouterr()
    assert (told.out + told.err).strip()


@pytest.mark.parametrize(
    ("state", "said"), [("missing", "pip install"), ("unusable", "no keyring")]
)
def test_login_reports_a_missing_keyring_first(state, said, typed, monkeypatch, capsys):
    prompts = typed(KEY)
    monkeypatch.setattr(credentials, "keyring_state", lambda: state)
    assert main.main(["login"]) == 1
    assert said in capsys.readouterr().err
    assert prompts == []


CONNECT = "import wonda_widgets as ww\nww.connect()"


def test_script_without_a_terminal_is_refused(service):
    done = subprocess.run(
        [sys.executable, "-c", CONNECT],
        input=KEY,
        capture_output=True,
        text=True,
        start_new_session=True,  # no terminal to fall back to
        check=False,
    )
    assert done.returncode == 1
    assert "InvalidInputError: A key cannot be entered here without showing it." in done.stderr
    assert KEY[3:15] not in done.stdout + done.stderr
    assert service.faults.arrived == []


@pytest.mark.forks
@pytest.mark.usefixtures("service")
def test_terminal_does_not_echo_the_key():
    import pty

    screen, terminal = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    command = [sys.executable, "-c", CONNECT]
    with subprocess.Popen(command, start_new_session=True, **streams) as process:
        shown = b""
        while b"key for" not in shown:
            shown += os.read(screen, 4096)
        os.write(screen, KEY.encode() + b"\n")
        while b"SANDBOX" not in shown:
            shown += os.read(screen, 4096)
        assert process.wait(20) == 0
    os.close(terminal)
    os.close(screen)
    assert b"Connected to" in shown
    assert KEY[3:15].encode() not in shown


def test_connect_needs_no_widgets():
    code = f"import sys, {connect.__name__}\nprint('ipywidgets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
