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
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.export import files
from wonda_widgets.journal.generated_image import GeneratedImage
from wonda_widgets.journal.images import Query

EARLIEST, LATEST = datetime.min, datetime.max  # noqa: DTZ901 - a user may pass naive dates
PROMPTS = ["A sunset over the ocean", "A storm, low haze", "Ein Hafen bei Nacht, Laternen"]


@pytest.fixture
def wonda(tmp_path, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01, journal=tmp_path / "journal.db") as client:
        yield client


def generate(wonda, prompt="A harbor", model="nano-banana-2", **params):
    job = wonda.images.generate(model=model, prompt=prompt, params=params or None)
    job.wait()
    return job


@pytest.fixture
def seeded(wonda):
    """Return a client whose journal has one image for each of `PROMPTS`."""
    for prompt in PROMPTS:
        generate(wonda, prompt)
    return wonda


def prompts(found):
    return [image.prompt for image in found]


def test_search_returns_newest_first_with_request_details(wonda):
    generate(wonda, PROMPTS[0])
    job = generate(wonda, PROMPTS[1], "z-image", aspectRatio="4:3")
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
    ("text", "indexes"),
    [
        ("sunset", [0]),
        ("OCEAN sun", [0]),  # any order, matched by prefix
        ("haze", [1]),
        ("hafen", [2]),
        ("a", [1, 0]),
        ("sunset storm", []),
        ("", [2, 1, 0]),
        ('sun" OR "storm', []),  # operators are plain text
        ("NOT sunset", []),
        ("*", []),
        ("“…”", []),
        ("low, haze.", [1]),
    ],
)
def test_search_matches_words_of_the_prompt(seeded, text, indexes):
    assert prompts(seeded.history.search(text)) == [PROMPTS[index] for index in indexes]
    assert seeded.history.count(text) == len(indexes)


def test_search_filters_by_model_date_favorite_and_rating(seeded):
    generate(seeded, "Another", "z-image")
    assert prompts(seeded.history.search(model="z-image")) == ["Another"]
    assert seeded.history.models() == ["nano-banana-2", "z-image"]
    today = date.today()  # noqa: DTZ011 - in the user's time zone
    assert seeded.history.count(since=today, until=today) == 4
    assert seeded.history.count(until=today - timedelta(days=1)) == 0
    assert seeded.history.count(since=datetime.now(UTC) + timedelta(hours=1)) == 0
    image = seeded.history.search("storm")[0]
    seeded.history.mark(image, favorite=True, rating=4, note="the mood, for Anna")
    assert prompts(seeded.history.search(favorite=True)) == [PROMPTS[1]]
    assert seeded.history.count(favorite=False) == 3
    assert prompts(seeded.history.search(rating=4)) == [PROMPTS[1]]
    assert seeded.history.count(rating=5) == 0
    assert prompts(seeded.history.search("anna")) == [PROMPTS[1]]  # notes too
    assert seeded.history.search(limit=1, offset=1)[0].prompt == PROMPTS[2]


def test_ratings_and_notes_are_stored_and_can_be_removed(wonda, tmp_path):
    generate(wonda, PROMPTS[0])
    rated = wonda.history.mark(wonda.history.search()[0], rating=5, note="yes")
    assert (rated.rating, rated.note, rated.favorite) == (5, "yes", False)
    wonda.history.mark(rated, note="perhaps")
    assert wonda.history.count("yes") == 0
    with ww.Wonda.sandbox(journal=tmp_path / "journal.db") as later:
        [reloaded] = later.history.search("perhaps")
        assert later.history.mark(reloaded, rating=0, note="").rating == 0
        assert later.history.count("perhaps") == 0
        assert later.history.count("ocean") == 1


