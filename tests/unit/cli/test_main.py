import os
import subprocess
import sys

import pytest
from conftest import KEY

from wonda_widgets.cli import demo, main
from wonda_widgets.journal.journal import Journal


def test_doctor_reports_versions_and_never_the_key(capsys, monkeypatch, served):
    assert main.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "supported" in said
    assert "sandbox" in said
    _, base_url = served()
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    monkeypatch.setenv("WONDA_BASE_URL", base_url)
    assert main.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "yes, plan SANDBOX" in said
    assert KEY[:15] not in said
    monkeypatch.setenv("WONDA_BASE_URL", "http://127.0.0.1:9/api/v1")
    assert main.main(["doctor"]) == 1
    assert "could not be reached" in capsys.readouterr().out


def test_live_without_a_key_says_what_to_do(capsys):
    assert main.main(["demo", "--live"]) == 1
    assert "WONDA_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["sandbox", "--port", "x"],
        ["sandbox", "--seconds", "-1"],
        ["fly"],
        [],
        ["demo", "--budget", "-1"],
        ["demo", "--budget", "nan"],
        ["demo", "--publish", "always"],
    ],
)
def test_wrong_options_are_reported(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(wrong)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_sandbox_prints_its_address_and_stops_on_request():
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
        ended = process.wait(10)
        assert ended == 0 or os.name == "nt"


def test_used_port_is_reported(capsys, served):
    _, base_url = served()
    port = base_url.split(":")[2].partition("/")[0]
    assert main.main(["sandbox", "--port", port]) == 1
    assert f"port {port}" in capsys.readouterr().err


def test_edited_demo_notebooks_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy = demo.working_copy("quickstart")
    copy.write_text("mine")
    assert demo.working_copy("quickstart").read_text() == "mine"


def test_forget_deletes_data_only_after_confirmation(capsys, monkeypatch, tmp_path):
    assert main.main(["forget"]) == 0
    assert "Nothing to delete" in capsys.readouterr().out
    kept = Journal()
    kept.begin_request("https://api.example.test", "inference", b"{}").result()
    (tmp_path / "journal.db.damaged-20260101-000000").write_text("x")
    for name in ("other.db", "journal.db.csv", "journal.database"):
        (tmp_path / name).write_text("x")
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert main.main(["forget"]) == 1
    assert (tmp_path / "journal.db").exists()
    assert main.main(["forget", "--yes"]) == 0
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["journal.database", "journal.db.csv", "other.db"]
    assert str(tmp_path / "journal.db") in capsys.readouterr().out
    kept.begin_request("https://api.example.test", "inference", b"{}").result()  # a kernel goes on
    kept.close()


def test_unopenable_file_is_reported(capsys):
    import socket

    assert main.main(["demo", "--budget", "0"]) == 1
    assert "requires --voila" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main.main(["demo", "--voila", "--port", port]) == 1
    assert "is in use" in capsys.readouterr().err
