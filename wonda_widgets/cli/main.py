"""The command line: ``wonda-widgets demo | sandbox | doctor | login | forget``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.metadata
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import credentials
from ..client import connect, selection
from ..client.wonda_client import Wonda
from ..errors import InvalidInputError, WondaError, console_text
from ..http import network_settings, organization
from ..journal import file_access, journal, location, recovery
from ..journal.database import JournalWarning
from ..utils import new_files
from ..utils.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

FRONT_ENDS = {"jupyterlab": (4, 3), "notebook": (7, 2), "voila": (0, 5)}
BESIDE = (
    *("prompt_lab", "dashboard", "from_python"),
    *("settings_and_privacy", "sandbox_and_faults"),
)  # for later
OF_A_PAGE = ("title", "presenter", "publish", "budget")  # options
GONE_AFTER = 600  # seconds without a page, after which a visitor's kernel ends
NEEDED = ("ipywidgets", "anywidget", "httpx", "pillow", "msgspec", "starlette")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    with console_text.printable_output():
        try:
            status = _run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read this has read enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        return status


def _run(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="wonda-widgets", description="Jupyter widgets for the Wonda image API."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    demo = commands.add_parser("demo", help="open the quickstart, on the sandbox")
    demo.add_argument("--voila", action="store_true", help="as a dashboard, without code")
    page = demo.add_argument_group("with --voila")
    page.add_argument("--title", help="of the page")
    page.add_argument("--presenter", action="store_true", help="large type, nothing published")
    page.add_argument("--publish", choices=("confirm", "hidden"), help="whether one can post")
    page.add_argument(
        "--budget", type=_dollars, metavar="USD", help="what all visitors may spend today"
    )
    demo.add_argument("--no-browser", action="store_true", help="print the address only")
    demo.add_argument("--port", type=_port, default=0, help="default: any free one")
    demo.add_argument(
        "--live", action="store_true", help="use the real service, with the key of WONDA_API_KEY"
    )

    sandbox = commands.add_parser("sandbox", help="serve a pretended API for tests and demos")
    sandbox.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 for all of this machine's",
    )
    sandbox.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="answer to this host name too; all but loopback ones and --host get 403",
    )
    sandbox.add_argument("--port", type=_port, default=0, help="default: any free one")
    sandbox.add_argument("--key", help="the only key taken; default: any of the right shape")
    sandbox.add_argument(
        "--seconds", type=_seconds, default=6.0, help="an image takes this to twice this"
    )

    commands.add_parser("doctor", help="say what is installed and whether the service answers")

    login = commands.add_parser("login", help="ask for a key and put it into the keyring")
    login.add_argument("--base-url", help="where the key is for; default: the service's own")

    forget = commands.add_parser("forget", help="delete what this package keeps on this computer")
    forget.add_argument("--yes", action="store_true", help="do not ask")

    options = parser.parse_args(arguments)
    try:
        if options.command == "demo":
            return _demo(options)
        if options.command == "sandbox":
            return _sandbox(options)
        if options.command == "login":
            return _login(options)
        if options.command == "forget":
            return _forget(options)
        return _doctor()
    except KeyboardInterrupt:
        return 130


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:  # noqa: PLR2004 - the highest port
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:  # noqa: PLR2004 - an hour is patience enough
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds (0 to 3600)")
    return value


def _dollars(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of US dollars")
    return value


def _complain(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


# ---------------------------------------------------------------- demo


def _demo(options: argparse.Namespace) -> int:
    wrong = _wrong(options)
    if wrong:
        return _complain(wrong)
    environment = dict(os.environ)
    if not options.live:  # without a key the panels run on the sandbox
        for name in (*credentials.KEY_VARIABLES, *credentials.BASE_URL_VARIABLES):
            environment.pop(name, None)
        environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    notebook = _working_copy("dashboard" if options.voila else "quickstart")
    if not options.voila:
        for beside in BESIDE:
            _working_copy(beside)
    where = "the real service" if options.live else "the sandbox: nothing costs, nothing is posted"
    print(f"Opening {notebook} on {where}. Ctrl+C ends it.", flush=True)
    port = ["--port", str(options.port or _free_port())]
    browser = ["--no-browser"] if options.no_browser else []
    # As root (in a container) Jupyter wants to be told that this is meant.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if options.voila:
            if not options.live:
                environment.update(stack.enter_context(_served_sandbox(environment, folder)))
            environment.update(_page(options))
            server = [sys.executable, "-m", "wonda_widgets.cli.page_server"]
            command = [*server, str(notebook), *port, *browser]
            command += [
                "--template=wonda",
                # The kernels of visitors who have gone.
                f"--MappingKernelManager.cull_idle_timeout={GONE_AFTER}",
                f"--MappingKernelManager.cull_interval={GONE_AFTER // 5}",
            ]
        else:
            environment["JUPYTER_CONFIG_PATH"] = _without_news(Path(folder))
            command = [
                *(sys.executable, "-m", "jupyterlab", *port, *browser, *root),
                # Its part in this server is not needed, and prints a warning of another package.
                "--ServerApp.jpserver_extensions={'voila.server_extension': False}",
                f"--ServerApp.root_dir={notebook.parent}",
                # So that the printed address opens it too, wherever the browser is.
                f"--LabApp.default_url=/lab/tree/{notebook.name}",
                "--log-level=WARN",
            ]
        return _until_told(subprocess.Popen(command, env=environment, cwd=notebook.parent))  # noqa: S603


def _wrong(options: argparse.Namespace) -> str:
    """Why this cannot be opened, and what to do; empty if it can."""
    server = "voila" if options.voila else "jupyterlab"
    given = {name: getattr(options, name) for name in OF_A_PAGE}
    of_a_page = [name for name, value in given.items() if value is not None and value is not False]
    if find_spec(server) is None:
        return f"{server} is not installed. Install it with: pip install 'wonda-widgets[demo]'"
    if options.live and not selection.has_key():
        return "--live needs a key. Set WONDA_API_KEY, or leave --live out."
    if of_a_page and not options.voila:
        return f"--{of_a_page[0]} is of a page: add --voila."
    if options.port and not _is_free(options.port):
        return f"Port {options.port} is taken. Name another one, or leave --port out."
    return ""


@contextlib.contextmanager
def _served_sandbox(environment: dict[str, str], folder: str) -> Iterator[dict[str, str]]:
    """A sandbox for all visitors together, and a journal that ends with it."""
    command = [sys.executable, "-m", "wonda_widgets", "sandbox"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the sandbox did not start; see the lines above")
        journal_file = str(Path(folder) / "journal.db")
        yield {selection.SANDBOX_VARIABLE: address, location.PATH_VARIABLE: journal_file}
    finally:
        _end(process)


def _end(process: subprocess.Popen[Any]) -> None:
    """End a server, whether or not it listens any more."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _page(options: argparse.Namespace) -> dict[str, str]:
    """What the dashboard and its template are told by."""
    share = str(Path(__file__).parent / "share")
    found = {"JUPYTER_PATH": os.pathsep.join(filter(None, [share, os.environ.get("JUPYTER_PATH")]))}
    for name, value in (
        ("TITLE", options.title),
        ("PRESENTER", "1" if options.presenter else None),
        ("PUBLISH", options.publish),
        ("BUDGET_USD", None if options.budget is None else str(options.budget)),
    ):
        if value:
            found[f"WONDA_DASHBOARD_{name}"] = value
    return found


