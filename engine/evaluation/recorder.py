"""Takes answers as they finish: checks the rules, stores them in small groups, and reports the progress."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from engine.evaluation.plan import Plan, Task
from engine.evaluation.probes import probe_source
from engine.evaluation.streams import AnswerStreams, answering_note
from engine.jobs.context import JobContext
from engine.jobs.pace import seconds_left
from engine.jobs.protocol import AnswersFound, Note, Progress
from engine.records.evaluation import ArmAnswer, ArmName
from engine.records.regressions import ProbeKind
from engine.records.rule import CheckResult, passes_all
from engine.rules.checks import check_answer

STORE_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A model's answer. `refused` says why there is no answer; then every rule is failed."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    refused: str = ""


class Recorder:
    """The only way from an arm to the store. `units` is the work of the whole evaluation, to estimate the time left."""

    def __init__(self, context: JobContext, plan: Plan, units: int) -> None:
        self._context, self._plan = context, plan
        self._streams = AnswerStreams(context.emit)
        self._units, self._done, self._done_here = units, 0, 0
        self._started = self._stored_at = time.monotonic()
        self._waiting: list[tuple[ProbeKind | None, ArmAnswer]] = []
        self._asked = 0  # of the waiting answers, those generated now to held-out questions

    def start(self, arm: ArmName, task: Task) -> None:
        """The arm starts to answer, or starts again. Probes are not streamed: they do not count in the arm's rates."""
        if task.probe is None:
            self._streams.start(_stream(arm, task), arm, task.question.text)

    def feed(self, arm: ArmName, task: Task, text: str) -> None:
        """Add text to this answer."""
        if task.probe is None:
            self._streams.feed(_stream(arm, task), text)

    def finish(self, arm: ArmName, task: Task, raw: RawAnswer) -> None:
        """The answer is complete."""
        if raw.refused:
            checks = tuple(CheckResult(rule.id, False, raw.refused) for rule in self._plan.rules)
        else:
            checks = check_answer(self._plan.rules, raw.text, task.question)
        answer = ArmAnswer(
            arm, task.question.id, task.sample, raw.text, raw.finish_reason, checks, raw.prompt_tokens,
            raw.completion_tokens,
        )  # fmt: skip
        self._waiting.append((task.probe, answer))
        self._asked += task.probe is None
        if time.monotonic() - self._stored_at >= STORE_EVERY_S:
            self.store()
        if task.probe is None:
            self._streams.end(_stream(arm, task), raw.text, passes_all(answer.checks), raw.refused)
        self.advance(1, answering_note(arm, task.probe))

    def store(self) -> None:
        """Write the waiting answers, and the work done, in one transaction."""
        plan, project = self._plan, self._context.project
        with project.transaction():
            for (probe, arm), group in groupby(self._waiting, lambda each: (each[0], each[1].arm)):
                answers = [answer for _, answer in group]
                if probe is None:
                    project.evaluations.add_answers(plan.run.id, plan.key_of(arm), answers, plan.sources[arm])
                else:
                    source = probe_source(plan, arm, probe)
                    project.evaluations.add_probe_answers(plan.run.id, source, probe, answers)
            self._context.write_work(self._asked)
        self._waiting.clear()
        self._asked = 0
        self._stored_at = time.monotonic()

    def note(self, text: str) -> None:
        """Show a note to the user."""
        self._context.emit(Note(text))

    def skip(self, units: int) -> None:
        """Count units that were already done, without this process doing them."""
        self._done += units

    def reuse(self, arm: ArmName, found: Sequence[tuple[Task, ArmAnswer]]) -> None:
        """Store answers from another evaluation, checked against the rules of this one."""
        self._waiting += (
            (None, replace(answer, arm=arm, checks=check_answer(self._plan.rules, answer.answer, task.question)))
            for task, answer in found
        )
        self.store()

    def found(self, arm: ArmName, answers: Sequence[ArmAnswer]) -> None:
        """Count the answers of an arm that are stored already, and show them."""
        if answers:
            passed = sum(passes_all(answer.checks) for answer in answers)
            self._context.emit(AnswersFound(arm, len(answers), passed))
            self.skip(len(answers))

    def begin(self, note: str) -> None:
        """Show what happens next: its first unit may take long, and nothing else would show it until then."""
        self.advance(0, note)

    def advance(self, units: int, note: str) -> None:
        """Count units that were done now."""
        self._done += units
        self._done_here += units
        done = min(self._done, self._units)  # removed questions may have been replaced by others
        left = seconds_left(time.monotonic() - self._started, self._done_here, self._units - done)
        self._context.emit(Progress(done, self._units, note, left))

    def end(self) -> None:
        """Count all remaining units as done: they belong to questions that were removed."""
        if self._done < self._units:
            self.advance(self._units - self._done, "everything measured")

    def interrupted(self) -> bool:
        """Whether the job must stop; blocks while it is paused. Finished answers are stored first."""
        if self._context.stop_requested:
            return True
        if self._context.pause_requested:
            self.store()
        self._context.checkpoint()
        return False


def _stream(arm: ArmName, task: Task) -> str:
    return f"{arm}/{task.question.id}/{task.sample}"
