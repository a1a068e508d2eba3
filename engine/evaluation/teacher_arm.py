"""How a teacher behind an address answers as an arm. Knows nothing of rules or the store."""

import asyncio
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from engine.evaluation.plan import Task
from engine.evaluation.recorder import RawAnswer, Recorder
from engine.paths import Home
from engine.records.evaluation import ArmName
from engine.records.options import EvaluateOptions, TeacherSpec
from engine.records.prompt import Prompt

if TYPE_CHECKING:
    from engine.teachers.endpoint import EndpointTeacher

CONCURRENCY = 16


class EndpointArm:
    """An OpenAI-compatible endpoint as the `teacher` arm, behind the same prompt."""

    name: ArmName = "teacher"

    def __init__(self, spec: TeacherSpec, prompt: Prompt, home: Home) -> None:
        self._spec, self._prompt, self._home = spec, prompt, home
        self._first_ms: list[float] = []
        self._rates: list[float] = []

    def answer(self, tasks: Sequence[Task], options: EvaluateOptions, recorder: Recorder) -> None:
        """Answer every task, until `recorder` is interrupted.

        A question that the endpoint refuses is an answer that keeps no rule. Raises EndpointError where no question
        can be asked at all, or an outage outlasts every try; what was answered until then is kept.
        """
        asyncio.run(self._answer_all(tasks, options, recorder))

    def speed(self) -> tuple[float | None, float | None]:
        """Median time to the first text in ms and median tokens a second after it, of the answers themselves, with
        up to 16 in flight at once; None where this process asked for none.
        """
        first_ms = median(self._first_ms) if self._first_ms else None
        return first_ms, median(self._rates) if self._rates else None

    async def _answer_all(self, tasks: Sequence[Task], options: EvaluateOptions, recorder: Recorder) -> None:
        from engine.teachers.endpoint import EndpointTeacher
        from engine.teachers.keys import key_for

        key = key_for(self._spec.base_url, self._home)
        async with EndpointTeacher(self._spec, key, concurrency=CONCURRENCY, on_note=recorder.note) as teacher:

            async def ask(task: Task) -> None:
                recorder.start(self.name, task)
                raw = await self._ask(teacher, task, options, recorder)
                recorder.finish(self.name, task, raw)

            # A pause or a stop waits for the group in flight: those answers are paid for.
            for start in range(0, len(tasks), CONCURRENCY):
                if recorder.interrupted():
                    return
                group = [ask(task) for task in tasks[start : start + CONCURRENCY]]
                for outcome in await asyncio.gather(*group, return_exceptions=True):
                    if outcome is not None:
                        raise outcome

    async def _ask(
        self, teacher: "EndpointTeacher", task: Task, options: EvaluateOptions, recorder: Recorder
    ) -> RawAnswer:
        from engine.teachers.faults import EndpointFault

        try:
            answer = await teacher.answer(
                (*self._prompt.messages, *task.question.messages),
                temperature=options.temperature,
                max_tokens=options.max_answer_tokens,
                on_delta=lambda text: recorder.feed(self.name, task, text),
                on_retry=lambda _: recorder.start(self.name, task),
            )
        except EndpointFault as fault:
            if fault.scope != "question":
                raise
            return RawAnswer("", "error", 0, 0, refused=fault.title)
        usage = answer.usage
        self._first_ms.append(1000.0 * answer.ttft_s)
        later_s = answer.seconds - answer.ttft_s
        if usage.completion_tokens > 1 and later_s > 0:
            self._rates.append((usage.completion_tokens - 1) / later_s)
        return RawAnswer(answer.text, answer.finish_reason, usage.prompt_tokens, usage.completion_tokens)
