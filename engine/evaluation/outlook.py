"""How much work an evaluation is, and how long it will take, from earlier evaluations. Pure.

The job counts its units with the same function, so that the estimate in a form matches the job's count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.evaluation.extra_arms import PROMPT_BACK
from engine.evaluation.probes import probe_counts
from engine.records.evaluation import Evaluation
from engine.records.options import EvaluateOptions

LOCAL_ARMS = 3  # unprompted, prompted, distilled
SPEED_REQUESTS = 5  # to each local arm, to measure its speed


@dataclass(frozen=True, slots=True)
class Units:
    """All the work of an evaluation, as its job counts it."""

    answers: int  # of every arm to the held-out questions
    probes: int  # answers to the probes, which show what else changed
    readings: int  # answers that are read again, for divergence
    timed: int  # answers that are generated one at a time, to measure the speed
    verdicts: int  # by the judge, on rubrics and on which answer is better

    @property
    def total(self) -> int:
        return self.answers + self.probes + self.readings + self.timed + self.verdicts


@dataclass(frozen=True, slots=True)
class EvaluationEstimate:
    """`seconds` is None if no evaluation was timed yet; `like` is the evaluation that the time is based on."""

    arms: int
    questions: int
    units: Units
    seconds: float | None
    like: Evaluation | None


def count_units(options: EvaluateOptions, questions: int, *, arms: int, passes: int, rubrics: int) -> Units:
    """The work for `questions` and `arms`. `passes`: how often the prompted answers are read again."""
    answers = arms * questions * options.samples
    probed = probe_counts(questions) if options.regressions else {}
    local = arms - (options.teacher is not None and options.teacher.kind == "endpoint")  # its speed shows as it answers
    return Units(
        answers=answers,
        probes=sum(count.answers for count in probed.values()),
        readings=passes * questions + sum(count.readings for count in probed.values()),
        timed=local * min(SPEED_REQUESTS, questions),
        verdicts=(rubrics * answers if options.judge is not None else 0) + questions * options.preference,
    )


def estimate_evaluation(
    options: EvaluateOptions, questions: int, evaluations: Sequence[Evaluation], *, rubrics: int = 0
) -> EvaluationEstimate:
    """Return the estimate for `questions` of the split; its time is based on the newest evaluation with as many arms.

    It assumes that every answer must be generated: if some already exist, the evaluation takes less time. It also
    assumes that extra arms are small adapters: arms with whole layers each need a separate pass over the answers.
    """
    asked = questions if options.limit is None else min(questions, options.limit)
    arms = LOCAL_ARMS + (options.teacher is not None) + len(options.arms)
    units = count_units(options, asked, arms=arms, passes=1 + (PROMPT_BACK in options.arms), rubrics=rubrics)
    measured = [each for each in evaluations if _asked(each) > 0 and each.evaluate_s > 0]
    like = max(measured, key=lambda each: (not each.reused, len(each.arms) == arms, each.id), default=None)
    seconds = None
    if like is not None:
        beside = 0.0 if like.regressions is None else like.regressions.seconds
        an_answer = max(0.0, like.evaluate_s - beside) / _asked(like)
        seconds = an_answer * units.answers
        if options.regressions:
            seconds += _probing_s(asked, like, evaluations, an_answer)
    return EvaluationEstimate(arms, asked, units, seconds, like)


def _probing_s(questions: int, like: Evaluation, evaluations: Sequence[Evaluation], an_answer: float) -> float:
    """How long the probes take: as in `like`, otherwise as in the newest evaluation with probes, preferably one that
    reused nothing; otherwise as long per answer as the other answers, most of which are longer.
    """
    probed = [(each, each.regressions.seconds) for each in evaluations if each.regressions is not None]
    if not probed:
        return an_answer * _probe_units(questions)
    last, seconds = max(probed, key=lambda each: (each[0] is like, not each[0].reused, each[0].id))
    return seconds / _probe_units(last.questions) * _probe_units(questions)


def _probe_units(questions: int) -> int:
    return sum(count.answers + count.readings for count in probe_counts(questions).values())


def _asked(evaluation: Evaluation) -> int:
    return len(evaluation.arms) * evaluation.questions * evaluation.samples - evaluation.reused