def test_history_omits_failed_and_rejected_requests(wonda):
    with pytest.raises(ww.JobFailedError):
        generate(wonda, "sandbox: fail")
    with pytest.raises(ww.BadRequestError):
        generate(wonda, "x", "no-such-model")
    assert wonda.history.search() == []


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"limit": 0}, "whole number from 1"),
        ({"offset": -1}, "whole number from 0"),
        ({"since": "yesterday"}, "a date or a datetime"),
        ({"text": 7}, "must be a string"),
    ],
)
def test_invalid_search_filter_raises(wonda, filters, message):
    with pytest.raises(ww.InvalidInputError, match=message):
        wonda.history.search(**filters)


@pytest.mark.parametrize("limit", [date.min, EARLIEST, date.max, LATEST])
def test_search_accepts_the_earliest_and_latest_dates(seeded, limit):
    early = limit.year == 1
    assert seeded.history.count(since=limit) == (3 if early else 0)
    assert seeded.history.count(until=limit) == (0 if early else 3)


def test_invalid_rating_or_unknown_image_raises(seeded):
    image = seeded.history.search()[0]
    for rating in (6, -1, 2.5, True):
        with pytest.raises(ww.InvalidInputError, match="from 0 to 5"):
            seeded.history.mark(image, rating=rating)
    with ww.Wonda.sandbox() as other, pytest.raises(ww.InvalidInputError, match="not in the jour"):
        other.history.mark(image, rating=3)


def test_journal_of_an_older_version_is_indexed_for_search(tmp_path):
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
            ('{"model":"m","prompt":"A harbor"}', '{"model":"m"}', '{"prompt":["odd"]}')
        ):
            values = row % (number, number, number, number)
            old.execute(f"INSERT INTO request VALUES {values}", (body, media))
    old.close()
    journal = Journal(path)
    found = journal.images.search("b", Query(text="harbor"), 10, 0).result()
    assert [record.intent for record in found] == ["i0"]
    assert journal.images.count("b", Query()).result() == 3
    successes = journal.images.recent_successes("b", "inference", "m").result()
    assert [record.intent for record in successes] == ["i1", "i0"]
    journal.update_status("b", "inference", "j0", Snapshot(status="succeeded"))
    journal.close()
    assert not journal.problem


def test_pruning_keeps_favorites(tmp_path, monkeypatch):
    import time

    from wonda_widgets.journal import journal
    from wonda_widgets.utils import monotonic_clock

    def set_days_ago(days):
        monkeypatch.setattr(time, "time", lambda: now - days * 86_400)
        monkeypatch.setattr(monotonic_clock, "seconds", lambda: running - days * 86_400)

    now, running = time.time(), monotonic_clock.seconds()
    own_journal = journal.Journal(tmp_path / "journal.db", days=30)
    set_days_ago(31)
    first, _ = own_journal.begin_request("b", "inference", b'{"model":"m","prompt":"one"}').result()
    second, _ = own_journal.begin_request(
        "b", "inference", b'{"model":"m","prompt":"two"}'
    ).result()
    own_journal.images.mark(first, favorite=True).result()
    for intent in (first, second):
        own_journal.mark_refused(intent, "no credits").result()
    for days in (1.5, 0):  # entries expire only when a second day confirms it
        set_days_ago(days)
        own_journal._entry_count = 0  # makes the next request prune
        third, _ = own_journal.begin_request(
            "b", "inference", b'{"model":"m","prompt":"three"}'
        ).result()
    marks = own_journal.images.marks([first, second, third]).result()
    assert set(marks) == {first, third}
    assert marks[first].favorite
    assert own_journal.find_by_intent(second).result() == []
    own_journal.close()


# ---------------------------------------------------------------- thumbnails and originals


def record_downloads(wonda):
    """Record the addresses of the originals that are downloaded."""
    transport = wonda._async._core.transport
    addresses = []
    download = transport.download

    async def record_download(url):
        addresses.append(url)
        return await download(url)

    transport.download = record_download
    return addresses


def missing_address(image):
    """Return an address at which nothing is stored."""
    return image.media.url.replace(image.media.media_id, "gone")


