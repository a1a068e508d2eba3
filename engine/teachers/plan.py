"""Which answers are still to be requested: pure planning over questions, samples and stored answers.

Knows nothing of teachers, clocks or the store.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.records.options import GenerateOptions
from engine.records.question import Question


@dataclass(frozen=True, slots=True)
class Ask:
    """One answer to request: the `attempt`-th sample of a question, from 0."""

    question: Question
    attempt: int


class Plan:
    """Hands out asks and tracks how they ended.

    Without `stop_when_accepted`, every question gets `samples` attempts: the first attempts of all questions come
    before any second one, so a generation that ends early has covered as many questions as possible. With it, a
    question's next attempt is handed out only if the previous one broke a rule. A question that could not be answered
    is not asked again by this plan. `asks` lists the attempts explicitly instead.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        samples: int,
        stored: Mapping[tuple[int, int], bool],
        *,
        stop_when_accepted: bool = False,
        asks: Sequence[Ask] = (),
    ) -> None:
        """`stored`: (question id, attempt) → whether the answer passes every rule."""
        self.single_turn = all(len(question.messages) == 1 for question in questions)
        self._samples = samples
        self._stop_when_accepted = stop_when_accepted
        self._stored = dict(stored)
        self._failed: set[int] = set()
        named = [ask for ask in asks if (ask.question.id, ask.attempt) not in self._stored]
        self._waiting = deque(named if asks else self._first_asks(questions))
        self._handed_out = 0
        self.total = len(asks) or (len(questions) if stop_when_accepted else len(questions) * samples)
        self.done = self.total - len(self._waiting)  # answered, now or before
        self.failed = 0  # not answered, and not asked again by this plan

    @property
    def waiting(self) -> tuple[Ask, ...]:
        """The asks that may be sent now."""
        return tuple(self._waiting)

    def take(self, count: int | None = None) -> list[Ask]:
        """Take at most `count` asks that may be sent now (None: all); they count as open until reported."""
        taken: list[Ask] = []
        while self._waiting and (count is None or len(taken) < count):
            ask = self._waiting.popleft()
            if ask.question.id in self._failed:
                self.failed += 1
            else:
                taken.append(ask)
        self._handed_out += len(taken)
        return taken

    def put_back(self, asks: Sequence[Ask]) -> None:
        """Return asks that were taken but not sent to the front of the queue."""
        self._waiting.extendleft(reversed(asks))
        self._handed_out -= len(asks)

    def report(self, ask: Ask, *, passed: bool) -> None:
        """Record that an ask was answered; `passed`: the answer passes every rule."""
        self._handed_out -= 1
        self._stored[ask.question.id, ask.attempt] = passed
        following = self._next_attempt(ask.question) if self._stop_when_accepted and not passed else None
        if following is None:
            self.done += 1
        else:
            self._waiting.append(following)

    def report_failure(self, ask: Ask) -> None:
        """Record that an ask was not answered; this plan makes no other attempt at its question."""
        self._handed_out -= 1
        self._failed.add(ask.question.id)
        self.failed += 1

    @property
    def exhausted(self) -> bool:
        """Whether nothing is waiting and nothing is open."""
        return not self._waiting and not self._handed_out

    def _first_asks(self, questions: Sequence[Question]) -> Iterator[Ask]:
        if self._stop_when_accepted:
            for question in questions:
                settled = any(self._stored.get((question.id, attempt)) for attempt in range(self._samples))
                following = None if settled else self._next_attempt(question)
                if following is not None:
                    yield following
            return
        for attempt in range(self._samples):
            for question in questions:
                if (question.id, attempt) not in self._stored:
                    yield Ask(question, attempt)

    def _next_attempt(self, question: Question) -> Ask | None:
        attempts = (attempt for attempt in range(self._samples) if (question.id, attempt) not in self._stored)
        attempt = next(attempts, None)
        return None if attempt is None else Ask(question, attempt)


def may_overlap(one: GenerateOptions, other: GenerateOptions) -> bool:
    """Whether two generations may ask for the same attempt at a question."""
    if one.teacher.name != other.teacher.name:
        return False
    if one.asks and other.asks:
        return not set(one.asks).isdisjoint(other.asks)
    named, whole = (one, other) if one.asks else (other, one)
    return not named.asks or any(attempt < whole.samples for _question, attempt in named.asks)
