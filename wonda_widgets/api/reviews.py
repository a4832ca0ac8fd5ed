"""Reviews of images by several people, in the journal; see `Review`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..errors import InvalidInputError
from ..jobs.core import on_package_loop
from ..jobs.job import Job
from ..journal.generated_image import GeneratedImage
from ..journal.reviews import Vote
from ..reviewing import results
from ..utils import arguments, event_loop
from ..utils.names import composed
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from ..jobs.core import Core
    from ..journal.reviews import SavedReview
    from ..reviewing.results import Ranking
    from .history import AsyncHistory

Mode = Literal["compare", "approve"]
MODES = ("compare", "approve")
MIN_IMAGES = {"compare": 2, "approve": 1}
MAX_IMAGES = 300  # more would take a ranking too long
MAX_VOTES = 20_000  # of a review
MAX_TEXT_LENGTH = 1_000  # characters of a question, a name or a comment


class ReviewResults(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a review.

    Attributes
    ----------
    votes : list of Vote
    ranking : Ranking or None
        Of a review of pairs.
    approvals : dict
        Of a review by approval: ``"approved"``, ``"rejected"`` or ``"divided"``, by image.
    agreement : float or None
        How often two people who saw the same images chose the same, from 0 to 1.
    people : int
    """

    votes: list[Vote]
    ranking: Ranking | None
    approvals: dict[str, str]
    agreement: float | None
    people: int


