"""Turn a stored request into Python code that repeats it.

Every value is written with `repr`, so a prompt is always a string literal and never code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LINE_LENGTH = 96  # characters

#: Keyword arguments by their names on the wire, in the order in which they are written.
_GENERATE_ARGUMENTS = {
    "model": "model",
    "prompt": "prompt",
    "params": "params",
    "attachmentMediaIds": "attachment_media_ids",
}
_PUBLISH_ARGUMENTS = {
    "mediaId": "media_id",
    "instagramAccountId": "instagram_account_id",
    "caption": "caption",
    "altText": "alt_text",
    "product": "product",
    "shareToFeed": "share_to_feed",
    "mediaIds": "media_ids",
    "scheduledAt": "scheduled_at",
}


def to_python(
    kind: str, request: Mapping[str, Any], *, is_video: bool = False, in_sandbox: bool = False
) -> str:
    """Write the Python code that sends `request` again.

    Parameters
    ----------
    kind : str
        ``"inference"`` or ``"publish"``.
    request : dict
        The request body, with the API's camelCase names; empty if unknown.
    is_video : bool
        Whether the request generates a video.
    in_sandbox : bool
        Whether the request was sent to a sandbox.
    """
    if not request:
        return "# The request is not known: this job was submitted by another program."
    if kind == "publish":
        names = _PUBLISH_ARGUMENTS
        method = "instagram_carousel" if "mediaIds" in request else "instagram"
        call, last_line = f"wonda.publish.{method}", "print(job.wait().permalink)"
    else:
        names = _GENERATE_ARGUMENTS
        call = f"wonda.{'videos' if is_video else 'images'}.generate"
        last_line = "media = job.wait().media"
    arguments = [f"{name}={request[wire]!r}" for wire, name in names.items() if wire in request]
    return "\n".join(
        [
            "import wonda_widgets as ww",
            "",
            f"wonda = ww.Wonda{'.sandbox' if in_sandbox else ''}()",
            *_format_call(f"job = {call}", arguments),
            last_line,
            "",
        ]
    )


def _format_call(call: str, arguments: list[str]) -> list[str]:
    """Format a call on one line if it fits, otherwise with one argument per line."""
    line = f"{call}({', '.join(arguments)})"
    if len(line) <= MAX_LINE_LENGTH:
        return [line]
    return [f"{call}(", *(f"    {argument}," for argument in arguments), ")"]
