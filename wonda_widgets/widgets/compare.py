"""`Compare`: two to four pictures side by side, in step, with what differs pointed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import traitlets

from ..api import origin
from ..errors import InvalidInputError, WondaError
from ..imaging import decode_threads
from ..journal.images import Picture
from ..utils import event_loop
from ._shared import gallery_items, messages
from ._shared.panel import Panel, css, esm
from ._shared.permissions import open_to_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ._shared.permissions import Permission, Permissions

FEWEST, MOST = 2, 4
LARGE = 1600  # pixels
LARGE_BYTES = 900_000


class Compare(Panel):
    """Two to four pictures side by side; zoom and pan move all of them.

    With two there is a slider too, which draws one over the other. Beside them stands
    how they were made, with what differs marked.

    Parameters
    ----------
    pictures : list of Picture or Job
        For instance ``gallery.selected``; or call `show` later.
    wonda : Wonda or AsyncWonda, optional
        Without it: the client of the images or jobs.

    Examples
    --------
    >>> Compare(gallery.selected, wonda=wonda)
    """

    _esm = esm("viewer", "compare")
    _css = css("compare")
    _page_sets = dict.fromkeys(("slider",))

    shown = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """The pictures' keys."""
    titles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """What tells each picture from the others."""
    prompts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows: Any = traitlets.List().tag(sync=True)
    """How they were made: ``label``, ``values`` (one a picture) and ``differs``."""
    slider = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether two are drawn over one another."""
    actions: Any = traitlets.List().tag(sync=True)

    def __init__(
        self,
        pictures: Iterable[Picture | Job] = (),
        *,
        wonda: Wonda | AsyncWonda | None = None,
        **traits: Any,
    ) -> None:
        self._pictures: list[Picture] = []
        self._doing: dict[str, _Action] = {}
        given = gallery_items.checked("Compare", pictures)
        super().__init__(wonda, given=given, **traits)
        if given:
            self.show(given)

    @property
    def pictures(self) -> list[Picture]:
        """What is compared."""
        return list(self._pictures)

    def _shows(self) -> tuple[AsyncHistory, list[Picture | Job]]:
        """See `storyboards.Shows`."""
        return self._client.history, list(self._pictures)

    def show(self, pictures: Iterable[Picture | Job]) -> None:
        """Compare other pictures; returns at once.

        Raises
        ------
        InvalidInputError
            If they are fewer than two or more than four.
        TypeError
            If one is neither an image nor a job.
        """
        given = gallery_items.checked("Compare", pictures)
        if given and not FEWEST <= len(given) <= MOST:
            raise InvalidInputError(
                "pictures", f"{len(given)} cannot be compared; choose two to four pictures."
            )
        origin.check(self._client, given)
        event_loop.post(lambda: self._start(self._take, given))

    async def _take(self, given: list[Picture | Job]) -> None:
        pictures = [
            each if isinstance(each, Picture) else await self._client.history.of(each)
            for each in given
        ]
        self._pictures = pictures
        items = [gallery_items.of_picture(picture) for picture in pictures]
        names = [facet.name for facet in gallery_items.facets(items)]
        with self.hold_sync():
            self.error = None
            self.titles = [
                gallery_items.varying(item, names) or f"Picture {number}"
                for number, item in enumerate(items, 1)
            ]
            self.prompts = [picture.prompt for picture in pictures]
            self.rows = _rows(pictures, items)
            self.slider = self.slider and len(pictures) == FEWEST
            self.shown = [item.key for item in items]

    # ------------------------------------------------------------ messages

    @open_to_all
    def _on_look(self, content: Mapping[str, Any]) -> None:
        """A view wants to see a picture."""
        key = content.get("key")
        for picture in self._pictures:
            if gallery_items.of_picture(picture).key == key:
                self._start(self._send_picture, picture, str(key), content.get("view"))

    async def _send_picture(self, picture: Picture, key: str, view: object) -> None:
        about = {"type": "large", "key": key, "view": view}
        try:
            data = await self._client.history.original(picture)
            large = await decode_threads.decoding(_large, data)
        except WondaError as error:
            self.send({**about, "why": error.message})
        else:
            self.send({**about, "mime": large.mime_type}, [large.data])

    def on(
        self,
        name: str,
        label: str,
        act: Callable[[Picture], object],
        *,
        needs: Permission | None,
    ) -> None:
        """Offer something to do with a picture: `act` is called with it on the package's loop.

        Without what it `needs`, it is neither offered nor done; None opens it to all.
        """
        self._doing[name] = _Action(label, act, needs)
        self._offer_actions()

    def grant(self, permissions: Permissions) -> None:
        """See `Panel.grant`."""
        super().grant(permissions)
        self._offer_actions()

    def _offer_actions(self) -> None:
        self.actions = [
            {"name": name, "label": each.label}
            for name, each in self._doing.items()
            if self._permissions.grants(each.needs)
        ]

    @open_to_all
    def _on_act(self, content: Mapping[str, Any]) -> None:
        action, at = self._doing.get(str(content.get("name"))), content.get("at")
        if action is None:
            return
        self._permissions.check(action.needs)
        if isinstance(at, int) and 0 <= at < len(self._pictures):
            action.act(self._pictures[at])


class _Action(NamedTuple):
    """Something to do with a picture, see `Compare.on`."""

    label: str
    act: Callable[[Picture], object]
    needs: Permission | None


def _rows(pictures: list[Picture], items: list[gallery_items.Item]) -> list[dict[str, Any]]:
    """How some pictures were made, fact by fact."""
    names = list(dict.fromkeys(name for item in items for name in item.facts))
    rows: list[dict[str, Any]] = []
    for name in names:
        values = [item.facts.get(name, "") for item in items]
        differs = len(set(values)) > 1
        rows.append({"label": gallery_items.label(name), "values": values, "differs": differs})
    if any(picture.seconds for picture in pictures):
        took = [messages.duration(picture.seconds) for picture in pictures]
        rows.append({"label": "took", "values": took, "differs": False})
    return rows


def _large(data: bytes) -> Any:
    """What is looked at; slow, for a thread."""
    from ..imaging.preview import preview  # noqa: PLC0415 - Pillow is loaded when needed

    return preview(data, LARGE, LARGE_BYTES)
