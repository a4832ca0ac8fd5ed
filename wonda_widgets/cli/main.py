"""The command line: ``wonda-widgets demo | sandbox | doctor | login | forget``."""

from __future__ import annotations

import argparse
import math
import os
import sys

from ..errors import console_text
from ..utils.version import __version__
from . import demo, doctor, forget, login, sandbox

MAX_PORT = 65535
MAX_SECONDS = 3600.0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    with console_text.printable_output():
        try:
            options = _parser().parse_args(arguments)
            status: int = options.run(options)
            sys.stdout.flush()
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:  # the reader has closed the pipe, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wonda-widgets", description="Jupyter widgets for the Wonda API."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("demo", help="open the quickstart, or a dashboard with --voila")
    command.set_defaults(run=demo.run)
    command.add_argument("--voila", action="store_true", help="a dashboard without code")
    page = command.add_argument_group("with --voila")
    page.add_argument("--title", help="title of the page")
    page.add_argument(
        "--review-only", action="store_true", help="show only reviews, by their links"
    )
    page.add_argument("--presenter", action="store_true", help="large type, publishing hidden")
    page.add_argument("--publish", choices=("confirm", "hidden"), help="whether visitors can post")
    page.add_argument(
        "--budget",
        type=_dollars,
        metavar="USD",
        help="the maximum that all visitors together may spend today",
    )
    command.add_argument(
        "--no-browser", action="store_true", help="print the address without opening a browser"
    )
    command.add_argument("--port", type=_port, default=0, help="default: any free port")
    command.add_argument(
        "--live", action="store_true", help="use the real service with the key in WONDA_API_KEY"
    )

    command = commands.add_parser("sandbox", help="run a mock API for tests and demos")
    command.set_defaults(run=sandbox.run)
    command.add_argument(
        "--host",
        type=_host,
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 for all addresses of this computer",
    )
    command.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="also accept requests for this host name; all others except loopback names and --host "
        "get 403",
    )
    command.add_argument("--port", type=_port, default=0, help="default: any free port")
    command.add_argument("--key", help="the only key accepted; default: any well-formed key")
    command.add_argument(
        "--seconds",
        type=_seconds,
        default=6.0,
        help="seconds per image (up to twice as many; videos take longer)",
    )

    command = commands.add_parser("doctor", help="check the installation and the service")
    command.set_defaults(run=doctor.run)

    command = commands.add_parser("login", help="prompt for a key and store it in the keyring")
    command.set_defaults(run=login.run)
    command.add_argument("--base-url", help="the address that the key is for")

    command = commands.add_parser("forget", help="delete the data stored on this computer")
    command.set_defaults(run=forget.run)
    command.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to {MAX_PORT})")
    return int(text)


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds (0 to 3600)")
    return value


def _host(text: str) -> str:
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not a host name or an IP address")
    return text


def _dollars(text: str) -> float:
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount above 0 US dollars")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
