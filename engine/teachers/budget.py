"""Money: what answers cost, and whether one more may be asked for. Knows nothing of requests."""

from collections.abc import Callable
from dataclasses import replace

from engine.economics.prices import Prices, cost_usd, find_prices
from engine.errors import BudgetError
from engine.records.example import Usage
from engine.records.options import TeacherSpec
from engine.teachers.keys import is_loopback


class Budget:
    """Counts what is spent and what the requests in flight may still cost, at list prices.

    A request in flight is held at its most expensive: nothing of its prompt read from a cache, all of it written to one
    where that is dearer, its answer as long as allowed.
    """

    def __init__(self, prices: Callable[[int], Prices | None], limit_usd: float | None, spent_usd: float = 0.0) -> None:
        """`prices` of a request by its prompt tokens, since long prompts may be dearer; None where none are known."""
        self._prices = prices
        self._limit_usd = limit_usd
        self._spent_usd = spent_usd
        self._held_usd = 0.0

    @classmethod
    def of(cls, spec: TeacherSpec, limit_usd: float | None, spent_usd: float = 0.0) -> "Budget":
        """The budget for one teacher. Raises `BudgetError` where a limit is set and no price is known."""

        def prices(prompt_tokens: int) -> Prices | None:
            return find_prices(spec.model, spec.base_url, prompt_tokens)

        if prices(0) is None and limit_usd is not None and not is_loopback(spec.base_url):
            raise BudgetError(
                "The budget cannot be kept.",
                f"No price is known for {spec.model} at {spec.base_url}.",
                "Leave out --max-cost and bound the work with --limit and --samples instead.",
            )
        return cls(prices, limit_usd, spent_usd)

    def worst_usd(self, prompt_tokens: int, max_answer_tokens: int) -> float:
        """The most that one request can cost, retries not counted."""
        plain = Usage(prompt_tokens=prompt_tokens, completion_tokens=max_answer_tokens)
        return max(self.cost_usd(plain), self.cost_usd(replace(plain, written_tokens=prompt_tokens)))

    def cost_usd(self, usage: Usage) -> float:
        """What an answer cost; 0 where no price is known."""
        prices = self._prices(usage.prompt_tokens)
        return 0.0 if prices is None else cost_usd(prices, usage)

    def hold(self, usd: float) -> bool:
        """Set `usd` aside for a request; False, and nothing is set aside, where the limit would be passed."""
        if self._limit_usd is not None and self._spent_usd + self._held_usd + usd > self._limit_usd:
            return False
        self._held_usd += usd
        return True

    def settle(self, held_usd: float, cost: float) -> None:
        """A request ended: what was set aside is free again, and its cost is spent."""
        self._held_usd = max(0.0, self._held_usd - held_usd)
        self._spent_usd += cost

    def spent_error(self) -> BudgetError:
        """What to say when the next request would pass the limit."""
        return BudgetError(
            "The budget is spent.",
            f"{self._spent_usd:.4f} of {self._limit_usd or 0:.4f} USD; one more answer could pass the limit.",
            "Raise --max-cost and start again: nothing stored is asked twice.",
        )
