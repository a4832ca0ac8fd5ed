"""`Review`: several people decide between images, blind, in pairs or one by one."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import traitlets

from ..api import reviews
from ..api.reviews import key_of
from ..errors import InvalidInputError, WondaError
from ..jobs.matrix.plan_arguments import TAKE
from ..reviewing import pairing, results
from ..utils import arguments, event_loop
from ..utils.names import composed
from ..utils.table_rows import spreadsheet_row
from ._shared import large_image
from ._shared.frontend import view
from ._shared.panel import Panel
from ._shared.permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ..api.history import AsyncHistory
    from ..api.reviews import Mode, ReviewResults
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..journal.generated_image import GeneratedImage
    from ..journal.reviews import SavedReview, Vote

LARGE_PIXELS = 1200  # longest side of an image that is shown
LARGE_MAX_BYTES = 500_000
RANKING_DELAY_SECONDS = 1.0  # after a vote; ranking hundreds of images takes seconds of CPU time
MAX_TITLE_LENGTH = 200  # characters
MAX_ID_LENGTH = 80  # characters of a visitor's ID
MAX_NAME_LENGTH = 80  # characters of a person's name


class Review(Panel):
    """A review of images by several people, and its result.

    Two images at a time are compared without their prompts, models and names. Each person sees the
    pairs in another order, and each image equally often. Votes are in the journal, so the review
    continues after a restart, and other kernels with the same images and question add to it.

    Parameters
    ----------
    images : list of Image or Job, or str, optional
        At least two different images, or the `id` of a review; by default none, call `show` later.
    question : str
        What to decide, e.g. ``"Which one sells the lamp?"``.
    mode : str
        ``"compare"`` for pairs, or ``"approve"`` to approve or reject each image, with a comment.
    setup : bool
        Whether question and mode can be changed in the panel.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the images.

    Examples
    --------
    >>> review = ww.Review(images, question="Which one sells the lamp?")
    >>> review

    In the next cell:

    >>> review.winner
    >>> votes = review.votes()  # for pandas.DataFrame(votes)
    """

    _panel = view("review")
    _view_permission = None  # also people who have only its link take part

    question = traitlets.Unicode("").tag(sync=True)
    mode = traitlets.Enum(reviews.MODES, "compare").tag(sync=True)
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"``, ``"ready"`` or ``"unavailable"``."""
    count = traitlets.Int(0).tag(sync=True)
    """The number of images."""
    setup = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether question and mode can be changed in the panel."""
    review_id = traitlets.Unicode("").tag(sync=True)
    """For a link to the review."""
    is_shared = traitlets.Bool(default_value=True).tag(sync=True)
    """Whether other windows can open the link: the journal is a file."""

    def __init__(
        self,
        images: Iterable[GeneratedImage | Job] | str | None = None,
        question: str = "",
        *,
        mode: Mode = "compare",
        setup: bool = False,
        wonda: Wonda | AsyncWonda | None = None,
        **traits: Any,
    ) -> None:
        self._review: SavedReview | None = None
        self._images: dict[str, GeneratedImage] = {}
        self._loading: concurrent.futures.Future[None] | None = None
        self._is_ranking_due = False
        self._acting = asyncio.Lock()  # see `_in_order`
        given = _check(images, question, mode)
        super().__init__(
            wonda,
            given=() if isinstance(given, str) else given,
            question=question,
            mode=mode,
            setup=setup,
            count=0 if isinstance(given, str) else len(given),
            **traits,
        )
        if given:
            self._loading = event_loop.spawn(self._open(given, question, mode))

    def show(
        self,
        images: Iterable[GeneratedImage | Job] | str,
        question: str = "",
        *,
        mode: Mode = "compare",
    ) -> None:
        """Review other images; return immediately. Parameters as of the class.

        Raises
        ------
        InvalidInputError
        """
        given = _check(images, question, mode)
        if given:
            if self._loading is not None:
                self._loading.cancel()
            self._review = None
            self._loading = event_loop.spawn(self._open(given, question, mode))

    async def _open(
        self, images: list[GeneratedImage | Job] | str, question: str, mode: Mode
    ) -> None:
        self.state = "loading"
        self.error = None
        try:
            await self._load(images, question, mode)
        except Exception as error:
            self.state = "unavailable"
            self._show_error(error)
            raise
        self.state = "ready"

    async def _load(
        self, images: list[GeneratedImage | Job] | str, question: str, mode: Mode
    ) -> None:
        api = self._client.reviews
        if isinstance(images, str):
            review = await api.find(images)
            if review is None:
                raise InvalidInputError(
                    "review", "There is no such review here.", "Check its link or ID."
                )
            found = await api.images(review)
            if not found:
                raise InvalidInputError(
                    "review",
                    "The images of this review are not in this journal.",
                    "Open it with the journal in which they were generated.",
                )
        else:
            found = await api.resolve(images, mode)
            review = await api.open(found, question, mode)
        self._review = review
        self._images = {key_of(image): image for image in found}
        with self.hold_sync():
            self.question, self.mode, self.count = review.question, review.mode, len(found)
            self.review_id, self.is_shared = review.id, api.is_shared
        self._rank_soon()  # the last votes may not have been ranked when a kernel ended

    # ------------------------------------------------------------ for the next cell

    @property
    def id(self) -> str:
        """The ID of the review, to open it in another kernel: ``ww.Review(id)``."""
        return self._opened().id

    def results(self) -> ReviewResults:
        """Return votes, ranking, approvals and the agreement of the people."""
        return event_loop.run_blocking(self._client.reviews.results(self._opened()))

    def votes(self) -> list[dict[str, Any]]:
        """Return each vote as a flat row, for ``pandas.DataFrame``.

        Examples
        --------
        >>> review = ww.Review(images, question="Which one sells the lamp?")
        >>> rows = review.votes()
        """
        return [self._vote_row(vote) for vote in self.results().votes]

    def ranking(self) -> list[dict[str, Any]]:
        """Return each image as a flat row, best first, for ``pandas.DataFrame``.

        Approved images are first if images are approved.

        ``score`` is the estimated share of votes that the image wins against an average one, and
        ``low`` and ``high`` are its 95% interval. ``best_rank`` and ``worst_rank`` are the ranks
        that the votes do not rule out.
        """
        found = self.results()
        if found.ranking is None:
            leads = _leads(found.votes)
            best_first = sorted(self._images, key=lambda key: -leads.get(key, 0))
            return [
                {**self._images[key].row(), "approval": found.approvals.get(key, "")}
                for key in best_first
            ]
        rows = []
        for each in found.ranking.images:
            found_image = self._images.get(each.key)
            image_row = found_image.row() if found_image is not None else {}
            facts = {name: getattr(each, name) for name in each.__struct_fields__ if name != "key"}
            rows.append({**image_row, **facts})
        return rows

    @property
    def winner(self) -> GeneratedImage | None:
        """The only image in the first place, or the one with most approvals over rejections.

        None without votes, and if several images are equally good. Of pairs, `is_decided` says
        whether the votes suffice.
        """
        found = self.results()
        if not found.votes:
            return None
        if found.ranking is not None:
            points = {image.key: image.score for image in found.ranking.images}
        else:
            points = {key: lead for key, lead in _leads(found.votes).items() if lead > 0}
        present = sorted((key for key in points if key in self._images), key=lambda k: -points[k])
        if not present or (len(present) > 1 and math.isclose(*(points[k] for k in present[:2]))):
            return None
        return self._images[present[0]]

    @property
    def is_decided(self) -> bool:
        """Whether the first image is better than each other one, with 95% confidence.

        False if images are approved, which are not compared.
        """
        ranking = self.results().ranking
        return ranking is not None and ranking.is_decided

    @property
    def agreement(self) -> float | None:
        """How often two people who saw the same images chose the same; None if no two did."""
        return self.results().agreement

    def _opened(self) -> SavedReview:
        """Return the review; wait until it is opened."""
        if self._review is None and self._loading is not None:
            event_loop.run_blocking(self._wait_until_opened(self._loading))
        if self._review is None:
            raise InvalidInputError("images", "This review has no images.", "Call show first.")
        return self._review

    @staticmethod
    async def _wait_until_opened(loading: concurrent.futures.Future[None]) -> None:
        await event_loop.shield(asyncio.wrap_future(loading))

    def _vote_row(self, vote: Vote) -> dict[str, Any]:
        row: dict[str, Any] = {"person": vote.name or vote.person, "choice": vote.choice}
        names = ("left", "right") if vote.other else ("image",)
        for side, key in zip(names, (vote.subject, vote.other), strict=False):
            image = self._images.get(key)
            row[f"{side}_media_id"] = image.media.media_id if image else None
            row[f"{side}_prompt"] = image.prompt if image else None
        row["comment"] = vote.comment
        row["at"] = datetime.fromtimestamp(vote.at, UTC)
        return spreadsheet_row(row)

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        return self._client.history, list(self._images.values())

    def __repr__(self) -> str:
        return f"<Review of {self.count} images>"

    @requires(Permission.GENERATE)
    def _on_setup(self, content: Mapping[str, Any]) -> None:
        """Ask another question, or decide in another way; that is another review."""
        question, mode = content.get("question"), content.get("mode")
        if self.setup and self._images and mode in reviews.MODES:
            reviews.check_text("question", "The question", question)
            images = list(self._images.values())
            self._start(self._open, images, str(question).strip(), mode)

    # ------------------------------------------------------------ one person

    def _person(self, content: Mapping[str, Any]) -> tuple[str, str]:
        """Return the person's identity and name: a name identifies, else the browser does."""
        given = composed(str(content.get("name") or ""))
        name = " ".join(given.split())[:MAX_NAME_LENGTH]
        visitor = str(content.get("visitor") or "")[:MAX_ID_LENGTH]
        folded = composed(name.casefold())  # as it is recorded
        return (f"name:{folded}" if name else f"visitor:{visitor}"), name

    @open_to_all
    def _on_next(self, content: Mapping[str, Any]) -> None:
        """Send a person what is to be decided next."""
        self._start(self._in_order, self._send_next, content)

    async def _in_order(
        self, act: Callable[[Mapping[str, Any]], Awaitable[None]], content: Mapping[str, Any]
    ) -> None:
        """Act on a message after those before it: a vote must not become another person's."""
        async with self._acting:
            try:
                await act(content)
            except Exception:
                self.send({"type": "failed", "view": content.get("view")})
                raise

    async def _send_next(
        self, content: Mapping[str, Any], problem: str = "", shown: Sequence[str] = ()
    ) -> None:
        """Send a person's next decision: on the images that are shown, if it is left."""
        review = self._review
        if review is None:
            return
        person, _ = self._person(content)
        votes = await self._client.reviews.votes(review, person)
        turns = self._turns(review, person)
        left = _left(turns, votes)
        asked = self._asked(turns)
        self.error = None
        self.send(
            {
                "type": "turn",
                "view": content.get("view"),
                "person": content.get("person"),
                "images": _next(left, shown),
                "done": len(votes),
                "asked": min(len(turns), max(asked, len(votes) if content.get("more") else 0)),
                "all": len(turns),
                "can_undo": bool(votes),
                "problem": problem,
            }
        )

    def _asked(self, turns: list[list[str]]) -> int:
        """Return how many decisions a person is asked for; they may make more."""
        return pairing.pairs_to_ask(len(self._images)) if self.mode == "compare" else len(turns)

    @open_to_all
    def _on_name(self, content: Mapping[str, Any]) -> None:
        """Give the votes that a person made without a name to the name."""
        self._start(self._in_order, self._rename, content)

    async def _rename(self, content: Mapping[str, Any]) -> None:
        if self._review is None:
            return
        person, name = self._person(content)
        if name:
            unnamed, _ = self._person({**content, "name": ""})
            await self._client.reviews.rename(self._review, unnamed, person, name)
        # Someone may be about to click one of the images.
        await self._send_next(content, shown=_keys(content))

    def _turns(self, review: SavedReview, person: str) -> list[list[str]]:
        """Return the images of each decision of a person, in the order for this person."""
        keys = [key for key in review.images if key in self._images]
        seed = f"{review.id}:{person}"
        if self.mode == "compare":
            return [[keys[left], keys[right]] for left, right in pairing.schedule(len(keys), seed)]
        random.Random(seed).shuffle(keys)  # noqa: S311 - not for security
        return [[key] for key in keys]

    @open_to_all
    def _on_vote(self, content: Mapping[str, Any]) -> None:
        self._start(self._in_order, self._vote, content)

    async def _vote(self, content: Mapping[str, Any]) -> None:
        keys = _keys(content)
        if self._review is None or not 1 <= len(keys) <= 2:  # noqa: PLR2004 - one image or a pair
            return
        person, name = self._person(content)
        problem = ""
        try:
            await self._client.reviews.vote(
                self._review,
                person,
                str(content.get("choice")),
                *keys,
                name=name,
                comment=str(content.get("comment") or ""),
            )
        except InvalidInputError as error:  # only this person is told
            problem = f"{error.message} {error.hint}".strip()
        await self._send_next(content, problem)
        self._rank_soon()

    def _rank_soon(self) -> None:
        """Record ranks and approvals once for several votes in quick succession."""
        if not self._is_ranking_due:
            self._is_ranking_due = True
            asyncio.get_running_loop().call_later(RANKING_DELAY_SECONDS, self._rank)

    def _rank(self) -> None:
        self._is_ranking_due = False
        if self._review is not None:
            self._start(self._record, self._review)

    async def _record(self, review: SavedReview) -> None:
        await self._client.reviews.results(review)

    @open_to_all
    def _on_undo(self, content: Mapping[str, Any]) -> None:
        self._start(self._in_order, self._undo, content)

    async def _undo(self, content: Mapping[str, Any]) -> None:
        if self._review is None:
            return
        person, _ = self._person(content)
        api = self._client.reviews
        own = await api.votes(self._review, person)
        if own:
            await api.withdraw(self._review, person, own[-1].id)
        await self._send_next(content)
        self._rank_soon()

    # ------------------------------------------------------------ images and results

    @open_to_all
    def _on_look(self, content: Mapping[str, Any]) -> None:
        image = self._images.get(str(content.get("key")))
        if image is not None:
            self._start(self._send_image, str(content.get("key")), image)

    async def _send_image(self, key: str, image: GeneratedImage) -> None:
        try:
            large = await large_image.load(
                self._client.history, image, LARGE_PIXELS, LARGE_MAX_BYTES
            )
        except WondaError as error:
            self.send({"type": "image", "key": key, "reason": error.message})
            return
        self.send({"type": "image", "key": key, "mime": large.mime_type}, [large.data])

    @open_to_all
    def _on_results(self, content: Mapping[str, Any]) -> None:
        self._start(self._send_results, content)

    async def _send_results(self, content: Mapping[str, Any]) -> None:
        if self._review is None:
            return
        found = await self._client.reviews.results(self._review)
        rows = self._ranked_rows(found) if found.ranking else self._approval_rows(found)
        if not self._may_see_prompts(self._review, content, found.votes):
            rows = [{**row, "title": ""} for row in rows]
        self.send(
            {
                "type": "results",
                "view": content.get("view"),
                "rows": rows,
                "summary": _summary(found),
                "agreement": _agreement_text(found),
            }
        )
        has = content.get("has")
        known = {key for key in has if isinstance(key, str)} if isinstance(has, list) else set()
        for row in rows:
            image = self._images.get(row["key"])
            if image is not None and row["key"] not in known:
                self._start(self._send_thumbnail, row["key"], image)

    def _may_see_prompts(
        self, review: SavedReview, content: Mapping[str, Any], votes: list[Vote]
    ) -> bool:
        """Whether a page may show prompts: it shows them elsewhere, or the person has decided."""
        person, _ = self._person(content)
        own = [vote for vote in votes if vote.person == person]
        turns = self._turns(review, person)
        is_done = len(own) >= self._asked(turns) or not _left(turns, own)
        return is_done or self._permissions.grants(Permission.VIEW)

    async def _send_thumbnail(self, key: str, image: GeneratedImage) -> None:
        try:
            data = await self._client.history.thumbnail(image)
        except WondaError:
            return
        self.send({"type": "thumb", "key": key}, [data])

    def _ranked_rows(self, found: ReviewResults) -> list[dict[str, Any]]:
        assert found.ranking is not None  # noqa: S101 - checked by the caller
        return [
            {
                **{name: getattr(each, name) for name in each.__struct_fields__},
                "title": self._title(each.key),
            }
            for each in found.ranking.images
        ]

    def _approval_rows(self, found: ReviewResults) -> list[dict[str, Any]]:
        names = _names(found.votes)
        return [
            {
                "key": key,
                "title": self._title(key),
                "approval": found.approvals.get(key, ""),
                "decisions": [
                    {"name": names[vote.person], "choice": vote.choice, "comment": vote.comment}
                    for vote in found.votes
                    if vote.subject == key
                ],
            }
            for key in self._images
        ]

    def _title(self, key: str) -> str:
        image = self._images.get(key)
        if image is None:
            return "Deleted from the journal"
        take = image.values.get(TAKE)
        return image.prompt[:MAX_TITLE_LENGTH] + (f" (take {take})" if take else "")