def test_thumbnail_is_small_and_created_once(wonda, tmp_path):
    generate(wonda)
    downloads = record_downloads(wonda)
    [image] = wonda.history.search()
    thumbnail = wonda.history.thumbnail(image)
    assert len(thumbnail) <= 32_000
    assert max(Image.open(io.BytesIO(thumbnail)).size) == 320
    assert wonda.history.thumbnail(image) == thumbnail
    assert len(downloads) == 1
    with ww.Wonda.sandbox(journal=tmp_path / "journal.db") as later:
        assert later.history.thumbnail(image) == thumbnail  # without the original


def test_damaged_thumbnail_cache_is_recreated(wonda, tmp_path):
    generate(wonda)
    (tmp_path / "journal.db.thumbnails").write_bytes(b"junk" * 4_000)
    [image] = wonda.history.search()
    assert wonda.history.thumbnail(image)


def test_thumbnail_cache_stays_within_its_size_limit(monkeypatch, tmp_path):
    from wonda_widgets.journal import thumbnails

    monkeypatch.setattr(thumbnails, "MAX_MEGABYTES", 0.1)
    cache = thumbnails.Thumbnails(tmp_path / "j")
    for number in range(40):
        store = functools.partial(thumbnails._store, key=("b", f"m{number}"), data=b"x" * 10_000)
        cache._database.run(store).result()
    count = "SELECT count(*) FROM thumbnail"
    stored = cache._database.run(lambda c: c.execute(count).fetchone()[0]).result()
    assert 5 <= stored <= 10
    cache.close()


@pytest.fixture
def services(tmp_path):
    """Create clients of two services that share a journal and whose images have equal IDs."""

    def client_of(name, color):
        async def respond(request):
            if request.url.path.endswith(".png"):
                buffer = io.BytesIO()
                Image.new("RGB", (8, 8), color).save(buffer, "PNG")
                return httpx.Response(200, content=buffer.getvalue())
            return httpx.Response(404)

        return ww.Wonda(
            KEY,
            base_url=f"https://{name}.example/api/v1",
            journal=tmp_path / "journal.db",
            transport=httpx.MockTransport(respond),
        )

    clients = client_of("one", "red"), client_of("two", "blue")
    yield clients
    for client in clients:
        client.close()


def color_of(thumbnail):
    return Image.open(io.BytesIO(thumbnail)).convert("RGB").getpixel((4, 4))


def test_thumbnails_of_different_services_are_cached_separately(services):
    image = GeneratedImage(media=ww.Media(media_id="m1", url="https://storage.example/a.png"))
    for _ in range(2):  # first created, then read from the cache
        red, blue = (color_of(client.history.thumbnail(image)) for client in services)
        assert red[0] > 200 > red[2]
        assert blue[2] > 200 > blue[0]


def test_images_without_an_id_do_not_share_a_thumbnail(services, monkeypatch):
    client, _ = services
    colors = {"a": "red", "b": "lime"}

    async def original(image):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), colors[image.media.url]).save(buffer, "PNG")
        return buffer.getvalue()

    monkeypatch.setattr(client._async.history, "original", original)
    red, green = (
        color_of(client.history.thumbnail(GeneratedImage(media=ww.Media(url=url)))) for url in "ab"
    )
    assert red[0] > 200 > red[1]
    assert green[1] > 200 > green[0]


def test_thumbnails_cached_without_a_service_are_recreated(services, tmp_path):
    from wonda_widgets.journal import thumbnails

    with sqlite3.connect(tmp_path / "journal.db.thumbnails") as file:
        for statement in thumbnails.MIGRATIONS[0].split(";"):
            file.execute(statement)
        file.execute("INSERT INTO thumbnail VALUES ('m1', 0, x'00')")
        file.execute("PRAGMA user_version=1")
    file.close()
    image = GeneratedImage(media=ww.Media(media_id="m1", url="https://storage.example/a.png"))
    assert color_of(services[0].history.thumbnail(image))[0] > 200


