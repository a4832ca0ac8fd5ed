"""`Review`: votes of several people on the same images, and their result."""

import asyncio
import itertools
import re

import httpx
import msgspec
import pytest
from conftest import KEY, send

import wonda_widgets as ww
from wonda_widgets.reviewing import results
from wonda_widgets.utils import event_loop
from wonda_widgets.widgets import review as review_panel

SUBJECTS = ["sail", "kite", "harbor", "lighthouse"]


@pytest.fixture
def wonda(tmp_path, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02, journal=tmp_path / "journal.db") as client:
        yield client


@pytest.fixture
def images(wonda):
    matrix = wonda.images.matrix("A {subject}", {"subject": SUBJECTS}, "z-image", max_concurrency=4)
    matrix.wait()
    return matrix.images


@pytest.fixture
def person(settled):
    """Makes people who vote in a panel as a browser does."""

    def make(panel, visitor, name=""):
        return Person(panel, visitor, name, settled)

    return make


class Person:
    """A browser with a review."""

    def __init__(self, panel, visitor, name, settled):
        self.panel, self.who, self.settled = panel, {"visitor": visitor, "name": name}, settled
        self.who["view"] = f"view of {visitor} {name}"
        self.heard = []
        real = panel.send

        def hear(content, buffers=None):
            self.heard.append((content, buffers))
            real(content, buffers)

        panel.send = hear
        settled(lambda: panel.state != "loading")
        self.do("next")

    @property
    def turns(self):
        mine = [content for content, _ in self.heard if content["type"] == "turn"]
        return [turn for turn in mine if turn["view"] == self.who["view"]]

    @property
    def turn(self):
        return self.turns[-1]

    def do(self, kind, **content):
        before = len(self.turns)
        send(self.panel, kind, **self.who, **content)
        self.settled(lambda: len(self.turns) > before)

    def vote(self, choice, images=None, **content):
        self.do("vote", choice=choice, images=images or self.turn["images"], **content)

    def prefer(self, order):
        """Vote on each pair by an order of keys, best first."""
        while self.turn["images"]:
            left, right = self.turn["images"]
            self.vote("left" if order.index(left) < order.index(right) else "right")


def keys(images, *order):
    return [image.intent for name in order for image in images if image.values["subject"] == name]


