"""`wonda.images.matrix`: planning, prices, and generating each image once."""

import asyncio
import sqlite3

import numpy as np
import pytest
from conftest import sandbox_of

import wonda_widgets as ww
from wonda_widgets.jobs.matrix.cells import approximate_duration
from wonda_widgets.utils import event_loop

TEMPLATE = "A {subject} over the ocean, {light}"
VALUES = {"subject": ["sunset", "storm"], "light": ["haze", "dusk", "rain"]}


@pytest.fixture
def wonda(tmp_path, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02, journal=tmp_path / "journal.db") as client:
        yield client


def matrix(wonda, template=TEMPLATE, values=None, models="nano-banana-2", params=None, **options):
    return wonda.images.matrix(
        template, VALUES if values is None else values, models, params, **options
    )


def made_at_the_service(wonda):
    return [job.body["prompt"] for job in sandbox_of(wonda).store.jobs.values()]


def begin_and_stop(settled, planned):
    """Make one or a few, and leave the others."""
    for _ in planned:
        break
    settled(lambda: planned.state == "stopped" and not planned.progress.running)


def estimates_asked(wonda):
    """Count the requests for a price."""
    transport, asked = wonda._async._core.transport, []
    real = transport.post_read_only

    async def counted(path, body):
        asked.append(body)
        return await real(path, body)

    transport.post_read_only = counted
    return asked


def test_plan_and_price_are_available_before_generating(wonda):
    asked = estimates_asked(wonda)
    planned = matrix(wonda, params={"resolution": ["1K", "2K"]})
    assert len(planned.plan) == 12
    assert planned.price.usd == pytest.approx(6 * 0.04 + 6 * 0.08)
    assert planned.price.credits == 6 * 40 + 6 * 80
    assert planned.price.breakdown == [(0.04, 40, 6), (0.08, 80, 6)]
    assert len(asked) == 2, "one call a distinct price"
    matrix(wonda, params={"resolution": ["1K", "2K"]})
    assert len(asked) == 2, "and none again"
    assert made_at_the_service(wonda) == []


def test_matrix_yields_rows_as_images_finish(wonda):
    planned = matrix(wonda)
    rows = list(planned)
    assert sorted(row["index"] for row in rows) == list(range(6))
    assert {row["status"] for row in rows} == {"succeeded"}
    assert all(row["media_id"] and row["usd"] == 0.04 for row in rows)
    assert planned.rows()[1]["light"] == "dusk"
    assert sorted(made_at_the_service(wonda)) == sorted(cell.prompt for cell in planned.plan.cells)
    assert planned.state == "done"
    assert [image.values["subject"] for image in planned.images] == ["sunset"] * 3 + ["storm"] * 3
    assert str(planned.progress) == "6 of 6"
    assert list(planned) == rows[:0] + sorted(rows, key=lambda row: row["index"])


def test_max_concurrency_is_respected(wonda):
    most = 0
    planned = matrix(wonda, max_concurrency=2)

    def look(_):
        nonlocal most
        most = max(most, sum(each.state == "running" for each in planned.cells))

    planned.watch(look)
    planned.wait()
    assert most == 2


def test_async_iteration(tmp_path, quick_polls):  # noqa: ARG001
    async def work():
        async with ww.AsyncWonda.sandbox(seconds=0.02) as wonda:
            planned = wonda.images.matrix(TEMPLATE, VALUES, "nano-banana-2")
            return [row async for row in planned], planned.rows()

    rows, all_rows = asyncio.run(work())
    assert len(rows) == len(all_rows) == 6


def test_plan_over_budget_sends_nothing(wonda):
    planned = matrix(wonda, budget=0.20)
    with pytest.raises(ww.InvalidInputError, match=r"6 results cost about \$0.24; the budget is"):
        planned.wait()
    assert made_at_the_service(wonda) == []
    assert matrix(wonda, budget=0.24).wait()


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf"), 10**400, "5", True])
def test_invalid_budget_is_refused(wonda, budget):
    with pytest.raises(ww.InvalidInputError, match="number of US dollars above 0"):
        matrix(wonda, budget=budget)


def test_unknown_price_is_refused_with_a_budget(wonda, monkeypatch):
    async def none(**_):
        return None

    monkeypatch.setattr(wonda._async.pricing, "cached_estimate", none)
    with pytest.raises(ww.InvalidInputError, match="has no price for nano-banana-2"):
        matrix(wonda, budget=1).wait()
    assert made_at_the_service(wonda) == []
    unpriced = matrix(wonda)
    assert unpriced.price.usd is None
    assert unpriced.price.unpriced == ["nano-banana-2"]
    assert len(unpriced.wait()) == 6


