"""Stores answers in groups and emits events: the only place where a generation writes.

Answers are committed together, at most 50 ms or 50 rows apart: one commit per answer would be the slowest part with a
fast endpoint. Everything here runs on the thread that owns the project.
"""

import time
from collections import Counter
from collections.abc import Sequence

from engine.jobs.context import JobContext
from engine.jobs.pace import seconds_left
from engine.jobs.protocol import AnswerDelta, AnswerEnded, AnswerStarted, Note, Progress, Spent
from engine.records.example import Example, Usage
from engine.records.rule import CheckResult, Rule, passes_all
from engine.rules.checks import check_answer
from engine.teachers.ledger import book
from engine.teachers.plan import Ask, Plan
from engine.wording import counted

GROUP_ROWS = 50
GROUP_S = 0.05
_DELTA_EVERY_S = 0.1
_PROGRESS_EVERY_S = 0.5
_FAILURES_NAMED = 10


class Recorder:
    """The recorder of one generation."""

    def __init__(
        self,
        context: JobContext,
        plan: Plan,
        rules: Sequence[Rule],
        limit_usd: float | None = None,
        spent_usd: float = 0.0,
    ) -> None:
        """`spent_usd`: what this job paid before it was resumed."""
        self._context = context
        self._emit = context.emit
        self._plan = plan
        self._rules = rules
        self._group: list[tuple[Example, str, bool]] = []
        self._group_since = 0.0
        self._deltas: dict[str, tuple[list[str], float]] = {}
        self._began: float | None = None  # set at the first answer: loading a model does not count towards the pace
        self._done_before = plan.done
        self._progress_at = 0.0
        self._spent = Spent(spent_usd, limit_usd, 0, 0)
        self._spent_emitted: Spent | None = None
        self.stored = 0
        self.failures: Counter[str] = Counter()
        self.first_failure = ""  # the reason

    def check(self, ask: Ask, answer: str) -> tuple[CheckResult, ...]:
        """Check an answer against every rule."""
        return check_answer(self._rules, answer, ask.question)

    def started(self, ask: Ask) -> None:
        """Record that the teacher started to answer."""
        stream = _stream_of(ask)
        self._began = self._began or time.monotonic()
        self._deltas[stream] = ([], time.monotonic())
        self._emit(AnswerStarted(stream, "teacher", ask.question.text))

    def delta(self, ask: Ask, text: str) -> None:
        """Record more text of an answer; written at most ten times a second per answer."""
        stream = _stream_of(ask)
        pieces, since = self._deltas.setdefault(stream, ([], 0.0))
        pieces.append(text)
        now = time.monotonic()
        if now - since >= _DELTA_EVERY_S:
            self._emit(AnswerDelta(stream, "".join(pieces)))
            self._deltas[stream] = ([], now)

    def answered(self, ask: Ask, example: Example) -> None:
        """Record a complete answer; it is stored with the next group."""
        passed = example.finish_reason == "stop" and passes_all(example.checks)
        self._plan.report(ask, passed=passed)
        if not self._group:
            self._group_since = time.monotonic()
        self._group.append((example, _stream_of(ask), passed))
        self._count(example.usage)
        self._deltas.pop(_stream_of(ask), None)
        self.flush_if_due()

    def asked_again(self, ask: Ask, kind: str, note: str) -> None:
        """Record that a try ended without an answer, and that another one follows."""
        self._deltas.pop(_stream_of(ask), None)
        self._emit(AnswerEnded(_stream_of(ask), "", passed=False, note=note, fault=kind, again=True))

    def billed(self, teacher: str, usage: Usage) -> None:
        """Record the cost of a try that gave no answer."""
        self._count(usage)
        book(self._context.project, teacher, usage, self._context)

    def _count(self, usage: Usage) -> None:
        before = self._spent
        self._spent = Spent(
            before.usd + usage.cost_usd,
            before.limit_usd,
            before.prompt_tokens + usage.prompt_tokens,
            before.completion_tokens + usage.completion_tokens,
        )

    def failed(self, ask: Ask, kind: str, note: str, *, ends_the_job: bool = False) -> None:
        """Record that this question cannot be answered now. `ends_the_job`: the job's end will report the reason."""
        self._plan.report_failure(ask)
        self.failures[kind] += 1
        self.first_failure = self.first_failure or note
        self._deltas.pop(_stream_of(ask), None)
        self._emit(AnswerEnded(_stream_of(ask), "", passed=False, note=note, fault=kind))
        if self.failures.total() <= _FAILURES_NAMED and not ends_the_job:
            self._emit(Note(f"Question {ask.question.id} was not answered. {note}"))

    def flush_if_due(self) -> None:
        """Store the waiting answers if there are enough of them or they have waited long enough."""
        if len(self._group) >= GROUP_ROWS or (self._group and time.monotonic() - self._group_since >= GROUP_S):
            self.flush()
        elif time.monotonic() - self._progress_at >= _PROGRESS_EVERY_S:
            self.progress()

    def flush(self) -> None:
        """Store the waiting answers and their cost now, in one transaction, then emit that they ended."""
        if group := self._group:
            examples = [example for example, _, _ in group]
            with self._context.project.transaction():
                stored = self._context.project.examples.add(examples)
                self._context.write_work(stored, sum(example.usage.cost_usd for example in examples))
                if stored:  # even if the generation never finishes, its answers took this time
                    self._context.write_timing("generate")
            self.stored += stored
            self._group = []  # not earlier: if the database is locked, these paid answers are stored on the next try
            for example, stream, passed in group:
                note = "" if example.finish_reason == "stop" else example.ending
                self._emit(AnswerEnded(stream, example.answer, passed, note))
        if time.monotonic() - self._progress_at >= _PROGRESS_EVERY_S or self._plan.exhausted:
            self.progress()

    def rest(self) -> None:
        """Store the waiting answers and report progress, before a pause or a stop."""
        self.flush()
        self.progress()

    def progress(self, note: str = "") -> None:
        """Report progress, with the time left at the pace so far."""
        now = time.monotonic()
        self._progress_at = now
        done, failed, total = self._plan.done, self._plan.failed, self._plan.total
        left = seconds_left(now - (self._began or now), done - self._done_before, total - done - failed)
        self._emit(Progress(done, total, note or self._words(), left, failed))
        if self._spent != self._spent_emitted:
            self._spent_emitted = self._spent
            self._emit(self._spent)

    def _words(self) -> str:
        failed = self.failures.total()
        return f"{counted(self.stored, 'answer')} stored" + (
            f", {counted(failed, 'question')} failed" if failed else ""
        )


def _stream_of(ask: Ask) -> str:
    """Return the name of an answer in the job's log, the same for every try."""
    return f"{ask.question.id}.{ask.attempt}"
