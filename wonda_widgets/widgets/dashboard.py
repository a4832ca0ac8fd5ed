"""`Dashboard`: studio, timeline and gallery on one page, for users without a notebook."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from ..client import selection
from ..errors import InvalidInputError, WondaError
from ..journal import entries
from ..journal.budgets import Budget, start_of_day
from ..utils import event_loop, suggestions
from ._parts.composite import Box, CompositePanel
from ._parts.dashboard_bar import DashboardBar
from ._shared.permissions import OWNER, SPECTATOR, VISITOR, VOTER, Permission, Permissions
from .compare import Compare
from .gallery import Gallery
from .prompt_form import KINDS
from .studio import Studio
from .timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..journal.generated_image import GeneratedImage
    from ..models import Media, Snapshot
    from ._parts.dashboard_bar import Hello
    from ._shared.panel import Panel

MAX_EARLIER_IMAGES = 24  # of today, among which the visitor's own images are searched
MAX_RESUME_ATTEMPTS = 30  # while an earlier kernel of the visitor is still sending
RESUME_INTERVAL_SECONDS = 1.0
PUBLISH_MODES = ("confirm", "hidden")
ENVIRONMENT_PREFIX = "WONDA_DASHBOARD_"


class Dashboard(CompositePanel):
    """A page with the studio, today's timeline and a gallery, which Voilà can serve.

    With the link of a review (the button in its panel), the page shows only the review, whose
    visitors can vote, but neither generate nor publish.

    Each visitor has their own kernel. Images that other users generated with the same journal are
    also shown; they can be opened and reused, but not marked. If a visitor reloads the page while a
    job is running, the session resumes.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default a client with the key from the environment, or a sandbox.
    title : str, optional
        The title of the page.
    presenter : bool, optional
        Whether to start in presenter mode: large type, and no publishing unless `publish` allows
        it. Visitors can switch the mode; only ``publish="hidden"`` is enforced.
    publish : str, optional
        ``"confirm"`` (always with a summary) or ``"hidden"`` (nothing is published, scheduled,
        canceled or settled, whatever a page sends). The default is ``"hidden"`` in presenter mode.
    budget : float, optional
        The maximum in US dollars that all visitors together may spend today.
    review_only : bool, optional
        Whether the page shows nothing but the reviews of such links. Otherwise, the same address
        without the review is the whole dashboard.
    kind, prompt, model, params, caption
        Initial values; see `Studio`.

    Defaults come from ``WONDA_DASHBOARD_TITLE``, ``WONDA_DASHBOARD_PRESENTER`` (``1``),
    ``WONDA_DASHBOARD_PUBLISH``, ``WONDA_DASHBOARD_BUDGET_USD`` and ``WONDA_DASHBOARD_REVIEW_ONLY``
    (``1``), which ``wonda-widgets demo --voila`` sets.

    Attributes
    ----------
    job, publish_job : Job or None
        The visitor's latest generation and post.
    media : Media or None
        The image that is displayed in the studio.

    Examples
    --------
    >>> ww.Dashboard(title="Harbor campaign", presenter=True, budget=2)
    """

    _view_permission = None  # its parts are hidden, but not the page

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        title: str | None = None,
        presenter: bool | None = None,
        publish: str | None = None,
        budget: float | None = None,
        review_only: bool | None = None,
        kind: str = "image",
        prompt: str = "",
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        caption: str = "",
        **unknown: Any,
    ) -> None:
        if unknown:
            raise suggestions.unknown_arguments_error(Dashboard, unknown)
        title = title or _environment("TITLE") or "Wonda"
        publish = publish or _environment("PUBLISH") or None
        if presenter is None:
            presenter = _environment("PRESENTER") == "1"
        if budget is None and _environment("BUDGET_USD"):
            budget = _amount(_environment("BUDGET_USD"))
        if publish not in {None, *PUBLISH_MODES}:
            said = f'publish must be "confirm" or "hidden"; got {publish!r}.'
            raise InvalidInputError("publish", said)
        self._budget = None if budget is None else Budget(budget)
        self._publish_mode = publish
        self._limit = OWNER  # of the presenter switch
        self._is_review_only = False
        client, owned = selection.choose(wonda)
        common: dict[str, Any] = {"banner": False}
        here = entries.process_id(entries.this_process())
        self._visitor_processes = {here}  # of this visitor's kernels, including the earlier ones
        if review_only is None:
            review_only = _environment("REVIEW_ONLY") == "1"
        self._bar = DashboardBar(title, here, self._greet, self._set_presenter, presenter=presenter)
        self.studio = Studio(
            client,
            kind=kind,
            prompt=prompt,
            model=model,
            params=params,
            caption=caption,
            budget=self._budget,
            storyboard=False,
            owners=self._visitor_processes,
            **common,
        )
        self.publish_form = self.studio.publish_form
        self.timeline = Timeline(client, **common)
        self.gallery = Gallery(wonda=client, owners=self._visitor_processes, **common)
        self.compare = Compare(wonda=client, **common)
        main = Box("wonda-dashboard-main", (self.studio, self.timeline))
        rows: list[Panel | Box] = [self._bar, main, self.gallery, self.compare]
        super().__init__(
            title, client, owned, rows, hidden=[self.compare], css_class="wonda-dashboard"
        )
        self._set_presenter(self._bar.presenter)
        if review_only:
            self._show_only_reviews()
        self._add_compare_action(self.gallery, self.compare)
        self._add_review_action(self.gallery)
        self.gallery.add_action(
            "show",
            "Open in Studio",
            lambda images: self._open_in_studio(images[0]),
            permission=None,
        )
        self.gallery.add_action(
            "form",
            "Use prompt",
            lambda images: self._use_prompt(images[0]),
            permission=Permission.GENERATE,
        )
        self.gallery.on_images(self._enable_storyboard)
        self.studio.prompt_form.observe(self._save_draft, ["kind", "prompt", "model", "params"])
        self.publish_form.observe(self._save_draft, "caption")
        self.studio.prompt_form.on_job(lambda _: self._update_spending())
        self.publish_form.on_job(self._follow_post)
        event_loop.call_soon(self._start_page)

    # ------------------------------------------------------------ for the next cell

    @property
    def job(self) -> Job | None:
        """The latest generation of this visitor; None before the first."""
        return self.studio.job

    @property
    def publish_job(self) -> Job | None:
        """The latest post of this visitor; None before the first."""
        return self.studio.publish_job

    @property
    def media(self) -> Media | None:
        """The image or video that is shown in the studio; None before the first one."""
        return self.studio.media

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """Return the images selected in the gallery, or today's; see `storyboard.Shows`."""
        history, chosen = self.gallery._shows()  # noqa: SLF001 - see `storyboard.Shows`
        return (history, chosen) if self.gallery.selected else self.timeline._shows()  # noqa: SLF001

    def __repr__(self) -> str:
        return "<Dashboard>"

    # ------------------------------------------------------------ the flow, on the loop

    def _start_page(self) -> None:
        if self._closed:
            return
        self._update_spending()
        self._bar.start_soon(self._client.history.watch_others, self._refresh)

    def _refresh(self) -> None:
        """Update the page after another process has written to the journal."""
        if not self._closed and not self._is_review_only:
            self.gallery.check_for_new_images()
            self.timeline.refresh_soon()
            self._update_spending()

    def _follow_post(self, job: Job) -> None:
        def follow(snapshot: Snapshot) -> None:
            self.timeline.refresh_soon()
            if snapshot.terminal:
                unwatch()
                self._subscriptions.remove(unwatch)

        unwatch = job.watch(follow)
        self._subscriptions.append(unwatch)

    def _set_presenter(self, presenter: bool) -> None:  # noqa: FBT001 - called by the bar
        """Switch presenter mode, which by default hides all controls that publish."""
        self.css_classes = ["wonda-dashboard", *(["wonda-presenter"] if presenter else [])]
        hidden = self._publish_mode == "hidden" or (self._publish_mode is None and presenter)
        mode = SPECTATOR if hidden else VISITOR
        may_all = set(mode) <= set(self._limit)
        super().grant(mode if may_all else Permissions(set(mode) & set(self._limit)))

    def grant(self, permissions: Permissions) -> None:
        """Replace the permissions of the session; the presenter switch cannot exceed them."""
        self._limit = permissions
        super().grant(permissions)

    def _use_prompt(self, image: GeneratedImage) -> None:
        self.studio.prompt_form.fill(image)
        self.studio.prompt_form.scroll_into_view()

    def _open_in_studio(self, image: GeneratedImage) -> None:
        """Show an image or video in the studio, to post it."""
        self.studio.show(image)
        is_video = image.media.is_video
        (self.studio.video_preview if is_video else self.studio.preview).scroll_into_view()

    # ------------------------------------------------------------ spending

    def _update_spending(self) -> None:
        if self._budget is not None and not self._is_review_only:
            self._bar.start_soon(self._show_spending, self._budget)

    async def _show_spending(self, budget: Budget) -> None:
        try:
            spent = await self._client.images.spent(budget)
        except WondaError:  # the error is shown when an image is requested
            return
        self._bar.spending = f"about ${spent:.2f} of ${budget.usd:.2f} spent today"

    # ------------------------------------------------------------ reviews

    def _greet(self, hello: Hello) -> None:
        if hello.review:
            self._show_only_reviews()
            self._open_review(hello.review)
        elif not self._is_review_only:
            self._restore_session(hello.processes, hello.draft)

    def _show_only_reviews(self) -> None:
        """Hide all but the title, and take every permission from the session, for good."""
        self._is_review_only = True
        self._hidden.update(id(row) for row in self._rows if row is not self._bar)
        self._bar.is_review_only = True
        self._bar.spending = ""
        self.grant(VOTER)

    def _open_review(self, review_id: str) -> None:
        from .review import Review  # noqa: PLC0415 - most visitors have no link

        self.review = Review(review_id, wonda=self._client, banner=False)
        self._reveal(self.review)

    # ------------------------------------------------------------ a reloaded page

    def _save_draft(self, _change: object) -> None:
        form = self.studio.prompt_form
        self._bar.draft = {
            "kind": form.kind,
            "prompt": form.prompt,
            "model": form.model,
            "params": dict(form.params),
            "caption": self.publish_form.caption,
        }

    def _restore_session(self, processes: list[str], draft: dict[str, Any]) -> None:
        """Restore the forms and resume the work of the tab's earlier kernels."""
        self._visitor_processes.update(processes)
        form = self.studio.prompt_form
        if not self._permissions.grants(Permission.GENERATE):
            draft = {}
        with form.hold_sync():
            if draft.get("kind") in KINDS:
                form.kind = draft["kind"]
            for name in ("prompt", "model", "params"):
                if draft.get(name):
                    setattr(form, name, draft[name])
        if draft.get("caption") and self._permissions.grants(Permission.PUBLISH):
            self.publish_form.caption = draft["caption"]
        if processes:
            self.gallery.refresh()
            self._bar.start_soon(self._resume_earlier, processes)
            self._bar.start_soon(self._show_earlier, processes)

    async def _show_earlier(self, processes: list[str]) -> None:
        """Show the visitor's earlier images of today in the studio, newest first."""
        found = await self._client.history.search(since=start_of_day(), limit=MAX_EARLIER_IMAGES)
        own = [image for image in found if image.made_by in processes]
        for image in own[:0:-1]:
            self.studio.show(image, in_background=True)
        if own and self.studio.job is None:
            self.studio.show(own[0])

    async def _resume_earlier(self, processes: list[str]) -> None:
        resumed: set[str] = set()
        for _ in range(MAX_RESUME_ATTEMPTS):
            found = await self._client.jobs.left_by(processes)
            new = [entry for entry in found if entry.intent not in resumed]
            running = [entry for entry in new if entry.job_id is not None]
            resumed.update(entry.intent for entry in running)
            if running:
                self.studio.resume(running)
            if not any(entry.is_sending for entry in found):
                break
            await asyncio.sleep(RESUME_INTERVAL_SECONDS)  # the earlier kernel is ending
        self.studio.unfinished.refresh()


def _environment(name: str) -> str:
    return os.environ.get(f"{ENVIRONMENT_PREFIX}{name}", "").strip()


def _amount(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInputError(
            "budget",
            f"{ENVIRONMENT_PREFIX}BUDGET_USD must be an amount in US dollars; got {text!r}.",
        ) from None
