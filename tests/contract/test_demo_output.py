"""The output of the demo command before its address: instructions and no warnings."""

import subprocess
import sys

import frontends


def test_no_warning_is_printed_before_the_address(tmp_path):
    command = [sys.executable, "-m", "wonda_widgets", "demo", "--no-browser"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=frontends.environment(tmp_path / "home"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            said = []
            for line in running.stdout:
                said.append(line)
                if "127.0.0.1" in line:
                    break
        finally:
            running.terminate()
            running.communicate(timeout=60)
    assert said[0].startswith("Serving ")
    assert "token=" in said[-1]
    assert "Warning" not in "".join(said)
