"""`wonda.history.timeline`: what was done with each image."""

import json
from datetime import UTC, datetime

import pytest

import wonda_widgets as ww
from wonda_widgets.client.edit import (
    Crop,
    Edit,
    Encode,
    Pad,
    Resize,
    Text,
)
from wonda_widgets.export import timeline
from wonda_widgets.models import Snapshot

STEPS = [
    (Crop(x=0, y=0, width=1080, height=1080), "cropped to 1080 × 1080"),
    (Resize(width=800, height=1000), "resized to 800 × 1000"),
    (Pad(width=1080, height=1350, color="#f4f4f4"), "padded to 1080 × 1350, #f4f4f4"),
    (Text(text="New\n in  town"), "text added: “New in town”"),
    (Text(text="x" * 200), f"text added: “{'x' * 80}…”"),
    (Encode(format="JPEG"), "saved as JPEG"),
    (Encode(format="WEBP", quality=5), "saved as WebP"),
    ({"operation": "crop", "x": "left"}, "edited"),
    ({"operation": "sharpen"}, "edited"),
    (None, "edited"),
]


@pytest.fixture
def wonda(tmp_path, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01, journal=tmp_path / "journal.db") as client:
        yield client


@pytest.fixture
def image(wonda):
    wonda.images.generate(model="nano-banana-2", prompt="A harbour").wait()
    return wonda.history.search()[0]


@pytest.fixture
def account(wonda):
    return wonda.accounts.instagram()[0].instagram_account_id


def note(wonda, kind, body, *, media_id=None, **told):
    """Write an entry of the journal, as if it had happened; gives its intent."""
    core = wonda._async._core
    intent, _ = core.journal.begin_request(
        core.journal_key, kind, json.dumps(body).encode(), "", allow_repeat=True
    ).result()
    if media_id is not None:
        core.journal.mark_accepted(intent, media_id).result()
    if told:
        raw = told.pop("raw", {})
        core.journal.update_status(
            core.journal_key, kind, media_id, Snapshot(raw=raw, **told)
        ).result()
    return intent


def edit_of(wonda, of, media_id, *operations):
    body = {"name": "x.png", "edit": {"of": of, "operations": list(operations)}}
    return note(wonda, "upload", body, media_id=media_id)


@pytest.mark.parametrize(("operation", "words"), STEPS)
def test_edit_is_described(operation, words):
    import msgspec

    assert timeline.describe(msgspec.to_builtins(operation)) == words


def test_timeline_of_an_image(wonda, image, account):
    edit = Edit(image.media, wonda=wonda)
    edit.add(Crop(x=0, y=0, width=200, height=200), Encode(format="JPEG"))
    made = edit.upload()
    again = Edit(made, wonda=wonda).add(Text(text="New")).upload()
    post = wonda.publish.instagram(
        media_id=again.media_id,
        instagram_account_id=account,
        caption="Made with Wonda",
        alt_text="A harbour at dawn",
        product="STORIES",
    ).wait()
    [chapter] = wonda.history.timeline([image])
    assert chapter.image == image
    assert chapter.requested_at == image.made_at
    assert chapter.status_changes[-1].status == "succeeded"
    assert all(moment.at >= chapter.requested_at for moment in chapter.status_changes)
    statuses = [moment.status for moment in chapter.status_changes]
    assert len(set(statuses)) == len(statuses)
    assert [change.media_id for change in chapter.edits] == [made.media_id, again.media_id]
    assert [change.of for change in chapter.edits] == [image.media.media_id, made.media_id]
    assert chapter.edits[0].descriptions == ["cropped to 200 × 200", "saved as JPEG"]
    assert chapter.edits[1].descriptions == ["text added: “New”"]
    assert len(chapter.edits[1].since_original) == 3
    [told] = chapter.posts
    assert (told.state, told.permalink) == ("posted", post.permalink)
    assert (told.account, told.caption, told.product) == (
        "@lantern.shop",
        "Made with Wonda",
        "STORIES",
    )
    assert told.alt_text == ""  # a story has none
    assert told.requested_at <= told.ended_at
    assert chapter.is_posted


def test_timeline_excludes_other_images(wonda, image, account):
    wonda.images.generate(model="z-image", prompt="Another").wait()
    other = wonda.history.search("another")[0]
    wonda.publish.instagram(media_id=other.media.media_id, instagram_account_id=account).wait()
    edit_of(wonda, "somebody else’s", "edited", {"operation": "crop"})
    first, second = wonda.history.timeline([image, other])
    assert (first.edits, first.posts) == ((), ())
    assert len(second.posts) == 1


