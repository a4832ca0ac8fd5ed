"""What was asked, as the Python that asks for it again: a pure function.

Every text from outside becomes a Python literal, so that a prompt is never code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 96  # characters

#: The calls' arguments by the API's names, in the order in which they are written.
_GENERATE = {
    "model": "model",
    "prompt": "prompt",
    "params": "params",
    "attachmentMediaIds": "attachment_media_ids",
}
_PUBLISH = {
    "mediaId": "media_id",
    "instagramAccountId": "instagram_account_id",
    "caption": "caption",
    "altText": "alt_text",
    "product": "product",
    "mediaIds": "media_ids",
    "scheduledAt": "scheduled_at",
}


def to_python(kind: str, request: Mapping[str, Any], *, in_sandbox: bool = False) -> str:
    """Write the Python that makes `request` again.

    Parameters
    ----------
    kind : str
        ``"inference"`` or ``"publish"``.
    request : dict
        What was asked, by the API's names; empty if that is not known.
    in_sandbox : bool
        Whether it was asked of a sandbox.
    """
    if not request:
        return "# What was asked for is not known: this job was submitted by something else."
    names = _PUBLISH if kind == "publish" else _GENERATE
    call = "wonda.publish.instagram" if kind == "publish" else "wonda.images.generate"
    if "mediaIds" in request:
        call = "wonda.publish.instagram_carousel"
    arguments = [f"{name}={request[wire]!r}" for wire, name in names.items() if wire in request]
    last = "print(job.wait().permalink)" if kind == "publish" else "media = job.wait().media"
    return "\n".join(
        [
            "import wonda_widgets as ww",
            "",
            f"wonda = ww.Wonda{'.sandbox' if in_sandbox else ''}()",
            *_call(f"job = {call}", arguments),
            last,
            "",
        ]
    )


def _call(head: str, arguments: list[str]) -> list[str]:
    """A call on one line if it fits, else with an argument a line."""
    line = f"{head}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return [line]
    return [f"{head}(", *(f"    {argument}," for argument in arguments), ")"]
