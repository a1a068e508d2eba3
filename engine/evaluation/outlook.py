"""What an evaluation has to do and will take: answers, what is asked beside them, the time of earlier ones. Pure.

The job counts its units by the same function, so that a form never promises less than the job then counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.evaluation.extra_arms import PROMPT_BACK
from engine.evaluation.probes import probe_counts
from engine.records.evaluation import Evaluation
from engine.records.options import EvaluateOptions

LOCAL_ARMS = 3  # unprompted, prompted, distilled


@dataclass(frozen=True, slots=True)
class Units:
    """All that an evaluation has to do, as its job counts it."""

    answers: int  # of every arm to the held-out questions
    probes: int  # answers to what is asked beside them, to see what else changed
    readings: int  # answers that are read once more, for divergence
    verdicts: int  # of the judge, on rubrics and on which answer is better

    @property
    def total(self) -> int:
        return self.answers + self.probes + self.readings + self.verdicts


@dataclass(frozen=True, slots=True)
class EvaluationEstimate:
    """`seconds` is None where no evaluation was measured yet; `like` is the one that was."""

    arms: int
    questions: int
    units: Units
    seconds: float | None
    like: Evaluation | None


def count_units(options: EvaluateOptions, questions: int, *, arms: int, passes: int, rubrics: int) -> Units:
    """What so many `questions` and `arms` take. `passes`: how often the prompted answers are read again."""
    answers = arms * questions * options.samples
    probed = probe_counts(questions) if options.regressions else {}
    return Units(
        answers=answers,
        probes=sum(count.answers for count in probed.values()),
        readings=passes * questions + sum(count.readings for count in probed.values()),
        verdicts=(rubrics * answers if options.judge is not None else 0) + questions * options.preference,
    )


def estimate_evaluation(
    options: EvaluateOptions, questions: int, evaluations: Sequence[Evaluation], *, rubrics: int = 0
) -> EvaluationEstimate:
    """The estimate for `questions` of the split; the newest evaluation with as many arms says how long one takes.

    It is that of an evaluation which asks for every answer: one for which some are there already takes less. Extra arms
    are taken for small ones: whole layers of their own are each read behind the prompted answers by themselves.
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
    """How long the probes beside so many questions take: as in `like`, else as in the newest evaluation that asked
    them, one that reused nothing before others; else as long an answer as the others, most of which are longer.
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
