"""The stage of an evaluation that asks the probes: local arms answer, then the student's divergence is measured.

Answers are stored as they finish, like those to held-out questions; a stage that was killed, or that of another run on
the same base, requests only what is missing. Answers are checked against the rules of this evaluation.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.evaluation.divergence import kl_to_prompted
from engine.evaluation.plan import Plan, Task
from engine.evaluation.probes import PROBED, answer_limit, probe_source, probes
from engine.evaluation.recorder import Recorder
from engine.evaluation.regressions import score_regressions
from engine.evaluation.streams import answering_note
from engine.jobs.context import JobContext
from engine.records.evaluation import ArmAnswer, ArmName
from engine.records.interval import Interval
from engine.records.options import EvaluateOptions
from engine.records.regressions import ProbeKind, Regressions
from engine.rules.checks import check_answer

if TYPE_CHECKING:
    from engine.evaluation.arms import LocalArm
    from engine.model.local_model import LocalModel

FROM_BASE = "divergence from the base"  # as shown in the progress


class Probing:
    """The probes of one evaluation. `recorder` is the evaluation's own."""

    def __init__(self, context: JobContext, plan: Plan, options: EvaluateOptions, recorder: Recorder) -> None:
        self._context, self._plan, self._options, self._recorder = context, plan, options, recorder
        self._asked = probes(plan.questions, options.seed)

    def measure(self, local: "LocalModel", arms: "Sequence[LocalArm]", on_rows: Callable[[int], None]) -> Regressions:
        """Ask each kind of probe of the `arms` it is for; these must include the unprompted and the distilled arm.

        Raises ContextError if a question leaves no room for a token, and JobStopped when asked to stop.
        """
        before = self._context.work
        for kind, tasks in self._asked.items():
            for arm in arms:
                if arm.name in PROBED[kind]:
                    self._answer(arm, kind, tasks)
        by_name = {arm.name: arm for arm in arms}
        answers = {kind: self._stored(kind) for kind in self._asked}
        questions = {kind: [task.question for task in tasks] for kind, tasks in self._asked.items()}
        self._recorder.begin(FROM_BASE)
        found = kl_to_prompted(
            local,
            by_name["unprompted"],
            [by_name["distilled"]],
            questions["general"],
            {name: [answer for answer in answers["general"] if answer.arm == name] for name in by_name},
            seed=self._options.seed,
            on_rows=on_rows,
        )["distilled"]
        return score_regressions(
            self._plan.prompt,
            [rule for rule in self._plan.rules if not rule.needs_judge],
            questions,
            answers,
            None if found is None else Interval(found.mean, found.low, found.high),
            answer_tokens=answer_limit("general", self._options),
            seconds=self._context.work.seconds - before.seconds,
        )

    def _answer(self, arm: "LocalArm", kind: ProbeKind, tasks: Sequence[Task]) -> None:
        try:
            if missing := self._missing(kind, arm.name, tasks):
                self._recorder.begin(answering_note(arm.name, kind))
                options = replace(self._options, max_answer_tokens=answer_limit(kind, self._options))
                # A probe is longer than its held-out question, so it may leave less room for the answer.
                arm.answer(missing, options, self._recorder, shorter=True)
        finally:
            self._recorder.store()
        self._context.checkpoint()

    @property
    def answered(self) -> int:
        """How many answers to probes exist already."""
        return sum(
            len(tasks) - len(self._missing(kind, arm, tasks))
            for kind, tasks in self._asked.items()
            for arm in PROBED[kind]
        )

    def _missing(self, kind: ProbeKind, arm: ArmName, tasks: Sequence[Task]) -> list[Task]:
        have = {answer.question_id for answer in self._kept(kind, arm)}
        return [task for task in tasks if task.question.id not in have]

    def _kept(self, kind: ProbeKind, arm: ArmName) -> tuple[ArmAnswer, ...]:
        source = probe_source(self._plan, arm, kind)
        return self._context.project.evaluations.probe_answers(source, kind)

    def _stored(self, kind: ProbeKind) -> list[ArmAnswer]:
        asked = {task.question.id: task.question for task in self._asked[kind]}
        return [
            replace(answer, checks=check_answer(self._plan.rules, answer.answer, asked[answer.question_id]))
            for arm in PROBED[kind]
            for answer in self._kept(kind, arm)
            if answer.question_id in asked
        ]
