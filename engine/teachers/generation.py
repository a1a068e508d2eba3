"""Generation from an endpoint: many requests in flight, each answer stored once, no stored answer requested again.

Knows nothing of HTTP or SQL: the endpoint teacher asks, the recorder stores, the plan says what is left.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.errors import BudgetError, JobStopped
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note
from engine.records.example import Example, ExampleKey
from engine.records.options import GenerateOptions
from engine.records.prompt import Prompt
from engine.teachers.budget import Budget
from engine.teachers.endpoint import EndpointAnswer, EndpointTeacher, count_messages
from engine.teachers.failure_streak import FailureStreak
from engine.teachers.fault_kinds import FAULTS
from engine.teachers.faults import EndpointFault
from engine.teachers.plan import Ask, Plan
from engine.teachers.recorder import GROUP_S, Recorder

GRACE_S = 20.0  # how long a stop waits for answers that are already paid for


@dataclass(slots=True)
class _Flight:
    """One ask in flight. All its tries are one stream."""

    ask: Ask
    held_usd: float


class EndpointGeneration:
    """One generation. `run` ends when the plan is exhausted or the budget is spent."""

    def __init__(
        self,
        context: JobContext,
        options: GenerateOptions,
        prompt: Prompt,
        plan: Plan,
        recorder: Recorder,
        budget: Budget,
        key: str,
        *,
        has_answered: bool,
    ) -> None:
        """`has_answered`: this teacher has already answered other questions with this prompt."""
        self._context = context
        self._options = options
        self._prompt = prompt
        self._prompt_sha256 = prompt.sha256
        self._plan = plan
        self._recorder = recorder
        self._budget = budget
        self._key = key
        self._flights: dict[asyncio.Task[EndpointAnswer], _Flight] = {}
        self._prompt_tokens = count_messages(prompt.messages, options.teacher.model)
        self._warm = False
        self._streak = FailureStreak()
        if has_answered:  # but these questions may be new to it: ten refusals still say something about the endpoint
            self._streak.answered()
        self._budget_spent = False
        self._fatal: EndpointFault | None = None

    async def run(self) -> None:
        """Ask until nothing is left. Raises `EndpointFault` if no question can be answered, `JobStopped`."""
        teacher = EndpointTeacher(
            self._options.teacher,
            self._key,
            concurrency=self._options.concurrency,
            on_note=lambda text: self._context.emit(Note(text)),
        )
        async with teacher:
            try:
                while not (self._plan.exhausted or self._budget_spent or self._fatal):
                    holding = self._context.stop_requested or self._context.pause_requested
                    if holding:
                        # Answers in flight are paid for: wait for them before the job pauses or stops.
                        await self._land(GRACE_S)
                    if not holding or not self._flights or self._context.stop_requested:
                        await self._checkpoint(landed=holding)
                    if not holding:
                        self._launch(teacher)
                        await self._take_landed(GROUP_S)
                        self._recorder.flush_if_due()
                await self._land(GRACE_S)
            finally:
                # Cancelled requests stay recorded as in flight: they may have been billed.
                for task in self._flights:
                    task.cancel()
                await asyncio.gather(*self._flights, return_exceptions=True)
                self._recorder.flush()
        if self._fatal is not None:
            self._fatal.next = FAULTS[self._fatal.kind].job_advice or self._fatal.next
            raise self._fatal
        if self._budget_spent:
            self._context.emit(Note(str(self._budget.spent_error())))

    async def _checkpoint(self, *, landed: bool) -> None:
        if landed:
            self._recorder.rest()
        try:
            self._context.checkpoint()
        except JobStopped:
            if not landed:  # the stop was requested after the last check
                await self._land(GRACE_S)
            raise

    def _launch(self, teacher: EndpointTeacher) -> None:
        # The first request goes alone: it checks the key and puts the prompt into the provider's cache for the rest.
        slots = (self._options.concurrency if self._warm else 1) - len(self._flights)
        flights: list[_Flight] = []
        asks = self._plan.take(max(0, slots))
        for at, ask in enumerate(asks):
            tokens = self._prompt_tokens + count_messages(ask.question.messages, self._options.teacher.model)
            worst = self._budget.worst_usd(tokens, self._options.max_answer_tokens)
            if not self._budget.hold(worst):
                self._plan.put_back(asks[at:])
                # Answers in flight may cost less than was reserved; the budget is spent only once none are left.
                self._budget_spent = not self._flights and not flights
                break
            flights.append(_Flight(ask, worst))
        if not flights:
            return
        self._context.project.examples.record_in_flight([self._key_of(flight.ask) for flight in flights])
        for flight in flights:
            self._recorder.started(flight.ask)
            self._flights[asyncio.create_task(self._answer(teacher, flight))] = flight

    async def _answer(self, teacher: EndpointTeacher, flight: _Flight) -> EndpointAnswer:
        def start_anew(fault: EndpointFault) -> None:
            self._recorder.asked_again(flight.ask, fault.kind, fault.message or fault.title)
            cost = self._book(fault)
            self._budget.settle(0.0, cost)
            if cost and not self._budget.hold(0.0):  # on top of what is reserved for this request
                raise self._budget.spent_error()
            self._recorder.started(flight.ask)

        return await teacher.answer(
            (*self._prompt.messages, *flight.ask.question.messages),
            temperature=self._options.temperature,
            max_tokens=self._options.max_answer_tokens,
            on_delta=lambda text: self._recorder.delta(flight.ask, text),
            on_retry=start_anew,
        )

    async def _take_landed(self, seconds: float) -> None:
        if not self._flights:
            return
        landed, _ = await asyncio.wait(self._flights, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in landed:
            self._settle(self._flights.pop(task), task.result)

    async def _land(self, seconds: float) -> None:
        """Wait at most `seconds` for the answers in flight, and store them."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._flights and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await self._take_landed(min(left, GROUP_S))
            self._recorder.flush_if_due()
        self._recorder.flush()

    def _settle(self, flight: _Flight, result: Callable[[], EndpointAnswer]) -> None:
        try:
            answer = result()
        except EndpointFault as fault:
            self._budget.settle(flight.held_usd, self._book(fault))
            self._fail(flight, fault)
            return
        except BudgetError:  # it can be asked again only if the requests in flight cost less than was reserved
            self._budget.settle(flight.held_usd, 0.0)
            self._context.project.examples.clear_in_flight([self._key_of(flight.ask)])
            self._plan.put_back([flight.ask])
            return
        self._warm = True
        self._streak.answered()
        usage = answer.usage
        cost = self._budget.cost_usd(usage)
        self._budget.settle(flight.held_usd, cost)
        example = Example(
            key=self._key_of(flight.ask),
            answer=answer.text,
            finish_reason=answer.finish_reason,
            teacher_kind="endpoint",
            usage=replace(usage, cost_usd=cost),
            temperature=self._options.temperature,
            seconds=answer.seconds,
            checks=self._recorder.check(flight.ask, answer.text),
        )
        self._recorder.answered(flight.ask, example)

    def _book(self, fault: EndpointFault) -> float:
        """Record at once what a failed try is billed for; return its cost in USD."""
        if fault.usage is None:
            return 0.0
        usage = replace(fault.usage, cost_usd=self._budget.cost_usd(fault.usage))
        self._recorder.billed(self._options.teacher.name, usage)
        return usage.cost_usd

    def _fail(self, flight: _Flight, fault: EndpointFault) -> None:
        self._context.project.examples.clear_in_flight([self._key_of(flight.ask)])
        gives_up = self._streak.should_give_up(fault)
        if gives_up:
            self._fatal = self._fatal or fault
        note = f"{fault.title} {fault.message}".strip()
        self._recorder.failed(flight.ask, fault.kind, note, ends_the_job=gives_up)

    def _key_of(self, ask: Ask) -> ExampleKey:
        return ExampleKey(self._prompt_sha256, ask.question.id, self._options.teacher.name, ask.attempt)
