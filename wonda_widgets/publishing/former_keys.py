"""Dedupe keys under which earlier versions may have recorded a post.

Earlier versions treated some identical posts as different: those whose captions differ in invisible
characters, synonyms of a placement, and the same edit in another file format.
"""

from __future__ import annotations

import asyncio
import html
import json
import unicodedata
from typing import TYPE_CHECKING, Any

from . import dedupe_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..jobs.core import Core


async def former_keys(core: Core, body: Mapping[str, Any], dedupe_key: str) -> tuple[str, ...]:
    """Return other keys under which the same post may be recorded.

    These are the key that the previous version, which may still be running, computes for this
    request, and the keys of all recorded posts that are identical by the current rules.

    Parameters
    ----------
    core : Core
    body : dict
        The request.
    dedupe_key : str
        The request's current key.
    """
    keys = {await _previous_key(core, body)}
    facts = dedupe_keys.request_facts(body)
    for entry in await asyncio.wrap_future(core.journal.blocking_posts(core.journal_key)):
        # Compare the cheap facts first: comparing images takes several queries.
        if (
            entry.dedupe_key not in {"", dedupe_key, *keys}
            and _is_valid_post(entry.body)
            and dedupe_keys.request_facts(entry.body) == facts
            and await dedupe_keys.dedupe_key(core, entry.body) == dedupe_key
        ):
            keys.add(entry.dedupe_key)
    return tuple(sorted(keys - {dedupe_key}))


def _is_valid_post(body: Mapping[str, Any]) -> bool:
    """Return whether a recorded request, from any version, has the fields of a post."""
    media_ids = body.get("mediaIds") or [body.get("mediaId")]
    texts = [body.get("caption") or "", body.get("product") or "", body.get("instagramAccountId")]
    return isinstance(media_ids, list) and all(isinstance(x, str) for x in [*media_ids, *texts])


async def _previous_key(core: Core, body: Mapping[str, Any]) -> str:
    """Return the key of the previous version. The result must never change."""
    media_ids = list(body.get("mediaIds") or [body["mediaId"]])
    images = sorted([await _previous_image_key(core, media_id) for media_id in media_ids])
    is_carousel = len(images) > 1
    caption = unicodedata.normalize("NFKC", html.unescape(body.get("caption") or ""))
    facts = [
        images if is_carousel else images[0],
        body["instagramAccountId"],
        " ".join(caption.split()),
        "CAROUSEL" if is_carousel else body.get("product") or "IMAGE",
    ]
    return dedupe_keys.hash_key(facts)


async def _previous_image_key(core: Core, media_id: str) -> str:
    """Return a media ID; for a known edit, its source and all operations with its format."""
    source, edits = await dedupe_keys.edit_chain(core, media_id)
    operations = [edit.get("operations") for edit in edits]
    return source if not operations else json.dumps([source, operations[::-1]], sort_keys=True)
