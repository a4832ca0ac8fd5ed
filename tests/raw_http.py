"""Requests written byte by byte, which no client library would send."""

from __future__ import annotations

import socket


def answer(
    port: int,
    target: str,
    *hosts: str,
    version: str = "1.1",
    method: str = "GET",
    origin: str | None = None,
    websocket: bool = False,
    headers: tuple[str, ...] = (),
) -> int:
    """The status that a server on 127.0.0.1 answers with.

    Parameters
    ----------
    port : int
    target : str
        As it stands in the first line.
    *hosts : str
        A `Host` header each.
    """
    lines = [f"{method} {target} HTTP/{version}", *(f"Host: {host}" for host in hosts), *headers]
    if origin is not None:
        lines.append(f"Origin: {origin}")
    if websocket:
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", key]
    lines.append("Connection: Upgrade" if websocket else "Connection: close")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        told = b""
        while b"\r\n" not in told:
            more = connection.recv(4096)
            if not more:
                raise ConnectionError(f"no answer to {lines[0]!r}")
            told += more
    return int(told.split(b" ", 2)[1])
