"""Start JupyterLab, Notebook 7, Voilà or marimo on a free port, and Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing but this machine is asked; Voilà's pages name a font server.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def browser_path() -> str | None:
    """An installed Chromium; None stands for playwright's own, which this downloads.

    Installed ones first; then playwright's download; then, for root on a system
    with apt, its package.
    """
    found = [os.environ.get("WONDA_TEST_BROWSER"), *map(shutil.which, NAMES)]
    found += [place for place in PLACES if Path(place).exists()]
    installed = next((path for path in found if path), None)
    if installed:
        return installed
    download = [sys.executable, "-m", "playwright", "install", "chromium"]
    if subprocess.run(download, check=False).returncode == 0:
        return None
    if _install("chromium", "fonts-dejavu-core"):
        return shutil.which("chromium")
    raise RuntimeError(
        "No Chromium or Chrome was found and none could be installed. Install one, "
        "or set WONDA_TEST_BROWSER to its path."
    )


def node_path() -> str:
    """A Node.js that runs: the one that playwright brings along, else an installed one.

    Playwright's own needs libatomic, which a bare system lacks; as root on a system with apt,
    it is installed.
    """
    found = _running_node()
    if found is None and _install("libatomic1"):
        found = _running_node()
    if found is None:
        raise RuntimeError("No Node.js runs here. Install Node.js 18 or newer, or libatomic.")
    return found


def _running_node() -> str | None:
    driver, _ = compute_driver_executable()
    places = filter(None, [str(driver), *map(shutil.which, ("node", "nodejs"))])
    return next(filter(_runs, places), None)


def _runs(node: str) -> bool:
    """Whether it runs and is new enough to have `fetch`."""
    try:
        told = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)
    except OSError:
        return False
    version = re.match(r"v(\d+)", told.stdout)
    return told.returncode == 0 and version is not None and int(version[1]) >= 18


def _install(*packages: str) -> bool:
    """Install packages, where this is root on a system with apt; else False."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    wait = "-oDPkg::Lock::Timeout=300"  # another worker may be installing
    subprocess.run(["apt-get", "update", "-qq"], check=False)
    install = ["apt-get", wait, "install", "-y", "-qq", "--no-install-recommends", *packages]
    subprocess.run(install, check=True)
    return True


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser."""
    path = browser_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a server: nothing of this user's Jupyter, and no key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WONDA")}
    kept.pop("WONDERCAT_API_KEY", None)
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    kept["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    own = {name: str(home / folder) for name, folder in folders.items()}
    for folder in own.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    quiet = home / "config" / "labconfig" / "page_config.json"
    quiet.parent.mkdir(exist_ok=True)
    # Lab asks every new user whether it may fetch news, and looks for extensions to build.
    quiet.write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true},'
        ' "buildAvailable": false, "buildCheck": false}'
    )
    journal = str(home / "journal.db")
    return {**kept, **own, "WONDA_JOURNAL": journal, "WONDA_TEST": "1", **more}


@contextlib.contextmanager
def running(command: list[str], cwd: Path, env: dict[str, str], url: str) -> Iterator[None]:
    """A server process, from when it answers until the end of the block."""
    log = (cwd / "server.log").open("wb")
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    text = (cwd / "server.log").read_text(errors="replace")
                    raise RuntimeError(f"{command} did not start:\n{text[-3000:]}") from None
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


@contextlib.contextmanager
def jupyterlab(
    folder: Path,
    home: Path,
    *more: str,
    dark: bool = False,
    prefix: str = "/",
    **env: str,
) -> Iterator[str]:
    """A JupyterLab on `folder`, with `more` options; gives its address, ending in a slash."""
    if dark:
        theme = home / "settings" / "@jupyterlab" / "apputils-extension"
        theme.mkdir(parents=True, exist_ok=True)
        (theme / "themes.jupyterlab-settings").write_text('{"theme": "JupyterLab Dark"}')
    options = [
        "--LabApp.news_url=None",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *more,
    ]
    with _jupyter("jupyterlab", options, folder, home, env, prefix) as url:
        yield url


@contextlib.contextmanager
def notebook7(folder: Path, home: Path, **env: str) -> Iterator[str]:
    """A Notebook 7 on `folder`; gives its address, ending in a slash."""
    with _jupyter("notebook", ["--expose-app-in-browser"], folder, home, env) as url:
        yield url


@contextlib.contextmanager
def _jupyter(
    module: str,
    options: list[str],
    folder: Path,
    home: Path,
    env: dict[str, str],
    prefix: str = "/",
) -> Iterator[str]:
    port, token = free_port(), "test-token"
    command = [
        *(sys.executable, "-m", module, "--no-browser", "--allow-root"),
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.base_url={prefix}",
        f"--IdentityProvider.token={token}",
        *options,
    ]
    url = f"http://127.0.0.1:{port}{prefix}"
    with running(command, folder, environment(home, **env), f"{url}api?token={token}"):
        yield url


@contextlib.contextmanager
def voila(
    notebook: Path,
    home: Path,
    *more: str,
    dark: bool = False,
    module: str = "voila",
    prefix: str = "/",
    **env: str,
) -> Iterator[str]:
    """A Voilà that serves `notebook`, with `more` options; gives its address."""
    port = free_port()
    command = [
        *(sys.executable, "-m", module, str(notebook), "--no-browser"),
        f"--port={port}",
        f"--base_url={prefix}",
        f"--theme={'dark' if dark else 'light'}",
        "--VoilaConfiguration.show_tracebacks=True",
        *more,
    ]
    url = f"http://127.0.0.1:{port}{prefix}"
    with running(command, notebook.parent, environment(home, **env), f"{url}voila/static/voila.js"):
        yield url


@contextlib.contextmanager
def marimo(
    notebook: Path, home: Path, *, command: str = "edit", dark: bool = False, **env: str
) -> Iterator[str]:
    """A marimo that edits or runs `notebook`; gives its address."""
    port = free_port()
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "STATE")}
    settings = home / "marimo" / "marimo.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        "[runtime]\nauto_instantiate = true\n"  # all cells run when the page is opened
        f'[display]\ntheme = "{"dark" if dark else "light"}"\n'
    )
    full = [
        *(sys.executable, "-m", "marimo", command, "--headless", "--no-token", "--no-sandbox"),
        *(f"--port={port}", *(["--skip-update-check"] if command == "edit" else [])),
        str(notebook),
    ]
    own = {**folders, "XDG_CONFIG_HOME": str(home), "MARIMO_SKIP_UPDATE_CHECK": "1", **env}
    url = f"http://127.0.0.1:{port}/"
    with running(full, notebook.parent, environment(home, **own), f"{url}health"):
        yield url


def write_marimo(path: Path, *cells: str) -> Path:
    """A marimo notebook of code cells."""
    texts = ["@app.cell\ndef _():\n" + textwrap.indent(f"{cell}\nreturn", "    ") for cell in cells]
    path.write_text("\n\n".join(["import marimo", "app = marimo.App()", *texts]) + "\n")
    return path


def open_notebook(page: Page, url: str, name: str, *, at: str = "doc/tree") -> None:
    """Open a notebook alone on the page: in JupyterLab, or at ``"notebooks"`` in Notebook 7."""
    page.goto(f"{url}{at}/{name}?token=test-token")
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.isReady")
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.info")


def open_lab(page: Page, url: str) -> None:
    """Load JupyterLab without a notebook, in its view of one document."""
    page.goto(f"{url}doc?token=test-token")
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate("() => jupyterapp.restored")


def open_in_lab(page: Page, name: str) -> None:
    """Open a notebook in a page that shows JupyterLab already, and wait for its kernel."""
    page.evaluate("(path) => jupyterapp.commands.execute('docmanager:open', { path })", name)
    page.wait_for_function(
        """(name) => {
            const context = jupyterapp.shell.currentWidget?.context;
            return context?.path === name && context.sessionContext.isReady;
        }""",
        arg=name,
    )
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.info")


def close_notebooks(page: Page) -> None:
    """Close all notebooks of a page of JupyterLab unsaved, then stop their kernels."""
    page.evaluate(
        """async () => {
            for (const panel of [...jupyterapp.shell.widgets("main")]) {
                const session = panel.context?.sessionContext.session?.id;
                if (panel.context) panel.context.model.dirty = false;
                panel.close();
                if (session) await jupyterapp.serviceManager.sessions.shutdown(session);
            }
        }"""
    )


def open_notebook_without_kernel(page: Page, url: str, name: str) -> None:
    """Open a saved notebook as a reader does, before any kernel runs."""
    page.goto(f"{url}doc/tree/{name}?token=test-token")


def run_all(page: Page) -> None:
    """Run all cells, without waiting for them."""
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook of code cells."""
    path.write_text(
        json.dumps(
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "id": f"cell-{number}",
                        "metadata": {},
                        "execution_count": None,
                        "outputs": [],
                        "source": source,
                    }
                    for number, source in enumerate(cells)
                ],
                "metadata": {
                    "kernelspec": {
                        "name": "python3",
                        "display_name": "Python 3 (ipykernel)",
                        "language": "python",
                    }
                },
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )
    return path