def test_failed_image_does_not_stop_others_and_is_retried_alone(wonda):
    values = {"what": ["A harbour", "sandbox: fail", "A storm"]}
    planned = matrix(wonda, "{what}", values)
    rows = planned.wait()
    assert [row["status"] for row in rows] == ["succeeded", "failed", "succeeded"]
    assert rows[1]["error"]
    assert str(planned.progress) == "2 of 3, 1 failed"
    before = len(made_at_the_service(wonda))
    planned.retry_failed()
    planned.wait()
    assert made_at_the_service(wonda)[before:] == ["sandbox: fail"]


def test_rejected_request_is_a_failed_image(wonda, monkeypatch):
    real = wonda._async._core.transport.post

    async def refuse(path, *args, **kwargs):
        if "storm" in kwargs.get("body", {}).get("prompt", ""):
            raise ww.BadRequestError(400, "validation_error", "no storms")
        return await real(path, *args, **kwargs)

    monkeypatch.setattr(wonda._async._core.transport, "post", refuse)
    rows = matrix(wonda).wait()
    assert [row["status"] for row in rows] == ["succeeded"] * 3 + ["failed"] * 3


def test_without_credits_remaining_images_wait(wonda):
    sandbox = sandbox_of(wonda)
    sandbox.store.credits = 80
    planned = matrix(wonda, max_concurrency=1)
    with pytest.raises(ww.PaymentRequiredError):
        planned.wait()
    assert (planned.progress.succeeded, planned.progress.waiting) == (2, 4)
    assert planned.state == "stopped"
    sandbox.store.credits = 10_000
    planned.wait()
    assert len(made_at_the_service(wonda)) == 6
    assert planned.state == "done"


def test_leaving_the_loop_starts_no_more_images(wonda, settled):
    planned = matrix(wonda, max_concurrency=1)
    for _ in planned:
        break
    settled(lambda: planned.progress.running == 0)
    begun = len(made_at_the_service(wonda))
    assert begun <= 3
    planned.wait()
    assert len(made_at_the_service(wonda)) == 6


def test_stop_and_resume(wonda, settled):
    planned = matrix(wonda, max_concurrency=2)
    planned.start()
    settled(lambda: planned.progress.succeeded >= 2)
    planned.stop()
    settled(lambda: planned.state == "stopped" and planned.progress.running == 0)
    assert planned.progress.waiting > 0
    assert len(planned.wait()) == 6
    assert len(made_at_the_service(wonda)) == 6


def test_stop_before_start_sends_nothing(wonda, settled):
    planned = matrix(wonda)
    planned.start()
    planned.stop()
    settled(lambda: planned.state == "stopped")
    assert made_at_the_service(wonda) == []
    planned.wait()
    assert len(made_at_the_service(wonda)) == 6


def test_cancel_during_planning_sends_nothing(tmp_path, quick_polls):  # noqa: ARG001
    async def work():
        async with ww.AsyncWonda.sandbox(seconds=0.02) as wonda:
            asked = asyncio.Event()
            real, go = wonda._core.transport.get, asyncio.Event()

            async def slow(path, *args, **kwargs):
                here.call_soon_threadsafe(asked.set)
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go.wait(), here))
                return await real(path, *args, **kwargs)

            here = asyncio.get_running_loop()
            wonda._core.transport.get = slow
            planned = wonda.images.matrix(TEMPLATE, VALUES, "nano-banana-2")

            async def iterate():
                async for _ in planned:
                    pass

            task = asyncio.create_task(iterate())
            await asked.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            go.set()
            while planned.state != "stopped":
                await asyncio.sleep(0.005)
            return await wonda.jobs.recent()

    assert asyncio.run(work()) == []


def test_stop_immediately_after_retry_sends_nothing(wonda, settled):
    planned = matrix(wonda, "{what}", {"what": ["sandbox: fail", "A harbour"]})
    planned.wait()
    planned.retry_failed()
    planned.stop()
    settled(lambda: planned.state == "stopped" and not planned.progress.running)
    assert len(made_at_the_service(wonda)) == 2


