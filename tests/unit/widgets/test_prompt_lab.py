"""Gallery, Compare and PromptLab without a browser: messages and traits."""

import asyncio
import io
import threading
import zipfile

import msgspec
import pytest
from conftest import KEY, only, sandbox_of, send
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.models import GenerationModel
from wonda_widgets.utils import event_loop
from wonda_widgets.widgets._parts import lab_form
from wonda_widgets.widgets._shared import gallery_items, plan_summary

pytestmark = pytest.mark.usefixtures("nothing_is_left")
VALUES = {"subject": ["sunset", "storm"], "light": ["haze", "dusk", "rain"]}
TEMPLATE = "A {subject}, {light}"


@pytest.fixture
def wonda(tmp_path):
    with ww.Wonda.sandbox(seconds=0.02, journal=tmp_path / "journal.db") as client:
        yield client


def heard(panel):
    """What a panel sends, as (content, buffers)."""
    told = []
    real = panel.send

    def note(content, buffers=None):
        told.append((content, buffers or []))
        real(content, buffers)

    panel.send = note
    return told


def of_kind(told, kind):
    return [content for content, _ in told if content["type"] == kind]


def make(wonda, *prompts):
    for prompt in prompts:
        wonda.images.generate(model="nano-banana-2", prompt=prompt).wait()


@pytest.fixture
def made(wonda):
    matrix = wonda.images.matrix(TEMPLATE, VALUES, "nano-banana-2")
    matrix.wait()
    return matrix


async def on_loop(act):
    act()


def keys_of(lab, *places):
    return [lab.gallery._items[place].key for place in places]


def gallery_of(panel, settled, *args, **options):
    gallery = panel(ww.Gallery, *args, **options)
    settled(lambda: gallery.state == "ready" and gallery.revision)
    return gallery


def thumbnails(told):
    """The bytes of the thumbnails that were sent, by key."""
    return {
        key: data
        for content, buffers in told
        if content["type"] == "thumbs"
        for key, data in zip(content["keys"], buffers, strict=True)
    }


# ---------------------------------------------------------------- gallery


def test_only_visible_images_are_sent(panel, settled, made):
    gallery = gallery_of(panel, settled, made.images)
    told = heard(gallery)
    send(gallery, "window", view="v", windows=[[1, 3]], has=[])
    settled(lambda: len(thumbnails(told)) == 2)
    [[window]] = [content["parts"] for content in of_kind(told, "items")]
    assert (window["first"], len(window["items"])) == (1, 2)
    assert window["items"][0]["title"] == "A sunset, dusk"
    assert window["items"][0]["caption"] == "sunset · dusk"
    assert set(thumbnails(told)) == {item["key"] for item in window["items"]}
    assert max(map(len, thumbnails(told).values())) <= 32_000
    state = gallery.get_state()
    assert len(repr({**state, "_esm": "", "_css": ""})) < 2_500


def test_known_images_are_not_sent_again(panel, settled, made):
    gallery = gallery_of(panel, settled, made.images)
    told = heard(gallery)
    keys = [gallery_items.from_image(image).key for image in made.images]
    send(gallery, "window", view="v", windows=[[0, 3]], has=keys[:2])
    settled(lambda: thumbnails(told))
    assert list(thumbnails(told)) == [keys[2]]


def test_scrolled_past_images_do_not_delay_others(panel, settled, made, monkeypatch):
    from wonda_widgets.api import history

    fetched, gate, real = [], asyncio.Event(), history.AsyncHistory.original

    async def held(self, image):
        fetched.append(gallery_items.from_image(image).key)
        await gate.wait()
        return await real(self, image)

    monkeypatch.setattr(history.AsyncHistory, "original", held)
    gallery = gallery_of(panel, settled, made.images)
    told = heard(gallery)
    keys = [gallery_items.from_image(image).key for image in made.images]
    send(gallery, "window", view="v", windows=[[0, 5]], has=[])
    settled(lambda: len(fetched) == 3)  # as many as there are turns
    send(gallery, "window", view="v", windows=[[5, 6]], has=[])
    settled(lambda: set(gallery._fetching) == {keys[5]})
    event_loop.call_soon(gate.set)
    settled(lambda: thumbnails(told))
    assert list(thumbnails(told)) == [keys[5]]
    assert fetched == [*keys[:3], keys[5]]
    send(gallery, "window", view="v", windows=[[2, 5]], has=[])
    settled(lambda: len(thumbnails(told)) == 4)
    assert fetched == [*keys[:3], keys[5], *keys[3:5]]  # what was begun was finished, and kept


def test_images_are_sorted_and_filtered_by_their_review(panel, settled, made, wonda):
    review = wonda.reviews.open(made.images, "Which one?")
    for other in {*review.images} - {review.images[3]}:
        wonda.reviews.vote(review, "a", "left", review.images[3], other)
    wonda.reviews.results(review)
    ranked = sorted(wonda.history.search(), key=lambda image: image.rank)
    wonda.history.mark(ranked[2], rating=4)
    history = gallery_of(panel, settled)
    history.set_trait("order", "rank")
    settled(lambda: [item.image.rank for item in history._shown] == [im.rank for im in ranked])
    assert history._shown[0].key == review.images[3]
    history.set_trait("rank", 1)
    settled(lambda: [item.key for item in history._shown] == [review.images[3]])
    assert history.reviewed == ["rank"]
    send(history, "show_all")
    settled(lambda: len(history._shown) == len(ranked))

    gallery = gallery_of(panel, settled, wonda.history.search())
    for order, key in {
        "rank": lambda image: image.rank,
        "rating": lambda image: -image.rating,
        "oldest": lambda image: image.made_at,
        "fastest": lambda image: image.seconds,
    }.items():
        gallery.set_trait("order", order)
        expected = sorted(wonda.history.search(), key=key)
        settled(lambda e=expected, k=key: [k(i.image) for i in gallery._shown] == [*map(k, e)])


def test_result_of_a_review_appears_in_an_open_gallery(panel, settled, made, wonda):
    gallery = gallery_of(panel, settled, made)
    assert gallery.reviewed == []
    review = wonda.reviews.open(made.images)
    wonda.reviews.vote(review, "a", "left", *review.images[:2])
    wonda.reviews.results(review)
    settled(lambda: gallery.reviewed == ["rank"])


def test_images_of_other_sessions_are_not_collected(panel, settled, made, wonda):
    gallery = gallery_of(panel, settled, made.images, owners={"another process"})
    send(gallery, "select", keys=[gallery._items[0].key])
    settled(lambda: gallery.selected)
    before = wonda.history.collections()
    for removes in (False, True):
        gallery.error = None
        send(gallery, "collect", name="autumn", remove=removes)
        settled(lambda: gallery.error)
        assert "another session" in gallery.error["title"]
    assert wonda.history.collections() == before


def test_grid_with_too_many_cells_has_one_axis(panel, settled, made, monkeypatch):
    monkeypatch.setattr("wonda_widgets.widgets._shared.image_grid.MAX_CELLS", 3)
    gallery = panel(ww.Gallery, made.images, rows="subject", columns="light")
    settled(lambda: gallery.grid)
    assert (gallery.grid["row_fact"], gallery.grid["column_fact"]) == ("values.subject", "")


