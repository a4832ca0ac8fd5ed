"""Random histories of requests and faults: each request takes effect at most once.

Kernels on two computers, of which one has two kernels on one journal, publish and generate; the
service accepts, refuses, loses and garbles; its history shows all, some or nothing; clocks are
set, computers restart, kernels are killed, entries are pruned; a person checks and decides.

    python -m tests.model.test_exactly_once SECONDS [SEED]

runs it for as long as is asked, and says how many histories that were.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, assume, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

import wonda_widgets as ww
from wonda_widgets.api import jobs as resources_jobs
from wonda_widgets.api import publish
from wonda_widgets.http import responses, service_clock
from wonda_widgets.jobs import submission
from wonda_widgets.jobs.job import Job
from wonda_widgets.journal import entries, pruning
from wonda_widgets.publishing import outcome_check
from wonda_widgets.utils import event_loop, monotonic_clock

from .service import (
    ACCOUNT,
    FATES,
    HISTORIES,
    JOBS,
    LISTS,
    PRICE,
    Service,
)

if TYPE_CHECKING:
    import concurrent.futures

KEY = "sk_" + "5a" * 32
BASE = "https://wonda.example.test/api/v1"
BUDGET = 0.22  # US dollars: five images
SLOWEST = 300.0  # seconds after which a request that was held has taken effect, or never does

#: Kernels by the computer that they are on; those of one computer share a journal.
KERNELS = {"one": 0, "two": 0, "elsewhere": 1}
#: Histories that need not show another computer's post.
BLIND = {"finished", "pages", "empty", "none"}

kernels = st.sampled_from(sorted(KERNELS))
fates = st.one_of(st.just("accepted"), st.sampled_from(sorted(FATES)))
worlds = st.tuples(
    st.sampled_from([0.0, 0.0, 16.0, 32.0, 61.0, 290.0, 700.0, 5000.0, 90_000.0]),
    st.one_of(st.just("complete"), st.sampled_from(HISTORIES)),
    st.one_of(st.just("complete"), st.sampled_from(LISTS)),
    st.one_of(st.just("told"), st.sampled_from(JOBS)),
    st.one_of(st.just(0.0), st.sampled_from([-1200.0, 1200.0, 86_400.0])),  # the service's clock
    # What happens on the computers: a clock is set, or the journals are pruned.
    st.one_of(
        st.none(),
        st.sampled_from([-4e7, -90_000.0, -60.0, 0.0, 60.0, 700.0, 90_000.0, 4e7, "age", "size"]),
    ),
)
ways = st.one_of(
    st.just({}), st.sampled_from([{}, {"allow_repeat": True}, {"allow_unchecked": True}])
)
ends = st.sampled_from(["succeeded", "succeeded", "failed"])
#: Seconds after which a post is to be made; None for at once.
delays = st.sampled_from([None, None, None, 400.0, 4000.0, 50_000.0])
captions = st.sampled_from(["Made with Wonda", ""])
names = st.sampled_from([None, "autumn", "Autumn", "autumn\u00a0", "caf\u00e9", "cafe\u0301"])
#: What names mean that are not written as they are meant.
NAMES = {"autumn\u00a0": "autumn", "cafe\u0301": "caf\u00e9"}
bodies = st.sampled_from(
    [
        {"prompt": "A lake", "params": {"n": 4}},
        {"prompt": "A\u00a0lake", "params": {"n": 4.0}},
        {"prompt": "A lake", "params": {"n": 4, "styleId": None}},
        {"prompt": "A sea " * 300, "params": {}},
    ]
)


class Now(datetime):
    """A datetime that tells the same time of day as `time.time`."""

    @classmethod
    def now(cls, zone=None):
        return cls.fromtimestamp(time.time(), zone)


def meaning(body: dict[str, Any]) -> tuple[str | None, str]:
    """What two requests have in common that a person takes for the same."""
    return body["params"].get("for"), "sea" if "sea" in body["prompt"] else "lake"


class Requests(RuleBasedStateMachine):
    """One person, two computers, and a service that goes wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        self.service = Service()
        self.set_off = 0.0  # seconds by which the time of day is wrong
        self.running = 100.0
        self.starts = 0
        self.patch.setattr(time, "time", self.time_of_day)
        for module in (responses, service_clock, outcome_check, publish, resources_jobs):
            self.patch.setattr(module, "datetime", Now)
        self.patch.setattr(monotonic_clock, "seconds", lambda: self.running)
        self.patch.setattr(monotonic_clock, "clock_id", lambda: f"start {self.starts}")
        self.patch.setattr(Job, "_start", lambda _job: None)  # asked only when a rule says so
        self.patch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.0)
        self.patch.setattr(submission, "CLOSE_TIMEOUT", 0.01)
        self.clients: dict[str, ww.Wonda] = {}
        self.wishes: Counter[str] = Counter()
        self.dismissed: Counter[tuple[str, str]] = Counter()
        self.excused: Counter[str] = Counter()
        self.said: set[str] = set()  # intents that the person called not posted
        self.spent = 0.0
        self.budget = ww.Budget(BUDGET, datetime.fromtimestamp(self.service.now, UTC))
        self.slow_since: float | None = None  # when what is on its way left
        self.sending: list[concurrent.futures.Future[Any]] = []
        for name in KERNELS:
            self.start(name)

    # ------------------------------------------------------------ the world

    def time_of_day(self) -> float:
        self.service.now += 1e-5  # no two moments are the same, so that the order is clear
        return self.service.now + self.set_off

    def start(self, name: str) -> None:
        path = Path(self.folder.name) / f"{KERNELS[name]}.db"
        transport = httpx.MockTransport(self.service)
        self.clients[name] = ww.Wonda(KEY, base_url=BASE, journal=path, transport=transport)

    def meet(self, fate: str) -> None:
        self.service.fate = fate

    @rule(
        takes=st.sampled_from([1.0, 100.0, SLOWEST]),
        ends=st.sampled_from(["succeeded"] * 3 + ["failed"]),
    )
    def jobs_take(self, takes, ends):
        self.service.takes, self.service.ends = takes, ends

    def let_pass(self, seconds: float) -> None:
        if self.slow_since is not None and self.service.now + seconds > self.slow_since + SLOWEST:
            self.what_is_on_its_way_arrives()
        self.service.now += seconds
        self.running += seconds

    def becomes(self, world: tuple[float, str, str, Any, float, Any]) -> None:
        """Let time pass, and the service answer as it does from now on."""
        seconds, *answers, event = world
        self.service.history, self.service.scheduled, self.service.jobs, self.service.skew = answers
        self.let_pass(seconds)
        if isinstance(event, float):
            self.set_off = event
        elif event is not None:
            self.prune(0.001 if event == "age" else 30.0, 1 if event == "size" else 10**9)

    @rule()
    def what_is_on_its_way_arrives(self):
        async def arrive():
            self.service.let_arrive()

        event_loop.run_blocking(arrive())
        for future in self.sending:
            with contextlib.suppress(ww.WondaError):
                future.result(10)
        self.sending.clear()
        self.slow_since = None

    @rule()
    def the_computers_restart(self):
        for name in KERNELS:
            self.clients[name].close()
        self.let_pass(60.0)
        self.starts += 1
        self.running = 5.0
        self.patch.setattr(entries, "_process_token", (0, ""))
        for name in KERNELS:
            self.start(name)

    @rule(name=kernels)
    def a_kernel_is_killed(self, name):
        self.clients[name].close()
        # Others of this process count as another one's from now on, as after a real kill.
        self.start(name)

    def prune(self, days: float, size: int) -> None:
        for name in ("one", "elsewhere"):
            journal = self.clients[name]._async._core.journal
            journal._database.run(lambda file: pruning.prune(file, days, size)).result()

    # ------------------------------------------------------------ the person

    def asked(self, caption: str) -> dict[str, Any]:
        return {"media_id": "m1", "instagram_account_id": ACCOUNT, "caption": caption}

    def allow(self, name: str, caption: str, **allowed: bool) -> None:
        """Note what the person wishes, and what no computer can know."""
        self.wishes[caption] = max(self.wishes[caption], 1)
        # What the other computer has on its way, or what the history does not show of it.
        on_its_way = bool(self.service.held or self.service.waiting)
        blind = self.service.history in BLIND or self.service.scheduled in {"none", "bare"}
        # One whose outcome is unknown may rightly be found absent now, while that one is not seen.
        unseen = (blind and not self.is_known(name, caption)) or (
            on_its_way and not self.is_known(name, caption, but=frozenset({"unknown"}))
        )
        if allowed.get("allow_repeat"):
            self.wishes[caption] += 1
        elif allowed.get("allow_unchecked") or unseen:
            self.excused[caption] += 1

    def is_known(self, name: str, caption: str, but: frozenset[str] = frozenset()) -> bool:
        """Whether this computer has posted it before, or may have."""
        journal = self.clients[name]._async._core.journal
        return any(
            (record.body.get("caption") or "") == caption
            and record.state not in {"refused", "absent", *but}
            and not (record.ended and record.status in {"failed", "canceled"})
            for record in journal._find("kind='publish'", ()).result()
        )

    @rule(name=kernels, fate=fates, caption=captions, how=ways, later=delays, world=worlds)
    def publish(self, name, fate, caption, how, later, world):
        self.becomes(world)
        self.meet(fate)
        self.allow(name, caption, **how)
        when = None
        if later is not None:
            when = datetime.fromtimestamp(self.service.now, UTC) + timedelta(seconds=later)
        with contextlib.suppress(ww.WondaError):
            asked = self.asked(caption)
            self.clients[name].publish.instagram(**asked, scheduled_at=when, **how)

    @rule(name=kernels, fate=st.sampled_from(["accepted", "lost before", "lost after"]))
    def cancel(self, name, fate):
        self.meet(fate)
        with contextlib.suppress(ww.WondaError):
            for post in self.clients[name].publish.scheduled()[:1]:
                self.clients[name].publish.cancel(post)

    @rule(name=kernels, caption=captions)
    def publish_slowly(self, name, caption):
        self.meet("held")
        self.allow(name, caption)
        before = len(self.service.held)
        work = self.clients[name]._async.publish.instagram(**self.asked(caption))
        future = event_loop.spawn(work)
        while len(self.service.held) == before and not future.done():
            event_loop.run_blocking(asyncio.sleep(0))
        self.sending.append(future)
        self.slow_since = self.service.now if self.slow_since is None else self.slow_since

    @rule(first=kernels, second=kernels, fate=fates, caption=captions, world=worlds)
    def publish_at_the_same_moment(self, first, second, fate, caption, world):
        self.becomes(world)
        assume(KERNELS[first] == KERNELS[second])  # two computers cannot know of each other so soon
        self.meet(fate)
        self.allow(first, caption)

        async def both():
            await asyncio.gather(
                *(
                    self.clients[name]._async.publish.instagram(**self.asked(caption))
                    for name in (first, second)
                ),
                return_exceptions=True,
            )

        event_loop.run_blocking(both())

    @rule(name=kernels, world=worlds)
    def check(self, name, world):
        self.becomes(world)
        wonda = self.clients[name]
        for job in wonda.jobs.recent(100):
            if job.kind != "publish" or job.done:
                continue
            with contextlib.suppress(ww.WondaError):
                finding = wonda.publish.check(job)
                self.judge(wonda, job.intent, finding)

    def judge(self, wonda, intent, finding):
        """Nothing that was accepted is called absent, and nothing absent is called posted."""
        [record] = wonda._async._core.journal._find("intent=?", (intent,)).result()
        made = [each for each in self.service.effects if each.job_id == record.job_id]
        if finding.posted is False and record.was_accepted and record.job_id:
            assert made[0].status(self.service.now) in {"failed", "canceled"}
        if finding.posted is True and made:
            assert made[0].status(self.service.now) == "succeeded"

    @rule(name=kernels, posted=st.booleans())
    def the_person_looks_and_says(self, name, posted):
        wonda = self.clients[name]
        for job in wonda.jobs.recent(100):
            if job.kind == "publish" and job.status == "unknown":
                caption = job.request.get("caption") or ""
                try:
                    wonda.publish.settle(job, posted=posted)
                except ww.WondaError:
                    continue  # it is being sent, its job says otherwise, or cannot be asked
                if not posted:  # whether or not that is so: it is the person's word
                    self.wishes[caption] += 1
                    self.said.add(job.intent)
                return

    @rule(name=kernels, world=worlds)
    def the_jobs_are_asked_after(self, name, world):
        self.becomes(world)
        wonda = self.clients[name]
        for job in wonda.jobs.recent(100):
            if job.id is not None and not job.done:
                with contextlib.suppress(ww.WondaError):
                    event_loop.run_blocking(wonda._async._core.poll_once(job.kind, job.id))

    # ------------------------------------------------------------ images

    @rule(name=st.sampled_from(["one", "two"]), fate=fates, body=bodies, called=names, world=worlds)
    def generate(self, name, fate, body, called, world):
        self.becomes(world)
        self.meet(fate)
        params = {**body["params"], "for": NAMES.get(called, called)}
        with contextlib.suppress(ww.WondaError):
            self.clients[name].images.generate(
                model="m", prompt=body["prompt"], params=params, once=called, budget=self.budget
            )

    @rule(name=st.sampled_from(["one", "two"]))
    def the_person_dismisses_an_image(self, name):
        wonda = self.clients[name]
        for job in wonda.jobs.recent(100):
            if job.kind == "inference" and job.status == "unknown":
                self.dismissed[meaning(job.request)] += 1
                wonda.jobs.dismiss(job)
                return

    # ------------------------------------------------------------ what always holds

    @invariant()
    def no_wish_is_posted_twice(self):
        made = Counter(
            effect.body.get("caption") or ""
            for effect in self.service.of_kind("publish")
            if effect.ends != "failed" and not effect.canceled
        )
        for caption, count in made.items():
            allowed = self.wishes[caption] + self.excused[caption]
            assert count <= allowed, f"{caption!r}: {count} posts, {allowed} wished"

    @invariant()
    def no_name_is_made_twice(self):
        made = Counter(meaning(effect.body) for effect in self.service.of_kind("inference"))
        for asked, count in made.items():
            if asked[0] is not None:
                assert count <= 1 + self.dismissed[asked], (asked, count)

    @invariant()
    def what_was_accepted_is_never_absent(self):
        for name in ("one", "elsewhere"):
            journal = self.clients[name]._async._core.journal
            for record in journal._find("taken AND state='absent'", ()).result():
                made = [each for each in self.service.effects if each.job_id == record.job_id]
                failed = made and made[0].status(self.service.now) in {"failed", "canceled"}
                assert failed or record.intent in self.said, record

    @invariant()
    def what_is_spent_never_shrinks_and_never_exceeds(self):
        made = len(self.service.of_kind("inference"))
        assert made * PRICE / 1e6 <= BUDGET + 1e-9
        spent = self.clients["one"].images.spent(self.budget)
        assert spent >= self.spent - 1e-9
        assert spent >= made * PRICE / 1e6 - 1e-9
        self.spent = spent

    def teardown(self):
        self.what_is_on_its_way_arrives()
        for client in self.clients.values():
            client.close()
        self.patch.undo()
        self.folder.cleanup()


def run(number: int, histories: int) -> int:
    """Go through as many histories, from this seed; gives how many began."""
    count = 0

    class Counted(Requests):
        def __init__(self) -> None:
            nonlocal count
            count += 1
            super().__init__()

    run_state_machine_as_test(
        seed(number)(type("Seeded", (Counted,), {})),
        settings=settings(
            max_examples=histories,
            stateful_step_count=30,
            deadline=None,
            database=None,
            print_blob=True,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return count


def test_each_request_takes_effect_at_most_once():
    assert run(0, 200) > 50, "too few histories to say anything"


def main(seconds: float, number: int) -> None:
    """Go through histories, 200 for each seed, until the time is over."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        print(f"seed {number}: {run(number, 200)} histories", flush=True)  # noqa: T201
        number += 1


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
