"""`PromptLab`: plan variations of a prompt, run the plan within a budget, and compare."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..client import selection
from ..jobs.matrix.matrix import DEFAULT_CONCURRENCY
from ..models import require_image
from ..utils import event_loop, suggestions
from ._parts.composite import columns
from ._parts.lab_form import DEFAULT_BUDGET, LabForm
from ._parts.publish_forms import PUBLISH, PublishForms
from ._shared.permissions import Permission
from .compare import Compare
from .edit_form import EditForm
from .gallery import Gallery
from .publish_form import PublishForm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..api.generations import Templates
    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..jobs.matrix.matrix import Matrix
    from ..journal.generated_image import GeneratedImage
    from ..models import Media

EDIT = Permission.EDIT


class PromptLab(PublishForms):
    """A panel that generates every combination of placeholder values, models and parameters.

    The plan and its price are shown before anything is generated. Results appear in the grid as
    they are generated; select several to compare them, or one to publish it.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default, a client with the key from the environment, or a sandbox.
    kind : str
        What is generated: ``"image"`` or ``"video"``.
    template : str, list of str or dict of str to str
        A prompt with ``{placeholders}``, or several by their names.
    values : dict of str to list of str
        The values of each placeholder.
    models : str or list of str
        Model keys; by default the service's first model of that kind.
    params : dict
        The value of each parameter, or a list of values.
    table, takes, combine, count, seed
        See `images.matrix`.
    budget : float
        The maximum cost of a plan in US dollars.
    max_concurrency : int
        The maximum number of jobs that run at the same time.
    confirm_publish : bool
        Whether `Publish` shows a summary first.
    notify : bool
        Whether the browser tells when a run has ended, with a notification or the tab's title; the
        checkbox under its progress.

    Attributes
    ----------
    matrix : Matrix or None
        The matrix that was run last: ``pandas.DataFrame(lab.matrix.rows())``.
    selected : list of Image
        The selected images, for the next cell.

    Examples
    --------
    >>> lab = ww.PromptLab(
    ...     template="A {subject}, {light}",
    ...     values={"subject": ["sunset", "storm"], "light": ["low haze", "clear air"]},
    ... )
    >>> lab
    """

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        kind: str = "image",
        template: Templates = "",
        values: Mapping[str, Sequence[str]] | None = None,
        models: Sequence[str] | str = (),
        params: Mapping[str, Any] | None = None,
        table: Any = None,
        takes: int = 1,
        combine: str = "product",
        count: int | None = None,
        seed: int = 0,
        budget: float = DEFAULT_BUDGET,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        confirm_publish: bool = True,
        notify: bool = False,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise suggestions.unknown_arguments_error(PromptLab, unknown)
        client, owned = selection.choose(wonda)
        common: dict[str, Any] = {"wonda": client, "banner": False}
        self.form = LabForm(
            kind=kind,
            template=template,
            values=values,
            models=models,
            params=params,
            table=table,
            takes=takes,
            combine=combine,
            count=count,
            seed=seed,
            budget=budget,
            max_concurrency=max_concurrency,
            **common,
        )
        self.gallery = Gallery([], notify=notify, **common)
        self.compare = Compare(**common)
        self.edit_form = EditForm(**common)
        self.publish_form = PublishForm(confirm_publish=confirm_publish, **common)
        hidden = [self.compare, self.edit_form, self.publish_form]
        rows = [columns(self.form, self.gallery), *hidden]
        super().__init__(
            "Wonda Prompt lab", client, owned, rows, hidden=hidden, css_class="wonda-lab"
        )
        self.form.on_plan(self._show_plan)
        self.form.on_run(self._show_run)
        self.form.observe(lambda _: event_loop.call_soon(self._update_steering), "plan")
        self._add_compare_action(self.gallery, self.compare)
        self._add_review_action(self.gallery)
        self._add_post_actions(self.gallery)
        self.gallery.on_images(self._enable_storyboard)
        self.gallery.add_action(
            "edit",
            "Edit…",
            lambda images: self._edit(images[0]),
            images_only=True,
            permission=EDIT,
        )
        self.gallery.add_action(
            "more",
            "More like this…",
            lambda images: self._more_like(images[0]),
            permission=Permission.GENERATE,
        )
        self.compare.add_action(
            "publish", "Publish…", partial(self._publish, self.gallery), permission=PUBLISH
        )
        self.compare.add_action("edit", "Edit…", self._edit, images_only=True, permission=EDIT)

    # ------------------------------------------------------------ for the next cell

    @property
    def matrix(self) -> Matrix | None:
        """The matrix that was run last; None before the first run."""
        return self.form.matrix

    @property
    def selected(self) -> list[GeneratedImage]:
        """The selected images."""
        return list(self.gallery.selected)

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        return self.gallery._shows()  # noqa: SLF001 - see `storyboard.Shows`

    def __repr__(self) -> str:
        return f"<PromptLab {self.matrix or 'no run yet'}>"

    # ------------------------------------------------------------ the flow, on the loop

    def _show_plan(self, matrix: Matrix) -> None:
        # The images of the last run are shown until the next one.
        if self.matrix is None:
            self._group(matrix)
            self.gallery.show_matrix(matrix)

    def _update_steering(self) -> None:
        """Let the gallery offer to resume and retry, unless the form's button does."""
        plan = self.form.plan
        if plan.get("problem") or not plan.get("is_stale"):
            offered = plan.get("action") in {"resume", "retry"} and not plan.get("problem")
            self.gallery.set_steering(not offered)

    def _show_run(self, matrix: Matrix) -> None:
        self._group(matrix)
        self.gallery.show_matrix(matrix, beside=self.form.is_more(matrix))
        self.gallery.scroll_into_view()  # in a narrow window, it is below the form

    def _group(self, matrix: Matrix) -> None:
        """Group by the first placeholder that varies, if others also vary."""
        varied = [
            f"values.{name}" for name, choices in matrix.plan.values.items() if len(choices) > 1
        ]
        if len(varied) > 1 and not self.gallery.group_by:
            self.gallery.group_by = varied[0]

    def _more_like(self, image: GeneratedImage) -> None:
        """Fill the form, so that the price is seen before more is generated."""
        self.form.fill_more(image)
        self.form.scroll_into_view()

    def _edit(self, image: GeneratedImage) -> None:
        require_image(image.media, "edited")
        self._reveal(self.edit_form, back=self.gallery)
        on_media = partial(self._use_edited, image)
        self.edit_form.reopen(image.media, image.request, on_media=on_media)

    def _use_edited(self, of: GeneratedImage, media: Media) -> None:
        self._reveal(self.publish_form)
        self._offer_media(media, of.prompt)
