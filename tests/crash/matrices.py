"""Kernels that run one matrix and are killed at random times; see `test_matrix_killed`.

python -m tests.crash.matrices KEY BASE_URL JOURNAL SEED TAKES

Each kernel is a fork of this process. It makes the same plan, which goes on where the
one before it was killed. The last one is not killed, and prints its rows as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time

import wonda_widgets as ww
from wonda_widgets.jobs import poll_intervals

CELLS = 40
LIGHTS = ["low haze", "clear air", "violet dusk", "after rain"]
KILLS = 5
LONGEST = 0.6  # seconds that a kernel lives; all of it takes six at least


def main() -> None:
    key, base_url, journal, seed, takes = sys.argv[1:]
    poll_intervals.FIRST_INTERVAL = 0.01
    chance = random.Random(int(seed))
    killed = 0
    heard, tell = os.pipe()
    for number in range(KILLS):
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                made = matrix(key, base_url, journal, int(takes))
                made.watch(lambda _: os.write(tell, b"."))
                made.wait()
            os._exit(0)
        if number == 0:  # it leaves something, however slow the machine is
            os.read(heard, 1)
        time.sleep(chance.uniform(0.2, LONGEST))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
    last = matrix(key, base_url, journal, int(takes))
    rows = last.wait()
    print(json.dumps({"killed": killed, "resumed": last.resumed, "rows": rows}))


def matrix(key: str, base_url: str, journal: str, takes: int) -> ww.Matrix:
    wonda = ww.Wonda(key, base_url=base_url, journal=journal)
    return plan(wonda, takes)


def plan(wonda: ww.Wonda, takes: int) -> ww.Matrix:
    """The same number of cells, with as many takes of each combination."""
    count = CELLS // (len(LIGHTS) * takes)
    subjects = [f"subject {number}" for number in range(count)]
    values = {"subject": subjects, "light": LIGHTS}
    return wonda.images.matrix("A {subject}, {light}", values, "z-image", takes=takes)


if __name__ == "__main__":
    main()