def test_winner_is_the_one_that_people_prefer(panel, person, images):
    review = panel(ww.Review, images, "Which one?")
    order = keys(images, "kite", "harbor", "sail", "lighthouse")
    assert review.winner is None
    for number in range(6):
        person(review, f"visitor {number}").prefer(order)
    assert review.winner.values == {"subject": "kite"}
    assert review.is_decided
    assert review.agreement == 1.0
    rows = review.ranking()
    assert [row["subject"] for row in rows] == ["kite", "harbor", "sail", "lighthouse"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert all(row["low"] < row["score"] < row["high"] for row in rows)
    assert (rows[0]["wins"], rows[0]["losses"]) == (18, 0)


def test_few_votes_decide_nothing(panel, person, images, settled):
    review = panel(ww.Review, images)
    ana = person(review, "a")
    ana.vote("left")
    assert not review.is_decided
    assert {row["best_rank"] for row in review.ranking()} == {1}
    send(review, "results", visitor="a")
    settled(lambda: [c for c, _ in ana.heard if c["type"] == "results"])
    (result,) = [c for c, _ in ana.heard if c["type"] == "results"]
    assert result["summary"] == (
        "1 vote by 1 person: 4 images may still be the best. Ask more people."
    )


def test_pairs_are_blind_and_each_is_asked_once(panel, person, images):
    review = panel(ww.Review, images)
    ana = person(review, "a")
    seen = []
    while ana.turn["images"]:
        seen.append(frozenset(ana.turn["images"]))
        ana.vote("equal")
    assert len(set(seen)) == len(seen) == 6
    assert ana.turn["done"] == ana.turn["asked"] == 6
    shown = [content for content, _ in ana.heard if content["type"] in {"turn", "image"}]
    text = repr(shown)
    for word in (*SUBJECTS, "z-image", "A "):
        assert word not in text


def test_second_vote_on_a_pair_is_refused(panel, person, images):
    review = panel(ww.Review, images)
    ana = person(review, "a")
    pair = ana.turn["images"]
    ana.vote("left", pair)
    ana.vote("right", pair[::-1])
    assert "already voted on these images" in ana.turn["problem"]
    assert review.error is None  # which all people would see
    assert len(review.votes()) == 1
    assert ana.turn["done"] == 1
    ana.vote("left")
    assert not ana.turn["problem"]


def test_vote_is_undone_and_asked_again(panel, person, images):
    review = panel(ww.Review, images)
    ana = person(review, "a")
    assert not ana.turn["can_undo"]
    pair = ana.turn["images"]
    ana.vote("left")
    assert ana.turn["can_undo"]
    ana.do("undo")
    assert ana.turn["images"] == pair
    assert review.votes() == []
    assert review.winner is None
    ana.do("undo")
    assert ana.turn["done"] == 0


def test_people_are_told_apart_and_keep_their_votes_when_they_give_a_name(panel, person, images):
    review = panel(ww.Review, images)
    ana, ben = person(review, "a"), person(review, "b")
    ana.vote("left")
    ben.vote("both bad")
    ana.who["name"] = " Ana  B. "
    ana.do("name")
    assert ana.turn["done"] == 1
    ana.vote("right")
    assert [(row["person"], row["choice"]) for row in review.votes()] == [
        ("Ana B.", "left"),
        ("visitor:b", "both bad"),
        ("Ana B.", "right"),
    ]
    again = person(review, "another browser", "ana b.")
    assert again.turn["done"] == 2, "the name is the person"


def test_vote_before_a_name_belongs_to_the_name(panel, person, images, settled):
    review = panel(ww.Review, images)
    ana = person(review, "a")
    shown = ana.turn["images"]
    send(review, "vote", **ana.who, choice="left", images=shown)  # the notebook is busy, …
    ana.who["name"] = "Ana"
    send(review, "name", **ana.who, images=shown)  # … and then reads all messages at once
    send(review, "next", visitor="b", name="", view="next person", person=1)
    settled(lambda: [each for each, _ in ana.heard if each.get("view") == "next person"])
    assert [(row["person"], row["choice"]) for row in review.votes()] == [("Ana", "left")]
    heard = [each["person"] for each, _ in ana.heard if each["type"] == "turn"]
    assert heard[-1] == 1, "the answer to the next person comes last"


def test_name_does_not_replace_the_images_under_the_cursor(panel, person, images):
    ana = person(panel(ww.Review, images), "a")
    shown = ana.turn["images"]
    for number in range(8):
        ana.who["name"] = f"Ana {number}"
        ana.do("name", images=shown)
        assert ana.turn["images"] == shown
    ana.vote("left")
    assert sorted(ana.turn["images"]) != sorted(shown)
    ana.who["name"] = "Ana"
    ana.do("name", images=["no", "such"])
    assert len(ana.turn["images"]) == 2


def test_each_vote_that_cannot_be_recorded_is_answered(panel, person, images, monkeypatch, wonda):
    ana = person(panel(ww.Review, images), "a")

    async def fail(*_, **__):
        raise RuntimeError("The disk is full.")

    monkeypatch.setattr(wonda._async.reviews, "vote", fail)
    for number in range(1, 4):
        send(ana.panel, "vote", **ana.who, choice="left", images=ana.turn["images"])
        ana.settled(lambda n=number: sum(c["type"] == "failed" for c, _ in ana.heard) == n)


def test_image_has_no_rank_before_it_was_compared(wonda, images):
    review = wonda.reviews.open(images, "Which one?")
    wonda.reviews.vote(review, "a", "left", review.images[3], review.images[1])
    wonda.reviews.results(review)
    found = {image.intent: image.rank for image in wonda.history.search()}
    assert [found[key] for key in review.images] == [0, 2, 0, 1]


def test_review_continues_in_another_kernel(panel, person, images, tmp_path):
    review = panel(ww.Review, images, "Which one?")
    ana = person(review, "a")
    ana.vote("left")
    with ww.Wonda.sandbox(journal=tmp_path / "journal.db") as other:
        images = other.history.search("")
        same = panel(ww.Review, images, "Which one?", wonda=other)
        assert person(same, "a").turn["done"] == 1
        by_id = panel(ww.Review, review.id, wonda=other)
        ben = person(by_id, "b")
        ben.vote("right")
        assert by_id.question == "Which one?"
        assert panel(ww.Review, images, "Another question", wonda=other).votes() == []
    assert len(review.votes()) == 2


def test_rank_is_in_the_history(wonda, panel, person, images):
    review = panel(ww.Review, images)
    order = keys(images, "harbor", "kite", "sail", "lighthouse")
    person(review, "a").prefer(order)
    review.results()
    found = wonda.history.search("", order="rank")
    assert [image.values["subject"] for image in found] == ["harbor", "kite", "sail", "lighthouse"]
    assert [image.rank for image in found] == [1, 2, 3, 4]
    assert [image.rank for image in wonda.history.search("", rank=2, order="rank")] == [1, 2]
    assert found[0].row()["rank"] == 1


def test_ranks_follow_the_votes_without_a_look_at_the_results(
    wonda, panel, person, images, settled, monkeypatch
):
    monkeypatch.setattr(review_panel, "RANKING_DELAY_SECONDS", 0.05)
    rankings, real = [], results.rank
    monkeypatch.setattr(results, "rank", lambda *args: rankings.append(args) or real(*args))
    review = panel(ww.Review, images)
    order = keys(images, "harbor", "kite", "sail", "lighthouse")
    person(review, "a").prefer(order)
    settled(lambda: not review._is_ranking_due and not review._tasks)
    assert [image.rank for image in wonda.history.search("", order="rank")] == [1, 2, 3, 4]
    count = len(rankings)
    review.results()
    assert len(rankings) == count  # the votes are the same


class TestApproval:
    def test_each_image_is_approved_or_rejected_with_a_comment(self, panel, person, images, wonda):
        review = panel(ww.Review, images, mode="approve")
        ana, ben = person(review, "a", "Ana"), person(review, "b", "Ben")
        for voter in (ana, ben):
            while voter.turn["images"]:
                (key,) = voter.turn["images"]
                is_good = key in keys(images, "kite") or (
                    voter is ana and key in keys(images, "sail")
                )
                voter.vote("approve" if is_good else "reject", comment="" if is_good else "Dull")
        assert review.winner.values == {"subject": "kite"}
        assert {row["subject"]: row["approval"] for row in review.ranking()} == {
            "kite": "approved",
            "sail": "divided",
            "harbor": "rejected",
            "lighthouse": "rejected",
        }
        assert review.agreement == 0.75
        comments = {(row["person"], row["comment"]) for row in review.votes()}
        assert ("Ben", "Dull") in comments
        (approved,) = wonda.history.search("", approval="approved")
        assert approved.values == {"subject": "kite"}

    def test_pair_is_no_decision(self, panel, person, images):
        review = panel(ww.Review, images, mode="approve")
        ana = person(review, "a")
        ana.vote("approve", keys(images, "kite", "sail"))
        ana.vote("left", keys(images, "kite"))
        assert review.votes() == []


def test_images_are_sent_when_asked_for(panel, person, images, settled):
    review = panel(ww.Review, images)
    ana = person(review, "a")
    send(review, "look", key=ana.turn["images"][0])
    send(review, "look", key="no such")
    settled(lambda: [c for c, buffers in ana.heard if c["type"] == "image" and buffers])
    send(review, "results", visitor="a", has=[])
    settled(lambda: len([c for c, _ in ana.heard if c["type"] == "thumb"]) == 4)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"choice": "left"},
        {"choice": "left", "images": ["x", "y"]},
        {"choice": "left", "images": "xy"},
        {"choice": "steal", "images": "same"},
        {"choice": ["left"], "images": [None, None]},
        {"choice": "left", "images": ["x"] * 100},
    ],
)
def test_hostile_votes_count_nothing(panel, person, images, settled, content):
    review = panel(ww.Review, images)
    ana = person(review, "a")
    if content.get("images") == "same":
        content = {**content, "images": [ana.turn["images"][0]] * 2}
    receipt = review.receipt
    send(review, "vote", visitor={"a": 1}, name=[1], **content)
    settled(lambda: review.receipt > receipt)
    assert review.votes() == []


