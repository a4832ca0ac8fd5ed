"""Compute the key that identical posts share.

    dedupe key = hash(images, account, caption, placement)

The journal stores these keys. If the computation changes, `former_keys` must also compute the old
key.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

from .post_matching import normalize_caption, placement_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..jobs.core import Core

#: Operations that change the file, but not what is seen.
ENCODINGS = {"encode", "encodeVideo", "frameRate", "moveIndex"}
MAX_EDIT_CHAIN = 20  # successive edits of one image that are traced back

#: One product name for each placement that has several. The product of a request without one
#: depends on its media: an image is posted to the feed, a video as a reel.
PRODUCTS = {"feed": "IMAGE", "story": "STORIES", "reels": "IMAGE"}


async def dedupe_key(core: Core, body: Mapping[str, Any]) -> str:
    """Return a key that is equal for requests for the same post.

    An edit is identified by its source image and its operations, so that the same edit counts as
    the same image even if another kernel uploads it again. The scheduled time and the order of a
    carousel's images are ignored.
    """
    media_ids = list(body.get("mediaIds") or [body["mediaId"]])
    images = sorted([await _image_key(core, media_id) for media_id in media_ids])
    return hash_key([images if len(images) > 1 else images[0], *request_facts(body)])


def request_facts(body: Mapping[str, Any]) -> list[Any]:
    """Return what a key contains besides the images: account, caption, placement."""
    is_carousel = len(body.get("mediaIds") or ()) > 1
    product = PRODUCTS.get(placement_of(body) or "", body.get("product"))
    return [
        body["instagramAccountId"],
        normalize_caption(body.get("caption")),
        "CAROUSEL" if is_carousel else product,
    ]


def hash_key(facts: list[Any]) -> str:
    """Return the SHA-256 hash of the values that make up a key."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


async def edit_chain(core: Core, media_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Trace an upload back to its source image, as far as recorded in the journal.

    Returns
    -------
    tuple of (str, list of dict)
        The source's media ID, and the edits, last one first.
    """
    edits: list[dict[str, Any]] = []
    source = media_id
    for _ in range(MAX_EDIT_CHAIN):
        edit = await asyncio.wrap_future(core.journal.find_edit(core.journal_key, source))
        if edit is None:
            break
        source = str(edit.get("of"))
        edits.append(edit)
    return source, edits


async def _image_key(core: Core, media_id: str) -> str:
    """Return a media ID; for a known edit, its source and operations."""
    operations: list[Any] = []
    source, edits = await edit_chain(core, media_id)
    for edit in edits:
        # The same image or video in another file format is the same.
        changes = [each for each in edit.get("operations") or () if not _only_encodes(each)]
        operations += [changes] if changes else []
    return source if not operations else json.dumps([source, operations[::-1]], sort_keys=True)


def _only_encodes(operation: object) -> bool:
    return isinstance(operation, dict) and operation.get("operation") in ENCODINGS
