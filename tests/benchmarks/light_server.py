"""A service in a separate process that needs little CPU time and records all requests.

It speaks the part of the Wonda API that a batch needs, and the polling of the published
clients that are measured beside (`fal_client`, `replicate`, `openai`), with replies of about
the same size. A job's prompt says what it does:

- ``after 38.2 s``: it is done so many seconds after it was asked for;
- ``after 400 polls``: it is done when it was asked after so often.

It is written on asyncio's protocols, because a web framework would take more of a small
machine than what is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from email.utils import formatdate
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from .rows import ROOT, keyless

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = {"mimeType": "image/png", "width": 1024, "height": 1024}
PRICE = {"model": "m", "estimatedCostMicrodollars": 40000, "estimatedCostUsd": "0.04"}
OFFERED = {"generation": {"image": [{"key": "m", "label": "M", "attachments": [], "params": {}}]}}
FAL = {"request_id": "r", "logs": None, "metrics": {}, "error": None, "error_type": None}
FOLDER = "/api/v1"
HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


class Server:
    """What the service knows: its jobs, and what it was asked."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.asked: list[float] = []  # when a job was asked after, by the machine's clock
        self.open = self.most_open = 0
        self._ids = count(1)

    def answer(self, path: str, body: bytes) -> Any:
        """The reply to a request, as JSON."""
        folder, _, name = path.partition("?")[0].rpartition("/")
        return {
            f"{FOLDER}/image": lambda: self._generate(json.loads(body)["prompt"]),
            f"{FOLDER}/pricing": lambda: PRICE,
            f"{FOLDER}/jobs/inference": lambda: self._wonda(name),
            f"{FOLDER}/instagram": lambda: {"accounts": []},
            "/fal": lambda: self._fal(name),
            "/v1/predictions": lambda: self._replicate(name),
            "/v1/vector_stores/v/files": lambda: self._openai(name),
            FOLDER: self._facts if name == "facts" else lambda: OFFERED,
        }[folder]()

    def _generate(self, prompt: str) -> dict[str, Any]:
        amount, unit = re.match(r"after ([\d.]+) (s|polls)", prompt).groups()  # type: ignore[union-attr]
        name = f"00000000-0000-4000-8000-{next(self._ids):012}"
        self.jobs[name] = {"at": time.time(), "looks": 0, unit: float(amount)}
        return {"inferenceJobId": name}

    def _look(self, name: str) -> bool:
        """Note that a job was asked after; whether it is done."""
        now = time.time()
        self.asked.append(now)
        job = self.jobs[name]
        job["looks"] += 1
        done = now >= job["at"] + job["s"] if "s" in job else job["looks"] > job["polls"]
        if done:
            job["known"] = now
        return done

    def _wonda(self, name: str) -> dict[str, Any]:
        done = self._look(name)
        outputs = [{"outputKey": "image", "media": {"mediaId": name, "url": "x", **IMAGE}}]
        return {
            "inferenceJobId": name,
            "status": "succeeded" if done else "in_progress",
            "createdAt": _moment(self.jobs[name]["at"]),
            "finishedAt": _moment(time.time()) if done else None,
            "errorMessage": None,
            "outputs": outputs if done else [],
        }

    def _fal(self, name: str) -> dict[str, Any]:
        return {**FAL, "status": "COMPLETED" if self._look(name) else "IN_PROGRESS"}

    def _replicate(self, name: str) -> dict[str, Any]:
        status = "succeeded" if self._look(name) else "processing"
        moment = _moment(self.jobs[name]["at"])
        return {
            "id": name,
            "model": "a/b",
            "version": "hidden",
            "status": status,
            "input": {"prompt": "A quiet harbour"},
            "output": None,
            "logs": "",
            "error": None,
            "metrics": {},
            "created_at": moment,
            "started_at": moment,
            "completed_at": None,
            "urls": {"get": "", "cancel": ""},
        }

    def _openai(self, name: str) -> dict[str, Any]:
        status = "completed" if self._look(name) else "in_progress"
        return {
            "id": name,
            "object": "vector_store.file",
            "usage_bytes": 1234,
            "created_at": 1,
            "vector_store_id": "v",
            "status": status,
            "last_error": None,
            "chunking_strategy": {
                "type": "static",
                "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
            },
        }

    def _facts(self) -> dict[str, Any]:
        jobs = {
            name: {"looks": job["looks"], "done": job["at"] + job["s"]}
            for name, job in self.jobs.items()
            if "known" in job and "s" in job
        }
        facts = {"asked": self.asked, "connections": self.most_open, "jobs": jobs}
        self.jobs, self.asked, self.most_open = {}, [], self.open
        return facts


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03}Z"


class Connection(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self._transport: Any = transport
        self._server.open += 1
        self._server.most_open = max(self._server.most_open, self._server.open)

    def connection_lost(self, _error: Exception | None) -> None:
        """Count it no more."""
        self._server.open -= 1

    def data_received(self, data: bytes) -> None:
        """Answer what has come whole."""
        self._got += data
        while b"\r\n\r\n" in self._got:
            head, _, rest = self._got.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            size = int(length.group(1)) if length else 0
            if len(rest) < size:
                return
            self._got = rest[size:]
            path = head.split(b" ", 2)[1].decode()
            reply = json.dumps(self._server.answer(path, rest[:size])).encode()
            self._transport.write(HEAD % (formatdate(usegmt=True).encode(), len(reply)) + reply)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    known = Server()
    served = await loop.create_server(lambda: Connection(known), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{served.sockets[0].getsockname()[1]}", flush=True)
    await served.serve_forever()


@contextmanager
def running() -> Iterator[str]:
    """Start one; gives its address, without the API's folder."""
    command = [sys.executable, "-m", __name__]
    process = subprocess.Popen(command, cwd=ROOT, env=keyless(), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(15)
        if process.stdout is not None:
            process.stdout.close()


def facts(address: str) -> dict[str, Any]:
    """What it was asked since this was asked last: ``asked``, ``connections``, ``jobs``."""
    with urlopen(f"{address}/api/v1/facts") as reply:
        found: dict[str, Any] = json.load(reply)
        return found


if __name__ == "__main__":
    asyncio.run(_serve())