def _keys(content: Mapping[str, Any]) -> list[str]:
    """Return the images that a message is about."""
    images = content.get("images")
    return [str(key) for key in images] if isinstance(images, list) else []


def _next(left: list[list[str]], shown: Sequence[str]) -> list[str]:
    """Return the images of the next decision: those that are shown, if they are left."""
    if any(sorted(each) == sorted(shown) for each in left):
        return list(shown)
    return left[0] if left else []


def _check(
    images: Iterable[GeneratedImage | Job] | str | None, question: str, mode: Mode
) -> list[GeneratedImage | Job] | str:
    """Check the arguments of a review, as far as that needs no waiting."""
    reviews.check_text("question", "The question", question)
    if isinstance(images, str):
        arguments.check_id("review", "a review", images)
        return images
    if images is None:
        return []
    images = arguments.shown_images(images)
    arguments.require_type(images, Iterable, "a list of images, or the ID of a review")
    given = list(images)
    reviews.check_images(given, mode)
    return given


def _leads(votes: list[Vote]) -> dict[str, int]:
    """Return how many people more approve than reject each image."""
    return {
        key: each[results.APPROVE] - each[results.REJECT]
        for key, each in results.approvals(votes).items()
    }


def _left(turns: list[list[str]], votes: list[Vote]) -> list[list[str]]:
    """Return the decisions that a person has not made."""
    seen = {frozenset({vote.subject, vote.other}) - {""} for vote in votes}
    return [turn for turn in turns if frozenset(turn) not in seen]


def _names(votes: list[Vote]) -> dict[str, str]:
    """Return the name of each person; those without are numbered."""
    people = dict.fromkeys(vote.person for vote in votes)
    given = {vote.person: vote.name for vote in votes if vote.name}
    return {
        person: given.get(person) or f"Person {number}" for number, person in enumerate(people, 1)
    }


def _summary(found: ReviewResults) -> str:
    """Return a sentence that says what is decided."""
    if not found.votes:
        return "No votes yet."
    people = f"{found.people} {'person' if found.people == 1 else 'people'}"
    votes = f"{len(found.votes)} vote{'' if len(found.votes) == 1 else 's'} by {people}"
    if found.ranking is None:
        approved = sum(value == "approved" for value in found.approvals.values())
        return f"{votes}: {approved} approved."
    if found.ranking.is_decided:
        return f"{votes}: the first place is decided."
    rivals = sum(each.best_rank == 1 for each in found.ranking.images)
    return f"{votes}: {rivals} images may still be the best. Ask more people."


def _agreement_text(found: ReviewResults) -> str:
    if found.agreement is None:
        return ""
    what = "decided about the same image" if found.ranking is None else "compared the same pair"
    return f"Where two people {what}, they agreed {found.agreement:.0%} of the time."
