"""`ScheduledPosts`: list the scheduled posts, and cancel them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ..errors import PermissionDeniedError, WondaError
from ..utils import event_loop
from ._shared import formatting
from ._shared.frontend import view
from ._shared.panel import Panel
from ._shared.permissions import Permission, requires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..client.wonda_client import AsyncWonda, Wonda
    from ..publishing.scheduled_posts import ScheduledPost

MAX_CAPTION_LENGTH = 300  # characters of a caption


class ScheduledPosts(Panel):
    """A list of the scheduled posts, earliest first, with a button to cancel each one.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default, a client with the key from the environment, or a sandbox.

    Examples
    --------
    >>> ww.ScheduledPosts(wonda)
    """

    _panel = view("scheduled_posts")
    _view_permission = Permission.SCHEDULE

    posts: Any = traitlets.List().tag(sync=True)
    """The posts, each with ``job_id``, ``due`` (seconds since 1970; 0 if unknown), ``account``,
    ``caption`` and ``images`` (their number)."""
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"``, ``"ready"``, ``"off"`` (scheduling is not enabled) or ``"broken"``."""
    canceling = traitlets.Unicode("").tag(sync=True)
    """The job ID of the post that is being canceled."""
    message = traitlets.Unicode("").tag(sync=True)
    """The outcome of the last cancellation."""

    def __init__(self, wonda: Wonda | AsyncWonda | None = None, **traits: Any) -> None:
        super().__init__(wonda, **traits)
        self.refresh()

    def refresh(self) -> None:
        """Load the list again; return immediately."""
        event_loop.call_soon(lambda: self._start(self._load))

    async def _load(self) -> None:
        try:
            found = await self._client.publish.scheduled()
            names = await self._names() if found else {}
        except PermissionDeniedError as error:
            self.state, self.posts = "off", []
            self.message = error.hint
            return
        except Exception:
            self.state = "broken"
            raise
        with self.hold_sync():
            self.error = None
            self.posts = [_to_message(post, names) for post in found]
            self.state = "ready"

    async def _names(self) -> dict[str, str]:
        try:
            accounts = await self._client.accounts.instagram()
        except WondaError:  # list the posts without names
            return {}
        return {account.instagram_account_id: account.name for account in accounts}

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        return [
            (
                formatting.local_time(post["due"]) if post["due"] else "Scheduled",
                f"{post['account']} {post['caption']}".strip(),
            )
            for post in self.posts
        ]

    @requires(Permission.SCHEDULE)
    def _on_reload(self, _content: object) -> None:
        self.message = ""
        self.refresh()

    @requires(Permission.CANCEL)
    def _on_cancel(self, content: Mapping[str, Any]) -> None:
        job_id = content.get("job_id")
        listed = any(post["job_id"] == job_id for post in self.posts)
        if listed and not self.canceling:  # a second click has no effect
            self.error = None
            self.message = ""
            self.canceling = str(job_id)
            self._start(self._cancel, str(job_id))

    async def _cancel(self, job_id: str) -> None:
        try:
            # The cancellation must complete even if the panel is closed in the meantime.
            await event_loop.shield(self._client.publish.cancel(job_id))
            self.message = "Canceled. It will not be posted."
        finally:
            self.canceling = ""
            self._start(self._reload_keeping, self.message)

    async def _reload_keeping(self, message: str) -> None:
        problem = self.error
        await self._load()
        with self.hold_sync():
            self.message = message
            self.error = self.error or problem


def _to_message(post: ScheduledPost, names: Mapping[str, str]) -> dict[str, Any]:
    account = post.instagram_account_id or ""
    return {
        "job_id": post.job_id,
        "due": post.scheduled_for.timestamp() if post.scheduled_for else 0.0,
        "account": names.get(account, ""),
        "caption": (post.caption or "")[:MAX_CAPTION_LENGTH],
        "images": len(post.media_ids),
    }
