"""A cell of a matrix with its outcome, and totals over many cells."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ...utils.table_rows import flat_row, spreadsheet_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...errors import WondaError
    from ...journal.generated_image import GeneratedImage
    from ...models import Estimate
    from ..job import Job
    from .planning import Cell

CellState = Literal["waiting", "running", "succeeded", "failed", "lost", "unknown"]

#: States that only the user changes.
SETTLED_STATES = frozenset({"succeeded", "failed", "lost", "unknown"})


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """The price of a plan.

    Attributes
    ----------
    usd : float or None
        US dollars; None if the service has no price for a part of the plan.
    credits : float or None
    breakdown : list of tuple
        For each price per image: US dollars, credits (None if the service reports none), and the
        number of images.
    unpriced : list of str
        Models without a price.
    """

    usd: float | None
    credits: float | None
    breakdown: list[tuple[float | None, float | None, int]]
    unpriced: list[str]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a matrix.

    Attributes
    ----------
    total, succeeded, failed, running, waiting, unknown : int
        Numbers of cells. The images of `unknown` cells may have been generated, but no response was
        read.
    seconds_left : float or None
        An estimate; None without enough earlier jobs.
    """

    total: int
    succeeded: int
    failed: int
    running: int
    waiting: int
    unknown: int
    seconds_left: float | None

    def __str__(self) -> str:
        parts = [f"{self.succeeded} of {self.total}"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.unknown:
            parts.append(f"{self.unknown} unknown")
        if self.seconds_left is not None and self.seconds_left > 0:
            parts.append(f"{approximate_duration(self.seconds_left)} left, estimated")
        return ", ".join(parts)


def approximate_duration(seconds: float) -> str:
    """Return a rounded duration, such as ``"about 2 min"``."""
    if seconds < 55:  # noqa: PLR2004 - from here on, it rounds to a minute
        return f"about {max(5, round(seconds / 5) * 5)} s"
    return f"about {round(seconds / 60)} min"


class CellResult:
    """A cell and its outcome.

    Attributes
    ----------
    cell : Cell
    state : str
        ``"waiting"``, ``"running"``, ``"succeeded"``, ``"failed"``, ``"lost"`` (its job can no
        longer be polled) or ``"unknown"`` (the image may have been generated, but no response was
        read).
    job : Job or None
    image : GeneratedImage or None
    error : WondaError or None
    price : Estimate or None
    fingerprint : str
        Equal for equal requests; see `idempotency.fingerprint`.
    former_fingerprint : str
        The fingerprint that earlier versions computed; empty if they could not send the request.
    dedupe_key, former_keys : str, tuple of str
        The keys of the request in the journal; empty before the plan is saved.
    already_requested : bool
        Whether an earlier kernel requested the image.
    is_retry : bool
        Whether the user wants to generate the image again after it failed.
    unwatch : callable
        Stops listening to the job.
    """

    def __init__(self, cell: Cell, fingerprint: str, former_fingerprint: str = "") -> None:
        self.cell = cell
        self.fingerprint = fingerprint
        self.former_fingerprint = former_fingerprint
        self.dedupe_key = ""
        self.former_keys: tuple[str, ...] = ()
        self.already_requested = False
        self.is_retry = False
        self.state: CellState = "waiting"
        self.job: Job | None = None
        self.image: GeneratedImage | None = None
        self.error: WondaError | None = None
        self.price: Estimate | None = None
        self.unwatch: Callable[[], None] = lambda: None

    @property
    def is_pending(self) -> bool:
        """Whether the image is still to be requested."""
        return self.state == "waiting" and not self.already_requested

    @property
    def usd(self) -> float:
        """The price in US dollars; 0 if unknown."""
        return (self.price and self.price.usd) or 0.0

    def row(self) -> dict[str, Any]:
        """Return the cell and its outcome as one flat row; see `GeneratedImage.row`."""
        cell, media = self.cell, self.image.media if self.image else None
        outcome = {
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
        varied = (*cell.values.items(), *cell.params.items())
        return spreadsheet_row(flat_row(first, varied, outcome))


def total_price(cells: list[CellResult]) -> Price:
    """Add up the prices of cells."""
    usd = [each.price.usd if each.price else None for each in cells]
    credit_counts = [each.price.estimated_credits if each.price else None for each in cells]
    breakdown = Counter(zip(usd, credit_counts, strict=True))
    return Price(
        usd=_sum_or_none(usd),
        credits=_sum_or_none(credit_counts),
        breakdown=[(dollars, credit, count) for (dollars, credit), count in breakdown.items()],
        unpriced=sorted({each.cell.model for each in cells if each.price is None}),
    )


def _sum_or_none(values: list[float | None]) -> float | None:
    """Add up values; return None if one is unknown."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
