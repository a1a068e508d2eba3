"""The stage of an evaluation in which a judge decides on the rubrics, answer by answer.

Verdicts are kept as they come, under the judge's name: a killed stage, and another evaluation of the same answers, ask
only for what is missing. A reply that cannot be read is no verdict, is told, and is asked for again the next time.
"""

from collections.abc import Mapping, Sequence

from engine.evaluation.plan import Plan
from engine.evaluation.recorder import Recorder
from engine.jobs.context import JobContext
from engine.records.evaluation import ArmAnswer, ArmName
from engine.records.judging import Judged
from engine.records.options import TeacherSpec
from engine.records.rule import CheckResult, Rule
from engine.rules.judge import UnreadableVerdictError, are_kin, read_rubric_verdict, rubric_request
from engine.teachers.judge import CONCURRENCY, ask_judge

Unjudged = tuple[ArmAnswer, Rule]


def unjudged(rules: Sequence[Rule], answers: Mapping[ArmName, Sequence[ArmAnswer]]) -> list[Unjudged]:
    """What the judge is to be asked: every answer with every rubric on which nothing is known of it yet."""
    return [
        (answer, rule)
        for found in answers.values()
        for answer in found
        for rule in rules
        if rule.needs_judge and all(check.rule_id != rule.id for check in answer.checks)
    ]


class Judging:
    """The judge of one evaluation."""

    def __init__(self, context: JobContext, plan: Plan, spec: TeacherSpec, recorder: Recorder) -> None:
        self._context, self._plan, self._spec, self._recorder = context, plan, spec, recorder
        self._questions = {question.id: question for question in plan.questions}
        self._missing: list[str] = []
        self._waiting: dict[str, list[tuple[ArmAnswer, CheckResult]]] = {}

    def judge(self, answers: Mapping[ArmName, Sequence[ArmAnswer]]) -> Judged:
        """Ask for every verdict that is missing. Raises EndpointError, and JobStopped when asked to stop."""
        rubrics = [rule for rule in self._plan.rules if rule.needs_judge]
        asked = unjudged(rubrics, answers)
        total = len(rubrics) * sum(map(len, answers.values()))
        self._recorder.skip(total - len(asked))
        requests = [
            rubric_request(rule.rubric, self._questions[answer.question_id], answer.answer) for answer, rule in asked
        ]

        def take(place: int, reply: str) -> None:
            answer, rule = asked[place]
            try:
                verdict = read_rubric_verdict(reply)
            except UnreadableVerdictError as error:
                refuse(place, str(error))
                return
            key = self._plan.key_of(answer.arm)
            self._waiting.setdefault(key, []).append((answer, CheckResult(rule.id, verdict.passed, verdict.reason)))
            self._recorder.advance(1, "verdicts of the judge")
            if sum(map(len, self._waiting.values())) >= CONCURRENCY:
                self._keep()

        def refuse(place: int, why: str) -> None:
            self._missing.append(f"rule {asked[place][1].id}, question {asked[place][0].question_id}: {why}")
            self._recorder.advance(1, "verdicts of the judge")

        try:
            ask_judge(self._spec, self._context.project.home, requests, take, refuse, self._recorder.interrupted)
        finally:
            self._keep()
        self._context.checkpoint()
        teacher = self._context.project.settings.read().teacher.model
        return Judged(
            judge=self._spec.name,
            verdicts=total - len(self._missing),
            missing=len(self._missing),
            fault=self._missing[0] if self._missing else "",
            kin_to=teacher if are_kin(self._spec.model, teacher) else "",
        )

    def _keep(self) -> None:
        for key, found in self._waiting.items():
            self._context.project.evaluations.add_verdicts(self._plan.run.id, key, self._spec.name, found)
        self._waiting.clear()