def test_remaining_images_and_their_price(wonda, settled):
    first = matrix(wonda, max_concurrency=1)
    first.start()
    settled(lambda: first.progress.succeeded >= 2)
    first.stop()
    settled(lambda: first.progress.running == 0)
    [left] = wonda.images.unfinished()
    again = matrix(wonda, values={**VALUES, "subject": ["storm", "sunset"]}, budget=0.17)
    assert again.already_requested == first.progress.succeeded
    assert again.price.usd == pytest.approx(0.04 * (6 - again.already_requested))
    assert left.plan.template == TEMPLATE
    wonda.history.mark(first.images[0], rating=5)
    again.wait()
    assert again.resumed, "another order asks for the same"
    assert len(made_at_the_service(wonda)) == 6
    assert max(image.rating for image in again.images) == 5
    assert wonda.images.unfinished() == []


def test_running_images_are_not_remaining(settled):
    with ww.Wonda.sandbox(seconds=60) as slow:
        planned = matrix(slow, max_concurrency=1)
        planned.start()
        settled(lambda: made_at_the_service(slow))
        assert slow.images.unfinished() == []


def test_labels_do_not_change_the_plan(wonda, settled, monkeypatch):
    first = matrix(wonda, max_concurrency=1)
    first.start()
    settled(lambda: first.progress.succeeded >= 1)
    first.stop()
    settled(lambda: first.progress.running == 0)
    monkeypatch.setattr(
        "wonda_widgets.jobs.matrix.plan_arguments.notes_on_params",
        lambda *_: ["A model was renamed."],
    )
    again = matrix(wonda)
    again.wait()
    assert again.plan.notes
    assert again.resumed
    assert len(made_at_the_service(wonda)) == 6


def test_plan_is_stored_unchanged_and_without_the_key(wonda, tmp_path):
    key = wonda._async._core.transport._key.header().removeprefix("Bearer ")
    long = f"{'word ' * 400}{key} {{what}}"
    planned = matrix(wonda, long, {"what": [str(number) for number in range(20)]})
    planned.wait()
    wonda.history.mark(planned.images[0], note=f"with {key}")
    database = wonda._async._core.journal._database
    wonda.close()
    database._thread.shutdown(wait=True)  # what lies beside the file comes and goes with it
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("journal.db*"))
    assert key.encode() not in kept
    with sqlite3.connect(tmp_path / "journal.db") as file:
        [(plan,)] = file.execute("SELECT plan FROM batch").fetchall()
    file.close()
    assert len(plan) < 3_000


def test_interrupted_plan_is_resumed_without_repeats(wonda, settled):
    first = matrix(wonda, max_concurrency=2)
    first.start()
    settled(lambda: first.progress.succeeded >= 2)
    first.stop()
    settled(lambda: first.progress.running == 0)
    again = matrix(wonda)
    rows = again.wait()
    assert again.resumed
    assert {row["status"] for row in rows} == {"succeeded"}
    assert len(made_at_the_service(wonda)) == 6
    third = matrix(wonda)  # it is done, so this is a new wish
    third.wait()
    assert not third.resumed
    assert len(made_at_the_service(wonda)) == 12


def test_different_or_new_plan_does_not_resume(wonda, settled):
    first = matrix(wonda, max_concurrency=1)
    first.start()
    settled(lambda: first.progress.succeeded >= 1)
    first.stop()
    settled(lambda: first.progress.running == 0)
    anew = matrix(wonda, resume=False)
    anew.wait()
    other = matrix(wonda, params={"aspectRatio": "4:5"})
    other.wait()
    assert not anew.resumed
    assert not other.resumed


def test_two_matrices_on_one_plan_generate_each_image_once(wonda):
    first, second = matrix(wonda), matrix(wonda)
    first.start()
    second.wait()
    first.wait()
    assert sorted(made_at_the_service(wonda)) == sorted(cell.prompt for cell in first.plan.cells)
    assert {row["status"] for row in first.rows() + second.rows()} == {"succeeded"}


def test_two_matrices_on_one_plan_retry_a_failed_image_once(tmp_path, quick_polls, monkeypatch):  # noqa: ARG001
    # Each looks again at what the other one is sending when that has failed already.
    monkeypatch.setattr("wonda_widgets.jobs.matrix.runner.RECHECK_SECONDS", 0.5)
    with ww.Wonda.sandbox(seconds=0.01, journal=tmp_path / "j.db") as wonda:
        values = {"what": ["fail", "cancel", "no media"]}
        both = [matrix(wonda, "sandbox: {what}", values) for _ in range(2)]
        for each in both:
            each.start()
        for each in both:
            assert {row["status"] for row in each.wait()} == {"failed"}
        assert len(made_at_the_service(wonda)) == 3
        both[0].retry_failed()
        both[0].wait()
        assert len(made_at_the_service(wonda)) == 6, "but again when a person says so"


