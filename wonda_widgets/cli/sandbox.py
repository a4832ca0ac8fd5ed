"""``wonda-widgets sandbox``: serve a mock API and print its base URL on the first line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .messages import complain

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Serve the sandbox until Ctrl+C or SIGTERM."""
    if find_spec("uvicorn") is None:
        return complain("uvicorn is not installed. Install it with: pip install uvicorn")
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        reason = error.strerror or error
        return complain(f"Cannot serve on {options.host} port {options.port}: {reason}.")
    return 0


async def _serve(options: argparse.Namespace) -> None:
    from ..sandbox.hosts import is_every_address  # noqa: PLC0415 - needed only now
    from ..sandbox.server import serving  # noqa: PLC0415 - needs uvicorn

    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows has only Ctrl+C
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serving(
        options.host,
        options.port,
        names=options.allow_host,
        key=options.key,
        seconds=options.seconds,
    ) as (_, base_url):
        print(base_url, flush=True)
        print(
            "A sandbox: results are placeholders, and nothing is published. Press Ctrl+C to stop.",
            flush=True,
        )
        if is_every_address(options.host):
            print(
                "Other computers can reach it at this computer's addresses or as "
                f"{socket.gethostname()}; use --allow-host to add a name.",
                flush=True,
            )
        await stop.wait()
