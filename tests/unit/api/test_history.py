"""`wonda.history`: search, rate and export images."""

import csv
import functools
import io
import json
import math
import re
import sqlite3
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from conftest import KEY
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.export import files
from wonda_widgets.journal.generated_image import GeneratedImage
from wonda_widgets.journal.images import Query
from wonda_widgets.journal.search_terms import match_expression

DAWN, END = datetime.min, datetime.max  # noqa: DTZ901 - as a person may pass them
PROMPTS = ["A sunset over the ocean", "A storm, low haze", "Ein Hafen bei Nacht, Laternen"]


@pytest.fixture
def wonda(tmp_path, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01, journal=tmp_path / "journal.db") as client:
        yield client


def make(wonda, prompt="A harbour", model="nano-banana-2", **params):
    job = wonda.images.generate(model=model, prompt=prompt, params=params or None)
    job.wait()
    return job


@pytest.fixture
def three(wonda):
    for prompt in PROMPTS:
        make(wonda, prompt)
    return wonda


def prompts(found):
    return [image.prompt for image in found]


def test_newest_first_with_request_details(wonda):
    make(wonda, PROMPTS[0])
    job = make(wonda, PROMPTS[1], "z-image", aspectRatio="4:3")
    first, second = wonda.history.search()
    assert (first.prompt, first.model, first.params) == (
        PROMPTS[1],
        "z-image",
        {"aspectRatio": "4:3"},
    )
    assert first.media == job.snapshot.media
    assert abs(first.made_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert first.seconds > 0
    assert second.prompt == PROMPTS[0]
    assert first.code() == job.code()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sunset", [0]),
        ("OCEAN sun", [0]),  # in any order, by their beginnings
        ("haze", [1]),
        ("hafen", [2]),
        ("a", [1, 0]),
        ("sunset storm", []),
        ("", [2, 1, 0]),
        ('sun" OR "storm', []),  # no operators
        ("NOT sunset", []),
        ("*", []),
        ("“…”", []),
        ("low, haze.", [1]),
    ],
)
def test_search_by_words_of_the_prompt(three, text, found):
    assert prompts(three.history.search(text)) == [PROMPTS[index] for index in found]
    assert three.history.count(text) == len(found)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_search_text_is_not_query_syntax(typed):
    import sqlite3

    memory = sqlite3.connect(":memory:")
    memory.execute("CREATE VIRTUAL TABLE words USING fts5 (prompt)")
    asked = match_expression(typed)
    if asked:
        memory.execute("SELECT * FROM words WHERE words MATCH ?", (asked,)).fetchall()
    memory.close()


def test_filter_by_model_date_favorite_and_rating(three):
    make(three, "Another", "z-image")
    assert prompts(three.history.search(model="z-image")) == ["Another"]
    assert three.history.models() == ["nano-banana-2", "z-image"]
    today = date.today()  # noqa: DTZ011 - as a person means it
    assert three.history.count(since=today, until=today) == 4
    assert three.history.count(until=today - timedelta(days=1)) == 0
    assert three.history.count(since=datetime.now(UTC) + timedelta(hours=1)) == 0
    chosen = three.history.search("storm")[0]
    three.history.mark(chosen, favorite=True, rating=4, note="the mood, for Anna")
    assert prompts(three.history.search(favorite=True)) == [PROMPTS[1]]
    assert three.history.count(favorite=False) == 3
    assert prompts(three.history.search(rating=4)) == [PROMPTS[1]]
    assert three.history.count(rating=5) == 0
    assert prompts(three.history.search("anna")) == [PROMPTS[1]]  # the note counts too
    assert three.history.search(limit=1, offset=1)[0].prompt == PROMPTS[2]


def test_ratings_are_stored_and_can_be_removed(wonda, tmp_path):
    make(wonda, PROMPTS[0])
    marked = wonda.history.mark(wonda.history.search()[0], rating=5, note="yes")
    assert (marked.rating, marked.note, marked.favorite) == (5, "yes", False)
    wonda.history.mark(marked, note="perhaps")
    assert wonda.history.count("yes") == 0
    with ww.Wonda.sandbox(journal=tmp_path / "journal.db") as later:
        [again] = later.history.search("perhaps")
        assert later.history.mark(again, rating=0, note="").rating == 0
        assert later.history.count("perhaps") == 0
        assert later.history.count("ocean") == 1