def test_long_names_and_comments_are_refused_or_cut(panel, person, images):
    review = panel(ww.Review, images, mode="approve")
    ana = person(review, "a", "x" * 5_000)
    ana.vote("approve", comment="y" * 2_000)
    assert "more than 1,000 characters" in ana.turn["problem"]
    ana.vote("approve", comment=f"my key is {KEY}")
    assert review.votes()[0]["comment"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (lambda images: ([images[0]],), "at least 2 different images"),
        (lambda images: ([images[0], images[0]],), "at least 2 different images"),
        (lambda _: ([],), "at least 2"),
        (lambda images: (images * 100,), "up to 300 images, not 400"),
        (lambda images: (images, "x" * 2_000), "question has more than 1,000"),
        (lambda images: (images, 5), "question must be a string"),
        (lambda _: ("no such review",), "no such review"),
    ],
)
def test_odd_arguments_are_refused(panel, images, arguments, said):
    with pytest.raises(ww.InvalidInputError, match=re.escape(said)):
        panel(ww.Review, *arguments(images)).votes()


def test_other_odd_arguments(panel, images):
    with pytest.raises(TypeError, match="images"):
        panel(ww.Review, 5)
    with pytest.raises(TypeError, match="images or jobs"):
        panel(ww.Review, [1, 2])
    with pytest.raises(ww.InvalidInputError, match="mode must be"):
        panel(ww.Review, images, mode="rank")
    with pytest.raises(TypeError, match="Did you mean 'question'"):
        panel(ww.Review, images, questin="x")


