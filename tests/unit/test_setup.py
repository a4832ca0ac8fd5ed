"""`.ci/setup.py` with missing, incomplete and broken virtual environments."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "setup.py"

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

#: Builds an empty package, since a real build backend would need the network.
BACKEND = """
import zipfile

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name, info = "tried-1-py3-none-any.whl", "tried-1.dist-info"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        metadata = "Metadata-Version: 2.1\\nName: tried\\nVersion: 1\\nProvides-Extra: demo\\n"
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""

#: Debian's `venv` without the package python3-venv: it copies Python, then fails.
NO_ENSUREPIP = """
import shutil, sys
from pathlib import Path

def create(folder, **options):
    scripts = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
    scripts.mkdir(parents=True)
    shutil.copy(sys.executable, scripts)
    print("ensurepip is not available")
    sys.exit(1)

if __name__ == "__main__":
    create(sys.argv[-1])
"""


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    (root / ".ci").mkdir(parents=True)
    shutil.copy(SCRIPT, root / ".ci")
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "backend.py").write_text(BACKEND)
    return root


def run_setup(checkout, **environment):
    return subprocess.run(
        [sys.executable, checkout / ".ci" / "setup.py", "python", "-c", "import sys; print('ran')"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "", **environment},
    )


def succeeded(completed):
    return completed.returncode == 0 and completed.stdout.endswith("ran\n")


@pytest.fixture
def no_ensurepip(tmp_path):
    """Return a PYTHONPATH on which Debian's `venv` precedes Python's own."""
    fake = tmp_path / "debian" / "venv"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("from .__main__ import create\n")
    (fake / "__main__.py").write_text(NO_ENSUREPIP)
    return str(fake.parent)


def test_setup_without_ensurepip_names_the_package_to_install(checkout, no_ensurepip):
    completed = run_setup(checkout, PYTHONPATH=no_ensurepip)
    assert completed.returncode == 1
    assert "python3-venv" in completed.stderr
    assert "Traceback" not in completed.stderr
    assert not (checkout / ".venv").exists()


def test_setup_recreates_an_environment_without_pip(checkout):
    # As left by an interrupted run or by an older version of Python.
    folder = checkout / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    assert succeeded(run_setup(checkout))


def test_setup_recreates_an_environment_with_a_broken_python(checkout):
    scripts = checkout / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    scripts.mkdir(parents=True)
    (scripts / "python").write_bytes(b"\x7fELF")
    (scripts / "python").chmod(0o755)
    assert succeeded(run_setup(checkout))


def test_setup_creates_the_environment_once_after_a_failed_attempt(checkout, no_ensurepip):
    assert run_setup(checkout, PYTHONPATH=no_ensurepip).returncode == 1
    first = run_setup(checkout)
    assert succeeded(first)
    assert "Making" in first.stdout
    second = run_setup(checkout)
    assert succeeded(second)
    assert "Making" not in second.stdout
    (checkout / "pyproject.toml").write_text(PROJECT + "# changed\n")
    changed = run_setup(checkout)
    assert succeeded(changed)
    assert "Making" not in changed.stdout
    assert "Installing" in changed.stdout