def test_hostile_windows_are_limited(panel, settled, made):
    gallery = gallery_of(panel, settled, made.images, rows="subject", columns="light")
    told = heard(gallery)
    for area in ([[0, 10**9], [0, 10**9]], [[0, 1], [5, 2]], [[0.5, 1], [0, 1]], "x", [[True, 2]]):
        send(gallery, "window", view="v", windows=[[0, 10**12], [-1, 3], "x"], area=area)
    gallery.set_trait("grid_rows", "light")
    settled(lambda: gallery.grid.get("row_fact") == "values.light")
    assert gallery.error is None
    sent = [part["items"] for content in of_kind(told, "items") for part in content["parts"]]
    assert max(map(len, sent)) <= len(made.images)


def test_images_are_collected_found_and_removed(panel, settled, made, wonda):
    history = gallery_of(panel, settled)
    keys = [item.key for item in history._items]
    send(history, "select", keys=keys[:2])
    settled(lambda: len(history.selected) == 2)
    send(history, "collect", name="  autumn   campaign ")
    settled(lambda: history.collections == ["autumn campaign"])
    send(history, "collect", name="other")
    settled(lambda: len(history.collections) == 2)
    assert wonda.history.collections() == {"autumn campaign": 2, "other": 2}
    history.set_trait("collection", "autumn campaign")
    settled(lambda: [item.key for item in history._shown] == keys[:2])
    send(history, "select", keys=keys[:1])
    settled(lambda: len(history.selected) == 1)
    send(history, "collect", name="autumn campaign", remove=True)
    settled(lambda: [item.key for item in history._shown] == keys[1:2])
    assert [image.intent for image in wonda.history.search(collection="other")] == keys[:2]
    send(history, "collect", name="x" * 200)
    settled(lambda: history.error)
    assert "at most 100 characters" in history.error["title"]
    for odd in ("", 5, None):
        with pytest.raises(ww.InvalidInputError, match="has no name"):
            wonda.history.collect(made.images, odd)


def test_selected_images_are_downloaded_as_a_zip(panel, settled, made, wonda):
    gallery = gallery_of(panel, settled, made.images)
    told = heard(gallery)
    keys = [item.key for item in gallery._items[:3]]
    send(gallery, "zip", keys=keys, view="v")
    settled(lambda: of_kind(told, "zip"))
    (ready,) = of_kind(told, "zip")
    folder = gallery._zip[1].parent
    data = b""
    while len(data) < ready["bytes"]:
        before = len(of_kind(told, "zip_piece"))
        send(gallery, "zip_piece", id=ready["id"], at=len(data))
        settled(lambda n=before: len(of_kind(told, "zip_piece")) > n)
        data += told[-1][1][0]
    send(gallery, "zip_piece", id=ready["id"], at=len(data))
    settled(lambda: gallery._zip is None and not folder.exists())
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        names = packed.namelist()
        assert len(names) == 4
        assert "manifest.json" in names
        assert packed.testzip() is None
    send(gallery, "zip_piece", id=ready["id"], at=0)
    settled(lambda: gallery.error)
    assert "replaced this one" in gallery.error["title"]
    send(gallery, "zip_piece", id=ready["id"], at=10**30)
    send(gallery, "zip", keys=["no such"], view="v")
    send(gallery, "zip", keys=keys[:1], view="v")
    settled(lambda: len(of_kind(told, "zip")) == 2)
    folder = gallery._zip[1].parent
    gallery.close()
    settled(lambda: not folder.exists())
    assert wonda.history.count() == len(made.images)


def test_more_like_this_is_priced_generated_and_shown_beside(panel, settled, wonda):
    lab = panel(ww.PromptLab, template="A {a}", values={"a": ["sail", "kite"]}, models="z-image")
    settled(lambda: lab.form.plan.get("count") == 2)
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "done")
    settled(lambda: lab.form.state == "ready")
    settled(lambda: all(item.image for item in lab.gallery._items))
    key = lab.gallery._items[0].key
    send(lab.gallery, "act", name="more", keys=[key])
    settled(lambda: lab.form.plan.get("count") == 4 and not lab.form.plan.get("is_stale"))
    assert lab.form.templates == only("A sail")
    assert "4 more takes" in lab.form.file_note
    assert wonda.history.count() == 2, "nothing is generated before the price was seen"
    run(lab)
    settled(lambda: lab.matrix.state == "done" and len(lab.matrix.cells) == 4)
    settled(lambda: len(lab.gallery._items) == 6 and all(i.image for i in lab.gallery._items))
    assert wonda.history.count() == 6
    sails = [item.facts for item in lab.gallery._items if item.facts["values.a"] == "sail"]
    assert [facts["values.take"] for facts in sails] == ["1", "2", "3", "4", "5"]
    send(lab.form, "undo_file")
    settled(lambda: lab.form.templates == only("A {a}"))
    assert (lab.form.takes, lab.form.values) == (1, {"a": ["sail", "kite"]})


def test_more_takes_of_a_seeded_model_have_new_seeds():
    schema = {"properties": {"seed": {"type": "integer", "minimum": 5, "maximum": 1_000}}}
    model = GenerationModel(key="m", params=schema)
    for _ in range(50):
        seed = lab_form._with_new_seed({"seed": 7, "n": 1}, model)["seed"]
        assert 5 <= seed <= 900
    assert lab_form._with_new_seed({"n": 1}, GenerationModel(key="m")) == {"n": 1}


def test_images_are_sorted_by_price(panel, settled, wonda):
    make(wonda, "A sail")
    wonda.images.generate(model="z-image", prompt="A kite").wait()
    make(wonda, "A harbor")
    for gallery in (gallery_of(panel, settled, wonda.history.search()), gallery_of(panel, settled)):
        gallery.set_trait("order", "price")
        settled(lambda g=gallery: [i.image.model for i in g._shown][:1] == ["z-image"])


def test_grid_has_the_values_of_two_facts_in_rows_and_columns(panel, settled, made):
    gallery = panel(ww.Gallery, made.images[1:], rows="subject", columns="light")
    settled(lambda: gallery.grid)
    assert gallery.arrangement == "grid"
    assert (gallery.grid["row_fact"], gallery.grid["column_fact"]) == (
        "values.subject",
        "values.light",
    )
    counts = gallery.grid["counts"]
    assert sum(map(sum, counts)) == len(made.images) - 1
    assert 0 in {count for row in counts for count in row}, "a cell is empty"
    assert {axis["label"] for axis in gallery.axes} >= {"subject", "light"}
    gallery.set_trait("grid_rows", "light")
    settled(lambda: gallery.grid["row_fact"] == "values.light")
    assert gallery.grid["column_fact"] == "values.subject", "not the same fact twice"
    gallery.set_trait("grid_columns", "-")
    settled(lambda: gallery.grid["column_fact"] == "")
    gallery.set_trait("grid_rows", "no such fact")
    settled(lambda: gallery.grid["row_fact"])
    gallery.set_trait("filters", {"values.subject": "nothing"})
    settled(lambda: gallery.grid["counts"] == [])
    gallery.set_trait("arrangement", "cards")
    settled(lambda: gallery.grid == {})


def test_windows_of_a_grid_are_sent_and_kept_up_to_date(panel, settled, made):
    gallery = panel(ww.Gallery, made.images, rows="subject", columns="light")
    settled(lambda: gallery.grid)
    sent = []
    gallery.send = lambda message, buffers=None: sent.append(message)  # noqa: ARG005
    send(gallery, "window", view="v", windows=[[0, 1], [3, 5]], has=[])
    settled(lambda: sum(len(message.get("keys", [])) for message in sent) == 3)
    parts = [part for m in sent if m["type"] == "items" for part in m["parts"]]
    ranges = [(part["first"], len(part["items"])) for part in parts]
    assert ranges == [(0, 1), (3, 2)]
    # The page shows the second column of two rows: that is sent of another arrangement, too.
    across, down = len(gallery.grid["columns"]), len(gallery.grid["rows"])
    assert across != down
    area, windows = [[0, 1], [1, 1]], [[1, 2], [across + 1, across + 2]]
    send(gallery, "window", view="v", windows=windows, area=area, lacking=[], has=[])
    sent.clear()
    gallery.set_trait("grid_rows", "light")
    gallery.set_trait("grid_columns", "subject")
    settled(lambda: sent and len(gallery.grid["rows"]) == across)
    firsts = {part["first"] for part in sent[-1]["parts"]}
    assert firsts == {1, down + 1}


