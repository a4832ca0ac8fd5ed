"""Pickling of data, errors and settings for other processes, never with a key."""

from __future__ import annotations

import concurrent.futures
import copy
import pickle
import pickletools
from datetime import UTC, datetime

import cloudpickle
import httpx
import msgspec
import pytest
from conftest import KEY
from key_search import assert_absent

import wonda_widgets as ww
from wonda_widgets import errors, models
from wonda_widgets.client import config
from wonda_widgets.http import credentials
from wonda_widgets.jobs.matrix import cells, planning
from wonda_widgets.journal import images
from wonda_widgets.publishing import outcome_check, scheduled_posts
from wonda_widgets.utils import event_loop

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
MEDIA = models.Media(media_id="m1", url="https://x.test/a.png", mime_type="image/png", width=4)
UNKNOWN = ww.OutcomeUnknownError("image generation", "no answer", "Look.", intent="i1")
SNAPSHOT = ww.Snapshot(
    status="failed",
    outputs=(models.Output(output_key="image", output_value={"a": [1]}, media=MEDIA),),
    error_message="no",
    created_at=NOW,
    raw={"status": "failed", "more": [{"x": None}]},
    error=UNKNOWN,
)
CELL = planning.Cell(index=0, prompt="A sail", model="m", params={"n": 1}, values={"what": "sail"})
PLAN = planning.Plan(
    cells=[CELL],
    request=planning.MatrixRequest(
        template="A {what}",
        values={"what": ["sail"]},
        models=["m"],
        params={"n": [1]},
        attachment_media_ids=[],
    ),
)
IMAGE = ww.GeneratedImage(media=MEDIA, prompt="A sail", params={"n": 1}, made_at=NOW, rating=5)
BUDGET = ww.Budget(2.5, NOW)

COPIERS = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "old pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
    "cloudpickle": lambda value: pickle.loads(cloudpickle.dumps(value)),
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(params=COPIERS.values(), ids=COPIERS)
def copied(request):
    return request.param


def with_subclasses(cls):
    yield cls
    for subclass in cls.__subclasses__():
        yield from with_subclasses(subclass)


ERRORS = sorted(
    {each for each in with_subclasses(ww.WondaError) if each.__module__ == "wonda_widgets.errors"},
    key=lambda cls: cls.__name__,
)


#: Creates an error with every attribute set; for a class, its first matching base applies.
ERROR_FACTORIES = {
    ww.RateLimitError: lambda cls: cls(429, "x", "Slowly.", "r1", retry_after=2, defer_until=NOW),
    ww.APIError: lambda cls: cls(418, "teapot", "No.", "r1", retry_after=2.5),
    errors.JobError: lambda cls: cls("It ended.", snapshot=SNAPSHOT),
    ww.OutcomeUnknownError: lambda cls: cls("publishing", "it was lost", "Look.", intent="i1"),
    ww.AlreadyPublishedError: lambda cls: cls(
        "Before.", permalink="https://x.test/p", published_at=NOW, job_id="p1"
    ),
    ww.InvalidInputError: lambda cls: cls("prompt", "It is empty.", "Write one."),
    ww.MissingKeyError: lambda cls: cls(),
    ww.NoEventLoopError: lambda cls: cls(),
    ww.NoMediaError: lambda cls: cls(),
    ww.WondaError: lambda cls: cls("That.", "Do this."),
}


def example_error(cls):
    return next(create for base, create in ERROR_FACTORIES.items() if issubclass(cls, base))(cls)


def attributes_of(error):
    """Return the attributes of an error, since exceptions compare by identity."""
    return {
        **{name: repr(value) for name, value in vars(error).items()},
        "": (type(error), error.args, str(error), repr(error)),
    }


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_pickled_error_keeps_its_attributes(cls, copied):
    error = example_error(cls)
    error.add_note("added later")
    again = copied(error)
    assert attributes_of(again) == attributes_of(error)
    assert again.__notes__[-1] == "added later"
    with pytest.raises(cls):
        raise again


def test_every_public_error_is_among_the_pickled_ones():
    public = {getattr(ww, name) for name in ww.__all__ if name.endswith("Error")}
    assert public <= set(ERRORS)
    assert len(ERRORS) > 20


def test_pickled_error_keeps_its_hint(copied):
    error = example_error(ww.PermissionDeniedError).with_hint("Ask Wonda.")
    assert str(copied(error)) == str(error)
    assert copied(error).hint == "Ask Wonda."