def _until_told(process: subprocess.Popen[bytes]) -> int:
    """Wait for a server; when told to end, have it end its kernels first."""

    def told(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, told)
    try:
        return process.wait()
    except KeyboardInterrupt:
        _end(process)
        raise


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # it may just have ended
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _working_copy(name: str) -> Path:
    """A copy of a notebook that belongs to the person: what they change there stays."""
    here = Path(__file__).parents[1]
    source = here / "notebooks" / f"{name}.ipynb"  # in a wheel
    if not source.exists():
        source = here.parent / "notebooks" / f"{name}.ipynb"  # in a checkout
    folder = Path.cwd() / "wonda-demo"
    try:
        folder.mkdir(exist_ok=True)
        return _copied(source, folder)
    except OSError:
        return _copied(source, Path(tempfile.mkdtemp(prefix="wonda-demo-")))


def _copied(source: Path, folder: Path) -> Path:
    """The copy in a folder; one that is there already is the person's own."""
    copy = folder / source.name
    return copy if copy.exists() else new_files.write(copy, source.read_bytes())


def _without_news(folder: Path) -> str:
    """A config path on which JupyterLab does not ask whether it may fetch news."""
    config = folder / "labconfig"
    config.mkdir()
    (config / "page_config.json").write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
    )
    return os.pathsep.join(
        part for part in (str(folder), os.environ.get("JUPYTER_CONFIG_PATH")) if part
    )


# ---------------------------------------------------------------- sandbox


def _sandbox(options: argparse.Namespace) -> int:
    if find_spec("uvicorn") is None:
        return _complain("uvicorn is not installed. Install it with: pip install uvicorn")
    from ..sandbox.hosts import is_every_address  # noqa: PLC0415 - needed only now
    from ..sandbox.server import serving  # noqa: PLC0415 - needs uvicorn

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # Windows has Ctrl+C only
            loop.add_signal_handler(signal.SIGTERM, stop.set)
        async with serving(
            options.host,
            options.port,
            names=options.allow_host,
            key=options.key,
            seconds=options.seconds,
        ) as (_, base_url):
            print(base_url, flush=True)
            print("A sandbox: made-up images, nothing is published. Ctrl+C ends it.", flush=True)
            if is_every_address(options.host):
                print(
                    "Other machines reach it by this machine's addresses and as "
                    f"{socket.gethostname()}; --allow-host adds a name.",
                    flush=True,
                )
            await stop.wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        reason = error.strerror or error
        return _complain(f"Cannot serve on {options.host} port {options.port}: {reason}.")
    return 0