def test_carousel_appears_in_the_timeline_of_each_image(wonda, image, account):
    edit_of(wonda, image.media.media_id, "edited")
    media_ids = ["other", "edited"]
    body = {"mediaIds": media_ids, "instagramAccountId": account, "product": "CAROUSEL"}
    note(wonda, "publish", body, media_id="p1", status="succeeded")
    [chapter] = wonda.history.timeline([image])
    assert [post.media_ids for post in chapter.posts] == [tuple(media_ids)]


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"status": "succeeded"}, "posted"),
        ({"status": "queued"}, "in progress"),
        ({"status": "scheduled", "raw": {"scheduledFor": "2027-01-01T10:00:00Z"}}, "scheduled"),
        ({"status": "failed"}, "failed"),
        ({"status": "canceled"}, "canceled"),
        ({"status": "a new word"}, "in progress"),
    ],
)
def test_state_of_a_post(wonda, image, told, state):
    body = {"mediaId": image.media.media_id, "instagramAccountId": "a1"}
    note(wonda, "publish", body, media_id="p1", **told)
    [post] = wonda.history.timeline([image])[0].posts
    assert (post.state, post.account) == (state, "an Instagram account")
    if state == "scheduled":
        assert post.scheduled_for == datetime(2027, 1, 1, 10, tzinfo=UTC)


def test_missing_post_is_not_in_the_timeline(wonda, image):
    journal = wonda._async._core.journal
    body = {"mediaId": image.media.media_id, "instagramAccountId": "a1"}
    intent = note(wonda, "publish", body)
    [post] = wonda.history.timeline([image])[0].posts
    assert post.state == "in progress"  # this process may be sending it
    journal.mark_unknown(intent, "lost").result()
    [post] = wonda.history.timeline([image])[0].posts
    assert (post.state, post.ended_at) == ("unknown", None)
    [record] = journal.find_by_intent(intent).result()
    journal.mark_absent(record).result()
    assert wonda.history.timeline([image])[0].posts == ()
    refused = note(wonda, "publish", body)
    journal.mark_refused(refused, "no").result()
    assert wonda.history.timeline([image])[0].posts == ()
    found = note(wonda, "publish", body)
    journal.mark_posted(found, "https://example.org/p", None).result()
    [post] = wonda.history.timeline([image])[0].posts
    assert (post.state, post.permalink, post.ended_at) == ("posted", "https://example.org/p", None)


def test_failed_upload_is_not_an_edit(wonda, image):
    note(wonda, "upload", {"edit": {"of": image.media.media_id, "operations": []}})
    edit_of(wonda, image.media.media_id, image.media.media_id)  # of itself
    for odd in (None, 5, {"of": ["x"]}, {"operations": "all"}):
        note(wonda, "upload", {"edit": odd}, media_id=f"odd {odd}")
    assert wonda.history.timeline([image])[0].edits == ()


def test_image_that_is_not_in_the_journal(wonda, image, account):
    media = ww.Media(media_id="from elsewhere")
    unknown = ww.GeneratedImage(
        media=media, prompt="Elsewhere", made_at=datetime(2020, 1, 1, tzinfo=UTC)
    )
    body = {"mediaId": "from elsewhere", "instagramAccountId": account}
    note(wonda, "publish", body, media_id="p1", status="succeeded")
    told, known = wonda.history.timeline([unknown, image])
    assert (told.requested_at, told.status_changes, told.edits) == (unknown.made_at, (), ())
    assert told.posts[0].account == "@lantern.shop"
    assert known.status_changes
    assert wonda.history.timeline([ww.GeneratedImage(media=ww.Media())])[0].requested_at is None
    assert wonda.history.timeline([]) == []


def test_accounts_are_requested_once_and_only_for_posts(wonda, image, account):
    wonda.faults.add("GET", "instagram/accounts", 500, times=99)
    wonda.history.timeline([image])
    note(wonda, "publish", {"mediaId": image.media.media_id, "instagramAccountId": account})
    note(wonda, "publish", {"mediaId": image.media.media_id, "instagramAccountId": "gone"})
    first, _ = wonda.history.timeline([image])[0].posts
    assert first.account == "an Instagram account"
    wonda.faults.clear()
    asked = []
    accounts = wonda._async.history._accounts
    real = accounts.instagram

    async def counted():
        asked.append(1)
        return await real()

    accounts.instagram = counted
    for _ in range(3):
        names = [post.account for post in wonda.history.timeline([image])[0].posts]
        assert names == ["@lantern.shop", "an Instagram account"]
    assert asked == [1]


def test_summary_line(image):
    from msgspec.structs import replace

    plain = timeline.ImageTimeline(image=image)
    at = datetime(2026, 11, 24, tzinfo=UTC)
    change = timeline.EditEvent(media_id="e", of="m", operations=(), since_original=(), at=at)
    edited = replace(plain, edits=(change,))
    assert timeline.summary([plain]) == "1 image"
    assert timeline.summary([plain, edited]) == "2 images, 1 edited"
    assert timeline.summary([plain] * 1_000) == "1,000 images"