@pytest.mark.parametrize("after", [True, False])
def test_lost_response_is_unknown_until_the_user_decides(wonda, after, settled):
    wonda.faults.add("POST", "/image/generate", "drop", after=after)
    planned = matrix(wonda, max_concurrency=1)
    rows = planned.wait()
    [unknown] = [row for row in rows if row["status"] == "unknown"]
    assert str(planned.progress) == "5 of 6, 1 unknown"
    assert len(made_at_the_service(wonda)) == (6 if after else 5)
    again = matrix(wonda)
    again.wait()
    assert again.progress.unknown == 1, "not by itself, also not later"
    with pytest.raises(ww.InvalidInputError, match="There is no image"):
        again.retry(True)
    again.retry(np.int64(unknown["index"]))
    settled(lambda: again.state == "done")
    assert len(made_at_the_service(wonda)) == (7 if after else 6)


def test_retry_respects_the_budget(wonda, settled):
    planned = matrix(wonda, "{what}", {"what": ["A harbour", "sandbox: fail"]}, budget=0.08)
    planned.wait()
    planned.retry_failed()
    settled(lambda: planned.error is not None)
    assert "$0.04, after up to $0.08 already spent; the budget is $0.08" in str(planned.error)
    assert len(made_at_the_service(wonda)) == 2


def test_rejected_images_are_not_charged_and_budget_can_be_raised(wonda, settled):
    wonda.faults.add("POST", "/image/generate", 400)
    planned = matrix(wonda, budget=0.24, max_concurrency=1)
    planned.wait()
    assert planned.progress.failed == 1
    planned.retry_failed()
    settled(lambda: planned.progress.succeeded == 6)
    assert len(made_at_the_service(wonda)) == 6

    failing = matrix(wonda, "{what}", {"what": ["A lake", "sandbox: fail"]}, budget=0.08)
    failing.wait()
    failing.retry_failed()
    settled(lambda: failing.error is not None)
    failing.budget = 0.12
    failing.retry_failed()
    settled(lambda: len(made_at_the_service(wonda)) == 9)


def test_repeated_retries_never_exceed_the_budget(wonda, settled):
    planned = matrix(wonda, "{what}", {"what": ["sandbox: fail"]}, budget=0.12)
    planned.wait()
    for _ in range(5):
        planned.retry_failed()
        settled(lambda: planned.state == "done" and not planned.progress.running)
    assert len(made_at_the_service(wonda)) == 3


def test_resume_uses_the_current_budget(wonda, settled):
    planned = matrix(wonda, budget=1, max_concurrency=1)
    begin_and_stop(settled, planned)
    begun = len(made_at_the_service(wonda))
    planned.budget = 0.05
    with pytest.raises(ww.InvalidInputError, match=r"already spent; the budget is \$0.05"):
        planned.wait()
    assert len(made_at_the_service(wonda)) == begun


def test_price_is_updated_before_start(wonda, settled):
    first = matrix(wonda, max_concurrency=1)
    begin_and_stop(settled, first)
    second = matrix(wonda, budget=0.21)
    assert second.already_requested
    first.wait()
    with pytest.raises(ww.InvalidInputError, match=r"6 results cost about \$0.24"):
        second.wait()
    assert len(made_at_the_service(wonda)) == 6
    assert wonda.images.unfinished() == []


def test_retry_after_stop_generates_only_failed_images(wonda, settled):
    planned = matrix(wonda, "{what}", {"what": ["sandbox: fail", "a", "b", "c"]}, max_concurrency=1)
    begin_and_stop(settled, planned)
    begun = len(made_at_the_service(wonda))
    planned.retry_failed()
    settled(lambda: len(made_at_the_service(wonda)) == begun + 1)
    settled(lambda: planned.state == "stopped" and not planned.progress.running)
    for each in planned.cells:
        if each.state == "succeeded":
            planned.retry(each.cell.index)
    event_loop.run_blocking(asyncio.sleep(0.1))
    assert len(made_at_the_service(wonda)) == begun + 1


