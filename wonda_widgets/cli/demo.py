"""``wonda-widgets demo``: open the notebooks in JupyterLab, or the dashboard in Voilà."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..client import selection
from ..http import credentials
from ..journal import location
from ..utils import new_files
from .messages import complain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

#: Copied next to the quickstart.
OTHER_NOTEBOOKS = (
    *("prompt_lab", "dashboard", "from_python", "video"),
    *("settings_and_privacy", "sandbox_and_faults"),
)
VOILA_OPTIONS = ("title", "presenter", "publish", "budget", "review_only")
KERNEL_IDLE_SECONDS = 600  # until the kernel of a visitor without a page is ended
STOP_SECONDS = 10.0


def run(options: argparse.Namespace) -> int:
    """Open the notebooks or the dashboard; return when the server ends."""
    problem = _problem(options)
    if problem:
        return complain(problem)
    environment = dict(os.environ)
    if not options.live:  # without a key, the panels run in the sandbox
        for name in (*credentials.KEY_VARIABLES, *credentials.BASE_URL_VARIABLES):
            environment.pop(name, None)
        environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    notebook = working_copy("dashboard" if options.voila else "quickstart")
    if not options.voila:
        for name in OTHER_NOTEBOOKS:
            working_copy(name)
    service = "the real service" if options.live else "the sandbox: free, nothing is published"
    verb = "Serving" if options.no_browser else "Opening"
    print(f"{verb} {notebook} on {service}. Press Ctrl+C to stop.", flush=True)
    arguments = ["--port", str(options.port or _free_port())]
    arguments += ["--no-browser"] if options.no_browser else []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if options.voila:
            if not options.live:
                sandbox = _served_sandbox(environment, folder)
                environment.update(stack.enter_context(sandbox))
            environment.update(_dashboard_settings(options))
            command = _voila(notebook, arguments, options.title)
        else:
            environment["JUPYTER_CONFIG_PATH"] = _config_without_news(folder)
            command = _jupyterlab(notebook, arguments)
        process = subprocess.Popen(command, env=environment, cwd=notebook.parent)  # noqa: S603
        return _wait_for(process)


def _problem(options: argparse.Namespace) -> str:
    """Return why nothing can be opened and what to do; empty if there is no problem."""
    server = "voila" if options.voila else "jupyterlab"
    given = {name: getattr(options, name) for name in VOILA_OPTIONS}
    for_voila = [name for name, value in given.items() if value is not None and value is not False]
    if find_spec(server) is None:
        return f"{server} is not installed. Install it with: pip install 'wonda-widgets[demo]'"
    if options.live and not selection.has_key():
        return "--live needs a key. Set WONDA_API_KEY, or omit --live."
    if for_voila and not options.voila:
        return f"--{for_voila[0].replace('_', '-')} requires --voila."
    if options.port and not _is_free(options.port):
        return f"Port {options.port} is in use. Choose another one, or omit --port."
    return ""


def _voila(notebook: Path, arguments: list[str], title: str | None) -> list[str]:
    # The page has this title while it loads; the dashboard reads it from the environment.
    resources = [f"--VoilaConfiguration.resources=title={title}"] if title else []
    return [
        *(sys.executable, "-m", "wonda_widgets.cli.page_server", str(notebook), *arguments),
        *resources,
        "--template=wonda",
        f"--MappingKernelManager.cull_idle_timeout={KERNEL_IDLE_SECONDS}",
        f"--MappingKernelManager.cull_interval={KERNEL_IDLE_SECONDS // 5}",
    ]


def _jupyterlab(notebook: Path, arguments: list[str]) -> list[str]:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0  # as in a container
    return [
        *(sys.executable, "-m", "jupyterlab", *arguments),
        *(["--allow-root"] if is_root else []),
        # Voilà's extension is not needed here and would print another package's warning.
        "--ServerApp.jpserver_extensions={'voila.server_extension': False}",
        f"--ServerApp.root_dir={notebook.parent}",
        # The printed address also opens the notebook, in any browser.
        f"--LabApp.default_url=/lab/tree/{notebook.name}",
        "--log-level=WARN",
    ]


@contextlib.contextmanager
def _served_sandbox(environment: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """Serve one sandbox to all visitors, with a journal that is deleted with `folder`."""
    command = [sys.executable, "-m", "wonda_widgets", "sandbox"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the sandbox did not start; see the lines above")
        journal_file = str(folder / "journal.db")
        yield {selection.SANDBOX_VARIABLE: address, location.PATH_VARIABLE: journal_file}
    finally:
        _stop(process)


def _dashboard_settings(options: argparse.Namespace) -> dict[str, str]:
    """Return the environment variables that the dashboard and its template read."""
    share = str(Path(__file__).parent / "share")
    path = os.pathsep.join(filter(None, [share, os.environ.get("JUPYTER_PATH")]))
    settings = {
        "TITLE": options.title,
        "PRESENTER": "1" if options.presenter else None,
        "PUBLISH": options.publish,
        "REVIEW_ONLY": "1" if options.review_only else None,
        "BUDGET_USD": None if options.budget is None else str(options.budget),
    }
    named = {f"WONDA_DASHBOARD_{name}": value for name, value in settings.items() if value}
    return {"JUPYTER_PATH": path, **named}


def _wait_for(process: subprocess.Popen[bytes]) -> int:
    """Wait for a server; on SIGTERM, wait until it has ended its kernels."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        return process.wait()
    except KeyboardInterrupt:
        _stop(process)
        raise


def _stop(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # another server may have just ended
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def working_copy(name: str) -> Path:
    """Copy a notebook to ``wonda-demo`` unless it exists there; the user's edits are kept."""
    package = Path(__file__).parents[1]
    source = package / "notebooks" / f"{name}.ipynb"  # in a wheel
    if not source.exists():
        source = package.parent / "notebooks" / f"{name}.ipynb"  # in a checkout
    folder = Path.cwd() / "wonda-demo"
    try:
        folder.mkdir(exist_ok=True)
        return _copied(source, folder)
    except OSError:  # the current folder cannot be written
        return _copied(source, Path(tempfile.mkdtemp(prefix="wonda-demo-")))


def _copied(source: Path, folder: Path) -> Path:
    copy = folder / source.name
    return copy if copy.exists() else new_files.write(copy, source.read_bytes())


def _config_without_news(folder: Path) -> str:
    """Create a config path that keeps JupyterLab from asking whether to fetch news."""
    config = folder / "labconfig"
    config.mkdir()
    (config / "page_config.json").write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
    )
    return os.pathsep.join(
        part for part in (str(folder), os.environ.get("JUPYTER_CONFIG_PATH")) if part
    )
