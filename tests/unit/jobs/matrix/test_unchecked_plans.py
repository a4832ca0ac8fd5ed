"""With an incomplete journal, a plan runs only after the user confirms."""

from __future__ import annotations

import sqlite3

import pytest
from conftest import only, sandbox_of, send

import wonda_widgets as ww
from wonda_widgets.widgets._parts import lab_form

VALUES = {"x": ["a", "b"]}
KEPT = "A {x}"


@pytest.fixture
def useless(tmp_path):
    """A place where no journal can be written."""
    path = tmp_path / "no.db"
    path.mkdir()
    return path


@pytest.fixture
def sandbox():
    made = []

    def start(journal):
        made.append(ww.Wonda.sandbox(seconds=0.02, journal=journal))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def wonda(sandbox, useless, quick_polls):  # noqa: ARG001
    client = sandbox(useless)
    with pytest.warns(ww.JournalWarning, match="cannot be used"):
        client.jobs.recent()
    return client


def matrix(wonda, **options):
    return wonda.images.matrix(KEPT, VALUES, "nano-banana-2", **options)


def asked_for(wonda):
    return len(sandbox_of(wonda).store.jobs)


FULL = "The journal cannot be used (the disk is full)."


def test_plan_says_why_it_does_not_run(wonda):
    planned = matrix(wonda)
    assert planned.price.usd == pytest.approx(0.08), "plan and price are there all the same"
    with pytest.raises(ww.InvalidInputError, match="may be generated and charged again") as caught:
        list(planned)
    assert caught.value.field == "allow_unchecked"
    assert "no.db cannot be used" in caught.value.hint
    assert "allow_unchecked=True" in caught.value.hint
    assert planned.state == "stopped"
    assert asked_for(wonda) == 0


def test_plan_does_not_run_in_the_background_or_by_wait(wonda, settled):
    planned = matrix(wonda)
    planned.start()
    settled(lambda: planned.error is not None)
    assert planned.error.field == "allow_unchecked"
    with pytest.raises(ww.InvalidInputError):
        matrix(wonda).wait()
    assert asked_for(wonda) == 0


@pytest.mark.parametrize("word", [{"allow_unchecked": True}, {"resume": False}], ids=str)
def test_user_may_run_anyway(wonda, word):
    assert len(matrix(wonda, **word).wait()) == 2
    assert asked_for(wonda) == 2


def test_user_may_run_an_existing_matrix_anyway(wonda):
    planned = matrix(wonda)
    with pytest.raises(ww.InvalidInputError):
        list(planned)
    planned.allow_unchecked = True
    assert [row["status"] for row in planned] == ["succeeded"] * 2


def test_known_requests_are_not_repeated(wonda, settled):
    first = matrix(wonda, allow_unchecked=True, max_concurrency=1)
    for _ in first:
        break
    settled(lambda: first.state == "stopped" and not first.progress.running)
    made = asked_for(wonda)
    second = matrix(wonda, allow_unchecked=True)
    assert second.already_requested == made
    list(second)
    assert asked_for(wonda) == 2


def test_damaged_journal_requires_confirmation(sandbox, tmp_path, quick_polls):  # noqa: ARG001
    path = tmp_path / "journal.db"
    path.write_bytes(b"no journal" * 1000)
    wonda = sandbox(path)
    with pytest.warns(ww.JournalWarning, match="damaged"):
        planned = matrix(wonda)
    with pytest.raises(ww.InvalidInputError, match="may be generated and charged again"):
        list(planned)
    assert asked_for(wonda) == 0
    assert len(matrix(wonda, allow_unchecked=True).wait()) == 2


def test_journal_failure_stops_a_running_matrix(
    sandbox,
    tmp_path,
    quick_polls,  # noqa: ARG001
):
    wonda = sandbox(tmp_path / "journal.db")
    planned = matrix(wonda, max_concurrency=1)
    database, real = wonda._async._core.journal._database, wonda._async._core.journal.begin_request

    def begin(*args, **options):
        if asked_for(wonda):
            database._problem = FULL
        return real(*args, **options)

    wonda._async._core.journal.begin_request = begin
    with pytest.raises(ww.InvalidInputError, match="may be generated and charged again"):
        list(planned)
    assert [each.state for each in planned.cells] == ["succeeded", "waiting"]
    assert asked_for(wonda) == 1
    planned.allow_unchecked = True
    planned.wait()
    assert asked_for(wonda) == 2


@pytest.mark.parametrize("statement", ["INSERT INTO batch", "INSERT INTO request"])
def test_check_runs_in_the_transaction(
    sandbox,
    tmp_path,
    quick_polls,  # noqa: ARG001
    statement,
):
    """The file fails at the statement that notes a plan, or a cell of it."""
    wonda = sandbox(tmp_path / "journal.db")
    planned = matrix(wonda)
    database = wonda._async._core.journal._database
    real = database._transaction

    class Full:
        def __init__(self, connection):
            self._connection = connection

        def execute(self, sql, *values):
            if sql.startswith(statement):
                raise sqlite3.OperationalError("database or disk is full")
            return self._connection.execute(sql, *values)

        def __getattr__(self, name):
            return getattr(self._connection, name)

    def transaction(work, kind):
        on_disk = database.path is not None
        return real(lambda connection: work(Full(connection) if on_disk else connection), kind)

    database._transaction = transaction
    with (
        pytest.warns(ww.JournalWarning, match="full"),
        pytest.raises(ww.InvalidInputError, match="may be generated and charged again"),
    ):
        list(planned)
    assert asked_for(wonda) == 0
    assert {each.state for each in planned.cells} == {"waiting"}


# ---------------------------------------------------------------- the panel


@pytest.fixture
def lab(wonda, settled):
    made = ww.PromptLab(wonda=wonda, template=KEPT, values=VALUES)
    settled(lambda: made.form.plan.get("count") == 2)
    yield made
    made.close()


def run(lab):
    seen = {name: lab.form.plan[name] for name in lab_form.SEEN}
    send(lab.form, "run_now", **seen)


def test_panel_reports_it_and_keeps_the_input(lab, settled, wonda):
    problem = lab.form.plan["problem"]
    assert problem["field"] == "allow_unchecked"
    assert "may be generated and charged again" in problem["title"]
    assert "no.db cannot be used" in problem["text"]
    assert "allow_unchecked" not in problem["title"] + problem["text"], "that is for code"
    run(lab)
    settled(lambda: lab.form.state == "ready" and lab.form.error)
    assert "may be generated and charged again" in lab.form.error["title"]
    assert lab.matrix is None
    assert (lab.form.templates, lab.form.values) == (only(KEPT), VALUES)
    assert asked_for(wonda) == 0


def test_user_may_continue_in_the_panel(lab, settled, wonda):
    send(lab.form, "unchecked")
    settled(lambda: lab.form.plan.get("problem", 0) is None)
    assert lab_form.UNCHECKED_NOTE in lab.form.plan["notes"]
    assert asked_for(wonda) == 0, "nothing runs before Run is clicked"
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "done")
    assert asked_for(wonda) == 2


def test_confirmation_applies_only_to_the_known_state(lab, settled, wonda):
    send(lab.form, "unchecked")
    settled(lambda: lab.form.plan.get("problem", 0) is None)
    wonda._async._core.journal._database._problem = "The journal is worse by now."
    lab.form.templates = only("An {x}")
    settled(lambda: lab.form.plan.get("problem"))
    assert "worse by now" in lab.form.plan["problem"]["text"]
