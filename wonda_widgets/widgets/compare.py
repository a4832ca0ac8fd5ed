"""`Compare`: two to four images side by side, with the differences of their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import traitlets

from ..api import origin
from ..errors import InvalidInputError, WondaError
from ..journal.generated_image import GeneratedImage
from ..models import facts
from ..utils import event_loop
from ._shared import formatting, gallery_items, large_image
from ._shared.frontend import view
from ._shared.permissions import open_to_all
from ._shared.video_panel import VideoPanel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..models import Media
    from ._shared.permissions import Permission, Permissions


class Compare(VideoPanel):
    """A panel that shows two to four images side by side, with synchronized zoom and pan.

    Two images can also be compared with a slider. Videos play in sync. A table lists the parameters
    and marks those that differ.

    Parameters
    ----------
    images : list of Image or Job
        For instance ``gallery.selected``; by default, none; call `show` later.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the images or jobs.

    Examples
    --------
    >>> ww.Compare(images)
    """

    MIN_IMAGES, MAX_IMAGES = 2, 4

    _panel = view("compare")
    _browser_traits = dict.fromkeys(("slider",))

    shown = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """The keys of the images."""
    videos = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether all of them are videos."""
    titles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """How each image differs from the others."""
    prompts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows: Any = traitlets.List().tag(sync=True)
    """The rows of the table: ``label``, ``values`` (one per image) and ``differs``."""
    slider = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether two images are superimposed."""
    actions: Any = traitlets.List().tag(sync=True)

    def __init__(
        self,
        images: Iterable[GeneratedImage | Job] = (),
        *,
        wonda: Wonda | AsyncWonda | None = None,
        **traits: Any,
    ) -> None:
        self._images: list[GeneratedImage] = []
        self._actions: dict[str, _Action] = {}
        given = gallery_items.check_images("Compare", images)
        super().__init__(wonda, given=given, **traits)
        if given:
            self.show(given)

    @property
    def images(self) -> list[GeneratedImage]:
        """The compared images."""
        return list(self._images)

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """See `storyboard.Shows`."""
        return self._client.history, list(self._images)

    def show(self, images: Iterable[GeneratedImage | Job]) -> None:
        """Compare other images; return immediately.

        Raises
        ------
        InvalidInputError
            For fewer than two or more than four images.
        TypeError
            For anything but images and jobs.
        """
        given = gallery_items.check_images("Compare", images)
        if given and not self.MIN_IMAGES <= len(given) <= self.MAX_IMAGES:
            raise InvalidInputError(
                "images", f"{len(given)} images can’t be compared; pass two to four."
            )
        origin.check_origin(self._client, given)
        event_loop.call_soon(lambda: self._start(self._set_images, given))

    async def _set_images(self, given: list[GeneratedImage | Job]) -> None:
        images = [
            each if isinstance(each, GeneratedImage) else await self._client.history.of(each)
            for each in given
        ]
        self._images = images
        items = [gallery_items.from_image(image) for image in images]
        names = list(facts.varying([item.facts for item in items]))
        with self.hold_sync():
            self.error = None
            self.titles = [
                gallery_items.caption(item, names) or f"{gallery_items.kind(item)} {number}"
                for number, item in enumerate(items, 1)
            ]
            self.prompts = [image.prompt for image in images]
            self.rows = _comparison_rows(images, items)
            self.videos = bool(items) and all(map(gallery_items.is_video, items))
            self.slider = self.slider and len(images) == self.MIN_IMAGES and not self.videos
            self.shown = [item.key for item in items]

    # ------------------------------------------------------------ messages

    def _video_of(self, of: str) -> Media | None:
        """See `VideoPanel._video_of`."""
        media = [each.media for each in self._images if gallery_items.from_image(each).key == of]
        return media[0] if media and media[0].is_video else None

    @open_to_all
    def _on_look(self, content: Mapping[str, Any]) -> None:
        """Send an enlarged image to the view that requested it."""
        key = content.get("key")
        for image in self._images:
            if gallery_items.from_image(image).key == key:
                self._start(self._send_image, image, str(key), content.get("view"))

    async def _send_image(self, image: GeneratedImage, key: str, view: object) -> None:
        message = {"type": "large", "key": key, "view": view}
        try:
            large = await large_image.load(self._client.history, image)
        except WondaError as error:
            self.send({**message, "reason": error.message})
        else:
            self.send({**message, "mime": large.mime_type}, [large.data])

    def add_action(
        self,
        name: str,
        label: str,
        action: Callable[[GeneratedImage], object],
        *,
        images_only: bool = False,
        permission: Permission | None,
    ) -> None:
        """Add a button below each image.

        Parameters
        ----------
        name, label : str
            The action's name in messages, and the text of its buttons.
        action : callable
            Called on the package's loop with the image.
        images_only : bool
            Whether there is no button for videos; the action refuses them itself.
        permission : Permission or None
            The permission that a session needs for the action; None if it is open to all.
        """
        self._actions[name] = _Action(label, action, images_only, permission)
        self._update_actions()

    def grant(self, permissions: Permissions) -> None:
        """Replace the permissions and update the list of actions; see `Panel.grant`."""
        super().grant(permissions)
        self._update_actions()

    def _update_actions(self) -> None:
        self.actions = [
            {"name": name, "label": action.label, "images_only": action.images_only}
            for name, action in self._actions.items()
            if self._permissions.grants(action.permission)
        ]

    @open_to_all
    def _on_act(self, content: Mapping[str, Any]) -> None:
        action = self._actions.get(str(content.get("name")))
        if action is None:
            return
        self._permissions.check(action.permission)
        for image in self._images:
            if gallery_items.from_image(image).key == content.get("key"):
                action.call(image)
                return


class _Action(NamedTuple):
    """An action that can be applied to an image; see `Compare.add_action`."""

    label: str
    call: Callable[[GeneratedImage], object]
    images_only: bool
    permission: Permission | None


def _comparison_rows(
    images: list[GeneratedImage], items: list[gallery_items.Item]
) -> list[dict[str, Any]]:
    """Return the rows of the table: the facts of the images, side by side."""
    names = list(dict.fromkeys(name for item in items for name in item.facts))
    rows: list[dict[str, Any]] = []
    for name in names:
        values = [item.facts.get(name, "") for item in items]
        differs = len(set(values)) > 1
        rows.append({"label": facts.label(name), "values": values, "differs": differs})
    if any(image.seconds for image in images):
        durations = [formatting.format_duration(image.seconds) for image in images]
        rows.append({"label": "Generated in", "values": durations, "differs": False})
    return rows
