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
from wonda_widgets.cli import main
from wonda_widgets.client import connect
from wonda_widgets.http import credentials
from wonda_widgets.http.credentials import ApiKey

UNUSUAL_KEY = "nearly-a-key"
WRONG_KEY = "sk_" + "0" * 64


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
def type_at_prompt(monkeypatch):
    """Return a function that answers successive prompts and returns the prompts shown."""

    def type_in(*answers):
        prompts, remaining = [], list(answers)

        def getpass_stand_in(prompt=""):
            prompts.append(prompt)
            answer = remaining.pop(0)
            if isinstance(answer, type) and issubclass(answer, BaseException):
                raise answer(f"with {KEY}")
            return answer

        monkeypatch.setattr(getpass, "getpass", getpass_stand_in)
        return prompts

    return type_in


@pytest.fixture
def keyring_entries(monkeypatch):
    """Simulate a usable keyring, and return its entries."""
    entries = {}
    monkeypatch.setattr(
        "keyring.set_password", lambda service, name, key: entries.update({(service, name): key})
    )
    monkeypatch.setattr(
        "keyring.delete_password", lambda service, name: entries.pop((service, name))
    )
    monkeypatch.setattr("keyring.get_password", lambda service, name: entries.get((service, name)))
    monkeypatch.setattr(credentials, "keyring_state", lambda: "usable")
    return entries


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
def test_accepted_key_is_used_by_new_clients_and_not_saved(
    answer, type_at_prompt, capsys, keyring_entries, opened, settled
):
    prompts = type_at_prompt(answer)
    assert ww.connect() is None
    host = os.environ["WONDA_BASE_URL"].split("/")[2]
    assert prompts == [f"Wonda API key for {host}: "]
    assert capsys.readouterr().out == f"Connected to {host}, plan SANDBOX.\n"
    assert keyring_entries == {}
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
def test_empty_input_keeps_the_previous_key(answer, service, type_at_prompt, capsys):
    credentials.connect(ApiKey(KEY), os.environ["WONDA_BASE_URL"])
    before = credentials.saved_key()
    type_at_prompt(answer)
    ww.connect()
    assert capsys.readouterr().out == "No key was entered. Nothing was changed.\n"
    assert credentials.saved_key() == before
    assert service.faults.arrived == []


