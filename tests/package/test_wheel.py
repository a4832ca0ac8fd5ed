"""The wheel is complete and works outside the checkout."""

import os
import subprocess
import sys
import urllib.request
import zipfile

import frontends
import pytest

# These two are for a checkout: they need what the extra `bench` brings, and what was measured.
NOT_FOR_THE_DEMO = {"fan_out", "benchmarks"}
NOTEBOOKS = [
    path
    for path in sorted((frontends.ROOT / "notebooks").glob("*.ipynb"))
    if path.stem not in NOT_FOR_THE_DEMO
]

USE = """
import sys
import wonda_widgets as ww
assert sys.argv[1] in ww.__file__, ww.__file__
with ww.Wonda.sandbox(seconds=0.01) as wonda:
    print(wonda.images.generate(model="z-image", prompt="x").wait().status)
    studio = ww.Studio(wonda)
    print(len(studio._esm) > 500, len(studio._bundle.code) > 10_000)
    studio.close()
from wonda_widgets.cli import demo
print(demo.working_copy("quickstart").name, demo.working_copy("dashboard").name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(frontends.ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_contains_code_javascript_notebooks_types_and_license(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "wonda_widgets/py.typed",
        "wonda_widgets/static/loader.js",
        "wonda_widgets/static/panels.js",
        "wonda_widgets/export/static/storyboard.css",
        "wonda_widgets/export/static/storyboard.js",
        "wonda_widgets/cli/share/voila/templates/wonda/conf.json",
        "wonda_widgets/cli/share/voila/templates/wonda/index.html.j2",
        "wonda_widgets/export/static/storyboard.html.j2",
        *(f"wonda_widgets/notebooks/{path.name}" for path in NOTEBOOKS),
        "wonda_widgets/sandbox/stock/ocean_sunset.webp",
    } <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests", "wonda_widgets/frontend")) for name in names)


def test_wheel_works_outside_the_checkout(wheel, tmp_path):
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-W", "error", "-c", USE, str(installed)]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    assert ran.stdout.split() == [
        *("succeeded", "True", "True"),
        *("quickstart.ipynb", "dashboard.ipynb"),
    ]


@pytest.mark.parametrize("options", [[], ["--voila"]], ids=["jupyterlab", "voila"])
def test_demo_serves_its_notebook(tmp_path, options):
    port = frontends.free_port()
    demo = ["demo", "--no-browser", "--port", str(port), *options]
    command = [sys.executable, "-m", "wonda_widgets", *demo]
    environment = frontends.environment(tmp_path / "home", JUPYTER_TOKEN="test-token")
    url = f"http://127.0.0.1:{port}/?token=test-token"
    with (
        frontends.running(command, tmp_path, environment, url),
        urllib.request.urlopen(url, timeout=60) as page,
    ):
        assert page.status == 200
        copied = {path.stem for path in (tmp_path / "wonda-demo").glob("*.ipynb")}
        everything = {path.stem for path in NOTEBOOKS}
        assert copied == ({"dashboard"} if options else everything)