@pytest.mark.parametrize("lost", [1, 6])
def test_missing_downloads_are_told(panel, settled, made, wonda, monkeypatch, lost):
    gallery = gallery_of(panel, settled, made.images)
    told = heard(gallery)
    real = wonda._async.history.original
    missing = {image.intent for image in made.images[:lost]}

    async def original(image):
        if image.intent in missing:
            raise ww.ServiceUnreachableError("The line is cut.", "Try again.")
        return await real(image)

    monkeypatch.setattr(wonda._async.history, "original", original)
    send(gallery, "export", kind="folder")
    settled(lambda: "exported to" in gallery.note)
    assert gallery.note == f"{6 - lost} of 6 results exported to wonda-results. The line is cut."
    send(gallery, "zip", keys=[item.key for item in gallery._items], view="v")
    settled(lambda: gallery.error)
    assert f"{lost} of 6 results could not be downloaded" in gallery.error["title"]
    assert len(of_kind(told, "zip")) == (lost < 6)


def test_grid_with_more_takes_is_exported_as_it_is_shown(panel, settled, wonda):
    first = wonda.images.matrix("A sail", {}, ["z-image", "nano-banana-2"])
    more = wonda.images.matrix("A sail", {}, "z-image")
    first.wait()
    gallery = panel(ww.Gallery, first, rows="-", columns="model")
    settled(lambda: len(gallery._shown) == 2)
    more.wait()
    event_loop.call_soon(lambda: gallery.show_matrix(more, beside=True))
    gallery.set_state({"grid_rows": "take"})
    settled(lambda: gallery.grid.get("row_fact") == "values.take" and len(gallery._shown) == 3)
    send(gallery, "export", kind="grid")
    settled(lambda: gallery.note.startswith("Exported") or gallery.error)
    assert not gallery.error


def test_result_that_is_not_in_the_journal_is_in_no_collection(panel, settled, made, wonda):
    images = [msgspec.structs.replace(image, intent="") for image in made.images[:2]]
    gallery = gallery_of(panel, settled, images)
    send(gallery, "select_all")
    settled(lambda: len(gallery.selected) == 2)
    send(gallery, "collect", name="autumn")
    settled(lambda: gallery.error)
    assert "not in the journal" in gallery.error["title"]
    assert wonda.history.collections() == {}


@pytest.mark.parametrize("count", [0, -1, True, 2.5, "4", None])
def test_odd_concurrency_is_refused(wonda, count):
    matrix = wonda.images.matrix("A {x}", {"x": ["a", "b"]}, "z-image")
    with pytest.raises(ww.InvalidInputError, match="whole number above 0"):
        matrix.max_concurrency = count
    for index in (99, -1, "x"):
        with pytest.raises(ww.InvalidInputError, match="There is no image"):
            matrix.retry(index)


def test_unknown_axis_of_a_gallery_is_explained(panel, settled, made):
    gallery = panel(ww.Gallery, made.images, rows="sujbect", columns="light")
    settled(lambda: gallery.error)
    assert "No image has a “sujbect”. Did you mean 'subject'" in " ".join(
        gallery.error[name] for name in ("title", "text")
    )
    settled(lambda: gallery.grid)
    with pytest.raises(ww.InvalidInputError, match="both “light”"):
        ww.Gallery(made.images, rows="light", columns="light")
    none = panel(ww.Gallery, made.images, rows="-", columns="light")
    settled(lambda: none.grid)
    assert not none.error


def test_grid_is_exported_with_its_axes(panel, settled, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gallery = panel(ww.Gallery, made.images, rows="light", columns="subject")
    settled(lambda: gallery.grid)
    send(gallery, "export", kind="grid")
    settled(lambda: "Exported" in gallery.note)
    with Image.open(tmp_path / "wonda-grid.png") as sheet:
        assert sheet.width == 1600


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"windows": [[-1, 3]]},
        {"windows": [["0", 2]]},
        {"windows": [[0, 10**9]] * 100},
        {"windows": [[0, -1], [5, 1], [], [1, 2, 3], None]},
        {"windows": {"0": 2}},
        {"windows": [[0, 2]], "has": [[1]]},
        {"windows": [[0, 2]], "has": "x"},
    ],
)
def test_invalid_scroll_positions_are_ignored(panel, settled, made, content):
    gallery = gallery_of(panel, settled, made.images)
    send(gallery, "window", view="v", **content)
    for kind in ("open", "mark", "retry", "act", "select", "toggle", "add", "export", "no such"):
        send(gallery, kind, key="nothing", keys=7, name=[], kind={})
    settled(lambda: gallery.receipt == 10)
    assert gallery.error is None


def test_group_and_filter_by_varying_values(panel, settled, made):
    gallery = gallery_of(panel, settled, made.images, group_by="subject")
    assert [(group["title"], group["count"]) for group in gallery.groups] == [
        ("sunset", 3),
        ("storm", 3),
    ]
    assert [facet["label"] for facet in gallery.facets] == ["subject", "light"]
    gallery.filters = {"values.light": "dusk"}
    settled(lambda: [group["count"] for group in gallery.groups] == [1, 1])
    gallery.filters = {"values.light": "no such"}
    settled(lambda: gallery.groups == [])
    assert gallery.total == 6


def test_selection_is_available_to_the_next_cell(panel, settled, made):
    gallery = gallery_of(panel, settled, made.images)
    keys = [gallery_items.from_image(image).key for image in made.images]
    send(gallery, "toggle", key=keys[4])
    send(gallery, "toggle", key=keys[1])
    send(gallery, "toggle", key="nonsense")
    settled(lambda: len(gallery.selected) == 2)
    assert [image.prompt for image in gallery.selected] == ["A storm, dusk", "A sunset, dusk"]
    assert gallery.selected[0].values == {"subject": "storm", "light": "dusk"}
    send(gallery, "toggle", key=keys[4])
    send(gallery, "add", keys=[keys[0], keys[1]])
    settled(lambda: len(gallery.selected) == 2)
    assert gallery.selected_keys == [keys[1], keys[0]]
    send(gallery, "select_all")
    settled(lambda: len(gallery.selected) == 6)
    send(gallery, "select", keys=[])
    settled(lambda: gallery.selected == [])


def test_ratings_are_saved_in_the_journal(panel, settled, made, wonda):
    gallery = gallery_of(panel, settled, made.images)
    key = gallery_items.from_image(made.images[2]).key
    told = heard(gallery)
    send(gallery, "toggle", key=key)
    send(gallery, "mark", key=key, favorite=True, rating=4, note="<b>yes</b>")
    settled(lambda: of_kind(told, "item"))
    assert of_kind(told, "item")[0]["item"]["favorite"]
    assert gallery.selected[0].rating == 4
    [found] = wonda.history.search(favorite=True)
    assert (found.prompt, found.note) == ("A sunset, rain", "<b>yes</b>")
    gallery.favorites = True
    settled(lambda: [group["count"] for group in gallery.groups] == [1])
    send(gallery, "mark", key=key, rating=9)
    settled(lambda: gallery.error)
    assert "0 to 5" in gallery.error["title"]


