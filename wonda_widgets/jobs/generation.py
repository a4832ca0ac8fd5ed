"""The requests that generate an image or a video (wonda-api.md, sections 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..models import GenerateResponse, parse
from ..utils import arguments, plain_values
from .submission import Operation, SubmitResult

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGE_GENERATION = Operation(
    "inference",
    "/image/generate",
    "image generation",
    "Credits may have been used: check your Wonda library before you generate again.",
)

VIDEO_GENERATION = IMAGE_GENERATION._replace(path="/video/generate", name="video generation")


def operation_of(path: str) -> Operation:
    """Return the operation with this path; that of images for the empty path of older entries."""
    return VIDEO_GENERATION if path == VIDEO_GENERATION.path else IMAGE_GENERATION


def identity(operation: Operation, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what identifies a request: its body and, if it is not for an image, its path."""
    return body if operation is IMAGE_GENERATION else {**body, "path": operation.path}


def read_reply(raw: Any) -> SubmitResult:
    """Read the job from a response."""
    return SubmitResult(parse(raw, GenerateResponse).inference_job_id)


def _check_types(params: object, attachment_media_ids: object) -> None:
    if params is not None:
        arguments.require_type(params, Mapping, "a dict for params=")
    if isinstance(attachment_media_ids, str):
        raise InvalidInputError(
            "attachment_media_ids",
            "attachment_media_ids must be a list of media IDs, not a string.",
        )
    arguments.require_type(attachment_media_ids, Iterable, "a list for attachment_media_ids=")


def request_body(
    model: str,
    prompt: str | None,
    params: Mapping[str, Any] | None,
    attachment_media_ids: Sequence[str],
) -> dict[str, Any]:
    """Build the request; reject what the service is known to refuse."""
    if not isinstance(model, str) or not model.strip():
        raise InvalidInputError(
            "model", "No model was chosen.", "Use one from wonda.capabilities()."
        )
    model, prompt = plain_values.to_plain(model), plain_values.to_plain(prompt)
    if prompt is not None and (not isinstance(prompt, str) or not prompt.strip()):
        raise InvalidInputError(
            "prompt",
            "The prompt is empty.",
            "Describe the result, or leave prompt out if the model needs none.",
        )
    _check_types(params, attachment_media_ids)
    body: dict[str, Any] = {"model": model}
    if prompt is not None:
        body["prompt"] = prompt
    settings = dict(params) if params is not None else {}
    for name, value in settings.items():
        if value is not None and plain_values.is_missing(value):
            raise InvalidInputError(
                "request", f"params.{name} is empty ({value}).", "Give it a value or leave it out."
            )
    if settings:
        body["params"] = settings
    references = plain_values.to_plain(attachment_media_ids)
    references = [] if references is None else list(references)
    if not all(isinstance(each, str) and each for each in references):
        raise InvalidInputError(
            "attachment_media_ids",
            "One of the attachments has no media ID.",
            "Pass [media.media_id for media in …].",
        )
    if references:
        body["attachmentMediaIds"] = references
    return body
