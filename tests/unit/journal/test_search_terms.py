"""Search in any script: by word prefixes, or by substrings in scripts without spaces."""

import re
import sqlite3
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wonda_widgets as ww
from wonda_widgets.journal import journal, tables
from wonda_widgets.journal.images import SEARCH_MIGRATION, Query
from wonda_widgets.journal.search_terms import match_expression, searchable

FOUND = [
    ("夕日が沈む日本の海", "日本"),
    ("夕日が沈む日本の海", "海"),
    ("夕日が沈む日本の海", "海 夕日"),
    ("夕日が沈む日本の海", "夕日が沈む日本の海"),
    ("ガラスの街", "ガラス"),
    ("ガラスの街", "ｶﾞﾗｽ"),  # half-width characters
    ("ガラスの街", unicodedata.normalize("NFD", "ガラス")),
    ("清晨的湖泊，薄雾", "湖泊"),
    ("清晨的湖泊，薄雾", "清晨"),
    ("清晨的湖泊，薄雾", "雾"),
    ("𠮷野家の店", "野家"),
    ("𠮷野家の店", "𠮷"),
    ("저녁노을이 지는 바다", "노을"),
    ("저녁노을이 지는 바다", "저녁"),
    ("저녁노을이 지는 바다", "바다 노을"),
    ("저녁노을이 지는 바다", unicodedata.normalize("NFD", "노을")),
    ("พระอาทิตย์ตกเหนือทะเล", "ทะเล"),
    ("พระอาทิตย์ตกเหนือทะเล", "อาทิตย์"),
    ("พระอาทิตย์ตกเหนือทะเล", "ตก"),
    ("ຕາເວັນຕົກດິນ", "ເວັນ"),
    ("ថ្ងៃលិចនៅសមុទ្រ", "សមុទ្រ"),
    ("ပင်လယ်ပြင်နေဝင်ချိန်", "နေဝင်"),
    ("हिन्दी समुद्र", "हिन्दी"),
    ("हिन्दी समुद्र", "समु"),
    ("கடல் அலை", "அலை"),
    ("সমুদ্র সৈকত", "সৈকত"),
    ("الْبَحْرُ عِنْدَ الغُرُوب", "البحر"),
    ("البحر عند الغروب", "الْبَحْرُ"),
    ("البحــر", "البحر"),  # elongated with a kashida
    ("می‌خواهم دریا", "خواهم"),
    ("הַיָּם בַּשְּׁקִיעָה", "הים"),
    ("הים בשקיעה", "הַיָּם"),
    ("Ἡ θάλασσα στό φῶς", "θαλασσα"),
    ("Ο ΟΔΥΣΣΕΥΣ", "οδυσσεύς"),
    ("İstanbul'da gün batımı", "istanbul"),
    ("Istanbul at dusk", "İSTANBUL"),
    ("Işık ve deniz", "ışık"),
    ("ışık ve deniz", "ISIK"),
    ("Тёплый берег", "теплый"),
    ("Hafen in der Straße", "STRASSE"),
    ("Phở trên biển", "pho"),
    (unicodedata.normalize("NFD", "Phở trên biển"), "biển"),
    ("Crème brûlée", "creme"),
    ("ＦＵＬＬ　ｗｉｄｔｈ", "full"),
    ("iPhone用ケース", "iphone"),
    ("iPhone用ケース", "ケース"),
    ("A wave 🌊 at noon", "🌊"),
    ("A ☀️ over the sea", "☀"),
    ("A ☀ over the sea", "☀️"),
    ("A wave 👋🏽 good-bye", "👋"),
    ("Team 👩‍👩‍👧 at sea", "👩‍👩‍👧"),
    ("Team 👩‍👩‍👧 at sea", "👧"),
    ("A flag 🇯🇵 of Japan", "🇯🇵"),
    ("A sunset over the ocean", "sun OCE"),
    ("snake_case name", "snake_ca"),
    ("soft\u00adware", "software"),
    ("ꦱꦼꦒꦫ", "ꦒꦫ"),
]
NOT_FOUND = [
    ("हरा नीला दिन", "हिन्दी"),
    ("夕日が沈む日本の海", "本日"),
    ("夕日が沈む日本の海", "日海"),
    ("カラスの街", "ガラス"),  # “crow” differs from “glass” by one mark
    ("저녁노을", "노래"),
    ("พระอาทิตย์", "ทะเล"),
    ("A sunset", "set"),  # scripts with spaces match prefixes only
    ("мой дом", "мои"),
    ("कमल", "कमाल"),
    ("A flag 🇯🇵", "🇵🇯"),
    ("A wave", "🌊"),
    ("A ☀ sea", "u002600"),
    ("A wave", "“…”"),
    ("A wave", "\u200d\ufe0f"),
]


def create_index():
    memory = sqlite3.connect(":memory:")
    memory.create_function("searchable", 1, searchable, deterministic=True)
    memory.executescript(
        "CREATE TABLE words (x); CREATE TABLE request (intent, body);"
        "CREATE TABLE texts (id INTEGER PRIMARY KEY, intent, prompt, note);"
    )
    memory.executescript(SEARCH_MIGRATION)
    return memory