@pytest.mark.usefixtures("made")
def test_mark_is_kept_although_the_images_are_being_read(panel, settled, monkeypatch, wonda):
    gallery = gallery_of(panel, settled, None, wonda=wonda)
    settled(lambda: gallery.total == 6 and gallery._search_task.done())
    search, entered, goes_on = gallery._client.history.search, [], asyncio.Event()

    async def slow(*args, **kwargs):
        found = await search(*args, **kwargs)
        if not entered:  # read before the mark, shown after it
            entered.append(True)
            await goes_on.wait()
        return found

    monkeypatch.setattr(gallery._client.history, "search", slow)
    gallery.refresh()
    settled(lambda: entered)
    key = gallery._items[0].key
    send(gallery, "mark", key=key, favorite=True)
    settled(lambda: gallery._items_by_key[key].image.favorite)
    event_loop.call_soon(goes_on.set)
    settled(lambda: gallery._search_task.done() is True)
    assert gallery._items_by_key[key].image.favorite


def test_all_images_and_a_search(panel, settled, wonda):
    make(wonda, "A harbour at night", "A storm", "A harbour in fog")
    gallery = gallery_of(panel, settled)
    assert gallery.searches
    assert gallery.total == 3
    for text in ("h", "ha", "harbour"):
        send(gallery, "search", text=text)
    settled(lambda: gallery.total == 2)
    make(wonda, "Another harbour")
    gallery.refresh()
    settled(lambda: gallery.total == 3)
    send(gallery, "search", text="no such words \ud800")
    settled(lambda: gallery.total == 0)
    assert gallery.text == "no such words \ufffd"  # half a character cannot be sent back


def test_images_generated_elsewhere_in_the_kernel_appear(panel, settled, wonda):
    gallery = gallery_of(panel, settled)
    assert gallery.total == 0
    make(wonda, "A harbour")
    settled(lambda: gallery.total == 1)


def test_filters_apply_to_the_whole_journal(panel, settled, wonda, monkeypatch):
    monkeypatch.setattr("wonda_widgets.widgets.gallery.FIRST_PAGE_SIZE", 2)
    monkeypatch.setattr("wonda_widgets.widgets.gallery.MAX_RESULTS", 2)
    make(wonda, "A harbour at night")
    [oldest] = wonda.history.search()
    wonda.history.mark(oldest, favorite=True, rating=4)
    make(wonda, "A storm", "A harbour in fog", "A lake")
    wonda.images.generate(model="z-image", prompt="A desert").wait()
    gallery = gallery_of(panel, settled)
    settled(lambda: gallery.models == ["nano-banana-2", "z-image"])
    assert gallery.total == 2

    def shows(*prompts):
        settled(lambda: sorted(item.prompt for item in gallery._shown) == sorted(prompts))

    gallery.favorites = True
    shows("A harbour at night")
    gallery.favorites, gallery.rating = False, 3
    shows("A harbour at night")
    gallery.rating = 5
    shows()
    gallery.rating, gallery.model = 0, "z-image"
    shows("A desert")
    gallery.since = "2999-01-01"
    shows()
    gallery.since, gallery.until = "2020-01-01", "2020-01-31"
    shows()
    send(gallery, "show_all")
    shows("A desert", "A lake")
    assert (gallery.model, gallery.until) == ("", "")
    gallery.since = "yesterday"
    settled(lambda: gallery.error)
    assert "Use the format 2026-11-24" in gallery.error["text"]


def test_selection_survives_a_search(panel, settled, wonda):
    make(wonda, "A harbour", "A storm")
    gallery = gallery_of(panel, settled)
    send(gallery, "select", keys=[item.key for item in gallery._items])
    settled(lambda: len(gallery.selected) == 2)
    send(gallery, "search", text="storm")
    settled(lambda: gallery.total == 1)
    assert [image.prompt for image in gallery.selected] == ["A storm", "A harbour"]
    told = []
    gallery.add_action("compare", "Compare", told.append, max_images=4, permission=None)
    send(gallery, "act", name="compare", keys=gallery.selected_keys)
    settled(lambda: told)
    assert len(told[0]) == 2


def test_next_run_replaces_the_cells(panel, settled, wonda):
    first = wonda.images.matrix("{what}", {"what": ["A harbour"]}, "z-image")
    gallery = gallery_of(panel, settled, first)
    first.wait()
    settled(lambda: gallery._items[0].image)
    old = gallery._items[0].key
    send(gallery, "select", keys=[old])
    settled(lambda: gallery.selected)
    second = wonda.images.matrix("{what}", {"what": ["A storm"]}, "z-image")
    event_loop.call_soon(lambda: gallery.show_matrix(second))
    settled(lambda: gallery._items[0].prompt == "A storm")
    assert gallery._items[0].key != old, "or the browser would show the old image there"
    assert gallery.selected == []


def test_rating_filter_appears_with_the_first_rating(panel, settled, made):
    gallery = gallery_of(panel, settled, made.images)
    assert not gallery.rated
    send(gallery, "mark", key=gallery_items.from_image(made.images[1]).key, rating=3)
    settled(lambda: gallery.rated)
    gallery.rating = 3
    settled(lambda: [group["count"] for group in gallery.groups] == [1])


def test_enlarged_image_is_sent_only_to_the_requesting_view(panel, settled, made):
    gallery = gallery_of(panel, settled, made.images)
    told = heard(gallery)
    key = gallery_items.from_image(made.images[0]).key
    send(gallery, "open", key=key, view="mine")
    settled(lambda: of_kind(told, "large"))
    [about] = of_kind(told, "about")
    assert about["prompt"] == "A sunset, haze"
    assert {"label": "light", "value": "haze"} in about["rows"]
    assert "wonda.images.generate" in about["code"]
    [large] = of_kind(told, "large")
    assert large["view"] == "mine"
    assert "PNG" in large["facts"]


def test_undecodable_image_is_explained(panel, settled, wonda, made, monkeypatch):
    async def junk(_url):
        return b"<svg onload=alert(1)>"

    monkeypatch.setattr(wonda._async._core.transport, "download", junk)
    gallery = gallery_of(panel, settled, made.images)
    told = heard(gallery)
    send(gallery, "window", view="v", windows=[[0, 1]])
    settled(lambda: of_kind(told, "broken"))
    assert "not a PNG" in of_kind(told, "broken")[0]["reason"]
    send(gallery, "open", key=gallery_items.from_image(made.images[0]).key, view="v")
    settled(lambda: of_kind(told, "large"))
    assert "not a PNG" in of_kind(told, "large")[0]["reason"]


def test_matrix_fills_the_gallery(panel, settled, wonda):
    matrix = wonda.images.matrix("{what}", {"what": ["A harbour", "sandbox: fail"]}, "z-image")
    gallery = gallery_of(panel, settled, matrix)
    told = heard(gallery)
    send(gallery, "window", view="v", windows=[[0, 2]])
    settled(lambda: of_kind(told, "items"))
    assert {item["state"] for item in of_kind(told, "items")[0]["parts"][0]["items"]} == {"waiting"}
    assert gallery.progress == {}
    matrix.start()
    settled(lambda: gallery.progress.get("state") == "done" and of_kind(told, "thumbs"))
    assert gallery.progress["text"] == "1 of 2, 1 failed"
    last = {content["item"]["key"]: content["item"] for content in of_kind(told, "item")}
    assert last[gallery._items[0].key]["state"] == "succeeded"
    assert last[gallery._items[1].key]["state"] == "failed"
    assert last[gallery._items[1].key]["error"]
    send(gallery, "toggle", key=gallery._items[1].key)
    send(gallery, "toggle", key=gallery._items[0].key)
    settled(lambda: len(gallery.selected) == 1)
    before = len(of_kind(told, "item"))
    send(gallery, "retry_failed")
    settled(lambda: gallery.progress["state"] == "done" and len(of_kind(told, "item")) > before)