def test_failed_and_rejected_requests_are_not_listed(wonda):
    with pytest.raises(ww.JobFailedError):
        make(wonda, "sandbox: fail")
    with pytest.raises(ww.BadRequestError):
        make(wonda, "x", "no-such-model")
    assert wonda.history.search() == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"limit": 0}, "whole number from 1"),
        ({"offset": -1}, "whole number from 0"),
        ({"since": "yesterday"}, "a date or a datetime"),
        ({"text": 7}, "must be a string"),
    ],
)
def test_invalid_filters_are_reported(wonda, how, said):
    with pytest.raises(ww.InvalidInputError, match=said):
        wonda.history.search(**how)


@pytest.mark.parametrize("at", [date.min, DAWN, date.max, END])
def test_extreme_dates_are_accepted(three, at):
    early = at.year == 1
    assert three.history.count(since=at) == (3 if early else 0)
    assert three.history.count(until=at) == (0 if early else 3)


def test_invalid_ratings_and_notes_are_reported(three):
    image = three.history.search()[0]
    for rating in (6, -1, 2.5, True):
        with pytest.raises(ww.InvalidInputError, match="from 0 to 5"):
            three.history.mark(image, rating=rating)
    with ww.Wonda.sandbox() as other, pytest.raises(ww.InvalidInputError, match="not in the jour"):
        other.history.mark(image, rating=3)


def test_older_journal_is_indexed(tmp_path):
    import sqlite3

    from wonda_widgets.journal.journal import Journal
    from wonda_widgets.journal.tables import MIGRATIONS
    from wonda_widgets.models import Snapshot

    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        for statement in MIGRATIONS[0].split(";"):
            old.execute(statement)
        old.execute("PRAGMA user_version=1")
        row = "('i%d','b','inference',?,'','h|1|t|',%d,%d,'accepted','','j%d','succeeded',1,?,NULL)"
        media = '{"status":"succeeded","outputs":[{"media":{"mediaId":"m"}}]}'
        for number, body in enumerate(
            ('{"model":"m","prompt":"A harbour"}', '{"model":"m"}', '{"prompt":["odd"]}')
        ):
            values = row % (number, number, number, number)
            old.execute(f"INSERT INTO request VALUES {values}", (body, media))
    old.close()
    kept = Journal(path)
    found = kept.images.search("b", Query(text="harbour"), 10, 0).result()
    assert [record.intent for record in found] == ["i0"]
    assert kept.images.count("b", Query()).result() == 3
    ended = kept.images.recent_successes("b", "inference", "m").result()
    assert [record.intent for record in ended] == ["i1", "i0"]
    kept.update_status("b", "inference", "j0", Snapshot(status="succeeded"))
    kept.close()
    assert not kept.problem


def test_favorites_are_not_pruned(tmp_path, monkeypatch):
    import time

    from wonda_widgets.journal import journal
    from wonda_widgets.utils import monotonic_clock

    def go_back(days):
        monkeypatch.setattr(time, "time", lambda: now - days * 86_400)
        monkeypatch.setattr(monotonic_clock, "seconds", lambda: running - days * 86_400)

    now, running = time.time(), monotonic_clock.seconds()
    kept = journal.Journal(tmp_path / "journal.db", days=30)
    go_back(31)
    first, _ = kept.begin_request("b", "inference", b'{"model":"m","prompt":"one"}').result()
    second, _ = kept.begin_request("b", "inference", b'{"model":"m","prompt":"two"}').result()
    kept.images.mark(first, favorite=True).result()
    for intent in (first, second):
        kept.mark_refused(intent, "no credits").result()
    for days in (1.5, 0):  # a month without use is confirmed by a second day
        go_back(days)
        kept._entry_count = 0  # the next one looks
        third, _ = kept.begin_request("b", "inference", b'{"model":"m","prompt":"three"}').result()
    marks = kept.images.marks([first, second, third]).result()
    assert set(marks) == {first, third}
    assert marks[first].favorite
    assert kept.find_by_intent(second).result() == []
    kept.close()


# ---------------------------------------------------------------- thumbnails and originals


def fetched(wonda):
    """How many originals were fetched."""
    transport = wonda._async._core.transport
    calls = []
    real = transport.download

    async def counted(url):
        calls.append(url)
        return await real(url)

    transport.download = counted
    return calls


def elsewhere(image):
    """An address at which the storage has nothing."""
    return image.media.url.replace(image.media.media_id, "gone")


def test_thumbnail_is_small_and_created_once(wonda, tmp_path):
    make(wonda)
    calls = fetched(wonda)
    [image] = wonda.history.search()
    small = wonda.history.thumbnail(image)
    assert len(small) <= 32_000
    assert max(Image.open(io.BytesIO(small)).size) == 320
    assert wonda.history.thumbnail(image) == small
    assert len(calls) == 1
    with ww.Wonda.sandbox(journal=tmp_path / "journal.db") as later:
        assert later.history.thumbnail(image) == small  # without any original at all


