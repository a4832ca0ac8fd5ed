"""`POST /image/generate` (wonda-api.md, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..jobs.core import on_package_loop
from ..jobs.generation import IMAGE_GENERATION, request_body
from .blocking import Blocking, blocking
from .generations import AsyncGenerations, planned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..jobs.job import Job
    from ..journal.budgets import Budget
    from ..models import Capabilities, GenerationModel


class AsyncImages(AsyncGenerations):
    """Generation of images."""

    operation = IMAGE_GENERATION

    def _models(self, capabilities: Capabilities) -> list[GenerationModel]:
        return capabilities.image_models

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

        Parameters
        ----------
        model : str
            A key of `capabilities`, e.g. ``"nano-banana-2"``.
        prompt : str, optional
            A description of the image; most models require one.
        params : dict, optional
            The model's parameters, e.g. ``{"aspectRatio": "4:5", "resolution": "2K"}``.
        attachment_media_ids : sequence of str, optional
            Reference images, in order.
        budget : Budget or float, optional
            A limit for the total cost of this image and the earlier images of the budget; a number
            is US dollars per day.
        once : str, optional
            An idempotency key, e.g. ``"autumn campaign"``. The same request with the same key, in
            any process that uses this journal, returns the job of the first request, even if that
            job failed. A task that is run again therefore generates nothing twice. `jobs.dismiss`
            allows another attempt.

            Requests with the same meaning are equal. This ignores the differences between numbers
            of equal value (``4`` and ``4.0``); between None, an empty dict and a missing parameter;
            between tuples and lists; and in the order of a dict's keys. In strings, it ignores the
            Unicode form, whitespace and invisible characters. The key is compared in the same way,
            and full-width letters equal ordinary ones.

            Requests differ if they differ in case, in punctuation, or in the order of a list or of
            the reference images. ``True`` and ``1`` are different, and so are ``1`` and ``"1"``.

        Raises
        ------
        InvalidInputError
            If the request is invalid, or exceeds the budget; nothing was sent.
        OutcomeUnknownError
            If this or the first request may have arrived but there is no usable response. Check
            your library; if the image is not there, pass the error to `jobs.dismiss` and try again.
        APIError
            If the service refused the request.

        Examples
        --------
        >>> job = wonda.images.generate(
        ...     model="nano-banana-2",
        ...     prompt="A quiet harbor",
        ...     params={"aspectRatio": "4:5", "resolution": "2K"},
        ... )
        >>> media = job.wait().media
        """
        request = request_body(model, prompt, params, attachment_media_ids)
        return await self._generate(request, budget, once)


class Images(Blocking[AsyncImages]):
    """Blocking interface for generating images."""

    generate = blocking(AsyncImages.generate, check=IMAGE_GENERATION.check)
    spent = blocking(AsyncImages.spent)
    matrix = blocking(planned(AsyncImages.matrix))
    unfinished = blocking(AsyncImages.unfinished)
