"""Whether a row of the history is of a post, as far as one can tell.

The history's shape is documented nowhere, and services change captions. A wrong yes
would hide that a post was never made, a wrong no would make it twice. So there is a
third answer, for which the person is asked.
"""

from __future__ import annotations

import html
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ..utils.visible_text import normalize_visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .post_history import HistoryPost

#: How far the service's clock may differ from what its replies tell of it.
SKEW = timedelta(seconds=60)
FAILED = frozenset({"failed", "canceled", "cancelled"})
#: Characters; of a shorter caption its beginning says nothing.
TELLING = 20

PLACES = {
    **dict.fromkeys(["IMAGE", "FEED"], "feed"),
    **dict.fromkeys(["STORIES", "STORY"], "story"),
    **dict.fromkeys(["CAROUSEL", "CAROUSEL_ALBUM"], "carousel"),
    "REELS": "reels",
}


class PostMatch(Enum):
    """What a row is to a post."""

    OURS = auto()
    OTHER = auto()
    DOUBTFUL = auto()


def match(
    post: HistoryPost, body: Mapping[str, Any], asked: datetime, earliest: datetime | None = None
) -> PostMatch:
    """Whether a row, which is of no other post that we know, is of the one asked for.

    Parameters
    ----------
    post : Post
    body : dict
        The request.
    asked : datetime.datetime
        When it was, by the service's clock.
    earliest : datetime.datetime, optional
        When it was by whichever clock says the earliest, which one that is wrong may say;
        only before that is a row surely of another post.
    """
    wanted = images_of(body)
    here = _shows(post, wanted)
    # A row of a carousel may name some of its images only; that is no other image.
    elsewhere = bool(post.media_ids) and not post.media_ids & wanted
    words = same_words(post.caption, body.get("caption"))
    old = _is_before(asked, post)
    surely_old = old and _is_before(earliest or asked, post)
    if _is_of_another_place(post, body):
        return PostMatch.DOUBTFUL if here and not surely_old else PostMatch.OTHER
    if elsewhere:  # another image; or a copy of this one, with the same words
        alike = words and bool(plain(post.caption))
        # Of several, copies are as likely, and a row may tell no words.
        alike = alike or (len(wanted) > 1 and words is not False and _is_of_same_place(post, body))
        return PostMatch.DOUBTFUL if alike and not surely_old else PostMatch.OTHER
    if not here:  # it names no image: not even the same words are proof
        return PostMatch.OTHER if surely_old or words is False else PostMatch.DOUBTFUL
    if old:
        return PostMatch.OTHER if words is False else PostMatch.DOUBTFUL
    sure = words is not False and post.created_at is not None and _is_of_same_place(post, body)
    return PostMatch.OURS if sure and _is_of_account(post, body) else PostMatch.DOUBTFUL


def _is_before(asked: datetime, post: HistoryPost) -> bool:
    return post.created_at is not None and post.created_at < asked - SKEW


def repeats(post: HistoryPost, body: Mapping[str, Any]) -> PostMatch:
    """Whether a request would make the post of a row, of whatever time, once more.

    Doubtful is a row that does not say which images it shows, or names only some of them, and
    of which nothing else says that it is another post.
    """
    words = same_words(post.caption, body.get("caption"))
    if (
        words is False
        or (post.status or "").lower() in FAILED
        or not _is_of_account(post, body)
        or _is_of_another_place(post, body)
    ):
        return PostMatch.OTHER
    wanted = images_of(body)
    if _shows(post, wanted):
        return PostMatch.OURS if _is_of_same_place(post, body) else PostMatch.DOUBTFUL
    # A row of a carousel may name some of its images only.
    partly = len(wanted) > 1 and bool(post.media_ids) and post.media_ids < wanted
    return PostMatch.DOUBTFUL if partly or not post.media_ids else PostMatch.OTHER


def images_of(body: Mapping[str, Any]) -> frozenset[str]:
    """The media ids that a request would post: one, or those of a carousel."""
    return frozenset(body.get("mediaIds") or [body["mediaId"]])


def _shows(post: HistoryPost, wanted: frozenset[str]) -> bool:
    """Whether a row is of these images; of one it may name copies too, of several no others."""
    if len(wanted) > 1:
        return post.media_ids == wanted
    return wanted <= post.media_ids and not post.several


def place_of(body: Mapping[str, Any]) -> str | None:
    """Where a request would post: ``"feed"``, ``"story"``, ``"carousel"`` or ``"reels"``."""
    product = "CAROUSEL" if body.get("mediaIds") else body.get("product") or "IMAGE"
    return PLACES.get(product.upper())


def plain(caption: str | None) -> str:
    """A caption without what services change about it."""
    return normalize_visible(html.unescape(caption or ""), "NFKC")


def same_words(found: str | None, asked: str | None) -> bool | None:
    """Whether two captions are the same, one of them perhaps cut; None if a row tells none."""
    there, here = plain(found), plain(asked)
    if there == here:
        return True
    if not there:
        return None
    cut = there.rstrip("….").rstrip()
    return len(cut) >= TELLING and here.startswith(cut)


def _is_of_account(post: HistoryPost, body: Mapping[str, Any]) -> bool:
    return post.account_id in {None, body["instagramAccountId"]}


def _is_of_another_place(post: HistoryPost, body: Mapping[str, Any]) -> bool:
    """Whether it is, say, a story and not in the feed; a word we do not know is no proof."""
    there, here = PLACES.get((post.product or "").upper()), place_of(body)
    # Some call a carousel a post of the feed, so these two are no proof against each other.
    return there not in {None, here} and {there, here} != {"feed", "carousel"}


def _is_of_same_place(post: HistoryPost, body: Mapping[str, Any]) -> bool:
    """Whether nothing says that it is of another place."""
    return PLACES.get((post.product or "").upper()) in {None, place_of(body)}
