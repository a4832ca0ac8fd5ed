"""The time that the journal takes for a job, on each thread.

A life is eight writes: begun, leaving, accepted, and what the service says five times
(four statuses and the end, with an image). A process makes many, in a file on disk, and
counts the CPU of all its threads. Then a real client makes jobs, and each transaction notes
the thread that it is on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from .light_server import running
from .rows import (
    KEY,
    ROOT,
    Row,
    keyless,
)

WORDS = ("idle", "locked", "in_progress", "in_progress", "succeeded")
BATCH = 100


def measure(*, quick: bool) -> list[Row]:
    """Make many lives, and a few real jobs."""
    batches = 3 if quick else 20
    with running() as address:
        command = [sys.executable, "-m", __name__, address, str(batches)]
        done = subprocess.run(
            command, cwd=ROOT, env=keyless(), check=True, stdout=subprocess.PIPE, text=True
        )
    found = json.loads(done.stdout)
    life = median(found["lives"]) * 1000
    spread = f"{min(found['lives']) * 1000:.2f} to {max(found['lives']) * 1000:.2f}"
    threads: dict[str, int] = found["threads"]
    own = threads.pop("wonda-journal", 0)
    elsewhere = ", ".join(f"{count} on {name}" for name, count in threads.items()) or "0"
    return [
        Row(
            "journal: CPU time for one job, ms",
            f"{life:.2f} ms ({spread}), {len(WORDS) + 3} writes",
            "",
            life,
            2,
        ),
        Row(
            "journal: transactions on the main thread or the event loop",
            f"{elsewhere}; {own} on the journal's own thread",
            "",
            float(sum(threads.values())),
            0,
        ),
    ]


# ---------------------------------------------------------------- in the other process


def _lives(folder: str, batches: int) -> list[float]:
    """CPU seconds that a job's notes cost, of each hundred."""
    from wonda_widgets.journal.journal import Journal
    from wonda_widgets.models import Snapshot

    base = "https://api.example/api/v1"
    kept = Journal(Path(folder, "journal.db"))
    kept.recent(base).result()  # makes the tables
    found = []
    for batch in range(batches):
        began = time.process_time()
        for number in range(BATCH):
            name = f"00000000-0000-4000-8000-{batch:06}{number:06}"
            body = {"model": "m", "prompt": f"A quiet harbour at dawn, number {number}"}
            intent, _ = kept.begin_request(base, "inference", json.dumps(body).encode()).result()
            kept.mark_sent(intent).result()
            kept.mark_accepted(intent, name).result()
            for word in WORDS:
                kept.update_status(
                    base, "inference", name, Snapshot(status=word, raw=_reply(name, word))
                )
        kept.recent(base, 1).result()  # all is written
        found.append((time.process_time() - began) / BATCH)
    kept.close()
    return found


def _reply(name: str, word: str) -> dict[str, Any]:
    media = {"mediaId": name, "url": f"https://x.example/{name}.png", "width": 1024}
    outputs = [{"outputKey": "image", "media": media}] if word == "succeeded" else []
    return {"inferenceJobId": name, "status": word, "errorMessage": None, "outputs": outputs}


def _threads(address: str, folder: str) -> dict[str, int]:
    """On which threads the transactions of a client's jobs are."""
    import wonda_widgets as ww
    from wonda_widgets.journal.database import Database

    seen: Counter[str] = Counter()
    transaction = Database._transaction

    def noted(self: Any, *args: Any) -> Any:
        seen[threading.current_thread().name.rpartition("_")[0] or "main"] += 1
        return transaction(self, *args)

    Database._transaction = noted  # type: ignore[method-assign]
    path = Path(folder, "client.db")
    with ww.Wonda(KEY, base_url=f"{address}/api/v1", journal=path) as wonda:
        jobs = [wonda.images.generate(model="m", prompt="after 0.1 s") for _ in range(10)]
        for job in jobs:
            job.wait()
        wonda.history.search()
    return dict(seen)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        told = {
            "lives": _lives(place, int(sys.argv[2])),
            "threads": _threads(sys.argv[1], place),
        }
    print(json.dumps(told))