def test_damaged_thumbnail_cache_is_recreated_silently(wonda, tmp_path):
    make(wonda)
    (tmp_path / "journal.db.thumbnails").write_bytes(b"junk" * 4_000)
    [image] = wonda.history.search()
    assert wonda.history.thumbnail(image)


def test_thumbnail_cache_keeps_its_size_limit(monkeypatch, tmp_path):
    from wonda_widgets.journal import thumbnails

    monkeypatch.setattr(thumbnails, "MAX_MEGABYTES", 0.1)
    kept = thumbnails.Thumbnails(tmp_path / "j")
    for number in range(40):
        keep = functools.partial(thumbnails._store, key=("b", f"m{number}"), data=b"x" * 10_000)
        kept._database.run(keep).result()
    count = "SELECT count(*) FROM thumbnail"
    held = kept._database.run(lambda c: c.execute(count).fetchone()[0]).result()
    assert 5 <= held <= 10
    kept.close()


@pytest.fixture
def services(tmp_path):
    """Clients of two services on one journal, whose images differ and whose ids do not."""

    def of(name, colour):
        async def answer(request):
            if request.url.path.endswith(".png"):
                buffer = io.BytesIO()
                Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
                return httpx.Response(200, content=buffer.getvalue())
            return httpx.Response(404)

        return ww.Wonda(
            KEY,
            base_url=f"https://{name}.example/api/v1",
            journal=tmp_path / "journal.db",
            transport=httpx.MockTransport(answer),
        )

    clients = of("one", "red"), of("two", "blue")
    yield clients
    for client in clients:
        client.close()


def colour_of(small):
    return Image.open(io.BytesIO(small)).convert("RGB").getpixel((4, 4))


def test_thumbnails_of_different_services_are_separate(services):
    image = GeneratedImage(media=ww.Media(media_id="m1", url="https://storage.example/a.png"))
    for _ in range(2):  # made, and then from the file
        red, blue = (colour_of(client.history.thumbnail(image)) for client in services)
        assert red[0] > 200 > red[2]
        assert blue[2] > 200 > blue[0]


def test_images_without_an_id_do_not_share_a_thumbnail(services, monkeypatch):
    client, _ = services
    colours = {"a": "red", "b": "lime"}

    async def original(image):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), colours[image.media.url]).save(buffer, "PNG")
        return buffer.getvalue()

    monkeypatch.setattr(client._async.history, "original", original)
    red, green = (
        colour_of(client.history.thumbnail(GeneratedImage(media=ww.Media(url=url)))) for url in "ab"
    )
    assert red[0] > 200 > red[1]
    assert green[1] > 200 > green[0]


def test_thumbnails_without_a_service_are_recreated(services, tmp_path):
    from wonda_widgets.journal import thumbnails

    with sqlite3.connect(tmp_path / "journal.db.thumbnails") as file:
        for statement in thumbnails.MIGRATIONS[0].split(";"):
            file.execute(statement)
        file.execute("INSERT INTO thumbnail VALUES ('m1', 0, x'00')")
        file.execute("PRAGMA user_version=1")
    file.close()
    image = GeneratedImage(media=ww.Media(media_id="m1", url="https://storage.example/a.png"))
    assert colour_of(services[0].history.thumbnail(image))[0] > 200


def test_expired_address_is_refreshed(wonda):
    import msgspec

    make(wonda)
    [image] = wonda.history.search()
    gone = msgspec.structs.replace(image.media, url=elsewhere(image))
    expired = msgspec.structs.replace(image, media=gone)
    assert wonda.history.original(expired) == wonda.history.original(image)
    lost = msgspec.structs.replace(expired, job_id="")
    with pytest.raises(ww.NotFoundError):
        wonda.history.original(lost)


# ---------------------------------------------------------------- export


def test_export_as_table(three, tmp_path):
    found = three.history.search()
    written = three.history.export(found, tmp_path / "new folder" / "all.csv")
    with written.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["prompt"] for row in rows] == PROMPTS[::-1]
    assert rows[0]["media_id"] == found[0].media.media_id
    second = three.history.export(found, tmp_path / "all.json")
    assert [row["prompt"] for row in json.loads(second.read_text("utf-8"))] == PROMPTS[::-1]
    third = three.history.export(found[:1], second)
    assert third.name == "all (2).json"  # what is there stays


