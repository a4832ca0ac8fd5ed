"""Each notebook runs without a key and is committed without outputs.

It runs as on a server that nobody looks at: no panel is alive, so progress is printed, and
what the panels show stays in the file.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import frontends
import notebook_files
import pytest

NOTEBOOKS = sorted((frontends.ROOT / "notebooks").glob("*.ipynb"))
LIVE = "application/vnd.jupyter.widget-view+json"
PROGRESS = ("Generation: succeeded · ", "Publishing: succeeded · ")


def jupyter(folder, *command):
    """Run a command of Jupyter's in `folder`."""
    environment = frontends.environment(folder / "home")
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def nbconvert(source, folder):
    """Execute a copy of a notebook with nbconvert: a notebook writes files beside itself."""
    for data in source.parent.glob("*.json"):
        shutil.copy(data, folder)
    source = shutil.copy(source, folder)
    command = ["jupyter", "nbconvert", "--execute", "--to", "notebook", "--output-dir", str(folder)]
    jupyter(folder, *command, "--output", "executed.ipynb", str(source))
    return notebook_files.read(folder / "executed.ipynb")


def papermill(source, folder, *options):
    """Execute a notebook with papermill."""
    executed = folder / "executed.ipynb"
    jupyter(folder, "papermill", "--no-progress-bar", str(source), str(executed), *options)
    return notebook_files.read(executed)


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def printed(notebook):
    streams = [each for each in outputs(notebook) if each["output_type"] == "stream"]
    assert {each["name"] for each in streams} <= {"stdout"}
    return "".join(each["text"] for each in streams)


def panels(notebook):
    """What each static output of a panel says."""
    told = [each.get("data", {}).get("text/plain", "") for each in outputs(notebook)]
    return [text for text in told if "to bring the panel back." in text]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_without_a_key_and_prints_progress(path, tmp_path):
    notebook = nbconvert(path, tmp_path)
    said = json.dumps(notebook.cells)
    assert not [each for each in outputs(notebook) if each["output_type"] == "error"]
    assert "sk_" not in json.dumps(notebook)
    assert len(said) < 300_000
    if ".wait()" in path.read_text(encoding="utf-8"):
        assert any(line in printed(notebook) for line in PROGRESS)
    shown = [
        each for each in outputs(notebook) if "widget-view" in str(each.get("data", {}).keys())
    ]
    assert len(panels(notebook)) == len(shown)
    page = notebook_files.html(notebook)
    assert ("Run this cell again to bring the panel back." in page) is bool(shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_committed_without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook["metadata"]
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert str(Path.home()) not in path.read_text(encoding="utf-8")


def test_papermill_sets_parameters_and_stores_progress_and_image(tmp_path):
    path = frontends.write_notebook(
        tmp_path / "nightly.ipynb",
        "subject = 'nothing'",
        "import wonda_widgets as ww\nwonda = ww.Wonda.sandbox(seconds=1)",
        "job = wonda.images.generate(model='z-image', prompt=f'A {subject}')\nww.JobProgress(job)",
        "media = job.wait().media",
        "ww.ImagePreview(media, wonda=wonda, alt=job.request['prompt'])",
        "_ = wonda.images.matrix('A {what}', {'what': ['sail', 'buoy']}, 'z-image').wait()",
    )
    notebook = notebook_files.read(path)
    notebook.cells[0].metadata["tags"] = ["parameters"]
    path.write_text(notebook_files.text(notebook), encoding="utf-8")
    executed = papermill(path, tmp_path, "-p", "subject", "lighthouse")
    said = printed(executed)
    assert "Generation: succeeded · " in said
    assert "Images: 2 of 2" in said
    progress, preview = panels(executed)
    assert "Generation: succeeded · " in progress
    assert "“A lighthouse”" in preview
    page = notebook_files.html(executed)
    assert 'alt="A lighthouse"' in page
    assert "data:image/jpeg;base64," in page


def test_papermill_runs_the_notebook_of_faults(tmp_path):
    source = frontends.ROOT / "notebooks" / "sandbox_and_faults.ipynb"
    said = printed(papermill(source, tmp_path))
    assert "Generation: failed · " in said
    assert "OutcomeUnknownError: " in said
    assert "The service is not responding; retrying." in said


def test_fan_out_notebook_without_dask_says_what_to_install(monkeypatch):
    notebook = notebook_files.read(frontends.ROOT / "notebooks" / "fan_out.ipynb")
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match='pip install "distributed"'):
        exec(first, {})
