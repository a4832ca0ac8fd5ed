"""``%%wonda``: options, completion and messages."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from conftest import KEY
from IPython.core.error import UsageError

import wonda_widgets as ww
from wonda_widgets.http import credentials
from wonda_widgets.models import GenerationModel, parameters
from wonda_widgets.notebook import magic
from wonda_widgets.sandbox.catalog import MODELS
from wonda_widgets.utils import event_loop

KNOWN = [
    GenerationModel(key=model.key, label=model.label, params=model.schema)
    for model in MODELS.values()
]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", {}),
        ("-m z-image -o a", {"model": "z-image", "output": "a"}),
        ("--aspectRatio=4:5 --resolution 2K", {"aspectRatio": "4:5", "resolution": "2K"}),
        ('--style-id "a b"', {"style-id": "a b"}),
        ("--strength -1", {"strength": "-1"}),
    ],
)
def test_options_are_parsed(line, found):
    assert magic.parse_options(line) == found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a sunset", "below this line"),
        ("-m", "has no value"),
        ("--resolution --model x", "has no value"),
        ('--style-id "a', "unclosed quotation mark"),
        ("--", "not an option"),
    ],
)
def test_invalid_options_are_reported(line, said):
    with pytest.raises(ww.InvalidInputError, match=said):
        magic.parse_options(line)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("%%wonda -m z", ["z-image"]),
        ("%%wonda -m ", [model.key for model in KNOWN]),
        ("%%wonda --res", ["--resolution"]),
        ("%%wonda -m z-image --res", []),
        ("%%wonda --resolution ", ["1K", "2K", "4K"]),
        ("%%wonda --aspect-ratio 16", ["16:9"]),
        ("%%wonda -o ", []),
        ("%%wonda --resolution 2K --r", []),
    ],
)
def test_completion(line, found):
    assert magic.completions(KNOWN, line) == found


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12345678901234567890", 12345678901234567890),
        ("-7", -7),
        ("2.0", 2),
        ("1e3", 1000),
        ("2.5", 2.5),
        ("two", "two"),
        ("9" * 5000, float("inf")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_numbers_are_kept_as_entered(text, value):
    seed = parameters.Field(name="seed", label="Seed", kind="number", whole=True)
    found = parameters.from_text(seed, text)
    assert (found, type(found)) == (value, type(value))


# ---------------------------------------------------------------- the client


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch):
    monkeypatch.setattr(magic, "_default_client", None)
    monkeypatch.setattr(magic, "_models_cache", {})
    monkeypatch.setattr(magic, "_pending", {})


def shell(**names):
    return SimpleNamespace(user_ns=names)


def test_variable_of_the_notebook_is_not_overwritten():
    with ww.Wonda.sandbox() as wonda:
        notebook = shell(wonda=wonda, other=wonda)
        for name in notebook.user_ns:
            with pytest.raises(UsageError, match=f"{name} is a client in this notebook"):
                magic.run(notebook, f"-m z-image -o {name}", "A harbour")
        assert notebook.user_ns == {"wonda": wonda, "other": wonda}
        assert wonda.jobs.recent() == []


def test_client_is_reused_until_key_or_address_changes(monkeypatch):
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    monkeypatch.setenv("WONDA_BASE_URL", "http://127.0.0.1:9")
    clients = [magic._client({})]
    assert magic._client({}) is clients[0]
    monkeypatch.setenv("WONDA_BASE_URL", "http://127.0.0.1:10")
    clients.append(magic._client({}))
    monkeypatch.setenv("WONDA_API_KEY", "sk_" + "6b" * 32)
    clients.append(magic._client({}))
    assert magic._client({}) is clients[2]
    event_loop.run_blocking(clients[2].aclose())
    clients.append(magic._client({}))
    assert magic._client({}) is clients[3]
    assert len(set(clients)) == 4
    assert not clients[0].is_closed  # its jobs may be followed still
    monkeypatch.delenv("WONDA_API_KEY")
    assert magic._client({}).is_sandbox
    with ww.Wonda.sandbox() as own:
        assert magic._client({"wonda": own}) is own._async
    for each in clients:
        event_loop.run_blocking(each.aclose())


def test_client_with_a_connected_key_is_reused(monkeypatch):
    monkeypatch.setattr(credentials, "_connected", None)
    credentials.connect(credentials.ApiKey(KEY), "http://127.0.0.1:9")
    first = magic._client({})
    assert magic._client({}) is first
    assert first.base_url.startswith("http://127.0.0.1:9")
    credentials.connect(credentials.ApiKey("sk_" + "6b" * 32), "http://127.0.0.1:9")
    second = magic._client({})
    assert second is not first
    for each in (first, second):
        event_loop.run_blocking(each.aclose())


def test_invalid_address_is_reported(monkeypatch):
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    monkeypatch.setenv("WONDA_BASE_URL", "ftp://wonda.example")
    with pytest.raises(UsageError, match="https"):
        magic.run(shell(), "", "A harbour")


# ---------------------------------------------------------------- Tab


def tab(wonda, line="%%wonda -m z"):
    return magic._complete(shell(wonda=wonda), SimpleNamespace(line=line))


@pytest.fixture
def now(monkeypatch):
    """The time, in seconds, as the magic sees it."""
    hands = [1_000.0]
    monkeypatch.setattr(magic, "monotonic", lambda: hands[0])
    return hands


def test_completion_does_not_retry_immediately_after_a_failure(now, settled):
    arrived = []

    def answer(request):
        arrived.append(request)
        return httpx.Response(403, json={})

    with ww.Wonda(KEY, transport=httpx.MockTransport(answer)) as wonda:
        assert tab(wonda) == []
        settled(lambda: len(arrived) == 1)
        assert tab(wonda) == []
        assert len(arrived) == 1
        now[0] += magic.RETRY_SECONDS + 1
        tab(wonda)
        settled(lambda: len(arrived) == 2)


def test_completion_does_not_wait_for_a_slow_service(monkeypatch, settled):
    answers, arrived = asyncio.Event(), []
    models = {"generation": {"image": [{"key": "z-image"}]}}

    async def answer(request):
        arrived.append(request)
        await answers.wait()
        return httpx.Response(200, json=models)

    monkeypatch.setattr(magic, "COMPLETION_TIMEOUT_SECONDS", 0.01)
    with ww.Wonda(KEY, transport=httpx.MockTransport(answer)) as wonda:
        assert tab(wonda) == []
        assert tab(wonda) == []
        event_loop.call_soon(answers.set)
        settled(next(iter(magic._pending.values()))[1].done)
        assert tab(wonda) == ["z-image"]
        assert tab(wonda) == ["z-image"]
        assert len(arrived) == 1


@pytest.mark.parametrize(
    ("prompt", "filled"),
    [
        ("A {subject}, {{soft}}", "A red sail, {soft}"),
        ("{lights[1]} at {size:.1f} m", "noon at 2.5 m"),
        ("no variables", "no variables"),
        ("A { subject }, { style : noir }, {{a:b}}", "A red sail, hard {light}, {a:b}"),
        ("{size:noir}, {size:03.0f}", "2.5 noir, 002"),
        ("{braces}", "{style:noir}"),  # what a variable has is not read again
    ],
)
def test_variables_are_filled_in_with_the_option(prompt, filled):
    namespace = {
        "subject": "red sail",
        "lights": ["dusk", "noon"],
        "size": Size(2.5),
        "braces": "{style:noir}",
    }
    texts = {"style:noir": "hard {light}", "size:noir": "never"}
    assert magic.fill_variables(prompt, namespace, texts) == filled


class Size(float):
    """A number with a format of its own."""

    def __format__(self, spec):
        return "2.5 noir" if spec == "noir" else super().__format__(spec)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("A {subjct}", "Did you mean 'subject'"),
        ("A {nothing}", "no variable 'nothing'"),
        ("A {subject", "cannot be filled in"),
        ("A {}", "cannot be filled in"),
        ("A {0}", "cannot be filled in"),
        ("A {subject.nothing}", "cannot be filled in"),
        ("A {subject[5]}", "cannot be filled in"),
        ("A {subject:%%}", "cannot be filled in"),
        ("A {map[key]}", "cannot be filled in"),
        ("A {style:nior}", "no snippet {style:nior}. Did you mean 'style:noir'"),
        ("A {odd}", "cannot be filled in: no text"),
    ],
)
def test_odd_variables_are_explained(prompt, said):
    namespace = {"subject": "sea", "map": {}, "odd": Odd()}
    with pytest.raises(ww.InvalidInputError, match=said):
        magic.fill_variables(prompt, namespace, {"style:noir": "hard shadows"})


class Odd:
    """A value that cannot be written."""

    def __format__(self, _spec):
        raise RuntimeError("no text")


def test_format_is_an_option_without_a_value():
    assert magic.parse_options("-f -m z-image") == {"format": "", "model": "z-image"}
    assert magic.parse_options("--format --aspect-ratio 4:5") == {
        "format": "",
        "aspect-ratio": "4:5",
    }
