"""`wonda.jobs`: follow jobs that something else submitted (wonda-api.md, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidInputError

if TYPE_CHECKING:
    from ..jobs import Job, Kind
    from ._core import Core


class Jobs:
    """Follow jobs. Nothing here waits, so blocking and awaitable clients share it."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def attach(self, kind: Kind, job_id: str) -> Job:
        """Follow a job by its id, whoever submitted it.

        Parameters
        ----------
        kind : str
            ``"inference"`` or ``"publish"``.
        job_id : str

        Raises
        ------
        InvalidInputError
            If the kind is another one or the id is empty. Whether such a job
            exists is known after the first poll.
        """
        if kind not in {"inference", "publish"}:
            raise InvalidInputError("kind", f'A job is "inference" or "publish", not {kind!r}.')
        if not isinstance(job_id, str) or job_id.strip() in {"", ".", ".."}:
            raise InvalidInputError(
                "job_id", "This is not the id of a job.", "Pass the id as the API gave it."
            )
        return self._core.follow(kind, job_id.strip(), attached=True)
