"""The stage of an evaluation in which a judge decides on the rubrics, answer by answer.

A verdict on the same answer to the same question by the same rubric is requested only once, across runs and stages: a
stage that was killed, or another evaluation, requests only what is missing. A reply that cannot be read is not a
verdict; it is reported, and requested again the next time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from engine.evaluation.plan import Plan
from engine.evaluation.recorder import Recorder
from engine.jobs.context import JobContext
from engine.records.evaluation import ArmAnswer, ArmName
from engine.records.judging import Judged
from engine.records.options import TeacherSpec
from engine.records.rule import CheckResult, Rule
from engine.rules.judge import are_kin, request_sha256, rubric_request
from engine.teachers.judgements import KEPT, JudgeRequests, rubric_verdict

_NOTE = "verdicts of the judge"  # as shown in the progress
Unjudged = tuple[ArmAnswer, Rule]


def unjudged(rules: Sequence[Rule], answers: Mapping[ArmName, Sequence[ArmAnswer]]) -> list[Unjudged]:
    """What to ask the judge: every answer with every rubric that has no verdict on it yet."""
    return [
        (answer, rule)
        for found in answers.values()
        for answer in found
        for rule in rules
        if rule.needs_judge and all(check.rule_id != rule.id for check in answer.checks)
    ]


class Judging:
    """The judge of one evaluation."""

    def __init__(
        self, context: JobContext, plan: Plan, spec: TeacherSpec, recorder: Recorder, limit_usd: float | None
    ) -> None:
        self._context, self._plan, self._spec, self._recorder = context, plan, spec, recorder
        self._limit_usd = limit_usd
        self._questions = {question.id: question for question in plan.questions}

    def judge(self, answers: Mapping[ArmName, Sequence[ArmAnswer]]) -> Judged:
        """Request every missing verdict. Raises EndpointError, and JobStopped when asked to stop."""
        rubrics = [rule for rule in self._plan.rules if rule.needs_judge]
        asked = unjudged(rubrics, answers)
        total = len(rubrics) * sum(map(len, answers.values()))
        requests = [
            rubric_request(rule.rubric, self._questions[answer.question_id], answer.answer) for answer, rule in asked
        ]
        keys = [request_sha256(request) for request in requests]
        with self._context.take_turn("judge", "is asking the judge"):
            asking = JudgeRequests(self._context.project, self._spec, requests, self._context, self._limit_usd)
            times = Counter(keys)
            self._recorder.skip(total - sum(times[key] for key in asking.missing))
            self._recorder.begin(_NOTE)
            try:
                asking.ask(
                    rubric_verdict,
                    lambda key: self._recorder.advance(times[key], _NOTE),
                    self._recorder.interrupted,
                    self._recorder.note,
                )
            finally:
                self._keep(
                    (answer, CheckResult(rule.id, word == KEPT, reason))
                    for (answer, rule), key in zip(asked, keys, strict=True)
                    if key in asking.verdicts
                    for word, reason in [asking.verdicts[key]]
                )
        self._context.checkpoint()
        missing = [
            f"rule {rule.id}, question {answer.question_id}: {asking.faults.get(key, 'not asked')}"
            for (answer, rule), key in zip(asked, keys, strict=True)
            if key not in asking.verdicts
        ]
        if missing:
            self._recorder.note(f"The judge gave no verdict on {len(missing)} of {total}. The first: {missing[0]}.")
        teacher = self._context.project.settings.read().teacher.model
        return Judged(
            judge=self._spec.name,
            verdicts=total - len(missing),
            missing=len(missing),
            fault=missing[0] if missing else "",
            kin_to=teacher if are_kin(self._spec.model, teacher) else "",
        )

    def _keep(self, verdicts: Iterable[tuple[ArmAnswer, CheckResult]]) -> None:
        by_key: dict[str, list[tuple[ArmAnswer, CheckResult]]] = defaultdict(list)
        for verdict in verdicts:
            by_key[self._plan.key_of(verdict[0].arm)].append(verdict)
        for key, found in by_key.items():
            self._context.project.evaluations.add_verdicts(self._plan.run.id, key, self._spec.name, found)
