"""Serve a sandbox on two ports: one for the API and one for the storage host."""

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


class _Server(uvicorn.Server):
    """A uvicorn server that does not handle signals, because two of them run at the same time."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def serving(
    host: str = "127.0.0.1", port: int = 0, *, names: Iterable[str] = (), **options: Any
) -> AsyncIterator[tuple[Sandbox, str]]:
    """Serve a sandbox while the context is open.

    The server accepts requests for loopback hosts, `host` and `names`, and on ``"0.0.0.0"`` or
    ``"::"`` also for this computer's name and addresses. Others get a 403.

    Parameters
    ----------
    host : str
        The address to listen on.
    port : int
        The API's port; 0 for any free port. The storage host always uses a free port.
    names : list of str
        More host names to accept.
    **options
        See `Sandbox`.

    Yields
    ------
    tuple of (Sandbox, str)
        The sandbox, and its base URL, which ends in ``/api/v1``.

    Raises
    ------
    OSError
        If the port is in use, or the host is not an address of this computer.
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
            while not all(server.started for server in servers):  # noqa: ASYNC110 - uvicorn has no event
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
        http="h11",  # keeps the host of absolute targets ("GET http://…"), for `HostCheck`
    )
    return _Server(config)


def _origin(host: str, bound: socket.socket) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"