def test_export_of_the_selection(panel, settled, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gallery = gallery_of(panel, settled, made.images)
    send(gallery, "toggle", key=gallery_items.from_image(made.images[0]).key)
    send(gallery, "export", kind="folder")
    settled(lambda: gallery.note.startswith("Exported"))
    assert gallery.note == "Exported 1 result to wonda-results"
    [image] = (tmp_path / "wonda-results").glob("*.png")
    assert Image.open(image).text["prompt"] == "A sunset, haze"
    send(gallery, "export", kind="csv")
    settled(lambda: gallery.note.endswith("wonda-results.csv"))


def test_gallery_accepts_jobs_and_nothing_else(panel, settled, wonda):
    make(wonda, "A harbour")
    [job] = wonda.jobs.recent()
    gallery = gallery_of(panel, settled, [job])
    assert gallery.total == 1
    with pytest.raises(TypeError, match="images, jobs or a matrix, not str"):
        ww.Gallery(["x"], wonda=wonda)


def test_each_action_gets_the_images(panel, settled, made):
    gallery = gallery_of(panel, settled, made.images)
    got = []
    gallery.add_action("post", "Post", got.extend, max_images=2, permission=None)
    keys = [gallery_items.from_image(image).key for image in made.images]
    send(gallery, "act", name="post", keys=keys[1::-1])
    settled(lambda: got)
    assert [gallery_items.from_image(image).key for image in got] == keys[1::-1]


# ---------------------------------------------------------------- compare


def test_differences_are_marked(panel, settled, made):
    compare = panel(ww.Compare, made.images[:2])
    settled(lambda: compare.shown)
    differing = {row["label"]: row["differs"] for row in compare.rows}
    assert differing == {"subject": False, "light": True, "Model": False, "Generated in": False}
    assert compare.titles == ["haze", "dusk"]
    told = heard(compare)
    send(compare, "look", key=compare.shown[1], view="v")
    settled(lambda: of_kind(told, "large"))
    assert of_kind(told, "large")[0]["key"] == compare.shown[1]


@pytest.mark.parametrize("count", [1, 5])
def test_too_few_or_too_many_images_cannot_be_compared(made, wonda, count):
    compare = ww.Compare(wonda=wonda)
    with pytest.raises(ww.InvalidInputError, match="two to four"):
        compare.show(made.images[:count])
    compare.close()


# ---------------------------------------------------------------- the lab


@pytest.fixture
def lab(panel, settled):
    made = panel(ww.PromptLab, template=TEMPLATE, values=VALUES)
    settled(lambda: made.form.plan.get("count") == 6)
    return made


@pytest.mark.parametrize(
    ("name", "several"),
    [("city", "cities"), ("day", "days"), ("lens", "lens"), ("time of day", "time of days")],
)
def test_names_of_several_images(name, several):
    assert plan_summary._counted(2, name) == f"2 {several}"
    assert plan_summary._counted(1, name) == f"1 {name}"


def test_price_is_shown_before_a_run(lab):
    plan = lab.form.plan
    assert plan["factors"] == "2 subjects × 3 lights × 1 model"
    assert plan["prices"] == [{"text": "about $0.04 · 40 credits", "count": 6}]
    assert (plan["usd"], plan["budget"]) == ("$0.24", "$2.50")
    assert plan["problem"] is None
    assert lab.gallery.total == 6, "each cell is there, waiting"


def click(lab, plan):
    """Press the button of a page that shows this plan."""
    seen = {name: plan[name] for name in lab_form.SEEN}
    send(lab.form, "run_now", **seen)


def run(lab):
    click(lab, lab.form.plan)


def test_planned_images_are_generated_once(lab, settled, wonda):
    run(lab)
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "done")
    settled(lambda: lab.form.state == "ready")
    assert len(wonda.jobs.recent()) == 6
    assert lab.gallery.group_by == "values.subject"
    settled(lambda: lab.form.plan.get("action") == "repeat")
    assert lab.form.plan["count"] == 6
    settled(lambda: lab.gallery.progress.get("text") == "6 of 6")


@pytest.mark.parametrize(
    ("trait", "value", "field", "said"),
    [
        ("templates", only(""), "template", "is empty"),
        ("templates", only("A {subject"), "template", "Unmatched “{”"),
        ("values", {"subject": ["a"]}, "values.light", "has no values"),
        ("values", {"subject": ["a"], "light": ["b", "b"]}, "values.light", "twice"),
        ("models", [], "models", "no values"),
        ("budget", "", "budget", "No budget"),
        ("budget", "lots", "budget", "“lots” is not an amount above 0."),
        ("budget", "0", "budget", "above 0"),
        ("budget", "0.10", "budget", "the budget is $0.10"),
        ("params", {"resolution": ["9K"]}, "params.resolution", "does not support '9K'"),
    ],
)
def test_reason_against_a_run_is_shown_at_its_field(lab, settled, trait, value, field, said):
    setattr(lab.form, trait, value)
    settled(lambda: lab.form.plan.get("problem"))
    assert lab.form.plan["problem"]["field"] == field
    problem = lab.form.plan["problem"]
    assert said in problem["title"] + problem["text"]
    send(lab.form, "run_now", action="run", count=6, usd="$0.24", run=0)
    settled(lambda: lab.form.state == "ready")
    assert lab.matrix is None


@pytest.mark.parametrize("budget", ["", "lots", "-3", "0", "nan", "1e400"])
def test_plan_and_price_are_shown_without_a_valid_budget(lab, settled, budget):
    lab.form.budget = budget
    settled(lambda: lab.form.plan.get("problem"))
    assert (lab.form.plan["count"], lab.form.plan["usd"]) == (6, "$0.24")
    assert lab.form.plan["budget"] == ""


def test_last_plan_stays_visible_but_cannot_run_during_an_error(lab, settled):
    assert not lab.form.plan.get("is_stale")
    lab.form.params = {"styleId": ["half an emoji \ud83d"]}
    settled(lambda: lab.form.plan.get("problem"))
    assert (lab.form.plan["count"], lab.form.plan["is_stale"]) == (6, True)
    run(lab)
    settled(lambda: lab.form.error)
    assert (lab.matrix, lab.form.state) == (None, "ready")
    lab.form.params = {}
    settled(lambda: not lab.form.plan.get("problem"))
    assert not lab.form.plan.get("is_stale")


def test_button_retries_failed_images_of_the_last_run(lab, settled, wonda):
    wonda.faults.add("POST", "/image/generate", 400, times=2)
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "done")
    settled(lambda: lab.form.plan.get("action") == "retry")
    progress = lab.gallery.progress
    assert progress["failed"] == pytest.approx(2 / 6)
    plan = lab.form.plan
    assert (plan["count"], plan["requested"], plan["usd"]) == (2, 4, "$0.08")
    assert not progress["offers_retry"], "the button offers it"
    matrix = lab.matrix
    lab.form.budget = "0.24"
    settled(lambda: lab.form.plan.get("budget") == "$0.24")
    plan = lab.form.plan
    assert plan["problem"] is None
    click(lab, plan)
    settled(lambda: str(matrix.progress) == "6 of 6")
    settled(lambda: lab.form.state == "ready")
    click(lab, plan)  # by a page that still shows the last plan
    settled(lambda: lab.form.error)
    assert lab.form.error["title"] == "The plan has changed in the meantime."
    settled(lambda: lab.form.plan.get("action") == "repeat" and not lab.form.plan.get("is_stale"))
    assert lab.matrix is matrix
    assert len([each for each in wonda.jobs.recent(limit=99) if each.id]) == 6


