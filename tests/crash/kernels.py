"""Kernels that are killed at random times; run by `test_killed_kernels` in a separate process.

python -m tests.crash.kernels KEY BASE_URL JOURNAL KILLS SEED

Each kernel is a fork of this process, in which everything is imported and nothing
is started. It takes up what the one before it left, asks for images, and posts
each image that it knows of. The last one is not killed; it settles what is
unknown and prints what it knows, as JSON.
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
from wonda_widgets.publishing import outcome_check

IMAGES = 3  # of each kernel
LONGEST = 0.6  # seconds that a kernel lives, or as many as one takes here for all it does
ALL = 1_000_000
GRACE = 1.0  # seconds


def main() -> None:
    key, base_url, journal, kills, seed = sys.argv[1:]
    poll_intervals.FIRST_INTERVAL = 0.01
    outcome_check.grace_seconds = lambda _record: (
        GRACE
    )  # the service answers within milliseconds here
    chance = random.Random(int(seed))
    killed = begun = 0

    def started() -> int:
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                kernel(ww.Wonda(key, base_url=base_url, journal=journal), f"{begun}")
            os._exit(0)
        return child

    before = time.monotonic()
    os.waitpid(started(), 0)  # a busy machine takes longer
    longest = max(LONGEST, time.monotonic() - before)
    while killed < int(kills):
        begun += 1
        child = started()
        time.sleep(chance.uniform(0.005, longest))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
    time.sleep(GRACE + 0.2)
    wonda = ww.Wonda(key, base_url=base_url, journal=journal)
    settled = take_up(wonda, ALL)
    print(json.dumps({"killed": killed, "settled": settled, "jobs": known(wonda)}))


def kernel(wonda: ww.Wonda, name: str) -> None:
    """What a person's kernel does until it is killed."""
    take_up(wonda, IMAGES)
    jobs = [
        wonda.images.generate(model="z-image", prompt=f"{name}-{number}")
        for number in range(IMAGES)
    ]
    jobs.append(wonda.videos.generate(model="seedance-2", prompt=f"{name}-video"))
    for job in jobs:
        post(wonda, job)


def take_up(wonda: ww.Wonda, limit: int) -> list[str]:
    """Settle lost posts, and post each image that is known; how the lost ones ended."""
    settled = []
    for job in wonda.jobs.recent(limit):
        if job.kind == "publish" and job.id is None and not job.done:
            finding = wonda.publish.check(job)
            settled.append({True: "posted", False: "not posted", None: "unknown"}[finding.posted])
        elif job.kind == "inference" and job.id is not None:
            post(wonda, job)
    return settled


def post(wonda: ww.Wonda, job: ww.Job) -> None:
    """Post an image, whether or not somebody has before."""
    media_id = job.wait().media.media_id
    account = "11111111-2222-4333-8444-555555555555"
    with contextlib.suppress(ww.AlreadyPublishedError, ww.OutcomeUnknownError):
        wonda.publish.instagram(
            media_id=media_id, instagram_account_id=account, caption=job.request["prompt"]
        )


def known(wonda: ww.Wonda) -> list[dict[str, object]]:
    """Everything that the journal lists."""
    return [
        {
            "id": job.id,
            "kind": job.kind,
            "done": job.done,
            "what": job.request.get("prompt") or job.request.get("caption"),
        }
        for job in wonda.jobs.recent(ALL)
    ]


if __name__ == "__main__":
    main()
