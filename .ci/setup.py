"""Set everything up in `.venv` and run one command there, on any system with Python.

    python .ci/setup.py wonda-widgets demo      the quickstart, in JupyterLab
    python .ci/setup.py test                    all checks and tests
    python .ci/setup.py python -m tests.benchmarks
    python .ci/setup.py pdoc wonda_widgets      the API reference, in a browser

Needs only Python 3.11 or newer. The packages in `.venv` are updated only when `pyproject.toml` or
Python has changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")

BENCHMARKS = "tests/package/test_benchmarks.py"

#: Commands on these paths also need the test dependencies.
MORE = ("tests", "notebooks/benchmarks", "notebooks/fan_out")

#: The tests of a file run in one process, longest files first: see tests/conftest.py.
PYTEST = ("pytest", "--dist", "loadfile", "--no-loadscope-reorder")

#: What `test` runs, in this order: quick checks first.
CHECKS = (
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    ["lint-imports"],
    ["python", ".ci/frontend.py"],
    # Four processes on two processors: many tests wait for a kernel, a browser or a service.
    [*PYTEST, "-n", "4", f"--ignore={BENCHMARKS}"],
    # Run separately: they need both processors, and browser tests beside them would time out.
    ["pytest", BENCHMARKS],
)


def main(command: list[str]) -> int:
    """Set up, then run `command` in the virtual environment."""
    if sys.version_info < (3, 11):
        sys.exit(f"wonda-widgets needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    if not command:
        sys.exit(__doc__)
    if command[0] in {"-h", "--help"}:
        print(__doc__)
        return 0
    testing = command[0] == "test"
    measures = any(Path(word).as_posix().startswith(MORE) for word in command)
    needs_tests = command[0] in {"test", "pdoc"} or measures
    set_up("test" if needs_tests else "demo")
    if not testing:
        return run(command)
    checks = list(CHECKS)
    if command[1:]:  # run only the given tests
        checks = [check for check in CHECKS if check[0] != "pytest"]
        checks.append([*PYTEST, "-n", "2", *command[1:]])
    for check in checks:
        status = run(check)
        if status:
            return status
    return 0


def set_up(extra: str) -> None:
    """Make the virtual environment and install the project with `extra`, if need be."""
    asked = (ROOT / "pyproject.toml").read_bytes() + sys.version.encode()
    stamp = hashlib.sha256(asked).hexdigest()
    marks = [VENV / f".wonda-{name}" for name in ("test", extra)]  # `test` holds `demo`
    if any(mark.exists() and mark.read_text() == stamp for mark in marks):
        return
    if not has_pip():
        make_environment()
    print("Installing; the first time takes a few minutes.", flush=True)
    install = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*install, "--editable", f"{ROOT}[{extra}]"], check=False).returncode:
        sys.exit("Installing failed; see the lines above. Check the connection and run this again.")
    marks[-1].write_text(stamp)


def has_pip() -> bool:
    """Whether `.venv` can install: a half-made one, or one of another Python, has no pip."""
    try:
        asked = subprocess.run([PYTHON, "-m", "pip", "--version"], check=False, capture_output=True)
    except OSError:
        return False
    return asked.returncode == 0


def make_environment() -> None:
    """Make `.venv` anew."""
    print(f"Making {VENV}", flush=True)
    if subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=False).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            "Python could not make a virtual environment; see the lines above. On Debian and "
            "Ubuntu, install the package python3-venv and run this again."
        )


def run(command: list[str]) -> int:
    """Run a command of the virtual environment from the project's root."""
    path = os.pathsep.join([str(SCRIPTS), os.environ.get("PATH", "")])
    program = shutil.which(command[0], path=path)
    if program is None:
        sys.exit(f"There is no command {command[0]!r} in {VENV}.")
    environment = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV)}
    words = shlex.join(command)
    # Do not show a key on the screen.
    print("$ " + re.sub(r"(--key[= ])\S+", r"\1…", words), flush=True)
    process = subprocess.Popen([program, *command[1:]], cwd=ROOT, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the command received it, too, and ends its own processes
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