def fail_jobs_of(wonda, model):
    """Let the jobs of a model fail; return a function that ends this."""
    store = sandbox_of(wonda).store
    generate = store.generate

    def generate_in_vain(body, *args):
        job = generate(body, *args)
        if body["model"] == model:
            job.ending, job.error, job.result = "failed", "Refused.", None
        return job

    store.generate = generate_in_vain

    def end():
        store.generate = generate

    return end


def settle_plan(lab, settled, action):
    settled(
        lambda: (
            (lab.form.plan.get("action"), lab.form.plan.get("is_stale", False)) == (action, False)
        )
    )


def test_price_of_a_retry_is_that_of_the_failed_images(lab, settled, wonda):
    heal = fail_jobs_of(wonda, "nano-banana-pro")
    lab.form.values = {"subject": ["sunset", "storm"], "light": ["haze"]}
    lab.form.models = ["nano-banana-2", "nano-banana-pro"]
    settled(lambda: lab.form.plan.get("count") == 4)
    run(lab)
    settle_plan(lab, settled, "retry")
    assert (lab.form.plan["count"], lab.form.plan["usd"]) == (2, "$0.24")
    heal()
    before = sandbox_of(wonda).store.credits
    run(lab)
    settle_plan(lab, settled, "repeat")
    assert before - sandbox_of(wonda).store.credits == 240


def test_cleared_budget_does_not_allow_more(lab, settled, wonda):
    fail_jobs_of(wonda, "nano-banana-2")
    lab.form.budget = "0.24"
    settled(lambda: lab.form.plan.get("budget") == "$0.24")
    run(lab)
    settle_plan(lab, settled, "retry")
    made = len(wonda.jobs.recent(limit=99))
    lab.form.set_state({"budget": ""})
    settled(lambda: lab.form.plan["problem"])
    send(lab.gallery, "retry_failed")
    settled(lambda: lab.gallery.error)
    assert "the budget is $0.24" in lab.gallery.error["title"]
    seen = {name: lab.form.plan.get(name) for name in lab_form.SEEN}
    send(lab.form, "run_now", form={"budget": ""}, **seen)
    settled(lambda: lab.form.error and lab.form.state == "ready")
    assert lab.form.error["title"] == "No budget is set."
    assert len(wonda.jobs.recent(limit=99)) == made


def test_retry_that_arrives_twice_is_made_once(lab, settled, wonda):
    fail_jobs_of(wonda, "nano-banana-2")
    lab.form.budget = "5"
    settled(lambda: lab.form.plan.get("budget") == "$5.00")
    run(lab)
    settle_plan(lab, settled, "retry")
    plan = lab.form.plan
    jobs = sandbox_of(wonda).store.jobs
    click(lab, {**plan, "usd": "$0.01"})  # not the price that was shown
    settled(lambda: lab.form.error and lab.form.state == "ready")
    assert len(jobs) == 6
    settle_plan(lab, settled, "retry")
    click(lab, plan)
    settled(lambda: len(jobs) == 12 and lab.form.state == "ready")
    settle_plan(lab, settled, "retry")
    click(lab, plan)
    settled(lambda: lab.form.error and lab.form.state == "ready")
    assert len(jobs) == 12


def test_gallery_cannot_start_a_plan_that_was_not_run(lab, settled, wonda):
    settled(lambda: lab.gallery.total == 6)
    for kind in ("resume", "retry_failed", "stop"):
        send(lab.gallery, kind)
    settled(lambda: lab.gallery.receipt >= 3)
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "done")
    assert len(wonda.jobs.recent(limit=99)) == 6


@pytest.mark.parametrize(
    "values", [5, {"subject": 5}, {"subject": [{"a": 1}]}, {"subject": None}, [["a"]], None]
)
def test_invalid_values_of_a_page_are_ignored(lab, settled, values):
    before = lab.form.values
    deep = []
    for _ in range(5_000):
        deep = [deep]
    lab.form.set_state({"values": values})
    lab.form.set_state({"params": {"resolution": deep}})
    send(lab.form, "no_such", deep=deep)
    send(lab.form, "run_now", form={"values": values, "templates": 5}, action="run")
    settled(lambda: lab.form.receipt and lab.form.state == "ready")
    assert (lab.form.values, lab.form.templates) == (before, only(TEMPLATE))


def test_page_that_shows_an_old_plan_cannot_generate_it_again(lab, settled, wonda):
    plan = lab.form.plan
    click(lab, plan)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "done")
    settled(lambda: lab.form.state == "ready")
    click(lab, plan)

    def is_told():
        return any("has changed" in note for note in lab.form.plan.get("notes", ()))

    settled(is_told)
    settled(lab.form._planning.done)
    assert is_told(), "also after the plan was updated for another reason"
    assert len(wonda.jobs.recent(limit=99)) == 6
    lab.form.takes = 2
    settled(lambda: not is_told())


@pytest.mark.parametrize("action", [None, [], {}, "repeat", ["resume"], 7])
def test_odd_clicks_leave_the_form_usable(lab, settled, wonda, action):
    plan = lab.form.plan
    click(lab, {**plan, "action": action})
    settled(lambda: lab.form.state == "ready")
    assert not wonda.jobs.recent()
    click(lab, plan)
    settled(lambda: lab.matrix is not None)


def test_click_on_a_plan_with_another_table_runs_nothing(panel, settled, wonda):
    lab = panel(ww.PromptLab, template="A {x}", table=[{"x": "cat"}, {"x": "dog"}])
    settled(lambda: lab.form.plan.get("count") == 2)
    seen = lab.form.plan
    content = {"type": "table_file", "name": "other.csv"}  # in another page
    lab.form._receive(lab.form, content, [memoryview(b"x\nsail\nkite\n")])
    settled(lambda: lab.form.table["rows"][0] == ["sail"])
    click(lab, seen)
    settled(lambda: any("has changed" in note for note in lab.form.plan.get("notes", ())))
    assert not wonda.jobs.recent()


@pytest.mark.parametrize(
    ("budget", "shown"),
    [(2.5, "2.50"), (1234.5678, "1234.5678"), (1234567.891, "1234567.891"), (1e-05, "0.00001")],
)
def test_budget_from_code_keeps_its_digits(panel, settled, budget, shown):
    lab = panel(ww.PromptLab, template="A sail", budget=budget)
    assert lab.form.budget == shown
    settled(lambda: lab.form.plan.get("count") == 1)
    assert lab.form._check_budget() == budget


def test_placeholders_are_found_however_they_are_composed(panel, settled):
    lab = panel(ww.PromptLab, template="A {e\u0301}", values={"e\u0301": ["x", "y"]})
    settled(lambda: lab.form.plan.get("count") == 2)


def test_unknown_images_are_left_to_their_cards(lab, settled, wonda):
    wonda.faults.add("POST", "/image/generate", 400)
    wonda.faults.add("POST", "/image/generate", "drop")
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "stopped")
    settled(lambda: lab.form.plan.get("action") == "retry")
    assert lab.form.plan["count"] == 1
    run(lab)
    settled(lambda: lab.matrix.progress.failed == 0)
    settled(lambda: lab.form.plan.get("action") == "check" and not lab.form.plan.get("is_stale"))
    assert lab.matrix.progress.unknown == 1


