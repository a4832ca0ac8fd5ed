"""Kernels killed at random times lose no job and bill and post nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import KEY

import wonda_widgets as ww

KILLS = int(os.environ.get("WONDA_TEST_KILLS", "60"))
ACCOUNT = {"instagramAccountId": "11111111-2222-4333-8444-555555555555", "username": "a"}


@pytest.mark.forks
def test_no_job_is_lost_and_nothing_is_billed_or_posted_twice(served, tmp_path):
    sandbox, base_url = served(seconds=0.03, credits=1e9, accounts=[ACCOUNT])
    with ww.Wonda(KEY, base_url=base_url, journal=tmp_path / "journal.db") as wonda:
        # With nothing in it, the history proves nothing.
        media = wonda.media.upload(b"GIF89a another")
        wonda.publish.instagram(
            media_id=media.media_id,
            instagram_account_id=ACCOUNT["instagramAccountId"],
            caption="another",
        ).wait()
    command = [sys.executable, "-m", "tests.crash.kernels", KEY, base_url]
    command += [str(tmp_path / "journal.db"), str(KILLS), "7"]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    told = json.loads(ended.stdout)
    listed, lost = set(), Counter()
    for job in told["jobs"]:
        if job["id"] is None:
            lost[job["kind"], job["what"]] += 1
        else:
            listed.add(job["id"])
    missing = [
        job.body
        for job in sandbox.store.jobs.values()
        if job.job_id not in listed and not lost["inference", job.body["prompt"]]
    ]
    missing += [
        job.body
        for job in sandbox.store.publishes.values()
        if job.job_id not in listed and not lost["publish", job.body["caption"]]
    ]
    billed = Counter(job.body["prompt"] for job in sandbox.store.jobs.values())
    posted = Counter(
        (job.body["mediaId"], job.body["caption"]) for job in sandbox.store.publishes.values()
    )
    figures = {
        "killed": told["killed"],
        "images": len(billed),
        "posts": len(posted),
        "answers never read": sum(lost.values()),
        "of these settled": Counter(told["settled"]),
    }
    print(figures)
    assert told["killed"] == KILLS
    assert missing == []
    assert max(billed.values()) == 1
    assert max(posted.values()) == 1
    assert "unknown" not in told["settled"]
    assert len(posted) > KILLS / 4  # they were not killed before they did anything