def test_agreement_needs_two_people_on_the_same_pair():
    assert results.agreement([]) is None


class TestOddVotes:
    def test_person_renamed_to_the_same_keeps_the_votes(self, wonda, images):
        review = wonda.reviews.open(images)
        wonda.reviews.vote(review, "p", "left", *review.images[:2])
        wonda.reviews.rename(review, "p", "p", "Ana")
        [vote] = wonda.reviews.votes(review)
        assert (vote.person, vote.name) == ("p", "Ana")

    def test_double_votes_of_a_renamed_person_count_once(self, wonda, images):
        review = wonda.reviews.open(images)
        for person, choice in (("p", "left"), ("q", "right")):
            wonda.reviews.vote(review, person, choice, *review.images[:2])
        wonda.reviews.rename(review, "p", "q", "Ana")
        [vote] = wonda.reviews.votes(review)
        assert (vote.person, vote.choice) == ("q", "right")

    def test_ranks_and_approvals_end_with_the_votes(self, wonda, images):
        for mode, choice, shown in (("compare", "left", 2), ("approve", "approve", 1)):
            review = wonda.reviews.open(images, mode=mode)
            wonda.reviews.vote(review, "p", choice, *review.images[:shown])
            wonda.reviews.results(review)
            [vote] = wonda.reviews.votes(review)
            wonda.reviews.withdraw(review, "p", vote.id)
            wonda.reviews.results(review)
        marks = [(image.rank, image.approval) for image in wonda.history.search()]
        assert set(marks) == {(0, "")}

    def test_review_without_votes_keeps_the_ranks_of_another_one(self, wonda, panel, images):
        first = panel(ww.Review, images)
        opened = wonda.reviews.open(images)
        wonda.reviews.vote(opened, "p", "left", *opened.images[:2])
        first.results()
        panel(ww.Review, images, "Another question").results()
        assert any(image.rank for image in wonda.history.search())

    def test_winner_needs_a_lead(self, wonda, panel, images):
        review = panel(ww.Review, images, mode="approve")
        opened = wonda.reviews.open(images, mode="approve")
        wonda.reviews.vote(opened, "p", "reject", opened.images[0])
        assert review.winner is None
        wonda.reviews.vote(opened, "p", "approve", opened.images[1])
        assert review.winner is not None
        wonda.reviews.vote(opened, "p", "approve", opened.images[2])
        assert review.winner is None
        pairs = panel(ww.Review, images, "Which?")
        opened = wonda.reviews.open(images, "Which?")
        for left, right in itertools.combinations(opened.images, 2):
            wonda.reviews.vote(opened, "p", "both bad", left, right)
        assert pairs.winner is None

    def test_names_are_compared_as_they_look(self, panel, person, images):
        review = panel(ww.Review, images)
        first = person(review, "a", "Jose\u0301")
        first.vote("left")
        assert person(review, "b", "José").turn["done"] == 1

    def test_name_that_folding_decomposes_is_recognized(self, panel, person, images, wonda):
        review = panel(ww.Review, images)
        first = person(review, "a", "\u01f0")
        first.vote("left")
        identity, _ = review._person(first.who)
        assert [vote.person for vote in wonda.reviews.votes(review._review)] == [identity]

    def test_undo_takes_the_last_vote_although_the_clock_was_set_back(
        self, panel, person, images, monkeypatch
    ):
        review = panel(ww.Review, images)
        ana = person(review, "a")
        ana.vote("left")
        monkeypatch.setattr("wonda_widgets.journal.reviews.time.time", lambda: 1_000.0)
        last = ana.turn["images"]
        ana.vote("right")
        ana.do("undo")
        assert ana.turn["images"] == last

    def test_images_may_come_from_a_generator(self, wonda, images):
        assert len(wonda.reviews.open(image for image in images).images) == 4

    def test_votes_by_a_name_with_the_key_do_not_contain_it(self, tmp_path, quick_polls):  # noqa: ARG002
        def respond(request):  # noqa: ARG001
            return httpx.Response(404, json={})

        transport, journal = httpx.MockTransport(respond), tmp_path / "keyed.db"
        with ww.Wonda(
            KEY, base_url="https://a.example/v1", transport=transport, journal=journal
        ) as client:
            images = [ww.GeneratedImage(media=ww.Media(media_id=name)) for name in "ab"]
            review = client.reviews.open(images, question=f"Which? {KEY}")
            client.reviews.vote(review, KEY, "left", "a", "b", name=KEY, comment=f"c {KEY}")
            client.reviews.rename(review, KEY, f"name:{KEY}", KEY)
            [vote] = client.reviews.votes(review)
            assert KEY not in repr(vote)
            assert KEY not in review.question
        for path in tmp_path.glob("keyed.db*"):
            assert KEY[3:].encode() not in path.read_bytes()