class AsyncReviews:
    """Reviews of images by several people."""

    def __init__(self, core: Core, history: AsyncHistory) -> None:
        self._core = core
        self._history = history
        #: The ranking of the latest votes, by review.
        self._rankings: dict[str, tuple[list[Vote], asyncio.Task[Ranking]]] = {}

    @property
    def is_shared(self) -> bool:
        """Whether other kernels can open the reviews: the journal is a file."""
        return self._core.journal.path is not None

    @on_package_loop
    async def open(
        self, images: Iterable[GeneratedImage | Job], question: str = "", mode: Mode = "compare"
    ) -> SavedReview:
        """Find the review of these images with this question, or start it.

        Parameters
        ----------
        images : list of Image or Job
            Up to 300.
        question : str
            At most 1,000 characters.
        mode : str
            ``"compare"`` or ``"approve"``.

        Raises
        ------
        InvalidInputError
            If there are too few or too many images, or the mode is unknown.
        """
        keys = [key_of(image) for image in await self.resolve(images, mode)]
        check_text("question", "The question", question)
        self._core.transport.check_open()
        reviews = self._core.journal.reviews
        return await asyncio.wrap_future(
            reviews.open(self._core.journal_key, self._history.redact(question), mode, keys)
        )

    @on_package_loop
    async def resolve(
        self, images: Iterable[GeneratedImage | Job], mode: Mode = "compare"
    ) -> list[GeneratedImage]:
        """Return the images of a review: each once, and those of jobs that have succeeded.

        Raises
        ------
        InvalidInputError
            See `open`.
        """
        images = arguments.shown_images(images)
        images = list(images) if isinstance(images, Iterable) else images
        check_images(images, mode)
        found: dict[str, GeneratedImage] = {}
        for each in images:
            image = await self._history.of(each) if isinstance(each, Job) else each
            found.setdefault(key_of(image), image)
        check_count(len(found), mode)
        return list(found.values())

    @on_package_loop
    async def images(self, review: SavedReview) -> list[GeneratedImage]:
        """Read the images of a review from the journal; deleted ones are left out."""
        journal = self._core.journal.images
        return await asyncio.wrap_future(journal.by_intent(review.images, self._core.name))

    @on_package_loop
    async def find(self, review_id: str) -> SavedReview | None:
        """Find a review by its ID; None if it is not in this journal."""
        arguments.check_id("review", "a review", review_id)
        return await asyncio.wrap_future(self._core.journal.reviews.find(review_id))

    @on_package_loop
    async def vote(
        self,
        review: SavedReview,
        person: str,
        choice: str,
        image: str,
        other: str = "",
        *,
        name: str = "",
        comment: str = "",
    ) -> None:
        """Record a person's vote on a pair, or decision about one image.

        Parameters
        ----------
        review : SavedReview
        person : str
            Identifies the person; two votes with the same are by the same person. At most 1,000
            characters.
        choice : str
            ``"left"``, ``"right"``, ``"equal"`` or ``"both bad"``; ``"approve"`` or ``"reject"``.
        image, other : str
            The keys of the left and the right image; without `other`, of the only one.
        name, comment : str
            At most 1,000 characters.

        Raises
        ------
        InvalidInputError
            If the person has already voted on these images, or the vote is none of this review.
        """
        accepted = results.PAIR_CHOICES if review.mode == "compare" else results.DECISIONS
        shown = [image, other] if review.mode == "compare" else [image]
        is_known = set(shown) <= set(review.images) and len(set(shown)) == len(shown)
        if choice not in accepted or not is_known or (review.mode != "compare" and other):
            raise InvalidInputError("vote", "This vote does not belong to this review.")
        for label, text in (("Your name", name), ("The comment", comment)):
            check_text("vote", label, text)
        redact = self._history.redact
        who = self._identity(person)
        vote = Vote("", who, redact(name), image, other, choice, redact(comment), 0.0)
        known = self._core.journal.reviews
        if await asyncio.wrap_future(known.count(review.id)) >= MAX_VOTES:
            raise InvalidInputError(
                "vote",
                f"This review already has {MAX_VOTES:,} votes, which is the most it can have.",
                "See its results.",
            )
        earlier = await asyncio.wrap_future(known.vote(review.id, vote))
        if earlier is not None:
            what = "these images" if other else "this image"
            raise InvalidInputError(
                "vote",
                f"You have already voted on {what}.",
                "The first vote counts. To change it, undo it first.",
            )

    @on_package_loop
    async def withdraw(self, review: SavedReview, person: str, vote_id: str) -> bool:
        """Withdraw a vote, so that the person can vote on the images again.

        Parameters
        ----------
        review : SavedReview
        person, vote_id : str
            As in `votes`.

        Returns
        -------
        bool
            Whether the person has such a vote.
        """
        reviews = self._core.journal.reviews
        return await asyncio.wrap_future(
            reviews.withdraw(review.id, self._identity(person), vote_id)
        )

    @on_package_loop
    async def rename(self, review: SavedReview, person: str, new: str, name: str) -> None:
        """Give a person's votes to another one, for instance when they enter their name.

        Of two votes on the same images, that of the other person counts.

        Parameters
        ----------
        review : SavedReview
        person, new : str
            Identify the person before and after; see `vote`.
        name : str
            At most 1,000 characters.

        Raises
        ------
        InvalidInputError
            If the name is too long.
        """
        check_text("vote", "Your name", name)
        reviews = self._core.journal.reviews
        await asyncio.wrap_future(
            reviews.rename(
                review.id, self._identity(person), self._identity(new), self._history.redact(name)
            )
        )

    @on_package_loop
    async def votes(self, review: SavedReview, person: str | None = None) -> list[Vote]:
        """Read the votes of all people, oldest first; with `person`, only those of this one."""
        who = None if person is None else self._identity(person)
        return await asyncio.wrap_future(self._core.journal.reviews.votes(review.id, who))

    def _identity(self, person: str) -> str:
        """Return a person's identity as it is recorded.

        Raises
        ------
        InvalidInputError
            If it is no string, or too long.
        """
        check_text("person", "The person", person)
        return self._history.redact(composed(person))

    @on_package_loop
    async def results(self, review: SavedReview) -> ReviewResults:
        """Rank the images, and record ranks and approvals in the journal."""
        votes = await self.votes(review)
        is_compare = review.mode == "compare"
        ranking = None
        if is_compare:
            ranking = await self._rank(review, votes)
        counts = {} if is_compare else results.approvals(votes)
        approvals = {key: results.approval(count) for key, count in counts.items()}
        if votes or await self._was_voted_on(review):
            await self._record(review, ranking if votes else None, approvals)
        return ReviewResults(
            votes=votes,
            ranking=ranking,
            approvals=approvals,
            agreement=results.agreement(votes),
            people=len({vote.person for vote in votes}),
        )

    async def _was_voted_on(self, review: SavedReview) -> bool:
        """Whether there are votes, or were some that have been withdrawn."""
        return await asyncio.wrap_future(self._core.journal.reviews.count(review.id)) > 0

    async def _rank(self, review: SavedReview, votes: list[Vote]) -> Ranking:
        """Rank the images, unless that was done for the same votes."""
        known, ranking = self._rankings.get(review.id, (None, None))
        if ranking is None or known != votes:
            work = event_loop.to_thread(results.rank, review.images, votes)
            ranking = asyncio.get_running_loop().create_task(work)
            self._rankings[review.id] = votes, ranking
        return await event_loop.shield(ranking)

    async def _record(
        self, review: SavedReview, ranking: Ranking | None, approvals: dict[str, str]
    ) -> None:
        marks: dict[str, Any]
        if review.mode == "compare":
            ranks = results.ranks(ranking) if ranking else {}
            marks = {key: {"rank": ranks.get(key, 0)} for key in review.images}
        else:
            marks = {key: {"approval": approvals.get(key, "")} for key in review.images}
        journal = self._core.journal.images
        known = await asyncio.wrap_future(journal.marks(list(marks)))
        changed = {
            key: new
            for key, old in known.items()
            if (new := msgspec.structs.replace(old, **marks[key])) != old
        }
        if changed:
            await asyncio.wrap_future(journal.set_review_results(changed))
            self._core.report_image_change()


