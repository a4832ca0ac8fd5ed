"""`.ci/setup.py`, on computers with incomplete or broken environments."""

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

#: Builds a package without a file, as the network is not there for a real one.
BACKEND = """
import zipfile

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name, info = "tried-1-py3-none-any.whl", "tried-1.dist-info"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        said = "Metadata-Version: 2.1\\nName: tried\\nVersion: 1\\nProvides-Extra: demo\\n"
        wheel.writestr(f"{info}/METADATA", said)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""

#: Debian's `venv` without the package python3-venv: it makes a Python, then gives up.
NO_ENSUREPIP = """
import shutil, sys
from pathlib import Path

def create(folder, **how):
    made = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
    made.mkdir(parents=True)
    shutil.copy(sys.executable, made)
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


def set_up(checkout, **environment):
    return subprocess.run(
        [sys.executable, checkout / ".ci" / "setup.py", "python", "-c", "import sys; print('ran')"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "", **environment},
    )


def ready(said):
    return said.returncode == 0 and said.stdout.endswith("ran\n")


@pytest.fixture
def no_ensurepip(tmp_path):
    """A PYTHONPATH that puts Debian's `venv` in front of Python's own."""
    fake = tmp_path / "debian" / "venv"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("from .__main__ import create\n")
    (fake / "__main__.py").write_text(NO_ENSUREPIP)
    return str(fake.parent)


def test_missing_ensurepip_names_the_package(checkout, no_ensurepip):
    said = set_up(checkout, PYTHONPATH=no_ensurepip)
    assert said.returncode == 1
    assert "python3-venv" in said.stderr
    assert "Traceback" not in said.stderr
    assert not (checkout / ".venv").exists()


def test_environment_without_pip_is_recreated(checkout):
    # Left by an interrupted run, or by a Python that has since become a newer one.
    folder = checkout / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    assert ready(set_up(checkout))


def test_environment_with_broken_python_is_recreated(checkout):
    scripts = checkout / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    scripts.mkdir(parents=True)
    (scripts / "python").write_bytes(b"\x7fELF")
    (scripts / "python").chmod(0o755)
    assert ready(set_up(checkout))


def test_environment_is_created_once_after_a_failed_attempt(checkout, no_ensurepip):
    assert set_up(checkout, PYTHONPATH=no_ensurepip).returncode == 1
    made = set_up(checkout)
    assert ready(made)
    assert "Making" in made.stdout
    again = set_up(checkout)
    assert ready(again)
    assert "Making" not in again.stdout
    (checkout / "pyproject.toml").write_text(PROJECT + "# changed\n")
    changed = set_up(checkout)
    assert ready(changed)
    assert "Making" not in changed.stdout
    assert "Installing" in changed.stdout