def is_found(text, query):
    memory = create_index()
    try:
        memory.execute(
            "INSERT INTO words (rowid, prompt, note) VALUES (1, searchable(?), '')", (text,)
        )
        expression = match_expression(query)
        statement = "SELECT count(*) FROM words WHERE words MATCH ?"
        return bool(expression) and memory.execute(statement, (expression,)).fetchone()[0] == 1
    finally:
        memory.close()


@pytest.mark.parametrize(("text", "query"), FOUND)
def test_search_finds_matching_texts(text, query):
    assert is_found(text, query)


@pytest.mark.parametrize(("text", "query"), NOT_FOUND)
def test_search_does_not_find_other_texts(text, query):
    assert not is_found(text, query)


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_every_text_finds_itself(text):
    assert is_found(text, text) == bool(match_expression(text))


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_search_text_is_never_query_syntax(text):
    memory = create_index()
    try:
        for expression in filter(None, [match_expression(text)]):
            memory.execute("SELECT * FROM words WHERE words MATCH ?", (expression,)).fetchall()
    finally:
        memory.close()


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("a storm", "harbor OR storm"),
        ("a storm", "harbor NOT rain"),
        ("a harbor in a storm", "harbor NEAR storm rain"),
        ("a storm", "-storm*harbor"),
        ("a storm", "prompt: storm"),
        ("a storm", '"storm" "harbor"'),
        ("a storm", "{prompt note}: (storm)"),
        ("a storm", "^storm a"),
    ],
)
def test_query_operators_are_searched_as_words(text, query):
    words = query.casefold().replace("^", " ")
    is_in_text = all(word in text for word in re.findall(r"\w+", words))
    assert is_found(text, query) == is_in_text


def prompts(wonda, text):
    return [image.prompt for image in wonda.history.search(text)]


def test_history_search_follows_changed_notes(tmp_path):
    with ww.Wonda.sandbox(seconds=0.01, journal=tmp_path / "journal.db") as wonda:
        wonda.images.generate(model="z-image", prompt="夕日が沈む日本の海").wait()
        wonda.images.generate(model="z-image", prompt="हरा नीला दिन").wait()
        assert prompts(wonda, "日本") == ["夕日が沈む日本の海"]
        assert prompts(wonda, "हिन्दी") == []
        [image] = wonda.history.search("海")
        with_note = wonda.history.mark(image, note="湖泊")
        assert prompts(wonda, "湖") == ["夕日が沈む日本の海"]
        wonda.history.mark(with_note, note="山")
        assert prompts(wonda, "湖") == []
        assert prompts(wonda, "山 海") == ["夕日が沈む日本の海"]


def test_journal_of_an_earlier_version_is_indexed_for_search(tmp_path):
    path = tmp_path / "journal.db"
    earlier_migrations = tables.MIGRATIONS[: tables.MIGRATIONS.index(SEARCH_MIGRATION)]
    with sqlite3.connect(path) as old:
        for statements in earlier_migrations:
            for statement in statements.split(";"):
                old.execute(statement)
        old.execute(f"PRAGMA user_version={len(earlier_migrations)}")
        media = '{"status":"succeeded","outputs":[{"media":{"mediaId":"m"}}]}'
        for number, prompt in enumerate(("夕日が沈む日本の海", "A sunset", "हरा नीला दिन")):
            old.execute(
                "INSERT INTO request (intent, base_url, kind, body, same_as, owner, asked_at,"
                " told_at, state, reason, job_id, status, ended, reply) VALUES"
                " (?,'b','inference',?,'','',1,1,'accepted','',?,'succeeded',1,?)",
                (f"i{number}", f'{{"model":"m","prompt":"{prompt}"}}', f"j{number}", media),
            )
            old.execute(
                "INSERT INTO picture (intent, base_url, asked_at, model, note) VALUES"
                " (?,'b',1,'m','清晨')",
                (f"i{number}",),
            )
        old.execute("INSERT INTO words (words) VALUES ('rebuild')")
        # A damaged entry must not prevent the others from being indexed.
        old.execute("UPDATE request SET body='{oops' WHERE intent='i2'")
    old.close()
    opened_journal = journal.Journal(path)

    def intents(text):
        found = opened_journal.images.search("b", Query(text=text), 9, 0)
        return sorted(record.intent for record in found.result())

    assert intents("日本") == ["i0"]
    assert intents("sun") == ["i1"]
    assert intents("晨") == ["i0", "i1"]
    assert intents("हिन्दी") == []
    assert not opened_journal.problem
    opened_journal.close()


def test_deleting_entries_keeps_the_search_index_valid(tmp_path):
    opened_journal = journal.Journal(tmp_path / "journal.db", days=1)
    for prompt in ("日本の海", "A sunset", "โลก"):
        opened_journal.begin_request(
            "b", "inference", f'{{"model":"m","prompt":"{prompt}"}}'.encode()
        ).result()

    def work(connection):
        from wonda_widgets.journal.images import ImageIndex

        ImageIndex.delete(connection, "SELECT intent FROM request", ())
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        return [
            connection.execute(
                "SELECT count(*) FROM words WHERE words MATCH ?", (match_expression(each),)
            ).fetchone()[0]
            for each in ("日本", "sunset", "โลก")
        ]

    assert opened_journal._database.run(work).result() == [0, 0, 0]
    opened_journal.close()