class Reviews(Blocking[AsyncReviews]):
    """Blocking interface to reviews."""

    open = blocking(AsyncReviews.open)
    resolve = blocking(AsyncReviews.resolve)
    images = blocking(AsyncReviews.images)
    find = blocking(AsyncReviews.find)
    vote = blocking(AsyncReviews.vote)
    withdraw = blocking(AsyncReviews.withdraw)
    rename = blocking(AsyncReviews.rename)
    votes = blocking(AsyncReviews.votes)
    results = blocking(AsyncReviews.results)


def key_of(image: GeneratedImage) -> str:
    """Return the key of an image in reviews."""
    return image.intent or image.media.media_id or image.media.url or ""


def check_images(images: object, mode: object) -> None:
    """Check the arguments of a review, as far as that needs no waiting.

    Raises
    ------
    InvalidInputError, TypeError
    """
    if mode not in MODES:
        known = " or ".join(f'"{each}"' for each in MODES)
        raise InvalidInputError("mode", f"mode must be {known}, not {mode!r}.")
    arguments.require_type(images, Iterable, "a list of images")
    some = list(images) if isinstance(images, Iterable) else []
    for each in some:
        arguments.require_type(each, (GeneratedImage, Job), "images or jobs")
    check_count(len(some), str(mode))


def check_count(count: int, mode: str) -> None:
    """Check the number of images.

    Raises
    ------
    InvalidInputError
    """
    least = MIN_IMAGES[mode]
    if count < least:
        raise InvalidInputError(
            "images",
            f"A review needs at least {least} different images."
            if least > 1
            else "A review needs at least one image.",
            "Generate or select more of them.",
        )
    if count > MAX_IMAGES:
        raise InvalidInputError(
            "images",
            f"A review can have up to {MAX_IMAGES} images, not {count:,}.",
            "Select the ones that are worth deciding between.",
        )


def check_text(field: str, label: str, text: object) -> None:
    """Check a text that a person typed.

    Raises
    ------
    InvalidInputError
    """
    if not isinstance(text, str):
        raise InvalidInputError(field, f"{label} must be a string.")
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidInputError(field, f"{label} has more than {MAX_TEXT_LENGTH:,} characters.")
