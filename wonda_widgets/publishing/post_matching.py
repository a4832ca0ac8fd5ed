"""Decide whether a row in the publish history shows the post of a request.

The format of the history is not documented, and services change captions. A false match would
hide that a post was never published; a false mismatch would post it twice. There is therefore a
third result, `PostMatch.AMBIGUOUS`, for which the user decides.
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

#: How far the service's clock may differ from the times in its responses.
CLOCK_TOLERANCE = timedelta(seconds=60)
FAILED_STATUSES = frozenset({"failed", "canceled", "cancelled"})
#: A shorter beginning of a caption does not identify the caption.
MIN_CAPTION_PREFIX = 20  # characters

#: The placement for each of the service's product names.
PLACEMENTS = {
    **dict.fromkeys(["IMAGE", "FEED"], "feed"),
    **dict.fromkeys(["STORIES", "STORY"], "story"),
    **dict.fromkeys(["CAROUSEL", "CAROUSEL_ALBUM"], "carousel"),
    "REELS": "reels",
}


class PostMatch(Enum):
    """Whether a row shows the post of a request."""

    MATCH = auto()
    DIFFERENT = auto()
    AMBIGUOUS = auto()


def match_request(
    post: HistoryPost,
    body: Mapping[str, Any],
    requested_at: datetime,
    earliest: datetime | None = None,
) -> PostMatch:
    """Decide whether a row shows the post that a request made.

    Parameters
    ----------
    post : HistoryPost
        A row that does not belong to another known post.
    body : dict
        The request.
    requested_at : datetime.datetime
        When the request was sent, by the service's clock.
    earliest : datetime.datetime, optional
        The earliest time at which any clock says that the request was sent; each clock may be
        wrong. Only an earlier row certainly shows another post.
    """
    wanted = media_ids_of(body)
    shows_images = _shows(post, wanted)
    # A carousel's row may contain only some of its images.
    shows_others = bool(post.media_ids) and not post.media_ids & wanted
    same_caption = captions_match(post.caption, body.get("caption"))
    is_older = _is_before(requested_at, post)
    is_surely_older = is_older and _is_before(earliest or requested_at, post)
    if _has_other_placement(post, body):
        is_possible = shows_images and not is_surely_older
        return PostMatch.AMBIGUOUS if is_possible else PostMatch.DIFFERENT
    if shows_others:  # other images, or copies of these with the same caption
        may_be_copy = same_caption and bool(normalize_caption(post.caption))
        # For a carousel, copies are as likely, and a row may have no caption.
        may_be_copy = may_be_copy or (
            len(wanted) > 1 and same_caption is not False and _may_have_placement(post, body)
        )
        is_possible = may_be_copy and not is_surely_older
        return PostMatch.AMBIGUOUS if is_possible else PostMatch.DIFFERENT
    if not shows_images:  # the row contains no image, so even an equal caption proves nothing
        is_impossible = is_surely_older or same_caption is False
        return PostMatch.DIFFERENT if is_impossible else PostMatch.AMBIGUOUS
    if is_older:
        return PostMatch.DIFFERENT if same_caption is False else PostMatch.AMBIGUOUS
    is_certain = (
        same_caption is not False
        and post.created_at is not None
        and _may_have_placement(post, body)
        and _may_have_account(post, body)
    )
    return PostMatch.MATCH if is_certain else PostMatch.AMBIGUOUS


def _is_before(moment: datetime, post: HistoryPost) -> bool:
    return post.created_at is not None and post.created_at < moment - CLOCK_TOLERANCE


def match_repeat(post: HistoryPost, body: Mapping[str, Any]) -> PostMatch:
    """Decide whether a request would repeat the post in a row, whenever it was made.

    A row that contains none or only some of the images is ambiguous, unless another fact shows that
    it is another post.
    """
    same_caption = captions_match(post.caption, body.get("caption"))
    if (
        same_caption is False
        or (post.status or "").lower() in FAILED_STATUSES
        or not _may_have_account(post, body)
        or _has_other_placement(post, body)
    ):
        return PostMatch.DIFFERENT
    wanted = media_ids_of(body)
    if _shows(post, wanted):
        return PostMatch.MATCH if _may_have_placement(post, body) else PostMatch.AMBIGUOUS
    # A carousel's row may contain only some of its images.
    shows_some = len(wanted) > 1 and bool(post.media_ids) and post.media_ids < wanted
    return PostMatch.AMBIGUOUS if shows_some or not post.media_ids else PostMatch.DIFFERENT


def media_ids_of(body: Mapping[str, Any]) -> frozenset[str]:
    """Return the media IDs in a request: one, or those of a carousel."""
    return frozenset(body.get("mediaIds") or [body["mediaId"]])


def placement_of(body: Mapping[str, Any]) -> str | None:
    """Return the placement of a request: ``"feed"``, ``"story"``, ``"carousel"`` or ``"reels"``."""
    product = "CAROUSEL" if body.get("mediaIds") else body.get("product") or "IMAGE"
    return PLACEMENTS.get(product.upper())


def normalize_caption(caption: str | None) -> str:
    """Remove the differences that services introduce into a caption."""
    return normalize_visible(html.unescape(caption or ""), "NFKC")


def captions_match(found: str | None, requested: str | None) -> bool | None:
    """Compare a row's caption, which may be cut, with a request's; None if it has none."""
    listed, wanted = normalize_caption(found), normalize_caption(requested)
    if listed == wanted:
        return True
    if not listed:
        return None
    prefix = listed.rstrip("….").rstrip()
    return len(prefix) >= MIN_CAPTION_PREFIX and wanted.startswith(prefix)


def _shows(post: HistoryPost, wanted: frozenset[str]) -> bool:
    """Return whether a row shows these images.

    A row of a single image may also contain copies; a carousel's row contains no other images.
    """
    if len(wanted) > 1:
        return post.media_ids == wanted
    return wanted <= post.media_ids and not post.is_carousel


def _may_have_account(post: HistoryPost, body: Mapping[str, Any]) -> bool:
    return post.account_id in {None, body["instagramAccountId"]}


def _has_other_placement(post: HistoryPost, body: Mapping[str, Any]) -> bool:
    """Return whether a row certainly has another placement, such as a story."""
    listed, wanted = PLACEMENTS.get((post.product or "").upper()), placement_of(body)
    if _may_be_reel(listed, body):
        return False
    # Some services call a carousel a feed post, so these two do not exclude each other.
    return listed not in {None, wanted} and {listed, wanted} != {"feed", "carousel"}


def _may_have_placement(post: HistoryPost, body: Mapping[str, Any]) -> bool:
    listed = PLACEMENTS.get((post.product or "").upper())
    return listed in {None, placement_of(body)} or _may_be_reel(listed, body)


def _may_be_reel(listed: str | None, body: Mapping[str, Any]) -> bool:
    """Return whether a listed reel may be of a request that names no product, for a video."""
    return listed == "reels" and not body.get("product") and not body.get("mediaIds")