def test_pickled_error_keeps_its_job_id(copied, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(model="z-image", prompt="sandbox: fail")
        with pytest.raises(ww.JobFailedError) as caught:
            job.wait()
        assert caught.value.job is job
        again = copied(caught.value)
        assert again.job is None
        assert (again.kind, again.job_id, again.intent) == ("inference", job.id, job.intent)
        assert again.snapshot.raw == job.snapshot.raw
        assert wonda.jobs.attach(again.kind, again.job_id).status == "failed"


DATA = {
    "Media": MEDIA,
    "Output": SNAPSHOT.outputs[0],
    "Estimate": models.Estimate(model="m", estimated_cost_microdollars=40_000, estimated_credits=4),
    "Capabilities": models.Capabilities(
        generation=models.Generation(
            image=[models.GenerationModel(key="m", params={"type": "object"})]
        ),
        raw={"generation": {}},
    ),
    "Account": models.Account(email="a@x.test", raw={"email": "a@x.test"}),
    "InstagramAccount": models.InstagramAccount(instagram_account_id="a1", username="sea"),
    "Organization": models.Organization(slug="acme", name="Acme", seat_plan_code="WONDA"),
    "Cell": CELL,
    "Plan": PLAN,
    "Asked": PLAN.request,
    "Price": cells.total_price([cells.CellResult(CELL, "d")]),
    "Progress": cells.Progress(
        total=1, succeeded=1, failed=0, running=0, waiting=0, unknown=0, seconds_left=None
    ),
    "Image": IMAGE,
    "Marks": images.Marks(favorite=True, note="n"),
    "row": cells.CellResult(CELL, "d").row(),
    "image's row": IMAGE.row(),
    "ScheduledPost": scheduled_posts.ScheduledPost(job_id="p1", scheduled_for=NOW, raw={"a": 1}),
    "PostOutcome": outcome_check.PostOutcome(
        posted=True, message="It was posted.", published_at=NOW
    ),
    "Snapshot": msgspec.structs.replace(SNAPSHOT, error=None),
}


@pytest.mark.parametrize("name", DATA)
def test_copied_data_is_equal(name, copied):
    assert copied(DATA[name]) == DATA[name]
    assert type(copied(DATA[name])) is type(DATA[name])


def test_every_wire_type_is_among_the_copied_data():
    tested = {type(value) for value in DATA.values()}
    classes = {each for each in vars(models).values() if isinstance(each, type)}
    wire_types = {each for each in classes if issubclass(each, models.WireStruct)} - {
        models.WireStruct
    }
    response_parts = {each for each in wire_types if each.__name__.endswith("Response")} | {
        models.Generation,
        models.GenerationModel,
    }
    assert wire_types - response_parts <= tested


def test_pickled_snapshot_keeps_its_error(copied):
    again = copied(SNAPSHOT)
    assert attributes_of(again.error) == attributes_of(UNKNOWN)
    assert (again.raw, again.outputs) == (SNAPSHOT.raw, SNAPSHOT.outputs)


def test_pickled_budget_keeps_its_prices(copied):
    again = copied(BUDGET)
    assert (again.usd, again.since) == (BUDGET.usd, BUDGET.since)
    assert vars(again) == vars(BUDGET)


# ---------------------------------------------------------------- settings

ADDRESS = "https://wonda.example.test/api/v1"


@pytest.fixture(autouse=True)
def _no_shared_connections(monkeypatch):
    monkeypatch.setattr(config, "_shared", {})
    yield
    for each in config._shared.values():  # otherwise open until the process exits
        event_loop.run_blocking(each._core.aclose())


@pytest.fixture
def client(tmp_path):
    """Create clients; their journals are closed after the test."""
    started = []

    def start(cls=ww.Wonda, key=KEY, **options):
        options = {"base_url": ADDRESS, "journal": tmp_path / "sent.db", **options}
        started.append(cls(key, **options))
        return started[-1]

    yield start
    for each in started:
        core(each).journal.close()


def core(client):
    return getattr(client, "_async", client)._core


PICKLERS = {name: COPIERS[name] for name in COPIERS if name != "deepcopy"}


@pytest.fixture(params=PICKLERS.values(), ids=PICKLERS)
def pickled(request):
    return request.param


@pytest.mark.parametrize("cls", [ww.Wonda, ww.AsyncWonda])
def test_pickled_client_keeps_settings_and_uses_the_local_key(
    client, pickled, cls, monkeypatch, tmp_path
):
    other = "sk_" + "c3" * 32
    monkeypatch.setenv("WONDA_API_KEY", other)
    monkeypatch.setenv("WONDA_BASE_URL", "https://elsewhere.example.test/api/v1")
    wonda = client(cls, timeout=7, journal=ww.Journal(tmp_path / "kept.db", days=900, megabytes=7))
    again = pickled(wonda)
    assert type(again) is cls
    assert again.base_url == ADDRESS
    assert not again.is_sandbox
    transport, journal = core(again).transport, core(again).journal
    assert transport.timeout == 7
    assert journal.path == tmp_path / "kept.db"
    assert journal.settings == (str(journal.path), 900, 7)
    assert transport._key.header() == f"Bearer {other}"
    core(wonda).journal.close()


@pytest.mark.parametrize("cls", [ww.Wonda, ww.AsyncWonda])
def test_unpickled_client_without_a_key_raises_on_first_use(client, pickled, cls, monkeypatch):
    again = pickled(pickled(client(cls)))  # passed on by a scheduler that has no key
    assert repr(again) == f"<{cls.__name__} {ADDRESS}>"
    assert (again.base_url, again.is_sandbox) == (ADDRESS, False)
    assert not hasattr(again, "_repr_html_"), "front ends look for this attribute on every object"
    for _ in range(2):
        with pytest.raises(ww.MissingKeyError):
            again.images  # noqa: B018
        with pytest.raises(ww.MissingKeyError):
            again.whoami() if cls is ww.Wonda else event_loop.run_blocking(again.whoami())
    with pytest.raises(AttributeError, match="no attribute 'imgaes'"):
        again.imgaes  # noqa: B018
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    assert again.images
    assert core(again).journal_key == ADDRESS


def test_threads_can_use_an_unpickled_client_simultaneously(client, monkeypatch):
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    data = pickle.dumps(client())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            again = pickle.loads(data)
            found = list(pool.map(lambda _, one=again: one.images, range(8)))
            assert all(each._async._core.journal_key == ADDRESS for each in found)
    # A thread that comes just after another one connected the client uses that connection.
    assert config.connect_on_first_use(again, "images") is again.images


@pytest.mark.parametrize("cls", [ww.Wonda, ww.AsyncWonda])
def test_dask_token_depends_on_client_settings(client, cls, tmp_path):
    from dask.tokenize import tokenize

    wonda, other = client(cls), client(cls, journal=tmp_path / "other.db")
    again = pickle.loads(pickle.dumps(wonda))
    assert tokenize(wonda) == tokenize(client(cls)) == tokenize(again)
    assert len({tokenize(each) for each in (wonda, other, client(), client(ww.AsyncWonda))}) == 3


def test_equal_unpickled_clients_share_one_connection(client, monkeypatch):
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    data = pickle.dumps(client())
    first, second = pickle.loads(data), pickle.loads(data)
    assert core(first) is core(second)
    pickle.loads(data).close()  # a client that was never used
    first.close()
    third = pickle.loads(data)
    assert core(third) is core(first)
    assert not core(third).transport.closed
    monkeypatch.setenv("WONDA_API_KEY", "sk_" + "c3" * 32)
    assert core(pickle.loads(data)) is not core(third)
    core(third).journal.close()


def test_unpickled_client_without_its_journal_is_refused(client, monkeypatch, tmp_path):
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    data = pickle.dumps(client(journal=tmp_path / "mine" / "journal.db"))
    (tmp_path / "mine").rename(tmp_path / "elsewhere")  # as on another computer
    with pytest.raises(ww.InvalidInputError, match="is not on this computer"):
        pickle.loads(data).jobs.recent()


def test_client_of_a_served_sandbox_stays_a_sandbox_client(pickled, served, tmp_path, quick_polls):  # noqa: ARG001
    _, base_url = served(seconds=0.01)
    with ww.Wonda.served_sandbox(base_url, timeout=9, journal=tmp_path / "s.db") as wonda:
        again = pickled(wonda)
        assert again.is_sandbox
        assert (again.base_url, core(again).transport.timeout) == (base_url, 9)
        assert again.images.generate(model="z-image", prompt="A sail").wait().media.media_id
        assert [job.request["prompt"] for job in wonda.jobs.recent()] == ["A sail"]
        again.close()


def test_copying_a_client_returns_the_client_itself(client):
    for wonda in (client(), client(ww.AsyncWonda)):
        assert copy.copy(wonda) is wonda
        assert copy.deepcopy([wonda])[0] is wonda


def sandbox_client():
    return ww.Wonda.sandbox()


def custom_transport_client():
    return ww.Wonda(KEY, transport=httpx.MockTransport(lambda _: httpx.Response(200)))


def memory_journal_client():
    return ww.Wonda(KEY, base_url=ADDRESS, journal=":memory:")


UNPICKLABLE = {
    "a sandbox in this process": (sandbox_client, "wonda-widgets sandbox"),
    "a custom transport": (custom_transport_client, "Create one in each worker"),
    "a journal in memory": (memory_journal_client, "Name a file"),
}


@pytest.mark.parametrize("name", UNPICKLABLE)
def test_unpicklable_client_raises_an_error_with_a_hint(name):
    make, hint = UNPICKLABLE[name]
    with make() as wonda:
        for each in (wonda, wonda._async):
            for dumps in (pickle.dumps, cloudpickle.dumps):
                with pytest.raises(TypeError, match=hint):
                    dumps(each)


def test_client_with_an_unwritable_journal_is_not_picklable(tmp_path):
    (tmp_path / "no folder").write_text("a file")
    with ww.Wonda(KEY, base_url=ADDRESS, journal=tmp_path / "no folder" / "j.db") as wonda:
        with pytest.warns(ww.JournalWarning):
            wonda.jobs.recent()
        with pytest.raises(TypeError, match="Work continues in memory"):
            pickle.dumps(wonda)


def test_pickled_journal_keeps_its_path_and_limits(pickled, tmp_path):
    journal = ww.Journal(tmp_path / "kept.db", days=900, megabytes=7)
    assert pickled(journal).settings == journal.settings
    with pytest.raises(TypeError, match="Name a file"):
        pickled(ww.Journal(":memory:"))


def test_pickling_a_job_matrix_or_resource_raises_with_a_hint(tmp_path):
    with ww.Wonda.sandbox(seconds=0.01, journal=tmp_path / "j.db") as wonda:
        job = wonda.images.generate(model="z-image", prompt="A sail")
        matrix = wonda.images.matrix("A sail", models="z-image")
        for value, hint in (
            (job, r"job\.snapshot.*wonda\.jobs\.attach"),
            (matrix, "Send wonda, and the data that you need"),
            (wonda.images, "Send wonda"),
            (wonda._async.history, "Send wonda"),
        ):
            for copier in COPIERS.values():
                with pytest.raises(TypeError, match=hint):
                    copier(value)


# ---------------------------------------------------------------- the key


def pickles_of(value):
    """Yield every pickle of an object, and the strings that each one contains."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for dumps in (pickle.dumps, cloudpickle.dumps):
            data = dumps(value, protocol=protocol)
            yield data
            yield "\0".join(str(argument) for _, argument, _ in pickletools.genops(data))


def test_no_pickle_contains_the_key(served, tmp_path, monkeypatch):
    _, base_url = served(seconds=0.01, key=KEY)
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    with ww.Wonda(KEY, base_url=base_url, journal=tmp_path / "j.db") as wonda:
        budget = ww.Budget(100)
        job = wonda.images.generate(model="z-image", prompt=f"A sail {KEY}", budget=budget)
        matrix = wonda.images.matrix("A {what}", {"what": ["sail", "buoy"]}, "z-image")
        rows = matrix.wait()
        values = [
            wonda,
            wonda._async,
            core(wonda).journal,
            budget,
            job.wait(),
            job.request["model"],
        ]
        values += [wonda.capabilities(), wonda.whoami(), wonda.accounts.instagram(), rows]
        values += [matrix.plan, matrix.price, matrix.progress, matrix.images]
        values += wonda.history.search("", limit=9)
        for fail in (
            lambda: wonda.images.generate(model="nothing", prompt=KEY),
            lambda: wonda.jobs.attach("inference", "nothing").wait(),
            lambda: wonda.images.generate(model="z-image", prompt="sandbox: fail").wait(),
            lambda: ww.Wonda(f"{KEY} "[:-3] + "é", base_url=base_url),
            lambda: ww.Wonda(KEY, base_url=f"https://{KEY}@x.test/api/v1"),
        ):
            with pytest.raises(ww.WondaError) as caught:
                fail()
            values.append(caught.value)
        for value in values:
            for data in pickles_of(value):
                assert_absent(KEY, data, f"the pickle of {type(value).__name__}")
        for key in (credentials.ApiKey(KEY), [credentials.ApiKey(KEY)]):
            with pytest.raises(TypeError, match="never pickled"):
                cloudpickle.dumps(key)


def test_key_search_finds_a_pickled_key():
    for data in pickles_of({"a": [KEY[5:40]]}):
        with pytest.raises(AssertionError):
            assert_absent(KEY, data, "the pickle")
