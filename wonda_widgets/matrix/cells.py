"""A cell of a matrix, and what became of it; sums over many of them."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..journal.images import flat_row, spreadsheet_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import WondaError
    from ..jobs.job import Job
    from ..journal.images import GeneratedImage
    from ..models import Estimate
    from .planning import Cell

CellState = Literal["waiting", "running", "succeeded", "failed", "lost", "unknown"]

#: In these nothing more happens by itself.
SETTLED = frozenset({"succeeded", "failed", "lost", "unknown"})


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan costs.

    Attributes
    ----------
    usd : float or None
        US dollars; None if the service gives no price for some of it.
    credits : float or None
    each : list of tuple
        For each price: US dollars and credits of one image (None where the service gives
        none) and how many there are.
    unpriced : list of str
        Models without a price.
    """

    usd: float | None
    credits: float | None
    each: list[tuple[float | None, float | None, int]]
    unpriced: list[str]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a matrix is.

    Attributes
    ----------
    total, succeeded, failed, running, waiting, unknown : int
        Numbers of cells. `unknown` ones may have been made: nobody read the answer.
    left : float or None
        Estimated seconds, once there is history to say so.
    """

    total: int
    succeeded: int
    failed: int
    running: int
    waiting: int
    unknown: int
    left: float | None

    def __str__(self) -> str:
        parts = [f"{self.succeeded} of {self.total}"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.unknown:
            parts.append(f"{self.unknown} unknown")
        if self.left is not None and self.left > 0:
            parts.append(f"{about(self.left)} left, estimated")
        return ", ".join(parts)


def about(seconds: float) -> str:
    """A length of time as one speaks of it: ``"about 2 min"``."""
    if seconds < 55:  # noqa: PLR2004 - then one says a minute
        return f"about {max(5, round(seconds / 5) * 5)} s"
    return f"about {round(seconds / 60)} min"


class CellResult:
    """A cell and what became of it.

    Attributes
    ----------
    cell : Cell
    state : str
        ``"waiting"``, ``"running"``, ``"succeeded"``, ``"failed"``, ``"lost"`` (it is not
        known how its job goes on) or ``"unknown"`` (it may have been made; nobody read the
        answer).
    job : Job or None
    image : Image or None
    error : WondaError or None
    price : Estimate or None
    digest : str
        Of what it asks for, see `idempotency.fingerprint`.
    before : str
        The same as versions before made it.
    name, also : str, tuple of str
        What its request is called in the journal, and what else it may be called there; known
        when its batch is.
    begun : bool
        Whether an earlier kernel had asked for it.
    again : bool
        Whether a person wants it again, although it was made and failed.
    """

    def __init__(self, cell: Cell, digest: str, before: str = "") -> None:
        self.cell = cell
        self.digest = digest
        self.before = before
        self.name = ""
        self.also: tuple[str, ...] = ()
        self.begun = False
        self.again = False
        self.state: CellState = "waiting"
        self.job: Job | None = None
        self.image: GeneratedImage | None = None
        self.error: WondaError | None = None
        self.price: Estimate | None = None
        self.unwatch: Callable[[], None] = lambda: None

    def row(self) -> dict[str, Any]:
        """What became of it, as one flat row that a spreadsheet takes; see `GeneratedImage.row`."""
        cell, media = self.cell, self.image.media if self.image else None
        facts = {
            "status": self.state,
            "media_id": media.media_id if media else None,
            "url": media.url if media else None,
            "width": media.width if media else None,
            "height": media.height if media else None,
            "seconds": round(self.image.seconds, 1) if self.image else None,
            "usd": self.price.usd if self.price else None,
            "job_id": self.job.id if self.job else None,
            "error": self.error.message if self.error else None,
        }
        first = {"index": cell.index, "prompt": cell.prompt, "model": cell.model}
        return spreadsheet_row(flat_row(first, (*cell.values.items(), *cell.params.items()), facts))


def total_price(made: list[CellResult]) -> Price:
    """Add up the prices of some cells."""
    usd = [each.price.usd if each.price else None for each in made]
    credit_counts = [each.price.estimated_credits if each.price else None for each in made]
    each = Counter(zip(usd, credit_counts, strict=True))
    return Price(
        usd=None if None in usd else math.fsum(some for some in usd if some is not None),
        credits=None
        if None in credit_counts
        else math.fsum(some for some in credit_counts if some is not None),
        each=[(dollars, credit, count) for (dollars, credit), count in each.items()],
        unpriced=sorted({some.cell.model for some in made if some.price is None}),
    )
