"""Scheduled posts: schedule once, list, cancel and find again."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from posting_service import EARLIER

import wonda_widgets as ww
from wonda_widgets.jobs import poll_intervals
from wonda_widgets.publishing import outcome_check, posting_time, scheduled_posts
from wonda_widgets.utils import event_loop

POST = {"media_id": "m1", "instagram_account_id": "a1", "caption": "Later"}
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def soon(**ahead):
    return datetime.now(UTC) + timedelta(**(ahead or {"hours": 2}))


class Service:
    """A Wonda that schedules, lists, cancels, and loses its answers on demand."""

    def __init__(self) -> None:
        self.bodies = []
        self.waiting = {}
        self.canceled = set()
        self.started = set()
        self.lose = ""
        self.bare = ()
        self.off = False
        self.deletes = []
        self.lose_delete = ""
        self.empty = False
        self.delete_status = 200
        self.delete_body = b""
        self.list = None  # a reply in place of the list
        self.list_status = 200

    async def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1")
        if path == "/instagram/publishes":
            return httpx.Response(200, json={"publishes": [EARLIER], "nextCursor": None})
        of_schedule = "scheduled" in path or "scheduledAt" in request.content.decode()
        if self.off and of_schedule:
            error = {"error": {"message": "Scheduling is off", "code": "feature_disabled"}}
            return httpx.Response(403, json=error)
        if path == "/publish/instagram":
            return self.take(request)
        job_id = path.rpartition("/")[2]
        if request.method == "DELETE":
            return self.delete(job_id)
        if path == "/publish/scheduled":
            rows = [
                {name: row[name] for name in row if name not in self.bare}
                for job_id, row in self.waiting.items()
                if job_id not in self.canceled
            ]
            listed = json.dumps({"scheduled": rows}).encode() if self.list is None else self.list
            return httpx.Response(self.list_status, content=listed)
        status = "canceled" if job_id in self.canceled else "scheduled"
        return httpx.Response(200, json={"status": status})

    def take(self, request):
        body = json.loads(request.content)
        if self.lose == "before":
            raise httpx.ReadError("lost")
        self.bodies.append(body)
        job_id = f"p{len(self.bodies)}"
        self.waiting[job_id] = {
            "outputJobId": job_id,
            "scheduledFor": body["scheduledAt"],
            "mediaId": body["mediaId"],
            "instagramAccountId": body["instagramAccountId"],
            "caption": body["caption"],
        }
        if self.lose == "after":
            raise httpx.ReadError("lost")
        reply = {"outputJobId": job_id, "status": "scheduled", "scheduledFor": body["scheduledAt"]}
        return httpx.Response(200, json=reply)

    def delete(self, job_id):
        self.deletes.append(job_id)
        if self.lose_delete == "before":
            raise httpx.ReadError("lost")
        if self.lose_delete == "page":
            return httpx.Response(200, content=self.delete_body)
        if job_id in self.canceled or job_id not in self.waiting:
            return httpx.Response(404, json={"error": {"message": "not found"}})
        if job_id in self.started:
            return httpx.Response(409, json={"error": {"message": "started"}})
        self.canceled.add(job_id)
        if self.lose_delete == "after":
            raise httpx.ReadError("lost")
        if self.delete_status != 200:
            return httpx.Response(self.delete_status, json={"error": {"message": "failed"}})
        return httpx.Response(204) if self.empty else httpx.Response(200, json={})


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
    monkeypatch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.0)
    return Service()


def test_scheduled_post_is_a_job_and_is_listed_with_its_request(kernel, service):
    wonda = kernel()
    when = soon()
    job = wonda.publish.instagram(**POST, scheduled_at=when)
    assert job.status == "scheduled"
    assert not job.done
    assert job.snapshot.scheduled_for == when.replace(microsecond=0)
    assert service.bodies[0]["scheduledAt"] == when.isoformat(timespec="seconds")
    assert "scheduled_at=" in job.code()
    service.bare = ("mediaId", "caption", "instagramAccountId")  # what is documented nowhere
    [post] = wonda.publish.scheduled()
    assert (post.job_id, post.media_ids, post.caption) == ("p1", ("m1",), "Later")
    assert post.scheduled_for == when.replace(microsecond=0)


def test_scheduled_post_is_not_unfinished_work(kernel):
    first = kernel()
    first.publish.instagram(**POST, scheduled_at=soon())
    first.close()
    assert kernel().jobs.unfinished() == []


def test_canceled_post_is_canceled_everywhere(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram(**POST, scheduled_at=soon())
    service.empty = True
    wonda.publish.cancel(wonda.publish.scheduled()[0])
    with pytest.raises(ww.JobCanceledError):
        job.wait(timeout=5)
    assert wonda.publish.scheduled() == []
    [again] = kernel().jobs.recent()
    assert again.status == "canceled"
    # What was taken back may be posted after all.
    kernel().publish.instagram(**POST, scheduled_at=soon(hours=3))
    assert len(service.bodies) == 2


def test_lost_cancel_response_is_checked_in_the_list(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram(**POST, scheduled_at=soon())
    service.lose_delete = "after"
    wonda.publish.cancel(job)
    assert job.status == "canceled"


def test_undelivered_cancel_is_not_reported_as_done(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram(**POST, scheduled_at=soon())
    service.lose_delete = "before"
    with pytest.raises(ww.ServiceUnreachableError, match="know whether the post was canceled"):
        wonda.publish.cancel(job.id)
    assert job.status == "scheduled"


def test_started_post_cannot_be_canceled(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram(**POST, scheduled_at=soon())
    service.started.add("p1")
    with pytest.raises(ww.ConflictError, match="started or ended, so"):
        wonda.publish.cancel(job)
    with pytest.raises(ww.NotFoundError, match="no longer scheduled"):
        wonda.publish.cancel("other")
    assert job.status == "scheduled"


def test_account_without_scheduling_is_reported(kernel, service):
    wonda = kernel()
    service.off = True
    with pytest.raises(ww.PermissionDeniedError, match="Scheduling is not enabled"):
        wonda.publish.scheduled()
    with pytest.raises(ww.PermissionDeniedError, match="Scheduling is not enabled"):
        wonda.publish.instagram(**POST, scheduled_at=soon())
    assert service.bodies == []


def test_same_post_is_not_scheduled_or_posted_twice(kernel, service):
    wonda = kernel()
    wonda.publish.instagram(**POST, scheduled_at=soon())
    with pytest.raises(ww.AlreadyPublishedError, match="is already scheduled for"):
        kernel().publish.instagram(**POST, scheduled_at=soon(hours=5))
    with pytest.raises(ww.AlreadyPublishedError, match="is already scheduled for"):
        kernel().publish.instagram(**POST)
    assert len(service.bodies) == 1


@pytest.mark.parametrize("lose", ["before", "after"])
def test_lost_schedule_response_is_settled_by_the_list(kernel, service, lose):
    wonda = kernel()
    service.lose = lose
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram(**POST, scheduled_at=soon())
    service.lose = ""
    finding = wonda.publish.check(caught.value)
    if lose == "after":
        assert finding.job.id == "p1"
        assert finding.message == "Wonda received the post and scheduled it."
        with pytest.raises(ww.AlreadyPublishedError):
            wonda.publish.instagram(**POST, scheduled_at=soon())
    else:
        assert finding.posted is False
        wonda.publish.instagram(**POST, scheduled_at=soon())
    assert len(service.bodies) == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"<html>",
        b"",
        b"{}",
        b'{"message": "down", "details": []}',
        b'{"errors": ["timeout"], "scheduled": []}',
        b'{"error": {"message": "x"}, "scheduled": []}',
        b'{"scheduled": [], "nextCursor": {"x": 1}}',
        b'{"scheduled": [null]}',
        b'{"scheduled": [{"healthy": true}]}',
        b'{"scheduled": [], "success": false}',
    ],
)
def test_malformed_list_proves_nothing(kernel, service, reply):
    wonda = kernel()
    service.lose = "after"
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram(**POST, scheduled_at=soon())
    service.lose, service.list = "", reply
    assert wonda.publish.check(caught.value).posted is None
    with pytest.raises(ww.OutcomeUnknownError):
        wonda.publish.instagram(**POST, scheduled_at=soon())
    assert len(service.bodies) == 1
    with pytest.raises(ww.UnexpectedReplyError):
        wonda.publish.scheduled()


def test_html_response_to_a_cancel_cancels_nothing(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram(**POST, scheduled_at=soon())
    service.delete_body, service.lose_delete = b"<html>Maintenance</html>", "page"
    with pytest.raises(ww.UnexpectedReplyError) as caught:
        wonda.publish.cancel(job)
    assert "know whether the post was canceled" in caught.value.hint
    with pytest.raises(ww.AlreadyPublishedError):
        wonda.publish.instagram(**POST, scheduled_at=soon())


def test_sparse_list_requires_confirmation(kernel, service):
    wonda = kernel()
    service.lose = "after"
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram(**POST, scheduled_at=soon())
    service.bare = ("mediaId", "caption", "instagramAccountId")
    assert wonda.publish.check(caught.value).posted is None
    service.off = True
    finding = wonda.publish.check(caught.value)
    assert finding.posted is None
    assert "cannot be listed" in finding.message


class Fixed(tzinfo):
    """A zone that does not say whether it is summer time, as a zone need not."""

    def utcoffset(self, _when):
        return timedelta(hours=1)

    def dst(self, _when):
        return None

    def tzname(self, _when):
        return None


class Nowhere(tzinfo):
    def utcoffset(self, _):
        return None


class NotATime(datetime):
    """As pandas has it for a time that is missing."""

    __hash__ = None

    def __eq__(self, _):
        return False

    def __ne__(self, _):
        return True


class Stamp(datetime):
    """As pandas has it: with words of its own for a text of it."""

    def isoformat(self, *_, **__):
        return "1 day"

    def __sub__(self, other):
        return "1 day"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (NOW - timedelta(hours=1), "in the past"),
        (NOW + timedelta(minutes=4), "less than 5 minutes ahead"),
        (NOW + timedelta(days=29, minutes=1), "more than 29 days from now"),
        ("tomorrow", "is not a time"),
        (17, "is not a time"),
        ("", "is not a time"),
        ("2026-12-01T18:00 Europe/Berlin", "is not a time"),
        (date(2026, 11, 29), "2026-11-29 is a date without a time"),
        ("2026-11-29", "2026-11-29 is a date without a time"),
        ("20261129", "20261129 is a date without a time"),
        (NOW.replace(tzinfo=None), "2026-11-25 12:00 has no time zone"),
        ("2026-11-25T18:00", "2026-11-25 18:00 has no time zone"),
        ("2026-11-25 18:00:09.5", "2026-11-25 18:00 has no time zone"),
        (datetime(2026, 11, 25, 18, 0, tzinfo=Nowhere()), "2026-11-25 18:00 has no time zone"),
        (NotATime(2026, 11, 25, 18, 0, tzinfo=UTC), "is not a time"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-9))), "9999"),
    ],
)
def test_invalid_time_is_refused(when, said):
    with pytest.raises(ww.InvalidInputError, match=said) as caught:
        posting_time.parse(when, NOW)
    assert caught.value.field == "scheduled_at"


@pytest.mark.parametrize(
    ("when", "on_the_wire"),
    [
        (None, None),
        (datetime(2026, 11, 25, 14, 0, tzinfo=UTC), "2026-11-25T14:00:00+00:00"),
        (
            datetime(2026, 11, 25, 16, 0, 9, 5, tzinfo=timezone(timedelta(hours=2))),
            "2026-11-25T16:00:09+02:00",
        ),
        ("2026-11-25T18:30-05:00", "2026-11-25T18:30:00-05:00"),
        ("2026-11-25T14:00Z", "2026-11-25T14:00:00+00:00"),
        # The API's form of an offset has no seconds.
        ("2026-11-25T14:00+01:00:17", "2026-11-25T12:59:43+00:00"),
        (datetime(2026, 11, 25, 14, 0, tzinfo=Fixed()), "2026-11-25T14:00:00+01:00"),
        (NOW + timedelta(days=29), "2026-12-24T12:00:00+00:00"),
    ],
)
def test_time_is_sent_with_its_offset(when, on_the_wire):
    assert posting_time.parse(when, NOW) == on_the_wire


@pytest.mark.parametrize(
    ("zone", "now", "wall", "instead"),
    [
        ("Europe/Berlin", "2026-03-20", (2026, 3, 29, 2, 30), "03:30"),
        ("America/New_York", "2027-03-01", (2027, 3, 14, 2, 0), "03:00"),
        ("Australia/Lord_Howe", "2026-09-20", (2026, 10, 4, 2, 15), "02:45"),  # half an hour
    ],
)
def test_nonexistent_local_time_is_refused(zone, now, wall, instead):
    when = datetime(*wall, tzinfo=ZoneInfo(zone))
    with pytest.raises(ww.InvalidInputError, match=f"does not exist in {zone}") as caught:
        posting_time.parse(when, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert instead in caught.value.hint


@pytest.mark.parametrize(
    ("zone", "now", "wall", "both"),
    [
        ("Europe/Berlin", "2026-10-20", (2026, 10, 25, 2, 30), ("+02:00", "+01:00")),
        ("America/Sao_Paulo", "2018-02-10", (2018, 2, 17, 23, 30), ("-02:00", "-03:00")),
        ("Australia/Lord_Howe", "2026-03-20", (2026, 4, 5, 1, 45), ("+11:00", "+10:30")),
    ],
)
def test_ambiguous_local_time_must_be_specified(zone, now, wall, both):
    when = datetime(*wall, tzinfo=ZoneInfo(zone))
    now = datetime.fromisoformat(now).replace(tzinfo=UTC)
    with pytest.raises(ww.InvalidInputError, match="occurs twice") as caught:
        posting_time.parse(when, now)
    named = re.findall(r"\d{4}-\d\d-\d\dT\S+:\d\d", caught.value.hint)
    assert [text[-6:] for text in named] == list(both)
    assert [posting_time.parse(text, now)[-6:] for text in named] == list(both)
    assert posting_time.parse(when.replace(fold=1), now)[-6:] == both[1]  # it is named


def test_datetime_subclasses_are_accepted():
    when = Stamp(2026, 11, 26, 9, 0, 1, 999, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert posting_time.parse(when, NOW) == "2026-11-26T09:00:01+05:30"


def test_scheduled_post_is_polled_rarely_until_due():
    assert poll_intervals.until_due(5, 86_400) == 60
    assert poll_intervals.until_due(5, 30) == 30
    assert poll_intervals.until_due(5, 2) == 5
    assert poll_intervals.until_due(5, -60) == 5


@pytest.mark.usefixtures("quick_polls")
def test_carousel_on_the_sandbox():
    with ww.Wonda.sandbox(seconds=0.05) as wonda:
        media = wonda.images.generate(model="z-image", prompt="A lake").wait().media.media_id
        account = wonda.accounts.instagram()[0].instagram_account_id
        post = {"media_id": media, "instagram_account_id": account}
        job = wonda.publish.instagram(**post, scheduled_at=soon())
        assert [each.job_id for each in wonda.publish.scheduled()] == [job.id]
        wonda.publish.cancel(job)
        assert wonda.publish.scheduled() == []
    with (
        ww.Wonda.sandbox(seconds=0.05, scheduling=False) as wonda,
        pytest.raises(ww.PermissionDeniedError, match="Scheduling is not enabled"),
    ):
        wonda.publish.scheduled()


@pytest.mark.parametrize(
    ("change", "like"),
    [
        ({}, "MATCH"),
        ({"scheduledFor": "2026-12-01T18:00:00Z"}, "AMBIGUOUS"),  # rounded to the minute
        ({"scheduledFor": None}, "AMBIGUOUS"),
        ({"outputJobId": None}, "AMBIGUOUS"),
        ({"mediaId": "a copy"}, "AMBIGUOUS"),
        ({"caption": "Other words"}, "AMBIGUOUS"),
        ({"mediaId": "another", "caption": "Other words"}, "DIFFERENT"),
        ({"scheduledFor": "2026-12-01T18:05:00Z"}, "DIFFERENT"),
        ({"instagramAccountId": "else"}, "DIFFERENT"),
        ({"outputJobId": "known"}, "DIFFERENT"),
    ],
)
def test_matching_list_rows_with_posts(change, like):
    body = {"mediaId": "m1", "instagramAccountId": "a1", "caption": "Later"}
    body["scheduledAt"] = "2026-12-01T18:00:20+00:00"
    row = {**body, "scheduledFor": body["scheduledAt"], "outputJobId": "p1", **change}
    del row["scheduledAt"]
    post = scheduled_posts._parse_row({name: value for name, value in row.items() if value}, {})
    assert scheduled_posts._match(post, body, {"known"}).name == like


def test_post_that_left_the_list_may_still_arrive(kernel, service, monkeypatch):
    wonda = kernel()
    service.lose = "before"
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram(**POST, scheduled_at=soon())
    [record] = event_loop.run_blocking(found(wonda, caught.value.intent))
    long_ago = msgspec.structs.replace(record, clock_seconds=record.clock_seconds - 7200)
    due = datetime.fromisoformat(record.body["scheduledAt"]).timestamp()
    core = wonda._async._core
    monkeypatch.setattr(outcome_check, "_service_time", lambda _core: due + 5)
    assert outcome_check._silent_seconds(core, long_ago) == pytest.approx(5, abs=1)
    monkeypatch.setattr(outcome_check, "_service_time", lambda _core: due - 3600)
    assert outcome_check._silent_seconds(core, long_ago) >= 7200


async def found(wonda, intent):
    import asyncio

    return await asyncio.wrap_future(wonda._async._core.journal.find_by_intent(intent))


def test_overdue_scheduled_post_is_offered(kernel, monkeypatch):
    first = kernel()
    first.publish.instagram(**POST, scheduled_at=soon(days=20))
    first.close()
    later = datetime.now(UTC) + timedelta(days=20, hours=1)
    monkeypatch.setattr("wonda_widgets.api.jobs.time.time", later.timestamp)

    class Later(datetime):
        @classmethod
        def now(cls, _zone=None):
            return later

    monkeypatch.setattr("wonda_widgets.api.jobs.datetime", Later)
    [record] = kernel().jobs.unfinished()
    assert record.job_id == "p1"


def test_failed_cancel_is_checked_in_the_list(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram(**POST, scheduled_at=soon())
    service.delete_status = 500
    wonda.publish.cancel(job)
    assert job.status == "canceled"


@pytest.mark.parametrize(
    "said",
    [
        {"success": False, "message": "already publishing"},
        {"ok": False},
        {"canceled": False},
        {"deleted": 0},
        {"result": "failed"},
        {"error": {"message": "busy", "code": "conflict"}},
        {"errors": ["busy"]},
        {"status": "in_progress"},
        {"status": {"name": "canceled"}},
        [],
        "no",
        0,
    ],
)
def test_ambiguous_cancel_response_cancels_nothing(kernel, service, said):
    wonda = kernel()
    job = wonda.publish.instagram(**POST, scheduled_at=soon())
    service.delete_body, service.lose_delete = json.dumps(said).encode(), "page"
    with pytest.raises(ww.UnexpectedReplyError, match="know whether the post was canceled"):
        wonda.publish.cancel(job)
    assert job.status == "scheduled"
    with pytest.raises(ww.AlreadyPublishedError):
        wonda.publish.instagram(**POST)
    assert len(service.bodies) == 1


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"ok": True, "refunded": False},
        {"status": "canceled", "started": False},
        {"outputJobId": "p1"},
    ],
)
def test_other_cancel_confirmations_are_accepted(kernel, service, said):
    wonda = kernel()
    job = wonda.publish.instagram(**POST, scheduled_at=soon())
    service.delete_body, service.lose_delete = json.dumps(said).encode(), "page"
    wonda.publish.cancel(job)
    assert job.status == "canceled"


@pytest.mark.parametrize("wrong", ["here", "there"])
def test_wrong_clock_does_not_make_a_post_due(kernel, service, monkeypatch, wrong):
    wonda = kernel()
    service.lose = "after"
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram(**POST, scheduled_at=soon(hours=20))
    service.lose, service.list = "", b"<html>"
    late = datetime.now(UTC) + timedelta(days=2)

    class Late(datetime):
        @classmethod
        def now(cls, _zone=None):
            return late

    if wrong == "here":
        right = datetime.now(UTC).timestamp()
        monkeypatch.setattr(outcome_check, "_service_time", lambda _core: right)
        monkeypatch.setattr(outcome_check, "datetime", Late)
    else:
        monkeypatch.setattr(outcome_check, "_service_time", lambda _core: late.timestamp())
    assert "cannot be listed" in wonda.publish.check(caught.value).message
    with pytest.raises(ww.OutcomeUnknownError):
        wonda.publish.instagram(**POST, scheduled_at=soon(hours=20))
    assert len(service.bodies) == 1
