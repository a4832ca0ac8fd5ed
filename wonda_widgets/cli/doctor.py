"""``wonda-widgets doctor``: check the installation, the journal, the network and the service."""

from __future__ import annotations

import importlib.metadata
import sys
import warnings
from typing import TYPE_CHECKING

from ..client import selection
from ..client.wonda_client import Wonda
from ..errors import InvalidInputError, WondaError
from ..http import network_settings, organization
from ..journal import file_access, file_problems, journal
from ..journal.database import JournalWarning
from ..utils.version import __version__

if TYPE_CHECKING:
    import argparse

REQUIRED = ("ipywidgets", "anywidget", "httpx", "pillow", "msgspec", "starlette")
OLDEST_FRONT_ENDS = {"jupyterlab": (4, 3), "notebook": (7, 2), "voila": (0, 5)}
TIMEOUT = 10.0  # seconds


def run(_options: argparse.Namespace) -> int:
    """Print the results; return exit status 1 if something does not work."""
    print(f"wonda-widgets {__version__}, Python {sys.version.partition(' ')[0]}, {sys.platform}")
    has_packages = _packages()
    _front_ends()
    _journal()
    has_network = _network()
    print("Service")
    return 0 if _service() and has_packages and has_network else 1


def _packages() -> bool:
    versions = {name: _version(name) for name in REQUIRED}
    for name, version in versions.items():
        print(f"  {name:<12} {version or 'missing: pip install ' + name}")
    print(f"  av           {_version('av') or 'not installed; only videos need it'}")
    return None not in versions.values()


def _front_ends() -> None:
    print("Notebooks")
    print(f"  ipykernel    {_version('ipykernel') or 'not installed; scripts do not need it'}")
    for name, oldest in OLDEST_FRONT_ENDS.items():
        version = _version(name)
        if version is None:
            print(f"  {name:<12} not installed")
            continue
        parts = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        print(f"  {name:<12} {version}, {'supported' if parts >= oldest else 'too old'}")


def _journal() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JournalWarning)  # it is printed below
        opened = journal.Journal()
    file = opened.path
    print(f"Journal\n  file         {file or 'none: in memory'}")
    if file is None:
        if opened.problem:
            print(f"  problem      {opened.problem}")
        return
    if reason := file_access.unwritable_reason(file):
        print(f"  problem      it cannot be written: {reason}")
    for damaged in file_problems.damaged_files(file):
        print(f"  damaged      {damaged}: check your account, then move this file elsewhere")


def _network() -> bool:
    print("Network")
    problems = network_settings.problems()
    for problem in problems:
        print(f"  problem      {problem}")
    if not problems:
        print("  settings     usable")
    return not problems


def _service() -> bool:
    if not selection.has_key():
        print("  key          none: panels use the sandbox; set WONDA_API_KEY or run ww.connect()")
        return True
    try:
        with Wonda(timeout=TIMEOUT) as wonda:
            print(f"  key          found\n  address      {wonda.base_url}")
            if wonda.org:
                print(f"  organization {wonda.org}")
            account = wonda.whoami()
            seats = _seats(wonda)
    except InvalidInputError as error:
        print(f"  settings     {error}")
        return False
    except WondaError as error:
        print(f"  response     {error}")
        return False
    print(f"  response     yes, plan {account.plan or 'unknown'}")
    for line in seats:
        print(f"  seat         {line}")
    return True


def _seats(wonda: Wonda) -> list[str]:
    """List the organizations in which this account has a paid seat, and how to choose each."""
    try:
        organizations = wonda.accounts.organizations()
    except WondaError:  # not every account has this
        return []
    return [
        f"in {organization.describe(each)}"
        + (", in use" if each.slug == wonda.org else f": set WONDA_ORG={each.slug} to use it")
        for each in organizations
        if each.seat_plan_code
    ]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
