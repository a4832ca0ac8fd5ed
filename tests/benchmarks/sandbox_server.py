"""The sandbox in a separate process, on a socket.

Its jobs take as long as it is told, none by default. The images and videos are those of a
folder, in turn, so that nothing is painted while something is measured. It prints its
base URL, and then a line for each POST of a generation: the moment it arrived, in
seconds since 1970.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .rows import ROOT, keyless

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def serving_images(folder: Path, seconds: float = 0.0) -> Iterator[tuple[str, IO[str]]]:
    """Serve; gives the base URL, and what is printed of each generation that arrives."""
    command = [sys.executable, "-m", __name__, str(folder), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, env=keyless(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process.stdout
    finally:
        process.terminate()
        process.wait(15)
        process.stdout.close()


# ---------------------------------------------------------------- in the other process


async def _serve(files: list[bytes], seconds: float) -> None:
    from wonda_widgets.sandbox.server import serving

    images = cycle(files)
    async with serving(seconds=seconds, credits=1e9) as (sandbox, base_url):
        take, found = sandbox.faults.on_request, {}

        def noted(method: str, path: str) -> Any:
            if path.endswith("/generate"):
                print(time.time(), flush=True)
            return take(method, path)

        def image(medium: Any) -> bytes:
            return found.setdefault(medium.media_id, next(images))

        sandbox.faults.on_request = noted  # type: ignore[method-assign]
        sandbox.store.content = image  # type: ignore[method-assign]
        print(base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    there = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.[pm][np][g4]"))]
    asyncio.run(_serve(there, float(sys.argv[2])))
