"""The same post is made once, whatever happens to the response."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from conftest import BASE, KEY
from posting_service import EARLIER, POST, Service, lost

import wonda_widgets as ww
from wonda_widgets.publishing import outcome_check
from wonda_widgets.utils import event_loop, monotonic_clock


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
    return Service()


def test_same_post_requires_confirmation(kernel, service):
    wonda = kernel()
    wonda.publish.instagram(**POST).wait()
    with pytest.raises(ww.AlreadyPublishedError, match="already posted") as caught:
        wonda.publish.instagram(**POST)
    assert caught.value.permalink == "https://instagram.example.test/p/1"
    assert "allow_repeat=True" in caught.value.hint
    assert service.posts == 1
    wonda.publish.instagram(**POST, allow_repeat=True).wait()
    assert service.posts == 2


def test_repetition_is_found_without_sending_or_recording(kernel, service):
    wonda = kernel()
    wonda.publish.require_new(**POST)
    assert wonda.jobs.recent() == []
    wonda.publish.instagram(**POST).wait()
    with pytest.raises(ww.AlreadyPublishedError, match="already posted"):
        wonda.publish.require_new(**POST)
    wonda.publish.require_new(**{**POST, "caption": "Another one"})
    assert (service.posts, len(wonda.jobs.recent())) == (1, 1)


def test_post_with_the_api_key_in_its_text_is_refused(kernel, service):
    wonda = kernel()
    with pytest.raises(ww.InvalidInputError, match="contains your API key") as caught:
        wonda.publish.instagram(**{**POST, "caption": f"Made with {KEY}"})
    assert KEY not in str(caught.value)
    assert (service.posts, wonda.jobs.recent()) == (0, [])


@pytest.mark.parametrize(
    "other",
    [
        {"media_id": "m2"},
        {"instagram_account_id": "a2"},
        {"caption": "Another one"},
        {"product": "STORIES"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_different_post_requires_no_confirmation(kernel, service, other):
    wonda = kernel()
    wonda.publish.instagram(**POST).wait()
    wonda.publish.instagram(**{**POST, **other}).wait()
    assert service.posts == 2


def test_whitespace_and_defaults_do_not_make_a_different_post(kernel, service):
    wonda = kernel()
    wonda.publish.instagram(**POST).wait()
    with pytest.raises(ww.AlreadyPublishedError):
        wonda.publish.instagram(**{**POST, "caption": " Made  with\nWonda "}, product="IMAGE")
    assert service.posts == 1


def test_other_kernels_recognize_a_post_in_progress(kernel, service):
    service.status, service.history = "in_progress", 404
    kernel().publish.instagram(**POST)
    with pytest.raises(ww.AlreadyPublishedError, match="in progress") as caught:
        kernel().publish.instagram(**POST)
    assert caught.value.job_id == "p1"
    assert service.posts == 1


def test_post_by_another_client_is_found_in_the_history(kernel, service, tmp_path):
    kernel().publish.instagram(**POST).wait()
    elsewhere = ww.Wonda(
        KEY, base_url=BASE, journal=tmp_path / "2.db", transport=httpx.MockTransport(service)
    )
    with elsewhere, pytest.raises(ww.AlreadyPublishedError):
        elsewhere.publish.instagram(**POST)
    assert service.posts == 1


CAPTION = "A quiet harbor in the evening, seen from the pier"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (CAPTION, "with this caption"),
        (None, "with an unknown caption"),
        (f"{CAPTION[:25]}…", "with a caption that begins in the same way"),
    ],
)
def test_caption_in_the_history_is_described_as_it_is(kernel, service, listed, said):
    service.earlier = [{**EARLIER, "mediaId": "m1", "caption": listed}]
    with pytest.raises(ww.AlreadyPublishedError, match=f"to this account {said}"):
        kernel().publish.instagram(**{**POST, "caption": CAPTION})


def pages_of(rows, size, cursor):
    """Return a handler that serves a history in pages, whatever size is requested."""

    def history(request):
        start = int(request.url.params.get("cursorInstagramPublishId", 0))
        page, end = rows[start : start + size], start + size
        more = cursor(end) if end < len(rows) else None
        return httpx.Response(200, json={"publishes": page, "nextCursor": more})

    return history


def serve_history(monkeypatch, service, history):
    """Answer requests for the history of posts with `history`."""
    answer = service.answer

    async def with_pages(request):
        if request.url.path.endswith("/instagram/publishes"):
            return history(request)
        return await answer(request)

    monkeypatch.setattr(service, "answer", with_pages)


def documented_cursor(end):
    return {"createdAt": "2020-01-01T00:00:00Z", "instagramPublishId": str(end)}


@pytest.mark.parametrize("size", [10, 50])
@pytest.mark.parametrize(("row", "is_found"), [(0, True), (55, True), (99, True), (100, False)])
def test_last_100_posts_are_checked_whatever_the_size_of_a_page(
    kernel, service, monkeypatch, size, row, is_found
):
    rows = [{**EARLIER, "caption": str(number)} for number in range(300)]
    rows[row] = {**EARLIER, "mediaId": "m1", "caption": POST["caption"]}
    serve_history(monkeypatch, service, pages_of(rows, size, documented_cursor))
    if is_found:
        with pytest.raises(ww.AlreadyPublishedError):
            kernel().publish.instagram(**POST)
    else:
        kernel().publish.instagram(**POST).wait()
    assert service.posts == (not is_found)


def test_history_with_an_unreadable_cursor_requires_confirmation(kernel, service, monkeypatch):
    rows = [{**EARLIER, "caption": str(number)} for number in range(300)]
    serve_history(monkeypatch, service, pages_of(rows, 50, lambda end: f"page {end}"))
    wonda = kernel()
    with pytest.raises(ww.HistoryUnavailableError, match="pages that cannot be read"):
        wonda.publish.instagram(**POST)
    assert service.posts == 0
    wonda.publish.instagram(**POST, allow_unchecked=True).wait()
    assert service.posts == 1


DAMAGE = [
    *("status='succeedee'", "status=x'ff00'", "status=''", "ended=3", "ended='yes'", "ended=x'01'"),
    *("state='posteD', status='succeedee'", "ended=1, status='locked'", "body='{'", "body='5'"),
    *("reply='}'", "asked_at=1e308", "told_at='x'"),
]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("lose", ["", "after"])
def test_damaged_journal_entry_still_prevents_a_second_post(
    kernel, service, tmp_path, damage, lose
):
    first = kernel()
    service.lose = lose
    with contextlib.suppress(ww.OutcomeUnknownError):
        first.publish.instagram(**POST).wait()
    first.close()
    service.lose, service.history = "", 404  # there is only the journal
    with contextlib.closing(sqlite3.connect(tmp_path / "kernels.db")) as file, file:
        file.execute(f"UPDATE request SET {damage}")
    with pytest.raises(ww.WondaError):
        kernel().publish.instagram(**POST)
    assert service.posts == 1


def test_failed_post_may_be_repeated(kernel, service):
    wonda = kernel()
    service.status = "failed"
    with pytest.raises(ww.JobFailedError):
        wonda.publish.instagram(**POST).wait()
    service.status = "succeeded"
    wonda.publish.instagram(**POST).wait()
    assert service.posts == 2


def test_two_kernels_at_once_make_one_post(kernel, service):
    entered = threading.Event()

    async def wait():
        entered.set()
        await asyncio.sleep(0.2)

    service.gate = wait
    first, second = kernel(), kernel()
    outcomes = []

    def publish(wonda):
        try:
            outcomes.append(wonda.publish.instagram(**POST))
        except ww.AlreadyPublishedError as error:
            outcomes.append(error)

    one = threading.Thread(target=publish, args=(first,))
    one.start()
    assert entered.wait(10)
    publish(second)
    one.join()
    assert service.posts == 1
    assert {type(outcome).__name__ for outcome in outcomes} == {"Job", "AlreadyPublishedError"}


def test_rejected_key_is_reported_as_such(kernel, service):
    service.history = 401
    with pytest.raises(ww.AuthenticationError):
        kernel().publish.instagram(**POST, allow_unchecked=True)
    assert service.posts == 0


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_service_without_a_history_accepts_posts(kernel, service, status):
    service.history = status
    kernel().publish.instagram(**POST).wait()
    assert service.posts == 1


# ---------------------------------------------------------------- after a lost answer


def test_check_finds_a_post_with_a_lost_response(kernel, service):
    wonda = kernel()
    service.lose = "after"
    error = lost(wonda)
    finding = wonda.publish.check(error)
    assert finding.posted is True
    assert finding.permalink == "https://instagram.example.test/p/1"
    assert finding.job.id == "p1"
    with pytest.raises(ww.AlreadyPublishedError):
        wonda.publish.instagram(**POST)
    assert service.posts == 1


def test_check_finds_a_missing_post_and_allows_it(kernel, service):
    wonda = kernel()
    service.lose = "before"
    error = lost(wonda)
    service.lose = ""
    assert wonda.publish.check(error).posted is False
    wonda.publish.instagram(**POST).wait()
    assert len(service.rows) == 1


def test_repeated_publish_checks_automatically(kernel, service):
    wonda = kernel()
    service.lose = "after"
    lost(wonda)
    with pytest.raises(ww.AlreadyPublishedError):
        kernel().publish.instagram(**POST)
    assert service.posts == 1


def test_recent_absence_proves_nothing(kernel, service, monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 30.0)
    wonda = kernel()
    service.lose = "before"
    error = lost(wonda)
    finding = wonda.publish.check(error)
    assert finding.posted is None
    assert 25 < finding.retry_after <= 30
    lost(wonda)
    assert service.posts == 1


def test_absence_proves_nothing_within_the_time_limit(kernel, service, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(outcome_check, "GRACE_SECONDS", 0.0)
    wonda = kernel()  # its requests take 60 s at most
    service.lose = "before"
    error = lost(wonda)
    start = monotonic_clock.seconds()
    monkeypatch.setattr(monotonic_clock, "seconds", lambda: start + 55)
    assert wonda.publish.check(error).posted is None
    monkeypatch.setattr(monotonic_clock, "seconds", lambda: start + 65)
    assert wonda.publish.check(error).posted is False


@pytest.mark.parametrize(
    ("bare", "posted"),
    [
        (("outputJobId", "product", "status"), True),
        (("mediaId", "outputJobId"), None),  # the same words and time may be somebody else's
        (("caption", "outputJobId"), True),
        (("outputJobId", "permalink"), True),
        (("createdAt",), None),
        (("mediaId", "caption"), None),
    ],
)
def test_check_with_sparse_rows(kernel, service, bare, posted):
    wonda = kernel()
    service.lose, service.bare = "after", bare
    assert wonda.publish.check(lost(wonda)).posted is posted


@pytest.mark.parametrize("hours", [-3, 3])
def test_wrong_local_clock_changes_nothing(kernel, service, hours):
    service.ahead = timedelta(hours=hours)
    wonda = kernel()
    wonda.publish.instagram(**POST).wait()
    service.lose = "before"
    assert wonda.publish.check(lost(wonda, allow_repeat=True)).posted is False
    service.lose = "after"
    assert kernel().publish.check(lost(wonda, allow_repeat=True)).posted is True


def test_check_does_not_match_an_earlier_post(kernel, service):
    wonda = kernel()
    wonda.publish.instagram(**POST).wait()
    service.lose = "before"
    error = lost(wonda, allow_repeat=True)
    assert wonda.publish.check(error).posted is False


def test_check_finds_a_failed_post(kernel, service):
    wonda = kernel()
    service.lose, service.status, service.bare = "after", "failed", ("outputJobId",)
    assert wonda.publish.check(lost(wonda)).posted is False


def test_check_polls_a_post_in_progress(kernel, service):
    wonda = kernel()
    service.lose, service.status = "after", "in_progress"
    finding = wonda.publish.check(lost(wonda))
    assert finding.posted is None
    service.status = "succeeded"
    assert finding.job.wait(10).permalink


def test_check_refuses_invalid_arguments(kernel):
    with pytest.raises(ww.InvalidInputError, match="not in the journal"):
        kernel().publish.check(ww.OutcomeUnknownError("x", "y", "z"))


@pytest.mark.parametrize("undated", [False, True])
def test_history_is_read_page_by_page(kernel, service, undated):
    wonda = kernel()
    old = datetime.now(UTC) - timedelta(days=1)
    pages = []

    async def answer(request):
        if request.url.path.endswith("/instagram/publishes"):
            cursor = request.url.params.get("cursorInstagramPublishId")
            pages.append(cursor)
            if cursor is None:
                now = datetime.now(UTC).isoformat()
                rows = [{"mediaId": "x", "createdAt": now, "instagramPublishId": "i0"}]
                after = {"createdAt": now, "instagramPublishId": "i0"}
                return httpx.Response(200, json={"publishes": rows, "nextCursor": after})
            rows = [{"mediaId": "y", "createdAt": old.isoformat()}]
            rows += [{"mediaId": "z"}] * undated  # what follows may be of any time
            after = {"createdAt": old.isoformat(), "instagramPublishId": "i1"}
            return httpx.Response(200, json={"publishes": rows, "nextCursor": after})
        return await service(request)

    service.lose = "before"
    error = lost(wonda)
    wonda._async._core.transport._connections._transport.handler = answer
    assert wonda.publish.check(error).posted is (None if undated else False)
    assert pages[:2] == [None, "i0"]
    assert len(pages) == (10 if undated else 2)  # far enough back


# ---------------------------------------------------------------- jobs outlive the kernel


def test_recent_lists_jobs_and_unknown_outcomes(kernel, service):
    service.lose = "after"
    lost(kernel())
    [job] = kernel().jobs.recent()
    assert (job.id, job.kind, job.status, job.done) == (None, "publish", "unknown", False)
    assert job.request["caption"] == POST["caption"]
    with pytest.raises(ww.OutcomeUnknownError):
        job.wait()
    assert kernel().publish.check(job).posted is True


def test_ended_job_is_listed_without_a_request(kernel, service):
    kernel().publish.instagram(**POST).wait()
    service.jobs.clear()
    [job] = kernel().jobs.recent()
    assert job.done
    assert job.wait().permalink == "https://instagram.example.test/p/1"


def test_running_job_is_polled_again(kernel, service):
    service.status = "in_progress"
    first = kernel()
    first.publish.instagram(**POST)
    first.close()
    service.status = "succeeded"
    [job] = kernel().jobs.recent()
    assert job.wait(10).status == "succeeded"


def test_one_live_job_per_id(kernel):
    wonda = kernel()
    job = wonda.publish.instagram(**POST)
    assert wonda.jobs.recent() == [job]
    assert wonda.jobs.attach("publish", "p1") is job


def test_attached_job_has_its_request(kernel):
    kernel().publish.instagram(**POST).wait()
    job = kernel().jobs.attach("publish", "p1")
    assert job.request["mediaId"] == "m1"


def test_interrupt_or_close_does_not_cut_a_request(kernel, service):
    wonda = kernel()
    entered, done = threading.Event(), []

    async def slow():
        entered.set()
        await asyncio.sleep(0.2)

    service.gate = slow
    awaitable = wonda._async

    async def publish():
        task = asyncio.ensure_future(awaitable.publish.instagram(**POST))
        await asyncio.to_thread(entered.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        done.append(task.cancelled())

    asyncio.run(publish())
    wonda.close()
    assert done == [True]
    [job] = kernel().jobs.recent()
    assert job.id == "p1"
    assert service.posts == 1


@pytest.mark.parametrize(
    ("row", "posted"),
    [
        ({"caption": None}, True),
        ({"caption": "Made with W&amp;onda, on a quiet…"}, True),
        ({"product": "FEED"}, True),
        ({"mediaId": "a copy", "sourceMediaId": "m1"}, True),
        ({"mediaId": "a copy"}, None),
        ({"caption": "Something else entirely"}, None),
        ({"instagramAccountId": "of another form"}, None),
        ({"status": "published"}, True),
        ({"status": "active", "permalink": None}, None),
        ({"status": "queued"}, True),  # with a permalink it is there
        ({"status": "FAILED", "permalink": None}, False),
        ({"publishedAt": None, "createdAt": None}, None),
        ({"media": {"createdAt": "2020-01-01T00:00:00Z", "status": "active"}}, True),
    ],
    ids=lambda value: str(value)[:40],
)
def test_incomplete_history_row_is_matched_as_far_as_it_goes(kernel, service, row, posted):
    wonda = kernel()
    service.lose, service.bare = "after", ("outputJobId",)
    caption = "Made with W&onda, on a quiet morning at the harbour"
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram(media_id="m1", instagram_account_id="a1", caption=caption)
    service.rows[-1].update(row)
    finding = wonda.publish.check(caught.value)
    assert finding.posted is posted
    if posted is None:
        assert finding.retry_after is None, "the person is asked"


@pytest.mark.parametrize(
    "reply",
    [
        {"publishes": [], "nextCursor": "a word"},
        {"publishes": [{"mediaId": "x", "caption": "y"}], "nextCursor": {"x": 1}},
        {"one": [], "two": []},
    ],
)
def test_partially_read_history_proves_nothing(kernel, service, reply):
    wonda = kernel()
    service.lose = "before"
    error = lost(wonda)

    async def answer(request):
        if request.url.path.endswith("/instagram/publishes"):
            return httpx.Response(200, json=reply)
        return await service(request)

    wonda._async._core.transport._connections._transport.handler = answer
    finding = wonda.publish.check(error)
    assert (finding.posted, finding.retry_after) == (None, None)


def test_without_a_history_the_user_is_asked(kernel, service):
    wonda = kernel()
    service.history, service.lose = 404, "after"
    error = lost(wonda)
    finding = wonda.publish.check(error)
    assert (finding.posted, finding.retry_after) == (None, None)
    with pytest.raises(ww.OutcomeUnknownError, match="requested before"):
        wonda.publish.instagram(**POST)
    wonda.publish.settle(error, posted=False)
    service.lose = ""
    wonda.publish.instagram(**POST).wait()


def test_slow_check_does_not_send_what_another_kernel_settled(kernel, service, monkeypatch):
    from wonda_widgets.journal import entries

    first, second = kernel(), kernel()
    gate = threading.Event()
    original = service.answer
    looked = []

    async def slow(request):
        if request.url.path.endswith("/instagram/publishes") and not looked:
            looked.append(request)
            await asyncio.to_thread(gate.wait, 10)
        return await original(request)

    service.answer = slow
    ended = []

    def publish():
        try:
            ended.append(first.publish.instagram(**POST))
        except ww.WondaError as error:
            ended.append(error)

    thread = threading.Thread(target=publish)
    thread.start()
    while not looked:
        pass
    # The second one takes the first for dead, and settles and posts.
    monkeypatch.setattr(entries, "_is_running", lambda _owner: False)
    second.publish.instagram(**POST)
    gate.set()
    thread.join()
    assert service.posts == 1
    assert isinstance(ended[0], ww.WondaError)


def test_close_during_a_request_leaves_the_outcome_unknown(kernel, service, monkeypatch):
    monkeypatch.setattr("wonda_widgets.jobs.submission.CLOSE_TIMEOUT", 0.05)
    entered, ended = threading.Event(), []

    async def never():
        entered.set()
        await asyncio.sleep(60)

    service.gate = never
    wonda = kernel()

    def publish():
        try:
            wonda.publish.instagram(**POST)
        except ww.WondaError as error:
            ended.append(error)

    thread = threading.Thread(target=publish)
    thread.start()
    assert entered.wait(10)
    wonda.close()
    thread.join(10)
    assert isinstance(ended[0], ww.OutcomeUnknownError)
    [job] = kernel().jobs.recent()
    assert "closed" in str(job.snapshot.error)
    with pytest.raises(ww.WondaError, match="closed"):
        wonda.jobs.recent()


@pytest.mark.parametrize("bare", [(), ("mediaId",)])
def test_differing_server_clocks_hide_no_post(kernel, service, monkeypatch, bare):
    """The clock of its replies is ahead of the one that writes the history."""
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
    service.lose, service.bare = "after", bare
    service.ahead = timedelta(minutes=20)
    wonda = kernel()
    error = lost(wonda)
    service.lose = ""
    behind = datetime.now(UTC) - timedelta(seconds=2)
    service.rows[0]["createdAt"] = behind.isoformat()
    service.rows[0]["mediaId"] = "a copy of it" if not bare else None
    assert wonda.publish.check(error).posted is None
    with pytest.raises(ww.OutcomeUnknownError):
        wonda.publish.instagram(**POST)
    assert service.posts == 1


@pytest.mark.parametrize("lose", ["", "before", "unread"])
def test_outcome_is_recorded_even_if_the_client_is_closed(
    kernel, service, tmp_path, monkeypatch, lose
):
    monkeypatch.setattr("wonda_widgets.jobs.submission.CLOSE_TIMEOUT", 0.0)
    monkeypatch.setattr("wonda_widgets.jobs.submission.JOURNAL_CLOSE_TIMEOUT", 0.0)
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
    entered, go, ended = threading.Event(), threading.Event(), []

    async def gate():
        entered.set()
        while not go.is_set():
            await asyncio.sleep(0.001)

    service.gate = gate
    service.lose = lose
    if lose == "unread":
        service.lose, service.reply = "", b"<html>"
    wonda = kernel()

    def publish():
        try:
            ended.append(wonda.publish.instagram(**POST))
        except ww.WondaError as error:
            ended.append(error)

    thread = threading.Thread(target=publish)
    thread.start()
    assert entered.wait(10)
    # The journal is written by another process at this moment, so this one has to wait.
    other = sqlite3.connect(tmp_path / "kernels.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    core = wonda._async._core
    core.journal._database.run(lambda _connection: None)  # what is noted next stands in line
    noting = threading.Event()
    real = core.journal._database.run

    def run(work, **how):
        noting.set()
        return real(work, **how)

    monkeypatch.setattr(core.journal._database, "run", run)
    go.set()
    assert noting.wait(10)
    closing = threading.Thread(target=wonda.close)
    closing.start()
    closing.join(10)
    thread.join(10)
    other.execute("ROLLBACK")
    other.close()
    core.journal._database._thread.shutdown(wait=True)
    [record] = kernel()._async._core.journal._find("kind='publish'", ()).result()
    if lose == "":
        assert ended[0].id == "p1"
        assert (record.state, record.job_id) == ("accepted", "p1")
    else:
        assert isinstance(ended[0], ww.OutcomeUnknownError)
        assert record.state == "unknown"
        assert record.was_accepted == (lose == "unread")


def test_request_queued_at_close_is_not_recorded(kernel, service, tmp_path, monkeypatch):
    monkeypatch.setattr("wonda_widgets.jobs.submission.CLOSE_TIMEOUT", 0.0)
    monkeypatch.setattr("wonda_widgets.jobs.submission.JOURNAL_CLOSE_TIMEOUT", 0.0)
    wonda = kernel()
    wonda.jobs.recent()
    other = sqlite3.connect(tmp_path / "kernels.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    core = wonda._async._core
    noting = threading.Event()
    real = core.journal._database.run

    def run(work, **how):
        noting.set()
        return real(work, **how)

    monkeypatch.setattr(core.journal._database, "run", run)
    asked = event_loop.spawn(wonda._async.images.generate(model="m", prompt="p"))
    assert noting.wait(10)
    wonda.close()
    other.execute("ROLLBACK")
    other.close()
    with pytest.raises(ww.WondaError, match="closed before this was sent"):
        asked.result(10)
    core.journal._database._thread.shutdown(wait=True)
    assert kernel()._async._core.journal._find("1", ()).result() == []
    assert service.posts == 0


def test_closed_client_has_recorded_its_outcomes(kernel, service, monkeypatch):
    monkeypatch.setattr("wonda_widgets.jobs.submission.CLOSE_TIMEOUT", 0.05)
    entered = threading.Event()
    wonda = kernel()

    async def never():
        # The disk is slow from now on.
        wonda._async._core.journal._database.run(lambda _file: time.sleep(0.5), writes=False)
        entered.set()
        await asyncio.sleep(60)

    service.gate = never
    lost = event_loop.spawn(wonda._async.publish.instagram(**POST))
    assert entered.wait(10)
    wonda.close()
    [job] = kernel().jobs.recent()
    assert "closed" in str(job.snapshot.error)
    with pytest.raises(ww.OutcomeUnknownError):
        lost.result(10)


def test_unwatched_failed_job_does_not_block(kernel, service):
    wonda = kernel()
    service.status = "in_progress"
    wonda.publish.instagram(**POST).stop()
    service.status = "failed"
    service.rows[-1]["status"] = "failed"
    with pytest.raises(ww.JobFailedError):
        wonda.publish.instagram(**POST).wait()
    assert service.posts == 2


def test_equivalent_base_urls_are_one_service(kernel, service):
    kernel().publish.instagram(**POST).wait()
    service.history = 404
    again = ww.Wonda(
        KEY,
        base_url=BASE.replace("wonda.", "Wonda.").replace("/api", ":443/api"),
        transport=httpx.MockTransport(service),
    )
    assert again.base_url == BASE
    again.close()
