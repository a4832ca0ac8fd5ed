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


class Videos(Blocking[AsyncVideos]):
    """Blocking interface for generating videos."""

    generate = blocking(AsyncVideos.generate, check=VIDEO_GENERATION.check)
    spent = blocking(AsyncVideos.spent)
    matrix = blocking(planned(AsyncVideos.matrix))
    unfinished = blocking(AsyncVideos.unfinished)