def test_resumed_running_image_finishes_after_stop(tmp_path, settled, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.3, journal=tmp_path / "j.db") as wonda:
        first = matrix(wonda, max_concurrency=6)
        first.start()
        settled(lambda: len(made_at_the_service(wonda)) == 6)
        first.stop()
        second = matrix(wonda, max_concurrency=1)
        second.start()
        settled(lambda: second.resumed and second.progress.running)
        second.stop()
        settled(lambda: second.progress.succeeded == 6)


def test_simultaneous_retries_pay_once(wonda, settled):
    values = {"what": ["sandbox: no media", "sandbox: slow"]}
    first, second = matrix(wonda, "{what}", values), matrix(wonda, "{what}", values)
    for each in (first, second):
        each.start()
    settled(lambda: first.progress.failed == second.progress.failed == 1)
    assert len(made_at_the_service(wonda)) == 2
    for each in (first, second):
        each.retry_failed()
    settled(lambda: len(made_at_the_service(wonda)) == 3)
    settled(lambda: first.progress.failed == second.progress.failed == 1)
    event_loop.run_blocking(asyncio.sleep(0.1))
    assert len(made_at_the_service(wonda)) == 3


def test_unreadable_or_changed_plan_is_not_offered(wonda, settled):
    first = matrix(wonda, max_concurrency=1)
    begin_and_stop(settled, first)
    database = wonda._async._core.journal._database

    def damage(connection):
        add = "INSERT INTO batch SELECT ?, base_url, alike, ?, begun_at + ?, 0 FROM batch LIMIT 1"
        connection.execute(add, ("x" * 32, '{"cells": []}', 1))
        other = (
            '{"template":"a","values":{},"models":["z-image"],"params":{},'
            '"attachment_media_ids":[]}'
        )
        connection.execute(add, ("y" * 32, other, 2))

    database.run(damage).result()
    [left] = wonda.images.unfinished()
    assert left.plan.template == TEMPLATE


def test_cell_without_an_image_is_retried_on_request(wonda, settled):
    planned = matrix(wonda, "{what}", {"what": ["sandbox: no media"]})
    planned.wait()
    assert isinstance(planned.cells[0].error, ww.NoMediaError)
    planned.retry_failed()
    settled(lambda: len(made_at_the_service(wonda)) == 2 and planned.state == "done")


def test_failing_listener_does_not_stop_the_matrix(wonda, caplog):
    planned = matrix(wonda)

    def fails(_):
        raise RuntimeError("a view's own fault")

    planned.watch(fails)
    assert len(planned.wait()) == 6
    assert "A listener" in caplog.text


def test_unsent_images_of_a_closed_client_wait(settled):
    wonda = ww.Wonda.sandbox(seconds=60)
    planned = matrix(wonda, max_concurrency=1)
    planned.start()
    settled(lambda: made_at_the_service(wonda))
    wonda.close()
    settled(lambda: planned.state == "stopped")
    assert planned.progress.failed == 0
    assert planned.progress.waiting == 5


def test_remaining_time_after_some_history(wonda):
    said = []
    planned = matrix(wonda, values={"subject": ["a", "b", "c", "d"], "light": ["e", "f", "g"]})
    planned.watch(
        lambda _: said.append((planned.progress.succeeded, planned.progress.seconds_left))
    )
    planned.wait()
    assert all(left is None for done, left in said if done < 4)
    assert any(left is not None for done, left in said if 6 < done < 12)
    assert planned.progress.seconds_left is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "about 5 s"), (33, "about 35 s"), (58, "about 1 min"), (140, "about 2 min")],
)
def test_format_of_durations(seconds, text):
    assert approximate_duration(seconds) == text


def test_rows_with_unusual_placeholders(wonda):
    planned = matrix(wonda, "A {model} {status}", {"model": ["boat"], "status": ["new", "old"]})
    rows = planned.rows()
    assert rows[0]["model"] == "nano-banana-2"
    assert (rows[1]["{model}"], rows[1]["{status}"]) == ("boat", "old")
    assert {row["status"] for row in rows} == {"waiting"}


def test_interrupt_starts_no_more_images(settled):
    import _thread

    with ww.Wonda.sandbox(seconds=60) as slow:  # it cannot come to its end meanwhile
        planned = matrix(slow, max_concurrency=1)
        interrupts = iter([_thread.interrupt_main])

        def press(made):
            if made is not None and made.job is not None:
                next(interrupts, lambda: None)()

        planned.watch(press)
        with pytest.raises(KeyboardInterrupt):
            planned.wait()
        settled(lambda: planned.state == "stopped")
        assert len(made_at_the_service(slow)) == 1