# ---------------------------------------------------------------- login


def _login(options: argparse.Namespace) -> int:
    state = credentials.keyring_state()
    if state == "missing":
        return _complain(
            f"keyring is not installed. Install it with: {credentials.INSTALL_COMMAND}"
        )
    if state == "unusable":
        return _complain(
            "This computer has no keyring that could keep a key. Set WONDA_API_KEY instead."
        )
    try:
        kept = connect.ask(keyring=True, base_url=options.base_url)
    except WondaError as error:
        return _complain(str(error))
    return 0 if kept else 1


# ---------------------------------------------------------------- forget


def _forget(options: argparse.Namespace) -> int:
    found = [path for path in location.journal_files() if path.is_file()]
    has_key = credentials.has_marker()
    if not found and not has_key:
        print("There is nothing to forget: neither a journal nor a key is kept on this computer.")
        return 0
    print("This deletes what was asked, made and posted from this computer:")
    for path in found:
        print(f"  {path}")
    if has_key:
        print("and the key from the keyring.")
    print("Images at the service, posts, notebooks and saved files stay.")
    if not options.yes and not _agreed():
        print("Nothing was deleted.")
        return 1
    left = [path for path in found if not _deleted(path)]
    said = [f"{path} is in use and stays; end the kernels and try again." for path in left]
    if found and not left:
        said.append("The journal was deleted.")
    print("\n".join([*said, *(credentials.forget() if has_key else [])]))
    return 1 if left else 0


def _deleted(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)  # another kernel may have closed it meanwhile
    except OSError:  # on Windows, while a kernel has it open
        return False
    return True


def _agreed() -> bool:
    try:
        return input("Delete it? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


# ---------------------------------------------------------------- doctor


def _doctor() -> int:
    print(f"wonda-widgets {__version__}, Python {sys.version.partition(' ')[0]}, {sys.platform}")
    fine = True
    for name in NEEDED:
        found = _version(name)
        fine = fine and found is not None
        print(f"  {name:<12} {found or 'missing: pip install ' + name}")
    print("Notebooks")
    print(f"  ipykernel    {_version('ipykernel') or 'not installed; scripts need none'}")
    for name, oldest in FRONT_ENDS.items():
        print(f"  {name:<12} {_front_end(name, oldest)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JournalWarning)  # it is printed below
        kept = journal.Journal()
    file = kept.path
    print(f"Journal\n  file         {file or 'none: in memory'}")
    if file is None and kept.problem:
        print(f"  problem      {kept.problem}")
    if file is not None and (why := file_access.unwritable_reason(file)):
        print(f"  problem      it cannot be written: {why}")
    for damaged in recovery.damaged_files(file) if file else ():
        print(f"  damaged      {damaged}: look at your account, then move it elsewhere")
    print("Network")
    wrong = network_settings.problems()
    for problem in wrong:
        print(f"  problem      {problem}")
    if not wrong:
        print("  settings     usable")
    print("Service")
    return 0 if _service() and fine and not wrong else 1


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _front_end(name: str, oldest: tuple[int, ...]) -> str:
    found = _version(name)
    if found is None:
        return "not installed"
    parts = tuple(int(part) for part in found.split(".")[:2] if part.isdecimal())
    return f"{found}, {'supported' if parts >= oldest else 'older than what is supported'}"


def _service() -> bool:
    if not selection.has_key():
        print(
            "  key          none: panels run on the sandbox; set WONDA_API_KEY or run ww.connect()"
        )
        return True
    try:
        with Wonda(timeout=10) as wonda:
            print(f"  key          there\n  address      {wonda.base_url}")
            if wonda.org:
                print(f"  organization {wonda.org}")
            account = wonda.whoami()
            seats = _seats(wonda)
    except InvalidInputError as error:
        print(f"  settings     {error}")
        return False
    except WondaError as error:
        print(f"  answer       {error}")
        return False
    print(f"  answer       yes, plan {account.plan or 'unknown'}")
    for line in seats:
        print(f"  seat         {line}")
    return True


def _seats(wonda: Wonda) -> list[str]:
    """The organizations that give this account a paid seat, each with how to choose it."""
    try:
        found = wonda.accounts.organizations()
    except WondaError:  # not every account has this
        return []
    seats = [each for each in found if each.seat_plan_code]
    used = {True: ", which is used", False: ": set WONDA_ORG={} to use it"}
    return [
        f"in {organization.describe(each)}{used[each.slug == wonda.org].format(each.slug)}"
        for each in seats
    ]