def test_review_that_opens_late_does_not_replace_a_newer_one(
    panel, settled, images, wonda, monkeypatch
):
    review = panel(ww.Review)
    opened = type(wonda._async.reviews).open
    held = asyncio.Event()

    async def slow(self, found, question, mode):
        if question == "First?":
            await held.wait()
        return await opened(self, found, question, mode)

    monkeypatch.setattr(type(wonda._async.reviews), "open", slow)
    review.show(images, "First?")
    review.show(images[:2], "Second?")
    settled(lambda: review.state == "ready")
    event_loop.call_soon(held.set)
    assert review.votes() == []  # waits until the loop has run
    assert (review.question, review.count) == ("Second?", 2)


def test_review_without_its_images_says_so(panel, settled, images, wonda):
    gone = [msgspec.structs.replace(image, intent=f"gone-{n}") for n, image in enumerate(images)]
    review = event_loop.run_blocking(wonda._async.reviews.open(gone, "Which one?"))
    late = panel(ww.Review, review.id)
    settled(lambda: late.state == "unavailable")
    assert "not in this journal" in late.error["title"]
    with pytest.raises(ww.InvalidInputError, match="not the ID of a review"):
        ww.Review("")


def test_approved_images_come_first(panel, person, images):
    review = panel(ww.Review, images, mode="approve")
    ana = person(review, "a")
    while ana.turn["images"]:
        key = ana.turn["images"][0]
        ana.vote("approve" if key == images[-1].intent else "reject")
    assert review.ranking()[0]["approval"] == "approved"
    assert review.ranking()[0]["prompt"] == images[-1].prompt
