"""The API reference builds from the docstrings without a warning."""

import subprocess
import sys

import wonda_widgets as ww


def test_reference_builds_without_warnings_and_has_every_public_name(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "pdoc", "-o", str(tmp_path), "wonda_widgets"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stderr) == (0, "")
    page = (tmp_path / "wonda_widgets.html").read_text(encoding="utf-8")
    modules = {"api", "edit", "__version__"}
    assert not [name for name in ww.__all__ if name not in modules and f'id="{name}"' not in page]
    images = (tmp_path / "wonda_widgets" / "api" / "images.html").read_text(encoding="utf-8")
    assert 'id="Images.generate"' in images
    assert "A limit for the total cost of this image" in images  # of its docstring