def test_button_resumes_the_last_run_unless_the_form_has_another_plan(lab, settled):
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "running")
    send(lab.gallery, "stop")
    settled(lambda: lab.matrix.state == "stopped" and lab.form.plan.get("action") == "resume")
    settled(lambda: not lab.gallery.progress["offers_resume"])
    before, lab.form.templates = lab.form.templates, only("Another {subject}, {light}")
    settled(lambda: lab.form.plan.get("action") == "run")
    settled(lambda: lab.gallery.progress["offers_resume"])
    lab.form.templates = before
    settled(lambda: lab.form.plan.get("action") == "resume")
    matrix = lab.matrix
    run(lab)
    settled(lambda: matrix.state == "done")
    assert (lab.matrix is matrix, matrix.progress.succeeded) == (True, 6)
    lab.form.params = {}
    settled(lambda: lab.form.plan.get("count") == 6)
    assert not lab.form.error


def test_changed_input_is_not_run_without_a_new_price(lab, settled, wonda):
    lab.form.params = {"resolution": ["4K"]}
    send(lab.form, "run_now", action="run", count=6, usd="$0.24", run=0)
    settled(lambda: lab.form.plan.get("usd") == "$0.96" and lab.form.state == "ready")
    assert lab.matrix is None
    assert wonda.jobs.recent() == []
    run(lab)
    settled(lambda: lab.matrix is not None)


def test_values_of_a_removed_placeholder_are_kept(lab, settled):
    lab.form.templates = only("A {subject}")
    settled(lambda: lab.form.plan.get("count") == 2)
    lab.form.templates = only(TEMPLATE)
    settled(lambda: lab.form.plan.get("count") == 6)


def test_stopped_plan_is_offered_to_the_next_kernel(lab, settled, panel, wonda):
    lab.form.max_concurrency = 1
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.progress.succeeded >= 1)
    send(lab.gallery, "stop")
    settled(lambda: lab.matrix.state == "stopped" and not lab.matrix.progress.running)
    left = lab.matrix.progress.waiting
    later = panel(ww.PromptLab, budget=0.01)
    settled(lambda: later.form.unfinished_plan)
    said = f"Your last plan has {left} of 6 images left. Price: about ${0.04 * left:.2f}"
    assert later.form.unfinished_plan.startswith(said)
    send(later.form, "open_plan")
    settled(lambda: later.form.plan.get("requested") == 6 - left)
    assert later.form.templates == only(TEMPLATE)
    assert later.form.plan["count"] == left
    assert later.form.plan["usd"] == f"${0.04 * left:.2f}"
    assert "the budget is $0.01" in later.form.plan["problem"]["title"]
    assert later.matrix is None, "nothing is spent before somebody has seen the price"
    later.form.budget = "1"
    settled(lambda: not later.form.plan["problem"])
    run(later)
    settled(lambda: later.matrix is not None and later.matrix.state == "done")
    assert later.form.values == VALUES
    assert len(wonda.jobs.recent()) == 6
    third = panel(ww.PromptLab)
    settled(lambda: third.form.state == "ready")
    event_loop.run_blocking(_a_moment())
    assert third.form.unfinished_plan == ""


async def _a_moment():
    await asyncio.sleep(0.1)


def test_compare_two_images_and_publish_one(lab, settled):
    run(lab)
    settled(lambda: lab.gallery.progress.get("state") == "done")
    send(lab.gallery, "act", name="compare", keys=keys_of(lab, 0, 5))
    settled(lambda: lab.compare in lab.children and lab.compare.shown)
    send(lab.compare, "act", name="publish", key=lab.compare.shown[1])
    settled(lambda: lab.publish_form in lab.children and lab.publish_form.media_id)
    assert lab.publish_form.media_id == lab.matrix.images[5].media.media_id
    assert lab.publish_form.alt_text == "A storm, rain"


def test_unreachable_service_is_reported_and_retried(panel, settled, wonda):
    wonda.faults.add("GET", "/capabilities", 500, times=9)
    lab = panel(ww.PromptLab, template="A harbour")
    settled(lambda: lab.form.state == "unavailable")
    assert lab.form.error
    wonda.faults.clear()
    send(lab.form, "reload")
    settled(lambda: lab.form.plan.get("count") == 1)


def test_no_trait_contains_the_key(settled, served):
    _, url = served(key=KEY)
    with ww.Wonda(KEY, base_url=url) as wonda:
        lab = ww.PromptLab(wonda, template=TEMPLATE, values=VALUES)
        settled(lambda: lab.form.plan.get("count") == 6)
        states = [each.get_state() for each in (lab.form, lab.gallery, lab.compare)]
        assert KEY[:15] not in repr(states)
        lab.close()


def test_edited_image_is_published(lab, settled, wonda):
    run(lab)
    settled(lambda: lab.gallery.progress.get("state") == "done")
    send(lab.gallery, "act", name="edit", keys=keys_of(lab, 0))
    settled(lambda: lab.edit_form in lab.children and lab.edit_form.state == "ready")
    lab.edit_form.edit([ww.edit.Encode(format="JPEG")])
    settled(lambda: lab.edit_form.operations)
    lab.edit_form.use()
    original = lab.matrix.images[0].media.media_id
    settled(lambda: lab.publish_form.media_id)
    assert lab.publish_form.media_id == lab.edit_form.media.media_id != original
    assert lab.publish_form.alt_text == "A sunset, haze"
    assert wonda.media.open(lab.edit_form.media).format == "JPEG"
    said = [point["title"] for point in lab.publish_form.check_results if point["level"] == "miss"]
    assert all("PNG" not in title for title in said)


def test_late_edit_keeps_the_prompt_of_its_image(lab, settled, wonda, monkeypatch):
    run(lab)
    settled(lambda: lab.gallery.progress.get("state") == "done")
    gate, real = threading.Event(), wonda._async._core.transport.post

    async def slow(path, *args, **kwargs):
        while path == "/media/upload" and not gate.is_set():
            await asyncio.sleep(0.005)
        return await real(path, *args, **kwargs)

    monkeypatch.setattr(wonda._async._core.transport, "post", slow)
    send(lab.gallery, "act", name="edit", keys=keys_of(lab, 0))
    settled(lambda: lab.edit_form.state == "ready")
    lab.edit_form.edit([ww.edit.Encode(format="JPEG")])
    settled(lambda: lab.edit_form.operations)
    lab.edit_form.use()
    settled(lambda: lab.edit_form.step == "sending")
    send(lab.gallery, "act", name="edit", keys=keys_of(lab, 5))
    settled(lambda: lab.edit_form.alt == "A storm, rain")
    gate.set()
    settled(lambda: lab.publish_form.media_id)
    assert lab.publish_form.alt_text == "A sunset, haze"


def test_same_edit_of_the_same_image_is_one_media(wonda, made):
    source = made.images[0].media
    first, second = (
        ww.edit.Edit(source, wonda=wonda, operations=[ww.edit.Encode(format="JPEG")])
        for _ in range(2)
    )
    assert first.upload().media_id == second.upload().media_id
    other = ww.edit.Edit(source, wonda=wonda, operations=[ww.edit.Encode(format="WEBP")])
    assert other.upload().media_id != first.upload().media_id


