"""`GeneratedImage`: an image, how it was generated, and the user's marks."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads it
from typing import TYPE_CHECKING, Any

import msgspec

from ..models import Media  # noqa: TC001 - msgspec reads it
from ..utils import code_snippet, open_clients
from ..utils.table_rows import flat_row, spreadsheet_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models import Snapshot


# `gc=False` is safe: an image never refers back to itself.
class GeneratedImage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An image or a video, how it was generated, and your marks.

    Attributes
    ----------
    media : Media
    prompt, model : str
    params : dict
        With the API's names.
    values : dict
        For an image in a matrix, each placeholder's value.
    references : tuple of str
        Media IDs of the reference images.
    made_at : datetime.datetime
        When the image was requested, in UTC.
    seconds : float
        How long the job took.
    favorite : bool
    rating : int
        1 to 5 stars; 0 for none.
    note : str
    rank : int
        The place in the latest review, from 1; 0 for none. See `Review`.
    approval : str
        The result of the latest review: ``"approved"``, ``"rejected"``, ``"divided"``, or empty for
        none.
    job_id : str
    intent : str
        The ID of its entry in the journal.
    made_by : str
        An opaque ID of the process that requested the image; see `JournalEntry.process`. Empty if
        unknown.
    client : str
        An opaque ID of the client in this process that returned the image; empty if unknown.

    Examples
    --------
    >>> for image in wonda.history.search("harbor"):
    ...     print(image.prompt, image.model, image.seconds)
    """

    media: Media
    prompt: str = ""
    model: str = ""
    params: dict[str, Any] = {}
    values: dict[str, str] = {}
    references: tuple[str, ...] = ()
    made_at: datetime | None = None
    seconds: float = 0.0
    favorite: bool = False
    rating: int = 0
    note: str = ""
    rank: int = 0
    approval: str = ""
    job_id: str = ""
    intent: str = ""
    made_by: str = ""
    client: str = ""

    @property
    def request(self) -> dict[str, Any]:
        """The request that generates the image, with the API's names."""
        request: dict[str, Any] = {"model": self.model}
        if self.prompt:
            request["prompt"] = self.prompt
        if self.params:
            request["params"] = self.params
        if self.references:
            request["attachmentMediaIds"] = list(self.references)
        return request

    def code(self) -> str:
        """Return Python code that generates the image again, for a cell or a script."""
        client = open_clients.by_name(self.client)
        in_sandbox = client is not None and client.is_sandbox
        is_video = self.media.is_video
        return code_snippet.to_python(
            "inference", self.request, is_video=is_video, in_sandbox=in_sandbox
        )

    def row(self) -> dict[str, Any]:
        """Return the image as one flat row, for a table or a spreadsheet.

        A placeholder or parameter with the name of another column is named ``{name}``. `made_at`
        is a string such as ``"2026-11-24T10:02:11+00:00"``, and control characters, which
        spreadsheets do not support, become ``�``.

        Examples
        --------
        >>> rows = [image.row() for image in images]  # for pandas.DataFrame(rows)
        """
        return spreadsheet_row(self.raw_row())

    def raw_row(self) -> dict[str, Any]:
        """Return the same row with unchanged strings, and `made_at` as a datetime."""
        columns = {
            "media_id": self.media.media_id,
            "url": self.media.url,
            "width": self.media.width,
            "height": self.media.height,
            "seconds": round(self.seconds, 1),
            "made_at": self.made_at,
            "favorite": self.favorite,
            "rating": self.rating,
            "note": self.note,
            "rank": self.rank or None,
            "approval": self.approval,
            "job_id": self.job_id,
        }
        varied = (*self.values.items(), *self.params.items())
        return flat_row({"prompt": self.prompt, "model": self.model}, varied, columns)


def generated_image(
    request: Mapping[str, Any], snapshot: Snapshot, job_id: str, intent: str, client: str
) -> GeneratedImage:
    """Create the image of a job that has succeeded.

    Raises
    ------
    NoMediaError
        If the job has no media.
    """
    params = request.get("params")
    references = request.get("attachmentMediaIds")
    return GeneratedImage(
        media=snapshot.media,
        prompt=str(request.get("prompt") or ""),
        model=str(request.get("model") or ""),
        params=dict(params) if isinstance(params, dict) else {},
        references=tuple(map(str, references)) if isinstance(references, list) else (),
        made_at=snapshot.created_at,
        seconds=snapshot.elapsed,
        job_id=job_id,
        intent=intent,
        client=client,
    )
