"""`POST /image/generate` (wonda-api.md, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import runtime
from ..errors import InvalidInputError
from ..models import GenerateReply, parse
from ._core import Core, Named, Operation, on_package_loop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..jobs import Job

GENERATION = Operation(
    "inference",
    "/image/generate",
    "image generation",
    "Credits may have been used: look into your Wonda library before you generate again.",
)


class AsyncImages:
    """Make pictures."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @on_package_loop
    async def generate(
        self,
        *,
        model: str,
        prompt: str | None = None,
        params: Mapping[str, Any] | None = None,
        attachment_media_ids: Sequence[str] = (),
    ) -> Job:
        """Ask for a picture and get the job that follows it.

        Parameters
        ----------
        model : str
            A key of `capabilities`, e.g. ``"nano-banana-2"``.
        prompt : str, optional
            What to make; most models need it.
        params : dict, optional
            The model's parameters, e.g. ``{"aspectRatio": "4:5", "resolution": "2K"}``.
        attachment_media_ids : sequence of str, optional
            Reference images, in order.

        Raises
        ------
        InvalidInputError
            If something is known to be refused; nothing was sent.
        OutcomeUnknownError
            If the request may have arrived but its reply was lost.
        APIError
            If the service refused it.
        """
        body = _body(model, prompt, params, attachment_media_ids)
        return await self._core.start(GENERATION, body, _named)


class Images:
    """Make pictures (blocking)."""

    def __init__(self, resource: AsyncImages) -> None:
        self._async = resource

    def generate(
        self,
        *,
        model: str,
        prompt: str | None = None,
        params: Mapping[str, Any] | None = None,
        attachment_media_ids: Sequence[str] = (),
    ) -> Job:
        """See `AsyncImages.generate`."""
        return runtime.call(
            self._async.generate(
                model=model,
                prompt=prompt,
                params=params,
                attachment_media_ids=attachment_media_ids,
            ),
            interrupted=GENERATION.check,
        )


def _named(raw: Any) -> Named:
    return Named(parse(raw, GenerateReply).inference_job_id)


def _body(
    model: str,
    prompt: str | None,
    params: Mapping[str, Any] | None,
    attachment_media_ids: Sequence[str],
) -> dict[str, Any]:
    """Build the request, after refusing what the service is known to refuse."""
    if not isinstance(model, str) or not model.strip():
        raise InvalidInputError(
            "model", "No model was chosen.", "Take one from wonda.capabilities().image_models."
        )
    if prompt is not None and (not isinstance(prompt, str) or not prompt.strip()):
        raise InvalidInputError("prompt", "The prompt is empty.", "Describe the picture you want.")
    if isinstance(attachment_media_ids, str):
        raise InvalidInputError(
            "attachment_media_ids", "attachment_media_ids is a list of media ids, not one string."
        )
    body: dict[str, Any] = {"model": model}
    if prompt is not None:
        body["prompt"] = prompt
    if params:
        body["params"] = dict(params)
    if attachment_media_ids:
        body["attachmentMediaIds"] = list(attachment_media_ids)
    return body
