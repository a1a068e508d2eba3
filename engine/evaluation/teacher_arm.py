"""A teacher at an endpoint, answering as an arm. Knows nothing of rules or the store."""

import asyncio
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from engine.clean import clean_line
from engine.evaluation.plan import Task
from engine.evaluation.recorder import RawAnswer, Recorder
from engine.paths import Home
from engine.records.evaluation import ArmName
from engine.records.options import EvaluateOptions, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.teachers.ledger import Ledger

if TYPE_CHECKING:
    from engine.teachers.endpoint import EndpointTeacher
    from engine.teachers.faults import EndpointFault

CONCURRENCY = 16


class EndpointArm:
    """An OpenAI-compatible endpoint as the `teacher` arm, with the same prompt in context."""

    name: ArmName = "teacher"

    def __init__(self, spec: TeacherSpec, prompt: Prompt, home: Home, ledger: Ledger) -> None:
        self._spec, self._prompt, self._home, self._ledger = spec, prompt, home, ledger
        self._first_ms: list[float] = []
        self._rates: list[float] = []

    def answer(
        self, tasks: Sequence[Task], options: EvaluateOptions, recorder: Recorder, *, has_answered: bool = False
    ) -> None:
        """Answer every task, until `recorder` is interrupted. `has_answered`: other tasks of this evaluation, before.

        A question that the endpoint refuses counts as an answer that fails every rule, once an answer to another
        question shows that the question is at fault. Raises EndpointError if no question can be asked at all, none was
        answered, or an outage outlasts all retries, and BudgetError if the ledger's limit is reached; answers received
        until then are kept.
        """
        asyncio.run(self._answer_all(tasks, options, _Refusals(self.name, recorder, has_answered), recorder))

    def speed(self) -> tuple[float | None, float | None]:
        """Median time to the first text in ms and median tokens per second after it, over the answers themselves, with
        up to 16 in flight; None if this process requested none.
        """
        first_ms = median(self._first_ms) if self._first_ms else None
        return first_ms, median(self._rates) if self._rates else None

    async def _answer_all(
        self, tasks: Sequence[Task], options: EvaluateOptions, refusals: "_Refusals", recorder: Recorder
    ) -> None:
        from engine.teachers.endpoint import EndpointTeacher
        from engine.teachers.faults import EndpointFault
        from engine.teachers.keys import key_for

        key = key_for(self._spec.base_url, self._home)
        asked = EndpointTeacher(
            self._spec, key, concurrency=CONCURRENCY, on_note=recorder.note, on_billed=self._ledger.bill
        )
        async with asked as teacher:

            async def ask(task: Task) -> None:
                recorder.start(self.name, task)
                try:
                    raw = await self._ask(teacher, task, options, recorder)
                except EndpointFault as fault:
                    refusals.take(task, fault)
                else:
                    recorder.finish(self.name, task, raw)
                    refusals.answered()

            # A pause or a stop waits for the group in flight: those answers are paid for.
            for group in self._ledger.groups(tasks, self._messages, options.max_answer_tokens, CONCURRENCY):
                if recorder.interrupted():
                    return
                for outcome in await asyncio.gather(*map(ask, group), return_exceptions=True):
                    if outcome is not None:
                        raise outcome
        refusals.end()

    def _messages(self, task: Task) -> tuple[Message, ...]:
        return (*self._prompt.messages, *task.question.messages)

    async def _ask(
        self, teacher: "EndpointTeacher", task: Task, options: EvaluateOptions, recorder: Recorder
    ) -> RawAnswer:
        answer = await teacher.answer(
            self._messages(task),
            temperature=options.temperature,
            max_tokens=options.max_answer_tokens,
            on_delta=lambda text: recorder.feed(self.name, task, text),
            on_retry=lambda _: recorder.start(self.name, task),
        )
        usage = answer.usage
        self._first_ms.append(1000.0 * answer.ttft_s)
        later_s = answer.seconds - answer.ttft_s
        shown = 0 if answer.thinking_tokens is None else usage.completion_tokens - answer.thinking_tokens
        if shown > 1 and later_s > 0:
            self._rates.append((shown - 1) / later_s)
        return RawAnswer(answer.text, answer.finish_reason, usage.prompt_tokens, usage.completion_tokens)


class _Refusals:
    """Refused questions, held until an answer shows that the endpoint works."""

    def __init__(self, arm: ArmName, recorder: Recorder, has_answered: bool) -> None:
        from engine.teachers.failure_streak import FailureStreak

        self._arm, self._recorder = arm, recorder
        self._streak = FailureStreak(before=has_answered)
        self._held: list[tuple[Task, EndpointFault]] = []
        self._counted: set[int] = set()  # questions refused since the last answer

    def take(self, task: Task, fault: "EndpointFault") -> None:
        """Take a refusal; raise it if the question is not at fault, or after too many. A question counts once."""
        counted = task.question.id in self._counted
        self._counted.add(task.question.id)
        if fault.scope != "question" or (not counted and self._streak.should_give_up(fault)):
            raise fault
        if self._streak.of_the_question(fault):
            self._keep(task, fault)
        else:
            self._held.append((task, fault))

    def answered(self) -> None:
        """Note that an answer came, so the held refusals are the questions' fault."""
        self._streak.answered()
        for task, fault in self._held:
            self._keep(task, fault)
        self._held.clear()
        self._counted.clear()

    def end(self) -> None:
        """Finish after the last question. Raises the last fault if nothing was ever answered."""
        if self._held and not self._streak.has_answered:
            raise self._held[-1][1]
        self.answered()

    def _keep(self, task: Task, fault: "EndpointFault") -> None:
        refused = clean_line(f"{fault.title} {fault.message}".strip())
        self._recorder.finish(self._arm, task, RawAnswer("", "error", 0, 0, refused=refused))
