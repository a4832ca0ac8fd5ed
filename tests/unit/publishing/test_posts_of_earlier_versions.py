"""Posts that earlier versions recorded are recognized and not made again."""

from __future__ import annotations

import msgspec
import pytest
from conftest import BASE
from posting_service import Service

import wonda_widgets as ww
from wonda_widgets.journal.journal import Journal
from wonda_widgets.publishing import dedupe_keys
from wonda_widgets.publishing.former_keys import former_keys
from wonda_widgets.utils import event_loop

CROP = {"operation": "crop", "left": 0, "top": 0, "width": 10, "height": 10}
JPEG = {"operation": "encode", "format": "JPEG", "quality": 90}

#: Uploads, and how they were made.
EDITS = {
    "e1": {"of": "m1", "operations": [CROP, JPEG]},
    "e2": {"of": "m1", "operations": [JPEG]},
    "e3": {"of": "e1", "operations": [JPEG]},
}

HEART, NO_HEART = "Made with \u2764\ufe0f", "Made with \u2764"
FAMILY = "family \U0001f468\u200d\U0001f469\u200d\U0001f467"

#: Requests, and the names that the version before gave them: its code wrote these.
BEFORE = {
    "heart": (
        {"mediaId": "m1", "caption": HEART},
        "ee77024d8652e8559a350c1eb6eb6543849bc806f495b8d1f4df67479303b41a",
    ),
    "family": (
        {"mediaId": "m1", "caption": FAMILY},
        "9a122adcab20c69fb248fa80473e9c1e72febe76e773e2e28f8f39ffb8314451",
    ),
    "marks without width": (
        {"mediaId": "m1", "caption": "A\u200bB\xadC\ufeff"},
        "1afba4221fbcc8980992bb21fbccef1a32cc763e89183160201504e81e88a61f",
    ),
    "right to left": (
        {"mediaId": "m1", "caption": "\u200f\u05e9\u05dc\u05d5\u05dd\u200f &amp; more"},
        "aa7b1d86ee6e00a26794f21a6eefb8f14c9836608b0b9582282b0c7687a88ee7",
    ),
    "story": (
        {"mediaId": "m1", "caption": "sun \u2600\ufe0f", "product": "STORIES"},
        "b20232aa603bea066d44be36f7d7748667faffbd48cb3801efdabe764199c53b",
    ),
    "STORY": (
        {"mediaId": "m1", "caption": "Made", "product": "STORY"},
        "949c040b9d9a96dd7ccbf22931dbcfccb7d8075827293df8346c4bd2f370d1d7",
    ),
    "FEED": (
        {"mediaId": "m1", "caption": "Made", "product": "FEED"},
        "893901f9afe647ff61790552f4d6071a98b1f855eb10fb8b95870ef934de93ee",
    ),
    "feed": (
        {"mediaId": "m1", "product": "feed"},
        "b46dce53f569a8f2eeaec90af214db34465071651b697ea4c3d28759da08515b",
    ),
    "Reels": (
        {"mediaId": "m1", "caption": "Made", "product": "Reels"},
        "ae1f1f0614178e88120405660d726e88f5a46f55286118448af5c5299fa867f1",
    ),
    "crop as JPEG": (
        {"mediaId": "e1", "caption": "Made"},
        "da464a8d1f24fd9ef485d6b5fa376d22bfcf80ea5665e13726b086b96c8214e7",
    ),
    "JPEG": (
        {"mediaId": "e2", "caption": "Made"},
        "bbe69053cadc3b7564b7d42394411a831c3d6c5ef084f0860fcde1d493cdb161",
    ),
    "crop as JPEG, twice": (
        {"mediaId": "e3", "caption": "Made"},
        "6939699215bdcb344adef08e9e5f02432631d7fed05575ef08000e3a482ad7f4",
    ),
    "carousel": (
        {"mediaIds": ["m2", "e2"], "caption": "two \u2764\ufe0f"},
        "4071e8c164fc2cd09d2fa954831dae7b350af95bcc5f6564146a48b348b38696",
    ),
    "plain": (
        {"mediaId": "m1", "caption": "Made"},
        "003ffca108c1d418ffce3f4c7bb71dece43ecf063ef69eb67bf53d27de9b6871",
    ),
}

ENDS = {
    "sending": lambda _journal, _intent: None,
    "unknown": lambda journal, intent: journal.mark_unknown(intent, "the answer was lost"),
    "accepted": lambda journal, intent: journal.mark_accepted(intent, "p9", "queued"),
    "posted": lambda journal, intent: journal.mark_posted(intent, "https://x.test/p/9", None),
}

every = pytest.mark.parametrize(("asked", "name"), BEFORE.values(), ids=BEFORE)


@pytest.fixture
def service():
    made = Service()
    made.history = 404  # the journal is the only one that knows
    made.jobs["p9"] = "https://x.test/p/9"
    return made