def test_value_named_like_a_column_gets_its_own_column(three, tmp_path):
    import msgspec

    [image] = three.history.search("storm")
    values = {"prompt": "a", "rating": "b", "light": "c", "model": "d", "file": "e", "error": "f"}
    odd = msgspec.structs.replace(image, values=values, params={"model": "g", "note": 5})
    row = odd.row()
    assert (row["prompt"], row["model"], row["rating"]) == (image.prompt, image.model, 0)
    assert (row["{prompt}"], row["{rating}"], row["light"]) == ("a", "b", "c")
    assert (row["{model}"], row["{{model}}"], row["{note}"], row["note"]) == ("d", "g", 5, "")
    folder = three.history.export([odd], tmp_path / "board")
    [made] = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert (made["{file}"], made["{error}"], made["error"]) == ("e", "f", None)
    assert (folder / made["file"]).exists()


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_text_is_never_a_formula(three, tmp_path, sign):
    import msgspec

    [image] = three.history.search("storm")
    text = f"{sign}HYPERLINK(A1)"
    odd = msgspec.structs.replace(
        image, prompt=text, params={text: -5, "a": "a=b"}, note="a harbour"
    )
    written = three.history.export([odd], tmp_path / "all.csv")
    with written.open(newline="", encoding="utf-8-sig") as file:
        [row] = csv.DictReader(file)
    assert (row["prompt"], row[f"'{text}"]) == (f"'{text}", "-5")
    assert (row["a"], row["note"]) == ("a=b", "a harbour")
    kept = three.history.export([odd], tmp_path / "all.json")
    assert json.loads(kept.read_text("utf-8"))[0]["prompt"] == text


FORMULA = "=cmd|' /C calc'!A0"
HIDDEN = [
    f"dawn;{FORMULA}",
    f"dawn\t{FORMULA}",
    f"dawn,{FORMULA}",
    f"dawn|{FORMULA}",
    f"dawn\n{FORMULA}",
    f"dawn\r{FORMULA}",
    f"dawn\r\n{FORMULA}",
    f"dawn; {FORMULA}",
    f'dawn;"{FORMULA}',
    f'dawn;""{FORMULA}"',
    f"dawn;\u00a0\ufeff{FORMULA}",
    f"dawn;;;{FORMULA}",
    f"\0{FORMULA}",
    f"\n{FORMULA}",
    f'" {FORMULA}',
    f"  {FORMULA}",
    "dawn;-1+cmd|' /C calc'!A0",
    "dawn;@SUM(A1)",
    "dawn;+A1",
    "＝1+1",
    "dawn;＠SUM(A1)",
    "－A1",
    "＋A1",
    "−A1",
]


@pytest.mark.parametrize("text", HIDDEN)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_text_is_never_a_formula_with_any_separator(three, tmp_path, text, delimiter):
    import msgspec

    [image] = three.history.search("storm")
    odd = msgspec.structs.replace(
        image, prompt=text, model=text, params={text: [text]}, values={f"x {text}": text}
    )
    written = three.history.export([odd], tmp_path / "all.csv")
    lines = written.read_text("utf-8-sig").splitlines()  # also within a quoted cell
    cells = [cell for row in csv.reader(lines, delimiter=delimiter) for cell in row]
    for cell in cells:
        assert cell.strip(' "\0\u00a0\ufeff\t\r\n')[:1] not in set("=+-@＝＋－＠−"), cell


@pytest.mark.parametrize("separator", [*" :^；،、，："])
@pytest.mark.parametrize(
    "formula", ["=1+1", "+A1", "+1+A1", "-1-1", "--A1", "-1+cmd|'x'!A0", "@SUM(A1)", "＝1", '"=1"']
)
def test_csv_text_after_a_separator_is_never_a_formula(separator, formula):
    assert files._escape_formulas(f"dawn{separator}{formula}") == f"dawn{separator}'{formula}"


@pytest.mark.parametrize("separator", ":^；،、")
def test_formula_with_leading_space_is_escaped(separator):
    assert files._escape_formulas(f"dawn{separator}= 1+1") == f"dawn{separator}'= 1+1"


@pytest.mark.parametrize(
    "text",
    [
        *("a - b", "a + b = c", "from -5 to +3.5", "16:9", "a: b", "photo by @anna.b, at dawn"),
        *("ratio 4:-1", "a -", "2 x -3%", "well-known a=b", "e-mail a@b.c", "x^2", "a:- b"),
    ],
)
def test_ordinary_csv_text_is_unchanged(text):
    assert files._escape_formulas(text) == text


