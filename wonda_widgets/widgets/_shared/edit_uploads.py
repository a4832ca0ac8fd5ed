"""`EditUploads`: a cache of uploads, so that no edit is uploaded twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import formatting

if TYPE_CHECKING:
    from ...client.edit import Edit
    from ...client.wonda_client import AsyncWonda
    from ...imaging.apply_edits import EditedImage
    from ...imaging.operations import Operation
    from ...models import Media

MAX_UPLOADS = 20


class EditKey(NamedTuple):
    """The identity of an edited image: its original (a media ID or the edit) and operations."""

    original: str | Edit
    operations: tuple[Operation, ...]

    @classmethod
    def of(cls, edit: Edit) -> EditKey:
        """Return the key of an edit in its current state."""
        return cls((edit.media and edit.media.media_id) or edit, edit.operations)


class Upload(NamedTuple):
    """An edited image stored at the service, with its facts as text."""

    media: Media
    facts: str


class EditUploads:
    """The latest uploads of a form."""

    def __init__(self) -> None:
        self._uploads: dict[EditKey, Upload] = {}

    def get(self, key: EditKey) -> Upload | None:
        """Return the upload of an edit; None if it was not uploaded."""
        return self._uploads.get(key)

    async def upload(
        self, client: AsyncWonda, key: EditKey, edit: Edit, edited: EditedImage
    ) -> Media:
        """Upload an edited image unless it was uploaded before; return its media."""
        known = self._uploads.get(key)
        if known is None:
            media = await edit.send(client, edited)
            self._uploads[key] = known = Upload(media, edited_facts(edited))
            while len(self._uploads) > MAX_UPLOADS:
                del self._uploads[next(iter(self._uploads))]
        return known.media


def edited_facts(image: EditedImage) -> str:
    """Format size and format of an edited image."""
    return formatting.image_facts(image.width, image.height, image.format, len(image.data))