#: Noise of the front ends themselves, which has nothing to do with the panels.
_NOISE = re.compile(
    r"favicon|/lab/api/news|workspaces/|ResizeObserver loop|\.map\b|manifest"
    # Voilà's page says goodbye to its kernel without the cookie that its server asks for.
    r"|voila/api/shutdown"
    r"|ERR_NAME_NOT_RESOLVED|debugger state"
    r"|reading 'schema'"  # Notebook 7.6, of any notebook
    r"|getter for the shared module"  # Voilà beside an installed Notebook
    # JupyterLab and its server, while a test stops the kernel of its notebook.
    r"|/api/kernels\?|Canceled future for|Could not send widget sync message"
)


def watch_console(page: Page) -> list[str]:
    """Collect what goes wrong in the page: console errors and uncaught exceptions."""
    errors: list[str] = []

    def uncaught(error: object) -> None:
        if not _NOISE.search(str(error)):
            errors.append(f"uncaught: {error}")

    page.on("pageerror", uncaught)

    def note(message: object) -> None:
        text = f"{message.text} {message.location.get('url', '')}"  # type: ignore[attr-defined]
        if message.type == "error" and not _NOISE.search(text):  # type: ignore[attr-defined]
            errors.append(text)

    page.on("console", note)
    return errors
