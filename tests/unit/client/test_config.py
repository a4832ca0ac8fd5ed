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
from wonda_widgets import credentials, errors, models
from wonda_widgets.client import config
from wonda_widgets.journal import images
from wonda_widgets.matrix import cells, planning
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
    cells=[CELL], template="A {what}", values={"what": ["sail"]}, models=["m"], params={"n": [1]}
)
IMAGE = ww.GeneratedImage(media=MEDIA, prompt="A sail", params={"n": 1}, made_at=NOW, rating=5)
BUDGET = ww.Budget(2.5, NOW)

CARRIERS = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "old pickle": lambda thing: pickle.loads(pickle.dumps(thing, protocol=2)),
    "cloudpickle": lambda thing: pickle.loads(cloudpickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(params=CARRIERS.values(), ids=CARRIERS)
def carried(request):
    return request.param


def family(cls):
    yield cls
    for each in cls.__subclasses__():
        yield from family(each)


ERRORS = sorted(
    {each for each in family(ww.WondaError) if each.__module__ == "wonda_widgets.errors"},
    key=lambda cls: cls.__name__,
)


#: How to make one of each kind, with everything in it that it can have; the first that fits.
MAKERS = {
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


def made(cls):
    return next(make for base, make in MAKERS.items() if issubclass(cls, base))(cls)


def state(error):
    """All that an error knows; exceptions themselves are equal to nothing but themselves."""
    return {
        **{name: repr(value) for name, value in vars(error).items()},
        "": (type(error), error.args, str(error), repr(error)),
    }


@pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
def test_pickled_error_keeps_its_attributes(cls, carried):
    error = made(cls)
    error.add_note("said on the way")
    again = carried(error)
    assert state(again) == state(error)
    assert again.__notes__[-1] == "said on the way"
    with pytest.raises(cls):
        raise again


def test_every_public_error_is_pickled():
    public = {getattr(ww, name) for name in ww.__all__ if name.endswith("Error")}
    assert public <= set(ERRORS)
    assert len(ERRORS) > 20


def test_pickled_error_keeps_its_hint(carried):
    error = made(ww.PermissionDeniedError).with_hint("Ask Wonda.")
    assert str(carried(error)) == str(error)
    assert carried(error).hint == "Ask Wonda."


def test_pickled_error_keeps_its_job_id(carried, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(model="z-image", prompt="sandbox: fail")
        with pytest.raises(ww.JobFailedError) as caught:
            job.wait()
        assert caught.value.job is job
        again = carried(caught.value)
        assert again.job is None
        assert (again.kind, again.job_id, again.intent) == ("inference", job.id, job.intent)
        assert again.snapshot.raw == job.snapshot.raw
        assert wonda.jobs.attach(again.kind, again.job_id).status == "failed"


DATA = {
    "Media": MEDIA,
    "Output": SNAPSHOT.outputs[0],
    "Estimate": models.Estimate(model="m", estimated_cost_microdollars=40_000, estimated_credits=4),
    "Capabilities": models.Capabilities(
        generation=models.Generation(image=[models.ImageModel(key="m", params={"type": "object"})]),
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
def test_data_is_picklable(name, carried):
    assert carried(DATA[name]) == DATA[name]
    assert type(carried(DATA[name])) is type(DATA[name])


def test_every_model_is_tested():
    told = {type(thing) for thing in DATA.values()}
    read = {each for each in vars(models).values() if isinstance(each, type)}
    wire = {each for each in read if issubclass(each, models.WireStruct)} - {models.WireStruct}
    replies = {each for each in wire if each.__name__.endswith("Response")} | {
        models.Generation,
        models.ImageModel,
    }
    assert wire - replies <= told


def test_pickled_snapshot_keeps_its_error(carried):
    again = carried(SNAPSHOT)
    assert state(again.error) == state(UNKNOWN)
    assert (again.raw, again.outputs) == (SNAPSHOT.raw, SNAPSHOT.outputs)


def test_pickled_budget_keeps_its_prices(carried):
    again = carried(BUDGET)
    assert (again.usd, again.since) == (BUDGET.usd, BUDGET.since)
    assert vars(again) == vars(BUDGET)


# ---------------------------------------------------------------- settings

ADDRESS = "https://wonda.example.test/api/v1"


@pytest.fixture(autouse=True)
def _nothing_has_arrived(monkeypatch):
    monkeypatch.setattr(config, "_shared", {})
    yield
    for each in config._shared.values():  # as only the end of a process does
        event_loop.run_blocking(each._core.aclose())


@pytest.fixture
def client(tmp_path):
    """Makes clients, and closes them in the end."""
    started = []

    def start(cls=ww.Wonda, key=KEY, **how):
        how = {"base_url": ADDRESS, "journal": tmp_path / "sent.db", **how}
        started.append(cls(key, **how))
        return started[-1]

    yield start
    for each in started:
        core(each).journal.close()


def core(client):
    return getattr(client, "_async", client)._core


SENDERS = {name: CARRIERS[name] for name in CARRIERS if name != "deepcopy"}


@pytest.fixture(params=SENDERS.values(), ids=SENDERS)
def sent(request):
    return request.param


@pytest.mark.parametrize("cls", [ww.Wonda, ww.AsyncWonda])
def test_pickled_client_keeps_settings_and_uses_the_local_key(
    client, sent, cls, monkeypatch, tmp_path
):
    other = "sk_" + "c3" * 32
    monkeypatch.setenv("WONDA_API_KEY", other)
    monkeypatch.setenv("WONDA_BASE_URL", "https://elsewhere.example.test/api/v1")
    wonda = client(cls, timeout=7, journal=ww.Journal(tmp_path / "kept.db", days=900, megabytes=7))
    again = sent(wonda)
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
def test_unpickled_client_without_a_key_raises_on_first_use(client, sent, cls, monkeypatch):
    again = sent(sent(client(cls)))  # by way of a scheduler, which has none either
    assert repr(again) == f"<{cls.__name__} {ADDRESS}>"
    assert (again.base_url, again.is_sandbox) == (ADDRESS, False)
    assert not hasattr(again, "_repr_html_"), "a front end may ask what it likes"
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
    parcel = pickle.dumps(client())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            again = pickle.loads(parcel)
            found = list(pool.map(lambda _, one=again: one.images, range(8)))
            assert all(each._async._core.journal_key == ADDRESS for each in found)
    # One that comes just after another has asked finds it.
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
    parcel = pickle.dumps(client())
    first, second = pickle.loads(parcel), pickle.loads(parcel)
    assert core(first) is core(second)
    pickle.loads(parcel).close()  # one that was not used
    first.close()
    third = pickle.loads(parcel)
    assert core(third) is core(first)
    assert not core(third).transport.closed
    monkeypatch.setenv("WONDA_API_KEY", "sk_" + "c3" * 32)
    assert core(pickle.loads(parcel)) is not core(third)
    core(third).journal.close()


def test_unpickled_client_without_its_journal_is_refused(client, monkeypatch, tmp_path):
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    parcel = pickle.dumps(client(journal=tmp_path / "mine" / "journal.db"))
    (tmp_path / "mine").rename(tmp_path / "elsewhere")  # as another computer sees it
    with pytest.raises(ww.InvalidInputError, match="is not on this computer"):
        pickle.loads(parcel).jobs.recent()


def test_client_of_a_served_sandbox_stays_a_sandbox_client(sent, served, tmp_path, quick_polls):  # noqa: ARG001
    _, base_url = served(seconds=0.01)
    with ww.Wonda.served_sandbox(base_url, timeout=9, journal=tmp_path / "s.db") as wonda:
        again = sent(wonda)
        assert again.is_sandbox
        assert (again.base_url, core(again).transport.timeout) == (base_url, 9)
        assert again.images.generate(model="z-image", prompt="A sail").wait().media.media_id
        assert [job.request["prompt"] for job in wonda.jobs.recent()] == ["A sail"]
        again.close()


def test_copy_within_the_process_is_the_same_client(client):
    for wonda in (client(), client(ww.AsyncWonda)):
        assert copy.copy(wonda) is wonda
        assert copy.deepcopy([wonda])[0] is wonda


def in_process():
    return ww.Wonda.sandbox()


def own_transport():
    return ww.Wonda(KEY, transport=httpx.MockTransport(lambda _: httpx.Response(200)))


def in_memory():
    return ww.Wonda(KEY, base_url=ADDRESS, journal=":memory:")


REFUSED = {
    "a sandbox in the process": (in_process, "wonda-widgets sandbox"),
    "a transport of one's own": (own_transport, "Create one in each worker"),
    "a journal in memory": (in_memory, "Name a file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unpicklable_client_says_what_to_do(name):
    make, hint = REFUSED[name]
    with make() as wonda:
        for each in (wonda, wonda._async):
            for dumps in (pickle.dumps, cloudpickle.dumps):
                with pytest.raises(TypeError, match=hint):
                    dumps(each)


def test_unwritable_journal_is_not_picklable(tmp_path):
    (tmp_path / "no folder").write_text("a file")
    with ww.Wonda(KEY, base_url=ADDRESS, journal=tmp_path / "no folder" / "j.db") as wonda:
        with pytest.warns(ww.JournalWarning):
            wonda.jobs.recent()
        with pytest.raises(TypeError, match="Work continues in memory"):
            pickle.dumps(wonda)


def test_pickled_journal_keeps_its_path_and_limits(sent, tmp_path):
    kept = ww.Journal(tmp_path / "kept.db", days=900, megabytes=7)
    assert sent(kept).settings == kept.settings
    with pytest.raises(TypeError, match="Name a file"):
        sent(ww.Journal(":memory:"))


def test_live_objects_are_not_picklable_and_say_what_to_send(tmp_path):
    with ww.Wonda.sandbox(seconds=0.01, journal=tmp_path / "j.db") as wonda:
        job = wonda.images.generate(model="z-image", prompt="A sail")
        matrix = wonda.images.matrix("A sail", models="z-image")
        for thing, hint in (
            (job, r"job\.snapshot.*wonda\.jobs\.attach"),
            (matrix, "Send wonda, and the data that you need"),
            (wonda.images, "Send wonda"),
            (wonda._async.history, "Send wonda"),
        ):
            for carry in CARRIERS.values():
                with pytest.raises(TypeError, match=hint):
                    carry(thing)


# ---------------------------------------------------------------- the key


def parcels(thing):
    """A thing as bytes, in every way that one is sent; and the texts in them, one by one."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for dumps in (pickle.dumps, cloudpickle.dumps):
            parcel = dumps(thing, protocol=protocol)
            yield parcel
            yield "\0".join(str(argument) for _, argument, _ in pickletools.genops(parcel))


def test_no_pickle_contains_the_key(served, tmp_path, monkeypatch):
    _, base_url = served(seconds=0.01, key=KEY)
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    with ww.Wonda(KEY, base_url=base_url, journal=tmp_path / "j.db") as wonda:
        budget = ww.Budget(100)
        job = wonda.images.generate(model="z-image", prompt=f"A sail {KEY}", budget=budget)
        matrix = wonda.images.matrix("A {what}", {"what": ["sail", "buoy"]}, "z-image")
        rows = matrix.wait()
        things = [
            wonda,
            wonda._async,
            core(wonda).journal,
            budget,
            job.wait(),
            job.request["model"],
        ]
        things += [wonda.capabilities(), wonda.whoami(), wonda.accounts.instagram(), rows]
        things += [matrix.plan, matrix.price, matrix.progress, matrix.images]
        things += wonda.history.search("", limit=9)
        for fail in (
            lambda: wonda.images.generate(model="nothing", prompt=KEY),
            lambda: wonda.jobs.attach("inference", "nothing").wait(),
            lambda: wonda.images.generate(model="z-image", prompt="sandbox: fail").wait(),
            lambda: ww.Wonda(f"{KEY} "[:-3] + "é", base_url=base_url),
            lambda: ww.Wonda(KEY, base_url=f"https://{KEY}@x.test/api/v1"),
        ):
            with pytest.raises(ww.WondaError) as caught:
                fail()
            things.append(caught.value)
        for thing in things:
            for parcel in parcels(thing):
                assert_absent(KEY, parcel, f"what {type(thing).__name__} sends")
        for key in (credentials.ApiKey(KEY), [credentials.ApiKey(KEY)]):
            with pytest.raises(TypeError, match="never pickled"):
                cloudpickle.dumps(key)


def test_key_search_finds_a_pickled_key():
    for parcel in parcels({"a": [KEY[5:40]]}):
        with pytest.raises(AssertionError):
            assert_absent(KEY, parcel, "this")
