"""What an evaluation will take, before it is started: answers, and the time of earlier ones. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.records.evaluation import Evaluation
from engine.records.options import EvaluateOptions

LOCAL_ARMS = 3  # unprompted, prompted, distilled


@dataclass(frozen=True, slots=True)
class EvaluationEstimate:
    """`seconds` is None where no evaluation was measured yet; `like` is the one that was."""

    arms: int
    questions: int
    answers: int
    seconds: float | None
    like: Evaluation | None


def estimate_evaluation(
    options: EvaluateOptions, questions: int, evaluations: Sequence[Evaluation]
) -> EvaluationEstimate:
    """The estimate for `questions` of the split; the newest evaluation with as many arms says how long one takes.

    It is that of an evaluation which asks for every answer: one for which some are there already takes less.
    """
    asked = questions if options.limit is None else min(questions, options.limit)
    arms = LOCAL_ARMS + (options.teacher is not None) + len(options.arms)
    answers = arms * asked * options.samples
    measured = [each for each in evaluations if _asked(each) > 0 and each.evaluate_s > 0]
    like = max(measured, key=lambda each: (not each.reused, len(each.arms) == arms, each.id), default=None)
    seconds = None
    if like is not None:
        beside = 0.0 if like.regressions is None else like.regressions.seconds
        seconds = (like.evaluate_s - beside) / _asked(like) * answers + (beside if options.regressions else 0.0)
    return EvaluationEstimate(arms, asked, answers, seconds, like)


def _asked(evaluation: Evaluation) -> int:
    return len(evaluation.arms) * evaluation.questions * evaluation.samples - evaluation.reused
