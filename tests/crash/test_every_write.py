"""Crash at every write to the journal, with events in any order.

A crash is a journal that takes nothing more, from one of its writes on: whatever
the process did after that, the next one finds the file as it was then.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
from collections import Counter
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from conftest import KEY
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from posting_service import EARLIER

import wonda_widgets as ww
from wonda_widgets.jobs import poll_intervals
from wonda_widgets.publishing import outcome_check

BASE = "https://wonda.example.test/api/v1"
PUBLISH, GENERATE = "/publish/instagram", "/image/generate"


class Crashed(BaseException):
    """The process is gone."""


class Dying(ww.Journal):
    """A journal that takes `writes` more writes, and the last of them or not."""

    def __init__(self, path, writes, *, last_is_kept=True):
        super().__init__(path)
        self.left = writes
        self.count = 0
        run = self._database.run

        def counted(work, *, writes=True):
            if not writes:
                return run(work, writes=False)
            self.count += 1
            self.left -= 1
            if self.left > 0 or (self.left == 0 and last_is_kept):
                done = run(work)
                done.result()
                if self.left > 0:
                    return done
            gone = Future()
            gone.set_exception(Crashed())
            return gone

        self._database.run = counted


class Service:
    """A Wonda that takes everything, and answers or not."""

    def __init__(self):
        self.jobs = {}
        self.posts = []
        self.ids = itertools.count()
        self.lose = None
        self.status = "succeeded"

    async def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1")
        if path == "/instagram/publishes":
            return httpx.Response(200, json={"publishes": [*self.posts[::-1], EARLIER]})
        if path == "/publish/scheduled":
            return httpx.Response(200, json={"scheduled": []})
        if path in {PUBLISH, GENERATE}:
            if self.lose == "before":
                raise httpx.ReadError("lost")
            reply = self.take(path, json.loads(request.content))
            if self.lose == "after":
                raise httpx.ReadError("lost")
            return httpx.Response(200, json=reply)
        job_id = path.rpartition("/")[2]
        media = {"mediaId": f"m-{job_id}"}
        outputs = [{"media": media}] if self.status == "succeeded" else []
        return httpx.Response(200, json={"status": self.status, "outputs": outputs})

    def take(self, path, body):
        job_id = f"j{next(self.ids)}"
        self.jobs[job_id] = body.get("prompt") or body.get("caption")
        if path == GENERATE:
            return {"inferenceJobId": job_id}
        row = {
            **{name: body.get(name) for name in ("mediaId", "instagramAccountId", "caption")},
            "outputJobId": job_id,
            "status": "succeeded",
            "createdAt": datetime.now(UTC).isoformat(),
        }
        self.posts.append(row)
        return {"outputJobId": job_id}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
    monkeypatch.setattr(poll_intervals, "FIRST_INTERVAL", 0.001)


def kernel(service, journal):
    return ww.Wonda(KEY, base_url=BASE, journal=journal, transport=httpx.MockTransport(service))


def flow(wonda):
    """From a prompt to a post."""
    done = wonda.images.generate(model="m", prompt="picture").wait(10)
    wonda.publish.instagram(
        media_id=done.media.media_id, instagram_account_id="a", caption="post"
    ).wait(10)


def listed(wonda):
    """The ids and, where an answer was never read, what was asked."""
    jobs = wonda.jobs.recent(10_000)
    return {job.id or job.request.get("prompt") or job.request.get("caption") for job in jobs}


def writes_of_a_flow(path):
    journal = Dying(path, 10_000)
    with kernel(Service(), journal) as wonda:
        flow(wonda)
        journal.close()
    return journal.count


@pytest.mark.parametrize("lose", [None, "after"])
@pytest.mark.parametrize("last_is_kept", [True, False])
def test_crash_at_any_write_loses_no_job_and_posts_nothing_twice(tmp_path, last_is_kept, lose):
    total = writes_of_a_flow(tmp_path / "whole.db")
    assert total >= 6
    for number in range(1, total + 1):
        service = Service()
        service.lose = lose
        path = tmp_path / f"{number}.db"
        dying = Dying(path, number, last_is_kept=last_is_kept)
        wonda = kernel(service, dying)
        with contextlib.suppress(Crashed, ww.WondaError):
            flow(wonda)
        with contextlib.suppress(Crashed):
            wonda.close()
        dying.close()
        # The process is gone; whoever asks for its requests is another one.
        service.lose = None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("wonda_widgets.journal.entries._process_token", (0, ""))
            with kernel(service, path) as after:
                known = listed(after)
                for job_id, asked in service.jobs.items():
                    assert job_id in known or asked in known, (number, service.jobs)
                images = [job for job in after.jobs.recent() if job.kind == "inference"]
                if any(job.id for job in images):
                    media_id = next(job for job in images if job.id).wait(10).media.media_id
                    for _ in range(2):
                        with contextlib.suppress(ww.AlreadyPublishedError):
                            after.publish.instagram(
                                media_id=media_id, instagram_account_id="a", caption="post"
                            )
                    assert len(service.posts) == 1, number


class Kernels(RuleBasedStateMachine):
    """Kernels on one journal that ask, lose answers, crash and come back, in any order."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.service = Service()
        self.numbers = itertools.count()
        self.asked = []
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
        self.patch.setattr(poll_intervals, "FIRST_INTERVAL", 0.001)
        self.wonda = kernel(self.service, self.path)

    def attempt(self, call):
        with contextlib.suppress(ww.WondaError, Crashed):
            call()

    @rule(lose=st.sampled_from([None, None, "before", "after"]))
    def generate(self, lose):
        self.service.lose = lose
        prompt = f"image {next(self.numbers)}"
        self.attempt(lambda: self.wonda.images.generate(model="m", prompt=prompt))
        self.service.lose = None

    @rule(
        lose=st.sampled_from([None, "before", "after"]),
        media=st.integers(0, 2),
        caption=st.integers(0, 1),
    )
    def publish(self, lose, media, caption):
        self.service.lose = lose
        self.attempt(
            lambda: self.wonda.publish.instagram(
                media_id=f"m{media}", instagram_account_id="a", caption=f"post {caption}"
            )
        )
        self.service.lose = None

    @rule()
    def check(self):
        for job in self.wonda.jobs.recent(1000):
            if job.kind == "publish" and job.id is None and not job.done:
                # A post of another image with this caption may be an edit of the same image.
                similar = [
                    post
                    for post in self.service.posts
                    if post["caption"] == job.request["caption"]
                    and post["mediaId"] != job.request["mediaId"]
                ]
                assert self.wonda.publish.check(job).posted is not None or similar

    @rule()
    def restart(self):
        self.wonda.close()
        self.patch.setattr("wonda_widgets.journal.entries._process_token", (0, ""))
        self.wonda = kernel(self.service, self.path)

    @rule(writes=st.integers(1, 6), kept=st.booleans())
    def will_crash(self, writes, kept):
        self.wonda.close()
        dying = Dying(self.path, writes, last_is_kept=kept)
        self.wonda = kernel(self.service, dying)
        self.generate(None)
        self.publish(None, 0, 0)
        self.attempt(self.wonda.close)
        dying.close()
        self.patch.setattr("wonda_widgets.journal.entries._process_token", (0, ""))
        self.wonda = kernel(self.service, self.path)

    @invariant()
    def nothing_is_lost(self):
        known = listed(self.wonda)
        for job_id, asked in self.service.jobs.items():
            assert job_id in known or asked in known

    @invariant()
    def nothing_is_made_twice(self):
        posts = Counter((row["mediaId"], row["caption"]) for row in self.service.posts)
        assert max(posts.values(), default=1) == 1
        made = Counter(asked for asked in self.service.jobs.values() if "picture" in str(asked))
        assert max(made.values(), default=1) == 1

    def teardown(self):
        self.wonda.close()
        self.patch.undo()
        self.folder.cleanup()


TestKernels = Kernels.TestCase
TestKernels.settings = settings(
    max_examples=40,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