def test_failed_edit_upload_is_repeated(wonda, made, monkeypatch):
    edit = ww.edit.Edit(made.images[0].media, wonda=wonda)
    edit.add(ww.edit.Encode(format="JPEG"))

    async def fault(*_args, **_kwargs):
        raise ValueError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(wonda._async._core.transport, "post", fault)
        with pytest.raises(ValueError, match="of ours"):
            edit.upload()
    assert edit.upload().media_id


def test_closed_subpanels_keep_their_state(lab, settled):
    run(lab)
    settled(lambda: lab.gallery.progress.get("state") == "done")
    send(lab.gallery, "act", name="edit", keys=keys_of(lab, 0))
    settled(lambda: lab.edit_form in lab.children and lab.edit_form.state == "ready")
    lab.edit_form.edit([ww.edit.Encode(format="JPEG")])
    settled(lambda: lab.edit_form.operations)
    assert lab.edit_form.can_close
    assert not lab.gallery.can_close
    send(lab.edit_form, "close")
    settled(lambda: lab.edit_form not in lab.children)
    send(lab.gallery, "close")  # a stray one
    assert lab.edit_form.operations
    send(lab.gallery, "act", name="edit", keys=keys_of(lab, 0))
    settled(lambda: lab.edit_form in lab.children)
    assert lab.edit_form.operations


def test_preflight_checks_the_selected_image(lab, settled):
    run(lab)  # by default 9:16, PNG
    settled(lambda: lab.gallery.progress.get("state") == "done")
    send(lab.gallery, "act", name="publish", keys=keys_of(lab, 1))
    settled(lambda: len(lab.publish_form.check_results) >= 2)
    titles = " ".join(point["title"] for point in lab.publish_form.check_results)
    assert "9:16" in titles
    assert "PNG" in titles


# ---------------------------------------------------------------- everything ever made


def test_history_image_is_reused_as_form_and_reference(panel, settled, wonda):
    job = wonda.images.generate(
        model="nano-banana-2", prompt="A harbour", params={"aspectRatio": "4:5"}
    )
    job.wait()
    history = panel(ww.History)
    settled(lambda: history.gallery.total == 1)
    settled(lambda: history.studio.prompt_form.state == "ready")
    key = history.gallery._items[0].key
    assert history.studio not in history.children
    send(history.gallery, "act", name="form", keys=[key])
    settled(lambda: history.studio in history.children)
    form = history.studio.prompt_form
    assert form.prompt == "A harbour"
    assert form.params == {"aspectRatio": "4:5", "resolution": "1K"}
    send(history.gallery, "act", name="reference", keys=[key])
    settled(lambda: form.references)
    form.submit()
    settled(lambda: history.studio.media)
    asked = history.studio.job.request
    assert asked["attachmentMediaIds"] == [job.snapshot.media.media_id]
    settled(lambda: history.gallery.total == 2)


def test_undo_restores_each_fill(lab, settled, made):
    typed = only("Typed {subject} and {light}")
    lab.form.templates = typed
    for image in made.images[:2]:
        event_loop.run_blocking(on_loop(lambda image=image: lab.form.fill_more(image)))
    assert lab.form.templates == only(made.images[1].prompt)
    send(lab.form, "undo_file")
    settled(lambda: lab.form.templates == only(made.images[0].prompt))
    assert lab.form.file_note
    send(lab.form, "undo_file")
    settled(lambda: lab.form.templates == typed)
    assert not lab.form.file_note
    send(lab.form, "undo_file")
    send(lab.form, "dismiss_plan")
    assert lab.form.templates == typed


def test_opened_plan_can_be_undone(lab, settled, panel):
    run(lab)
    settled(lambda: lab.matrix is not None and lab.matrix.state == "running")
    send(lab.gallery, "stop")
    settled(lambda: lab.matrix.state == "stopped" and not lab.matrix.progress.running)
    later = panel(ww.PromptLab, template="My {own}", values={"own": ["words"]})
    settled(lambda: later.form.unfinished_plan)
    send(later.form, "open_plan")
    settled(lambda: later.form.templates == only(TEMPLATE))
    send(later.form, "undo_file")
    settled(lambda: later.form.templates == only("My {own}"))
    assert later.form.values == {"own": ["words"]}


def test_parameter_that_no_model_has_is_told(panel, settled):
    lab = panel(
        ww.PromptLab, template="A {n}", values={"n": [1, 2.5]}, params={"aspect_ratio": "4:5"}
    )
    settled(lambda: lab.form.plan.get("count") == 2)
    assert lab.form.values == {"n": ["1", "2.5"]}
    assert lab.form.plan["notes"] == ["No chosen model has aspect ratio, so it is not sent."]


@pytest.mark.parametrize(
    "arguments",
    [
        {"values": {"n": [object()]}},
        {"combine": "foo"},
        {"combine": "random", "count": 0},
        {"seed": "x"},
        {"takes": 0},
    ],
)
def test_odd_arguments_of_a_lab_are_explained(wonda, arguments):
    with pytest.raises(ww.InvalidInputError):
        ww.PromptLab(wonda, template="A {n}", **{"values": {"n": ["a"]}, **arguments})


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        *[("2.5", 2.5), ("2,50", 2.5), ("$ 5", 5.0), ("5 $", 5.0), ("1000", 1000.0), (".5", 0.5)],
        *[
            ("1,000", None),
            ("1_0", None),
            ("2,50 €", None),
            ("1e3", None),
            ("٣", None),
            ("0", None),
        ],
    ],
)
def test_budget_is_read_as_it_is_meant(lab, settled, text, amount):
    lab.form.budget = text
    if amount is None:
        settled(lambda: (lab.form.plan.get("problem") or {}).get("field") == "budget")
    else:
        settled(lambda: lab.form.plan.get("budget") == f"${amount:.2f}")


def test_unknown_snippet_hides_no_field(lab, settled):
    lab.form.templates = only("A {other}, {style:unknown}")
    settled(lambda: lab.form.placeholders == ["other"])
    settled(lambda: "no snippet {style:unknown}" in lab.form.plan["problem"]["title"])


def test_names_are_found_however_they_are_composed(wonda, made):
    matrix = wonda.images.matrix("A {caf\u00e9}", {"cafe\u0301": ["x"]}, "z-image")
    assert [row["prompt"] for row in matrix.wait()] == ["A x"]
    table = [{"cafe\u0301": "y"}]
    assert wonda.images.matrix("A {caf\u00e9}", {}, "z-image", table=table).wait()
    wonda.history.collect(made.images[:1], "caf\u00e9  noir")
    wonda.history.collect(made.images[1:2], "cafe\u0301 noir")
    assert wonda.history.collections() == {"caf\u00e9 noir": 2}
    assert wonda.history.count(collection="cafe\u0301  noir") == 2


@pytest.mark.parametrize("rank", [2**63, 10**30, 0, True])
def test_odd_rank_is_refused(wonda, rank):
    with pytest.raises(ww.InvalidInputError, match="rank must be"):
        wonda.history.search(rank=rank)
    with pytest.raises(ww.InvalidInputError, match="order must be"):
        wonda.history.search(order=[])


def test_matrix_stands_for_its_images(panel, wonda, made, tmp_path):
    unmade = wonda.images.matrix("B {x}", {"x": ["a", "b"]}, "z-image")
    with pytest.raises(ww.InvalidInputError, match="at least"):
        ww.Review(unmade, wonda=wonda)
    assert len(wonda.jobs.recent()) == len(made.images)
    assert panel(ww.Review, made).count == 6
    assert wonda.history.grid(made, tmp_path / "grid.html").exists()
    text = (tmp_path / "grid.html").read_text("utf-8")
    assert 'alt="' in text
    assert made.images[0].prompt not in text