@pytest.fixture
def written(tmp_path):
    """What writes a post into the journal as the version before did."""
    journal = Journal(tmp_path / "kernels.db")
    for media_id, edit in EDITS.items():
        body = msgspec.json.encode({"name": "x.jpg", "edit": edit})
        intent, _ = journal.begin_request(BASE, "upload", body).result()
        journal.mark_accepted(intent, media_id).result()

    def write(asked, name, end):
        body = msgspec.json.encode({**asked, "instagramAccountId": "a1"})
        intent, _ = journal.begin_request(BASE, "publish", body, name).result()
        written = ENDS[end](journal, intent)
        if written is not None:
            assert written.result()

    yield write
    journal.close()


def publish(wonda, asked, **allowed):
    more = {"instagram_account_id": "a1", "caption": asked.get("caption"), **allowed}
    if "mediaIds" in asked:
        return wonda.publish.instagram_carousel(media_ids=asked["mediaIds"], **more)
    return wonda.publish.instagram(media_id=asked["mediaId"], product=asked.get("product"), **more)


@every
@pytest.mark.parametrize("end", ENDS)
def test_older_post_is_recognized(kernel, service, written, asked, name, end):
    written(asked, name, end)
    refused = ww.OutcomeUnknownError if end == "unknown" else ww.AlreadyPublishedError
    with pytest.raises(refused):
        publish(kernel(), asked)
    assert service.posts == 0


@pytest.mark.parametrize("end", ["unknown", "posted"])
@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("heart", {"mediaId": "m1", "caption": NO_HEART}),
        ("family", {"mediaId": "m1", "caption": FAMILY.replace("\u200d", "")}),
        ("marks without width", {"mediaId": "m1", "caption": "ABC"}),
        ("STORY", {"mediaId": "m1", "caption": "Made", "product": "stories"}),
        ("FEED", {"mediaId": "m1", "caption": "Made"}),
        ("feed", {"mediaId": "m1", "product": "IMAGE"}),
        ("Reels", {"mediaId": "m1", "caption": "Made\ufeff", "product": "REELS"}),
        ("crop as JPEG, twice", {"mediaId": "e1", "caption": "Made"}),
        ("JPEG", {"mediaId": "m1", "caption": "Made"}),
        ("carousel", {"mediaIds": ["m1", "m2"], "caption": "two \u2764"}),
    ],
)
def test_equivalent_older_post_is_recognized(kernel, service, written, before, now, end):
    written(*BEFORE[before], end)
    refused = ww.OutcomeUnknownError if end == "unknown" else ww.AlreadyPublishedError
    with pytest.raises(refused):
        publish(kernel(), now)
    assert service.posts == 0


@every
def test_older_post_is_recognized_by_its_key(kernel, written, asked, name):  # noqa: ARG001
    """As while a version before runs beside this one, and notes it at this very moment."""
    core = kernel()._async._core

    async def names():
        body = {**asked, "instagramAccountId": "a1"}
        same_as = await dedupe_keys.dedupe_key(core, body)
        return {same_as, *await former_keys(core, body, same_as)}

    assert name in event_loop.run_blocking(names())


def test_different_posts_are_made(kernel, service, written):
    for asked, name in BEFORE.values():
        written(asked, name, "posted")
    wonda = kernel()
    publish(wonda, {"mediaId": "m1", "caption": "Made with love"})
    publish(wonda, {"mediaId": "m2", "caption": HEART})
    publish(wonda, {"mediaId": "m1", "caption": HEART, "product": "STORIES"})
    wonda.publish.instagram(media_id="m1", instagram_account_id="a2", caption=HEART)
    assert service.posts == 4


def test_older_post_may_be_repeated_on_request_or_after_failure(kernel, service, written):
    written(*BEFORE["heart"], "posted")
    publish(kernel(), BEFORE["heart"][0], allow_repeat=True)
    assert service.posts == 1
    journal = kernel()._async._core.journal
    body = msgspec.json.encode({"mediaId": "m2", "instagramAccountId": "a1", "caption": HEART})
    intent, _ = journal.begin_request(BASE, "publish", body, "name of before").result()
    journal.mark_refused(intent, "no").result()
    publish(kernel(), {"mediaId": "m2", "caption": HEART})
    assert service.posts == 2


@pytest.mark.parametrize(
    "body",
    [{}, {"mediaId": 3}, {"mediaIds": "m1"}, {"mediaId": "m1", "caption": 1}, {"mediaIds": [1]}],
)
def test_invalid_older_entry_does_not_block(kernel, service, body):
    wonda = kernel()
    journal = wonda._async._core.journal
    odd = msgspec.json.encode({"instagramAccountId": "a1", **body})
    intent, _ = journal.begin_request(BASE, "publish", odd, "odd").result()
    journal.mark_posted(intent, None, None).result()
    publish(wonda, {"mediaId": "m1", "caption": "Made"})
    assert service.posts == 1
