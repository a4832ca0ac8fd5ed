"""The budget of a plan: its images together may not cost more than this amount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InvalidInputError
from ...utils import arguments
from .cells import total_price

if TYPE_CHECKING:
    from .cells import CellResult


class PlanBudget:
    """The budget of one matrix, and the amount that the matrix has spent.

    Attributes
    ----------
    spent : float
        An upper bound in US dollars, because a failed job may not have been charged.
    """

    def __init__(self, usd: float | None) -> None:
        self.usd = usd
        self.spent = 0.0

    @property
    def usd(self) -> float | None:
        """The maximum in US dollars; None for no limit."""
        return self._usd

    @usd.setter
    def usd(self, usd: float | None) -> None:
        self._usd = None if usd is None else check_amount(usd)

    def check(self, cells: list[CellResult]) -> None:
        """Raise an error if the cells exceed the remaining budget.

        Raises
        ------
        InvalidInputError
        """
        if self.usd is None or not cells:
            return
        price = total_price(cells)
        if price.usd is None:
            raise InvalidInputError(
                "budget",
                f"The service has no price for {', '.join(price.unpriced)}, so the cost cannot "
                "be compared with the budget.",
                "Remove the model, or run without a budget.",
            )
        # A sum of prices has rounding errors.
        if self.spent + price.usd > self.usd + 1e-9:
            plan = "1 result costs" if len(cells) == 1 else f"{len(cells)} results cost"
            spent = f", after up to ${self.spent:.2f} already spent" if self.spent else ""
            raise InvalidInputError(
                "budget",
                f"{plan} about ${price.usd:.2f}{spent}; the budget is ${self.usd:.2f}.",
                "Use fewer values or raise the budget.",
            )


def check_amount(budget: Any) -> float:
    """Check a budget in US dollars.

    Raises
    ------
    InvalidInputError
        If it is not a number above 0.
    """
    amount = arguments.positive_number(budget)
    if amount is None:
        raise InvalidInputError(
            "budget", "The budget of a plan must be a number of US dollars above 0, such as 2.50."
        )
    return amount
