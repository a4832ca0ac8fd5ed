"""`POST /video/generate` (wonda-api.md, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..jobs.core import on_package_loop
from ..jobs.generation import VIDEO_GENERATION, request_body
from .blocking import Blocking, blocking
from .generations import AsyncGenerations, planned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..jobs.job import Job
    from ..jobs.matrix.matrix import Matrix
    from ..journal.budgets import Budget
    from ..models import Capabilities, GenerationModel


class AsyncVideos(AsyncGenerations):
    """Generation of videos, which takes minutes."""

    operation = VIDEO_GENERATION
    plan_path = VIDEO_GENERATION.path

    def _models(self, capabilities: Capabilities) -> list[GenerationModel]:
        return capabilities.video_models

    @on_package_loop
    async def generate(
        self,
        *,
        model: str,
        prompt: str | None = None,
        params: Mapping[str, Any] | None = None,
        attachment_media_ids: Sequence[str] = (),
        budget: Budget | float | None = None,
        once: str | None = None,
    ) -> Job:
        """Submit a generation request and return its job.

        Everything that `images.generate` guarantees also holds here: the request is recorded, sent
        once, and never repeated if it may have arrived.

        Parameters
        ----------
        model : str
            A key of `capabilities`, e.g. ``"seedance-2"``.
        prompt : str, optional
            A description of the video; most models require one.
        params : dict, optional
            The model's parameters, e.g. ``{"duration": 5, "aspectRatio": "9:16"}``. The price
            usually depends on the duration (seconds).
        attachment_media_ids : sequence of str, optional
            The start image, and further images or videos that the model accepts, in order.
        budget : Budget or float, optional
            A limit for the total cost of this video and the earlier images and videos of the
            budget; a number is US dollars per day.
        once : str, optional
            An idempotency key; see `images.generate`.

        Raises
        ------
        InvalidInputError
            If the request is invalid, or exceeds the budget; nothing was sent.
        OutcomeUnknownError
            If this or the first request may have arrived but there is no usable response. Check
            your library; if the video is not there, pass the error to `jobs.dismiss` and try again.
        APIError
            If the service refused the request.

        Examples
        --------
        >>> job = wonda.videos.generate(
        ...     model="seedance-2",
        ...     prompt="A quiet harbor, slow dolly shot",
        ...     params={"duration": 5, "aspectRatio": "9:16"},
        ... )
        >>> job.wait().media.duration
        5.0
        """
        request = request_body(model, prompt, params, attachment_media_ids)
        return await self._generate(request, budget, once)

    def matrix(
        self,
        template: str,
        values: Mapping[str, Sequence[str]] | None = None,
        models: str | Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        *,
        takes: int = 1,
        budget: float | None = None,
        max_concurrency: int = 4,
        attachment_media_ids: Sequence[str] = (),
        resume: bool = True,
        allow_unchecked: bool = False,
    ) -> Matrix:
        """Plan every variation of a prompt as videos; iterating over the result generates them.

        Parameters
        ----------
        template, values, models, params, budget, max_concurrency
            See `images.matrix`.
        attachment_media_ids : sequence of str, optional
            The start image, and further attachments, for every video, in order.
        resume, allow_unchecked : bool
            See `images.matrix`.

        Raises
        ------
        InvalidInputError
            See `images.matrix`.

        Examples
        --------
        >>> matrix = wonda.videos.matrix(
        ...     "A {subject}, slow dolly shot",
        ...     {"subject": ["harbor", "lighthouse"]},
        ...     "seedance-2",
        ...     {"duration": 5},
        ...     budget=5,
        ... )
        >>> rows = list(matrix)
        """
        return self._matrix(
            template,
            values,
            models,
            params,
            attachment_media_ids,
            takes=takes,
            budget=budget,
            max_concurrency=max_concurrency,
            resume=resume,
            allow_unchecked=allow_unchecked,
        )


class Videos(Blocking[AsyncVideos]):
    """Blocking interface for generating videos."""

    generate = blocking(AsyncVideos.generate, check=VIDEO_GENERATION.check)
    spent = blocking(AsyncVideos.spent)
    matrix = blocking(planned(AsyncVideos.matrix))
    unfinished = blocking(AsyncVideos.unfinished)
