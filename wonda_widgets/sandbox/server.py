"""The sandbox on a socket: two ports, because images lie on an origin of their own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from .app import PREFIX, Sandbox
from .hosts import AllowedHosts, HostCheck, allowed_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable


class _Quiet(uvicorn.Server):
    """A uvicorn that leaves signals to whoever runs it; there are two of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def serving(
    host: str = "127.0.0.1", port: int = 0, *, names: Iterable[str] = (), **options: Any
) -> AsyncIterator[tuple[Sandbox, str]]:
    """Serve a sandbox; gives it and its base URL, which ends in ``/api/v1``.

    It answers requests that name a loopback host, `host` or one of `names`, and on
    ``"0.0.0.0"`` or ``"::"`` also those that name this machine or one of its addresses;
    403 to all others.

    Parameters
    ----------
    host : str
    port : int
        0 for any free one; images get the next free one anyway.
    names : list of str
        More host names by which it is reached.
    **options
        See `Sandbox`.

    Raises
    ------
    OSError
        If the port is taken or the host is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, port), family=family) as api_socket,
        socket.create_server((host, 0), family=family) as storage_socket,
    ):
        sandbox = Sandbox(storage_origin=_origin(host, storage_socket), **options)
        allowed = allowed_for(host, names)
        servers = [_server(sandbox.api, allowed), _server(sandbox.storage, allowed)]
        running = [
            asyncio.create_task(server.serve(sockets=[bound]))
            for server, bound in zip(servers, (api_socket, storage_socket), strict=True)
        ]
        try:
            while not all(server.started for server in servers):  # noqa: ASYNC110 - no event there
                await asyncio.sleep(0.01)
            yield sandbox, _origin(host, api_socket) + PREFIX
        finally:
            for server in servers:
                server.should_exit = True
                server.force_exit = True
            await asyncio.gather(*running)


def _server(app: Any, allowed: AllowedHosts) -> uvicorn.Server:
    config = uvicorn.Config(
        HostCheck(app, allowed),
        log_level="error",
        lifespan="off",
        access_log=False,
        interface="asgi3",
        http="h11",  # which leaves the host in a target such as "http://…" to be seen
    )
    return _Quiet(config)


def _origin(host: str, bound: socket.socket) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - how to reach it
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{bound.getsockname()[1]}"