def test_expired_media_address_is_refreshed_through_the_job(wonda):
    import msgspec

    generate(wonda)
    [image] = wonda.history.search()
    gone = msgspec.structs.replace(image.media, url=missing_address(image))
    expired = msgspec.structs.replace(image, media=gone)
    assert wonda.history.original(expired) == wonda.history.original(image)
    unlisted = msgspec.structs.replace(gone, media_id="gone")
    without_job = msgspec.structs.replace(expired, job_id="", media=unlisted)
    with pytest.raises(ww.NotFoundError):
        wonda.history.original(without_job)


# ---------------------------------------------------------------- export


def test_export_writes_csv_and_json_without_overwriting(seeded, tmp_path):
    found = seeded.history.search()
    csv_file = seeded.history.export(found, tmp_path / "new folder" / "all.csv")
    with csv_file.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["prompt"] for row in rows] == PROMPTS[::-1]
    assert rows[0]["media_id"] == found[0].media.media_id
    json_file = seeded.history.export(found, tmp_path / "all.json")
    assert [row["prompt"] for row in json.loads(json_file.read_text("utf-8"))] == PROMPTS[::-1]
    second_json_file = seeded.history.export(found[:1], json_file)
    assert second_json_file.name == "all (2).json"  # existing files are kept


def test_value_named_like_a_column_gets_its_own_column(seeded, tmp_path):
    import msgspec

    [image] = seeded.history.search("storm")
    values = {"prompt": "a", "rating": "b", "light": "c", "model": "d", "file": "e", "error": "f"}
    changed = msgspec.structs.replace(image, values=values, params={"model": "g", "note": 5})
    row = changed.row()
    assert (row["prompt"], row["model"], row["rating"]) == (image.prompt, image.model, 0)
    assert (row["{prompt}"], row["{rating}"], row["light"]) == ("a", "b", "c")
    assert (row["{model}"], row["{{model}}"], row["{note}"], row["note"]) == ("d", "g", 5, "")
    folder = seeded.history.export([changed], tmp_path / "board")
    [entry] = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert (entry["{file}"], entry["{error}"], entry["error"]) == ("e", "f", None)
    assert (folder / entry["file"]).exists()


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_text_is_never_a_formula(seeded, tmp_path, sign):
    import msgspec

    [image] = seeded.history.search("storm")
    text = f"{sign}HYPERLINK(A1)"
    changed = msgspec.structs.replace(
        image, prompt=text, params={text: -5, "a": "a=b"}, note="a harbor"
    )
    written = seeded.history.export([changed], tmp_path / "all.csv")
    with written.open(newline="", encoding="utf-8-sig") as file:
        [row] = csv.DictReader(file)
    assert (row["prompt"], row[f"'{text}"]) == (f"'{text}", "-5")
    assert (row["a"], row["note"]) == ("a=b", "a harbor")
    json_file = seeded.history.export([changed], tmp_path / "all.json")
    assert json.loads(json_file.read_text("utf-8"))[0]["prompt"] == text