def test_interrupt_at_the_prompt_is_raised_and_stores_nothing(service, type_at_prompt):
    type_at_prompt(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        ww.connect()
    assert str(caught.value) == ""
    assert caught.value.__context__ is None
    assert credentials.saved_key() is None
    assert service.faults.arrived == []


@pytest.mark.usefixtures("service")
def test_rejected_key_is_reported_and_not_stored(type_at_prompt, keyring_entries, capsys):
    type_at_prompt(WRONG_KEY)
    with pytest.raises(ww.AuthenticationError, match="rejected and was not saved"):
        ww.connect(keyring=True)
    assert (credentials.saved_key(), keyring_entries) == (None, {})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("answer", ["sk_ä", "two words", f"{KEY} {KEY}", f"sk_{KEY}\u200bx"])
def test_invalid_key_is_not_sent(answer, service, type_at_prompt):
    type_at_prompt(answer)
    with pytest.raises(ww.InvalidInputError, match="contains characters that no key has"):
        ww.connect()
    assert service.faults.arrived == []


def test_unusual_key_is_asked_for_twice(service, type_at_prompt, capsys):
    prompts = type_at_prompt(UNUSUAL_KEY, "")
    ww.connect()
    assert prompts[1].endswith(", again: ")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("This does not look like a key")
    assert UNUSUAL_KEY not in lines[0]
    assert lines[1] == "No key was entered. Nothing was changed."
    assert service.faults.arrived == []


def test_confirmed_unusual_key_is_used(served, type_at_prompt, capsys):
    _, base_url = served(key=UNUSUAL_KEY)
    type_at_prompt(UNUSUAL_KEY, f" {UNUSUAL_KEY} ")
    ww.connect(base_url=base_url)
    assert "Connected to" in capsys.readouterr().out
    with ww.Wonda(base_url=base_url) as wonda:
        assert wonda.whoami().plan == "SANDBOX"


@pytest.mark.parametrize("fault", ["drop", 500, 403, "html"])
def test_unreachable_service_raises_and_stores_nothing(fault, service, type_at_prompt):
    service.faults.add("GET", "/auth/whoami", fault, times=3)
    type_at_prompt(KEY)
    with pytest.raises(ww.WondaError):
        ww.connect()
    assert credentials.saved_key() is None


def test_connect_does_not_send_the_key_to_a_redirect_target(service, type_at_prompt, served):
    other, other_url = served(key=KEY)
    service.faults.add("GET", "/auth/whoami", 307, headers={"Location": other_url})
    type_at_prompt(KEY)
    with pytest.raises(ww.WondaError):
        ww.connect()
    assert other.faults.arrived == []


@pytest.mark.usefixtures("service")
def test_connect_reports_a_key_in_the_environment_that_takes_precedence(
    type_at_prompt, monkeypatch, capsys
):
    monkeypatch.setenv("WONDERCAT_API_KEY", WRONG_KEY)
    type_at_prompt(KEY)
    ww.connect()
    assert "But WONDERCAT_API_KEY is set and takes precedence" in capsys.readouterr().out


@pytest.mark.parametrize(
    "address", ["http://api.example/v1", "ftp://x.example", "https://me@x.example"]
)
def test_unsafe_address_is_refused_before_the_prompt(address, type_at_prompt):
    prompts = type_at_prompt(KEY)
    with pytest.raises(ww.InvalidInputError) as caught:
        ww.connect(base_url=address)
    assert caught.value.field == "base_url"
    assert prompts == []


@pytest.mark.parametrize("failure", [NotImplementedError, OSError, RuntimeError, ValueError])
def test_failing_prompt_raises_an_error_that_names_the_variable(failure, type_at_prompt):
    type_at_prompt(failure)
    with pytest.raises(ww.InvalidInputError, match="Set the environment variable") as caught:
        ww.connect()
    assert caught.value.__context__ is None


def test_key_is_not_read_if_the_input_would_be_echoed(monkeypatch):
    read = []

    def echoing(_prompt):
        warnings.warn("Can not control echo.", getpass.GetPassWarning, stacklevel=2)
        read.append(1)
        return KEY

    monkeypatch.setattr(getpass, "getpass", echoing)
    with pytest.raises(ww.InvalidInputError, match="without showing it"):
        ww.connect()
    assert read == []


# ---------------------------------------------------------------- the keyring, the command line


@pytest.mark.usefixtures("service")
def test_key_is_saved_in_the_keyring_only_on_request(type_at_prompt, keyring_entries, capsys):
    type_at_prompt(KEY)
    ww.connect(keyring=True)
    assert "The key is saved in this computer's keyring." in capsys.readouterr().out
    assert list(keyring_entries.values()) == [KEY]
    ww.disconnect()
    assert keyring_entries == {}
    assert "was removed from the keyring" in capsys.readouterr().out


@pytest.mark.usefixtures("service")
def test_failing_keyring_is_reported_and_the_key_stays_in_memory(
    type_at_prompt, monkeypatch, capsys
):
    monkeypatch.setattr(credentials, "save_to_keyring", lambda *_: "It is locked.")
    type_at_prompt(KEY)
    ww.connect(keyring=True)
    assert "not saved: It is locked." in capsys.readouterr().out
    assert credentials.saved_key() is not None


@pytest.mark.usefixtures("service")
def test_login_saves_the_key_in_the_keyring(type_at_prompt, keyring_entries, capsys):
    type_at_prompt(KEY)
    assert main.main(["login"]) == 0
    assert "saved in this computer's keyring" in capsys.readouterr().out
    assert list(keyring_entries.values()) == [KEY]
    assert main.main(["forget", "--yes"]) == 0
    assert keyring_entries == {}


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("answer", ["", WRONG_KEY, "two words", NotImplementedError])
def test_login_without_an_accepted_key_fails_and_saves_nothing(
    answer, type_at_prompt, keyring_entries, capsys
):
    type_at_prompt(answer)
    assert main.main(["login"]) == 1
    assert (keyring_entries, credentials.saved_key()) == ({}, None)
    output = capsys.readouterr()
    assert (output.out + output.err).strip()


@pytest.mark.parametrize(
    ("state", "message"), [("missing", "pip install"), ("unusable", "no keyring")]
)
def test_login_without_a_usable_keyring_fails_before_the_prompt(
    state, message, type_at_prompt, monkeypatch, capsys
):
    prompts = type_at_prompt(KEY)
    monkeypatch.setattr(credentials, "keyring_state", lambda: state)
    assert main.main(["login"]) == 1
    assert message in capsys.readouterr().err
    assert prompts == []


SCRIPT = "import wonda_widgets as ww\nww.connect()"


def test_connect_in_a_script_without_a_terminal_raises(service):
    completed = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=KEY,
        capture_output=True,
        text=True,
        start_new_session=True,  # no terminal to fall back to
        check=False,
    )
    assert completed.returncode == 1
    assert "InvalidInputError: A key cannot be entered here without showing it." in completed.stderr
    assert KEY[3:15] not in completed.stdout + completed.stderr
    assert service.faults.arrived == []


@pytest.mark.forks
@pytest.mark.usefixtures("service")
def test_terminal_does_not_echo_the_key():
    import pty

    screen, terminal = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, start_new_session=True, **streams) as process:
        output = b""
        while b"key for" not in output:
            output += os.read(screen, 4096)
        os.write(screen, KEY.encode() + b"\n")
        while b"SANDBOX" not in output:
            output += os.read(screen, 4096)
        assert process.wait(20) == 0
    os.close(terminal)
    os.close(screen)
    assert b"Connected to" in output
    assert KEY[3:15].encode() not in output


def test_connect_does_not_import_ipywidgets():
    code = f"import sys, {connect.__name__}\nprint('ipywidgets' in sys.modules)"
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert completed.stdout == "False\n"
