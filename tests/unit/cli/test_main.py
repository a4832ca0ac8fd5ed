"""The commands `demo`, `doctor`, `forget` and `sandbox`."""

import os
import subprocess
import sys

import pytest
from conftest import KEY

from wonda_widgets.cli import demo, main
from wonda_widgets.journal.journal import Journal


def test_doctor_reports_versions_and_never_the_key(capsys, monkeypatch, served):
    assert main.main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert "supported" in output
    assert "sandbox" in output
    _, base_url = served()
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    monkeypatch.setenv("WONDA_BASE_URL", base_url)
    assert main.main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert "yes, plan SANDBOX" in output
    assert KEY[:15] not in output
    monkeypatch.setenv("WONDA_BASE_URL", "http://127.0.0.1:9/api/v1")
    assert main.main(["doctor"]) == 1
    assert "could not be reached" in capsys.readouterr().out


def test_demo_live_without_a_key_names_the_variable_to_set(capsys):
    assert main.main(["demo", "--live"]) == 1
    assert "WONDA_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["sandbox", "--port", "x"],
        ["sandbox", "--seconds", "-1"],
        ["fly"],
        [],
        ["demo", "--budget", "-1"],
        ["demo", "--budget", "0"],
        ["demo", "--budget", "nan"],
        ["demo", "--publish", "always"],
    ],
)
def test_invalid_arguments_print_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_sandbox_command_prints_its_base_url_and_stops_when_terminated():
    command = [sys.executable, "-W", "error", "-m", "wonda_widgets", "sandbox", "--key", KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        base_url = process.stdout.readline().strip()
        assert base_url.startswith("http://127.0.0.1:")
        assert base_url.endswith("/api/v1")
        from wonda_widgets import AuthenticationError, Wonda

        with Wonda(KEY, base_url=base_url) as wonda:
            assert wonda.whoami().plan == "SANDBOX"
        with (
            Wonda("sk_" + "0" * 64, base_url=base_url) as wonda,
            pytest.raises(AuthenticationError),
        ):
            wonda.whoami()
        process.terminate()
        exit_code = process.wait(10)
        assert exit_code == 0 or os.name == "nt"


def test_sandbox_command_reports_a_port_in_use(capsys, served):
    _, base_url = served()
    port = base_url.split(":")[2].partition("/")[0]
    assert main.main(["sandbox", "--port", port]) == 1
    assert f"port {port}" in capsys.readouterr().err


def test_demo_keeps_edited_notebooks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy = demo.working_copy("quickstart")
    copy.write_text("mine")
    assert demo.working_copy("quickstart").read_text() == "mine"


def test_forget_deletes_data_only_after_confirmation(capsys, monkeypatch, tmp_path):
    assert main.main(["forget"]) == 0
    assert "Nothing to delete" in capsys.readouterr().out
    journal = Journal()
    journal.begin_request("https://api.example.test", "inference", b"{}").result()
    (tmp_path / "journal.db.damaged-20260101-000000").write_text("x")
    for name in ("other.db", "journal.db.csv", "journal.database"):
        (tmp_path / name).write_text("x")
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert main.main(["forget"]) == 1
    assert (tmp_path / "journal.db").exists()
    assert main.main(["forget", "--yes"]) == 0
    remaining = sorted(path.name for path in tmp_path.iterdir())
    assert remaining == ["journal.database", "journal.db.csv", "other.db"]
    assert str(tmp_path / "journal.db") in capsys.readouterr().out
    # A kernel that is still running can go on recording requests.
    journal.begin_request("https://api.example.test", "inference", b"{}").result()
    journal.close()


def test_demo_reports_a_missing_voila_option_and_a_port_in_use(capsys):
    import socket

    assert main.main(["demo", "--budget", "2.50"]) == 1
    assert "requires --voila" in capsys.readouterr().err
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        assert main.main(["demo", "--voila", "--port", port]) == 1
    assert "is in use" in capsys.readouterr().err
