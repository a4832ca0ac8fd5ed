"""Names under which the journal may have noted a post before names were made as they are now.

Versions before told apart posts that are one today: captions with another variation selector
or with marks without width, another word for the same place, another format of the same edit.
"""

from __future__ import annotations

import asyncio
import html
import json
import unicodedata
from typing import TYPE_CHECKING, Any

from . import duplicate_guard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..jobs.core import Core


async def earlier_names(core: Core, body: Mapping[str, Any], same_as: str) -> tuple[str, ...]:
    """Give the other names under which the journal may know the post `same_as` of a request.

    They are the one that a version before gives to this very request, also while it runs
    beside this one, and those of all posts noted here that are the same by today's rule.
    """
    names = {await _name_before(core, body)}
    told = duplicate_guard.told(body)
    for record in await asyncio.wrap_future(core.journal.posts_in_the_way(core.journal_key)):
        # What is asked for decides; only then is it worth to look what its images were made of.
        if (
            record.same_as not in {"", same_as, *names}
            and _is_post(record.body)
            and duplicate_guard.told(record.body) == told
            and await duplicate_guard.dedupe_key(core, record.body) == same_as
        ):
            names.add(record.same_as)
    return tuple(sorted(names - {same_as}))


def _is_post(body: Mapping[str, Any]) -> bool:
    """Whether an entry, which any version may have written, has what a post needs."""
    media_ids = body.get("mediaIds") or [body.get("mediaId")]
    texts = [body.get("caption") or "", body.get("product") or "", body.get("instagramAccountId")]
    return isinstance(media_ids, list) and all(isinstance(x, str) for x in [*media_ids, *texts])


async def _name_before(core: Core, body: Mapping[str, Any]) -> str:
    """The name of the versions before; nothing of this may change."""
    media_ids = list(body.get("mediaIds") or [body["mediaId"]])
    images = sorted([await _image_before(core, media_id) for media_id in media_ids])
    several = len(images) > 1
    caption = unicodedata.normalize("NFKC", html.unescape(body.get("caption") or ""))
    what = [
        images if several else images[0],
        body["instagramAccountId"],
        " ".join(caption.split()),
        "CAROUSEL" if several else body.get("product") or "IMAGE",
    ]
    return duplicate_guard.name_of(what)


async def _image_before(core: Core, media_id: str) -> str:
    """A media id; of an edit all that was done to which image, its format included."""
    of, edits = await duplicate_guard.edits_of(core, media_id)
    done = [edit.get("operations") for edit in edits]
    return of if not done else json.dumps([of, done[::-1]], sort_keys=True)
