"""The budget: what answers cost, and whether another one is affordable. Knows nothing of how requests are sent."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.economics.prices import Prices, cost_usd, prices_for
from engine.errors import BudgetError
from engine.records.cost import EndpointPrices
from engine.records.example import Usage
from engine.records.options import TeacherSpec
from engine.teachers.keys import is_loopback


class Budget:
    """The money spent so far and what the requests in flight may still cost.

    The worst case is reserved for each request in flight: no cached prompt tokens, all of them written to the cache if
    that costs more, and an answer of the maximum length.
    """

    def __init__(self, prices: Callable[[int], Prices | None], limit_usd: float | None, spent_usd: float = 0.0) -> None:
        """`prices` maps a request's prompt tokens to its prices (long prompts may cost more); None if unknown."""
        self._prices = prices
        self._limit_usd = limit_usd
        self._spent_usd = spent_usd
        self._held_usd = 0.0

    @classmethod
    def of(
        cls, spec: TeacherSpec, given: Sequence[EndpointPrices], limit_usd: float | None, spent_usd: float = 0.0
    ) -> "Budget":
        """Return the budget for one teacher, at the given prices, else at list prices.

        Raises `BudgetError` if a limit is set but no price is known.
        """

        def prices(prompt_tokens: int) -> Prices | None:
            return prices_for(given, spec.model, spec.base_url, prompt_tokens)

        if prices(0) is None and limit_usd is not None and not is_loopback(spec.base_url):
            raise BudgetError(
                "The budget cannot be enforced.",
                f"No price is known for {spec.model} at {spec.base_url}.",
                "Leave out the budget, and limit the number of questions and of answers per question; or give the "
                "model's prices: distill-tui settings",
            )
        return cls(prices, limit_usd, spent_usd)

    def worst_usd(self, prompt_tokens: int, max_answer_tokens: int) -> float:
        """Return the most that one request can cost, excluding retries."""
        plain = Usage(prompt_tokens=prompt_tokens, completion_tokens=max_answer_tokens)
        return max(self.cost_usd(plain), self.cost_usd(replace(plain, written_tokens=prompt_tokens)))

    def cost_usd(self, usage: Usage) -> float:
        """Return the cost of an answer; 0 if no price is known."""
        prices = self._prices(usage.prompt_tokens)
        return 0.0 if prices is None else cost_usd(prices, usage)

    def hold(self, usd: float) -> bool:
        """Reserve `usd` for a request. Return False, and reserve nothing, if that would exceed the limit."""
        if self._limit_usd is not None and self._spent_usd + self._held_usd + usd > self._limit_usd:
            return False
        self._held_usd += usd
        return True

    def settle(self, held_usd: float, cost: float) -> None:
        """Release the amount reserved for a request that ended, and count its cost as spent."""
        self._held_usd = max(0.0, self._held_usd - held_usd)
        self._spent_usd += cost

    def spent_error(self) -> BudgetError:
        """Return the error for when the next request could exceed the limit."""
        return BudgetError(
            "The budget is spent.",
            f"{self._spent_usd:.4f} of {self._limit_usd or 0:.4f} USD; one more answer of the maximum length could "
            "exceed the limit.",
            "Raise the budget or lower the maximum length, and start again: stored answers are not requested twice.",
        )