FORMULA = "=cmd|' /C calc'!A0"
HIDDEN_FORMULAS = [
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


@pytest.mark.parametrize("text", HIDDEN_FORMULAS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_text_is_never_a_formula_with_any_separator(seeded, tmp_path, text, delimiter):
    import msgspec

    [image] = seeded.history.search("storm")
    changed = msgspec.structs.replace(
        image, prompt=text, model=text, params={text: [text]}, values={f"x {text}": text}
    )
    written = seeded.history.export([changed], tmp_path / "all.csv")
    lines = written.read_text("utf-8-sig").splitlines()  # also splits quoted cells
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


def test_csv_starts_with_a_byte_order_mark(seeded, tmp_path):
    written = seeded.history.export(seeded.history.search(), tmp_path / "all.csv")
    assert written.read_bytes().startswith(b"\xef\xbb\xbf")
    with written.open(newline="", encoding="utf-8-sig") as file:
        assert [row["prompt"] for row in csv.DictReader(file)] == PROMPTS[::-1]


def test_row_replaces_control_characters(seeded):
    import msgspec

    [image] = seeded.history.search("storm")
    changed = msgspec.structs.replace(
        image,
        prompt="a\x1b[31m\0\x0b b\tc\nd \ud800\uffff",
        values={"x\x07": "y\x08"},
        note="日本\x1f",
    )
    row = changed.row()
    assert row["prompt"] == "a�[31m�� b\tc\nd ��"
    assert (row["x�"], row["note"]) == ("y�", "日本�")
    assert row["made_at"] == image.made_at.isoformat(timespec="seconds")
    assert row["made_at"].endswith("+00:00")
    assert not any(isinstance(value, datetime) for value in row.values())
    assert changed.raw_row()["prompt"] == changed.prompt
    assert changed.raw_row()["made_at"] == image.made_at
    matrix = seeded.images.matrix("A {x} sea", {"x": ["a\x1bb"]}, "z-image")
    assert matrix.rows()[0]["x"] == "a�b"


def test_numbers_in_csv_stay_numbers(seeded, tmp_path):
    import msgspec

    [image] = seeded.history.search("storm")
    params = {"seed": -1, "strength": -0.5, "odd": -math.inf}
    changed = msgspec.structs.replace(image, params=params, values={"tilt": "-15"})
    written = seeded.history.export([changed, image], tmp_path / "all.csv")
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


@pytest.mark.parametrize("path", ["x\0y.csv", "~no-such-user/a.csv", "\ud800.csv", "a\0/b"])
def test_invalid_export_path_raises(seeded, path):
    with pytest.raises(ww.InvalidInputError, match="is not a valid path") as caught:
        seeded.history.export(seeded.history.search(), path)
    assert caught.value.field == "path"


def test_export_to_a_folder_writes_originals_and_a_manifest(seeded, tmp_path):
    import msgspec

    found = seeded.history.search()
    missing = msgspec.structs.replace(
        found[0].media, url=missing_address(found[0]), media_id="gone"
    )
    found[0] = msgspec.structs.replace(found[0], media=missing, job_id="")
    folder = seeded.history.export(found, tmp_path / "board")
    rows = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert rows[0]["file"] is None
    assert rows[0]["error"]
    for row, image in zip(rows[1:], found[1:], strict=True):
        written = Image.open(folder / row["file"])
        assert written.text["prompt"] == image.prompt
        assert written.text["media id"] == image.media.media_id


def test_empty_or_unwritable_export_raises(seeded, tmp_path):
    with pytest.raises(ww.InvalidInputError, match="no images to export"):
        seeded.history.export([], tmp_path / "x.csv")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(ww.InvalidInputError, match="cannot be written"):
        seeded.history.export(seeded.history.search(), tmp_path / "file" / "x.csv")


def test_nul_in_a_prompt_keeps_the_search_index_intact(seeded):
    job = seeded.images.generate(model="z-image", prompt="A pier\0hidden")
    job.wait()
    [image] = seeded.history.search("pier")
    seeded.history.mark(image, note="sound")
    database = seeded._async._core.journal._database
    check = "INSERT INTO words (words, rank) VALUES ('integrity-check', 1)"
    database.run(lambda connection: connection.execute(check).fetchall()).result()
    assert seeded.history.count("sound") == 1


def test_history_omits_jobs_without_an_image(seeded):
    before = seeded.history.count()
    seeded.images.generate(model="z-image", prompt="sandbox: no media").wait()
    assert seeded.history.count() == len(seeded.history.search()) == before


def test_no_exported_file_contains_the_key(services, tmp_path):
    wonda, _ = services
    images = [
        GeneratedImage(
            media=ww.Media(media_id=f"m{number}", url=f"https://storage.example/{number}.png"),
            prompt=f"A pier {KEY}",
            model="m",
            params={"style": KEY},
            values={"subject": f"{number} {KEY}"},
        )
        for number in range(2)
    ]
    folder = tmp_path / "out"
    for name in ("table.csv", "table.json", "originals"):
        wonda.history.export(images, folder / name)
    wonda.history.grid(images, folder / "grid.html", rows="subject")
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert len(written) >= 6
    for path in written:
        assert KEY[3:] not in path.name
        assert KEY[3:].encode() not in path.read_bytes()