def test_csv_is_readable_by_excel_and_python(three, tmp_path):
    written = three.history.export(three.history.search(), tmp_path / "all.csv")
    assert written.read_bytes().startswith(b"\xef\xbb\xbf")
    with written.open(newline="", encoding="utf-8-sig") as file:
        assert [row["prompt"] for row in csv.DictReader(file)] == PROMPTS[::-1]


def test_row_has_no_control_characters(three):
    import msgspec

    [image] = three.history.search("storm")
    odd = msgspec.structs.replace(
        image,
        prompt="a\x1b[31m\0\x0b b\tc\nd \ud800\uffff",
        values={"x\x07": "y\x08"},
        note="日本\x1f",
    )
    row = odd.row()
    assert row["prompt"] == "a�[31m�� b\tc\nd ��"
    assert (row["x�"], row["note"]) == ("y�", "日本�")
    assert row["made_at"] == image.made_at.isoformat(timespec="seconds")
    assert row["made_at"].endswith("+00:00")
    assert not any(isinstance(value, datetime) for value in row.values())
    assert odd.raw_row()["prompt"] == odd.prompt
    assert odd.raw_row()["made_at"] == image.made_at
    matrix = three.images.matrix("A {x} sea", {"x": ["a\x1bb"]}, "z-image")
    assert matrix.rows()[0]["x"] == "a�b"


def test_numbers_in_csv_stay_numbers(three, tmp_path):
    import msgspec

    [image] = three.history.search("storm")
    params = {"seed": -1, "strength": -0.5, "odd": -math.inf}
    odd = msgspec.structs.replace(image, params=params, values={"tilt": "-15"})
    written = three.history.export([odd, image], tmp_path / "all.csv")
    with written.open(newline="", encoding="utf-8-sig") as file:
        [row, without] = csv.DictReader(file)
    assert (row["seed"], row["strength"], row["tilt"]) == ("-1", "-0.5", "-15")
    assert (row["odd"], without["seed"]) == ("'-inf", "")
    first = written.read_text("utf-8-sig").splitlines()[0]
    assert first.startswith('"prompt","model","tilt","seed"')


@given(st.text(alphabet=" ,;|\t\n\"'=+-@a1＝"))
def test_every_formula_start_is_escaped(text):
    safe = files._escape_formulas(text)
    assert files._escape_formulas(safe) == safe
    assert files.NUMBER.fullmatch(safe) or not any(
        re.match(r"[\s\"]*[=+\-@＝]", piece) for piece in re.split(r"[,;|\t\n]", safe)
    )


@pytest.mark.parametrize("path", ["x\0y.csv", "~no-such-person/a.csv", "\ud800.csv", "a\0/b"])
def test_invalid_path_is_reported(three, path):
    with pytest.raises(ww.InvalidInputError, match="is not a valid path") as caught:
        three.history.export(three.history.search(), path)
    assert caught.value.field == "path"


def test_export_as_folder_of_originals(three, tmp_path):
    import msgspec

    found = three.history.search()
    lost = msgspec.structs.replace(found[0].media, url=elsewhere(found[0]))
    found[0] = msgspec.structs.replace(found[0], media=lost, job_id="")
    folder = three.history.export(found, tmp_path / "board")
    rows = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert rows[0]["file"] is None
    assert rows[0]["error"]
    for row, image in zip(rows[1:], found[1:], strict=True):
        written = Image.open(folder / row["file"])
        assert written.text["prompt"] == image.prompt
        assert written.text["media id"] == image.media.media_id


def test_unsupported_export_is_reported(three, tmp_path):
    with pytest.raises(ww.InvalidInputError, match="no images to export"):
        three.history.export([], tmp_path / "x.csv")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ww.InvalidInputError, match="cannot be written"):
        three.history.export(three.history.search(), tmp_path / "file" / "x.csv")


def test_nul_in_a_prompt_does_not_break_the_index(three):
    job = three.images.generate(model="z-image", prompt="A pier\0hidden")
    job.wait()
    [image] = three.history.search("pier")
    three.history.mark(image, note="sound")
    database = three._async._core.journal._database
    check = "INSERT INTO words (words, rank) VALUES ('integrity-check', 1)"
    database.run(lambda connection: connection.execute(check).fetchall()).result()
    assert three.history.count("sound") == 1


def test_job_without_an_image_is_not_listed(three):
    before = three.history.count()
    three.images.generate(model="z-image", prompt="sandbox: no media").wait()
    assert three.history.count() == len(three.history.search()) == before
