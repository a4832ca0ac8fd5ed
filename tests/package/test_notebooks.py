"""Every notebook runs top to bottom without a key, and is committed without output or state."""

import json
import os
from pathlib import Path

import frontends
import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

NOTEBOOKS = sorted((frontends.ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_without_a_key(path, tmp_path, monkeypatch):
    for name, value in frontends.environment(tmp_path).items():
        if name not in os.environ:
            monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": tmp_path}}).execute()
    said = json.dumps(notebook.cells)
    assert '"output_type": "error"' not in said
    assert "sk_" not in said
    assert len(said) < 300_000
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert "Run this cell again to bring the panel back." in page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_clean(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook["metadata"]
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert str(Path.home()) not in path.read_text(encoding="utf-8")
